//! Writes a refusal to crun's own stderr, because crun discards the output of hooks. This depends on how crun and Podman
//! happen to work, so it can be switched off. Never waits, and a failure has no consequence.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use nix::sys::stat::{self, SFlag};
use nix::unistd;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use crate::os::file;

/// More bytes than any real command line has.
const MAX_CMDLINE: usize = 1 << 20;
/// The state of a process (proc_pid_status(5)) has about 1,500 bytes.
const MAX_STATUS: usize = 1 << 16;

/// Writes a message to the stderr of the crun that has started this process, and sees to it that Podman shows it.
///
/// # Errors
///
/// If it was not crun, or its stderr cannot be written: then the user sees the hook's path and status, as always.
pub fn tell(message: &str) -> anyhow::Result<()> {
    let parent = unistd::getppid().as_raw();
    // crun hides its executable file against CVE-2019-5736; its name and what it was called are left.
    let words = words(parent)?;
    if name(parent)? != "crun" || words.first().is_none_or(|it| it.file_name() != Some(OsStr::new("crun"))) {
        bail!("process {parent}, which has started the hook, is not crun");
    }
    write(&stderr(parent)?, message)?;
    match log(&words) {
        Some(log) if name(parent_of(parent)?)? == "conmon" => hide_own_error(log),
        _ => Ok(()),
    }
}

/// The same open file that crun writes to, with the same position in it.
fn stderr(process: i32) -> anyhow::Result<OwnedFd> {
    let said = |err: rustix::io::Errno| {
        let errno = nix::errno::Errno::from_raw(err.raw_os_error());
        anyhow!("the stderr of process {process} {}", file::explain(errno))
    };
    let pid = Pid::from_raw(process).context("there is no parent")?;
    let process = pidfd_open(pid, PidfdFlags::empty()).map_err(said)?;
    pidfd_getfd(process, 2, PidfdGetfdFlags::empty()).map_err(said)
}

/// One write that does not wait. Anything else, such as a socket or another device, is not written to.
fn write(stderr: &OwnedFd, message: &str) -> anyhow::Result<()> {
    let found = stat::fstat(stderr).map_err(|errno| anyhow!("stderr {}", file::explain(errno)))?;
    match SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT {
        SFlag::S_IFREG | SFlag::S_IFIFO => {}
        SFlag::S_IFCHR if unistd::isatty(stderr.as_fd()).unwrap_or(false) => {}
        _ => bail!("crun's stderr is neither a file nor a pipe nor a terminal"),
    }
    let mut wanted = [PollFd::new(stderr, PollFlags::OUT)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    // A pipe that can be written takes a page at least (pipe(7)), and the message is smaller.
    let ready = poll(&mut wanted, Some(&at_once)).is_ok_and(|count| count == 1);
    if !ready || !wanted.iter().all(|it| it.revents() == PollFlags::OUT) {
        bail!("nobody reads crun's stderr");
    }
    unistd::write(stderr, message.as_bytes())
        .map_err(|errno| anyhow!("crun's stderr {}", file::explain(errno)))?;
    Ok(())
}

/// Podman shows crun's own error, one line in the log, instead of stderr, unless there is a second line, which it does not
/// understand (libpod `oci_conmon_common.go`).
fn hide_own_error(log: &Path) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_NOFOLLOW);
    let written = options.open(log).and_then(|mut it| it.write_all(b"{}\n"));
    written.map_err(|err| anyhow!("crun's log {} {}", log.display(), file::explain_io(&err)))
}

/// The log that conmon has crun write (conmon `src/runtime_args.c`).
fn log(words: &[PathBuf]) -> Option<&Path> {
    let mut words = words.iter().map(PathBuf::as_path).take_while(|it| *it != Path::new("create"));
    let found = words.find_map(|it| match it.as_os_str().as_bytes() {
        b"--log" => Some(None),
        word => word.strip_prefix(b"--log=").map(|it| Some(Path::new(OsStr::from_bytes(it)))),
    })?;
    found.or_else(|| words.next()).filter(|it| it.is_absolute())
}

