//! The parts that only our own language has: groups, conditions, counts, severity.

use crate::eval::{Outcome, evaluate};
use crate::host::{Fact, Facts, Feature};
use crate::spec::{Spec, parse};

pub(super) fn spec(rules: &str) -> Spec {
    let text = format!("version: oci-compat/v1\ncompatibilities: [{{rules: [{rules}]}}]");
    parse(text.as_bytes()).unwrap_or_else(|err| panic!("{err}: {text}"))
}

/// As for NFD's language, and what is on a host of this kind.
fn facts() -> Facts {
    let mut facts = super::facts();
    let known = |feature| Fact::Known(feature, "/known".to_owned());
    facts.insert("kernel.sysctl", known(Feature::attributes([("vm.max_map_count", "65530")])));
    facts.insert("cpu.flag", known(Feature::flags(["sse2"])));
    facts
}

/// The outcome of a rule and of its set, and why.
fn check(rule: &str, expected: &str, reasons: &[&str]) {
    let spec = spec(&format!("{{{rule}}}"));
    let judgement = evaluate(&spec, &[], &facts());
    let set = &judgement.sets[0];
    assert_eq!(set.outcome.name(), expected, "{rule}");
    let found: Vec<_> =
        set.reasons().into_iter().map(|(code, it)| format!("{it} [{}]", code.name())).collect();
    assert_eq!(found, reasons, "{rule}");
}

const MET: &str = "matchFeatures: [{feature: t.flags, matchExpressions: {a: {op: Exists}}}]";
const UNMET: &str = "matchFeatures: [{feature: t.flags, matchExpressions: {b: {op: Exists}}}]";
const UNKNOWN: &str = "matchFeatures: [{feature: t.unknown, matchExpressions: {c: {op: Exists}}}]";

const B: &str = "t.flags b is not present [element-missing]";
const B_NEAREST: &str = "t.flags b is not present (nearest of 2 alternatives)";
const C: &str = "t.unknown c is unknown, needs present: /hidden is hidden [fact-unknown]";
const A: &str = "t.flags a is present, and must not be [element-unwanted]";

#[test]
fn groups_follow_kleene() {
    let not = |it: &str, outcome: &str, reasons: &[&str]| check(&format!("not: {{{it}}}"), outcome, reasons);
    not(MET, "unmet", &[A]);
    not(UNMET, "met", &[]);
    not(UNKNOWN, "unknown", &[C]);
    let two = |word: &str, one: &str, other: &str, outcome: &str, reasons: &[&str]| {
        check(&format!("{word}: [{{{one}}}, {{{other}}}]"), outcome, reasons);
    };
    two("any", UNMET, MET, "met", &[]);
    let c = C.replace(" [", " (nearest of 2 alternatives) [");
    two("any", UNMET, UNKNOWN, "unknown", &[&c]);
    two("any", UNMET, UNMET, "unmet", &[&format!("{B_NEAREST} [element-missing]")]);
    two("all", MET, MET, "met", &[]);
    two("all", MET, UNKNOWN, "unknown", &[C]);
    two("all", UNKNOWN, UNMET, "unmet", &[B]);
    check(&format!("not: {{any: [{{{UNMET}}}, {{{MET}}}]}}"), "unmet", &[A]);
    check(&format!("not: {{not: {{{UNMET}}}}}"), "unmet", &[B]);
    let a = "t.flags a is present, and must not be (nearest of 2 alternatives) [element-unwanted]";
    check(&format!("{MET}, any: [{{not: {{{MET}}}}}, {{{UNMET}, all: [{{{UNMET}}}]}}]"), "unmet", &[a]);
}

#[test]
fn of_several_groups_the_easiest_to_mend_is_reported_in_any_order() {
    let term = |feature: &str, element: &str, test: &str| {
        format!("{{matchFeatures: [{{feature: {feature}, matchExpressions: {{{element}: {{{test}}}}}}}]}}")
    };
    let both_orders = |one: &str, other: &str, expected: &str| {
        check(&format!("any: [{one}, {other}]"), "unmet", &[expected]);
        check(&format!("any: [{other}, {one}]"), "unmet", &[expected]);
    };
    let setting = term("kernel.sysctl", "vm.max_map_count", "op: Ge, value: [262144]");
    let processor = term("cpu.flag", "avx", "op: Exists");
    both_orders(
        &setting,
        &processor,
        "sysctl vm.max_map_count is 65530, needs at least 262144 (try: sysctl -w vm.max_map_count=262144) (nearest of 2 \
         alternatives) [value-out-of-range]",
    );
    let other = term("kernel.sysctl", "vm.max_map_count", "op: DoesNotExist");
    both_orders(
        &setting,
        &other,
        "sysctl vm.max_map_count is 65530, needs at least 262144 or not present (try: sysctl -w vm.max_map_count=262144) \
         [value-out-of-range]",
    );
    let system = term("t.flags", "other", "op: Exists");
    let release = term("t.values", "v", "op: Ge, type: version, value: [\"6.10\"]");
    let build = term("t.values", "v", "op: Ge, type: version, value: [7.2]");
    let either =
        format!("{{any: [{build}, {}]}}", term("t.values", "v", "op: Ge, type: version, value: [7.1]"));
    check(
        &format!("any: [{either}, {system}], all: [{release}]"),
        "unmet",
        &[
            "t.values v is 6.1, needs 6.10 or newer [value-out-of-range]",
            "t.values v is 6.1, needs 7.2 or newer or 7.1 or newer [value-out-of-range]",
        ],
    );
}

