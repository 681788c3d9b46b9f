//! Calls over a Unix socket: gRPC on HTTP/2 without TLS, one call after the other. Bounded in time and in size. A fault of the
//! other side is an error and nothing worse.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};

use super::frame::{self, HEAD, Head};
use super::headers;
use crate::os::file;

/// containerd sends no larger message (`defaults.DefaultMaxSendMsgSize`), and takes none: a container's record holds its
/// whole `config.json`.
const MAX_ANSWER: usize = 16 << 20;
/// What may be sent before the other side has to say that it wants more (RFC 9113, section 6.9.2).
const MAX_REQUEST: usize = 60_000;
/// How long to wait before trying again to connect to a server with a full queue.
const QUEUE: Duration = Duration::from_millis(2);
/// What gRPC answers for things that are not there (grpc `doc/statuscodes.md`).
const NOT_FOUND: &str = "5";
/// What it answers if a message is larger than either side takes (grpc-go `rpc_util.go`), and in other cases.
const TOO_LARGE: &str = "8";

/// A connection to a server.
#[derive(Debug)]
pub(super) struct Connection {
    stream: UnixStream,
    path: PathBuf,
    /// What was read and not yet used.
    unread: Vec<u8>,
    /// The stream of the last call; a client's are odd.
    last: u32,
    deadline: Instant,
}

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CallFault {
    /// What was asked for is not there.
    NotFound,
    /// The answer is too large, a sentence: it is as large as what was asked about.
    TooLarge(String),
    /// A sentence.
    Other(String),
}

impl Connection {
    /// Connects to a server and waits for its greeting. A busy server is waited for until the deadline, which is that of
    /// all calls; one that does not run is an error at once.
    pub(super) fn open(path: &Path, deadline: Instant) -> Result<Self, CallFault> {
        let stream = connected(path, deadline)?;
        let mut connection = Self { stream, path: path.to_owned(), unread: Vec::new(), last: 0, deadline };
        connection.write(&frame::greeting())?;
        connection.fill(HEAD)?;
        Ok(connection)
    }

    /// Calls a method.
    pub(super) fn call(
        &mut self,
        method: &str,
        namespace: &str,
        message: &[u8],
    ) -> Result<Vec<u8>, CallFault> {
        self.last = if self.last == 0 { 1 } else { self.last + 2 };
        let block = headers::request(method, namespace);
        let length = u32::try_from(message.len()).unwrap_or_default().to_be_bytes();
        if block.len() > frame::MAX_PAYLOAD || message.len() > MAX_REQUEST {
            return Err(CallFault::Other("a name is too long to ask containerd for".to_owned()));
        }
        let mut out = Vec::new();
        frame::put(&mut out, frame::HEADERS, frame::END_HEADERS, self.last, &block);
        // A byte that says "not compressed", and the length, stand before each message.
        let body = [&[0], length.as_slice(), message].concat();
        let mut parts = body.chunks(frame::MAX_PAYLOAD).peekable();
        while let Some(part) = parts.next() {
            let end = if parts.peek().is_none() { frame::END_STREAM } else { 0 };
            frame::put(&mut out, frame::DATA, end, self.last, part);
        }
        self.write(&out)?;
        self.answer()
    }

    /// Reads frames until the call has ended.
    fn answer(&mut self) -> Result<Vec<u8>, CallFault> {
        let mut body = Vec::new();
        loop {
            let (head, payload) = self.frame()?;
            if head.stream == 0 {
                self.control(head, &payload)?;
                continue;
            }
            if head.stream != self.last {
                continue;
            }
            match head.kind {
                frame::DATA => body.extend(frame::content(head, &payload).ok_or_else(|| self.garbled())?),
                frame::HEADERS => {
                    let block = self.block(head, &payload)?;
                    let answer = headers::answer(&block).ok_or_else(|| self.garbled())?;
                    if let Some(end) = self.end(answer, &body) {
                        return end;
                    }
                }
                frame::RST_STREAM => return Err(self.fault("broke off its answer")),
                // What a newer protocol may add is passed over (RFC 9113, section 4.1).
                _ => {}
            }
            if body.len() > MAX_ANSWER {
                return Err(self.too_large(&format!("answers with more than {MAX_ANSWER} bytes")));
            }
        }
    }

    /// What comes of a call, if these header fields end it: those that come before the answer say nothing yet.
    fn end(&self, answer: headers::ResponseHeaders, body: &[u8]) -> Option<Result<Vec<u8>, CallFault>> {
        if answer.failed {
            return Some(Err(self.fault("is no gRPC server")));
        }
        Some(match answer.status?.as_str() {
            "0" => message(body).ok_or_else(|| self.garbled()),
            NOT_FOUND => Err(CallFault::NotFound),
            TOO_LARGE if answer.message.contains("larger than max") => {
                Err(self.too_large("has an answer that is too large to send"))
            }
            status => {
                let text: String = answer.message.chars().take(200).collect();
                Err(self.fault(&format!("answers with error {status} ({text})")))
            }
        })
    }

