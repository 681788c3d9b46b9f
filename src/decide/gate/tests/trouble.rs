//! What keeps a check from being made: trouble of the host, and what a container brings that cannot be read.

use std::fs;

use super::*;
use crate::store::{Digest, Writer};

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
    let place = GateFixture::new(Some(&met()));
    let options = GateOptions { root: place.0.path().join("gone"), ..place.options() };
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
    assert_eq!(place.report().map(|it| it.verdict), Some(Verdict::Undecided));
    assert_eq!(decide("action.trouble = \"refuse\""), (TROUBLE, line("refused")));
    let audit = decide("mode = \"audit\"\naction.trouble = \"refuse\"");
    assert_eq!(audit, (None, line("warning: would be refused")));
}

#[test]
fn trouble_that_the_container_causes_is_refused_unless_policy_says_otherwise() {
    let place = GateFixture::new(None);
    place.write("bundle/config.json", "{");
    let fault = "reading DIR/bundle/config.json: it is not JSON: it ends too early [container-trouble; oci-compat why c1]\n";
    let line = |opening: &str| format!("oci-compat: {opening}: {fault}");
    assert_eq!(place.decide(&policy("")), (CONTAINER, line("refused")));
    let report = place.report().expect("a report");
    assert_eq!((report.verdict.name(), report.action.map(Action::name)), ("undecided", Some("refuse")));
    let lax = policy("action.container_trouble = \"start\"");
    assert_eq!(place.decide(&lax), (None, line("warning: started unchecked")));
    assert_eq!(place.decide(&policy("mode = \"audit\"")), (None, line("warning: would be refused")));
}