#[test]
fn the_number_of_alternatives_is_that_of_the_innermost_group_with_several() {
    let nearest =
        |count: u8| format!("t.flags b is not present (nearest of {count} alternatives) [element-missing]");
    let unmet = format!("{{{UNMET}}}");
    check(&format!("any: [{unmet}]"), "unmet", &[B]);
    check(&format!("any: [{{any: [{unmet}]}}, {unmet}]"), "unmet", &[&nearest(2)]);
    check(&format!("any: [{{any: [{unmet}, {unmet}]}}, {unmet}, {unmet}]"), "unmet", &[&nearest(2)]);
    let two = "{matchFeatures: [{feature: t.flags, matchExpressions: {b: {op: Exists}, c: {op: Exists}}}]}";
    let (b, c) = (nearest(2), nearest(2).replace(" b ", " c "));
    check(&format!("any: [{{any: [{two}]}}, {two}]"), "unmet", &[&b, &c]);
    check(&format!("any: [{unmet}, {{any: [{unmet}, {unmet}]}}, {unmet}]"), "unmet", &[&nearest(3)]);
}

#[test]
fn only_alternatives_that_fail_by_one_positive_demand_share_a_line() {
    let version = |it: &str| {
        format!(
            "{{matchFeatures: [{{feature: t.values, matchExpressions: {{v: {{op: Ge, type: version, value: [{it}]}}}}}}]}}"
        )
    };
    check(
        &format!("any: [{{any: [{}, {}]}}, {}]", version("7.2"), version("7.1"), version("7.3")),
        "unmet",
        &["t.values v is 6.1, needs 7.2 or newer or 7.1 or newer [value-out-of-range]"],
    );
    let unknown = |it: u8| {
        format!(
            "{{matchFeatures: [{{feature: t.unknown, matchExpressions: {{c: {{op: Ge, value: [{it}]}}}}}}]}}"
        )
    };
    check(
        &format!("any: [{}, {}]", unknown(6), unknown(7)),
        "unknown",
        &["t.unknown c is unknown, needs at least 6 or at least 7: /hidden is hidden [fact-unknown]"],
    );
    check(
        &format!("any: [{{not: {}}}, {{not: {}}}]", unknown(6), unknown(7)),
        "unknown",
        &[
            "t.unknown c is unknown, needs at least 6: /hidden is hidden (nearest of 2 alternatives) [fact-unknown]",
        ],
    );
}

#[test]
fn a_rule_that_is_unknown_does_not_explain_a_set_that_is_unmet() {
    let spec = spec(&format!("{{any: [{{{UNKNOWN}}}, {{{UNKNOWN}}}]}}, {{{UNMET}}}"));
    let judgement = evaluate(&spec, &[], &facts());
    let set = &judgement.sets[0];
    let found: Vec<_> = set.decisive().map(|it| it.term.feature.as_str()).collect();
    assert_eq!((set.outcome, found), (Outcome::Unmet, vec!["t.flags"]));
}

#[test]
fn all_that_a_recommended_rule_lacks_is_reported() {
    let spec = spec(
        "{severity: recommended, matchFeatures: [{feature: t.flags, matchExpressions: {b: {op: Exists}, c: {op: Exists}}}]}",
    );
    let judgement = evaluate(&spec, &[], &facts());
    let missed = judgement.sets[0].missed().flat_map(|it| it.all_reasons());
    let missed: Vec<_> = missed.map(|(_, message)| message).collect();
    assert_eq!(missed, ["t.flags b is not present", "t.flags c is not present"]);
}

#[test]
fn a_rule_with_a_condition_counts_only_where_that_holds() {
    let when = |condition: &str, rule: &str, outcome: &str, reasons: &[&str]| {
        check(&format!("when: {{{condition}}}, {rule}"), outcome, reasons);
    };
    when(MET, UNMET, "unmet", &[B]);
    when(MET, MET, "met", &[]);
    when(MET, UNKNOWN, "unknown", &[C]);
    when(UNMET, UNMET, "met", &[]);
    when(UNMET, UNKNOWN, "met", &[]);
    when(UNKNOWN, MET, "met", &[]);
    when(UNKNOWN, UNMET, "unknown", &[C]);
    let spec = spec(&format!(
        "{{vars: {{v: x}}, when: {{{UNMET}}}, {MET}}}, {{matchFeatures: [{{feature: rule.matched, matchExpressions: {{v: {{op: \
         Exists}}}}}}]}}"
    ));
    assert_eq!(evaluate(&spec, &[], &facts()).outcome, Outcome::Unmet);
}