    /// Frames on the connection itself.
    fn control(&mut self, head: Head, payload: &[u8]) -> Result<(), CallFault> {
        let mut out = Vec::new();
        match head.kind {
            frame::SETTINGS if !head.has(frame::ACK) => {
                frame::put(&mut out, frame::SETTINGS, frame::ACK, 0, &[])
            }
            frame::PING if !head.has(frame::ACK) => frame::put(&mut out, frame::PING, frame::ACK, 0, payload),
            frame::GOAWAY => return Err(self.fault("ended the connection")),
            _ => return Ok(()),
        }
        self.write(&out)
    }

    /// A block of header fields, which may go on in further frames.
    fn block(&mut self, head: Head, payload: &[u8]) -> Result<Vec<u8>, CallFault> {
        let mut block = frame::content(head, payload).ok_or_else(|| self.garbled())?.to_vec();
        let mut is_whole = head.has(frame::END_HEADERS);
        while !is_whole {
            let (next, more) = self.frame()?;
            if (next.kind, next.stream) != (frame::CONTINUATION, head.stream) || block.len() > MAX_ANSWER {
                return Err(self.garbled());
            }
            block.extend(more);
            is_whole = next.has(frame::END_HEADERS);
        }
        Ok(block)
    }

    fn frame(&mut self) -> Result<(Head, Vec<u8>), CallFault> {
        // Who never stops talking is never waited for.
        if self.deadline <= Instant::now() {
            return Err(self.too_late());
        }
        self.fill(HEAD)?;
        let Some((head, _)) = self.unread.split_first_chunk() else { return Err(self.garbled()) };
        let head = Head::read(*head);
        if head.length > frame::MAX_PAYLOAD {
            return Err(self.garbled());
        }
        self.fill(HEAD + head.length)?;
        let payload = self.unread.drain(..HEAD + head.length).skip(HEAD).collect();
        Ok((head, payload))
    }

    /// Reads until so many bytes are there.
    fn fill(&mut self, length: usize) -> Result<(), CallFault> {
        let mut bytes = [0; frame::MAX_PAYLOAD];
        while self.unread.len() < length {
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err(self.fault("ended the connection")),
                Ok(count) => self.unread.extend(bytes.get(..count).unwrap_or_default()),
                Err(err) if err.kind() == ErrorKind::WouldBlock => self.wait(PollFlags::POLLIN)?,
                Err(err) => return Err(self.failed(&err)),
            }
        }
        Ok(())
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), CallFault> {
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(err) if err.kind() == ErrorKind::WouldBlock => self.wait(PollFlags::POLLOUT)?,
                Err(err) => return Err(self.failed(&err)),
            }
        }
        Ok(())
    }

    fn wait(&self, events: PollFlags) -> Result<(), CallFault> {
        let rest = self.deadline.saturating_duration_since(Instant::now());
        let mut polled = [PollFd::new(self.stream.as_fd(), events)];
        let timeout = PollTimeout::try_from(rest).unwrap_or(PollTimeout::MAX);
        match poll(&mut polled, timeout) {
            Ok(1..) if !rest.is_zero() => Ok(()),
            // A signal comes only when the whole check has taken too long.
            Ok(_) | Err(Errno::EINTR) => Err(self.too_late()),
            Err(errno) => Err(self.failed(&errno.into())),
        }
    }

    fn too_late(&self) -> CallFault {
        self.fault(LATE)
    }

    fn too_large(&self, what: &str) -> CallFault {
        CallFault::TooLarge(format!("containerd at {} {what}", self.path.display()))
    }

    fn garbled(&self) -> CallFault {
        self.fault("answers with something else than gRPC")
    }

    fn failed(&self, err: &std::io::Error) -> CallFault {
        if matches!(err.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) {
            return self.fault("ended the connection");
        }
        self.fault(&file::explain_io(err))
    }

    fn fault(&self, what: &str) -> CallFault {
        fault(&self.path, what)
    }
}

fn fault(path: &Path, what: &str) -> CallFault {
    CallFault::Other(format!("containerd at {} {what}", path.display()))
}

/// The message on a server that runs and has not answered within the check's time.
const LATE: &str = "did not answer before the deadline passed";

/// A socket that is connected, and never blocks.
fn connected(path: &Path, deadline: Instant) -> Result<UnixStream, CallFault> {
    let failed = |errno: Errno| match errno == Errno::EAGAIN {
        true => fault(path, LATE),
        false => fault(path, &file::explain(errno)),
    };
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let address = UnixAddr::new(path).map_err(failed)?;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None).map_err(failed)?;
    loop {
        match connect(std::os::fd::AsRawFd::as_raw_fd(&socket), &address) {
            Ok(()) => return Ok(UnixStream::from(socket)),
            // The queue of those who wait to be let in is full (unix(7)).
            Err(Errno::EAGAIN) if Instant::now() < deadline => std::thread::sleep(QUEUE),
            Err(errno) => return Err(failed(errno)),
        }
    }
}

/// The one message of a body; empty messages are messages, too.
fn message(body: &[u8]) -> Option<Vec<u8>> {
    let ([compressed, length @ ..], message) = body.split_first_chunk::<5>()?;
    let is_whole = usize::try_from(u32::from_be_bytes(*length)).ok()? == message.len();
    (*compressed == 0 && is_whole).then(|| message.to_vec())
}

impl fmt::Display for CallFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("containerd does not have it"),
            Self::TooLarge(what) | Self::Other(what) => f.write_str(what),
        }
    }
}
