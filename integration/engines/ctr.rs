//! containerd as `ctr` drives it.

use std::fs;

use super::breakage;
use super::containerd::{self, ctr};
use super::demands::{demand_little, demand_too_much, ran, refused, starts};
use super::leftovers::leaves_nothing;
use super::machine::Machine;
use super::registry::{Digests, IMAGE};
use crate::runtimes::program::{Outcome, installed};
use crate::runtimes::runtime::skip;

const WRAPPER: &str = "/usr/local/bin/oci-compat-runtime";

const REFUSED: &str = "ctr: failed to create shim task: OCI runtime create failed: REFUSAL\n";

fn started() -> Option<(Machine, Digests)> {
    let (machine, digests) = containerd::started(containerd::PLAIN)?;
    let outcome = run(&machine);
    assert!(ran(&outcome), "{outcome:?}");
    Some((machine, digests))
}

fn run(machine: &Machine) -> Outcome {
    machine.run("ctr", &["run", "--rm", "--runc-binary", WRAPPER, IMAGE, "c1"])
}

#[test]
fn ctr_starts_what_fits_and_what_cannot_be_known() {
    let Some((machine, digests)) = started() else { return };
    starts(&machine, &digests, || run(&machine));
}

#[test]
fn ctr_shows_a_refusal_and_leaves_nothing() {
    let Some((machine, digests)) = started() else { return };
    let shown = refused(&machine, &digests, || run(&machine));
    assert_eq!(shown, REFUSED);
}

#[test]
fn ctr_starts_a_container_that_is_no_image_s() {
    let Some((machine, digests)) = started() else { return };
    demand_too_much(&machine, &digests.index);
    machine.succeed("umoci", &["unpack", "--image", "/root/images:pause", "/root/bundle"]);
    let options = ["run", "--rm", "--runc-binary", WRAPPER, "--rootfs", "/root/bundle/rootfs", "c1"];
    let outcome = machine.run("ctr", &[&options[..], &["/bin/sh", "-c", "echo ran"]].concat());
    assert!(ran(&outcome) && outcome.stderr.is_empty(), "{outcome:?}");
}

/// What the container brings costs so much that nothing else would be looked at within the deadline.
#[test]
fn work_that_a_container_brings_takes_nothing_away_from_what_its_image_demands() {
    let Some((machine, digests)) = started() else { return };
    demand_too_much(&machine, &digests.index);
    machine.write("/etc/oci-compat/config.toml", "deadline_ms = 1500\naction.malformed = \"start\"\n");
    let pattern = |it: u32| format!("\"([a-z0-9_]{{{it},990}}|(x|y){{{it},900}}z){{1,1}}$\"");
    let patterns: Vec<_> = (1..300).map(pattern).collect();
    let spec = format!(
        "version: v1alpha1\ncompatibilities: [{{rules: [{{name: r, matchFeatures: [{{feature: kernel.config, \
         matchName: {{op: InRegexp, value: [{}]}}}}]}}]}}]\n",
        patterns.join(", ")
    );
    let annotation = format!("org.oci-compat.spec={spec}");
    let outcome = machine
        .run("ctr", &["run", "--rm", "--runc-binary", WRAPPER, "--annotation", &annotation, IMAGE, "c1"]);
    assert_eq!((outcome.status.code(), outcome.stdout.as_str()), (Some(1), ""), "{outcome:?}");
    assert!(
        outcome.stderr.contains("oci-compat: refused: os-release ID is fresh, needs other [os-release"),
        "{outcome:?}"
    );
}

/// youki words its own failures otherwise, but a refusal is the wrapper's.
#[test]
fn ctr_starts_and_refuses_alike_where_youki_is_the_runtime() {
    let Some(youki) = installed("youki") else {
        return skip("youki", "not installed (run integration/setup youki)");
    };
    let Some((machine, digests)) = started() else { return };
    fs::copy(youki, machine.path("/usr/local/bin/youki")).expect("copying youki");
    machine.write("/etc/oci-compat/config.toml", "runtimes = [\"youki\"]\n");
    let shown = refused(&machine, &digests, || run(&machine));
    assert_eq!(shown, REFUSED);
    demand_little(&machine, &digests.index);
    let outcome = run(&machine);
    assert!(ran(&outcome), "{outcome:?}");
    let runtime = machine.succeed("readlink", &["/var/lib/oci-compat/runtime"]);
    assert_eq!(runtime, "/usr/local/bin/youki\n");
}

#[test]
fn ctr_drives_a_container_through_the_wrapper_whatever_is_broken() {
    let Some((machine, _)) = started() else { return };
    leaves_nothing(&machine, || {
        for breakage in breakage::ALL {
            let run = ["run", "--detach", "--runc-binary", WRAPPER, IMAGE, "c1", "/bin/sleep", "1000"];
            ctr(&machine, "default", &run);
            breakage.make(&machine);
            // Its status tells: what it prints is sometimes lost, as that of the first process.
            let exec = ["tasks", "exec", "--exec-id", "e1", "c1", "/bin/sh", "-c", "exit 3"];
            let outcome = machine.run("ctr", &exec);
            assert_eq!(outcome.status.code(), Some(3), "{outcome:?}");
            for command in [&["pause"][..], &["resume"], &["kill", "--signal", "KILL"]] {
                ctr(&machine, "default", &[&["tasks"], command, &["c1"]].concat());
            }
            ctr(&machine, "default", &["tasks", "delete", "--force", "c1"]);
            ctr(&machine, "default", &["containers", "delete", "c1"]);
        }
    });
}
