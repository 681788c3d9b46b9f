//! Exceptions.

use super::*;

#[test]
fn a_waived_container_starts_and_leaves_a_report() {
    let place = GateFixture::new(Some(&unmet()));
    let said = "oci-compat: warning: started by waiver: kernel is 6.1.0-13-amd64, needs 6.8 or newer [kernel-version; \
                oci-compat why c1]\n  rule r is waived without end at config.toml:1: lab\n";
    assert_eq!(place.decide(&policy(&waiver("r", "never"))), (None, said.to_owned()));
    let report = place.report().expect("a report");
    let used: Vec<_> = report.waivers.iter().map(|it| (it.rule.as_str(), it.code.as_str())).collect();
    assert_eq!((report.verdict.name(), report.action.map(Action::name)), ("compatible", Some("start")));
    assert_eq!(used, [("r", "kernel-version")]);
    let rule = &report.specs[0].sets[0].rules[0];
    assert_eq!((rule.outcome.name(), rule.waived), ("unmet", true));
    let recorded: Vec<_> = place.records().into_iter().map(|it| (it.situation, it.intention)).collect();
    assert_eq!(recorded, [(Situation::Judged(Verdict::Compatible), Action::Start)]);
}

#[test]
fn a_waiver_that_is_over_lets_nothing_start_and_that_is_told() {
    let place = GateFixture::new(Some(&unmet()));
    let said = format!("oci-compat: refused: {TOO_OLD}");
    assert_eq!(place.decide(&policy(&waiver("r", "2020-01-01"))), (INCOMPATIBLE, said));
    let notes = place.report().map(|it| it.notes);
    assert_eq!(
        notes,
        Some(vec!["the waiver at config.toml:1 is not used: it held until 2020-01-01: lab".to_owned()])
    );
}

#[test]
fn a_rule_without_a_name_is_waived_by_its_id() {
    let place = GateFixture::new(Some(&severe("required")));
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
