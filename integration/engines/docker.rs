//! Docker: its daemon, and the command that talks to it.

use super::leftovers::leaves_nothing;
use super::machine::Machine;
use super::registry::{self, IMAGE};
use crate::runtimes::program::Outcome;

/// Without a network to set up. Its storage is that of every fresh installation.
const OPTIONS: [&str; 3] = ["--iptables=false", "--ip6tables=false", "--bridge=none"];

/// A machine on which Docker has the image, and has run it once: some folders stay from then on.
fn started() -> Option<Machine> {
    let machine = Machine::with(
        "docker",
        &[&["dockerd", "docker", "containerd", "runc"], &registry::PROGRAMS[..]].concat(),
    )?;
    registry::serve(&machine);
    start(&machine);
    machine.succeed("docker", &["pull", "--quiet", IMAGE]);
    machine.succeed("docker", &["run", "--rm", "--network=none", IMAGE]);
    Some(machine)
}

/// Starts the daemon.
fn start(machine: &Machine) {
    machine.daemon("dockerd", &OPTIONS, &["docker", "version"]);
}

fn run(machine: &Machine, options: &[&str]) -> Outcome {
    machine.run("docker", &[&["run", "--rm", "--network=none"], options, &[IMAGE]].concat())
}

#[test]
fn docker_runs_a_container_and_leaves_nothing() {
    let Some(machine) = started() else { return };
    let outcome = leaves_nothing(&machine, || run(&machine, &[]));
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("ran\n", ""));
}
