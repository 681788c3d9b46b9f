//! Rules that do not hold, and exceptions of all sorts.

use super::*;
use crate::outcome::report::{Report, SpecOrigin, Subject};
use crate::policy::Policy;
use crate::spec::{Spec, parse};
use crate::testing;

/// Long after every `expires` of these tests that is over.
const NOW: Moment = (1_956_528_000, 0);

fn spec(sets: &str) -> Spec {
    parse(format!("version: v1alpha1\ncompatibilities: [{sets}]").as_bytes()).expect("a spec")
}

/// A rule on `size`, which is 5, and one on a feature that was not read.
fn rule(name: &str, test: &str) -> String {
    format!("{{name: {name}, matchFeatures: [{{feature: x.value, matchExpressions: {{size: {{{test}}}}}}}]}}")
}

fn unread(name: &str) -> String {
    format!("{{name: {name}, matchFeatures: [{{feature: not.read}}]}}")
}

fn set(head: &str, rules: &[String]) -> String {
    format!("{{{head}rules: [{}]}}", rules.join(", "))
}

fn policy(waivers: &str) -> Policy {
    let mut policy = Policy::default_policy();
    assert_eq!(policy.overlay(waivers, "config.toml").problems, []);
    policy
}

fn waiver(what: &str, image: &str, expires: &str) -> String {
    format!("[[waiver]]\n{what}\nimage = \"{image}\"\nreason = \"lab\"\nexpires = \"{expires}\"\n")
}

fn image(name: &str) -> Image {
    Image { names: vec![name.to_owned()], digests: Vec::new() }
}

/// The verdict, the uses of exceptions and the notes, one a line.
fn told(sets: &str, waivers: &str, image: &Image) -> Vec<String> {
    let (spec, policy) = (spec(sets), policy(waivers));
    let facts = testing::facts("x.value", &[("size", "5")]);
    let origin = SpecOrigin::Inline;
    let mut checked = [Checked { origin: &origin, result: Ok(crate::eval::evaluate(&spec, &[], &facts)) }];
    let waived = waive(&mut checked, &policy.waivers, image, &|| NOW);
    let mut lines = vec![Report::new(Subject::default(), &checked).verdict.name().to_owned()];
    let used =
        |it: &WaiverReport| format!("{}: {} [{}] {} {}", it.rule, it.message, it.code, it.image, it.from);
    lines.extend(waived.uses.iter().map(used));
    lines.extend(waived.notes);
    lines
}

fn check(rules: &[String], waivers: &str, expected: &[&str]) {
    assert_eq!(told(&set("", rules), waivers, &image("docker.io/acme/upf:1")), expected, "{waivers}");
}

const A: &str = "a: x.value size is 5, needs 6 [value-differs]";

fn unmet() -> String {
    rule("a", "op: In, value: [6]")
}

#[test]
fn what_is_waived_counts_no_more_and_is_reported() {
    let from = |at: usize| format!("{A} * config.toml:{at}");
    check(&[unmet()], "", &["incompatible"]);
    check(&[unmet()], &waiver("rule = \"a\"", "*", "never"), &["compatible", &from(1)]);
    check(&[unmet()], &waiver("rule = \"b\"", "*", "never"), &["incompatible"]);
    check(
        &[unread("a")],
        &waiver("rule = \"a*\"", "*", "never"),
        &["compatible", "a: feature not.read is unknown: was not read [fact-unknown] * config.toml:1"],
    );
    let two = [waiver("rule = \"b\"", "*", "never"), waiver("rule = \"?\"", "*", "never")].concat();
    check(&[unmet()], &two, &["compatible", &from(6)]);
}

#[test]
fn what_is_not_waived_still_counts() {
    let rules = [unmet(), rule("b", "op: Gt, value: [7]")];
    check(&rules, &waiver("rule = \"a\"", "*", "never"), &["incompatible", &format!("{A} * config.toml:1")]);
    check(
        &[unmet(), unread("b")],
        &waiver("rule = \"a\"", "*", "never"),
        &["undecided", &format!("{A} * config.toml:1")],
    );
}

#[test]
fn a_code_waives_only_rules_that_fail_with_nothing_else() {
    let mixed = "{name: a, matchFeatures: [{feature: x.value, matchExpressions: {size: {op: In, value: [6]}}}, \
                 {feature: not.read}]}";
    let of_code = waiver("code = \"value-differs\"", "*", "never");
    check(&[unmet()], &of_code, &["compatible", &format!("{A} * config.toml:1")]);
    check(&[mixed.to_owned()], &of_code, &["incompatible"]);
    check(&[unmet()], &waiver("code = \"module-not-loaded\"", "*", "never"), &["incompatible"]);
}

