//! What rules publish for the rules after them.

use super::{MET, UNKNOWN, UNMET, check_rules, facts, sets, spec};
use crate::eval::evaluate;

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
        evaluate(&spec, &tags, &facts()).sets.last().map(|it| it.outcome.name())
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
    assert_eq!((rule.outcome.name(), rule.template_error.as_deref()), ("unknown", Some(error)));
}
