//! Reads files that a person, a runtime or the administrator named, in contrast to host facts. Bounded, regular files only.

mod below;
mod apart;
mod mounts;
mod trust;
mod user;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use nix::errno::Errno;
use nix::fcntl::{self, AT_FDCWD, FcntlArg, OFlag, OpenHow, ResolveFlag};
use nix::sys::stat::{self, FileStat, Mode, SFlag};

pub use apart::{Silence, apart, ask_apart, is_near, near};
pub use below::{for_each_name, open_below};
pub use mounts::{is_local, unescaped};
pub use trust::{Approach, Exposure, FOLDER, Untrusted, approach, is_trusted_folder, read_trusted};
pub use user::User;

pub use crate::words::errno::{explain, explain_io};

/// Where every distribution has its programs, as `PATH` has it.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Reads a whole file of at most `limit` bytes; `None` if it is not there.
///
/// # Errors
///
/// For everything else: what is wrong with which file, without the phrases that engines treat specially.
pub fn read(path: &Path, limit: usize) -> anyhow::Result<Option<Vec<u8>>> {
    let Some((file, _)) = open(path)? else { return Ok(None) };
    read_all(file, limit).with_context(|| format!("reading {}", path.display())).map(Some)
}

/// Opens a file to be read as a stream; `None` if it is not there. The caller bounds what it reads.
///
/// # Errors
///
/// As [`read`]; [`Irregular`] if it is something else than a regular file.
pub fn stream(path: &Path) -> anyhow::Result<Option<File>> {
    open(path).map(|it| it.map(|(file, _)| file))
}

/// The end of a file that grows, of at most so many bytes; `None` if it is not there.
///
/// # Errors
///
/// As [`stream`].
pub fn tail(path: &Path, most: u64) -> anyhow::Result<Option<Vec<u8>>> {
    let Some(mut file) = stream(path)? else { return Ok(None) };
    let failed = |err: std::io::Error| anyhow!("reading {}: it {}", path.display(), explain_io(&err));
    let start = file.metadata().map_err(failed)?.len().saturating_sub(most);
    file.seek(SeekFrom::Start(start)).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Some(bytes))
}

/// Something else than a regular file: a folder, a pipe, a device, or links that lead nowhere. It was placed there on purpose.
#[derive(Debug)]
pub struct Irregular(PathBuf, String);

impl std::fmt::Display for Irregular {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.0.display(), self.1)
    }
}

impl std::error::Error for Irregular {}

/// How often a file is read again that another program may be writing just now, and how long it is given each time.
const ATTEMPTS: usize = 5;
const SETTLING: Duration = Duration::from_millis(5);

/// As [`read`], what `parse` makes of a file that another program may be writing just now: half a file is none, and is read
/// again a few times.
///
/// # Errors
///
/// As [`read`], and what is wrong with the last of these readings.
pub fn read_settled<T>(
    path: &Path,
    limit: usize,
    parse: impl Fn(&[u8]) -> anyhow::Result<T>,
) -> anyhow::Result<Option<T>> {
    let mut attempt = 1;
    loop {
        let Some(bytes) = read(path, limit)? else { return Ok(None) };
        match parse(&bytes) {
            Err(_) if attempt < ATTEMPTS => std::thread::sleep(SETTLING),
            parsed => return parsed.map(Some).with_context(|| format!("reading {}", path.display())),
        }
        attempt += 1;
    }
}

/// The identity of a file, independent of its name, and its last change: device, inode, size, and the change time, which
/// cannot be set back (inode(7)). That time has the resolution of the kernel's clock tick.
pub type Stamp = (libc::dev_t, libc::ino_t, i64, (i64, i64));

/// The stamp of what is at a path; `None` if nothing can be looked at there.
pub fn stamp(path: &Path) -> Option<Stamp> {
    // What cannot be looked at cannot be read either.
    stat::stat(path).ok().map(|it| (it.st_dev, it.st_ino, it.st_size, (it.st_ctime, it.st_ctime_nsec)))
}

