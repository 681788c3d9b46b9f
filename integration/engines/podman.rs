//! Podman, with each of the runtimes that it knows.

use super::demands::{demand_too_much, refused, starts};
use super::leftovers::leaves_nothing;
use super::machine::Machine;
use super::registry::{self, Digests, IMAGE};
use crate::runtimes::program::Outcome;

/// Those of a distribution's machine that cannot raise its own limits; see `default_ulimits` in containers.conf(5).
pub(super) const CONFIGURATION: &str = "[containers]\ndefault_ulimits = []\npids_limit = 0\n";

pub(super) const PROGRAMS: [&str; 4] = ["podman", "conmon", "runc", "crun"];

/// A machine on which Podman has the image, with the hook or the wrapper, and has run it once: some folders stay from then
/// on.
fn started(install: &[&str]) -> Option<(Machine, Digests)> {
    let (machine, digests) = plain()?;
    machine.succeed("oci-compat", &[&["install", "podman"], install].concat());
    for runtime in ["runc", "crun"] {
        assert_eq!(run(&machine, runtime).stdout, "ran\n");
    }
    Some((machine, digests))
}

/// A machine on which Podman has the image, and nothing of ours.
pub(super) fn plain() -> Option<(Machine, Digests)> {
    let machine = Machine::with("podman", &[&PROGRAMS[..], &registry::PROGRAMS].concat())?;
    let digests = registry::serve(&machine);
    machine.write("/etc/containers/containers.conf", CONFIGURATION);
    machine.succeed("podman", &["pull", "--quiet", "--tls-verify=false", IMAGE]);
    Some((machine, digests))
}

fn run(machine: &Machine, runtime: &str) -> Outcome {
    machine.run("podman", &["--runtime", runtime, "run", "--rm", "--network=none", IMAGE])
}

#[test]
fn podman_s_hook_starts_what_fits_and_what_cannot_be_known() {
    let Some((machine, digests)) = started(&[]) else { return };
    for runtime in ["runc", "crun"] {
        starts(&machine, &digests, || run(&machine, runtime));
    }
}

/// A step of a build is no start of an image, not even where everything is demanded of every container.
#[test]
fn podman_builds_whatever_every_container_would_demand() {
    let Some((machine, _)) = started(&["--wrapper", "--default"]) else { return };
    super::demands::require(&machine, "*");
    let script = format!(
        "mkdir -p /var/empty; printf 'FROM {IMAGE}\\nRUN echo built\\n' > /var/empty/Dockerfile
        podman build --isolation=oci --network=none --no-cache --ulimit=nofile=64:64 --ulimit=nproc=64:64 /var/empty"
    );
    let build = || machine.run("sh", &["-euc", &script]);
    let outcome = build();
    assert!(outcome.status.success() && outcome.stdout.contains("built\n"), "{outcome:?}");
    machine.write("/etc/oci-compat/config.toml", "builds = \"check\"\n");
    let outcome = build();
    assert!(outcome.stderr.contains("oci-compat: refused: "), "{outcome:?}");
}

#[test]
fn podman_shows_a_hook_s_refusal_as_the_runtime_words_it() {
    let Some((machine, digests)) = started(&[]) else { return };
    let shown = refused(&machine, &digests, || run(&machine, "runc"));
    let said = "Error: OCI runtime error: runc: runc create failed: unable to start container process: error during \
                container init: error running hook #0: error running hook: exit status 78, stdout: , stderr: REFUSAL\n";
    assert_eq!(shown.replace("createRuntime hook #0:", "hook #0: error running hook:"), said);
    let shown = refused(&machine, &digests, || run(&machine, "crun"));
    let said = "Error: OCI runtime error: crun: REFUSAL\nerror executing hook \
                `/usr/local/libexec/oci/hooks.d/oci-compat-hook` (exit code: 78)\n";
    assert_eq!(shown.replace("running createRuntime hook #1: ", "executing hook "), said);
}

#[test]
fn podman_s_wrapper_starts_what_fits_and_what_cannot_be_known() {
    let Some((machine, digests)) = started(&["--wrapper"]) else { return };
    starts(&machine, &digests, || run(&machine, "oci-compat"));
}

#[test]
fn podman_shows_the_wrapper_s_refusal_whatever_the_runtime() {
    let Some((machine, digests)) = started(&["--wrapper"]) else { return };
    for real in ["runc", "crun"] {
        machine.write("/etc/oci-compat/config.toml", &format!("runtimes = [\"{real}\"]\n"));
        let shown = refused(&machine, &digests, || run(&machine, "oci-compat"));
        assert_eq!(shown, "Error: OCI runtime error: oci-compat: REFUSAL\n");
    }
}

#[test]
fn podman_starts_a_container_that_is_no_image_s() {
    let Some((machine, digests)) = started(&["--wrapper"]) else { return };
    demand_too_much(&machine, &digests.index);
    machine.succeed("umoci", &["unpack", "--image", "/root/images:pause", "/root/bundle"]);
    let options =
        ["--runtime", "oci-compat", "run", "--rm", "--network=none", "--rootfs", "/root/bundle/rootfs"];
    let outcome = machine.run("podman", &[&options[..], &["/bin/sh", "-c", "echo ran"]].concat());
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("ran\n", ""));
}

#[test]
fn podman_drives_a_container_through_the_wrapper_whatever_is_broken() {
    let Some((machine, _)) = started(&["--wrapper", "--default"]) else { return };
    let podman = |args: &[&str]| machine.succeed("podman", args);
    let act = || {
        podman(&[
            "run",
            "--detach",
            "--name",
            "c1",
            "--network=none",
            "--entrypoint",
            "/bin/sleep",
            IMAGE,
            "1000",
        ]);
        for breakage in super::breakage::ALL {
            breakage.make(&machine);
            assert_eq!(podman(&["exec", "c1", "/bin/sh", "-c", "echo here"]), "here\n");
            podman(&["pause", "c1"]);
            podman(&["unpause", "c1"]);
            podman(&["kill", "c1"]);
            podman(&["wait", "c1"]);
            podman(&["start", "c1"]);
        }
        podman(&["rm", "--force", "--time", "0", "c1"]);
    };
    act();
    leaves_nothing(&machine, act);
}

/// So `docs/hooks.md` says: Podman leaves out a hook file whose program is not there.
#[test]
fn podman_starts_what_is_unfit_once_the_hook_is_gone() {
    let Some((machine, digests)) = started(&[]) else { return };
    demand_too_much(&machine, &digests.index);
    assert!(!run(&machine, "crun").status.success());
    std::fs::remove_file(machine.path("/usr/local/libexec/oci/hooks.d/oci-compat-hook"))
        .expect("removing a program");
    for runtime in ["runc", "crun"] {
        let outcome = run(&machine, runtime);
        assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("ran\n", ""));
    }
}
