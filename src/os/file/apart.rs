//! File systems that may never answer, such as NFS without its server or FUSE without its daemon: no signal ends a read
//! there, and a process cannot end before its threads do. So a separate process reads such files, and can be left behind.

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{self, AT_FDCWD, OFlag, OpenHow, ResolveFlag};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, chdir, fork, pipe2, read, setsid};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::mounts::{is_local, unescaped};

/// A node with thousands of containers has some MiB of mounts.
const MAX_TABLE: usize = 16 << 20;
/// The largest answer, in bytes: a few times the largest file that is read.
const MAX_ANSWER: usize = 64 << 20;
/// Mounts below these belong to the kernel, and hold no files of users.
const KERNEL_S: [&str; 3] = ["/proc", "/sys", "/dev"];

/// Why there is no answer: the rest of a sentence that starts with the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// It did not come in time.
    Late,
    /// The process that was to give it ended before, or gave one that cannot be read.
    Ended,
    /// No process could be started for it.
    Unasked(Errno),
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late => f.write_str("did not answer before the deadline: mend its file system"),
            Self::Ended => f.write_str("was not read: the process that was to read it ended"),
            Self::Unasked(errno) => write!(
                f,
                "was not read: its file system may never answer, and no process could be started to read it ({errno:?})"
            ),
        }
    }
}

impl std::error::Error for Silence {}

/// Opens what is at a path, if no file system on the way may never answer; `None` if one may. On the root's own file system
/// that costs no more than opening it.
///
/// # Errors
///
/// As open(2).
pub fn near(path: &Path, flags: OFlag) -> nix::Result<Option<OwnedFd>> {
    let open = |resolve| fcntl::openat2(AT_FDCWD, path, OpenHow::new().flags(flags).resolve(resolve));
    match open(ResolveFlag::RESOLVE_NO_XDEV) {
        // Another file system begins on the way; or openat2(2) is not there (Linux 5.6), or forbidden.
        Err(Errno::EXDEV | Errno::ENOSYS | Errno::EPERM) => {}
        opened => return opened.map(Some),
    }
    let Some(silent) = silent_mounts() else { return Ok(None) };
    if silent.is_empty() {
        return fcntl::open(path, flags, Mode::empty()).map(Some);
    }
    if leads_to(path, silent) {
        return Ok(None);
    }
    match open(ResolveFlag::RESOLVE_NO_SYMLINKS) {
        // Where a link leads is not known before it is followed.
        Err(Errno::ELOOP | Errno::ENOSYS | Errno::EPERM) => Ok(None),
        opened => opened.map(Some),
    }
}

/// Whether no file system on the way to a file may never answer, be the file there or still to be made.
pub fn is_near(path: &Path) -> bool {
    path.ancestors().find_map(|it| match near(it, OFlag::O_PATH | OFlag::O_CLOEXEC) {
        Err(Errno::ENOENT) => None,
        // Opening it fails at once.
        Err(_) => Some(true),
        Ok(opened) => Some(opened.is_some()),
    }) != Some(false)
}

/// The mounts of this process that may never answer, read once: a check asks about three or four paths, and a node has
/// thousands of mounts. `None` if they cannot be read.
fn silent_mounts() -> Option<&'static [PathBuf]> {
    static FOUND: OnceLock<Option<Vec<PathBuf>>> = OnceLock::new();
    let look = || {
        // Any error means that the file systems are not known.
        let table = super::read(Path::new("/proc/self/mountinfo"), MAX_TABLE).ok().flatten()?;
        Some(silent(&table))
    };
    FOUND.get_or_init(look).as_deref()
}

/// Where file systems are mounted that may never answer (proc_pid_mountinfo(5)). Most are local, and of those nothing but the
/// type is looked at: a line has no blank in a path, so that its dash stands out.
fn silent(table: &[u8]) -> Vec<PathBuf> {
    const DASH: &[u8] = b" - ";
    let point = |dash: usize| {
        let kind = table.get(dash + DASH.len()..)?;
        let kind = kind.get(..memchr::memchr(b' ', kind)?)?;
        if str::from_utf8(kind).is_ok_and(is_local) {
            return None;
        }
        let before = table.get(..dash)?;
        let start = memchr::memrchr(b'\n', before).map_or(0, |it| it + 1);
        let mount = String::from_utf8_lossy(before.get(start..)?);
        let point = PathBuf::from(unescaped(mount.split(' ').nth(4)?).into_owned());
        (!KERNEL_S.iter().any(|it| point.starts_with(it))).then_some(point)
    };
    memchr::memmem::find_iter(table, DASH).filter_map(point).collect()
}

