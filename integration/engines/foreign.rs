//! An image without any spec whose program is for another machine, in each engine: refused with the reason, or, where nobody
//! looks, started as before, and then the kernel says no.

use super::machine::Machine;
use super::registry::IMAGE;
use super::{containerd, docker, podman};

const OFF: &str = "implicit.program = \"off\"\n";
/// What the kernel says of such a program.
const KERNEL_S: &str = "exec format error";

/// A folder with a program for SuperH, which no machine of these tests is.
const PROGRAM: &str = "mkdir -p /tmp/image
    printf '\\177ELF\\001\\001\\001\\000\\000\\000\\000\\000\\000\\000\\000\\000\\002\\000\\052\\000' >/tmp/image/app
    chmod 0755 /tmp/image/app";

#[test]
fn podman_refuses_an_image_for_another_machine() {
    let Some((machine, _)) = podman::plain() else { return };
    machine.succeed("oci-compat", &["install", "podman"]);
    build(&machine, "podman");
    check(&machine, "podman", &["--runtime", "runc", "run", "--rm", "--network=none", "foreign"]);
}

#[test]
fn docker_refuses_an_image_for_another_machine() {
    let install =
        |machine: &Machine| drop(machine.succeed("oci-compat", &["install", "docker", "--default"]));
    let Some((machine, _)) = docker::furnished(install) else { return };
    build(&machine, "DOCKER_BUILDKIT=0 docker");
    check(&machine, "docker", &["run", "--rm", "--network=none", "foreign"]);
}

#[test]
fn ctr_refuses_a_program_for_another_machine() {
    let Some((machine, _)) = containerd::started(containerd::PLAIN) else { return };
    machine.succeed("sh", &["-euc", PROGRAM]);
    let wrapper = "/usr/local/bin/oci-compat-runtime";
    check(
        &machine,
        "ctr",
        &["run", "--rm", "--runc-binary", wrapper, "--rootfs", "/tmp/image", "c1", "/app"],
    );
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
