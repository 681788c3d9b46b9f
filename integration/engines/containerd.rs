//! containerd, as its users drive it: with `ctr`, and as Kubernetes does.

use super::cri;
use super::machine::{Machine, soon};
use super::registry::{self, Digests, IMAGE, PAUSE};

/// Where Kubernetes keeps what is its own.
pub(super) const KUBERNETES: &str = "k8s.io";

/// A configuration as distributions ship it. Without the capability `CAP_SYS_RESOURCE`, as on some machines for tests,
/// containerd has to be told that it cannot protect its pods from the out-of-memory killer.
pub(super) const PLAIN: &str = "\
version = 2

[plugins.\"io.containerd.grpc.v1.cri\"]
  restrict_oom_score_adj = true
";

/// A machine on which containerd runs with a configuration, and has the images.
pub(super) fn started(configuration: &str) -> Option<(Machine, Digests)> {
    furnished(configuration, |_| ())
}

/// The same with what `install` does before the daemon starts.
pub(super) fn furnished(configuration: &str, install: impl FnOnce(&Machine)) -> Option<(Machine, Digests)> {
    let programs = ["containerd", "ctr", "runc"];
    let machine = Machine::with("containerd", &[&programs[..], &registry::PROGRAMS].concat())?;
    let digests = registry::serve(&machine);
    machine.write("/etc/containerd/config.toml", configuration);
    install(&machine);
    run(&machine);
    ctr(&machine, "default", &["images", "pull", "--plain-http", IMAGE]);
    for image in [IMAGE, PAUSE] {
        cri::pull(&machine, image);
    }
    ctr(&machine, KUBERNETES, &["images", "tag", PAUSE, &sandbox_image(&machine)]);
    Some((machine, digests))
}

/// The same with the wrapper as the runtime `oci-compat` of Kubernetes.
pub(super) fn with_runtime() -> Option<(Machine, Digests)> {
    furnished(PLAIN, |machine| drop(machine.succeed("oci-compat", &["install", "containerd"])))
}

/// Starts the daemon.
fn run(machine: &Machine) {
    machine.daemon("containerd", &[], &["ctr", "version"]);
    assert!(
        soon(|| cri::answers(machine)),
        "containerd without its CRI plugin: {}",
        machine.said_by("containerd")
    );
}

pub(super) fn ctr(machine: &Machine, namespace: &str, args: &[&str]) -> String {
    machine.succeed("ctr", &[&["--namespace", namespace], args].concat())
}

/// The image of the process that holds a pod together, as this version of containerd calls it.
pub(super) fn sandbox_image(machine: &Machine) -> String {
    let dump = machine.succeed("containerd", &["config", "dump"]);
    let value = |line: &str| {
        let (key, value) = line.trim().split_once(" = ")?;
        ["sandbox_image", "sandbox"].contains(&key).then(|| value.trim_matches(['"', '\'']).to_owned())
    };
    dump.lines().find_map(value).expect("a sandbox image")
}
