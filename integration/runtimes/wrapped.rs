//! Containers made through the wrapper by each runtime: what starts, what is refused, what is read where, what is left.

use std::fs;

use oci_compat::words::moment;
use serde_json::{Value, json};

use super::broken::break_everything;
use super::bundle::{Bundle, SPEC};
use super::hook::{Hook, STRICT};
use super::host::{self, Host, MET, UNMET};
use super::leftovers::leftovers;
use super::program::{Outcome, run, succeed};
use super::runtime::{Runtime, await_status};
use super::started::{assert_started, under, under_each_runtime};
use super::wrapper::Wrapper;

/// What a container does that is there to be paused and killed.
const WAITING: [&str; 3] = ["/bin/sh", "-c", "exec /bin/busybox sleep 600"];

under_each_runtime! {
    a_wrapped_container_starts_where_its_requirements_are_met,
    a_wrapped_container_is_refused_in_the_log_and_on_stderr,
    a_wrapped_container_is_refused_for_its_malformed_spec,
    a_wrapped_undecided_container_starts_with_a_warning,
    a_wrapped_undecided_container_is_refused_where_the_policy_says_so,
    a_wrapped_container_starts_in_audit_mode_with_a_warning,
    a_wrapped_container_starts_under_a_broken_configuration_with_a_warning,
    an_engine_gets_no_warning,
    a_container_lives_and_dies_whatever_is_broken,
    a_limit_that_no_bundle_sets_is_that_of_the_wrapper,
}

fn a_wrapped_container_starts_where_its_requirements_are_met(runtime: Runtime) {
    starts(runtime, &wrapper(Host::plain(), ""), Bundle::with_a_shell().annotate(SPEC, MET), "");
    starts(runtime, &wrapper(Host::plain(), ""), Bundle::with_a_shell(), "");
}

fn a_wrapped_container_is_refused_in_the_log_and_on_stderr(runtime: Runtime) {
    is_refused(runtime, &wrapper(Host::plain(), ""), Bundle::with_a_shell().annotate(SPEC, UNMET));
}

fn a_wrapped_container_is_refused_for_its_malformed_spec(runtime: Runtime) {
    is_refused(runtime, &wrapper(Host::plain(), ""), Bundle::with_a_shell().annotate(SPEC, host::MALFORMED));
}

fn a_wrapped_undecided_container_starts_with_a_warning(runtime: Runtime) {
    let bundle = Bundle::with_a_shell().annotate(SPEC, UNMET);
    starts(runtime, &wrapper(Host::secretive(), ""), bundle, "oci-compat: warning: started undecided: ");
}

fn a_wrapped_undecided_container_is_refused_where_the_policy_says_so(runtime: Runtime) {
    is_refused(runtime, &wrapper(Host::secretive(), STRICT), Bundle::with_a_shell().annotate(SPEC, UNMET));
}

fn a_wrapped_container_starts_in_audit_mode_with_a_warning(runtime: Runtime) {
    let wrapper = wrapper(Host::plain(), "mode = \"audit\"\n");
    let bundle = Bundle::with_a_shell().annotate(SPEC, UNMET);
    starts(runtime, &wrapper, bundle, "oci-compat: warning: would be refused: ");
}

fn a_wrapped_container_starts_under_a_broken_configuration_with_a_warning(runtime: Runtime) {
    let wrapper = wrapper(Host::plain(), "mode = ");
    let bundle = Bundle::with_a_shell().annotate(SPEC, UNMET);
    starts(runtime, &wrapper, bundle, "oci-compat: warning: the configuration is broken, ");
}

fn a_limit_that_no_bundle_sets_is_that_of_the_wrapper(runtime: Runtime) {
    let wrapper = wrapper(Host::plain(), STRICT);
    for is_same in [true, false] {
        let bundle = Bundle::with_a_shell().annotate(SPEC, &host::same_limit(is_same)).written();
        let outcome = runtime.run_by(&bundle, &|| wrapper.before(runtime, &bundle));
        if is_same {
            assert_started(&outcome, &bundle);
        } else {
            let refused = "oci-compat: refused: the container's RLIMIT_NPROC.hard is ";
            assert!(outcome.stderr.starts_with(refused) && !bundle.ran(), "{outcome:?}");
        }
    }
}

/// Whose stderr is the container's own by then.
fn an_engine_gets_no_warning(runtime: Runtime) {
    let wrapper = wrapper(Host::secretive(), "");
    let bundle = waiting(Bundle::with_a_shell().annotate(SPEC, UNMET)).written();
    let log = wrapper.folder().join("log.json");
    let mut create = wrapper.before(runtime, &bundle);
    create.arg("--log").arg(&log).args(["--log-format", "json", "create", "--bundle"]).arg(bundle.path());
    let created = run(create.arg(bundle.id()));
    let said = fs::read_to_string(&log).unwrap_or_default();
    succeed(wrapper.before(runtime, &bundle).args(["delete", "--force", bundle.id()]));
    assert!(created.status.success(), "{created:?}");
    assert_eq!((created.stderr.as_str(), said.as_str()), ("", ""));
    assert!(wrapper.hook.reports().join(format!("{}.json", bundle.id())).exists(), "the report tells");
    assert_eq!(leftovers(&bundle), Vec::<String>::new());
}

