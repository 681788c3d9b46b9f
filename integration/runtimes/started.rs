//! Containers started by each runtime, with the hook in their bundle.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::bundle::{Bundle, SPEC};
use super::hook::{Hook, INCOMPATIBLE, MALFORMED, PATH, STRICT, UNDECIDED};
use super::host::{self, Host, MET, UNMET};
use super::image::Image;
use super::leftovers::leftovers;
use super::program::{Outcome, installed, ours, run};
use super::runtime::{Runtime, skip};
use crate::command::{copy_program, make_program};

/// More than a pipe holds, so that a runtime cannot hand over the state in one go.
const LONG: usize = 1 << 20;

/// Keeps the state away from the hook, and kills it while it waits.
const KILLED: &str = r#"#!/bin/sh
mkfifo "$0.empty"
exec 3<&0 0<>"$0.empty"
hook=$$
(sleep 0.1; kill -KILL "$hook") >/dev/null 2>&1 &
exec "@HOOK@" "$@"
"#;

/// One test for each case and runtime, so that a failure names both.
macro_rules! under_each_runtime {
    ($($case:ident,)+) => { $(
        mod $case {
            use super::{Runtime, under};

            #[test]
            fn runc() {
                under(Runtime::Runc, super::$case);
            }

            #[test]
            fn crun() {
                under(Runtime::Crun, super::$case);
            }

            #[test]
            fn youki() {
                under(Runtime::Youki, super::$case);
            }
        }
    )+ };
}

pub(super) use under_each_runtime;

under_each_runtime! {
    a_container_starts_where_its_requirements_are_met,
    a_container_without_requirements_starts,
    a_container_whose_requirements_are_unmet_is_refused,
    an_undecided_container_starts,
    an_undecided_container_is_refused_where_the_policy_says_so,
    a_malformed_spec_is_refused,
    a_cuda_image_is_refused_if_it_is_given_gpus_and_there_is_no_driver,
    fields_of_a_later_specification_change_nothing,
    a_state_longer_than_a_pipe_holds_up_nothing,
    a_killed_hook_starts_nothing,
    an_unpacked_image_is_held_to_the_specs_in_the_store,
    a_limit_that_no_bundle_sets_is_that_of_the_container_s_process,
}

fn a_container_starts_where_its_requirements_are_met(runtime: Runtime) {
    let hook = Hook::on(Host::plain());
    starts(runtime, &hook, Bundle::with_a_shell().annotate(SPEC, MET));
}

fn a_container_without_requirements_starts(runtime: Runtime) {
    let hook = Hook::on(Host::plain());
    starts(runtime, &hook, Bundle::with_a_shell());
}

fn a_container_whose_requirements_are_unmet_is_refused(runtime: Runtime) {
    let hook = Hook::on(Host::plain());
    is_refused(runtime, &hook, INCOMPATIBLE, Bundle::with_a_shell().annotate(SPEC, UNMET));
}

fn an_undecided_container_starts(runtime: Runtime) {
    let hook = Hook::on(Host::secretive());
    starts(runtime, &hook, Bundle::with_a_shell().annotate(SPEC, UNMET));
}

fn an_undecided_container_is_refused_where_the_policy_says_so(runtime: Runtime) {
    let hook = Hook::on(Host::secretive()).configured(STRICT);
    is_refused(runtime, &hook, UNDECIDED, Bundle::with_a_shell().annotate(SPEC, UNMET));
}

fn a_limit_that_no_bundle_sets_is_that_of_the_container_s_process(runtime: Runtime) {
    let hook = Hook::on(Host::plain()).configured(STRICT);
    for is_same in [true, false] {
        let bundle = Bundle::with_a_shell().annotate(SPEC, &host::same_limit(is_same)).hook(&hook).written();
        let outcome = runtime.run(&bundle);
        if is_same {
            assert_started(&outcome, &bundle);
        } else {
            assert!(!outcome.status.success() && !bundle.ran(), "{outcome:?}");
            let report = fs::read_to_string(hook.reports().join(format!("{}.json", bundle.id())));
            let report: Value = serde_json::from_str(&report.expect("a report")).expect("JSON");
            assert_eq!(report["verdict"], "incompatible", "{report}");
        }
    }
}

