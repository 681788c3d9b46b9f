//! journald and syslog, simulated by sockets in a temporary folder.

use std::fs;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, setsockopt, socketpair, sockopt,
};

use super::{NOWHERE, record};
use crate::outcome::decisions::{Targets, journal, shout, syslog, write};

struct SocketFixture(tempfile::TempDir);

impl SocketFixture {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn bind(&self, name: &str) -> UnixDatagram {
        let socket = UnixDatagram::bind(self.path(name)).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        socket
    }

    fn targets(&self) -> Targets {
        Targets { journal: Some(self.path("journal")), syslog: Some(self.path("syslog")), ..NOWHERE }
    }

    /// What goes wrong when a record is written to these two.
    fn write(&self) -> Vec<String> {
        let warnings = write(&self.targets(), &record());
        let folder = self.0.path().display().to_string();
        warnings.into_iter().map(|it| it.replace(&folder, "DIR")).collect()
    }
}

fn received(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 8192];
    let length = socket.recv(&mut bytes).expect("a message");
    String::from_utf8(bytes[..length].to_vec()).expect("text")
}

const FIELDS: &str = "\
MESSAGE=refused: kernel module gtp5g is not loaded [module-not-loaded, +2 more; oci-compat why c1] (image docker.io/acme/upf:1)
MESSAGE_ID=1fecfd6d0e0945dabaeabb45a6e7f201
PRIORITY=3
SYSLOG_IDENTIFIER=oci-compat
SYSLOG_FACILITY=3
OCI_COMPAT_PROGRAM=hook
OCI_COMPAT_MODE=enforce
OCI_COMPAT_VERDICT=incompatible
OCI_COMPAT_SITUATION=incompatible
OCI_COMPAT_ACTION=refuse
OCI_COMPAT_INTENTION=refuse
OCI_COMPAT_CONTAINER=c1
OCI_COMPAT_IMAGE=docker.io/acme/upf:1
OCI_COMPAT_DIGEST=sha256:11
OCI_COMPAT_BUNDLE=/run/b
OCI_COMPAT_CODE=module-not-loaded
OCI_COMPAT_CODE=kernel-version
OCI_COMPAT_REASON=kernel module gtp5g is not loaded
OCI_COMPAT_REASON=kernel is 5.4, needs 6.8 or newer
OCI_COMPAT_REASON=kernel module sctp is not loaded
";

#[test]
fn journald_gets_fields_and_syslog_is_left_alone() {
    let place = SocketFixture::new();
    let (journal, syslog) = (place.bind("journal"), place.bind("syslog"));
    assert_eq!(place.write(), Vec::<String>::new());
    assert_eq!(received(&journal), FIELDS);
    syslog.set_nonblocking(true).expect("a socket");
    assert_eq!(syslog.recv(&mut [0; 10]).map_err(|it| it.kind()), Err(std::io::ErrorKind::WouldBlock));
}

#[test]
fn a_field_of_several_lines_comes_with_its_length() {
    let mut record = record();
    record.message = "a\nb".to_owned();
    assert!(
        journal::message(&record)
            .starts_with(b"MESSAGE\n\x20\0\0\0\0\0\0\0a\nb (image docker.io/acme/upf:1)\nMESSAGE_ID=")
    );
}

#[test]
fn syslog_gets_a_line_where_there_is_no_journald() {
    let place = SocketFixture::new();
    let expected = format!(
        "<27>oci-compat[{}]: refused: kernel module gtp5g is not loaded [module-not-loaded, +2 more; oci-compat why c1] \
         container=c1 image=docker.io/acme/upf:1 digest=sha256:11",
        std::process::id()
    );
    let datagrams = place.bind("syslog");
    assert_eq!(place.write(), Vec::<String>::new());
    assert_eq!(received(&datagrams), expected);
    fs::remove_file(place.path("syslog")).expect("a socket");
    let streams = UnixListener::bind(place.path("syslog")).expect("a socket");
    // A socket without a listener is no journald either.
    drop(UnixDatagram::bind(place.path("journal")).expect("a socket"));
    assert_eq!(place.write(), Vec::<String>::new());
    let mut text = String::new();
    streams.accept().expect("a writer").0.read_to_string(&mut text).expect("text");
    assert_eq!(text, format!("{expected}\0"));
}