/// The path of a file or folder without links: the same path if there are none. As it is named if it cannot be found, or if
/// its real path leads elsewhere, as that of a folder in another mount namespace (`/proc/PID/root`).
///
/// The links are followed once: the result leads to one of the places to which they led, whatever becomes of them.
#[expect(clippy::disallowed_methods, reason = "the caller's path, not a file of the host")]
pub fn without_links(path: &Path) -> PathBuf {
    let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
    let how = OpenHow::new().flags(flags).resolve(ResolveFlag::RESOLVE_NO_SYMLINKS);
    if fcntl::openat2(AT_FDCWD, path, how).is_ok() {
        return path.to_owned();
    }
    let found = fcntl::open(path, flags, Mode::empty()).ok().and_then(|opened| {
        // The kernel's own answer about the open file, which no rename can change meanwhile (proc_pid_fd(5)).
        let real = std::fs::read_link(format!("/proc/self/fd/{}", opened.as_raw_fd()))
            .or_else(|_| std::fs::canonicalize(path))
            .ok()?;
        let (asked, led) = (stat::fstat(&opened).ok()?, stat::stat(&real).ok()?);
        ((asked.st_dev, asked.st_ino) == (led.st_dev, led.st_ino)).then_some(real)
    });
    found.unwrap_or_else(|| path.to_owned())
}

/// Puts something harmless into the place of standard streams that are closed: else the next file to be opened would take
/// it, and messages would be written into that. It is closed on exec(2), so that a program that follows finds them as they
/// were.
pub fn fill_standard_streams() {
    let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    for stream in [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()] {
        if fcntl::fcntl(stream, FcntlArg::F_GETFD) == Err(Errno::EBADF) {
            let null = fcntl::open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty());
            let folder = || fcntl::open("/", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty());
            // It takes the lowest number that is free, which is this one. Without any, all is as the caller wanted it.
            let _kept = null.or_else(|_| folder()).map(OwnedFd::into_raw_fd);
        }
    }
}

fn open(path: &Path) -> anyhow::Result<Option<(File, FileStat)>> {
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = match fcntl::openat(AT_FDCWD, path, flags, Mode::empty()) {
        Ok(fd) => File::from(fd),
        Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(None),
        // open(2): ENXIO is the error of a socket, and of a device without a driver.
        Err(errno @ (Errno::ELOOP | Errno::ENXIO)) => {
            return Err(Irregular(path.to_owned(), explain(errno)).into());
        }
        Err(errno) => return Err(anyhow!("{} {}", path.display(), explain(errno))),
    };
    let found = stat::fstat(&file).map_err(|errno| anyhow!("{} {}", path.display(), explain(errno)))?;
    if SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT != SFlag::S_IFREG {
        return Err(Irregular(path.to_owned(), "is not a regular file".to_owned()).into());
    }
    Ok(Some((file, found)))
}

/// Where a symbolic link leads, as it is written; `None` if there is no such link, or it cannot be read.
pub fn target(link: &Path) -> Option<PathBuf> {
    // The caller looks at other places, or reports what it needs the link for.
    fcntl::readlink(link).ok().map(PathBuf::from)
}