fn a_malformed_spec_is_refused(runtime: Runtime) {
    let hook = Hook::on(Host::plain());
    is_refused(runtime, &hook, MALFORMED, Bundle::with_a_shell().annotate(SPEC, host::MALFORMED));
}

fn a_cuda_image_is_refused_if_it_is_given_gpus_and_there_is_no_driver(runtime: Runtime) {
    let image = || {
        let env = [
            PATH,
            "NVIDIA_REQUIRE_CUDA=cuda>=12.4 brand=tesla,driver>=535,driver<536",
            "NVIDIA_VISIBLE_DEVICES=all",
        ];
        Bundle::with_a_shell().set("/process/env", json!(env))
    };
    let gpu = json!({"path": "/dev/nvidia0", "type": "c", "major": 195, "minor": 0});
    let given = || image().set("/linux/devices", json!([gpu]));
    let hook = Hook::on(Host::without_gpus());
    let bundle = given().hook(&hook).written();
    let said = hook.feed(&bundle.state()).stderr;
    let first = format!(
        "oci-compat: refused: the image needs CUDA 12.4 or newer, and this host has no NVIDIA driver: install driver 525 or newer \
         [nvidia-require; oci-compat why {}]\n",
        bundle.id()
    );
    assert_eq!(said, first);
    is_refused(runtime, &hook, INCOMPATIBLE, given());
    starts(runtime, &hook, image());
    starts(
        runtime,
        &hook,
        given()
            .set("/process/env", json!([PATH, "NVIDIA_REQUIRE_CUDA=cuda>=12.4", "NVIDIA_DISABLE_REQUIRE=1"])),
    );
    let off = Hook::on(Host::without_gpus()).configured("implicit.nvidia = \"off\"\n");
    starts(runtime, &off, given());
}

fn fields_of_a_later_specification_change_nothing(runtime: Runtime) {
    let hook = Hook::on(Host::plain());
    let later = |bundle: Bundle| {
        bundle
            .set("/later", json!({"deep": [null]}))
            .set("/process/later", json!(1))
            .set("/linux/later", json!("x"))
    };
    starts(runtime, &hook, later(Bundle::with_a_shell().annotate(SPEC, MET)));
    is_refused(runtime, &hook, INCOMPATIBLE, later(Bundle::with_a_shell().annotate(SPEC, UNMET)));
}

fn a_state_longer_than_a_pipe_holds_up_nothing(runtime: Runtime) {
    let hook = Hook::on(Host::plain());
    let bundle = Bundle::with_a_shell().annotate("org.example.long", &"x".repeat(LONG)).hook(&hook).written();
    let outcome = runtime.run(&bundle);
    assert_started(&outcome, &bundle);
}

/// As the kernel does when memory runs out: the check has no answer, and every runtime takes that for a refusal.
fn a_killed_hook_starts_nothing(runtime: Runtime) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let killed = folder.path().join("killed");
    write_script(&killed, &KILLED.replace("@HOOK@", &ours("oci-compat-hook").display().to_string()));
    let hook = Hook::on(Host::plain()).through(killed).killed_after(2);
    let bundle = Bundle::with_a_shell().annotate(SPEC, MET).hook(&hook).written();
    let outcome = runtime.run(&bundle);
    assert_refused(&outcome, &bundle, &runtime.refusals_of_killed(&hook.program));
}

#[test]
fn crun_passes_a_refusal_on_and_conmon_gets_a_log_that_podman_does_not_take_for_the_error() {
    under(Runtime::Crun, |runtime| {
        let hook = Hook::on(Host::plain());
        let bundle = Bundle::with_a_shell().annotate(SPEC, UNMET).hook(&hook).written();
        let said = hook.feed(&bundle.state()).stderr;
        let outcome = runtime.run(&bundle);
        let both = runtime.refusals(&hook.program, INCOMPATIBLE, &said);
        assert_refused(&outcome, &bundle, &both);
        let log = bundle.path().join("log.json");
        for (parent, entries) in [("conmon", 2), ("other", 1)] {
            assert_refused(&logged(parent, &log, runtime, &bundle), &bundle, &both);
            let text = fs::read_to_string(&log).expect("crun's log");
            fs::remove_file(&log).expect("removing a log");
            let all: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(&text).into_iter().collect();
            assert_eq!(all.expect("JSON").len(), entries, "under {parent}: {text}");
        }
    });
}

