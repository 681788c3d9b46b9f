//! Follows a path through a tree of files that is not unpacked, links included, as a process in it would. No link leads out.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::program::Found;

use super::contents::parent;

/// The kernel follows no more (`MAXSYMLINKS`).
const MAX_LINKS: usize = 40;
/// More than any path has.
const MAX_STEPS: usize = 4096;
/// The kernel takes no longer path and no longer target of a link, in bytes (`PATH_MAX`).
const MAX_PATH: usize = 4096;

/// How long reading an image's files may take. Paths count too: a stranger can make each of them expensive to follow.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeLimit {
    until: Instant,
    patience: Duration,
}

impl TimeLimit {
    /// From now on.
    pub(super) fn new(patience: Duration) -> Self {
        Self { until: Instant::now() + patience, patience }
    }

    /// # Errors
    ///
    /// If it has passed: a sentence.
    pub(super) fn check(&self) -> Result<(), String> {
        match Instant::now() < self.until {
            true => Ok(()),
            false => Err(format!("reading layers takes longer than {} s", self.patience.as_secs())),
        }
    }
}

/// What stands at a path, without following links.
#[derive(Debug)]
pub(super) enum Node<T> {
    Missing,
    Folder {
        mode: u32,
    },
    /// A regular file; `None` if not everybody may execute it.
    File(Option<T>),
    Link(Vec<u8>),
    Unclear,
}

/// Follows a path with its links: what is there, and where. `node` says what stands at a path of plain names.
pub(super) fn walk<T>(path: &[u8], node: impl Fn(&[u8]) -> Node<T>) -> (Found<T>, Vec<u8>) {
    let mut left: VecDeque<Vec<u8>> = steps(path).collect();
    let (mut here, mut links, mut count) = (Vec::new(), 0, 0);
    while let Some(step) = left.pop_front() {
        count += 1;
        if count > MAX_STEPS {
            return (Found::Unclear, here);
        }
        if step == b".." {
            here = parent(&here).to_vec();
            continue;
        }
        let next = if here.is_empty() { step } else { [here.as_slice(), &step].join(&b'/') };
        if next.len() >= MAX_PATH {
            return (Found::Unclear, here);
        }
        match node(&next) {
            Node::Folder { mode } if left.is_empty() || mode & 0o001 != 0 => here = next,
            Node::File(file) if left.is_empty() => {
                return (file.map_or(Found::Unclear, Found::File), next);
            }
            // A file is no folder.
            Node::Missing | Node::File(_) => return (Found::Missing, next),
            Node::Link(target) => {
                links += 1;
                if links > MAX_LINKS || !(1..MAX_PATH).contains(&target.len()) {
                    return (Found::Unclear, next);
                }
                if target.starts_with(b"/") {
                    here = Vec::new();
                }
                for step in steps(&target).collect::<Vec<_>>().into_iter().rev() {
                    left.push_front(step);
                }
            }
            Node::Folder { .. } | Node::Unclear => return (Found::Unclear, next),
        }
    }
    (Found::Unclear, here)
}

fn steps(path: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    path.split(|it| *it == b'/').filter(|it| !it.is_empty() && *it != b".").map(<[u8]>::to_vec)
}
