//! Answers of containerd 1.6, and answers that no server should give.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket};

use super::frame::{self, put};
use crate::container::identity::Need;
use crate::container::identity::tests::{told, told_within, with_content};
use crate::testing::FakeHost;

const CTR: &str = include_str!("../fixtures/containerd-1.6/ctr.txt");
const CRI: &str = include_str!("../fixtures/containerd-1.6/cri.txt");
const NOT_FOUND: &str = include_str!("../fixtures/containerd-1.6/not-found.txt");
const NAME: &str = "127.0.0.1:5943/demo/app:v1";
const BLOBS: [&str; 3] = [
    "sha256:ec6467f908311799a5bf734365fbd83f057619d1955077fa6c494759ed15f5f3",
    "sha256:47fe92b93459cfe8d359a9ceb83f3c6c23c32fcbaeae8d4b0034559c7dd12a2b",
    "sha256:bf624945ecec647730abd79d41dd14a5e92876345cf3c702b438a601af18b9ac",
];
const TASKS: &str = "io.containerd.runtime.v2.task";

/// What one of the two wrote in a recorded conversation.
fn recorded(text: &str, who: &str) -> Vec<u8> {
    let lines =
        text.lines().filter_map(|it| it.strip_prefix(who)).flat_map(|it| it.trim().as_bytes().chunks(2));
    lines.map(|it| u8::from_str_radix(str::from_utf8(it).expect("hex"), 16).expect("hex")).collect()
}

/// A host with a containerd that sends this on each connection, and then nothing.
fn host(id: &str, annotations: &str, says: Vec<u8>, stays: bool) -> (FakeHost, thread::JoinHandle<Vec<u8>>) {
    let host = FakeHost::new();
    let work = host.place(&format!("root/{TASKS}/{id}")).display().to_string();
    let config = format!("{{\"annotations\": {{{annotations}}}}}");
    let host = host
        .folder("proc")
        .file(&format!("run/containerd/{TASKS}/{id}/config.json"), config)
        .link(&format!("run/containerd/{TASKS}/{id}/work"), &work);
    let listener = UnixListener::bind(host.place("run/containerd/containerd.sock")).expect("a socket");
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        stream.write_all(&says).expect("a client that listens");
        if !stays {
            stream.shutdown(std::net::Shutdown::Write).expect("a client");
        }
        let mut heard = Vec::new();
        // A client that has heard enough goes without reading the rest, which is a reset.
        let _reset = stream.read_to_end(&mut heard);
        heard
    });
    (host, server)
}

fn check(says: Vec<u8>, stays: bool, expected: &[&str]) {
    let (host, server) = host("default/c1", "", says, stays);
    let host = with_content(host, "root", &BLOBS);
    assert_eq!(told(&host, &format!("run/containerd/{TASKS}/default/c1"), Need::Digests), expected);
    drop(server.join().expect("a server"));
}

/// As [`check`], of a server that greets first; its complaint, without where it is.
fn check_fault(frames: &[(u8, u8, u32, &[u8])], expected: &str) {
    let mut says = Vec::new();
    put(&mut says, frame::SETTINGS, 0, 0, &[]);
    for (kind, flags, stream, payload) in frames {
        put(&mut says, *kind, *flags, *stream, payload);
    }
    let fault =
        format!("unanswered: image unknown: containerd at /run/containerd/containerd.sock {expected}");
    check(says, true, &[&fault]);
}

/// The frames with calls that a client wrote.
fn calls(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes = bytes.strip_prefix(frame::PREFACE).expect("the preface");
    let mut calls = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk() {
        let head = frame::Head::read(*head);
        let (payload, rest) = rest.split_at(head.length);
        if [frame::HEADERS, frame::DATA].contains(&head.kind) {
            calls.push(payload.to_vec());
        }
        bytes = rest;
    }
    calls
}

fn check_recorded(text: &str, id: &str, annotations: &str, expected: &[&str]) {
    let (host, server) = host(id, annotations, recorded(text, "S"), true);
    let host = with_content(host, "root", &BLOBS);
    assert_eq!(told(&host, &format!("run/containerd/{TASKS}/{id}"), Need::Digests), expected);
    assert_eq!(calls(&server.join().expect("a server")), calls(&recorded(text, "C")));
}

