//! The files of an image, found as its programs would find them, in a root file system or in layers that are not unpacked.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::container::input::Process;

/// Where an image's files are.
pub trait Files {
    /// A file that was found.
    type FoundFile;
    /// A file that is read.
    type Open;

    /// What a process finds at a path, links followed.
    fn find(&self, path: &Path) -> Found<Self::FoundFile>;

    /// Opens a file that was found; `None` after any error.
    fn open(&self, found: &Self::FoundFile) -> Option<Self::Open>;

    /// The first [`START`] bytes of a file; `None` after any error.
    fn start(&self, file: &Self::Open) -> Option<Start>;

    /// A part of a file, as far as it is there; `None` after any error.
    fn part(&self, file: &Self::Open, offset: u64, size: usize) -> Option<Vec<u8>>;

    /// The path with all links resolved; `None` if that is not certain.
    fn end(&self, path: &Path) -> Option<PathBuf>;
}

/// What stands at a path.
#[derive(Debug)]
pub enum Found<T> {
    /// A regular file that all users may execute.
    File(T),
    /// Nothing.
    Missing,
    /// Something else, or it cannot be looked at.
    Unclear,
}

/// The start of a file.
#[derive(Debug)]
pub struct Start {
    /// At most [`START`] bytes.
    pub bytes: Vec<u8>,
    /// Whether the file has no more.
    pub is_whole: bool,
}

/// The part of a file that is read first, in bytes. It contains headers, interpreter and notes, except in programs made by
/// hand.
pub const START: usize = 4096;

/// The file that a process starts with, and the paths that were tried for it, the last of them its own; `None` if that is not
/// certain.
pub(super) fn program<F: Files>(files: &F, process: &Process) -> Option<(F::FoundFile, Vec<PathBuf>)> {
    let mut tried = Vec::new();
    for path in candidates(process)? {
        let found = files.find(&path);
        tried.push(path);
        match found {
            Found::File(file) => return Some((file, tried)),
            Found::Missing => {}
            Found::Unclear => return None,
        }
    }
    None
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

/// An untrusted path; `None` if it does not start at the root.
pub(super) fn absolute(path: &[u8]) -> Option<PathBuf> {
    path.starts_with(b"/").then(|| PathBuf::from(OsStr::from_bytes(path)))
}
