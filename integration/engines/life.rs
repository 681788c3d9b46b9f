//! An artifact's whole life: an author attaches it to an image in a registry, an operator pulls it, the network goes, and
//! each engine refuses the image for the right reason.

use super::demands::{unfit, without_refusal};
use super::machine::Machine;
use super::registry::{Digests, IMAGE};
use super::{containerd, docker, podman};

/// Attaches and pulls, ends the registry, and has an engine refuse the image.
fn check(machine: &Machine, digests: &Digests, run: &[&str]) {
    machine.write("/root/spec.yaml", &unfit());
    let attached = machine.succeed("oci-compat", &["attach", "--plain-http", IMAGE, "/root/spec.yaml"]);
    let artifact = attached.split(' ').nth(2).expect("a digest").to_owned();
    assert!(attached.contains(&format!(" to {}", digests.index)), "{attached}");
    machine.succeed("oci-compat", &["pull", "--plain-http", IMAGE]);
    let shown = machine.succeed("oci-compat", &["show", IMAGE]);
    assert!(shown.starts_with(&digests.index) && shown.contains("os-release ID: other"), "{shown}");
    machine.succeed("sh", &["-c", "kill $(pidof docker-registry)"]);
    let (program, args) = run.split_first().expect("a command");
    let outcome = machine.run(program, args);
    let (_, id) = without_refusal(&outcome.stderr);
    let why = machine.succeed("oci-compat", &["why", &id]);
    assert!(why.contains(&format!("spec attached {artifact}: unmet")), "{why}");
}

#[test]
fn docker_refuses_what_was_attached_and_pulled() {
    let Some((machine, digests)) = docker::plain() else { return };
    machine.succeed("oci-compat", &["install", "docker"]);
    let reload = "kill -HUP $(cat /var/run/docker.pid)";
    machine.succeed("sh", &["-c", reload]);
    let ready = || machine.run("docker", &["info"]).stdout.contains("oci-compat");
    assert!(super::machine::soon(ready), "dockerd did not reload");
    check(&machine, &digests, &["docker", "run", "--rm", "--network=none", "--runtime=oci-compat", IMAGE]);
}

#[test]
fn podman_refuses_what_was_attached_and_pulled() {
    let Some((machine, digests)) = podman::plain() else { return };
    machine.succeed("oci-compat", &["install", "podman"]);
    check(&machine, &digests, &["podman", "--runtime", "runc", "run", "--rm", "--network=none", IMAGE]);
}

#[test]
fn containerd_refuses_what_was_attached_and_pulled() {
    let Some((machine, digests)) = containerd::started(containerd::PLAIN) else { return };
    let wrapper = "/usr/local/bin/oci-compat-runtime";
    check(&machine, &digests, &["ctr", "run", "--rm", "--runc-binary", wrapper, IMAGE, "c1"]);
}
