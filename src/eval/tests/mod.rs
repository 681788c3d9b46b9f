//! Rules and facts, with the expected results.

mod bundle;
mod demand;
mod nvidia;
mod own;

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

fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Met => "met",
        Outcome::Unmet => "unmet",
        Outcome::Unknown => "unknown",
    }
}

/// What comes of a term of one rule.
fn check(term: &str, expected: &str) {
    check_rules(&format!("{{matchFeatures: [{{{term}}}]}}"), &[expected]);
}

fn check_rules(rules: &str, expected: &[&str]) {
    let spec = spec(rules);
    let judgement = evaluate(&spec, &[], &facts());
    let found: Vec<_> = judgement.sets.iter().flat_map(|it| &it.rules).map(|it| name(it.outcome)).collect();
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
fn every_operator_is_judged_on_every_kind_of_element() {
    // On: a flag, an attribute 6, a key that is absent, an absent feature, an unknown one, a key that may be there.
    let places = [
        ("t.flags", "a"),
        ("t.values", "six"),
        ("t.values", "nope"),
        ("t.absent", "six"),
        ("t.unknown", "six"),
        ("p.values", "nope"),
    ];
    let cases = [
        ("{op: \"\"}", ["met", "met", "met", "unmet", "unknown", "met"]),
        ("{op: Exists}", ["met", "met", "unmet", "unmet", "unknown", "unknown"]),
        ("{op: DoesNotExist}", ["unmet", "unmet", "met", "unmet", "unknown", "unknown"]),
        ("{op: In, value: [5, 6]}", ["unmet", "met", "unmet", "unmet", "unknown", "unknown"]),
        ("{op: In, value: [5]}", ["unmet", "unmet", "unmet", "unmet", "unknown", "unknown"]),
        ("{op: NotIn, value: [5]}", ["unmet", "met", "unmet", "unmet", "unknown", "unknown"]),
        ("{op: NotIn, value: [5, 6]}", ["unmet", "unmet", "unmet", "unmet", "unknown", "unknown"]),
        ("{op: InRegexp, value: [x, \"^6$\"]}", ["unmet", "met", "unmet", "unmet", "unknown", "unknown"]),
        ("{op: InRegexp, value: [x]}", ["unmet", "unmet", "unmet", "unmet", "unknown", "unknown"]),
        ("{op: Gt, value: [5]}", ["unmet", "met", "unmet", "unmet", "unknown", "unknown"]),
        ("{op: Gt, value: [6]}", ["unmet", "unmet", "unmet", "unmet", "unknown", "unknown"]),
        ("{op: Ge, value: [6]}", ["unmet", "met", "unmet", "unmet", "unknown", "unknown"]),
        ("{op: Ge, value: [7]}", ["unmet", "unmet", "unmet", "unmet", "unknown", "unknown"]),
        ("{op: Lt, value: [7]}", ["unmet", "met", "unmet", "unmet", "unknown", "unknown"]),
        ("{op: Lt, value: [6]}", ["unmet", "unmet", "unmet", "unmet", "unknown", "unknown"]),
        ("{op: Le, value: [6]}", ["unmet", "met", "unmet", "unmet", "unknown", "unknown"]),
        ("{op: Le, value: [5]}", ["unmet", "unmet", "unmet", "unmet", "unknown", "unknown"]),
        ("{op: GtLt, value: [5, 7]}", ["unmet", "met", "unmet", "unmet", "unknown", "unknown"]),
        ("{op: GtLt, value: [6, 8]}", ["unmet", "unmet", "unmet", "unmet", "unknown", "unknown"]),
        ("{op: GeLe, value: [6, 7]}", ["unmet", "met", "unmet", "unmet", "unknown", "unknown"]),
        ("{op: GeLe, value: [7, 8]}", ["unmet", "unmet", "unmet", "unmet", "unknown", "unknown"]),
        ("{op: Gt, value: [v5.9], type: version}", ["unmet", "met", "unmet", "unmet", "unknown", "unknown"]),
        (
            "{op: Lt, value: [6.0.0], type: version}",
            ["unmet", "unmet", "unmet", "unmet", "unknown", "unknown"],
        ),
        ("{op: IsTrue}", ["unmet", "unmet", "unmet", "unmet", "unknown", "unknown"]),
        ("{op: IsFalse}", ["unmet", "unmet", "unmet", "unmet", "unknown", "unknown"]),
    ];
    for (expression, expected) in cases {
        for ((feature, element), expected) in places.into_iter().zip(expected) {
            check(&format!("feature: {feature}, matchExpressions: {{{element}: {expression}}}"), expected);
        }
    }
}

#[test]
fn a_value_that_a_test_cannot_be_applied_to_is_unknown() {
    let check = |element: &str, expression: &str, expected| {
        check(&format!("feature: t.values, matchExpressions: {{{element}: {expression}}}"), expected);
    };
    for element in ["text", "empty", "v", "\"true\""] {
        check(element, "{op: Gt, value: [1]}", "unknown");
    }
    check("text", "{op: Gt, value: [1], type: version}", "unknown");
    check("empty", "{op: In, value: [\"\"]}", "met");
    check("\"true\"", "{op: IsTrue}", "met");
    check("\"true\"", "{op: IsFalse}", "unmet");
    check("\"false\"", "{op: IsFalse}", "met");
}

#[test]
fn features_are_looked_up_in_lower_case_and_bare_terms_ask_for_the_feature() {
    check("feature: T.Values", "met");
    check("feature: t.none", "met");
    check("feature: t.absent", "unmet");
    check("feature: t.unknown", "unknown");
    check("feature: not.read", "unknown");
}

#[test]
fn no_expressions_ask_for_an_instance_where_there_are_only_instances() {
    check("feature: t.flags, matchExpressions: {}", "met");
    check("feature: t.devices, matchExpressions: {}", "met");
    check("feature: t.none, matchExpressions: {}", "unmet");
    check("feature: p.nothing, matchExpressions: {}", "unknown");
}

#[test]
fn all_expressions_have_to_hold_on_the_same_device() {
    let check = |feature: &str, expressions: &str, expected| {
        check(&format!("feature: {feature}, matchExpressions: {{{expressions}}}"), expected);
    };
    let vendor = |it: &str| format!("vendor: {{op: In, value: [\"{it}\"]}}");
    let vfs = "vfs: {op: Ge, value: [8]}";
    check("t.devices", &vendor("8086"), "met");
    check("t.devices", &format!("{}, {vfs}", vendor("10de")), "met");
    check("t.devices", &format!("{}, {vfs}", vendor("8086")), "unmet");
    check("t.devices", "nope: {op: DoesNotExist}", "met");
    check("t.none", "nope: {op: DoesNotExist}", "unmet");
    check("p.devices", &format!("{}, {vfs}", vendor("10de")), "met");
    check("p.devices", &format!("{}, {vfs}", vendor("8086")), "unknown");
    check("p.nothing", &vendor("8086"), "unknown");
}

#[test]
fn flags_attributes_and_instances_of_one_feature_are_alternatives() {
    let check = |feature: &str, expressions: &str, expected| {
        check(&format!("feature: {feature}, matchExpressions: {{{expressions}}}"), expected);
    };
    check("t.both", "six: {op: Exists}, text: {op: In, value: [abc]}", "met");
    check("t.both", "six: {op: Gt, value: [5]}", "met");
    check("t.both", "six: {op: DoesNotExist}", "unmet");
    check("t.both", "text: {op: DoesNotExist}", "unmet");
    check("t.both", "nope: {op: DoesNotExist}", "met");
    // A flag that could not be read would have no value: what is known of the attribute decides.
    check("p.both", "six: {op: Gt, value: [6]}", "unmet");
    check("p.both", "nope: {op: Gt, value: [6]}", "unknown");
    check("p.both", "six: {op: DoesNotExist}", "unmet");
    check("t.mixed", "f: {op: Exists}", "met");
    check("t.mixed", "vendor: {op: In, value: [10de]}", "met");
    check("t.mixed", "f: {op: Exists}, vendor: {op: In, value: [10de]}", "unmet");
}

#[test]
fn one_name_has_to_pass_match_name() {
    check("feature: t.flags, matchName: {op: In, value: [a]}", "met");
    check("feature: t.flags, matchName: {op: In, value: [b]}", "unmet");
    check("feature: t.flags, matchName: {op: NotIn, value: [a]}", "unmet");
    check("feature: t.flags, matchName: {op: Exists}", "met");
    check("feature: t.flags, matchName: {op: DoesNotExist}", "unmet");
    check("feature: t.none, matchName: {op: Exists}", "unmet");
    check("feature: t.values, matchName: {op: InRegexp, value: [\"^te\"]}", "met");
    check("feature: t.devices, matchName: {op: In, value: [class]}", "met");
    check("feature: t.flags, matchName: {op: Gt, value: [1]}", "unknown");
    check("feature: p.flags, matchName: {op: In, value: [a]}", "met");
    check("feature: p.flags, matchName: {op: In, value: [b]}", "unknown");
    check("feature: t.unknown, matchName: {op: Exists}", "unknown");
    let both = "matchExpressions: {six: {op: Exists}}, matchName: {op: In, value: [text]}";
    check(&format!("feature: t.values, {both}"), "met");
    check("feature: t.values, matchExpressions: {nope: {op: Exists}}, matchName: {op: Exists}", "unmet");
}

#[test]
fn an_expression_at_the_place_of_match_name_still_counts() {
    let rules = "{matchFeatures: [{feature: t.values, matchName: {&k op: Exists}, matchExpressions: {*k : {op: Exists}}}]}";
    check_rules(rules, &["unmet"]);
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
        .map(|it| (it.alternative, it.findings.iter().map(|it| name(it.outcome)).collect::<Vec<_>>()))
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

fn asks(element: &str, expression: &str) -> String {
    format!("{{matchFeatures: [{{feature: rule.matched, matchExpressions: {{{element}: {expression}}}}}]}}")
}

#[test]
fn rules_publish_variables_when_they_hold() {
    let is = |value: &str| asks("a", &format!("{{op: In, value: [\"{value}\"]}}"));
    let absent = asks("a", "{op: DoesNotExist}");
    check_rules(&absent, &["unmet"]);
    check_rules(&format!("{{vars: {{a: b}}}}, {}", is("b")), &["met", "met"]);
    check_rules(&format!("{{{UNMET}, vars: {{a: b}}}}, {absent}"), &["unmet", "met"]);
    check_rules(&format!("{{vars: {{a: b}}}}, {{vars: {{a: c}}}}, {}", is("c")), &["met", "met", "met"]);
    check_rules(
        &format!("{{vars: {{a: b}}}}, {{{UNMET}, vars: {{a: c}}}}, {}", is("b")),
        &["met", "unmet", "met"],
    );
}

#[test]
fn an_unknown_rule_leaves_its_variables_unknown() {
    let is_b = asks("a", "{op: In, value: [b]}");
    check_rules(&format!("{{{UNKNOWN}, vars: {{a: b}}}}, {is_b}"), &["unknown", "unknown"]);
    check_rules(
        &format!("{{vars: {{a: b}}}}, {{{UNKNOWN}, vars: {{a: b}}}}, {is_b}"),
        &["met", "unknown", "unknown"],
    );
    check_rules(
        &format!("{{vars: {{a: b}}}}, {{{UNKNOWN}, vars: {{c: d}}}}, {is_b}"),
        &["met", "unknown", "met"],
    );
    check_rules(
        &format!("{{{UNKNOWN}, vars: {{a: c}}}}, {{vars: {{a: b}}}}, {is_b}"),
        &["unknown", "met", "met"],
    );
    let template = "varsTemplate: \"x=1\"";
    check_rules(
        &format!("{{vars: {{a: b}}}}, {{{UNKNOWN}, {template}}}, {is_b}"),
        &["met", "unknown", "unknown"],
    );
}

#[test]
fn variables_are_seen_by_the_sets_that_follow_if_their_own_set_counts() {
    let spec = sets(&format!(
        "{{tag: one, rules: [{{vars: {{a: b}}}}]}}, {{tag: two, rules: [{}]}}",
        asks("a", "{op: Exists}")
    ));
    let outcome = |tags: &[&str]| {
        let tags: Vec<_> = tags.iter().map(|it| (*it).to_owned()).collect();
        evaluate(&spec, &tags, &facts()).sets.last().map(|it| name(it.outcome))
    };
    assert_eq!(outcome(&[]), Some("met"));
    assert_eq!(outcome(&["two"]), Some("unmet"));
}

#[test]
fn an_element_in_doubt_matters_only_to_a_test_of_names() {
    let flag = "varsTemplate: \"{{ range .p.doubtful }}{{ .Name }}=yes\\n{{ end }}\"";
    let asked = "matchFeatures: [{feature: p.doubtful, matchExpressions: {a: {op: Exists}}}]";
    check_rules(&format!("{{{asked}, {flag}}}, {}", asks("b", "{op: Exists}")), &["met", "unmet"]);
    let named = "matchFeatures: [{feature: p.doubtful, matchName: {op: In, value: [a, b]}}]";
    check_rules(&format!("{{{named}, {flag}}}, {}", asks("b", "{op: Exists}")), &["met", "unknown"]);
}

#[test]
fn elements_that_could_not_be_read_matter_only_where_they_could_match() {
    let flag = "varsTemplate: \"{{ range .p.flags }}{{ .Name }}=yes\\n{{ end }}\"";
    let asked = "matchFeatures: [{feature: p.flags, matchExpressions: {a: {op: Exists}}}]";
    check_rules(&format!("{{{asked}, {flag}}}, {}", asks("b", "{op: Exists}")), &["met", "unmet"]);
    let vendor = "varsTemplate: \"{{ range .p.devices }}v-{{ .vendor }}=yes\\n{{ end }}\"";
    let device = "matchFeatures: [{feature: p.devices, matchExpressions: {class: {op: Exists}}}]";
    check_rules(&format!("{{{device}, {vendor}}}, {}", asks("v-1", "{op: Exists}")), &["met", "unknown"]);
}

#[test]
fn templates_make_variables_of_what_matched() {
    let vendors = "varsTemplate: \"{{ range .t.devices }}v-{{ .vendor }}=yes\\n{{ end }}\"";
    let gpu = "matchFeatures: [{feature: t.devices, matchExpressions: {class: {op: In, value: [\"0300\"]}}}]";
    check_rules(&format!("{{{gpu}, {vendors}}}, {}", asks("v-10de", "{op: Exists}")), &["met", "met"]);
    check_rules(&format!("{{{gpu}, {vendors}}}, {}", asks("v-8086", "{op: Exists}")), &["met", "unmet"]);
    check_rules(
        &format!(
            "{{{gpu}, {vendors}, vars: {{v-10de: mine}}}}, {}",
            asks("v-10de", "{op: In, value: [mine]}")
        ),
        &["met", "met"],
    );
    let names = "varsTemplate: \"{{ range .t.values }}{{ .Name }}={{ .Value }}\\n{{ end }}\"";
    let six = "matchFeatures: [{feature: t.values, matchExpressions: {six: {op: Exists}}}]";
    check_rules(&format!("{{{six}, {names}}}, {}", asks("six", "{op: In, value: [6]}")), &["met", "met"]);
    // A test of names matches every element with such a name, and no other.
    let named = "matchFeatures: [{feature: t.values, matchName: {op: In, value: [six, v]}}]";
    check_rules(&format!("{{{named}, {names}}}, {}", asks("six", "{op: In, value: [6]}")), &["met", "met"]);
    check_rules(&format!("{{{named}, {names}}}, {}", asks("text", "{op: Exists}")), &["met", "unmet"]);
    let device = "matchFeatures: [{feature: t.devices, matchName: {op: In, value: [class]}}]";
    check_rules(&format!("{{{device}, {vendors}}}, {}", asks("v-8086", "{op: Exists}")), &["met", "met"]);
    // Elements come in the order of their names, whatever the order of the spec.
    let last = "varsTemplate: \"{{ range .t.values }}last={{ .Name }}\\n{{ end }}\"";
    let two =
        "matchFeatures: [{feature: t.values, matchExpressions: {text: {op: Exists}, six: {op: Exists}}}]";
    check_rules(&format!("{{{two}, {last}}}, {}", asks("last", "{op: In, value: [text]}")), &["met", "met"]);
    // A term without expressions matches no elements, which is no error of the template.
    let bare = "matchFeatures: [{feature: t.values}]";
    check_rules(&format!("{{{bare}, {names}}}, {}", asks("six", "{op: Exists}")), &["met", "unmet"]);
}

#[test]
fn a_template_over_what_is_not_all_known_leaves_its_variables_unknown() {
    let template = "varsTemplate: \"a=b\"";
    let any = format!("matchAny: [{{{MET}}}, {{{UNKNOWN}}}]");
    let is_b = asks("a", "{op: In, value: [b]}");
    check_rules(&format!("{{{any}, {template}}}, {is_b}"), &["met", "unknown"]);
    // The run for `matchFeatures` comes last, and is certain.
    check_rules(&format!("{{{MET}, {any}, {template}}}, {is_b}"), &["met", "met"]);
    check_rules(&format!("{{{any}, {template}, vars: {{a: b}}}}, {is_b}"), &["met", "met"]);
    let partly = "matchFeatures: [{feature: p.devices, matchExpressions: {vfs: {op: Exists}}}]";
    check_rules(&format!("{{{partly}, {template}}}, {is_b}"), &["met", "unknown"]);
    // What is in doubt of one element leaves others as they are, unless any name will do.
    let doubtful = |it: &str| format!("matchFeatures: [{{feature: p.doubtful, {it}}}]");
    let any_name = doubtful("matchName: {op: In, value: [a, b]}");
    check_rules(&format!("{{{any_name}, {template}}}, {is_b}"), &["met", "unknown"]);
    let named = doubtful("matchExpressions: {a: {op: Exists}}");
    check_rules(&format!("{{{named}, {template}}}, {is_b}"), &["met", "met"]);
    check_rules(&format!("{{vars: {{a: b}}}}, {{{partly}, {template}}}, {is_b}"), &["met", "met", "unknown"]);
}

#[test]
fn a_template_that_fails_leaves_its_rule_unknown() {
    let spec = spec(&format!("{{{MET}, name: r, varsTemplate: \"nonsense\"}}"));
    let judgement = evaluate(&spec, &[], &facts());
    let rule = &judgement.sets[0].rules[0];
    let error = "the template's line \"nonsense\" has no \"=\", expected <name>=<value>";
    assert_eq!((name(rule.outcome), rule.template_error.as_deref()), ("unknown", Some(error)));
}

#[test]
fn one_set_has_to_fit_and_tags_say_which_count() {
    let set = |tag: &str, rule: &str| format!("{{tag: {tag}, rules: [{{{rule}}}]}}");
    let check = |sets_text: &str, tags: &[&str], expected: &str| {
        let tags: Vec<_> = tags.iter().map(|it| (*it).to_owned()).collect();
        assert_eq!(
            name(evaluate(&sets(sets_text), &tags, &facts()).outcome),
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
