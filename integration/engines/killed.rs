//! The wrapper killed in the middle of a check: the engine reports a failure, nothing is left, and the next container starts.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::demands::{demand_little, demand_too_much};
use super::leftovers::leaves_nothing;
use super::machine::{Machine, packaged};
use super::registry::{Digests, IMAGE};
use super::{containerd, podman};
use crate::runtimes::program::Outcome;
use crate::runtimes::runtime::skip;

/// In place of the wrapper: kills it when it opens its file of a certain number.
const KILLED: &str = "/usr/local/bin/oci-compat-killed";
const NUMBER: &str = "/root/number";

/// Among the first dozen are configuration, bundle, store, image, facts and report.
const FILES: std::ops::RangeInclusive<u32> = 1..=12;

#[test]
fn containerd_survives_a_killed_wrapper() {
    if packaged("strace").is_none() {
        return skip(
            "containerd",
            "strace, which kills the wrapper, is not installed (run integration/setup test)",
        );
    }
    let Some((machine, digests)) = containerd::started(containerd::PLAIN) else { return };
    survives(&machine, &digests, |wrapper| {
        machine.run("ctr", &["run", "--rm", "--runc-binary", wrapper, IMAGE, "c1"])
    });
}

#[test]
fn podman_survives_a_killed_wrapper() {
    if packaged("strace").is_none() {
        return skip(
            "podman",
            "strace, which kills the wrapper, is not installed (run integration/setup test)",
        );
    }
    let Some((machine, digests)) = podman::plain() else { return };
    survives(&machine, &digests, |wrapper| {
        machine.run("podman", &["--runtime", wrapper, "run", "--rm", "--network=none", IMAGE])
    });
}

fn survives(machine: &Machine, digests: &Digests, run: impl Fn(&str) -> Outcome) {
    const WRAPPER: &str = "/usr/local/bin/oci-compat-runtime";
    let script = format!(
        "#!/bin/sh\ncase \" $* \" in *' create '*) ;; *) exec {WRAPPER} \"$@\" ;; esac\n\
         exec strace -o /dev/null -e inject=openat,openat2:signal=KILL:when=$(cat {NUMBER}) {WRAPPER} \"$@\"\n"
    );
    machine.write(KILLED, &script);
    fs::set_permissions(machine.path(KILLED), fs::Permissions::from_mode(0o755)).expect("a mode");
    demand_little(machine, &digests.index);
    assert_eq!(run(WRAPPER).stdout, "ran\n");
    // Should the wrapper have opened all its files before, it refuses: the runtime itself is never killed.
    demand_too_much(machine, &digests.index);
    let mut killed = 0;
    for number in FILES {
        machine.write(NUMBER, &number.to_string());
        let outcome = leaves_nothing(machine, || run(KILLED));
        assert!(!outcome.status.success() && outcome.stdout.is_empty(), "{number}: {outcome:?}");
        killed += u32::from(!outcome.stderr.contains("oci-compat: refused: "));
    }
    assert!(killed > 3, "only {killed} were killed");
    demand_little(machine, &digests.index);
    let outcome = leaves_nothing(machine, || run(WRAPPER));
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("ran\n", ""));
}