#[test]
fn what_is_recommended_never_decides() {
    for severity in ["recommended", "info"] {
        check(&format!("severity: {severity}, {UNMET}"), "met", &[]);
        check(&format!("severity: {severity}, {UNKNOWN}"), "met", &[]);
    }
    let spec = spec(&format!(
        "{{id: r, severity: recommended, {UNMET}}}, {{severity: info, {UNMET}}}, {{severity: recommended, {UNKNOWN}}}"
    ));
    let judgement = evaluate(&spec, &[], &facts());
    let missed: Vec<_> = judgement.sets[0].missed().map(|it| it.rule.id.as_str()).collect();
    assert_eq!(missed, ["r"]);
}

#[test]
fn instances_that_meet_all_expressions_are_counted() {
    let count = |feature: &str, expressions: &str, count: &str, outcome: &str, reasons: &[&str]| {
        let term = format!("feature: {feature}, matchExpressions: {{{expressions}}}, count: {{{count}}}");
        check(&format!("matchFeatures: [{{{term}}}]"), outcome, reasons);
    };
    let both = "class: {op: Exists}";
    let one = "vendor: {op: In, value: [\"8086\"]}";
    count("t.devices", both, "op: Ge, value: [2]", "met", &[]);
    count(
        "t.devices",
        one,
        "op: Ge, value: [2]",
        "unmet",
        &["there is 1 instance with vendor 8086, needs at least 2 [instance-missing]"],
    );
    count(
        "t.devices",
        "vendor: {op: In, value: [\"8086\"]}, class: {op: In, value: [\"0300\"]}",
        "op: Lt, value: [1]",
        "met",
        &[],
    );
    count("t.none", both, "op: Lt, value: [1]", "met", &[]);
    count(
        "t.none",
        both,
        "op: Ge, value: [1]",
        "unmet",
        &["there are 0 instances with class, needs at least 1 [instance-missing]"],
    );
    // One of the vendors is no number.
    count(
        "t.devices",
        "vendor: {op: Gt, value: [1]}",
        "op: Ge, value: [2]",
        "unknown",
        &[
            "how many instances there are is unknown, needs at least 2: /known 1 of them cannot be told [fact-unknown]",
        ],
    );
    // Others may be there.
    count("p.devices", both, "op: Ge, value: [2]", "met", &[]);
    count(
        "p.devices",
        both,
        "op: Ge, value: [3]",
        "unknown",
        &["how many instances there are is unknown, needs at least 3: /hidden is hidden [fact-unknown]"],
    );
    count(
        "p.devices",
        both,
        "op: Le, value: [1]",
        "unmet",
        &["there are 2 instances with class, needs at most 1 [instance-missing]"],
    );
    count(
        "p.devices",
        both,
        "op: GeLe, value: [2, 9]",
        "unknown",
        &["how many instances there are is unknown, needs from 2 to 9: /hidden is hidden [fact-unknown]"],
    );
    count(
        "t.flags",
        "a: {op: Exists}",
        "op: Ge, value: [1]",
        "unknown",
        &[
            "how many instances there are is unknown, needs at least 1: /known has no instances that could be counted [fact-unknown]",
        ],
    );
    count(
        "t.unknown",
        "a: {op: Exists}",
        "op: Ge, value: [1]",
        "unknown",
        &["how many instances there are is unknown, needs at least 1: /hidden is hidden [fact-unknown]"],
    );
    count(
        "t.absent",
        "a: {op: Exists}",
        "op: Ge, value: [1]",
        "unmet",
        &["this host has no t.absent [feature-absent]"],
    );
}

#[test]
fn values_are_held_against_what_only_we_can_say() {
    let value = |expression: &str, outcome: &str, reasons: &[&str]| {
        check(
            &format!("matchFeatures: [{{feature: t.values, matchExpressions: {{{expression}}}}}]"),
            outcome,
            reasons,
        );
    };
    value("six: {op: NotInRange, value: [1, 5]}", "met", &[]);
    value(
        "six: {op: NotInRange, value: [6, 9]}",
        "unmet",
        &["t.values six is 6, needs not from 6 to 9 [value-out-of-range]"],
    );
    value(
        "nothing: {op: NotInRange, value: [6, 9]}",
        "unmet",
        &["t.values nothing is not present, needs not from 6 to 9 [element-missing]"],
    );
    value("six: {op: Ge, value: [6], type: quantity}", "met", &[]);
    value(
        "six: {op: Ge, value: [1Ki], type: quantity}",
        "unmet",
        &["t.values six is 6, needs at least 1Ki [value-out-of-range]"],
    );
    value(
        "text: {op: Ge, value: [1Ki], type: quantity}",
        "unknown",
        &["t.values text is abc, which cannot be compared, needs at least 1Ki [value-unfit]"],
    );
    value("v: {op: Ge, value: [6.1], type: release}", "met", &[]);
    value(
        "v: {op: Ge, value: [6.1-5], type: release}",
        "unknown",
        &["t.values v is 6.1, which cannot be compared, needs 6.1-5 or newer [value-unfit]"],
    );
    value("six: {op: Enabled}", "unmet", &["t.values six is 6, needs y or m [value-differs]"]);
}