const CRI_ID: &str = "k8s.io/12af8cc3f2ccc1d357f920da57f8c4cbf8e5cf52a82dcc474825b95a7ff9ad1e";

#[test]
fn a_container_of_ctr_leads_to_its_image_and_by_its_snapshot_to_the_manifest() {
    check_recorded(CTR, "default/c1", "", &[NAME, "index", "manifest"]);
}

#[test]
fn a_container_of_the_cri_plugin_leads_to_the_manifest_by_its_configuration() {
    let annotation = "\"io.kubernetes.cri.image-name\": \"app\"";
    check_recorded(CRI, CRI_ID, annotation, &["app", NAME, "index", "manifest"]);
}

#[test]
fn a_container_that_is_not_there_is_reported() {
    check_recorded(NOT_FOUND, "default/nope", "", &["image unknown: containerd has no container \"nope\""]);
}

#[test]
fn a_name_in_the_bundle_is_reported_without_asking_an_engine() {
    let config = r#"{"annotations": {"io.kubernetes.cri.image-name": "docker.io/acme/app:1"}}"#;
    let host = FakeHost::new().file(&format!("run/containerd/{TASKS}/k8s.io/c1/config.json"), config);
    let folder = format!("run/containerd/{TASKS}/k8s.io/c1");
    assert_eq!(told(&host, &folder, Need::Name), ["docker.io/acme/app:1"]);
    let (host, server) = self::host("default/c1", "", recorded(CTR, "S"), true);
    assert_eq!(told(&host, &format!("run/containerd/{TASKS}/default/c1"), Need::Name), [NAME]);
    assert_eq!(calls(&server.join().expect("a server")), calls(&recorded(CTR, "C"))[..2]);
}

#[test]
fn without_content_the_index_is_all() {
    let part = "image known only in part: ";
    let blobs = "/root/io.containerd.content.v1.content/blobs/sha256";
    let told_with = |digests: &[&str]| {
        let (host, server) = host("default/c1", "", recorded(CTR, "S"), true);
        let host = with_content(host, "root", digests);
        let told = told(&host, &format!("run/containerd/{TASKS}/default/c1"), Need::Digests);
        drop(server.join().expect("a server"));
        told
    };
    assert_eq!(told_with(&[]), [NAME, "index", &format!("unanswered: {part}{} is not in {blobs}", BLOBS[0])]);
    let other =
        format!("the name {NAME:?} stands for another image than the one that the container was made from");
    assert_eq!(told_with(&BLOBS[..1]), [NAME, &format!("image unknown: {other}")]);
    assert_eq!(
        told_with(&BLOBS[..2]),
        [NAME, &format!("unanswered: image unknown: {} is not in {blobs}", BLOBS[2])]
    );
}

const AT: &str = "unanswered: image unknown: containerd at /run/containerd/containerd.sock ";
const LATE: &str = "did not answer before the deadline passed";
const FOLDER: &str = "run/containerd/io.containerd.runtime.v2.task/default/c1";

#[test]
fn a_daemon_that_does_not_run_is_not_waited_for() {
    let host = FakeHost::new().file(&format!("{FOLDER}/config.json"), "{}");
    assert_eq!(told(&host, FOLDER, Need::Digests), [format!("{AT}is not there")]);
    let socket = host.place("run/containerd/containerd.sock");
    drop(UnixListener::bind(&socket).expect("a socket"));
    let refused = format!("{AT}does not run: nobody listens on its socket");
    assert_eq!(told(&host, FOLDER, Need::Digests), [refused]);
}

#[test]
fn a_silent_server_is_waited_for_up_to_the_limit() {
    let host = FakeHost::new().file(&format!("{FOLDER}/config.json"), "{}");
    let listener = UnixListener::bind(host.place("run/containerd/containerd.sock")).expect("a socket");
    let late = [format!("{AT}{LATE}")];
    assert_eq!(told_within(&host, FOLDER, Need::Digests, Duration::from_millis(20)), late);
    drop(listener);
}

