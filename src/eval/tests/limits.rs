//! The deadline, and the bytes that a spec may look at.

use std::cell::Cell;

use super::{facts, own, spec};
use crate::eval::{Access, Outcome, evaluate, evaluate_until};
use crate::host::{Fact, Facts, Feature, Instance};

#[test]
fn what_is_not_judged_in_time_is_unknown_and_what_is_proven_stays() {
    let rules = "{matchFeatures: [{feature: t.flags, matchExpressions: {b: {op: Exists}}}]}, \
                 {matchFeatures: [{feature: t.values, matchExpressions: {six: {op: Exists}}}]}";
    let spec = spec(rules);
    let looks = Cell::new(0);
    let is_over = || looks.replace(looks.get() + 1) > 0;
    let facts = facts();
    let judgement = evaluate_until(&spec, &[], &facts, Access::Full, &is_over);
    assert_eq!(judgement.outcome, Outcome::Unmet);
    let rules = &judgement.sets[0].rules;
    assert_eq!((rules[0].outcome, rules[1].outcome), (Outcome::Unmet, Outcome::Unknown));
    assert_eq!(rules[1].terms[0].findings[0].found(), "unknown: was not judged: the deadline has passed");
}

/// A rule of our own language, the only one that counts.
fn rule(term: &str) -> crate::spec::Spec {
    own::spec(&format!("{{matchFeatures: [{{feature: {term}}}]}}"))
}

#[test]
fn the_clock_is_looked_at_within_a_long_feature_too() {
    let names: Vec<_> = (0..1000).map(|it| format!("n{it}")).collect();
    let instance =
        |name: &String| Instance { attributes: [("a".to_owned(), name.clone())].into(), read: None };
    let mut facts = Facts::default();
    facts.insert("n.n", Fact::Known(Feature::flags(names.clone()), "/n".to_owned()));
    facts.insert(
        "i.i",
        Fact::Known(Feature::instances(names.iter().map(instance).collect()), "/i".to_owned()),
    );
    for term in [
        "n.n, matchName: {op: In, value: [x]}",
        "i.i, matchExpressions: {a: {op: In, value: [x]}}",
        "i.i, matchExpressions: {a: {op: In, value: [x]}}, count: {op: Ge, value: [1]}",
    ] {
        let spec = rule(term);
        let check = |limit: u32, outcome: Outcome, expected: u32| {
            let looks = Cell::new(0);
            let is_over = || looks.replace(looks.get() + 1) >= limit;
            let judgement = evaluate_until(&spec, &[], &facts, Access::Full, &is_over);
            assert_eq!((judgement.outcome, looks.get()), (outcome, expected), "{term}");
        };
        check(3, Outcome::Unknown, 4);
        // At the start, and after every 64 elements.
        check(u32::MAX, Outcome::Unmet, 1 + 1000 / 64);
    }
}

#[test]
fn a_host_that_has_more_than_a_spec_may_look_at_leaves_it_unknown() {
    // Short elements count as 16 bytes.
    let other = "b".to_owned();
    let facts = |bytes: usize| {
        let instance =
            |value: &str| Instance { attributes: [("a".to_owned(), value.to_owned())].into(), read: None };
        let (long, whole) = ("x".repeat(bytes - 16), "x".repeat(bytes));
        let mut facts = Facts::default();
        let instances = Feature::instances(vec![instance(&long), instance(&other)]);
        facts.insert("n.n", Fact::Known(Feature::flags([long, other.clone()]), "/n".to_owned()));
        facts.insert("v.v", Fact::Known(Feature::attributes([("a", whole)]), "/v".to_owned()));
        facts.insert("i.i", Fact::Known(instances, "/i".to_owned()));
        facts
    };
    let check = |term: &str, outcome: Outcome, read: &str| {
        let spec = rule(term);
        let most = facts(256 << 10);
        assert_eq!(evaluate(&spec, &[], &most).outcome, outcome, "{term}");
        let more = facts((256 << 10) + 1);
        let judgement = evaluate(&spec, &[], &more);
        let finding = &judgement.sets[0].rules[0].terms[0].findings[0];
        assert_eq!(
            (finding.outcome, finding.read(), finding.found().as_str()),
            (Outcome::Unknown, read, "unknown: has more than the 262144 bytes that a spec may look at"),
            "{term}"
        );
    };
    check("n.n, matchName: {op: In, value: [b]}", Outcome::Met, "/n");
    check("v.v, matchExpressions: {a: {op: In, value: [b]}}", Outcome::Unmet, "/v");
    check("i.i, matchExpressions: {a: {op: In, value: [b]}}", Outcome::Met, "/i");
    check(
        "i.i, matchExpressions: {a: {op: In, value: [b]}}, count: {op: Ge, value: [1]}",
        Outcome::Met,
        "/i",
    );
}

#[test]
fn a_template_over_more_than_a_spec_may_look_at_leaves_its_variables_unknown() {
    let check = |bytes: usize, expected: [Outcome; 2]| {
        let attributes = [("a".to_owned(), "x".repeat(bytes)), ("b".to_owned(), "1".to_owned())].into();
        let mut facts = Facts::default();
        let instances = Feature::instances(vec![Instance { attributes, read: None }]);
        facts.insert("i.i", Fact::Known(instances, "/i".to_owned()));
        let spec = spec(
            "{matchFeatures: [{feature: i.i, matchExpressions: {a: {op: Exists}, b: {op: Exists}}}], varsTemplate: \"{{ range \
             .i.i }}v={{ .b }}\\n{{ end }}\"}, {matchFeatures: [{feature: rule.matched, matchExpressions: {v: {op: Exists}}}]}",
        );
        let judgement = evaluate(&spec, &[], &facts);
        let found: Vec<_> = judgement.sets[0].rules.iter().map(|it| it.outcome).collect();
        assert_eq!(found, expected, "{bytes}");
    };
    check(256 << 10, [Outcome::Met, Outcome::Met]);
    check((256 << 10) + 1, [Outcome::Met, Outcome::Unknown]);
}