/// Whether a path may lead to one of these places, links aside.
fn leads_to(path: &Path, places: &[PathBuf]) -> bool {
    let Ok(path) = std::path::absolute(path) else { return true };
    let goes_back = path.components().any(|it| it == Component::ParentDir);
    goes_back || places.iter().any(|it| path.starts_with(it))
}

/// Has a process apart do some work, and waits for the bytes that it comes to. If they do not come in time, the process is
/// killed, or, where not even that ends it, left behind; it holds nothing open that others could wait for.
///
/// Only for a process with one thread. A relative path leads elsewhere in the work.
///
/// # Errors
///
/// If there is no answer.
#[expect(unsafe_code, reason = "fork(2) has no safe wrapper: with other threads, a child could not go on")]
pub fn apart(until: Instant, work: impl FnOnce() -> Vec<u8>) -> Result<Vec<u8>, Silence> {
    if until <= Instant::now() {
        return Err(Silence::Late);
    }
    let (answer, asked) = pipe2(OFlag::O_CLOEXEC).map_err(Silence::Unasked)?;
    // SAFETY: hook and wrapper have one thread, so that the child may do all that its parent may.
    match unsafe { fork() }.map_err(Silence::Unasked)? {
        // Init adopts a child of a child: this process never has to wait for it, whatever it becomes.
        ForkResult::Child => match unsafe { fork() } {
            Ok(ForkResult::Child) => serve(asked, work),
            Ok(ForkResult::Parent { .. }) | Err(_) => leave(),
        },
        ForkResult::Parent { child } => {
            drop(asked);
            // It ends at once. Where children are not waited for (SIGCHLD is ignored), that has happened already.
            while waitpid(child, None) == Err(Errno::EINTR) {}
            collect(&answer, until)
        }
    }
}

/// As [`apart`], with an answer of any type.
///
/// # Errors
///
/// As [`apart`].
pub fn ask_apart<T: Serialize + DeserializeOwned>(
    until: Instant,
    work: impl FnOnce() -> T,
) -> Result<T, Silence> {
    let bytes = apart(until, || serde_json::to_vec(&work()).unwrap_or_default())?;
    serde_json::from_slice(&bytes).map_err(|_| Silence::Ended)
}

/// The process apart: its own number, then the length of the answer, and the answer.
fn serve(asked: OwnedFd, work: impl FnOnce() -> Vec<u8>) -> ! {
    // What a defect leads to elsewhere must not happen twice: the wrapper would become the runtime.
    std::panic::set_hook(Box::new(|_| leave()));
    close_all_but(asked.as_raw_fd());
    // It belongs to no terminal, and keeps no folder in use.
    let _never_fails = (setsid(), chdir("/"));
    let mut asked = File::from(asked);
    let own = std::process::id().to_ne_bytes();
    if asked.write_all(&own).is_ok() {
        let bytes = work();
        // Who does not listen any more does not need it.
        let _unheard = asked.write_all(&bytes.len().to_ne_bytes()).and_then(|()| asked.write_all(&bytes));
    }
    leave()
}

/// Ends this process, and nothing else: no buffer is written, no handler is called.
#[expect(unsafe_code, reason = "_exit(2) has no safe wrapper")]
fn leave() -> ! {
    // SAFETY: it does not return.
    unsafe { libc::_exit(0) }
}

/// A reader that waits for the end of a pipe must not wait for this process.
#[expect(unsafe_code, reason = "what these descriptors belonged to is in another process")]
fn close_all_but(kept: RawFd) {
    let Ok(kept) = libc::c_uint::try_from(kept) else { return };
    let below = kept.checked_sub(1).map(|it| (0, it));
    for (first, last) in below.into_iter().chain([(kept + 1, libc::c_uint::MAX)]) {
        // SAFETY: this process no longer uses them.
        if unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } != 0 {
            // Before Linux 5.9 there is no such call. The programs open few files, and inherit fewer.
            for it in first..=last.min(1023) {
                // SAFETY: as above.
                unsafe { libc::close(it.cast_signed()) };
            }
        }
    }
}

