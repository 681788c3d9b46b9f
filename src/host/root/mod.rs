//! The only way to read the files of a host. Under another root than `/`, no link leads out of it.

mod careful;
#[cfg(test)]
mod tests;

pub(super) use careful::Filesystem;

use std::cell::Cell;
use std::ffi::OsStr;
use std::fs::File;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use nix::errno::Errno;
use nix::fcntl::{self, AT_FDCWD, OFlag, ResolveFlag};
use nix::sys::stat::{self, Mode, SFlag};
use nix::unistd;

use super::Unknown;
use crate::os::file;
use crate::words::errno::known;

/// The largest file that is read, in bytes: a compressed kernel configuration has 60 KiB, `modules.dep` 700 KiB.
const MAX_FILE: usize = 16 << 20;
/// The most entries of a folder that is listed: the largest seen is a `/sys/bus/pci/devices` with 4,000.
const MAX_ENTRIES: usize = 65_536;
/// The smallest page, and the least that is worth a call: procfs returns about this much at a time.
const MIN_READ: usize = 4096;
/// The reason for what is not read because a check has taken too long.
const TOO_LATE: &str = "was not read: the deadline has passed";

/// The root folder of a host: `/`, or the folder of another host's files.
#[derive(Debug)]
pub struct Root {
    /// The opened folder; none for `/`, whose paths the kernel resolves at less cost.
    folder: Option<OwnedFd>,
    path: PathBuf,
    deadline: Cell<Option<Instant>>,
    memory: Option<PathBuf>,
}

/// Why a file or folder could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Miss {
    /// It is not there.
    NotFound,
    /// It may be there: we could not look.
    Unreadable(Unknown),
}

/// Who may read a file, by its mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Everybody.
    ToAll,
    /// Its owner, and perhaps its group.
    ToRoot,
}

/// The kind of file at a path (inode(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStatus {
    /// Its sort and its permissions (`st_mode`).
    pub mode: libc::mode_t,
    /// The file system that it belongs to (`st_dev`).
    pub filesystem: libc::dev_t,
    /// Of a device node: which device it is (`st_rdev`).
    pub device: libc::dev_t,
}

impl Miss {
    fn of(path: &str, errno: Errno) -> Self {
        // ENOTDIR: a part of the path is a file, so nothing can be behind it.
        if matches!(errno, Errno::ENOENT | Errno::ENOTDIR) {
            return Self::NotFound;
        }
        Self::unreadable(path, reason(errno))
    }

    fn unreadable(path: &str, reason: impl Into<String>) -> Self {
        Self::Unreadable(Unknown::new(path, reason))
    }

    /// For a source whose absence is itself unexpected: both kinds of miss are ignorance.
    pub fn unknown(self, path: &str) -> Unknown {
        match self {
            Self::NotFound => Unknown::new(path, "is not there"),
            Self::Unreadable(unknown) => unknown,
        }
    }
}

impl Root {
    /// The machine that we run on.
    pub fn live() -> Self {
        Self { folder: None, path: PathBuf::from("/"), deadline: Cell::new(None), memory: None }
    }

    /// A tree that is laid out as a host's root folder.
    ///
    /// # Errors
    ///
    /// If it cannot be opened as a folder.
    pub fn at(path: &Path) -> anyhow::Result<Self> {
        if path == Path::new("/") {
            return Ok(Self::live());
        }
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let folder = fcntl::open(path, flags, Mode::empty())
            .map_err(|errno| anyhow::anyhow!(reason(errno)))
            .with_context(|| format!("opening host root {}", path.display()))?;
        Ok(Self { folder: Some(folder), path: path.to_owned(), deadline: Cell::new(None), memory: None })
    }

    /// The path of the root folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is `/`: the machine, or the container, that we run in.
    pub fn is_live(&self) -> bool {
        self.folder.is_none()
    }

    /// From this moment on nothing is read any more: each further read is a miss that says so.
    pub fn set_deadline(&self, deadline: Instant) {
        self.deadline.set(Some(deadline));
    }

    /// Names a folder where what cannot change before the next boot is kept from one check to the next. It need not be there.
    pub fn remember_in(&mut self, folder: PathBuf) {
        self.memory = Some(folder);
    }

    /// That folder.
    pub fn memory(&self) -> Option<&Path> {
        self.memory.as_deref()
    }

    /// Whether facts that only the running machine has (CPUID, the auxiliary vector) are this host's.
    ///
    /// They are for `/`, and for a tree with this machine's `/proc`, such as `/host` in a container: `boot_id` is drawn
    /// once per boot (`Documentation/admin-guide/sysctl/kernel.rst`).
    pub fn is_this_machine(&self) -> bool {
        const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
        match &self.folder {
            None => true,
            Some(_) => match (self.read(BOOT_ID), Self::live().read(BOOT_ID)) {
                (Ok(theirs), Ok(ours)) => theirs == ours,
                (Err(_), _) | (_, Err(_)) => false,
            },
        }
    }

