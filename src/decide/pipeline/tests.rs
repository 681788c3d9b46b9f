//! Requirements judged by hosts in temporary folders, and by facts.

use super::*;
use crate::outcome::report::SpecOrigin;
use crate::policy::Mode;
use crate::spec;
use crate::testing::{FakeHost, facts, judged_rules};

const UNMET: &str = "feature: kernel.loadedmodule, matchExpressions: {gtp: {op: Exists}}";
const MET: &str = "feature: kernel.version, matchExpressions: {major: {op: In, value: [\"6\"]}}";
const UNKNOWN: &str = "feature: vendor.thing";

fn collected(terms: &[&str]) -> Collected {
    let mut collected = Collected::default();
    for term in terms {
        let text = format!(
            "version: v1alpha1\ncompatibilities: [{{rules: [{{name: r, matchFeatures: [{{{term}}}]}}]}}]\n"
        );
        let text = if term.is_empty() { "[]" } else { text.as_str() };
        collected
            .requirements
            .push(Requirement { origin: SpecOrigin::Inline, spec: spec::parse(text.as_bytes()) });
    }
    collected
}

/// A host that could load the module that is missing.
fn host() -> FakeHost {
    FakeHost::new()
        .file("/proc/sys/kernel/osrelease", "6.1.0\n")
        .file("/proc/modules", "tun 65536 0 - Live 0x0000000000000000\n")
        .file("/lib/modules/6.1.0/modules.dep", "kernel/drivers/net/gtp.ko:\n")
        .file("/lib/modules/6.1.0/kernel/drivers/net/gtp.ko", "")
}

fn reasons(assessment: &Assessment) -> Vec<&str> {
    assessment.report.reasons.iter().map(|it| it.message.as_str()).collect()
}

#[test]
fn explanations_are_read_without_judging_again() {
    let host = host();
    let root = host.root();
    let (assessment, count) =
        judged_rules(|| assess(collected(&[UNMET, MET]), &Host::Root(&root), &Terms::default()));
    assert_eq!(count, 2);
    assert_eq!(reasons(&assessment), ["kernel module gtp is not loaded (available; try: modprobe gtp)"]);
    assert_eq!(assessment.situations, [Situation::Judged(Verdict::Incompatible)]);
}

#[test]
fn facts_that_were_taken_explain_what_they_can_and_nothing_is_read_for_them() {
    let taken = r#"{"flags": {"kernel.loadedmodule": {"elements": {"tun": {}}}}}"#;
    let taken = Facts::from_json(taken.as_bytes()).expect("facts");
    let assessment = assess(collected(&[UNMET]), &Host::Facts(&taken), &Terms::default());
    assert_eq!(reasons(&assessment), ["kernel module gtp is not loaded"]);
}

#[test]
fn on_a_host_that_cannot_be_read_nothing_is_missing() {
    let assessment = assess(collected(&[UNMET]), &Host::Unreadable, &Terms::default());
    assert_eq!(reasons(&assessment), ["kernel module gtp is unknown, needs loaded: was not read"]);
    assert_eq!(assessment.verdict, Verdict::Undecided);
}

/// What came of these specs on a host with kernel 6, where this is wrong besides.
fn check(terms: &[&str], faults: bool, missing: bool, troubles: bool) -> Assessment {
    let mut collected = collected(terms);
    let sentence = |it: bool| it.then(|| "a sentence".to_owned());
    collected.faults.extend(sentence(faults));
    collected.missing = sentence(missing);
    collected.troubles.extend(sentence(troubles));
    let mut facts = facts("kernel.version", &[("major", "6")]);
    facts.insert("kernel.loadedmodule", host::Fact::Absent("/proc/modules".to_owned()));
    assess(collected, &Host::Facts(&facts), &Terms::default())
}