/// Each part of the conversation took longer than what a container's start used to be given for all of it.
#[test]
fn a_busy_daemon_is_waited_for() {
    let host = FakeHost::new();
    let work = host.place(&format!("root/{TASKS}/default/c1")).display().to_string();
    let host = host
        .folder("proc")
        .file(&format!("{FOLDER}/config.json"), "{}")
        .link(&format!("{FOLDER}/work"), &work);
    let host = with_content(host, "root", &BLOBS);
    let listener = UnixListener::bind(host.place("run/containerd/containerd.sock")).expect("a socket");
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        for part in CTR.lines().filter(|it| it.starts_with('S')) {
            thread::sleep(Duration::from_millis(200));
            // What it says last, the client has no need of.
            let _left = stream.write_all(&recorded(part, "S"));
        }
        // An end with something unread would be a reset.
        let _reset = stream.read_to_end(&mut Vec::new());
    });
    assert_eq!(told(&host, FOLDER, Need::Digests), [NAME, "index", "manifest"]);
    server.join().expect("a server");
}

#[test]
fn a_queue_before_the_door_is_left_in_time() {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let open = || socket(AddressFamily::Unix, SockType::Stream, flags, None).expect("a socket");
    let host = FakeHost::new().file(&format!("{FOLDER}/config.json"), "{}");
    let address = UnixAddr::new(&host.place("run/containerd/containerd.sock")).expect("an address");
    let server = open();
    bind(server.as_raw_fd(), &address).expect("a free address");
    listen(&server, Backlog::new(0).expect("a backlog")).expect("a server");
    let waiting: Vec<_> = (0..8).map(|_| open()).collect();
    let full = waiting.iter().any(|it| connect(it.as_raw_fd(), &address) == Err(Errno::EAGAIN));
    let late = vec![format!("{AT}{LATE}")];
    let told = told_within(&host, FOLDER, Need::Digests, Duration::from_millis(20));
    assert_eq!((full, told), (true, late));
}

#[test]
fn what_greets_and_then_falls_silent_is_not_waited_for() {
    let check = |frames: &[(u8, &[u8])]| {
        let mut says = Vec::new();
        put(&mut says, frame::SETTINGS, 0, 0, &[]);
        for (kind, payload) in frames {
            put(&mut says, *kind, 0, 1, payload);
        }
        let (host, server) = host("default/c1", "", says, true);
        let late = [format!("{AT}{LATE}")];
        assert_eq!(told_within(&host, FOLDER, Need::Digests, Duration::from_millis(50)), late);
        drop(server.join().expect("a server"));
    };
    check(&[]);
    check(&[(frame::DATA, b"\0\0\0")]);
    check(&[(frame::HEADERS, b"\x88")]);
}

#[test]
fn a_server_that_never_stops_talking_is_left() {
    let (host, server) = host_that_may_be_left(recorded(CTR, "S"));
    let late = [format!("{AT}{LATE}")];
    assert_eq!(told_within(&host, FOLDER, Need::Digests, Duration::ZERO), late);
    server.join().expect("a server");
}

#[test]
fn what_is_no_grpc_is_reported() {
    let garbled = "answers with something else than gRPC";
    let at = "unanswered: image unknown: containerd at /run/containerd/containerd.sock ";
    check(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), true, &[&format!("{at}{garbled}")]);
    check(Vec::new(), false, &[&format!("{at}ended the connection")]);
    let ends = frame::END_HEADERS | frame::END_STREAM;
    check_fault(&[(frame::HEADERS, ends, 1, b"\x8d")], "is no gRPC server");
    check_fault(&[(frame::HEADERS, ends, 1, b"\xbe")], garbled);
    check_fault(&[(frame::DATA, 8, 1, b"\x05")], garbled);
    check_fault(&[(frame::HEADERS, 0, 1, b"\x88"), (frame::DATA, 0, 1, b"")], garbled);
    check_fault(&[(frame::RST_STREAM, 0, 1, &[0; 4])], "broke off its answer");
    check_fault(&[(frame::GOAWAY, 0, 0, &[0; 8])], "ended the connection");
    let success = (frame::HEADERS, ends, 1, &b"\x00\x0bgrpc-status\x010"[..]);
    check_fault(&[success], garbled);
    check_fault(&[(frame::DATA, 0, 1, b"\x01\0\0\0\0"), success], garbled);
    check_fault(&[(frame::DATA, 0, 1, b"\0\0\0\0\x09x"), success], garbled);
}

