//! Decisions on bundles in temporary folders, under every policy.

use std::fs;
use std::os::unix::net::UnixDatagram;

use super::*;
use crate::policy::Defaults;

/// A host on which kernel 6.1 runs, of which the configuration is hidden, and a bundle for it.
struct Place(tempfile::TempDir);

impl Place {
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

    fn options(&self) -> Options {
        let place = |it: &str| self.0.path().join(it);
        Options {
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

    fn decide_with(&self, options: &Options, policy: &Policy) -> (Option<Situation>, String) {
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

fn setting<'a>(options: &'a Options, policy: &'a Policy) -> Setting<'a> {
    Setting { caller: Caller::Hook, options, policy, broken: None, complaint: None, guard: Guard(&|_| {}) }
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
    let place = Place::new(spec);
    assert_eq!(place.decide(&policy(config)), (refused, message.to_owned()), "{spec:?} {config:?}");
    let action = if refused.is_none() { "start" } else { "refuse" };
    let expected = (!message.is_empty()).then(|| action.to_owned());
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

#[test]
fn a_container_that_demands_nothing_or_fits_starts_without_a_word() {
    check(None, "", None, "");
    check(Some(&met()), "", None, "");
    check(Some(&met()), "action.undecided = \"refuse\"\naction.trouble = \"refuse\"", None, "");
}

/// Finding out what is demanded has taken all the time: what is known to be demanded is looked at all the same.
#[test]
fn what_does_not_fit_is_refused_however_late_it_is() {
    let place = Place::new(Some(&unmet()));
    let options = Options { deadline: Some(Duration::from_nanos(1)), ..place.options() };
    let refused = (INCOMPATIBLE, format!("oci-compat: refused: {TOO_OLD}"));
    assert_eq!(place.decide_with(&options, &policy("")), refused);
    let spent = Policy { spent: Duration::from_secs(3600), ..policy("") };
    assert_eq!(place.decide(&spent), refused);
}

#[test]
fn what_does_not_fit_is_refused_unless_policy_says_otherwise() {
    let unmet = unmet();
    check(Some(&unmet), "", INCOMPATIBLE, &format!("oci-compat: refused: {TOO_OLD}"));
    check(
        Some(&unmet),
        "mode = \"audit\"",
        None,
        &format!("oci-compat: warning: would be refused: {TOO_OLD}"),
    );
    check(
        Some(&unmet),
        "action.incompatible = \"start\"",
        None,
        &format!("oci-compat: warning: started though incompatible: {TOO_OLD}"),
    );
    check(
        Some(&unmet),
        "mode = \"audit\"\naction.incompatible = \"start\"",
        None,
        &format!("oci-compat: warning: started though incompatible: {TOO_OLD}"),
    );
}

#[test]
fn a_rule_may_ask_what_the_container_is_given() {
    let place = Place::new(None);
    let config = serde_json::json!({
        "annotations": {
            "org.oci-compat.spec": spec("feature: bundle.capability, matchExpressions: {CAP_NET_ADMIN: {op: Exists}}"),
        },
        "process": {"capabilities": {"bounding": ["CAP_CHOWN"]}},
    });
    place.write("bundle/config.json", &config.to_string());
    let message = "oci-compat: refused: capability CAP_NET_ADMIN is not given to the container \
                   [container-config; oci-compat why c1]\n";
    assert_eq!(place.decide(&policy("")), (INCOMPATIBLE, message.to_owned()));
}

#[test]
fn what_cannot_be_decided_starts_unless_policy_says_otherwise() {
    let unknown = unknown();
    check(Some(&unknown), "", None, &format!("oci-compat: warning: started undecided: {NO_PROBE}"));
    check(
        Some(&unknown),
        "action.undecided = \"refuse\"",
        UNDECIDED,
        &format!("oci-compat: refused: {NO_PROBE}"),
    );
    check(
        Some(&unknown),
        "mode = \"audit\"\naction.undecided = \"refuse\"",
        None,
        &format!("oci-compat: warning: would be refused: {NO_PROBE}"),
    );
}

#[test]
fn a_malformed_spec_is_refused_unless_policy_says_otherwise() {
    check(Some("[]"), "", MALFORMED, &format!("oci-compat: refused: {MALFORMED_SPEC}"));
    check(
        Some("[]"),
        "action.malformed = \"start\"",
        None,
        "oci-compat: warning: started unchecked: the spec in annotation org.oci-compat.spec is malformed, at 1:1: a spec is \
         a list, but has to be a mapping with `version`... [spec-malformed; oci-compat why c1]\n",
    );
}

#[test]
fn trouble_of_the_host_starts_unless_policy_says_otherwise() {
    let place = Place::new(Some(&met()));
    let options = Options { root: place.0.path().join("gone"), ..place.options() };
    let trouble = "opening host root DIR/gone: is not there [trouble; oci-compat why c1]\n";
    let decide = |text: &str| {
        let state = State { id: "c1".to_owned(), bundle: place.0.path().join("empty"), process: None };
        place.write("empty/config.json", "{}");
        let policy = policy(text);
        let own = Policy { requirements: Some(place.0.path().join("requirements.d")), ..policy };
        let decision = decide(&state, &setting(&options, &own));
        (decision.refused, decision.message.replace(&place.0.path().display().to_string(), "DIR"))
    };
    place.write("store", "no folder");
    let trouble_of_store =
        "the store cannot be used: DIR/store is not a folder: name the store's folder with --store";
    let line = |opening: &str| {
        format!(
            "oci-compat: {opening}: {trouble_of_store} [trouble, +1 more; oci-compat why c1]\n  {}",
            trouble.replace("; oci-compat why c1", "")
        )
    };
    assert_eq!(decide(""), (None, line("warning: started unchecked")));
    assert_eq!(place.report().map(|it| it.verdict), Some("undecided".to_owned()));
    assert_eq!(decide("action.trouble = \"refuse\""), (TROUBLE, line("refused")));
    let audit = decide("mode = \"audit\"\naction.trouble = \"refuse\"");
    assert_eq!(audit, (None, line("warning: would be refused")));
}

#[test]
fn trouble_that_the_container_causes_is_refused_unless_policy_says_otherwise() {
    let place = Place::new(None);
    place.write("bundle/config.json", "{");
    let fault = "reading DIR/bundle/config.json: it is not JSON: it ends too early [container-trouble; oci-compat why c1]\n";
    let line = |opening: &str| format!("oci-compat: {opening}: {fault}");
    assert_eq!(place.decide(&policy("")), (CONTAINER, line("refused")));
    let report = place.report().expect("a report");
    assert_eq!((report.verdict.as_str(), report.action.as_deref()), ("undecided", Some("refuse")));
    let lax = policy("action.container_trouble = \"start\"");
    assert_eq!(place.decide(&lax), (None, line("warning: started unchecked")));
    assert_eq!(place.decide(&policy("mode = \"audit\"")), (None, line("warning: would be refused")));
}

/// The table in `docs/policy.md`: each thing that a container brings.
#[test]
fn whatever_the_container_brings_that_cannot_be_read_is_refused() {
    let check = |config: &str, told: &str| {
        let place = Place::new(None);
        place.write("bundle/config.json", config);
        let (refused, message) = place.decide(&policy("may_waive.images = [\"*\"]"));
        assert_eq!(refused, CONTAINER, "{config:.200} {message}");
        let first = message.lines().next().unwrap_or_default();
        assert_eq!(first, format!("oci-compat: refused: {told} [container-trouble; oci-compat why c1]"));
    };
    let reading = "reading DIR/bundle/config.json:";
    check("[]", &format!("{reading} it is not a JSON object"));
    check("{\"annotations\": {}, \"annotations\": {}}", &format!("{reading} it has annotations twice"));
    check("{} {}", &format!("{reading} something follows its JSON object"));
    let annotated = |key: &str, value: &str| {
        serde_json::json!({"annotations": {key: value, "org.oci-compat.spec": met()}}).to_string()
    };
    check(
        &annotated("org.oci-compat.mode", "off"),
        "annotation org.oci-compat.mode is \"off\", has to be enforce or audit",
    );
    check(
        &annotated("org.oci-compat.waive", &"x".repeat(1025)),
        "annotation org.oci-compat.waive has 1025 bytes, more than 1024",
    );
    let artifact = annotated("org.oci-compat.artifact", "x");
    let place = Place::new(None);
    place.write("bundle/config.json", &artifact);
    let (refused, message) = place.decide(&policy(""));
    assert_eq!(
        (refused, message.contains("annotation org.oci-compat.artifact: ")),
        (CONTAINER, true),
        "{message}"
    );
}

/// A link, a pipe or a folder where the configuration should be, or nothing at all.
#[test]
fn a_bundle_that_is_none_is_the_containers_trouble() {
    let decide = |make: &dyn Fn(&std::path::Path)| {
        let place = Place::new(None);
        let path = place.0.path().join("bundle/config.json");
        fs::remove_file(&path).expect("a fixture");
        make(&path);
        place.decide(&policy(""))
    };
    let line = |it: &str| {
        format!("oci-compat: refused: DIR/bundle/config.json {it} [container-trouble; oci-compat why c1]\n")
    };
    let none = line("is not there; a bundle is a folder with a config.json");
    assert_eq!(decide(&|_| {}), (CONTAINER, none));
    let pipe =
        |it: &std::path::Path| nix::unistd::mkfifo(it, nix::sys::stat::Mode::S_IRWXU).expect("a fixture");
    assert_eq!(decide(&pipe), (CONTAINER, line("is not a regular file")));
    let folder = |it: &std::path::Path| fs::create_dir(it).expect("a fixture");
    assert_eq!(decide(&folder), (CONTAINER, line("is not a regular file")));
}

#[test]
fn what_a_rule_asks_of_the_bundle_and_runtimes_read_differently_is_the_containers_trouble() {
    let place = Place::new(None);
    let spec = spec("feature: bundle.capability, matchExpressions: {CAP_NET_ADMIN: {op: Exists}}");
    let config = format!(
        "{{\"annotations\": {{\"org.oci-compat.spec\": {spec:?}}}, \"process\": {{\"capabilities\": \
         {{\"bounding\": [\"CAP_NET_ADMIN\"], \"bounding\": []}}}}}}"
    );
    place.write("bundle/config.json", &config);
    let (refused, message) = place.decide(&policy(""));
    assert_eq!(refused, CONTAINER, "{message}");
    assert!(message.contains("config.json cannot be read: an object has \"bounding\" twice"), "{message}");
}

/// What the container has written comes after what is known without it, and takes nothing of that away.
#[test]
fn what_is_proven_stands_whatever_the_container_brings() {
    let check = |brought: &str, others: &str, config: &str, expected: &[Action]| {
        let place = Place::new(Some(brought));
        let own = format!("images = [\"*\"]\nspec = \"\"\"\n{others}\"\"\"\n");
        place.write("requirements.d/own.toml", &own);
        let policy = policy(config);
        let policy = Policy { requirements: Some(place.0.path().join("requirements.d")), ..policy };
        let (options, heard) = (place.options(), std::cell::RefCell::new(Vec::new()));
        let hear = |action| heard.borrow_mut().push(action);
        let state = State { id: "c1".to_owned(), bundle: place.0.path().join("bundle"), process: None };
        let decision = decide(&state, &Setting { guard: Guard(&hear), ..setting(&options, &policy) });
        assert_eq!(heard.into_inner(), expected, "{brought} {others} {config}");
        decision.refused
    };
    let lax = "action.container_trouble = \"start\"";
    assert_eq!(check("[]", &unmet(), "", &[Action::Refuse]), INCOMPATIBLE);
    assert_eq!(check("[]", &unmet(), lax, &[Action::Refuse]), INCOMPATIBLE);
    assert_eq!(check(&met(), &unmet(), lax, &[Action::Refuse]), INCOMPATIBLE);
    assert_eq!(check(&met(), &met(), lax, &[Action::Start]), None);
    assert_eq!(check(&unmet(), &met(), "", &[Action::Refuse]), INCOMPATIBLE);
    let waived = format!("{lax}\n{}", waiver("r", "never"));
    assert_eq!(check(&met(), &unmet(), &waived, &[Action::Start]), None);
    assert_eq!(check(&met(), &unmet(), "mode = \"audit\"", &[Action::Start]), None);
}

/// What others demand, and what the container demands: to explain a no, and to tell what is proven, needs no second look.
#[test]
fn each_rule_is_judged_once() {
    let place = Place::new(Some(&unmet()));
    place.write("requirements.d/own.toml", &format!("images = [\"*\"]\nspec = \"\"\"\n{}\"\"\"\n", unmet()));
    let policy = Policy { requirements: Some(place.0.path().join("requirements.d")), ..policy("") };
    let ((refused, _), count) = crate::testing::judged_rules(|| place.decide(&policy));
    assert_eq!((refused, count), (INCOMPATIBLE, 2));
}

#[test]
fn the_gravest_decides_and_all_are_told() {
    let place = Place::new(Some(&unmet()));
    place.write("bundle/umoci.json", "[]");
    place.write("store", "no folder");
    let (refused, message) = place.decide(&policy("action.trouble = \"refuse\""));
    assert_eq!(refused, INCOMPATIBLE);
    assert_eq!(
        message,
        "oci-compat: refused: kernel is 6.1.0-13-amd64, needs 6.8 or newer [kernel-version, +1 more; oci-compat why c1]\n  \
         the store cannot be used: DIR/store is not a folder: name the store's folder with --store [trouble]\n"
    );
    let (refused, _) = place.decide(&policy("action.incompatible = \"start\"\naction.trouble = \"refuse\""));
    assert_eq!(refused, TROUBLE);
}

#[test]
fn a_host_root_that_is_not_there_makes_everything_unknown() {
    let place = Place::new(Some(&unmet()));
    let options = Options { root: place.0.path().join("gone"), ..place.options() };
    let (refused, message) = place.decide_with(&options, &policy(""));
    assert_eq!(
        (refused, message.as_str()),
        (
            None,
            "oci-compat: warning: started unchecked: kernel is unknown, needs 6.8 or newer: was not read [fact-unknown, +1 \
             more; oci-compat why c1]\n  opening host root DIR/gone: is not there [trouble]\n"
        )
    );
}

#[test]
fn every_decision_that_is_not_compatible_is_recorded() {
    let check = |spec: &str, config: &str, expected: &[[&str; 5]]| {
        let place = Place::new(Some(spec));
        let (_, message) = place.decide(&policy(config));
        let records = place.records();
        let found: Vec<_> = records
            .iter()
            .map(|it| [&it.mode, &it.verdict, &it.situation, &it.action, &it.intention].map(String::as_str))
            .collect();
        assert_eq!(found, expected, "{spec} {config}");
        for it in &records {
            assert_eq!((it.program.as_str(), it.subject.container.as_deref()), ("hook", Some("c1")));
            assert_eq!(Some(it.message.as_str()), message.lines().next());
            assert_eq!(Some(&it.time), place.report().and_then(|it| it.time).as_ref());
        }
    };
    check(&met(), "", &[]);
    check(&unmet(), "mode = \"off\"", &[]);
    check(&unmet(), "", &[["enforce", "incompatible", "incompatible", "refuse", "refuse"]]);
    check(&unmet(), "mode = \"audit\"", &[["audit", "incompatible", "incompatible", "start", "refuse"]]);
    check(&unknown(), "", &[["enforce", "undecided", "undecided", "start", "start"]]);
    check("[]", "", &[["enforce", "undecided", "malformed", "refuse", "refuse"]]);
    let place = Place::new(None);
    decide_blindly("", &no_state(), &setting(&place.options(), &policy("")));
    let found =
        place.records().into_iter().map(|it| (it.subject.container, it.situation)).collect::<Vec<_>>();
    assert_eq!(found, [(None, "trouble".to_owned())]);
}

#[test]
fn a_record_that_cannot_be_written_changes_no_decision() {
    let place = Place::new(Some(&unmet()));
    fs::create_dir(place.0.path().join("decisions.jsonl")).expect("making a fixture");
    let (refused, message) = place.decide(&policy(""));
    let said = format!(
        "oci-compat: refused: {TOO_OLD}oci-compat: warning: decision not logged: DIR/decisions.jsonl: it is a folder\n"
    );
    assert_eq!((refused, message), (INCOMPATIBLE, said));
}

#[test]
fn a_broken_configuration_is_told_to_the_log_even_where_the_container_fits() {
    let place = Place::new(Some(&met()));
    let journal = UnixDatagram::bind(place.0.path().join("no-journal")).expect("a socket");
    journal.set_nonblocking(true).expect("a socket");
    let (options, policy) = (place.options(), policy(""));
    let state = State { id: "c1".to_owned(), bundle: place.0.path().join("bundle"), process: None };
    decide(&state, &Setting { complaint: Some("it is broken"), ..setting(&options, &policy) });
    let mut bytes = [0; 1024];
    let length = journal.recv(&mut bytes).expect("a message");
    assert!(bytes[..length].starts_with(b"MESSAGE=it is broken\n"));
    decide(&state, &setting(&options, &policy));
    assert_eq!(journal.recv(&mut bytes).map_err(|it| it.kind()), Err(std::io::ErrorKind::WouldBlock));
}

#[test]
fn a_report_that_cannot_be_written_changes_no_decision() {
    let place = Place::new(Some(&unmet()));
    place.write("reports", "no folder");
    let said = "oci-compat: refused: kernel is 6.1.0-13-amd64, needs 6.8 or newer [kernel-version; oci-compat why c1]\n\
                oci-compat: warning: folder DIR/reports is there already\n";
    assert_eq!(place.decide(&policy("")), (INCOMPATIBLE, said.to_owned()));
}

#[test]
fn the_same_container_is_told_the_same_each_time() {
    let place = Place::new(Some(&unmet()));
    assert_eq!(place.decide(&policy("")), place.decide(&policy("")));
}

#[test]
fn a_state_that_cannot_be_read_is_trouble_without_a_report() {
    let place = Place::new(None);
    let decision = decide_blindly("", &no_state(), &setting(&place.options(), &policy("")));
    assert_eq!(
        (decision.refused, decision.message.as_str()),
        (None, "oci-compat: warning: started unchecked: no state [trouble]\n")
    );
    assert_eq!(place.report(), None);
}

#[test]
fn a_complaint_is_told_with_every_decision() {
    let complaint = Some("runtimes is not heeded");
    let told = |place: &Place, policy: &Policy| {
        let options = place.options();
        let setting = Setting { complaint, ..setting(&options, policy) };
        let state = State { id: "c1".to_owned(), bundle: place.0.path().join("bundle"), process: None };
        (decide(&state, &setting).message, decide_blindly("", &no_state(), &setting).message)
    };
    let warning = "oci-compat: warning: runtimes is not heeded\n";
    let blind = format!("{warning}oci-compat: warning: started unchecked: no state [trouble]\n");
    assert_eq!(told(&Place::new(None), &policy("")), (warning.to_owned(), blind.clone()));
    let refused = format!("{warning}oci-compat: refused: {TOO_OLD}");
    assert_eq!(told(&Place::new(Some(&unmet())), &policy("")), (refused, blind));
}

/// The decision under a configuration that cannot be used, then one without a state.
fn under_broken(place: &Place, policy: &Policy) -> [(Option<Situation>, String); 2] {
    let options = place.options();
    let setting = Setting { broken: Some(BROKEN), ..setting(&options, policy) };
    let state = State { id: "c1".to_owned(), bundle: place.0.path().join("bundle"), process: None };
    [decide(&state, &setting), decide_blindly("", &no_state(), &setting)].map(|it| (it.refused, it.message))
}

const BROKEN: &str = "the configuration is broken: 1:1";

#[test]
fn what_starts_under_a_broken_configuration_is_told_reported_and_recorded() {
    let audit = policy("mode = \"audit\"");
    let place = Place::new(None);
    let warning = format!("oci-compat: warning: {BROKEN}\n");
    let blind = format!("{warning}oci-compat: warning: started unchecked: no state [trouble]\n");
    assert_eq!(under_broken(&place, &audit), [(None, warning.clone()), (None, blind)]);
    let reasons = place.report().map(|it| it.reasons.into_iter().map(|it| it.message).collect::<Vec<_>>());
    assert_eq!(reasons, Some(vec![BROKEN.to_owned()]));
    let recorded = place.records();
    let kept = recorded.first().map(|it| (it.situation.as_str(), it.action.as_str(), it.message.as_str()));
    let message = "oci-compat: warning: started unchecked: the configuration is broken: 1:1 [trouble; oci-compat why c1]";
    assert_eq!(kept, Some(("trouble", "start", message)));
    let [(_, message), _] = under_broken(&Place::new(Some(&unmet())), &audit);
    assert_eq!(message, format!("{warning}oci-compat: warning: would be refused: {TOO_OLD}"));
}

#[test]
fn a_strict_host_refuses_everything_under_a_broken_configuration_but_sandboxes() {
    let strict = policy("action.trouble = \"refuse\"");
    let [refused, blind] = under_broken(&Place::new(None), &strict);
    let said = format!("oci-compat: refused: {BROKEN} [trouble; oci-compat why c1]\n");
    assert_eq!(refused, (Some(Situation::Trouble), said));
    let said = format!("oci-compat: refused: no state [trouble, +1 more]\n  {BROKEN} [trouble]\n");
    assert_eq!(blind, (Some(Situation::Trouble), said));
    let place = Place::new(None);
    let id = "5e".repeat(32);
    let sandbox = serde_json::json!({"annotations": {
        "io.kubernetes.cri.container-type": "sandbox", "io.kubernetes.cri.sandbox-id": id}});
    place.write(&format!("{id}/config.json"), &sandbox.to_string());
    let options = place.options();
    let setting = Setting { broken: Some(BROKEN), ..setting(&options, &strict) };
    let state = State { id: id.clone(), bundle: place.0.path().join(&id), process: None };
    assert_eq!(decide(&state, &setting).refused, None);
}

#[test]
fn nothing_is_looked_at_where_the_check_is_off() {
    let off = policy("mode = \"off\"\naction.trouble = \"refuse\"");
    let place = Place::new(Some("[]"));
    assert_eq!(place.decide(&off), (None, String::new()));
    assert_eq!(decide_blindly("", &no_state(), &setting(&place.options(), &off)).message, "");
}

fn waiver(rule: &str, expires: &str) -> String {
    format!("[[waiver]]\nrule = \"{rule}\"\nimage = \"*\"\nreason = \"lab\"\nexpires = \"{expires}\"\n")
}

#[test]
fn a_waived_container_starts_and_leaves_a_report() {
    let place = Place::new(Some(&unmet()));
    let said = "oci-compat: warning: started by waiver: kernel is 6.1.0-13-amd64, needs 6.8 or newer [kernel-version; \
                oci-compat why c1]\n  rule r is waived without end at config.toml:1: lab\n";
    assert_eq!(place.decide(&policy(&waiver("r", "never"))), (None, said.to_owned()));
    let report = place.report().expect("a report");
    let used: Vec<_> = report.waivers.iter().map(|it| (it.rule.as_str(), it.code.as_str())).collect();
    assert_eq!((report.verdict.as_str(), report.action.as_deref()), ("compatible", Some("start")));
    assert_eq!(used, [("r", "kernel-version")]);
    let rule = &report.specs[0].sets[0].rules[0];
    assert_eq!((rule.outcome.as_str(), rule.waived), ("unmet", true));
    let recorded: Vec<_> = place.records().into_iter().map(|it| (it.situation, it.intention)).collect();
    assert_eq!(recorded, [("compatible".to_owned(), "start".to_owned())]);
}

#[test]
fn a_waiver_that_is_over_lets_nothing_start_and_that_is_told() {
    let place = Place::new(Some(&unmet()));
    let said = format!("oci-compat: refused: {TOO_OLD}");
    assert_eq!(place.decide(&policy(&waiver("r", "2020-01-01"))), (INCOMPATIBLE, said));
    let notes = place.report().map(|it| it.notes);
    assert_eq!(
        notes,
        Some(vec!["the waiver at config.toml:1 is not used: it held until 2020-01-01: lab".to_owned()])
    );
}

#[test]
fn a_call_that_the_runtime_may_not_know_is_noted_and_decides_nothing() {
    let text = spec(
        "feature: kernel.version, matchExpressions: {full: {op: Ge, value: [\"6.8\"], type: version}}}, {feature: \
         bundle.seccomp, matchExpressions: {close_range: {op: Exists}}",
    );
    let place = Place::new(None);
    let calls = serde_json::json!([{"names": ["close_range"], "action": "SCMP_ACT_ALLOW"}]);
    let seccomp = serde_json::json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": calls});
    let config =
        serde_json::json!({"annotations": {"org.oci-compat.spec": text}, "linux": {"seccomp": seccomp}});
    place.write("bundle/config.json", &config.to_string());
    let record = r#"{"annotations": {"io.github.seccomp.libseccomp.version": "2.5.1"}}"#;
    place.write("host/etc/oci-compat/runtimes.d/runc.json", record);
    let said = format!("oci-compat: refused: {TOO_OLD}");
    assert_eq!(place.decide(&policy("")), (INCOMPATIBLE, said));
    let note = "the profile allows close_range, but libseccomp 2.5.1 of runc may not know it (since 2.5.2): it would then be \
                denied like calls that are not listed; update libseccomp";
    assert_eq!(place.report().map(|it| it.notes), Some(vec![note.to_owned()]));
}

#[test]
fn a_container_may_wish_to_be_checked_more_strictly() {
    let place = Place::new(None);
    let annotations =
        serde_json::json!({"org.oci-compat.spec": unknown(), "org.oci-compat.undecided": "refuse"});
    place.write("bundle/config.json", &serde_json::json!({"annotations": annotations}).to_string());
    assert_eq!(place.decide(&policy("")), (UNDECIDED, format!("oci-compat: refused: {NO_PROBE}")));
}

/// Each retry of an unfit container would be another chance that its engine does not answer.
#[test]
fn what_was_refused_is_refused_again_while_its_engine_does_not_answer() {
    let place = Place::new(None);
    let id = "c1".repeat(32);
    let folder = format!("run/io.containerd.runtime.v2.task/default/{id}");
    place.write(&format!("{folder}/config.json"), "{}");
    let at = |it: &str| place.0.path().join(it);
    drop(std::os::unix::net::UnixListener::bind(at("run/containerd.sock")).expect("a socket"));
    let spec = unmet();
    place.write(
        "requirements.d/own.toml",
        &format!("images = [\"docker.io/acme/*\"]\nspec = '''\n{spec}'''\n"),
    );
    let options = place.options();
    let again = |policy: &Policy| {
        let state = State { id: id.clone(), bundle: at(&folder), process: None };
        let policy = Policy { requirements: Some(at("requirements.d")), ..policy.clone() };
        decide(&state, &setting(&options, &policy)).refused
    };
    assert_eq!(again(&policy("")), None);
    let subject = Subject {
        image: Some("docker.io/acme/upf:1".to_owned()),
        digest: Some(format!("sha256:{}", "ab".repeat(32))),
        container: Some(id.clone()),
        ..Subject::default()
    };
    saved::write(&at("reports"), &id, &Report::trouble(subject, "a test")).expect("a report");
    for _ in 0..3 {
        assert_eq!(again(&policy("")), INCOMPATIBLE);
    }
    // Nothing that is remembered is an exception.
    let waiver =
        "[[waiver]]\nrule = \"*\"\nimage = \"docker.io/acme/*\"\nreason = \"r\"\nexpires = \"never\"\n";
    assert_eq!(again(&policy(waiver)), INCOMPATIBLE);
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
fn what_is_recommended_refuses_nothing_and_is_told_and_recorded_once() {
    let place = Place::new(Some(&severe("recommended")));
    let said = "oci-compat: note: started without what is recommended: kernel is 6.1.0-13-amd64, needs 6.8 or newer \
                [kernel-version, +1 more; oci-compat why c1]\n  recommended: kernel version major is 6, needs at least 7 \
                [kernel-version]\n  remedy: boot it\n";
    let strict = policy("action.incompatible = \"refuse\"\naction.undecided = \"refuse\"");
    assert_eq!(place.decide(&strict), (None, said.to_owned()));
    let report = place.report().expect("a report");
    let missed: Vec<_> = report.recommendations.iter().map(|it| it.rule.as_deref()).collect();
    assert_eq!((report.verdict.as_str(), missed), ("compatible", vec![Some("kernel"), Some("kernel")]));
    let records = place.records();
    let actions: Vec<_> = records.iter().map(|it| (it.verdict.as_str(), it.action.as_str())).collect();
    assert_eq!(actions, [("compatible", "start")]);
}

#[test]
fn what_is_for_information_is_neither_told_nor_recorded() {
    let place = Place::new(Some(&severe("info")));
    assert_eq!(place.decide(&policy("")), (None, String::new()));
    assert_eq!(place.records().len(), 0);
}

#[test]
fn what_is_required_has_every_lack_counted_and_the_remedy() {
    let said = "oci-compat: refused: kernel is 6.1.0-13-amd64, needs 6.8 or newer [kernel-version, +1 more; oci-compat why c1]\n  \
                kernel version major is 6, needs at least 7 [kernel-version]\n  remedy: boot it\n";
    check(Some(&severe("required")), "", Some(Situation::Judged(Verdict::Incompatible)), said);
}

#[test]
fn a_rule_without_a_name_is_waived_by_its_id() {
    let place = Place::new(Some(&severe("required")));
    let said = "oci-compat: warning: started by waiver: kernel is 6.1.0-13-amd64, needs 6.8 or newer [kernel-version; \
                oci-compat why c1]\n  rule kernel is waived without end at config.toml:1: lab\n";
    let by_id = waiver("x", "never").replace("rule = \"x\"", "id = \"ker*\"");
    assert_eq!(place.decide(&policy(&by_id)), (None, said.to_owned()));
    let annotations =
        serde_json::json!({"org.oci-compat.spec": severe("required"), "org.oci-compat.waive": "kernel"});
    place.write("bundle/config.json", &serde_json::json!({"annotations": annotations}).to_string());
    let (refused, _) = place.decide(&policy("may_waive.images = [\"*\"]"));
    assert_eq!(refused, None);
}

#[test]
fn every_lack_of_one_term_is_in_the_message_the_report_and_the_record() {
    let settings =
        ["fs.file-max", "kernel.pid_max", "net.core.rmem_max", "net.core.wmem_max", "vm.max_map_count"];
    let tests = settings.map(|it| format!("{it}: {{op: Ge, value: [1000]}}")).join(", ");
    let place = Place::new(Some(&spec(&format!("feature: kernel.sysctl, matchExpressions: {{{tests}}}"))));
    for (index, setting) in settings.iter().enumerate() {
        place.write(&format!("host/proc/sys/{}", setting.replace('.', "/")), &format!("{index}\n"));
    }
    let (refused, said) = place.decide(&policy(""));
    let lacks = [0, 1, 2, 3, 4].map(|it| {
        let setting = settings[it];
        format!("sysctl {setting} is {it}, needs at least 1000 (try: sysctl -w {setting}=1000)")
    });
    let others: String = lacks[1..].iter().map(|it| format!("  {it} [value-out-of-range]\n")).collect();
    let first = format!("{} [value-out-of-range, +4 more; oci-compat why c1]", lacks[0]);
    assert_eq!((refused, said), (INCOMPATIBLE, format!("oci-compat: refused: {first}\n{others}")));
    let report = place.report().expect("a report");
    let reported: Vec<_> = report.reasons.iter().map(|it| it.message.clone()).collect();
    assert_eq!(reported, lacks);
    let records = place.records();
    let recorded: Vec<_> = records.iter().flat_map(|it| &it.reasons).map(|it| it.message.clone()).collect();
    assert_eq!(recorded, lacks);
}