/// Reads a stream to its end, but no more than `limit` bytes.
///
/// # Errors
///
/// If it is longer, fails, or is interrupted: the signal that a deadline sends ends a read.
pub fn read_all(mut stream: impl Read, limit: usize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = vec![0; 4096.min(limit + 1)];
    let mut length = 0;
    loop {
        let space = bytes.get_mut(length..).unwrap_or_default();
        match stream.read(space) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(err) => bail!("it {}", explain_io(&err)),
        }
        if length > limit {
            bail!("it is larger than {limit} bytes");
        }
        if length == bytes.len() {
            bytes.resize((length * 2).min(limit + 1), 0);
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// Reads a stream to its end and forgets it.
///
/// # Errors
///
/// If it fails, or is interrupted: unlike `std::io::copy`, which would go on for ever.
pub fn drain(mut stream: impl Read) -> anyhow::Result<()> {
    let mut bytes = [0; 4096];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(err) => bail!("it {}", explain_io(&err)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// Reads `name` of a folder with all sorts of things in it, the folder taken out of messages.
    fn check(name: &str, expected: Result<Option<&str>, &str>) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = |it: &str| folder.path().join(it);
        fs::write(place("four"), "1234").expect("writing a fixture");
        fs::write(place("five"), "12345").expect("writing a fixture");
        fs::write(place("empty"), "").expect("writing a fixture");
        fs::create_dir(place("folder")).expect("making a fixture");
        symlink("four", place("link")).expect("making a fixture");
        symlink("gone", place("dangling")).expect("making a fixture");
        symlink("loop", place("loop")).expect("making a fixture");
        nix::unistd::mkfifo(&place("fifo"), Mode::S_IRWXU).expect("making a fixture");
        let found = match read(&place(name), 4) {
            Ok(found) => Ok(found.map(|it| String::from_utf8(it).expect("text"))),
            Err(err) => Err(format!("{err:#}").replace(&folder.path().display().to_string(), "DIR")),
        };
        assert_eq!(found, expected.map(|it| it.map(str::to_owned)).map_err(str::to_owned), "{name}");
    }

    #[test]
    fn a_file_is_read_whole_and_a_missing_one_is_none() {
        check("four", Ok(Some("1234")));
        check("link", Ok(Some("1234")));
        check("empty", Ok(Some("")));
        check("gone", Ok(None));
        check("dangling", Ok(None));
        check("four/below", Ok(None));
    }

    #[test]
    fn what_is_no_file_or_too_large_is_an_error_and_nothing_waits() {
        check("five", Err("reading DIR/five: it is larger than 4 bytes"));
        check("folder", Err("DIR/folder is not a regular file"));
        check("fifo", Err("DIR/fifo is not a regular file"));
        check("loop", Err("DIR/loop is a symbolic link, or a loop of them"));
    }

    #[test]
    fn a_file_that_is_being_written_is_read_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("file");
        fs::write(&path, "half").expect("writing a fixture");
        let readings = std::cell::Cell::new(0);
        let whole_from = |count: u32| {
            readings.set(0);
            let read = read_settled(&path, 10, |bytes| {
                readings.set(readings.get() + 1);
                if readings.get() < count {
                    bail!("it is half a file")
                }
                Ok(bytes.to_vec())
            });
            read.map_err(|err| format!("{err:#}"))
        };
        assert_eq!((whole_from(3), readings.get()), (Ok(Some(b"half".to_vec())), 3));
        let told = format!("reading {}: it is half a file", path.display());
        assert_eq!((whole_from(u32::MAX), readings.get()), (Err(told), 5));
    }

    #[test]
    fn a_file_and_a_folder_are_named_without_links() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = fs::canonicalize(folder.path()).expect("a folder");
        let place = |it: &str| root.join(it);
        fs::create_dir_all(place("real/bundle")).expect("making a fixture");
        symlink("real", place("link")).expect("making a fixture");
        symlink("gone", place("dangling")).expect("making a fixture");
        fs::write(place("real/file"), "").expect("writing a fixture");
        symlink("file", place("real/name")).expect("making a fixture");
        let check = |name: &str, expected: &str| assert_eq!(without_links(&place(name)), place(expected));
        check("real/bundle", "real/bundle");
        check("link/bundle", "real/bundle");
        check("link", "real");
        check("real/file", "real/file");
        check("link/name", "real/file");
        check("dangling", "dangling");
        check("gone", "gone");
        let here = Path::new("/proc/self/cwd");
        assert_eq!(Some(without_links(here)), fs::canonicalize(here).ok());
    }

    #[test]
    fn a_stream_is_read_to_its_end_but_not_beyond_the_limit() {
        let sizes = [0, 1, 4095, 4096, 4097, 10_000];
        for size in sizes {
            let bytes = vec![b'x'; size];
            assert_eq!(read_all(&bytes[..], size).expect("within the limit"), bytes);
            if size > 0 {
                let err = read_all(&bytes[..], size - 1).expect_err("beyond the limit");
                assert_eq!(err.to_string(), format!("it is larger than {} bytes", size - 1));
            }
        }
    }
}
