//! Which instance is judged, and what is said of one that is not fully known.

use super::{facts, spec};
use crate::eval::{Outcome, evaluate};
use crate::host::{Fact, Facts, Feature, Instance, Unknown};

fn instance(pairs: &[(&str, &str)]) -> Instance {
    let attributes = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Instance { attributes, read: None }
}

fn known(feature: Feature) -> Fact {
    Fact::Known(feature, "/known".to_owned())
}

/// The outcome of each expression of a term, and what was found.
fn check(facts: &Facts, term: &str, expected: &[(Outcome, &str)]) {
    let spec = spec(&format!("{{matchFeatures: [{{feature: {term}}}]}}"));
    let judgement = evaluate(&spec, &[], facts);
    let findings = &judgement.sets[0].rules[0].terms[0].findings;
    let found: Vec<_> = findings.iter().map(|it| (it.outcome, it.found())).collect();
    let found: Vec<_> = found.iter().map(|(outcome, found)| (*outcome, found.as_str())).collect();
    assert_eq!(found, expected, "{term}");
}

#[test]
fn the_first_of_the_instances_that_meet_most_is_the_nearest() {
    let mut facts = Facts::default();
    let instances = vec![
        instance(&[("a", "1"), ("b", "0"), ("c", "7")]),
        instance(&[("a", "1"), ("b", "2"), ("c", "8")]),
        instance(&[("a", "1"), ("b", "2"), ("c", "9")]),
    ];
    facts.insert("i.i", known(Feature::instances(instances)));
    check(
        &facts,
        "i.i, matchExpressions: {a: {op: In, value: [1]}, b: {op: In, value: [2]}, c: {op: In, value: [3]}}",
        &[(Outcome::Met, "1"), (Outcome::Met, "2"), (Outcome::Unmet, "8 (nearest of 3)")],
    );
}

#[test]
fn an_attribute_that_may_not_have_been_read_is_unknown_with_the_reason() {
    check(
        &facts(),
        "p.devices, matchExpressions: {vendor: {op: In, value: [\"8086\"]}, nope: {op: Exists}}",
        &[(Outcome::Met, "8086"), (Outcome::Unknown, "unknown: is hidden")],
    );
}

#[test]
fn what_is_unknown_of_a_gpu_casts_no_doubt_on_its_driver() {
    let attributes = || Feature::attributes(["driver", "cuda", "library.x", "other"].map(|it| (it, "5")));
    let partly = Feature {
        instances: Some(Vec::new()),
        incomplete: Some(Unknown::new("/hidden", "is hidden")),
        ..attributes()
    };
    let newer = instance(&[("driver", "9")]);
    let mut facts = Facts::default();
    facts.insert("g.partly", known(partly));
    facts.insert("g.newer", known(Feature { instances: Some(vec![newer]), ..attributes() }));
    let least = |feature: &str, name: &str| {
        format!("g.{feature}, matchExpressions: {{{name}: {{op: Ge, value: [6]}}}}")
    };
    for name in ["driver", "cuda", "library.x"] {
        check(&facts, &least("partly", name), &[(Outcome::Unmet, "5")]);
    }
    check(&facts, &least("partly", "other"), &[(Outcome::Unknown, "unknown: is hidden")]);
    check(&facts, &least("newer", "driver"), &[(Outcome::Met, "9")]);
}

#[test]
fn limits_of_a_version_count_only_where_the_version_is_unknown() {
    let attributes = [("cuda_at_least", "13.3"), ("x", "1"), ("x_at_least", "9")];
    let partly =
        Feature { incomplete: Some(Unknown::new("/hidden", "is hidden")), ..Feature::attributes(attributes) };
    let mut facts = Facts::default();
    facts.insert("v.v", known(partly));
    let least =
        |name: &str| format!("v.v, matchExpressions: {{{name}: {{op: Ge, type: version, value: [5]}}}}");
    check(&facts, &least("cuda"), &[(Outcome::Met, "at least 13.3")]);
    check(&facts, &least("x"), &[(Outcome::Unmet, "1")]);
}