#[test]
fn a_line_for_syslog_is_cut_where_receivers_would_cut_it() {
    let image = Some("\u{e9}".repeat(600));
    let line = syslog::line(3, "refused", &[("image", &image)]);
    assert!(line.len() > 1_020 && line.len() <= 1_024 && line.ends_with('\u{e9}'), "{line}");
}

#[test]
fn what_is_no_decision_is_reported_to_the_same_logs() {
    let place = SocketFixture::new();
    let shouted = || shout(&place.targets(), "the configuration is broken:\n1:1: x");
    let (syslog, text) = (place.bind("syslog"), "the configuration is broken:\\u{a}1:1: x");
    assert_eq!(shouted(), None);
    assert_eq!(received(&syslog), format!("<27>oci-compat[{}]: {text}", std::process::id()));
    let journal = place.bind("journal");
    assert_eq!(shouted(), None);
    let expected = format!(
        "MESSAGE={text}\nMESSAGE_ID=2984fc6d39bc4466a2c84410cccebd8c\nPRIORITY=3\nSYSLOG_IDENTIFIER=oci-compat\n\
         SYSLOG_FACILITY=3\n"
    );
    assert_eq!(received(&journal), expected);
}

#[test]
fn a_host_without_any_log_is_nothing_to_complain_about() {
    assert_eq!(SocketFixture::new().write(), Vec::<String>::new());
}

#[test]
fn a_log_that_is_stuck_is_not_waited_for() {
    let place = SocketFixture::new();
    let stuck = place.bind("journal");
    let started = Instant::now();
    // The queue of a socket is bounded (unix(7), max_dgram_qlen); this one is never read.
    let warnings = (0..10_000).map(|_| place.write()).find(|it| !it.is_empty());
    let expected = "decision not told to journald: DIR/journal took no message for 1000 ms";
    assert_eq!(warnings, Some(vec![expected.to_owned()]));
    assert!(started.elapsed() < Duration::from_secs(20));
    drop(stuck);
}

#[test]
fn what_is_no_socket_is_reported() {
    let place = SocketFixture::new();
    fs::create_dir(place.path("journal")).expect("making a fixture");
    assert_eq!(place.write(), Vec::<String>::new());
}

#[test]
fn what_is_too_large_for_a_datagram_is_passed_as_a_sealed_file() {
    let (sender, receiver) =
        socketpair(nix::sys::socket::AddressFamily::Unix, SockType::Datagram, None, SockFlag::empty())
            .expect("two sockets");
    setsockopt(&sender, sockopt::SndBuf, &4_608).expect("a small buffer");
    let large = vec![b'x'; 1 << 20];
    journal::deliver(&sender, &large).expect("a message");
    let mut file = passed(&receiver);
    let mut bytes = Vec::new();
    std::io::Seek::rewind(&mut file).expect("a file");
    file.read_to_end(&mut bytes).expect("a file");
    assert!(bytes == large);
    let written = std::io::Write::write(&mut file, b"y").map_err(|it| it.raw_os_error());
    assert_eq!(written, Err(Some(libc::EPERM)));
}

#[expect(unsafe_code, reason = "a descriptor that was just received belongs to nobody else")]
fn passed(receiver: &OwnedFd) -> fs::File {
    let mut space = nix::cmsg_space!(std::os::fd::RawFd);
    let message = recvmsg::<()>(receiver.as_raw_fd(), &mut [], Some(&mut space), MsgFlags::empty());
    let message = message.expect("a message");
    let rights = message.cmsgs().expect("a passed file").find_map(|it| {
        let ControlMessageOwned::ScmRights(fds) = it else { return None };
        fds.first().copied()
    });
    // SAFETY: the kernel has just made this descriptor for this process, and nothing else knows its number.
    fs::File::from(unsafe { OwnedFd::from_raw_fd(rights.expect("a descriptor")) })
}