/// The table in `docs/policy.md`: each thing that a container brings.
#[test]
fn whatever_the_container_brings_that_cannot_be_read_is_refused() {
    let check = |config: &str, told: &str| {
        let place = GateFixture::new(None);
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
    let place = GateFixture::new(None);
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
        let place = GateFixture::new(None);
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
    let place = GateFixture::new(None);
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
        let place = GateFixture::new(Some(brought));
        let own = format!("images = [\"*\"]\nspec = \"\"\"\n{others}\"\"\"\n");
        place.write("requirements.d/own.toml", &own);
        let policy = policy(config);
        let policy = Policy { requirements: Some(place.0.path().join("requirements.d")), ..policy };
        let (options, heard) = (place.options(), std::cell::RefCell::new(Vec::new()));
        let hear = |action| heard.borrow_mut().push(action);
        let state = State { id: "c1".to_owned(), bundle: place.0.path().join("bundle"), process: None };
        let decision = decide(&state, &DecisionContext { guard: Guard(&hear), ..setting(&options, &policy) });
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

/// That the image must have a signed spec, and has none, is known before the container's own spec is read.
#[test]
fn a_signed_spec_that_is_missing_is_missing_whatever_the_container_brings() {
    let place = GateFixture::new(None);
    let config = serde_json::json!({"annotations": {"org.oci-compat.spec": met()}});
    place.write("bundle/config.json", &config.to_string());
    let image = Digest::of(b"image");
    let walk = serde_json::json!({"from_descriptor_path": {"descriptor_walk": [{"digest": image}]}});
    place.write("bundle/umoci.json", &walk.to_string());
    let mut writer = Writer::open(&place.options().store).expect("the store");
    writer.demand(&[(image, "docker.io/acme/upf".to_owned())]).expect("noted");
    let policy = policy(
        "action.container_trouble = \"start\"\n[trust.\"docker.io/acme/*\"]\nrequire = \"signed-spec\"\nkeys = [\"/k\"]\n",
    );
    let (options, heard) = (place.options(), std::cell::RefCell::new(Vec::new()));
    let hear = |action| heard.borrow_mut().push(action);
    let state = State { id: "c1".to_owned(), bundle: place.0.path().join("bundle"), process: None };
    let decision = decide(&state, &DecisionContext { guard: Guard(&hear), ..setting(&options, &policy) });
    let heard = heard.into_inner();
    assert_eq!(
        (heard.as_slice(), decision.refused),
        (&[Action::Refuse][..], Some(Situation::SpecMissing)),
        "{decision:?}"
    );
}

/// The environment and the program are the container's own, as its annotations are.
#[test]
fn what_is_proven_stands_whatever_the_environment_and_the_program_demand() {
    let env = ["NVIDIA_REQUIRE_CUDA=no condition"];
    let configs = [
        serde_json::json!({"process": {"env": env}, "linux": {"devices": [{"path": "/dev/nvidia0"}]}}),
        serde_json::json!({"process": {"args": ["/bin/x"], "cwd": "/"}, "root": {"path": "rootfs"}}),
    ];
    for config in configs {
        let place = GateFixture::new(None);
        place.write("bundle/config.json", &config.to_string());
        place.write(
            "requirements.d/own.toml",
            &format!("images = [\"*\"]\nspec = \"\"\"\n{}\"\"\"\n", unmet()),
        );
        let folder = Some(place.0.path().join("requirements.d"));
        let policy = Policy { requirements: folder, ..policy("action.container_trouble = \"start\"") };
        let (options, heard) = (place.options(), std::cell::RefCell::new(Vec::new()));
        let hear = |action| heard.borrow_mut().push(action);
        let state = State { id: "c1".to_owned(), bundle: place.0.path().join("bundle"), process: None };
        let runc = || Some("/usr/bin/runc".into());
        let caller = Caller::Wrapper { limits: &[], runtime: Successor(&runc) };
        let setting = DecisionContext { guard: Guard(&hear), caller, ..setting(&options, &policy) };
        let decision = decide(&state, &setting);
        let heard = heard.into_inner();
        assert_eq!((heard.as_slice(), decision.refused), (&[Action::Refuse][..], INCOMPATIBLE), "{config}");
    }
}

#[test]
fn a_host_root_that_is_not_there_makes_everything_unknown() {
    let place = GateFixture::new(Some(&unmet()));
    let options = GateOptions { root: place.0.path().join("gone"), ..place.options() };
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
fn a_state_that_cannot_be_read_is_trouble_without_a_report() {
    let place = GateFixture::new(None);
    let decision = decide_blindly("", &no_state(), &setting(&place.options(), &policy("")));
    assert_eq!(
        (decision.refused, decision.message.as_str()),
        (None, "oci-compat: warning: started unchecked: no state [trouble]\n")
    );
    assert_eq!(place.report(), None);
}

/// The decision under a configuration that cannot be used, then one without a state.
fn under_broken(place: &GateFixture, policy: &Policy) -> [(Option<Situation>, String); 2] {
    let options = place.options();
    let setting = DecisionContext { broken: Some(BROKEN), ..setting(&options, policy) };
    let state = State { id: "c1".to_owned(), bundle: place.0.path().join("bundle"), process: None };
    [decide(&state, &setting), decide_blindly("", &no_state(), &setting)].map(|it| (it.refused, it.message))
}

const BROKEN: &str = "the configuration is broken: 1:1";

#[test]
fn a_strict_host_refuses_everything_under_a_broken_configuration_but_sandboxes() {
    let strict = policy("action.trouble = \"refuse\"");
    let [refused, blind] = under_broken(&GateFixture::new(None), &strict);
    let said = format!("oci-compat: refused: {BROKEN} [trouble; oci-compat why c1]\n");
    assert_eq!(refused, (Some(Situation::Trouble), said));
    let said = format!("oci-compat: refused: no state [trouble, +1 more]\n  {BROKEN} [trouble]\n");
    assert_eq!(blind, (Some(Situation::Trouble), said));
    let place = GateFixture::new(None);
    let id = "5e".repeat(32);
    let sandbox = serde_json::json!({"annotations": {
        "io.kubernetes.cri.container-type": "sandbox", "io.kubernetes.cri.sandbox-id": id}});
    place.write(&format!("{id}/config.json"), &sandbox.to_string());
    let options = place.options();
    let setting = DecisionContext { broken: Some(BROKEN), ..setting(&options, &strict) };
    let state = State { id: id.clone(), bundle: place.0.path().join(&id), process: None };
    assert_eq!(decide(&state, &setting).refused, None);
}

#[test]
fn what_starts_under_a_broken_configuration_is_told_reported_and_recorded() {
    let audit = policy("mode = \"audit\"");
    let place = GateFixture::new(None);
    let warning = format!("oci-compat: warning: {BROKEN}\n");
    let blind = format!("{warning}oci-compat: warning: started unchecked: no state [trouble]\n");
    assert_eq!(under_broken(&place, &audit), [(None, warning.clone()), (None, blind)]);
    let reasons = place.report().map(|it| it.reasons.into_iter().map(|it| it.message).collect::<Vec<_>>());
    assert_eq!(reasons, Some(vec![BROKEN.to_owned()]));
    let recorded = place.records();
    let stored = recorded.first().map(|it| (it.situation.name(), it.action.name(), it.message.as_str()));
    let message = "oci-compat: warning: started unchecked: the configuration is broken: 1:1 [trouble; oci-compat why c1]";
    assert_eq!(stored, Some(("trouble", "start", message)));
    let [(_, message), _] = under_broken(&GateFixture::new(Some(&unmet())), &audit);
    assert_eq!(message, format!("{warning}oci-compat: warning: would be refused: {TOO_OLD}"));
}

/// Each retry of an unfit container would be another chance that its engine does not answer.
#[test]
fn what_was_refused_is_refused_again_while_its_engine_does_not_answer() {
    let place = GateFixture::new(None);
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
