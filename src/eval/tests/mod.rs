//! Rules and facts, with the expected results.

mod bundle;
mod demand;
mod instances;
mod nvidia;
mod operators;
mod own;
mod limits;
mod variables;

use std::collections::BTreeSet;

use super::*;
use crate::host::{Fact, Feature, Instance};
use crate::spec::parse;

/// A spec with these rules, each a mapping in YAML's flow style.
fn spec(rules: &str) -> Spec {
    sets(&format!("{{rules: [{rules}]}}"))
}

fn sets(sets: &str) -> Spec {
    let text = format!("version: v1alpha1\ncompatibilities: [{sets}]");
    parse(text.as_bytes()).unwrap_or_else(|err| panic!("{err}: {text}"))
}

/// A feature of each kind and in each state.
fn facts() -> Facts {
    let hidden = || Unknown::new("/hidden", "is hidden");
    let instance = |pairs: &[(&str, &str)]| Instance {
        attributes: pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        read: None,
    };
    let devices = || {
        vec![
            instance(&[("vendor", "8086"), ("class", "0200"), ("vfs", "0")]),
            instance(&[("vendor", "10de"), ("class", "0300"), ("vfs", "16")]),
        ]
    };
    let values =
        [("six", "6"), ("text", "abc"), ("empty", ""), ("true", "true"), ("false", "false"), ("v", "6.1")];
    let known = |feature| Fact::Known(feature, "/known".to_owned());
    let mut facts = Facts::default();
    facts.insert("t.flags", known(Feature::flags(["a"])));
    facts.insert("t.values", known(Feature::attributes(values)));
    facts.insert(
        "t.both",
        known(Feature { flags: Some(["six".to_owned()].into()), ..Feature::attributes(values) }),
    );
    facts.insert("t.devices", known(Feature::instances(devices())));
    facts.insert("t.none", known(Feature::instances(Vec::new())));
    facts.insert(
        "t.mixed",
        known(Feature { flags: Some(["f".to_owned()].into()), ..Feature::instances(devices()) }),
    );
    let partly = |feature: Feature| known(Feature { incomplete: Some(hidden()), ..feature });
    facts.insert("p.flags", partly(Feature::flags(["a"])));
    facts.insert("p.values", partly(Feature::attributes(values)));
    facts.insert("p.both", partly(Feature { flags: Some(BTreeSet::new()), ..Feature::attributes(values) }));
    facts.insert("p.devices", partly(Feature::instances(devices())));
    let doubt = [("b".to_owned(), hidden())].into();
    facts.insert("p.doubtful", known(Feature { doubtful: doubt, ..Feature::flags(["a"]) }));
    facts.insert("p.nothing", partly(Feature::default()));
    facts.insert("t.absent", Fact::Absent("/absent".to_owned()));
    facts.insert("t.unknown", Fact::Unknown(hidden()));
    facts
}

/// What comes of a term of one rule.
fn check(term: &str, expected: &str) {
    check_rules(&format!("{{matchFeatures: [{{{term}}}]}}"), &[expected]);
}

fn check_rules(rules: &str, expected: &[&str]) {
    let spec = spec(rules);
    let judgement = evaluate(&spec, &[], &facts());
    let found: Vec<_> = judgement.sets.iter().flat_map(|it| &it.rules).map(|it| it.outcome.name()).collect();
    assert_eq!(found, expected, "{rules}");
}

#[test]
fn outcomes_combine_as_kleene_has_it() {
    use Outcome::{Met, Unknown, Unmet};
    let all = [Met, Unknown, Unmet];
    let and = [[Met, Unknown, Unmet], [Unknown, Unknown, Unmet], [Unmet, Unmet, Unmet]];
    let or = [[Met, Met, Met], [Met, Unknown, Unknown], [Met, Unknown, Unmet]];
    assert_eq!(all.map(|left| all.map(|right| left.and(right))), and);
    assert_eq!(all.map(|left| all.map(|right| left.or(right))), or);
    assert_eq!(all.map(|left| all.map(|right| Outcome::all([left, right]))), and);
    assert_eq!(all.map(|left| all.map(|right| Outcome::any([left, right]))), or);
    assert_eq!((Outcome::all([]), Outcome::any([])), (Met, Unmet));
}

