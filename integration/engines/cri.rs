//! The kubelet's side of the Container Runtime Interface: gRPC over the engine's socket, which curl carries.
//! Field numbers are those of cri-api, `runtime.v1`.

use std::fs;

use super::machine::Machine;
use super::protobuf::{self, Message};

/// The engine's socket.
const SOCKET: &str = "/run/containerd/containerd.sock";

/// `NamespaceMode.NODE`: the pod has the host's network, so that nobody has to set one up.
const NODE: u64 = 2;

/// `ContainerState`.
pub(super) const RUNNING: u64 = 1;
pub(super) const EXITED: u64 = 2;

/// gRPC's status for what has no other.
pub(super) const UNKNOWN: u32 = 2;

/// What an engine answered instead of a result (gRPC, Status codes).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: u32,
    pub(super) message: String,
}

/// How a container fares.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) state: u64,
    pub(super) exit_code: u64,
    pub(super) reason: String,
    pub(super) message: String,
}

/// A pod, and what its containers need to know of it.
#[derive(Debug)]
pub(super) struct Pod {
    pub(super) id: String,
    annotations: Vec<(String, String)>,
}

/// Whether the engine answers: its other services may do so before.
pub(super) fn answers(machine: &Machine) -> bool {
    carry(machine, "RuntimeService/Version", Message::new())
        .is_ok_and(|(headers, _)| headers.contains("grpc-status: 0"))
}

pub(super) fn pull(machine: &Machine, image: &str) {
    try_pull(machine, image).expect("pulling an image");
}

pub(super) fn try_pull(machine: &Machine, image: &str) -> Result<(), Refusal> {
    let request = Message::new().message(1, Message::new().text(1, image));
    call(machine, "ImageService/PullImage", request).map(drop)
}

/// Starts a pod, with the runtime of that name.
pub(super) fn run_pod(machine: &Machine, handler: &str, annotations: &[(&str, &str)]) -> Pod {
    let owned = annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let mut pod = Pod { id: String::new(), annotations: owned };
    let request = Message::new().message(1, sandbox(&pod)).text(2, handler);
    let response = call(machine, "RuntimeService/RunPodSandbox", request).expect("starting a pod");
    pod.id = protobuf::text(&response, 1);
    pod
}

/// Creates a container of a pod; its id.
pub(super) fn create(machine: &Machine, pod: &Pod, image: &str, command: &[&str]) -> String {
    let container = Message::new()
        .message(1, Message::new().text(1, "upf"))
        .message(2, Message::new().text(1, image))
        .texts(3, command)
        .map(10, &borrowed(&pod.annotations))
        .text(11, "upf.log");
    let request = Message::new().text(1, &pod.id).message(2, container).message(3, sandbox(pod));
    let response = call(machine, "RuntimeService/CreateContainer", request).expect("creating a container");
    protobuf::text(&response, 1)
}

pub(super) fn start(machine: &Machine, container: &str) -> Result<(), Refusal> {
    call(machine, "RuntimeService/StartContainer", Message::new().text(1, container)).map(drop)
}

pub(super) fn status(machine: &Machine, container: &str) -> Status {
    let response = call(machine, "RuntimeService/ContainerStatus", Message::new().text(1, container));
    let response = response.expect("asking for a container");
    let status = protobuf::bytes(&response, 1);
    Status {
        state: protobuf::number(status, 3),
        exit_code: protobuf::number(status, 7),
        reason: protobuf::text(status, 10),
        message: protobuf::text(status, 11),
    }
}

/// Runs a command in a container; what it printed.
pub(super) fn exec(machine: &Machine, container: &str, command: &[&str]) -> String {
    let request = Message::new().text(1, container).texts(2, command).number(3, 10);
    let response = call(machine, "RuntimeService/ExecSync", request).expect("running a command");
    assert_eq!(protobuf::number(&response, 3), 0, "{}", protobuf::text(&response, 2));
    protobuf::text(&response, 1)
}

pub(super) fn stop(machine: &Machine, container: &str) {
    let request = Message::new().text(1, container).number(2, 0);
    call(machine, "RuntimeService/StopContainer", request).expect("stopping a container");
}

/// Ends a pod and all that is in it.
pub(super) fn remove_pod(machine: &Machine, pod: &Pod) {
    for method in ["StopPodSandbox", "RemovePodSandbox"] {
        let request = Message::new().text(1, &pod.id);
        call(machine, &format!("RuntimeService/{method}"), request).expect("ending a pod");
    }
}

/// `PodSandboxConfig`, which the kubelet sends along with every container as well.
fn sandbox(pod: &Pod) -> Message {
    let metadata = Message::new().text(1, "upf").text(2, "uid-1").text(3, "default");
    let namespaces = Message::new().number(1, NODE);
    let security = Message::new().message(1, namespaces);
    Message::new()
        .message(1, metadata)
        .text(3, "/var/log/pods")
        .map(7, &borrowed(&pod.annotations))
        .message(8, Message::new().message(2, security))
}

fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

/// One call: a message with five bytes before it, in and out; status and message follow as trailers
/// (gRPC over HTTP2, Requests and Responses).
fn call(machine: &Machine, method: &str, request: Message) -> Result<Vec<u8>, Refusal> {
    let (headers, response) = carry(machine, method, request).unwrap_or_else(|why| panic!("{method}: {why}"));
    answer(&headers, &response)
}

/// The headers and the body of what comes back.
fn carry(machine: &Machine, method: &str, request: Message) -> Result<(String, Vec<u8>), String> {
    const FILES: [&str; 3] = ["/root/request", "/root/response", "/root/headers"];
    let [sent, received, headers] = FILES;
    let request = request.encoded();
    let length = u32::try_from(request.len()).expect("a short request");
    let framed = [&[0], length.to_be_bytes().as_slice(), &request].concat();
    fs::write(machine.path(sent), framed).expect("writing a request");
    let url = format!("http://localhost/runtime.v1.{method}");
    let body = format!("@{sent}");
    let carried = machine.run(
        "curl",
        &[
            "--silent",
            "--show-error",
            "--http2-prior-knowledge",
            "--unix-socket",
            SOCKET,
            "--output",
            received,
            "--dump-header",
            headers,
            "--header",
            "content-type: application/grpc",
            "--header",
            "te: trailers",
            "--data-binary",
            &body,
            &url,
        ],
    );
    if !carried.status.success() {
        return Err(carried.stderr);
    }
    Ok((machine.read(headers), fs::read(machine.path(received)).unwrap_or_default()))
}

fn answer(headers: &str, response: &[u8]) -> Result<Vec<u8>, Refusal> {
    let header = |name: &str| headers.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(": "));
    let code = header("grpc-status").unwrap_or_else(|| panic!("no status: {headers}")).trim();
    let code: u32 = code.parse().expect("a number");
    if code == 0 {
        return Ok(response.get(5..).expect("a message").to_vec());
    }
    Err(Refusal { code, message: unescaped(header("grpc-message").unwrap_or_default().trim_end()) })
}

/// Bytes that are not plain are written as `%` and two hexadecimal digits.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (hex, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(hex, 16).expect("two hexadecimal digits"));
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).expect("text")
}
