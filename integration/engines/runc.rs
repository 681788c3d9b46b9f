//! runc, with bundles that umoci has unpacked: one whose hook checks, and one that is given to the wrapper.

use std::fs;

use serde_json::Value;

use super::demands::{demand_too_much, refused, starts, starts_unknown};
use super::leftovers::leaves_nothing;
use super::machine::Machine;
use super::page::undressed;
use super::registry::{self, Digests};
use crate::runtimes::program::Outcome;

/// Who checks a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Hook,
    Wrapper,
}

pub(super) const BOTH: [By; 2] = [By::Hook, By::Wrapper];

/// What runc says of a hook that has ended badly, before the words of its own version.
const HOOK_FAILED: &str = "runc run failed: unable to start container process: error during container init: error running hook #0: ";

/// A machine with both bundles, on which each has run once: some folders stay from then on.
pub(super) fn started() -> Option<(Machine, Digests)> {
    let machine = Machine::with("runc", &[&["runc"], &registry::PROGRAMS[..]].concat())?;
    let digests = registry::serve(&machine);
    for by in BOTH {
        machine.succeed("umoci", &["unpack", "--image", "/root/images:upf", by.bundle()]);
        by.edit(&machine, |config| config["process"]["terminal"] = false.into());
    }
    machine.succeed("oci-compat", &["install", "runc", "--bundle", By::Hook.bundle()]);
    for by in BOTH {
        assert_eq!(by.run(&machine).stdout, "ran\n");
    }
    Some((machine, digests))
}

impl By {
    pub(super) fn bundle(self) -> &'static str {
        match self {
            Self::Hook => "/root/hooked",
            Self::Wrapper => "/root/wrapped",
        }
    }

    pub(super) fn run(self, machine: &Machine) -> Outcome {
        let program = match self {
            Self::Hook => "runc",
            Self::Wrapper => "/usr/local/bin/oci-compat-runtime",
        };
        machine.run(program, &["run", "--bundle", self.bundle(), "c1"])
    }

    /// Changes the bundle's configuration.
    pub(super) fn edit(self, machine: &Machine, change: impl FnOnce(&mut Value)) {
        let file = format!("{}/config.json", self.bundle());
        let mut config = serde_json::from_str(&machine.read(&file)).expect("a configuration");
        change(&mut config);
        machine.write(&file, &config.to_string());
    }
}

#[test]
fn runc_starts_what_fits_and_what_cannot_be_known() {
    let Some((machine, digests)) = started() else { return };
    for by in BOTH {
        starts(&machine, &digests, || by.run(&machine));
    }
}

#[test]
fn runc_shows_a_hook_s_refusal_and_the_wrapper_s_and_leaves_nothing() {
    let Some((machine, digests)) = started() else { return };
    let shown = undressed(&refused(&machine, &digests, || By::Hook.run(&machine)));
    let said = format!("{HOOK_FAILED}error running hook: exit status 78, stdout: , stderr: REFUSAL\n");
    assert_eq!(shown, said);
    assert_eq!(refused(&machine, &digests, || By::Wrapper.run(&machine)), "REFUSAL\n");
}

#[test]
fn runc_starts_a_container_whose_image_cannot_be_found_out() {
    let Some((machine, digests)) = started() else { return };
    for by in BOTH {
        let evidence = format!("{}/umoci.json", by.bundle());
        fs::remove_file(machine.path(&evidence)).expect("removing what umoci has left");
        let why = "image unknown: the bundle is of no engine that is known, and has no umoci.json";
        starts_unknown(&machine, &digests, why, || by.run(&machine));
    }
}

#[test]
fn runc_starts_no_container_with_a_damaged_umoci_json() {
    let Some((machine, digests)) = started() else { return };
    demand_too_much(&machine, &digests.index);
    for by in BOTH {
        machine.write(&format!("{}/umoci.json", by.bundle()), "[]");
        let outcome = leaves_nothing(&machine, || by.run(&machine));
        let said = format!(
            "oci-compat: refused: image unknown: reading {}/umoci.json: it is not a JSON object [container-trouble; \
             oci-compat why c1]",
            by.bundle()
        );
        assert!(outcome.stdout.is_empty() && outcome.stderr.contains(&said), "{outcome:?}");
    }
}
