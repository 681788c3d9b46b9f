//! The files of a container's root file system, found as its processes would find them. No link leads out of it, nothing but
//! regular files is opened, and nothing is run.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{self, OFlag, OpenHow, ResolveFlag};
use nix::sys::stat::{self, Mode, SFlag};

use super::{Start, careful::Walk};
use crate::container::input::Process;

/// What everybody may do with a program that a search for it does not pass over.
const EXECUTABLE: libc::mode_t = 0o111;

/// A root file system.
#[derive(Debug)]
pub(super) struct Image {
    folder: OwnedFd,
}

/// What stands at a path.
#[derive(Debug)]
pub(super) enum Found {
    /// A regular file that everybody may execute.
    File(OwnedFd),
    /// Nothing.
    Missing,
    /// Something else, or it cannot be looked at.
    Unclear,
}

impl Image {
    pub(super) fn new(folder: OwnedFd) -> Self {
        Self { folder }
    }

    pub(super) fn find(&self, path: &Path) -> Found {
        // A device or a FIFO is not even opened.
        let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
        let resolve = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        match fcntl::openat2(&self.folder, path, OpenHow::new().flags(flags).resolve(resolve)) {
            Ok(found) => match stat::fstat(&found) {
                Ok(it) if is_program(it.st_mode) => Found::File(found),
                Ok(_) | Err(_) => Found::Unclear,
            },
            Err(Errno::ENOENT | Errno::ENOTDIR) => Found::Missing,
            Err(_) => Found::Unclear,
        }
    }

    /// The file that a process starts with, and the paths that were tried for it, its own the last; `None` if that is not certain.
    pub(super) fn program(&self, process: &Process) -> Option<(OwnedFd, Vec<PathBuf>)> {
        let mut tried = Vec::new();
        for path in candidates(process)? {
            let found = self.find(&path);
            tried.push(path);
            match found {
                Found::File(file) => return Some((file, tried)),
                Found::Missing => {}
                Found::Unclear => return None,
            }
        }
        None
    }

    /// The way to a file, step by step.
    pub(super) fn walk(&self, path: &Path) -> Option<Walk> {
        Walk::to(&self.folder, path)
    }
}

/// Where runtimes look for a program: at its path, or in the folders of the container's `PATH`. What depends on the runtime is
/// not certain.
fn candidates(process: &Process) -> Option<Vec<PathBuf>> {
    let program = process.program.as_deref().filter(|it| !it.is_empty() && !it.contains('\0'))?;
    if program.contains('/') {
        let folder = process.cwd.as_deref().filter(|it| it.starts_with('/'));
        return match program.starts_with('/') {
            true => Some(vec![PathBuf::from(program)]),
            false => Some(vec![Path::new(folder?).join(program)]),
        };
    }
    let folders = process.variable("PATH").ok()??.split(':');
    folders.map(|it| it.starts_with('/').then(|| Path::new(it).join(program))).collect()
}

fn is_program(mode: libc::mode_t) -> bool {
    let sort = SFlag::from_bits_truncate(mode) & SFlag::S_IFMT;
    sort == SFlag::S_IFREG && mode & EXECUTABLE == EXECUTABLE
}

/// Opens a regular file that was found.
pub(super) fn open(found: &OwnedFd) -> Option<File> {
    let path = format!("/proc/self/fd/{}", found.as_raw_fd());
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    // Whatever hinders: then nothing is known of it.
    fcntl::open(path.as_str(), flags, Mode::empty()).ok().map(File::from)
}

/// The first bytes of a file, and whether it has no more.
pub(super) fn start(file: &File) -> Option<Start> {
    let mut bytes = vec![0; super::START];
    // Whatever hinders: then nothing is known of it.
    let count = file.read_at(&mut bytes, 0).ok()?;
    bytes.truncate(count);
    Some(Start { is_whole: count < super::START, bytes })
}

/// A part of a file, as far as it is there.
pub(super) fn part(file: &File, offset: u64, size: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; size];
    let mut length = 0;
    while length < size {
        let room = bytes.get_mut(length..)?;
        // Whatever hinders: then nothing is known of it.
        match file.read_at(room, offset.checked_add(u64::try_from(length).ok()?)?).ok()? {
            0 => break,
            count => length += count,
        }
    }
    bytes.truncate(length);
    Some(bytes)
}

/// A path that strangers wrote; `None` if it does not start at the root.
pub(super) fn absolute(path: &[u8]) -> Option<PathBuf> {
    path.starts_with(b"/").then(|| PathBuf::from(OsStr::from_bytes(path)))
}