#[test]
fn match_features_and_one_alternative_have_to_hold() {
    let term = |outcome: &str| match outcome {
        "met" => "{feature: t.flags}",
        "unmet" => "{feature: t.absent}",
        _ => "{feature: t.unknown}",
    };
    let check = |features: &str, any: &[&str], expected: &str| {
        let any: Vec<_> = any.iter().map(|it| format!("{{matchFeatures: [{}]}}", term(it))).collect();
        let any = format!("matchAny: [{}]", any.join(", "));
        check_rules(&format!("{{matchFeatures: [{}], {any}}}", term(features)), &[expected]);
    };
    check("met", &[], "met");
    check("met", &["unmet", "met"], "met");
    check("met", &["unmet", "unmet"], "unmet");
    check("met", &["unmet", "unknown"], "unknown");
    check("met", &["unknown", "met"], "met");
    check("unmet", &["unknown"], "unmet");
    check("unknown", &["met"], "unknown");
    check("unknown", &["unmet"], "unmet");
    check_rules("{}", &["met"]);
    check_rules("{matchAny: [{}]}", &["met"]);
}

#[test]
fn nothing_is_skipped_once_the_outcome_is_certain() {
    let rules = "{matchFeatures: [{feature: t.absent}, {feature: t.values, matchExpressions: {nope: {op: Exists}, six: {op: \
                 Exists}}}], matchAny: [{matchFeatures: [{feature: t.flags}]}, {matchFeatures: [{feature: t.unknown}]}]}, {}";
    let spec = spec(rules);
    let judgement = evaluate(&spec, &[], &facts());
    let terms = judgement.sets[0].rules[0].terms.iter();
    let found: Vec<_> = terms
        .map(|it| (it.alternative, it.findings.iter().map(|it| it.outcome.name()).collect::<Vec<_>>()))
        .collect();
    let expected = [
        (None, vec!["unmet"]),
        (None, vec!["unmet", "met"]),
        (Some(0), vec!["met"]),
        (Some(1), vec!["unknown"]),
    ];
    assert_eq!(found, expected);
    assert_eq!(judgement.sets[0].rules.len(), 2);
}

const MET: &str = "matchFeatures: [{feature: t.flags}]";
const UNMET: &str = "matchFeatures: [{feature: t.absent}]";
const UNKNOWN: &str = "matchFeatures: [{feature: t.unknown}]";

#[test]
fn one_set_has_to_fit_and_tags_say_which_count() {
    let set = |tag: &str, rule: &str| format!("{{tag: {tag}, rules: [{{{rule}}}]}}");
    let check = |sets_text: &str, tags: &[&str], expected: &str| {
        let tags: Vec<_> = tags.iter().map(|it| (*it).to_owned()).collect();
        assert_eq!(
            evaluate(&sets(sets_text), &tags, &facts()).outcome.name(),
            expected,
            "{sets_text} {tags:?}"
        );
    };
    let (good, bad, unsure) = (set("good", MET), set("bad", UNMET), set("unsure", UNKNOWN));
    check("", &[], "met");
    check("", &["good"], "met");
    check(&good, &[], "met");
    check(&format!("{bad}, {good}"), &[], "met");
    check(&format!("{bad}, {unsure}"), &[], "unknown");
    check(&bad, &[], "unmet");
    check(&format!("{bad}, {good}"), &["bad"], "unmet");
    check(&format!("{bad}, {good}"), &["bad", "good"], "met");
    check(&good, &["Good"], "unknown");
    check("{rules: [{}]}", &["good"], "unknown");
    check("{rules: [{}]}", &[""], "met");
    check("{rules: []}", &[], "met");
}

#[test]
fn the_best_set_is_the_heaviest_that_fits_and_the_nearest_the_one_that_lacks_least() {
    let set = |tag: &str, weight: i64, rules: &[&str]| {
        let rules: Vec<_> = rules.iter().map(|it| format!("{{{it}}}")).collect();
        format!("{{tag: {tag}, weight: {weight}, rules: [{}]}}", rules.join(", "))
    };
    let check = |all: &[String], best: Option<&str>, nearest: Option<&str>| {
        let spec = sets(&all.join(", "));
        let judgement = evaluate(&spec, &[], &facts());
        assert_eq!(judgement.best().map(|it| it.set.tag.as_str()), best, "{all:?}");
        assert_eq!(judgement.nearest().map(|it| it.set.tag.as_str()), nearest, "{all:?}");
    };
    check(&[], None, None);
    check(
        &[set("a", 1, &[MET]), set("b", 2, &[MET]), set("c", 2, &[MET]), set("d", 9, &[UNMET])],
        Some("b"),
        Some("b"),
    );
    check(&[set("a", -1, &[MET]), set("b", -2, &[MET])], Some("a"), Some("a"));
    check(&[set("a", 9, &[UNMET, UNMET]), set("b", 1, &[UNMET])], None, Some("b"));
    check(&[set("a", 9, &[UNMET]), set("b", 1, &[UNKNOWN, UNKNOWN])], None, Some("b"));
    check(&[set("a", 1, &[UNMET]), set("b", 2, &[UNMET]), set("c", 2, &[UNMET])], None, Some("b"));
    check(&[set("a", i64::MIN, &[UNMET]), set("b", 0, &[UNMET])], None, Some("b"));
}

