//! The deadline, and the bytes that a spec may look at.

use super::{facts, spec};
use crate::eval::{Access, Outcome, evaluate, evaluate_until};
use crate::host::{Fact, Facts, Feature, Instance};

#[test]
fn what_is_not_judged_in_time_is_unknown_and_what_is_proven_stays() {
    let rules = "{matchFeatures: [{feature: t.flags, matchExpressions: {b: {op: Exists}}}]}, \
                 {matchFeatures: [{feature: t.values, matchExpressions: {six: {op: Exists}}}]}";
    let spec = spec(rules);
    let looks = std::cell::Cell::new(0);
    let is_over = || looks.replace(looks.get() + 1) > 0;
    let facts = facts();
    let judgement = evaluate_until(&spec, &[], &facts, Access::Full, &is_over);
    assert_eq!(judgement.outcome, Outcome::Unmet);
    let rules = &judgement.sets[0].rules;
    assert_eq!((rules[0].outcome, rules[1].outcome), (Outcome::Unmet, Outcome::Unknown));
    assert_eq!(rules[1].terms[0].findings[0].found(), "unknown: was not judged: the deadline has passed");
}

#[test]
fn the_clock_is_looked_at_within_a_long_feature_too() {
    let looks = std::cell::Cell::new(0);
    let is_over = || looks.replace(looks.get() + 1) > 2;
    let names: Vec<_> = (0..1000).map(|it| format!("n{it}")).collect();
    let instance =
        |name: &String| Instance { attributes: [("a".to_owned(), name.clone())].into(), read: None };
    let mut facts = Facts::default();
    facts.insert("n.n", Fact::Known(Feature::flags(names.clone()), "/n".to_owned()));
    facts.insert(
        "i.i",
        Fact::Known(Feature::instances(names.iter().map(instance).collect()), "/i".to_owned()),
    );
    for term in ["n.n, matchName: {op: In, value: [x]}", "i.i, matchExpressions: {a: {op: In, value: [x]}}"] {
        looks.set(0);
        let spec = spec(&format!("{{matchFeatures: [{{feature: {term}}}]}}"));
        let judgement = evaluate_until(&spec, &[], &facts, Access::Full, &is_over);
        assert_eq!((judgement.outcome, looks.get()), (Outcome::Unknown, 4), "{term}");
    }
}

#[test]
fn a_host_that_has_more_than_a_spec_may_look_at_leaves_it_unknown() {
    let check = |term: &str, expected: &str| {
        let long = "x".repeat(300 << 10);
        let instance = |value: String| Instance { attributes: [("a".to_owned(), value)].into(), read: None };
        let mut facts = Facts::default();
        facts.insert("n.n", Fact::Known(Feature::flags([long.clone(), "b".to_owned()]), "/n".to_owned()));
        facts.insert("v.v", Fact::Known(Feature::attributes([("a", long.clone())]), "/v".to_owned()));
        let instances = Feature::instances(vec![instance(long), instance("b".to_owned())]);
        facts.insert("i.i", Fact::Known(instances, "/i".to_owned()));
        let spec = spec(&format!("{{matchFeatures: [{{feature: {term}}}]}}"));
        let judgement = evaluate(&spec, &[], &facts);
        let finding = &judgement.sets[0].rules[0].terms[0].findings[0];
        assert_eq!(
            (finding.outcome, finding.read(), finding.found().as_str()),
            (Outcome::Unknown, expected, "unknown: has more than the 262144 bytes that a spec may look at"),
            "{term}"
        );
    };
    check("n.n, matchName: {op: In, value: [b]}", "/n");
    check("v.v, matchExpressions: {a: {op: InRegexp, value: [b]}}", "/v");
    check("i.i, matchExpressions: {a: {op: In, value: [b]}}", "/i");
}
