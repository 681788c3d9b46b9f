//! What a test of an element, a device or a name comes to.

use super::{check, check_rules};

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
