//! A record for journald, in its native protocol (systemd, "Native Journal Protocol"): fields that can be searched for.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::SockType;

use super::socket::{Unsent, connected, send as send_to, unsent};
use super::{PRIORITY_ERROR, Record};

/// Of every decision (systemd.journal-fields(7)): `journalctl MESSAGE_ID=...` finds them all.
const DECISION: &str = "1fecfd6d0e0945dabaeabb45a6e7f201";
/// The message ID of everything else that an administrator should know.
const COMPLAINT: &str = "2984fc6d39bc4466a2c84410cccebd8c";

/// Sends a message to journald.
pub(super) fn send(path: &Path, message: &[u8]) -> Result<(), Unsent> {
    connected(path, SockType::Datagram)
        .and_then(|fd| deliver(&fd, message))
        .map_err(|errno| unsent("journald", path, errno))
}

/// A record that is too large for a datagram is sent as a sealed file in memory.
pub(super) fn deliver(fd: &OwnedFd, message: &[u8]) -> Result<(), Errno> {
    match send_to(fd, message, None) {
        Err(Errno::EMSGSIZE | Errno::ENOBUFS) => send_to(fd, &[], Some(&sealed(message)?)),
        sent => sent,
    }
}

fn sealed(message: &[u8]) -> Result<OwnedFd, Errno> {
    let fd = memfd_create(c"oci-compat", MFdFlags::MFD_ALLOW_SEALING | MFdFlags::MFD_CLOEXEC)?;
    let mut file = File::from(fd);
    file.write_all(message).map_err(|err| Errno::from_raw(err.raw_os_error().unwrap_or(libc::EIO)))?;
    fcntl(&file, FcntlArg::F_ADD_SEALS(SealFlag::all()))?;
    Ok(file.into())
}

/// What is no decision.
pub(super) fn shout(text: &str) -> Vec<u8> {
    opened(text, COMPLAINT, PRIORITY_ERROR)
}

/// The record's fields; one that occurs several times is a list to journald.
pub(super) fn message(record: &Record) -> Vec<u8> {
    let subject = &record.subject;
    let text = match subject.image.as_ref().or(subject.digest.as_ref()) {
        Some(image) => format!("{} (image {image})", record.headline()),
        None => record.headline().to_owned(),
    };
    let mut message = opened(&text, DECISION, record.priority());
    let mut field = |name: &str, value: &str| add(&mut message, name, value);
    field("OCI_COMPAT_PROGRAM", &record.program);
    field("OCI_COMPAT_MODE", record.mode.name());
    field("OCI_COMPAT_VERDICT", record.verdict.name());
    field("OCI_COMPAT_SITUATION", record.situation.name());
    field("OCI_COMPAT_ACTION", record.action.name());
    field("OCI_COMPAT_INTENTION", record.intention.name());
    let about = [
        ("OCI_COMPAT_CONTAINER", &subject.container),
        ("OCI_COMPAT_IMAGE", &subject.image),
        ("OCI_COMPAT_DIGEST", &subject.digest),
        ("OCI_COMPAT_BUNDLE", &subject.bundle),
    ];
    for (name, value) in about {
        value.iter().for_each(|it| field(name, it));
    }
    if let Some(pod) = &subject.pod {
        field("OCI_COMPAT_NAMESPACE", &pod.namespace);
        field("OCI_COMPAT_POD", &pod.name);
        field("OCI_COMPAT_NAME", &pod.container);
    }
    if let Some(first) = &record.first {
        field("OCI_COMPAT_FIRST", first);
        field("OCI_COMPAT_TOTAL", &record.total.to_string());
    }
    record.codes().into_iter().for_each(|it| field("OCI_COMPAT_CODE", it));
    record.reasons.iter().for_each(|it| field("OCI_COMPAT_REASON", &it.message));
    record.notes.iter().for_each(|it| field("OCI_COMPAT_NOTE", it));
    message
}

fn opened(text: &str, id: &str, priority: u8) -> Vec<u8> {
    let mut message = Vec::new();
    add(&mut message, "MESSAGE", text);
    add(&mut message, "MESSAGE_ID", id);
    add(&mut message, "PRIORITY", &priority.to_string());
    add(&mut message, "SYSLOG_IDENTIFIER", "oci-compat");
    // LOG_DAEMON (syslog(3)).
    add(&mut message, "SYSLOG_FACILITY", "3");
    message
}

/// `NAME=value`, or for text of several lines the name, its length as 64 bits, and the text.
fn add(message: &mut Vec<u8>, name: &str, value: &str) {
    message.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        message.push(b'\n');
        message.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        message.push(b'=');
    }
    message.extend_from_slice(value.as_bytes());
    message.push(b'\n');
}