/// Once it is there, nothing of ours is asked any more: configuration, store, reports and bundle are all damaged.
fn a_container_lives_and_dies_whatever_is_broken(runtime: Runtime) {
    let wrapper = wrapper(Host::plain(), "");
    let bundle = waiting(Bundle::with_a_shell().annotate(SPEC, MET)).written();
    let command = || wrapper.before(runtime, &bundle);
    succeed(command().args(["create", "--bundle"]).arg(bundle.path()).arg(bundle.id()));
    break_everything(&wrapper.hook);
    await_status(&bundle, "created", &command);
    succeed(command().args(["start", bundle.id()]));
    await_status(&bundle, "running", &command);
    let said = succeed(command().args(["exec", bundle.id(), "/bin/busybox", "echo", "create", "run"]));
    assert_eq!(said, "create run\n");
    let status = run(command().args(["exec", bundle.id(), "/bin/sh", "-c", "exit 37"])).status;
    assert_eq!(status.code(), Some(37), "the exit status is the runtime's");
    if run(command().args(["pause", bundle.id()])).status.success() {
        await_status(&bundle, "paused", &command);
        succeed(command().args(["resume", bundle.id()]));
    } else {
        // The machine has no freezer: the runtime alone says the same.
        assert!(!run(runtime.command(&bundle).args(["pause", bundle.id()])).status.success());
    }
    succeed(command().args(["kill", bundle.id(), "KILL"]));
    await_status(&bundle, "stopped", &command);
    succeed(command().args(["delete", bundle.id()]));
    assert_eq!(leftovers(&bundle), Vec::<String>::new());
}

fn wrapper(host: Host, config: &str) -> Wrapper {
    Wrapper::beside(Hook::on(host).configured(config))
}

fn waiting(bundle: Bundle) -> Bundle {
    bundle.set("/process/args", json!(WAITING))
}

/// The container runs, and whoever started it is told what the hook would have said, which begins like this.
fn starts(runtime: Runtime, wrapper: &Wrapper, bundle: Bundle, start: &str) {
    let bundle = bundle.written();
    let said = wrapper.hook.feed(&bundle.state()).stderr;
    assert!(said.starts_with(start) && said.is_empty() == start.is_empty(), "{said:?}");
    let outcome = runtime.run_by(&bundle, &|| wrapper.before(runtime, &bundle));
    assert_started(&outcome, &bundle);
    assert_eq!(outcome.stderr, said);
}

/// The runtime never gets to see it, and the whole message of the hook stands wherever engines look.
fn is_refused(runtime: Runtime, wrapper: &Wrapper, bundle: Bundle) {
    let bundle = bundle.written();
    let said = wrapper.hook.feed(&bundle.state()).stderr;
    assert!(said.starts_with("oci-compat: refused: "), "{said:?}");
    assert_nothing(&runtime.run_by(&bundle, &|| wrapper.before(runtime, &bundle)), &bundle, &said);
    let mut logged = String::new();
    for command in ["create", "run"] {
        for format in ["json", "text"] {
            let log = wrapper.folder().join(format!("log.{format}"));
            let mut refused = wrapper.before(runtime, &bundle);
            refused.arg("--log").arg(&log).args(["--log-format", format]).args([command, "--bundle"]);
            assert_nothing(&run(refused.arg(bundle.path()).arg(bundle.id())), &bundle, &said);
            logged = fs::read_to_string(&log).expect("a log");
            fs::remove_file(&log).expect("removing a log");
            assert_eq!(logged.lines().count(), 1, "{logged:?}");
            if format == "json" {
                assert_json(&logged, &said);
            }
        }
    }
    let (time, rest) = logged.strip_prefix("time=\"").and_then(|it| it.split_once("\" ")).expect("a time");
    assert!(moment::moment(time).is_some(), "{time:?}");
    let quoted = said.trim_end().replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    assert_eq!(rest, format!("level=error msg=\"{quoted}\"\n"));
}

fn assert_json(line: &str, said: &str) {
    let line: Value = serde_json::from_str(line).expect("an object");
    assert!(moment::moment(line["time"].as_str().expect("a time")).is_some(), "{line}");
    assert_eq!(line, json!({"level": "error", "msg": said.trim_end(), "time": line["time"]}));
}

fn assert_nothing(outcome: &Outcome, bundle: &Bundle, said: &str) {
    assert_eq!(
        (outcome.status.code(), outcome.stdout.as_str(), outcome.stderr.as_str()),
        (Some(1), "", said)
    );
    assert!(!bundle.ran());
    assert!(!bundle.state_folder().exists(), "the runtime has not been there");
    assert_eq!(leftovers(bundle), Vec::<String>::new());
}