#[test]
fn decisive_are_the_terms_that_give_the_outcome_and_of_alternatives_the_nearest() {
    let check = |rule: &str, expected: &[&str]| {
        let spec = spec(&format!("{{{rule}}}"));
        let judgement = evaluate(&spec, &[], &facts());
        let found: Vec<_> = judgement.sets[0].decisive().map(|it| it.term.feature.as_str()).collect();
        assert_eq!(found, expected, "{rule}");
    };
    check(MET, &[]);
    check("matchFeatures: [{feature: t.flags}, {feature: t.absent}, {feature: t.unknown}]", &["t.absent"]);
    check("matchFeatures: [{feature: t.flags}, {feature: t.unknown}]", &["t.unknown"]);
    let lacks_two = "{matchFeatures: [{feature: t.absent}, {feature: t.absent}]}";
    let lacks_one = "{matchFeatures: [{feature: t.flags}, {feature: T.Absent}]}";
    check(&format!("matchAny: [{lacks_two}, {lacks_one}]"), &["T.Absent"]);
    check(&format!("matchAny: [{lacks_two}, {{{UNKNOWN}}}]"), &["t.unknown"]);
    check(&format!("{UNMET}, matchAny: [{lacks_one}, {{{UNKNOWN}}}]"), &["t.absent"]);
    check(&format!("{UNMET}, matchAny: [{lacks_one}, {{}}]"), &["t.absent"]);
    // However the demands are spread over terms; and of those that lack as much, the first.
    let lacks_both =
        "{matchFeatures: [{feature: t.flags, matchExpressions: {neither: {op: Exists}, nor: {op: Exists}}}]}";
    check(&format!("matchAny: [{lacks_both}, {lacks_one}]"), &["T.Absent"]);
    let has_less = "{matchFeatures: [{feature: t.absent}]}";
    check(&format!("matchAny: [{has_less}, {lacks_one}]"), &["t.absent"]);
}

#[test]
fn a_waived_rule_does_not_count_and_one_that_is_met_cannot_be_waived() {
    let set = |tag: &str, rules: &str| format!("{{tag: {tag}, rules: [{rules}]}}");
    let rules = format!("{{name: met, {MET}}}, {{name: unmet, {UNMET}}}, {{name: unknown, {UNKNOWN}}}");
    let spec = sets(&set("only", &rules));
    let facts = facts();
    let judgement = || evaluate(&spec, &[], &facts);
    let check = |waived: &[&str], set: Outcome, outcomes: [(Outcome, Option<Outcome>); 3]| {
        let mut judgement = judgement();
        let mut asked = Vec::new();
        judgement.waive(|it| {
            asked.push(it.rule.name.clone());
            waived.contains(&it.rule.name.as_str())
        });
        assert_eq!(asked, ["unmet", "unknown"]);
        assert_eq!((judgement.outcome, judgement.sets[0].outcome), (set, set), "{waived:?}");
        let found: Vec<_> = judgement.sets[0].rules.iter().map(|it| (it.outcome, it.waived)).collect();
        assert_eq!(found, outcomes, "{waived:?}");
    };
    use Outcome::{Met, Unknown, Unmet};
    let met = (Met, None);
    check(&[], Unmet, [met, (Unmet, None), (Unknown, None)]);
    check(&["met", "unmet"], Unknown, [met, (Met, Some(Unmet)), (Unknown, None)]);
    check(&["unmet", "unknown"], Met, [met, (Met, Some(Unmet)), (Met, Some(Unknown))]);
    // Without a set that counts there is nothing to waive: whether the image fits is still unknown.
    let mut none = evaluate(&spec, &["other".to_owned()], &facts);
    none.waive(|_| true);
    assert_eq!((none.outcome, none.sets.len()), (Unknown, 0));
}