#[test]
fn crun_keeps_a_refusal_to_itself_where_the_policy_says_so() {
    under(Runtime::Crun, |runtime| {
        let hook = Hook::on(Host::plain()).configured("crun_stderr = false\n");
        let bundle = Bundle::with_a_shell().annotate(SPEC, UNMET).hook(&hook).written();
        let outcome = runtime.run(&bundle);
        assert_refused(&outcome, &bundle, &runtime.refusals(&hook.program, INCOMPATIBLE, ""));
    });
}

/// Runs crun with a log, as the child of a shell of this name.
fn logged(parent: &str, log: &Path, runtime: Runtime, bundle: &Bundle) -> Outcome {
    let shell = bundle.path().join(parent);
    copy_program(&installed("busybox").expect("tried before"), &shell);
    let command = runtime.command(bundle);
    let mut child = Command::new(&shell);
    child
        .arg0("sh")
        .args(["-c", "\"$0\" \"$@\"; exit $?"])
        .arg(command.get_program())
        .args(command.get_args());
    child
        .arg("--log")
        .arg(log)
        .args(["--log-format", "json", "create", "--bundle"])
        .arg(bundle.path())
        .arg(bundle.id());
    run(child.env_clear().envs(PATH.split_once('=')).stdin(Stdio::null()))
}

fn an_unpacked_image_is_held_to_the_specs_in_the_store(runtime: Runtime) {
    let Some(image) = Image::with_a_shell() else {
        return skip("umoci", "not installed (run integration/setup test)");
    };
    let (met, unmet) = (image.unpacked(), image.unpacked());
    let hook = Hook::on(Host::plain());
    hook.store_spec(MET, &Image::digest(&met));
    starts(runtime, &hook, met);
    let hook = Hook::on(Host::plain());
    hook.store_spec(UNMET, &Image::digest(&unmet));
    is_refused(runtime, &hook, INCOMPATIBLE, unmet);
}

pub(super) fn under(runtime: Runtime, case: impl FnOnce(Runtime)) {
    if runtime.works() {
        case(runtime);
    }
}

/// The container runs, and the user sees no more of the hook than the runtime passes on.
fn starts(runtime: Runtime, hook: &Hook, bundle: Bundle) {
    let bundle = bundle.hook(hook).written();
    let said = hook.feed(&bundle.state()).stderr;
    let outcome = runtime.run(&bundle);
    assert_started(&outcome, &bundle);
    let passed_on = if runtime == Runtime::Youki { said } else { String::new() };
    assert_eq!(outcome.stderr, passed_on);
}

/// The container's process never runs, and the user sees all that the runtime passes on.
pub(super) fn is_refused(runtime: Runtime, hook: &Hook, status: i32, bundle: Bundle) {
    let bundle = bundle.hook(hook).written();
    let said = hook.feed(&bundle.state()).stderr;
    let outcome = runtime.run(&bundle);
    assert_refused(&outcome, &bundle, &runtime.refusals(&hook.program, status, &said));
}

pub(super) fn assert_started(outcome: &Outcome, bundle: &Bundle) {
    assert_eq!(outcome.stdout, "ran\n", "{outcome:?}");
    assert!(outcome.status.success() && bundle.ran(), "{outcome:?}");
    assert_eq!(leftovers(bundle), Vec::<String>::new());
}

pub(super) fn assert_refused(outcome: &Outcome, bundle: &Bundle, wordings: &[String]) {
    assert!(!outcome.status.success() && !bundle.ran(), "{outcome:?}");
    assert_eq!(outcome.stdout, "");
    let text = without_time(&outcome.stderr);
    assert!(wordings.iter().any(|wording| wording == text), "{text:?} is none of {wordings:#?}");
    assert_eq!(leftovers(bundle), Vec::<String>::new());
}

/// runc's log lines begin with the time.
fn without_time(line: &str) -> &str {
    line.strip_prefix("time=\"").and_then(|rest| rest.split_once("\" ")).map_or(line, |(_, rest)| rest)
}

fn write_script(path: &Path, text: &str) {
    make_program(path, text.as_bytes());
}