#[test]
fn an_error_is_reported_with_its_number_and_words() {
    let error = b"\x00\x0bgrpc-status\x0214\x00\x0cgrpc-message\x05later";
    let (first, second) = error.split_at(20);
    let frames = [
        (frame::PING, 0, 0, &[1; 8][..]),
        (0x2a, 0, 0, b"what nobody knows"),
        (frame::HEADERS, frame::END_HEADERS, 7, b"\x88"),
        (frame::HEADERS, frame::END_STREAM, 1, first),
        (frame::CONTINUATION, frame::END_HEADERS, 1, second),
    ];
    check_fault(&frames, "answers with error 14 (later)");
}

/// It is as large as what the container was given.
#[test]
fn an_answer_that_is_too_large_to_send_is_the_containers_fault() {
    let ends = frame::END_HEADERS | frame::END_STREAM;
    let error = b"\x00\x0bgrpc-status\x018\x00\x0cgrpc-message\x3agrpc: trying to send message larger than max (9 vs. 8) now";
    let mut says = Vec::new();
    put(&mut says, frame::SETTINGS, 0, 0, &[]);
    put(&mut says, frame::HEADERS, ends, 1, error);
    let told = "unfit: image unknown: containerd at /run/containerd/containerd.sock has an answer that is too large to send";
    check(says, true, &[told]);
}

#[test]
fn a_long_name_is_asked_for_in_parts() {
    let id = "n".repeat(40_000);
    let (host, server) = host("default/c1", "", recorded(NOT_FOUND, "S"), true);
    let socket = host.place("run/containerd/containerd.sock");
    let until = std::time::Instant::now() + Duration::from_secs(60);
    let mut connection = super::grpc::Connection::open(&socket, until).expect("a server");
    let told = connection.call("/a/b", "default", id.as_bytes());
    assert_eq!(told, Err(super::grpc::CallFault::NotFound));
    let told = connection.call("/a/b", "default", id.repeat(2).as_bytes());
    let long = super::grpc::CallFault::Other("a name is too long to ask containerd for".to_owned());
    assert_eq!(told, Err(long));
    drop(connection);
    let sent: usize = calls(&server.join().expect("a server")).iter().skip(1).map(Vec::len).sum();
    assert_eq!(sent, id.len() + 5);
}

#[test]
fn an_answer_without_end_is_not_read_to_its_end() {
    let mut says = Vec::new();
    put(&mut says, frame::SETTINGS, 0, 0, &[]);
    for _ in 0..1100 {
        put(&mut says, frame::DATA, 0, 1, &[0; frame::MAX_PAYLOAD - 1]);
    }
    let (host, _server) = host_that_may_be_left(says);
    assert_eq!(
        told(&host, &format!("run/containerd/{TASKS}/default/c1"), Need::Digests),
        [
            "unfit: image unknown: containerd at /run/containerd/containerd.sock answers with more than 16777216 bytes"
        ]
    );
}

/// As [`host`], with a client that goes before all is said.
fn host_that_may_be_left(says: Vec<u8>) -> (FakeHost, thread::JoinHandle<()>) {
    let host =
        FakeHost::new().folder("proc").file(&format!("run/containerd/{TASKS}/default/c1/config.json"), "{}");
    let listener = UnixListener::bind(host.place("run/containerd/containerd.sock")).expect("a socket");
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let _left = stream.write_all(&says);
        // An end with something unread would be a reset.
        let _reset = stream.read_to_end(&mut Vec::new());
    });
    (host, server)
}

#[test]
fn a_container_without_an_image_is_reported() {
    let ends = frame::END_HEADERS | frame::END_STREAM;
    let mut says = Vec::new();
    put(&mut says, frame::SETTINGS, 0, 0, &[]);
    put(&mut says, frame::DATA, 0, 1, b"\0\0\0\0\x04\x0a\x02\x0a\0");
    put(&mut says, frame::HEADERS, ends, 1, b"\x00\x0bgrpc-status\x010");
    check(says, true, &["image unknown: the container was made from no image of containerd's"]);
}
