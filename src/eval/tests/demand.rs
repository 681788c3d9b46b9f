//! The facts that rules need, and those that explain an unmet demand.

use super::{facts, sets, spec};
use crate::eval::{clues, demand, evaluate};
use crate::host::{Fact, Feature, Wanted};
use crate::spec::Spec;

#[test]
fn only_what_rules_name_is_demanded() {
    let check = |spec: &Spec, tags: &[&str], expected: &[(&str, &[&str])]| {
        let tags: Vec<_> = tags.iter().map(|it| (*it).to_owned()).collect();
        let found: Vec<_> = demand(spec, &tags)
            .into_iter()
            .map(|(feature, wanted)| match wanted {
                Wanted::All => (feature, vec!["ALL".to_owned()]),
                Wanted::Names(names) => (feature, names.into_iter().collect()),
            })
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(feature, names)| {
                ((*feature).to_owned(), names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(found, expected);
    };
    check(&spec(""), &[], &[]);
    let terms = "{feature: Kernel.Config, matchExpressions: {A: {op: Exists}}}, {feature: kernel.config, matchExpressions: {B: \
                 {op: Exists}, A: {op: Exists}}}, {feature: t.bare}";
    check(
        &spec(&format!("{{matchFeatures: [{terms}]}}")),
        &[],
        &[("kernel.config", &["A", "B"]), ("t.bare", &[])],
    );
    check(
        &spec(&format!("{{matchAny: [{{matchFeatures: [{terms}]}}]}}")),
        &[],
        &[("kernel.config", &["A", "B"]), ("t.bare", &[])],
    );
    check(
        &spec(
            "{matchFeatures: [{feature: t.f, matchName: {op: Exists}}, {feature: t.f, matchExpressions: {a: {op: Exists}}}]}",
        ),
        &[],
        &[("t.f", &["ALL"])],
    );
    check(
        &spec("{varsTemplate: \"\", matchFeatures: [{feature: t.f, matchExpressions: {a: {op: Exists}}}]}"),
        &[],
        &[("t.f", &["a"])],
    );
    check(&spec("{matchFeatures: [{feature: Rule.Matched}]}"), &[], &[]);
    let two = sets(
        "{tag: a, rules: [{matchFeatures: [{feature: t.a}]}]}, {tag: b, rules: [{matchFeatures: [{feature: t.b}]}]}",
    );
    check(&two, &[], &[("t.a", &[]), ("t.b", &[])]);
    check(&two, &["b"], &[("t.b", &[])]);
    check(&two, &["c"], &[]);
}

#[test]
fn instances_that_are_read_one_by_one_are_demanded_by_name() {
    for info in crate::host::FEATURES.iter().filter(|it| it.key.is_some()) {
        let key = info.key.unwrap_or_default();
        let spec = spec(&format!(
            "{{matchFeatures: [{{feature: {}, matchExpressions: {{{key}: {{op: In, value: [/a, /b]}}}}}}]}}",
            info.name
        ));
        let expected = [format!("{key}=/a"), format!("{key}=/b")];
        let wanted = Wanted::Names(expected.into_iter().collect());
        assert_eq!(demand(&spec, &[]).get(info.name), Some(&wanted), "{}", info.name);
    }
}

#[test]
fn clues_are_the_modules_that_are_missing() {
    let mut facts = facts();
    facts.insert("kernel.loadedmodule", Fact::Known(Feature::flags(["there"]), String::new()));
    facts.insert("kernel.enabledmodule", Fact::Known(Feature::flags(["there"]), String::new()));
    let expressions = "there: {op: Exists}, a: {op: Exists}, b: {op: DoesNotExist}";
    let spec = spec(&format!(
        "{{matchFeatures: [{{feature: kernel.loadedmodule, matchExpressions: {{{expressions}}}}}, {{feature: \
         Kernel.EnabledModule, matchExpressions: {{c: {{op: Exists}}}}}}, {{feature: t.flags, matchExpressions: {{d: {{op: \
         Exists}}}}}}]}}"
    ));
    let found: Vec<_> = clues(&evaluate(&spec, &[], &facts)).into_iter().collect();
    assert_eq!(found, ["a", "c"]);
}
