//! Reads a regular file of an image, once it was found on this machine.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;

use nix::fcntl::{self, AT_FDCWD, OFlag};
use nix::sys::stat::Mode;

use super::files::{START, Start};

/// Opens a file that was found (`O_PATH`); `None` after any error.
pub fn open(found: &OwnedFd) -> Option<File> {
    let path = format!("/proc/self/fd/{}", found.as_raw_fd());
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    // After an error nothing is known of it.
    fcntl::openat(AT_FDCWD, path.as_str(), flags, Mode::empty()).ok().map(File::from)
}

/// The first [`START`] bytes of a file; `None` after any error.
pub fn start(file: &File) -> Option<Start> {
    let mut bytes = vec![0; START];
    // After an error nothing is known of it.
    let count = file.read_at(&mut bytes, 0).ok()?;
    bytes.truncate(count);
    Some(Start { is_whole: count < START, bytes })
}

/// A part of a file, as far as it is there; `None` after any error.
pub fn part(file: &File, offset: u64, size: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; size];
    let mut length = 0;
    while length < size {
        let room = bytes.get_mut(length..)?;
        // After an error nothing is known of it.
        match file.read_at(room, offset.checked_add(u64::try_from(length).ok()?)?).ok()? {
            0 => break,
            count => length += count,
        }
    }
    bytes.truncate(length);
    Some(bytes)
}
