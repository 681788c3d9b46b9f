//! A line for syslog, as syslog(3) sends it, for hosts without journald.

use std::path::Path;

use nix::errno::Errno;
use nix::sys::socket::SockType;

use super::socket::{Unsent, connected, send as send_to, unsent};

/// LOG_DAEMON (syslog(3)), in the upper bits of a priority.
const DAEMON: u8 = 3 << 3;
/// The least that every receiver takes whole (RFC 3164, 4.1).
const MAX_LINE: usize = 1024;

/// Sends a line to syslog.
pub(super) fn send(path: &Path, line: &str) -> Result<(), Unsent> {
    let sent = match connected(path, SockType::Datagram) {
        // Some listen for streams, where a zero byte ends a message.
        Err(Errno::EPROTOTYPE) => connected(path, SockType::Stream)
            .and_then(|fd| send_to(&fd, format!("{line}\0").as_bytes(), None)),
        opened => opened.and_then(|fd| send_to(&fd, line.as_bytes(), None)),
    };
    sent.map_err(|errno| unsent("syslog", path, errno))
}

/// Without a time: the receiver knows it, and in which zone it is to be written.
pub(super) fn line(priority: u8, text: &str, about: &[(&str, &Option<String>)]) -> String {
    let mut line = format!("<{}>oci-compat[{}]: {text}", DAEMON | priority, std::process::id());
    for (name, value) in about {
        if let Some(value) = value {
            line.push_str(&format!(" {name}={value}"));
        }
    }
    line.truncate(line.floor_char_boundary(MAX_LINE));
    line
}
