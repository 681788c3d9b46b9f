//! Sockets of the system's log: one message each, and a bounded time for it.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, connect, sendmsg, setsockopt,
    socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::os::file::explain;

/// A log that takes nothing for so long is stuck, and a container waits. The log of a busy node takes it within this time.
const PATIENCE_MILLISECONDS: i64 = 1_000;

/// Why a message was not sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unsent {
    /// No process listens there.
    Absent,
    /// A process should listen there, but writing failed: a sentence.
    Failed(String),
}

/// Connects to a log; `EPROTOTYPE` means that the socket is of another type.
pub(super) fn connected(path: &Path, kind: SockType) -> Result<OwnedFd, Errno> {
    let fd = socket(AddressFamily::Unix, kind, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&fd, sockopt::SendTimeout, &TimeVal::milliseconds(PATIENCE_MILLISECONDS))?;
    connect(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(fd)
}

/// Sends a message, or passes a file.
pub(super) fn send(fd: &OwnedFd, bytes: &[u8], passed: Option<&OwnedFd>) -> Result<(), Errno> {
    let passed: Vec<_> = passed.iter().map(|it| it.as_raw_fd()).collect();
    let rights = [ControlMessage::ScmRights(&passed)];
    let rights = if passed.is_empty() { &[][..] } else { &rights[..] };
    // MSG_NOSIGNAL: a log that goes away is no reason to die.
    sendmsg::<()>(fd.as_raw_fd(), &[std::io::IoSlice::new(bytes)], rights, MsgFlags::MSG_NOSIGNAL, None)
        .map(drop)
}

/// What an error means for a log at `path`.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "there are 130 errors, and a few that mean something of their own"
)]
pub(super) fn unsent(log: &str, path: &Path, errno: Errno) -> Unsent {
    let why = match errno {
        Errno::ENOENT | Errno::ENOTDIR | Errno::ECONNREFUSED => return Unsent::Absent,
        Errno::EAGAIN => format!("took no message for {PATIENCE_MILLISECONDS} ms"),
        Errno::EINTR => "took no message before the deadline passed".to_owned(),
        errno => explain(errno),
    };
    Unsent::Failed(format!("decision not told to {log}: {} {why}", path.display()))
}
