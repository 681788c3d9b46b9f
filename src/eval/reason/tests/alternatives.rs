//! What is reported of alternatives and of templates.

use super::*;
use crate::eval::Code;

fn check_reasons(rule: &str, expected: &[&str]) {
    assert_eq!(told(rule, &facts()).1, expected, "{rule}");
}

#[test]
fn alternatives_that_each_lack_one_thing_of_the_same_element_are_reported_in_one_line() {
    let full = |test: &str| {
        format!(
            "{{matchFeatures: [{{feature: kernel.version, matchExpressions: {{full: {{{test}}}}}}}, {{feature: cpu.model}}]}}"
        )
    };
    let ubuntu = full("op: In, value: [5.0.0-23-generic]");
    let stable = full("op: GeLe, value: [\"5.4\", 5.4.999], type: version");
    check_reasons(
        &format!("matchAny: [{ubuntu}, {stable}]"),
        &["kernel is 6.1.0-13, needs 5.0.0-23-generic or from 5.4 to 5.4.999 [kernel-version]"],
    );
    check_reasons(
        &format!("matchFeatures: [{{feature: x.absent}}], matchAny: [{ubuntu}, {stable}, {ubuntu}]"),
        &[
            "this host has no x.absent [feature-absent]",
            "kernel is 6.1.0-13, needs 5.0.0-23-generic or from 5.4 to 5.4.999 [kernel-version]",
        ],
    );
    let hidden = |value: &str| {
        format!(
            "{{matchFeatures: [{{feature: x.hidden, matchExpressions: {{a: {{op: In, value: [{value}]}}}}}}]}}"
        )
    };
    check_reasons(
        &format!("matchAny: [{}, {}]", hidden("b"), hidden("c")),
        &["x.hidden a is unknown, needs b or c: /x is hidden [fact-unknown]"],
    );
}

#[test]
fn alternatives_that_lack_different_things_are_reported_by_the_nearest() {
    let old =
        "{matchFeatures: [{feature: kernel.version, matchExpressions: {full: {op: In, value: [5.0.0]}}}]}";
    let major =
        "{matchFeatures: [{feature: kernel.version, matchExpressions: {major: {op: In, value: [5]}}}]}";
    let both = "{matchFeatures: [{feature: x.absent}, {feature: kernel.version, matchExpressions: {full: {op: In, value: \
                [5.1.0]}}}]}";
    let old_line = "kernel is 6.1.0-13, needs 5.0.0 (nearest of 2 alternatives) [kernel-version]";
    check_reasons(&format!("matchAny: [{old}, {major}]"), &[old_line]);
    check_reasons(&format!("matchAny: [{both}, {old}]"), &[old_line]);
    check_reasons(&format!("matchAny: [{old}]"), &["kernel is 6.1.0-13, needs 5.0.0 [kernel-version]"]);
    let hidden = "{matchFeatures: [{feature: x.hidden}]}";
    check_reasons(
        &format!("matchAny: [{old}, {hidden}]"),
        &["feature x.hidden is unknown: /x is hidden (nearest of 2 alternatives) [fact-unknown]"],
    );
}

#[test]
fn a_template_that_fails_is_a_reason() {
    let spec = spec("matchFeatures: [{feature: cpu.model}], varsTemplate: oops");
    let judgement = evaluate(&spec, &[], &facts());
    let expected = "the template of rule r cannot be expanded: the template's line \"oops\" has no \"=\", expected \
                    <name>=<value>";
    assert_eq!(judgement.sets[0].reasons(), [(Code::TemplateFailed, expected.to_owned())]);
}