#[test]
fn the_exit_status_says_what_was_judged_and_whether_that_is_all() {
    let check = |terms: &[&str], (faults, missing, troubles), status: u8| {
        let found = check(terms, faults, missing, troubles).status();
        assert_eq!(found, status, "{terms:?} {faults} {missing} {troubles}");
    };
    let (none, fault, missing, trouble) =
        ((false, false, false), (true, false, false), (false, true, false), (false, false, true));
    check(&[], none, 0);
    check(&[MET], none, 0);
    check(&[UNMET], none, 1);
    check(&[UNKNOWN], none, 3);
    check(&[""], none, 2);
    for wrong in [fault, missing, trouble] {
        check(&[MET, UNMET], wrong, 1);
    }
    check(&["", UNMET], none, 1);
    check(&["", UNKNOWN], none, 2);
    for (wrong, status) in [(fault, 2), (missing, 3), (trouble, 2)] {
        check(&[MET], wrong, status);
        check(&[UNKNOWN], wrong, status);
    }
}

#[test]
fn every_situation_is_named_and_the_gravest_comes_first() {
    let judged = |it| Situation::Judged(it);
    let all = check(&[MET, UNKNOWN, ""], true, true, true).situations;
    let (malformed, container) = (Situation::Malformed, Situation::Container);
    let (missing, trouble) = (Situation::SpecMissing, Situation::Trouble);
    assert_eq!(all, [malformed, container, missing, trouble, judged(Verdict::Undecided)]);
    let all = check(&[MET, UNMET, ""], true, true, true).situations;
    assert_eq!(all, [judged(Verdict::Incompatible), malformed, container, missing, trouble]);
    assert_eq!(check(&[MET], false, false, false).situations, [judged(Verdict::Compatible)]);
}

#[test]
fn what_is_plainly_compatible_is_listed_for_those_who_ask() {
    let facts = facts("kernel.version", &[("major", "6")]);
    let listed = |terms: &[&str], lists_compatible| {
        let terms_of = Terms { lists_compatible, ..Terms::default() };
        assess(collected(terms), &Host::Facts(&facts), &terms_of).report.specs.len()
    };
    assert_eq!((listed(&[MET], true), listed(&[MET], false)), (1, 0));
    assert_eq!((listed(&[MET, UNKNOWN], true), listed(&[MET, UNKNOWN], false)), (2, 2));
}

#[test]
fn a_policy_decides_by_the_first_situation_that_it_refuses() {
    let assessment = check(&[UNKNOWN, ""], false, false, true);
    let rule = |change: &dyn Fn(&mut Policy)| {
        let mut policy = Policy::default_policy();
        change(&mut policy);
        let ruling = assessment.under(&policy);
        (ruling.refused, ruling.action(), ruling.intention, ruling.opening)
    };
    let (start, refuse) = (Action::Start, Action::Refuse);
    assert_eq!(rule(&|_| {}), (Some(Situation::Malformed), refuse, refuse, "refused"));
    assert_eq!(rule(&|it| it.mode = Mode::Audit), (None, start, refuse, "warning: would be refused"));
    assert_eq!(rule(&|it| it.malformed = start), (None, start, start, "warning: started unchecked"));
    let strict = |it: &mut Policy| (it.malformed, it.trouble) = (start, refuse);
    assert_eq!(rule(&strict), (Some(Situation::Trouble), refuse, refuse, "refused"));
}

#[test]
fn an_unknown_container_s_fault_is_reported() {
    let blind = |fault: &Fault| {
        let assessment = Assessment::blind(Subject::default(), fault, &["it is broken".to_owned()]);
        let codes: Vec<_> = assessment.report.reasons.iter().map(|it| it.code.clone()).collect();
        (assessment.gravest(), assessment.status(), codes.join(" "))
    };
    let fault = blind(&Fault::Container(anyhow::anyhow!("no state")));
    assert_eq!(fault, (Situation::Container, TROUBLE, "container-trouble trouble".to_owned()));
    let trouble = blind(&Fault::Host(anyhow::anyhow!("no state")));
    assert_eq!(trouble, (Situation::Trouble, TROUBLE, "trouble trouble".to_owned()));
}