    /// Reads a whole file, given by its absolute path on the host.
    ///
    /// # Errors
    ///
    /// [`Miss::NotFound`] if the path or a part of it is not there; [`Miss::Unreadable`] for every other trouble,
    /// among them a file that is not a regular one, or larger than any that we know.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, Miss> {
        let (file, looked) = self.open_regular(path)?;
        read_to_end(path, &file, looked.size)
    }

    /// Reads a whole file as text; bytes that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    ///
    /// As [`Root::read`].
    pub fn read_text(&self, path: &str) -> Result<String, Miss> {
        self.read(path).map(text)
    }

    /// As [`Root::read_text`], and who may read the file.
    ///
    /// # Errors
    ///
    /// As [`Root::read`].
    pub(super) fn read_shown(&self, path: &str) -> Result<(String, Shown), Miss> {
        let (file, looked) = self.open_regular(path)?;
        Ok((read_to_end(path, &file, looked.size).map(text)?, looked.shown))
    }

    /// Opens a regular file, for sources that are read piece by piece. The caller bounds what it reads.
    ///
    /// # Errors
    ///
    /// As [`Root::read`].
    pub fn open(&self, path: &str) -> Result<File, Miss> {
        self.open_regular(path).map(|(file, _)| File::from(file))
    }

    fn open_regular(&self, path: &str) -> Result<(OwnedFd, Looked), Miss> {
        // O_NONBLOCK: opening a FIFO must not wait for a writer.
        let file = self.resolve(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY)?;
        match look(path, &file)? {
            looked if looked.sort == SFlag::S_IFREG => Ok((file, looked)),
            _ => Err(Miss::unreadable(path, "is not a regular file")),
        }
    }

    /// The names in a folder, in byte order, without `.` and `..`; names that are not UTF-8 with U+FFFD.
    ///
    /// # Errors
    ///
    /// As [`Root::read`].
    pub fn list(&self, path: &str) -> Result<Vec<String>, Miss> {
        let folder = match self.resolve(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY) {
            // ENOTDIR means nothing there, unless it is the very last part that is a file.
            Err(Miss::NotFound) if self.exists(path) == Ok(true) => {
                return Err(Miss::unreadable(path, "is not a folder"));
            }
            folder => folder?,
        };
        let mut names = Vec::new();
        file::for_each_name(&folder, |name| {
            names.push(name.to_string_lossy().into_owned());
            if names.len() > MAX_ENTRIES { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .map_err(|errno| Miss::of(path, errno))?;
        if names.len() > MAX_ENTRIES {
            return Err(Miss::unreadable(path, format!("has more than {MAX_ENTRIES} entries")));
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Whether there is anything at this path; links are followed.
    ///
    /// # Errors
    ///
    /// If we could not look: that is not a "no".
    pub fn exists(&self, path: &str) -> Result<bool, Unknown> {
        let found = match &self.folder {
            // One call instead of two.
            None => {
                self.in_time(path).and_then(|()| stat::stat(path).map(drop).map_err(|it| Miss::of(path, it)))
            }
            Some(_) => self.resolve(path, OFlag::O_PATH).map(drop),
        };
        match found {
            Ok(()) => Ok(true),
            Err(Miss::NotFound) => Ok(false),
            Err(Miss::Unreadable(unknown)) => Err(unknown),
        }
    }

    /// The last part of a symbolic link's target, such as the driver's name that `…/driver` points to.
    ///
    /// # Errors
    ///
    /// As [`Root::read`]; a path that is no link is unreadable.
    pub fn link_name(&self, path: &str) -> Result<String, Miss> {
        let target = self.link_target(path)?;
        Ok(Path::new(&target).file_name().unwrap_or(OsStr::new("")).to_string_lossy().into_owned())
    }

    /// What is written in a symbolic link; bytes that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    ///
    /// As [`Root::read`]; a path that is no link is unreadable.
    pub fn link_target(&self, path: &str) -> Result<String, Miss> {
        let fd = self.resolve(path, OFlag::O_PATH | OFlag::O_NOFOLLOW)?;
        let target =
            fcntl::readlinkat(fd.as_fd(), OsStr::new("")).map_err(|errno| match Miss::of(path, errno) {
                // readlink(2): ENOENT is the error of an opened file that is no link.
                Miss::NotFound => Miss::unreadable(path, "is not a symbolic link"),
                miss @ Miss::Unreadable(_) => miss,
            })?;
        Ok(target.to_string_lossy().into_owned())
    }

    /// The kind of file at this very path: a link is not followed, and a device not opened.
    ///
    /// # Errors
    ///
    /// As [`Root::read`].
    pub fn status(&self, path: &str) -> Result<FileStatus, Miss> {
        let found = match &self.folder {
            // One call instead of three.
            None => self.in_time(path).map(|()| stat::lstat(path))?,
            Some(_) => stat::fstat(self.resolve(path, OFlag::O_PATH | OFlag::O_NOFOLLOW)?),
        };
        let found = found.map_err(|errno| Miss::of(path, errno))?;
        Ok(FileStatus { mode: found.st_mode, filesystem: found.st_dev, device: found.st_rdev })
    }

    fn resolve(&self, path: &str, flags: OFlag) -> Result<OwnedFd, Miss> {
        self.in_time(path)?;
        log::trace!("opening {path}");
        let flags = flags | OFlag::O_CLOEXEC;
        match &self.folder {
            // musl's `open` makes a second call for O_CLOEXEC.
            None => fcntl::openat(AT_FDCWD, path, flags, Mode::empty()),
            Some(folder) => open_inside(folder, path, flags),
        }
        .map_err(|errno| Miss::of(path, errno))
    }

    fn in_time(&self, path: &str) -> Result<(), Miss> {
        match self.deadline.get() {
            Some(deadline) if deadline <= Instant::now() => Err(Miss::unreadable(path, TOO_LATE)),
            Some(_) | None => Ok(()),
        }
    }
}

fn read_to_end(path: &str, file: &OwnedFd, size: usize) -> Result<Vec<u8>, Miss> {
    let too_large = || Miss::unreadable(path, format!("is larger than {MAX_FILE} bytes"));
    if size > MAX_FILE {
        return Err(too_large());
    }
    // One byte more than there should be: a read that leaves it free was the last.
    let mut bytes = vec![0; if size == 0 { 2 * MIN_READ } else { size + 1 }];
    // Of a file with a size, that one byte is room enough.
    let least = if size == 0 { MIN_READ } else { 1 };
    let mut length = 0;
    loop {
        let room = bytes.get_mut(length..).unwrap_or_default();
        let asked = room.len();
        // No retry after EINTR: the hook's timer ends a read that takes too long.
        let count = unistd::read(file, room).map_err(|errno| Miss::of(path, errno))?;
        length += count;
        if length > MAX_FILE {
            return Err(too_large());
        }
        // A file with a size (procfs has none) ends where a read comes back short; binary ones in sysfs
        // (`kernfs_file_read_iter`) hand out a page at a time.
        let last = size > 0 && count < asked && count % MIN_READ != 0;
        if count == 0 || last {
            bytes.truncate(length);
            return Ok(bytes);
        }
        if bytes.len() - length < least {
            bytes.resize(2 * length + MIN_READ, 0);
        }
    }
}

/// Bytes that are not UTF-8 become U+FFFD.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|err| String::from_utf8_lossy(err.as_bytes()).into_owned())
}

/// What an opened file says of itself.
struct Looked {
    sort: SFlag,
    /// In bytes.
    size: usize,
    shown: Shown,
}

fn look(path: &str, file: &OwnedFd) -> Result<Looked, Miss> {
    let found = stat::fstat(file).map_err(|errno| Miss::of(path, errno))?;
    // The kernel lets only its owner read a file with a secret.
    let may_all_read = Mode::from_bits_truncate(found.st_mode).contains(Mode::S_IROTH);
    Ok(Looked {
        sort: SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT,
        size: usize::try_from(found.st_size).unwrap_or(usize::MAX),
        shown: if may_all_read { Shown::ToAll } else { Shown::ToRoot },
    })
}

/// A link in the tree, absolute or with `..`, stays in the tree.
fn open_inside(folder: &OwnedFd, path: &str, flags: OFlag) -> nix::Result<OwnedFd> {
    file::open_below(folder, path, flags, ResolveFlag::RESOLVE_IN_ROOT)
}

/// What an error means that a host's file or folder gave, in words of our own.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "there are 130 errors, and these mean something else here"
)]
pub(crate) fn reason(errno: Errno) -> String {
    match errno {
        Errno::EACCES | Errno::EPERM => "may not be read by this user".to_owned(),
        Errno::ELOOP => "is a loop of symbolic links".to_owned(),
        Errno::EINTR => TOO_LATE.to_owned(),
        other => known(other).map_or_else(|| format!("cannot be read ({other:?})"), str::to_owned),
    }
}
