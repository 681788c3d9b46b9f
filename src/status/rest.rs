//! What the gate needs besides the engines, what those hold, and what was decided last.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;

use crate::artifact::{Digest, Store};
use crate::history;
use crate::identity;
use crate::identity::held::{self, Absent, Held, Record};
use crate::policy::{Mode, Survey};
use crate::report::printable;

use super::{Decision, Images, Part, Places};

/// Decisions that are shown.
const LAST: usize = 3;

pub(super) fn configuration(survey: &Survey, path: &Path) -> Part {
    let is_there = survey.files.iter().any(|it| it.problems.is_ok());
    let mode = match survey.policy.mode {
        Mode::Enforce => "mode enforce",
        Mode::Audit => "mode audit: nothing is refused",
        Mode::Off => "mode off: nothing is checked",
    };
    let detail = match (survey.is_broken, is_there) {
        (true, _) => "it is broken, so nothing is refused: see `oci-compat config check`".to_owned(),
        (false, true) => mode.to_owned(),
        (false, false) => format!("{mode}, by default"),
    };
    Part { path: printable(&path.display().to_string()), usable: !survey.is_broken, detail }
}

pub(super) fn store(path: &Path) -> (Part, BTreeSet<Digest>) {
    let part = |usable, detail| Part { path: printable(&path.display().to_string()), usable, detail };
    let subjects = match Store::open(path) {
        Ok(None) => {
            return (part(true, "it is not there: no image has demands in it".to_owned()), BTreeSet::new());
        }
        Ok(Some(store)) => store.subjects(),
        Err(err) => Err(err),
    };
    match subjects {
        Ok(subjects) => {
            let images = if subjects.len() == 1 { "image" } else { "images" };
            (part(true, format!("demands for {} {images}", subjects.len())), subjects.into_iter().collect())
        }
        Err(err) => (part(false, printable(&format!("{err:#}"))), BTreeSet::new()),
    }
}

pub(super) fn images(places: &Places<'_>, subjects: &BTreeSet<Digest>) -> Images {
    let below = identity::Places { root: places.root.path().to_owned() };
    let mut images = Images::default();
    let all: [(&str, anyhow::Result<Vec<Record>>); 3] = [
        ("containerd", held::of_containerd(places.socket)),
        ("docker", held::of_docker(None, &below)),
        ("podman", held::of_storage(None, &below)),
    ];
    for (engine, found) in all {
        match found {
            Ok(all) => held::held(all).iter().for_each(|it| count(it, subjects, &mut images)),
            Err(err) if err.is::<Absent>() => {}
            Err(err) => images.unread.push(printable(&format!("{engine}: {err:#}"))),
        }
    }
    images.demanding.sort_unstable();
    images.demanding.dedup();
    images
}

fn count(held: &Held, subjects: &BTreeSet<Digest>, images: &mut Images) {
    if held.digests.iter().any(|it| subjects.contains(it)) {
        images.demanding.extend(held.names.iter().take(1).map(|it| printable(it)));
    } else {
        images.free += 1;
    }
}

pub(super) fn decisions(path: &Path) -> Vec<Decision> {
    let mut last = VecDeque::new();
    let read = history::read(path, |entry| {
        if last.len() == LAST {
            last.pop_back();
        }
        let line = entry.record.message.lines().next().unwrap_or_default();
        last.push_front(Decision { time: printable(&entry.record.time), message: printable(line) });
        Ok(())
    });
    match read {
        Ok(_) => last.into(),
        Err(err) => vec![Decision { time: String::new(), message: printable(&format!("{err:#}")) }],
    }
}
