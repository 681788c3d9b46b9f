//! Decisions on bundles in temporary folders, under every policy.

mod calling;
mod recording;
mod trouble;
mod verdicts;
mod waiving;

use std::fs;

use super::*;
use crate::eval::verdict::Verdict;
use crate::policy::Defaults;

/// A host with kernel 6.1, whose configuration is hidden, and a bundle for it.
struct GateFixture(tempfile::TempDir);

impl GateFixture {
    fn new(spec: Option<&str>) -> Self {
        let place = Self(tempfile::tempdir().expect("a temporary folder"));
        let annotations = spec.map(|it| serde_json::json!({"org.oci-compat.spec": it}));
        place.write("bundle/config.json", &serde_json::json!({"annotations": annotations}).to_string());
        place.write("host/proc/sys/kernel/osrelease", "6.1.0-13-amd64\n");
        place
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("making a fixture");
        fs::write(path, text).expect("writing a fixture");
    }

    fn options(&self) -> GateOptions {
        let place = |it: &str| self.0.path().join(it);
        GateOptions {
            store: place("store"),
            config: place("config.toml"),
            root: place("host"),
            reports: Some(place("reports")),
            decisions: Some(place("decisions.jsonl")),
            journal: place("no-journal"),
            syslog: place("no-syslog"),
            deadline: Some(Duration::from_secs(60)),
            defaults: Defaults::Standard,
        }
    }

    fn decide(&self, policy: &Policy) -> (Option<Situation>, String) {
        self.decide_with(&self.options(), policy)
    }

    fn decide_with(&self, options: &GateOptions, policy: &Policy) -> (Option<Situation>, String) {
        let state = State { id: "c1".to_owned(), bundle: self.0.path().join("bundle"), process: None };
        let Decision { refused, message, report } = decide(&state, &setting(options, policy));
        assert!(
            self.report().is_none_or(|written| report == Some(written)),
            "the report is the one that is written"
        );
        (refused, message.replace(&self.0.path().display().to_string(), "DIR"))
    }

    /// What was recorded, without the time.
    fn records(&self) -> Vec<Record> {
        let text = fs::read_to_string(self.0.path().join("decisions.jsonl")).unwrap_or_default();
        text.lines().map(|it| serde_json::from_str(it).expect("a record")).collect()
    }

    fn report(&self) -> Option<Report> {
        saved::read(&self.0.path().join("reports"), "c1").ok().flatten()
    }
}

fn setting<'a>(options: &'a GateOptions, policy: &'a Policy) -> DecisionContext<'a> {
    DecisionContext {
        caller: Caller::Hook,
        options,
        policy,
        broken: None,
        complaint: None,
        guard: Guard(&|_| {}),
    }
}

fn no_state() -> Fault {
    Fault::Host(anyhow::anyhow!("no state"))
}

fn spec(element: &str) -> String {
    format!(
        "version: v1alpha1\ncompatibilities: [{{rules: [{{name: r, matchFeatures: [{{{element}}}]}}]}}]\n"
    )
}

fn met() -> String {
    spec("feature: kernel.version, matchExpressions: {major: {op: In, value: [6]}}")
}

fn unmet() -> String {
    spec("feature: kernel.version, matchExpressions: {full: {op: Ge, value: [\"6.8\"], type: version}}")
}

fn unknown() -> String {
    spec("feature: vendor.thing")
}

fn policy(text: &str) -> Policy {
    let mut policy = Policy { requirements: None, ..Policy::default_policy() };
    assert_eq!(policy.overlay(text, "config.toml").problems, [], "{text:?}");
    policy
}

fn check(spec: Option<&str>, config: &str, refused: Option<Situation>, message: &str) {
    let place = GateFixture::new(spec);
    assert_eq!(place.decide(&policy(config)), (refused, message.to_owned()), "{spec:?} {config:?}");
    let action = if refused.is_none() { Action::Start } else { Action::Refuse };
    let expected = (!message.is_empty()).then_some(action);
    assert_eq!(place.report().and_then(|it| it.action), expected, "{spec:?} {config:?}");
}

const INCOMPATIBLE: Option<Situation> = Some(Situation::Judged(Verdict::Incompatible));
const UNDECIDED: Option<Situation> = Some(Situation::Judged(Verdict::Undecided));
const MALFORMED: Option<Situation> = Some(Situation::Malformed);
const CONTAINER: Option<Situation> = Some(Situation::Container);
const TROUBLE: Option<Situation> = Some(Situation::Trouble);

const TOO_OLD: &str = "kernel is 6.1.0-13-amd64, needs 6.8 or newer [kernel-version; oci-compat why c1]\n";
const NO_PROBE: &str =
    "feature vendor.thing is unknown: no probe knows this feature [fact-unknown; oci-compat why c1]\n";
const MALFORMED_SPEC: &str = "the spec in annotation org.oci-compat.spec is malformed, at 1:1: a spec is a list, but has to be a \
                         mapping with `version`, `compatibilities` [spec-malformed; oci-compat why c1]\n";

fn waiver(rule: &str, expires: &str) -> String {
    format!("[[waiver]]\nrule = \"{rule}\"\nimage = \"*\"\nreason = \"lab\"\nexpires = \"{expires}\"\n")
}

/// Three rules of our own language: a setting, two lacks of what has a severity, and a count.
fn severe(severity: &str) -> String {
    format!(
        "version: oci-compat/v1\ncompatibilities: [{{rules: [{{id: kernel, severity: {severity}, remedy: boot it, matchFeatures: \
         [{{feature: kernel.version, matchExpressions: {{full: {{op: Ge, type: version, value: [\"6.8\"]}}, major: {{op: Ge, value: \
         [7]}}}}}}]}}]}}]\n"
    )
}

#[test]
fn only_runtimes_that_are_known_by_name_are_certain_to_use_this_kernel() {
    for name in ["runc", "runc:[1:CHILD]", "crun", "youki"] {
        assert!(is_of_this_kernel(name), "{name}");
    }
    for name in [
        "runsc",
        "kata-runtime",
        "krun",
        "crun-wasm",
        "containerd-shim",
        "urunc",
        "sysbox-runc",
        "firecracker",
        "gvisor",
        "bash",
        "",
    ] {
        assert!(!is_of_this_kernel(name), "{name}");
    }
}
