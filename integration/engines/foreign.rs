//! Images without any spec, in each engine: a program for another machine, and a CUDA image that is given a GPU where there is no
//! driver. They are refused with the reason. Where the policy turns the check off, they start as before.

use std::path::Path;

use super::machine::Machine;
use super::registry::IMAGE;
use super::{containerd, docker, podman};
use crate::runtimes::runtime::skip;

const OFF: &str = "implicit.program = \"off\"\n";
/// What the kernel says of such a program.
const KERNEL_S: &str = "exec format error";

/// A folder with a program for SuperH, which no machine of these tests is.
const PROGRAM: &str = "mkdir -p /tmp/image
    printf '\\177ELF\\001\\001\\001\\000\\000\\000\\000\\000\\000\\000\\000\\000\\002\\000\\052\\000' >/tmp/image/app
    chmod 0755 /tmp/image/app";

#[test]
fn podman_refuses_what_cannot_run_without_a_spec() {
    let Some((machine, _)) = podman::plain() else { return };
    machine.succeed("oci-compat", &["install", "podman"]);
    build(&machine, "podman");
    check_gpu(&machine, "podman", &["--runtime", "runc", "run", "--rm", "--network=none"], &[]);
    check(&machine, "podman", &["--runtime", "runc", "run", "--rm", "--network=none", "foreign"]);
}

#[test]
fn docker_refuses_what_cannot_run_without_a_spec() {
    let install =
        |machine: &Machine| drop(machine.succeed("oci-compat", &["install", "docker", "--default"]));
    let Some((machine, _)) = docker::furnished(install) else { return };
    build(&machine, "DOCKER_BUILDKIT=0 docker");
    check_gpu(&machine, "docker", &["run", "--rm", "--network=none"], &[]);
    check(&machine, "docker", &["run", "--rm", "--network=none", "foreign"]);
}

#[test]
fn ctr_refuses_what_cannot_run_without_a_spec() {
    let Some((machine, _)) = containerd::started(containerd::PLAIN) else { return };
    machine.succeed("sh", &["-euc", PROGRAM]);
    let wrapper = "/usr/local/bin/oci-compat-runtime";
    check(
        &machine,
        "ctr",
        &["run", "--rm", "--runc-binary", wrapper, "--rootfs", "/tmp/image", "c1", "/app"],
    );
}

/// Somebody chose a GPU for a CUDA image.
fn check_gpu(machine: &Machine, engine: &str, run: &[&str], id: &[&str]) {
    if ["/proc/driver/nvidia", "/dev/dxg", "/etc/nv_tegra_release"].iter().any(|it| Path::new(it).exists()) {
        return skip("a host without GPU", "this machine has a GPU of NVIDIA's");
    }
    let variables = ["--env=NVIDIA_REQUIRE_CUDA=cuda>=12.4", "--env=NVIDIA_VISIBLE_DEVICES=0", IMAGE];
    let run = [run, &variables, id].concat();
    let outcome = machine.run(engine, &run);
    let reason = "oci-compat: refused: the image needs CUDA 12.4 or newer, and this host has no NVIDIA driver: install driver 525 or \
                  newer [nvidia-require; oci-compat why ";
    assert!(!outcome.status.success() && outcome.stderr.contains(reason), "{outcome:?}");
    machine.write("/etc/oci-compat/config.toml", "implicit.nvidia = \"off\"\n");
    assert_eq!(machine.run(engine, &run).stdout, "ran\n");
}

/// Nothing is run for that.
fn build(machine: &Machine, engine: &str) {
    let script = format!(
        "{PROGRAM}
        printf 'FROM {IMAGE}\\nCOPY app /app\\nENTRYPOINT [\"/app\"]\\nCMD []\\n' >/tmp/image/Dockerfile
        {engine} build --tag foreign /tmp/image"
    );
    machine.succeed("sh", &["-euc", &script]);
}

fn check(machine: &Machine, engine: &str, run: &[&str]) {
    let host = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86-64" };
    // The machine's distribution is made up, and so no package is named.
    let reason = format!(
        "oci-compat: refused: /app is for sh4; this host is {host}, and no binfmt handler for sh4 is enabled \
         [program-architecture; oci-compat why "
    );
    let outcome = machine.run(engine, run);
    assert!(!outcome.status.success() && outcome.stderr.contains(&reason), "{outcome:?}");
    machine.write("/etc/oci-compat/config.toml", OFF);
    let outcome = machine.run(engine, run);
    let said = outcome.stderr.to_lowercase();
    assert!(said.contains(KERNEL_S) && !said.contains("oci-compat"), "{outcome:?}");
}
