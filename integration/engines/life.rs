//! An artifact's whole life: an author attaches it to an image in a registry, an operator pulls it, the network goes, and
//! each engine refuses the image for the right reason.

use super::demands::{unfit, without_refusal};
use super::machine::{Machine, soon};
use super::registry::{Digests, IMAGE};
use super::{containerd, docker, podman};

/// How each engine is asked to start the image with the check.
pub(super) const DOCKER: [&str; 6] =
    ["docker", "run", "--rm", "--network=none", "--runtime=oci-compat", IMAGE];
pub(super) const PODMAN: [&str; 7] = ["podman", "--runtime", "runc", "run", "--rm", "--network=none", IMAGE];
pub(super) const CTR: [&str; 7] =
    ["ctr", "run", "--rm", "--runc-binary", "/usr/local/bin/oci-compat-runtime", IMAGE, "c1"];

/// Attaches and pulls, ends the registry, and has an engine refuse the image.
fn check(machine: &Machine, digests: &Digests, run: &[&str]) {
    let artifact = attach(machine, IMAGE, &digests.index, &[]);
    machine.succeed("oci-compat", &["pull", "--plain-http", IMAGE]);
    let shown = machine.succeed("oci-compat", &["show", IMAGE]);
    assert!(shown.starts_with(&digests.index) && shown.contains("os-release ID: other"), "{shown}");
    disconnect(machine);
    refuses(machine, &artifact, run);
}

/// Attaches what the machine does not fit; the artifact's digest.
pub(super) fn attach(machine: &Machine, image: &str, subject: &str, options: &[&str]) -> String {
    machine.write("/root/spec.yaml", &unfit());
    let attach = ["attach", "--plain-http", image, "/root/spec.yaml"];
    let attached = machine.succeed("oci-compat", &[&attach[..], options].concat());
    assert!(attached.contains(&format!(" to {subject}")), "{attached}");
    attached.split(' ').nth(2).expect("a digest").to_owned()
}

/// Ends all registries.
pub(super) fn disconnect(machine: &Machine) {
    machine.succeed("sh", &["-c", "kill $(pidof docker-registry)"]);
}

/// The engine refuses the image because of this artifact.
pub(super) fn refuses(machine: &Machine, artifact: &str, run: &[&str]) {
    let (program, args) = run.split_first().expect("a command");
    let outcome = machine.run(program, args);
    let (_, id) = without_refusal(&outcome.stderr);
    let why = machine.succeed("oci-compat", &["why", &id]);
    assert!(why.contains(&format!("spec attached {artifact}: unmet")), "{why}");
}

/// A machine on which Docker knows the wrapper, and has the image.
pub(super) fn with_docker() -> Option<(Machine, Digests)> {
    let (machine, digests) = docker::plain()?;
    machine.succeed("oci-compat", &["install", "docker"]);
    machine.succeed("sh", &["-c", "kill -HUP $(cat /var/run/docker.pid)"]);
    let ready = || machine.run("docker", &["info"]).stdout.contains("oci-compat");
    assert!(soon(ready), "dockerd did not reload");
    Some((machine, digests))
}

/// A machine on which Podman has the hook, and the image.
pub(super) fn with_podman() -> Option<(Machine, Digests)> {
    let (machine, digests) = podman::plain()?;
    machine.succeed("oci-compat", &["install", "podman"]);
    Some((machine, digests))
}

#[test]
fn docker_refuses_what_was_attached_and_pulled() {
    let Some((machine, digests)) = with_docker() else { return };
    check(&machine, &digests, &DOCKER);
}

#[test]
fn podman_refuses_what_was_attached_and_pulled() {
    let Some((machine, digests)) = with_podman() else { return };
    check(&machine, &digests, &PODMAN);
}

#[test]
fn containerd_refuses_what_was_attached_and_pulled() {
    let Some((machine, digests)) = containerd::started(containerd::PLAIN) else { return };
    check(&machine, &digests, &CTR);
}
