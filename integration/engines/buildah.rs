//! buildah, which runs commands in containers of its own that are no image's.

use super::machine::Machine;
use super::registry::{self, Digests, IMAGE};
use crate::runtimes::program::Outcome;

/// A machine with a working container, in which a command has run once; its name.
fn started() -> Option<(Machine, Digests, String)> {
    let machine = Machine::with("buildah", &[&["buildah", "runc"], &registry::PROGRAMS[..]].concat())?;
    let digests = registry::serve(&machine);
    let name = machine.succeed("buildah", &["from", "--quiet", "--tls-verify=false", IMAGE]);
    let name = name.trim_end().to_owned();
    run(&machine, &name);
    Some((machine, digests, name))
}

fn run(machine: &Machine, container: &str) -> Outcome {
    let options =
        ["run", "--runtime", "/usr/local/bin/oci-compat-runtime", "--isolation", "oci", "--network", "none"];
    machine.run("buildah", &[&options[..], &[container, "--", "/bin/sh", "-c", "echo ran"]].concat())
}

/// A command of a build is not a run of the image that it begins with: what the image demands is not demanded here.
#[test]
fn buildah_runs_commands_whatever_the_image_would_demand() {
    let Some((machine, digests, name)) = started() else { return };
    super::demands::demand_too_much(&machine, &digests.index);
    let outcome = super::leftovers::leaves_nothing(&machine, || run(&machine, &name));
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("ran\n", ""));
}

#[test]
fn buildah_s_commands_are_checked_where_the_administrator_wants_it() {
    let Some((machine, _, name)) = started() else { return };
    super::demands::require(&machine, "*");
    assert_eq!(run(&machine, &name).stdout, "ran\n");
    machine.write("/etc/oci-compat/config.toml", "builds = \"check\"\n");
    let outcome = run(&machine, &name);
    assert!(outcome.stderr.contains("oci-compat: refused: "), "{outcome:?}");
}