#[test]
fn an_exception_is_for_its_images_only() {
    let of_image = |it: &str| waiver("rule = \"a\"", it, "never");
    check(&[unmet()], &of_image("acme/upf:1"), &["compatible", &format!("{A} acme/upf:1 config.toml:1")]);
    check(&[unmet()], &of_image("acme/smf"), &["incompatible"]);
    assert_eq!(
        told(&set("", &[unmet()]), &of_image("acme/upf"), &Image::default()),
        [
            "incompatible",
            "the waiver at config.toml:1 is not used: it is for acme/upf, and which image this is, is not known",
        ]
    );
}

#[test]
fn an_exception_that_is_over_is_not_used_and_that_is_reported_once() {
    let over = "the waiver at config.toml:1 is not used: it held until 2031-12-31: lab";
    let rules = [unmet(), rule("a", "op: Gt, value: [7]")];
    check(&rules, &waiver("rule = \"a\"", "*", "2031-12-31"), &["incompatible", over]);
    check(
        &[unmet()],
        &waiver("rule = \"a\"", "*", "2032-01-01"),
        &["compatible", &format!("{A} * config.toml:1")],
    );
    let later = [waiver("rule = \"a\"", "*", "2031-12-31"), waiver("rule = \"a\"", "*", "never")].concat();
    check(&[unmet()], &later, &["compatible", &format!("{A} * config.toml:6"), over]);
}

#[test]
fn a_spec_that_fits_needs_no_exception() {
    let sets = [set("weight: 9, ", &[unmet()]), set("", &[rule("b", "op: In, value: [5]")])].join(", ");
    assert_eq!(told(&sets, &waiver("rule = \"*\"", "*", "never"), &Image::default()), ["compatible"]);
}

#[test]
fn only_the_alternative_that_counts_is_reported() {
    let sets = [set("", &[unmet()]), set("weight: 9, ", &[rule("b", "op: Gt, value: [7]")])].join(", ");
    assert_eq!(
        told(&sets, &waiver("rule = \"*\"", "*", "never"), &Image::default()),
        ["compatible", "b: x.value size is 5, needs more than 7 [value-out-of-range] * config.toml:1",]
    );
}

#[test]
fn the_clock_is_asked_only_where_an_exception_would_apply() {
    let (spec, policy) = (spec(&set("", &[unmet()])), policy(&waiver("rule = \"b\"", "*", "2031-12-31")));
    let facts = testing::facts("x.value", &[("size", "5")]);
    let origin = SpecOrigin::Inline;
    let mut checked = [Checked { origin: &origin, result: Ok(crate::eval::evaluate(&spec, &[], &facts)) }];
    let waived = waive(&mut checked, &policy.waivers, &Image::default(), &|| panic!("the clock was asked"));
    assert_eq!(waived, Waived::default());
}

#[test]
fn an_annotation_names_rules_by_their_names_or_their_ids() {
    let text = "version: oci-compat/v1\ncompatibilities: [{rules: [{id: size, matchFeatures: [{feature: x.value, \
                matchExpressions: {size: {op: In, value: [6]}}}]}]}]";
    let spec = crate::spec::parse(text.as_bytes()).expect("a spec");
    let waivers = |wanted: &str, or_id: bool| Waiver {
        rule: Some(crate::words::glob::Glob::new(wanted)),
        or_id,
        id: None,
        code: None,
        image: crate::image::ImagePattern::any(),
        reason: "a wish".to_owned(),
        expires: Expiry::Never,
        from: "an annotation".to_owned(),
    };
    let used = |wanted: &str, or_id: bool| {
        let facts = testing::facts("x.value", &[("size", "5")]);
        let origin = SpecOrigin::Inline;
        let mut checked =
            [Checked { origin: &origin, result: Ok(crate::eval::evaluate(&spec, &[], &facts)) }];
        let waived = waive(&mut checked, &[waivers(wanted, or_id)], &Image::default(), &|| NOW);
        waived.uses.into_iter().map(|it| it.rule).collect::<Vec<_>>()
    };
    assert_eq!(used("si*", true), ["size"]);
    assert_eq!(used("si*", false), Vec::<String>::new());
    assert_eq!(used("other", true), Vec::<String>::new());
}
