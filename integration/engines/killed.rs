//! The check killed in the middle: the engine reports a failure, nothing is left, and the next container starts.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::demands::{demand_little, demand_too_much, ran};
use super::leftovers::leaves_nothing;
use super::machine::{Machine, packaged};
use super::registry::{Digests, IMAGE};
use super::runc::{self, By};
use super::{containerd, cri, docker, podman};
use crate::runtimes::program::Outcome;
use crate::runtimes::runtime::skip;

/// In place of the wrapper, and of the hook: kills it when it opens its file of a certain number, if there is a number.
const KILLED: &str = "/usr/local/bin/oci-compat-runtime-killed";
const KILLED_HOOK: &str = "/usr/local/bin/oci-compat-hook-killed";
const NUMBER: &str = "/root/number";

const WRAPPER: &str = "/usr/local/bin/oci-compat-runtime";
const HOOK: &str = "/usr/local/libexec/oci/hooks.d/oci-compat-hook";

/// Among the first dozen are configuration, bundle, store, image, facts and report.
const FILES: std::ops::RangeInclusive<u32> = 1..=12;

/// Whether anything can be killed.
fn can_kill(engine: &str) -> bool {
    let installed = packaged("strace").is_some();
    if !installed {
        skip(engine, "strace, which kills the wrapper, is not installed (run integration/setup test)");
    }
    installed
}

/// Places both scripts.
fn place(machine: &Machine) {
    let creations = "case \" $* \" in *' create '* | *' run '*) ;; *) exec PROGRAM \"$@\" ;; esac\n";
    for (script, program, only) in [(KILLED, WRAPPER, creations), (KILLED_HOOK, HOOK, "")] {
        let text = format!(
            "#!/bin/sh\n[ -e {NUMBER} ] || exec PROGRAM \"$@\"\n{only}\
             exec strace -o /dev/null -e inject=openat,openat2:signal=KILL:when=$(cat {NUMBER}) PROGRAM \"$@\"\n"
        );
        machine.write(script, &text.replace("PROGRAM", program));
        fs::set_permissions(machine.path(script), fs::Permissions::from_mode(0o755)).expect("a mode");
    }
}

#[test]
fn ctr_survives_a_killed_wrapper() {
    if !can_kill("containerd") {
        return;
    }
    let Some((machine, digests)) = containerd::furnished(containerd::PLAIN, place) else { return };
    let run = || machine.run("ctr", &["run", "--rm", "--runc-binary", KILLED, IMAGE, "c1"]);
    survives(&machine, &digests, |number| armed(&machine, number, || said(run())));
}

/// The pod is there before, and ends after.
#[test]
fn kubernetes_survives_a_killed_wrapper() {
    if !can_kill("containerd") {
        return;
    }
    let install = |machine: &Machine| {
        place(machine);
        machine.succeed("oci-compat", &["install", "containerd", "--program", KILLED]);
    };
    let Some((machine, digests)) = containerd::furnished(containerd::PLAIN, install) else { return };
    survives(&machine, &digests, |number| {
        let pod = cri::run_pod(&machine, "oci-compat", &[]);
        let container = cri::create(&machine, &pod, IMAGE, &["/bin/sleep", "1000"]);
        let started = armed(&machine, number, || cri::start(&machine, &container));
        cri::remove_pod(&machine, &pod);
        started.map_err(|refusal| refusal.message)
    });
}

#[test]
fn docker_survives_a_killed_wrapper() {
    if !can_kill("docker") {
        return;
    }
    let install = |machine: &Machine| {
        place(machine);
        machine.succeed("oci-compat", &["install", "docker", "--default", "--program", KILLED]);
    };
    let Some((machine, digests)) = docker::furnished(install) else { return };
    let run = || machine.run("docker", &["run", "--rm", "--network=none", IMAGE]);
    survives(&machine, &digests, |number| armed(&machine, number, || said(run())));
}

#[test]
fn podman_survives_a_killed_wrapper() {
    if !can_kill("podman") {
        return;
    }
    let Some((machine, digests)) = podman::plain() else { return };
    place(&machine);
    let run = || machine.run("podman", &["--runtime", KILLED, "run", "--rm", "--network=none", IMAGE]);
    survives(&machine, &digests, |number| armed(&machine, number, || said(run())));
}

#[test]
fn runc_survives_a_killed_wrapper_and_a_killed_hook() {
    if !can_kill("runc") {
        return;
    }
    let Some((machine, digests)) = runc::started() else { return };
    place(&machine);
    By::Hook.edit(&machine, |config| config["hooks"]["createRuntime"][0]["path"] = KILLED_HOOK.into());
    for (program, by) in [(KILLED, By::Wrapper), ("runc", By::Hook)] {
        let run = || machine.run(program, &["run", "--bundle", by.bundle(), "c1"]);
        survives(&machine, &digests, |number| armed(&machine, number, || said(run())));
    }
}

/// Runs what starts a container, with a number in place.
fn armed<T>(machine: &Machine, number: Option<u32>, run: impl FnOnce() -> T) -> T {
    if let Some(number) = number {
        machine.write(NUMBER, &number.to_string());
    }
    let result = run();
    machine.succeed("rm", &["-f", NUMBER]);
    result
}

/// What was said about a container that did not start.
fn said(outcome: Outcome) -> Result<(), String> {
    if outcome.status.success() {
        assert!(ran(&outcome) && outcome.stderr.is_empty(), "{outcome:?}");
        return Ok(());
    }
    assert_eq!(outcome.stdout, "", "{outcome:?}");
    Err(outcome.stderr)
}

/// `run` starts a container while the check is killed when it opens the file with this number.
fn survives(machine: &Machine, digests: &Digests, run: impl Fn(Option<u32>) -> Result<(), String>) {
    demand_little(machine, &digests.index);
    assert_eq!(run(None), Ok(()));
    // Should the check have opened all its files before, it refuses: the runtime itself is never killed.
    demand_too_much(machine, &digests.index);
    let mut killed = 0;
    for number in FILES {
        let message = leaves_nothing(machine, || run(Some(number))).expect_err("nothing starts");
        killed += u32::from(!message.contains("oci-compat: refused: "));
    }
    assert!(killed > 3, "only {killed} were killed");
    demand_little(machine, &digests.index);
    assert_eq!(leaves_nothing(machine, || run(None)), Ok(()));
}