/// What the process apart writes.
fn collect(answer: &OwnedFd, until: Instant) -> Result<Vec<u8>, Silence> {
    const OWN: usize = size_of::<u32>();
    const HEAD: usize = OWN + size_of::<usize>();
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        if let Some(length) = number(&bytes, OWN).map(usize::from_ne_bytes)
            && bytes.len() - HEAD >= length
        {
            return Ok(bytes.split_off(HEAD));
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            end(number(&bytes, 0).map(u32::from_ne_bytes));
            return Err(Silence::Late);
        }
        // Rounded up: else it would ask in a circle during the last millisecond.
        let left = PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(answer.as_fd(), PollFlags::POLLIN)], left) {
            Ok(0) | Err(Errno::EINTR) => continue,
            Ok(_) => {}
            Err(_) => return Err(Silence::Ended),
        }
        match read(answer, &mut buffer) {
            Ok(0) => return Err(Silence::Ended),
            Ok(count) if bytes.len() + count <= MAX_ANSWER => {
                bytes.extend_from_slice(buffer.get(..count).unwrap_or_default());
            }
            Err(Errno::EINTR) => {}
            Ok(_) | Err(_) => return Err(Silence::Ended),
        }
    }
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// It has not closed its end, so it is still there, and the number is its own.
fn end(process: Option<u32>) {
    if let Some(process) = process.and_then(|it| libc::pid_t::try_from(it).ok()).filter(|it| *it > 1) {
        // One that cannot be ended, ends when its file system answers.
        let _left_behind = kill(Pid::from_raw(process), Signal::SIGKILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
28 22 0:40 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw,fd=29
29 27 0:41 / /run/user/1000/gvfs rw,nosuid - fuse.gvfsd-fuse gvfsd-fuse rw
30 27 0:42 / /mnt/a\\040b\\134c rw master:2 propagate_from:3 - nfs4 server:/export rw,hard
31 27 8:17 / /var rw - xfs /dev/sdb1 rw
32 27 8:33 / /mnt/ntfs rw - fuseblk /dev/sdc1 rw
broken
";

    #[test]
    fn what_may_never_answer_is_found_in_the_table_of_mounts() {
        let expected = ["/run/user/1000/gvfs", "/mnt/a b\\c", "/mnt/ntfs"].map(PathBuf::from);
        assert_eq!(silent(TABLE.as_bytes()), expected);
    }

    #[test]
    fn a_path_leads_to_a_place_if_it_goes_through_it_or_back() {
        let places = silent(TABLE.as_bytes());
        let check = |path: &str, expected: bool| {
            assert_eq!(leads_to(Path::new(path), &places), expected, "{path}");
        };
        check("/mnt/ntfs", true);
        check("/mnt/ntfs/store", true);
        check("/mnt/ntfs2/store", false);
        check("/var/lib/oci-compat/store", false);
        check("/mnt/a b\\c/store", true);
        check("/var/../mnt/ntfs", true);
    }

    #[test]
    fn what_lies_on_the_file_system_of_the_root_is_near() {
        let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
        assert!(near(Path::new("/"), flags).is_ok_and(|it| it.is_some()));
        assert_eq!(near(Path::new("/no/such/folder"), flags).map(|_| ()), Err(Errno::ENOENT));
    }

    /// What is made of these bytes of a process apart, which ends behind them or stays.
    fn check(bytes: &[u8], ends: bool, expected: Result<&[u8], Silence>) {
        let (answer, asked) = pipe2(OFlag::O_CLOEXEC).expect("a pipe");
        let mut asked = File::from(asked);
        asked.write_all(bytes).expect("filling a pipe");
        let kept = Some(asked).filter(|_| !ends);
        let until = Instant::now() + Duration::from_millis(if ends { 10_000 } else { 20 });
        assert_eq!(collect(&answer, until), expected.map(<[u8]>::to_vec), "{bytes:?}");
        drop(kept);
    }

    #[test]
    fn an_answer_is_whole_or_none() {
        // No process has this number: none is killed.
        let own = u32::MAX.to_ne_bytes();
        let answer = [&own[..], &3_usize.to_ne_bytes(), b"abc"].concat();
        check(&answer, true, Ok(b"abc"));
        check(&answer, false, Ok(b"abc"));
        check(&[&own[..], &0_usize.to_ne_bytes()].concat(), false, Ok(b""));
        for length in [0, 2, 4, 9, 14] {
            check(&answer[..length], true, Err(Silence::Ended));
            check(&answer[..length], false, Err(Silence::Late));
        }
    }
}
