//! The only way to read the store's files. Never follows a link, leaves the store's folder, or reads a file that others than
//! root and this user could have written.

use std::ffi::CString;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{self, AtFlags, OFlag, ResolveFlag};
use nix::sys::stat::{self, FileStat, Mode, SFlag};

use super::Trouble;
use super::trouble::{io_reason, reason};
use crate::os::file::{self, Exposure, FOLDER};

/// The folder of a store, opened once; everything in it is reached from there.
#[derive(Debug)]
pub(super) struct StoreFolder {
    fd: OwnedFd,
    path: PathBuf,
}

impl StoreFolder {
    /// Opens a folder that only its trusted owner can write to; `None` if it is not there. A link to the folder is
    /// followed: a user who can place one there can also rename the folder.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, Trouble> {
        let fd = match fcntl::open(path, FOLDER, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::ENOENT) => return Ok(None),
            Err(errno) => return Err(unreadable(path, errno)),
        };
        Self::opened(fd, path).map(Some)
    }

    /// One that is open already.
    pub(super) fn opened(fd: OwnedFd, path: &Path) -> Result<Self, Trouble> {
        let found = stat::fstat(&fd).map_err(|errno| unreadable(path, errno))?;
        trust(&found, || path.to_owned())?;
        Ok(Self { fd, path: path.to_owned() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The full path of something in the folder, for messages.
    pub(super) fn full(&self, relative: &str) -> PathBuf {
        self.path.join(relative)
    }

    /// Whether there is a folder of this name, which is as trustworthy as the store's own.
    pub(super) fn holds(&self, relative: &str) -> Result<bool, Trouble> {
        let found = match stat::fstatat(&self.fd, relative, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(found) => found,
            Err(Errno::ENOENT) => return Ok(false),
            Err(errno) => return Err(unreadable(&self.full(relative), errno)),
        };
        match kind(&found) {
            SFlag::S_IFDIR => trust(&found, || self.full(relative)).map(|()| true),
            SFlag::S_IFLNK => Err(unreadable(&self.full(relative), Errno::ELOOP)),
            _ => Err(self.damaged(relative, "is not a folder".to_owned())),
        }
    }

    /// Reads a whole file of at most `most` bytes; `None` if it is not there.
    pub(super) fn read(&self, relative: &str, most: u64) -> Result<Option<Vec<u8>>, Trouble> {
        // O_NONBLOCK: opening a FIFO must not wait for a writer.
        let fd = match self.resolve(relative, OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY) {
            Ok(fd) => fd,
            Err(Errno::ENOENT) => return Ok(None),
            Err(errno) => return Err(unreadable(&self.full(relative), errno)),
        };
        log::trace!("reading {relative} of the store");
        let found = stat::fstat(&fd).map_err(|errno| unreadable(&self.full(relative), errno))?;
        trust(&found, || self.full(relative))?;
        if kind(&found) != SFlag::S_IFREG {
            return Err(self.damaged(relative, "is not a regular file".to_owned()));
        }
        match usize::try_from(found.st_size) {
            Ok(size) if u64::try_from(size).is_ok_and(|it| it <= most) => {
                self.fill(relative, fd, size).map(Some)
            }
            _ => Err(self.damaged(relative, format!("has {} bytes, expected at most {most}", found.st_size))),
        }
    }

    /// The names in a folder, sorted; none if it is not there.
    pub(super) fn names(&self, relative: &str) -> Result<Vec<CString>, Trouble> {
        let wrong = |errno| unreadable(&self.full(relative), errno);
        let folder = match self.resolve(relative, OFlag::O_RDONLY | OFlag::O_DIRECTORY) {
            Ok(folder) => folder,
            Err(Errno::ENOENT) => return Ok(Vec::new()),
            Err(errno) => return Err(wrong(errno)),
        };
        let mut names: Vec<CString> = Vec::new();
        file::for_each_name(&folder, |name| {
            names.push(name.to_owned());
            ControlFlow::Continue(())
        })
        .map_err(wrong)?;
        names.sort_unstable();
        Ok(names)
    }

    /// The number of bytes of a file.
    pub(super) fn size(&self, relative: &str) -> Result<u64, Trouble> {
        let found = stat::fstatat(&self.fd, relative, AtFlags::AT_SYMLINK_NOFOLLOW)
            .map_err(|errno| unreadable(&self.full(relative), errno))?;
        Ok(u64::try_from(found.st_size).unwrap_or(0))
    }

    /// A file that is not what was stored.
    pub(super) fn damaged(&self, relative: &str, reason: String) -> Trouble {
        Trouble::Damaged { path: self.full(relative), reason }
    }

    /// Opens what is at a path in the folder; links, `..` and absolute paths lead nowhere.
    pub(super) fn resolve(&self, relative: &str, flags: OFlag) -> nix::Result<OwnedFd> {
        let inside = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS;
        file::open_below(&self.fd, relative, flags, inside)
    }

    /// The folder itself, for making and removing things in it.
    pub(super) fn fd(&self) -> impl AsFd + '_ {
        self.fd.as_fd()
    }

    /// Files of the store are replaced, never written to, so this one has the size that it was opened with.
    fn fill(&self, relative: &str, fd: OwnedFd, size: usize) -> Result<Vec<u8>, Trouble> {
        let mut bytes = vec![0; size];
        match File::from(fd).read_exact(&mut bytes) {
            Ok(()) => Ok(bytes),
            Err(err) if err.kind() == ErrorKind::UnexpectedEof => {
                Err(self.damaged(relative, format!("ends before its {size} bytes")))
            }
            Err(err) => Err(Trouble::Unreadable { path: self.full(relative), reason: io_reason(&err) }),
        }
    }
}

fn kind(found: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT
}

pub(super) fn unreadable(path: &Path, errno: Errno) -> Trouble {
    Trouble::Unreadable { path: path.to_owned(), reason: reason(errno) }
}

fn trust(found: &FileStat, path: impl Fn() -> PathBuf) -> Result<(), Trouble> {
    match Exposure::of(found, &path) {
        Some(found) => Err(Trouble::Exposed { path: path(), found }),
        None => Ok(()),
    }
}
