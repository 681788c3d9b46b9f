//! The files of a container's root file system. No link leads out of it, nothing but regular files is opened, and nothing is run.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, ResolveFlag};
use nix::sys::stat::{self, SFlag};

use super::careful::PathWalk;
use super::files::{Files, Found, Start};
use super::unpacked;
use crate::os::file;

/// The permission bits of a program that a search does not pass over.
const EXECUTABLE: libc::mode_t = 0o111;

/// A root file system.
#[derive(Debug)]
pub(super) struct RootFolder {
    folder: OwnedFd,
}

impl RootFolder {
    pub(super) fn new(folder: OwnedFd) -> Self {
        Self { folder }
    }

    /// The path to a file, step by step.
    pub(super) fn walk(&self, path: &Path) -> Option<PathWalk> {
        PathWalk::to(&self.folder, path)
    }
}

impl Files for RootFolder {
    type FoundFile = OwnedFd;
    type Open = File;

    fn find(&self, path: &Path) -> Found<OwnedFd> {
        // A device or a FIFO is not even opened.
        let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
        let resolve = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        match file::open_below(&self.folder, path, flags, resolve) {
            Ok(found) => match stat::fstat(&found) {
                Ok(it) if is_program(it.st_mode) => Found::File(found),
                Ok(_) | Err(_) => Found::Unclear,
            },
            Err(Errno::ENOENT | Errno::ENOTDIR) => Found::Missing,
            Err(_) => Found::Unclear,
        }
    }

    fn open(&self, found: &OwnedFd) -> Option<File> {
        unpacked::open(found)
    }

    fn start(&self, file: &File) -> Option<Start> {
        unpacked::start(file)
    }

    fn part(&self, file: &File, offset: u64, size: usize) -> Option<Vec<u8>> {
        unpacked::part(file, offset, size)
    }

    fn end(&self, path: &Path) -> Option<PathBuf> {
        Some(self.walk(path)?.end().to_owned())
    }
}

fn is_program(mode: libc::mode_t) -> bool {
    let sort = SFlag::from_bits_truncate(mode) & SFlag::S_IFMT;
    sort == SFlag::S_IFREG && mode & EXECUTABLE == EXECUTABLE
}
