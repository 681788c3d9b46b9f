//! buildah, which runs commands in containers of its own that no other engine knows.

use super::leftovers::leaves_nothing;
use super::machine::Machine;
use super::registry::{self, IMAGE};
use crate::runtimes::program::Outcome;

/// A machine with a working container, in which a command has run once; its name.
fn started() -> Option<(Machine, String)> {
    let machine = Machine::with("buildah", &[&["buildah", "runc"], &registry::PROGRAMS[..]].concat())?;
    registry::serve(&machine);
    let name = machine.succeed("buildah", &["from", "--quiet", "--tls-verify=false", IMAGE]);
    let name = name.trim_end().to_owned();
    run(&machine, &name, "runc");
    Some((machine, name))
}

fn run(machine: &Machine, container: &str, runtime: &str) -> Outcome {
    machine.run(
        "buildah",
        &[
            "run",
            "--runtime",
            runtime,
            "--isolation",
            "oci",
            "--network",
            "none",
            container,
            "--",
            "/bin/sh",
            "-c",
            "echo ran",
        ],
    )
}

#[test]
fn buildah_runs_a_command_and_leaves_nothing() {
    let Some((machine, name)) = started() else { return };
    let outcome = leaves_nothing(&machine, || run(&machine, &name, "runc"));
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("ran\n", ""));
}
