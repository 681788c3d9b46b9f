//! Podman, with each of the runtimes that it knows.

use super::leftovers::leaves_nothing;
use super::machine::Machine;
use super::registry::{self, IMAGE};
use crate::runtimes::program::Outcome;

/// Those of a distribution's machine that cannot raise its own limits; see `default_ulimits` in containers.conf(5).
const CONFIGURATION: &str = "[containers]\ndefault_ulimits = []\n";

/// A machine on which Podman has the image, and has run it once: some folders stay from then on.
fn started() -> Option<Machine> {
    let programs = ["podman", "conmon", "runc", "crun"];
    let machine = Machine::with("podman", &[&programs[..], &registry::PROGRAMS].concat())?;
    registry::serve(&machine);
    machine.write("/etc/containers/containers.conf", CONFIGURATION);
    machine.succeed("podman", &["pull", "--quiet", "--tls-verify=false", IMAGE]);
    machine.succeed("podman", &["run", "--rm", "--network=none", IMAGE]);
    Some(machine)
}

fn run(machine: &Machine, runtime: &str, options: &[&str]) -> Outcome {
    machine.run(
        "podman",
        &[&["--runtime", runtime, "run", "--rm", "--network=none"], options, &[IMAGE]].concat(),
    )
}

#[test]
fn podman_runs_a_container_and_leaves_nothing() {
    let Some(machine) = started() else { return };
    for runtime in ["runc", "crun"] {
        run(&machine, runtime, &[]);
        let outcome = leaves_nothing(&machine, || run(&machine, runtime, &[]));
        assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("ran\n", ""));
    }
}
