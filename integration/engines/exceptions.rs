//! Waivers, annotations and the administrator's own requirements, from the configuration to what runc does.

use serde_json::json;

use super::demands::{CONFIGURATION, REQUIREMENTS, STORE, demand_too_much, require, without_refusal};
use super::leftovers::leaves_nothing;
use super::machine::Machine;
use super::registry::Digests;
use super::runc::{BOTH, By, started};
use crate::runtimes::program::Outcome;

fn assert_started(outcome: &Outcome) {
    assert!(outcome.status.success() && outcome.stdout == "ran\n", "{outcome:?}");
}

fn assert_refused(machine: &Machine, outcome: &Outcome) -> String {
    assert!(!outcome.status.success() && outcome.stdout.is_empty(), "{outcome:?}");
    without_refusal(&outcome.stderr);
    machine.succeed("oci-compat", &["why", "c1"])
}

/// The decisions that are logged, without their times; then none is.
fn logged(machine: &Machine) -> String {
    let log = machine.succeed("oci-compat", &["log"]);
    machine.succeed("rm", &["-rf", "/var/log/oci-compat"]);
    let list = log.lines().take_while(|it| !it.is_empty());
    list.map(|it| it.split_once(' ').expect("a time").1.to_owned() + "\n").collect()
}

fn waiver(image: &str, rule: &str) -> String {
    format!(
        "[[waiver]]\nrule = \"{rule}\"\nimage = \"{image}\"\nreason = \"the lab knows\"\nexpires = \"never\"\n"
    )
}

#[test]
fn a_waiver_lets_a_container_start_and_is_reported() {
    let Some((machine, digests)) = started() else { return };
    demand_too_much(&machine, &digests.index);
    for by in BOTH {
        machine.write(CONFIGURATION, &waiver(&digests.index, "distrib*"));
        let outcome = leaves_nothing(&machine, || by.run(&machine));
        assert_started(&outcome);
        let waived = "os-release ID is fresh, needs other [os-release; oci-compat why c1]";
        let said = match by {
            By::Hook => String::new(), // runc drops it
            By::Wrapper => format!(
                "oci-compat: warning: started by waiver: {waived}\n  rule distribution is waived without end at \
                 {CONFIGURATION}:1: the lab knows\n"
            ),
        };
        assert_eq!(outcome.stderr, said);
        assert_eq!(logged(&machine), format!("{}: warning: started by waiver: {waived}\n", digests.manifest));
        let why = machine.succeed("oci-compat", &["why", "c1"]);
        let told = "waived without end: os-release ID is fresh, needs other (rule distribution) [os-release]";
        assert!(why.contains(told) && why.contains("the lab knows"), "{why}");
        for other in [waiver(&digests.index, "other"), waiver("docker.io/acme/*", "distribution")] {
            machine.write(CONFIGURATION, &other);
            assert_refused(&machine, &leaves_nothing(&machine, || by.run(&machine)));
        }
        machine.succeed("rm", &["-rf", "/var/log/oci-compat"]);
    }
}

/// Annotations by which a container would be let off.
const LAX: [(&str, &str); 3] = [("incompatible", "start"), ("mode", "audit"), ("waive", "*")];

fn annotate(by: By, machine: &Machine, name: &str, value: &str) {
    by.edit(machine, |config| config["annotations"] = json!({format!("org.oci-compat.{name}"): value}));
}

#[test]
fn an_annotation_makes_nothing_less_strict_unless_the_policy_allows_it() {
    let Some((machine, digests)) = started() else { return };
    demand_too_much(&machine, &digests.manifest);
    for by in BOTH {
        for (name, value) in LAX {
            annotate(by, &machine, name, value);
            machine.succeed("rm", &["-rf", CONFIGURATION]);
            let why = assert_refused(&machine, &leaves_nothing(&machine, || by.run(&machine)));
            let said = format!(
                "annotation org.oci-compat.{name}={value} is not heeded: may_waive.images in the configuration does not have \
                 this image"
            );
            assert!(why.contains(&said), "{why}");
            machine.write(CONFIGURATION, &format!("may_waive.images = [\"{}\"]\n", digests.index));
            assert_started(&leaves_nothing(&machine, || by.run(&machine)));
        }
    }
}

#[test]
fn an_annotation_makes_a_check_stricter() {
    let Some((machine, digests)) = started() else { return };
    demand_too_much(&machine, &digests.index);
    machine.succeed("ln", &["-sf", "os-release", "/etc/os-release"]);
    for by in BOTH {
        assert_started(&by.run(&machine));
        annotate(by, &machine, "undecided", "refuse");
        let outcome = leaves_nothing(&machine, || by.run(&machine));
        assert!(!outcome.status.success() && outcome.stdout.is_empty(), "{outcome:?}");
        assert!(outcome.stderr.contains("oci-compat: refused: "), "{outcome:?}");
    }
    for by in BOTH {
        machine.succeed("rm", &["-f", "/etc/os-release"]);
        machine.write("/etc/os-release", "ID=fresh\n");
        machine.write(CONFIGURATION, "mode = \"audit\"\n");
        annotate(by, &machine, "mode", "enforce");
        assert_refused(&machine, &leaves_nothing(&machine, || by.run(&machine)));
    }
}

#[test]
fn the_administrator_s_own_requirements_hold_for_images_that_demand_nothing() {
    let Some((machine, Digests { index, manifest })) = started() else { return };
    machine.succeed("rm", &["-rf", STORE]);
    for by in BOTH {
        for image in [&index, &manifest, "*"] {
            require(&machine, image);
            let why = assert_refused(&machine, &leaves_nothing(&machine, || by.run(&machine)));
            assert!(
                why.contains("spec administrator /etc/oci-compat/requirements.d/own.toml: unmet"),
                "{why}"
            );
        }
        require(&machine, "docker.io/acme/*");
        assert_started(&leaves_nothing(&machine, || by.run(&machine)));
        machine.succeed("rm", &["-rf", REQUIREMENTS]);
        assert_started(&by.run(&machine));
    }
}