/// What a process was called (proc_pid_comm(5)).
fn name(process: i32) -> anyhow::Result<String> {
    let bytes = read(process, "comm", MAX_STATUS)?;
    Ok(String::from_utf8_lossy(bytes.trim_ascii_end()).into_owned())
}

fn words(process: i32) -> anyhow::Result<Vec<PathBuf>> {
    let bytes = read(process, "cmdline", MAX_CMDLINE)?;
    Ok(bytes.split(|it| *it == 0).map(|it| PathBuf::from(OsStr::from_bytes(it))).collect())
}

fn parent_of(process: i32) -> anyhow::Result<i32> {
    let bytes = read(process, "status", MAX_STATUS)?;
    let text = String::from_utf8_lossy(&bytes);
    let number = text.lines().find_map(|it| it.strip_prefix("PPid:")?.trim().parse().ok());
    number.with_context(|| format!("process {process} has no parent"))
}

fn read(process: i32, what: &str, limit: usize) -> anyhow::Result<Vec<u8>> {
    let path = PathBuf::from(format!("/proc/{process}/{what}"));
    file::read(&path, limit)?.with_context(|| format!("{} is not there", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<&str>) {
        let words: Vec<_> = line.split(' ').map(PathBuf::from).collect();
        assert_eq!(log(&words), expected.map(Path::new), "{line}");
    }

    #[test]
    fn the_log_is_the_one_that_conmon_names() {
        check(
            "/usr/bin/crun --log-format=json --log /run/u/oci-log create --bundle /u --pid-file /p c1",
            Some("/run/u/oci-log"),
        );
        check("crun --systemd-cgroup --log=/run/u/oci-log create c1", Some("/run/u/oci-log"));
        check("crun --root=/r create --bundle /u --log /x c1", None);
        check("crun --log relative create c1", None);
        check("crun --log create c1", None);
        check("crun --log", None);
        check("crun", None);
    }

    #[test]
    fn other_parents_than_crun_are_left_alone() {
        let err = tell("oci-compat: refused").expect_err("tests are not started by crun");
        let parent = unistd::getppid();
        assert_eq!(err.to_string(), format!("process {parent}, which has started the hook, is not crun"));
    }

    fn written(to: OwnedFd) -> Result<(), String> {
        write(&to, "said\n").map_err(|err| format!("{err:#}"))
    }

    #[test]
    fn nothing_waits_and_only_what_people_read_is_written() {
        use std::io::{Read, Seek};

        let mut file = tempfile::tempfile().expect("a temporary file");
        assert_eq!(written(file.try_clone().expect("a second handle").into()), Ok(()));
        assert_eq!(written(file.try_clone().expect("a second handle").into()), Ok(()));
        file.rewind().expect("a file");
        let mut text = String::new();
        file.read_to_string(&mut text).expect("text");
        assert_eq!(text, "said\nsaid\n", "the position is shared");
        let (reader, writer) = std::io::pipe().expect("a pipe");
        nix::fcntl::fcntl(&writer, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK))
            .expect("a flag");
        while unistd::write(&writer, &[0; 4096]).is_ok() {}
        let full = writer.try_clone().expect("a second handle");
        assert_eq!(written(full.into()), Err("nobody reads crun's stderr".to_owned()));
        drop(reader);
        assert_eq!(written(writer.into()), Err("nobody reads crun's stderr".to_owned()));
        let null = std::fs::File::options().write(true).open("/dev/null").expect("a device");
        let other = "crun's stderr is neither a file nor a pipe nor a terminal".to_owned();
        assert_eq!(written(null.into()), Err(other.clone()));
        let (socket, _other_end) = std::os::unix::net::UnixStream::pair().expect("sockets");
        assert_eq!(written(socket.into()), Err(other));
    }
}
