//! Documents in our own language, and the parts of it that `v1alpha1` must not have.

use super::super::{Bound, Group, Language, Rule, Severity, Spec, Test, parse};

/// A rule with these fields, each on a line of its own from 4:5 on.
fn document(version: &str, fields: &str) -> String {
    format!("version: {version}\ncompatibilities:\n- rules:\n  - {}\n", fields.replace('\n', "\n    "))
}

fn rule(fields: &str) -> Rule {
    let text = document("oci-compat/v1", fields);
    let Spec { language, sets } = parse(text.as_bytes()).unwrap_or_else(|err| panic!("{err}: {text}"));
    assert_eq!(language, Language::Own);
    sets[0].rules[0].clone()
}

fn check(version: &str, fields: &str, expected: &[&str]) {
    let text = document(version, fields);
    let found: Vec<_> = match parse(text.as_bytes()) {
        Ok(_) => Vec::new(),
        Err(malformed) => malformed.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(found, expected, "{text}");
}

fn term(expression: &str) -> String {
    format!("matchFeatures:\n- feature: f.g\n  matchExpressions:\n    a: {expression}")
}

#[test]
fn what_nfd_would_drop_needs_our_version() {
    let expected = [
        ("id: a", "4:5: `id` needs `version: oci-compat/v1`"),
        ("severity: info", "4:5: `severity` needs `version: oci-compat/v1`"),
        ("remedy: a", "4:5: `remedy` needs `version: oci-compat/v1`"),
        ("docs: a", "4:5: `docs` needs `version: oci-compat/v1`"),
        ("when: {}", "4:5: `when` needs `version: oci-compat/v1`"),
        ("all: []", "4:5: `all` needs `version: oci-compat/v1`"),
        ("any: []", "4:5: `any` needs `version: oci-compat/v1`"),
        ("not: {}", "4:5: `not` needs `version: oci-compat/v1`"),
        (
            "matchFeatures: [{feature: f.g, count: {op: Ge, value: [2]}}]",
            "4:36: `count` needs `version: oci-compat/v1`",
        ),
        (&term("{op: Enabled}"), "7:17: `op: Enabled` needs `version: oci-compat/v1`"),
        (&term("{op: NotInRange, value: [1, 2]}"), "7:17: `op: NotInRange` needs `version: oci-compat/v1`"),
        (
            &term("{op: Ge, value: [8Gi], type: quantity}"),
            "7:41: `type: quantity` needs `version: oci-compat/v1`",
        ),
        (
            &term("{op: Ge, value: [6.8.0-41], type: release}"),
            "7:46: `type: release` needs `version: oci-compat/v1`",
        ),
    ];
    for (fields, message) in expected {
        // An empty group is reported by itself.
        let found = parse(document("v1alpha1", fields).as_bytes())
            .map_err(|it| it.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert!(found.is_err_and(|it| it.contains(&message.to_owned())), "{fields}: {message}");
    }
}

#[test]
fn a_rule_says_how_grave_it_is_what_it_is_called_and_what_would_mend_it() {
    let found = rule("name: no\nid: driver\nseverity: recommended\nremedy: yes\ndocs: 1.10");
    assert_eq!((found.name.as_str(), found.id.as_str()), ("no", "driver"));
    assert_eq!(
        (found.severity, found.remedy.as_str(), found.docs.as_str()),
        (Severity::Recommended, "yes", "1.10")
    );
    check(
        "oci-compat/v1",
        "severity: high\nid: no",
        &[
            "4:15: `severity` is \"high\", but has to be required, recommended or info",
            "5:9: YAML takes no for a boolean and may change its text; write \"no\" in quotes",
        ],
    );
    let text = "version: oci-compat/v1\ncompatibilities:\n- rules:\n  - id: a\n  - id: b\n  - id: a\n";
    let found = parse(text.as_bytes()).map_err(|it| it.to_string());
    assert_eq!(found, Err("6:5: the rule at 4:5 has the id \"a\" as well; each needs its own".to_owned()));
}

#[test]
fn groups_nest() {
    let terms = "matchFeatures: [{feature: f.g}]";
    let found =
        rule(&format!("any: [{{not: {{{terms}}}}}, {{all: [{{{terms}}}], {terms}}}]\nwhen: {{{terms}}}"));
    let [Group::Any(any)] = found.groups.as_slice() else { panic!("{found:?}") };
    assert!(matches!(any.as_slice(), [Group::Not(_), Group::All(_)]), "{any:?}");
    assert!(matches!(&found.when, Some(Group::Terms(it)) if it.len() == 1), "{found:?}");
    assert_eq!(found.terms().count(), 4);
    check(
        "oci-compat/v1",
        "any: []\nall: [{}]\nnot: {matchAny: []}\nwhen: x",
        &[
            "4:10: `any` is empty; it needs at least one group",
            "5:11: a group of `all` demands nothing; it needs one of `matchFeatures`, `all`, `any`, `not`",
            "6:10: `not` demands nothing; it needs one of `matchFeatures`, `all`, `any`, `not`",
            "6:11: `not` has no field \"matchAny\"; it has `matchFeatures`, `all`, `any`, `not`",
            "7:11: `when` is \"x\", but has to be a mapping with `matchFeatures`, `all`, `any`, `not`",
        ],
    );
}

#[test]
fn our_own_tests_are_read() {
    let test = |expression: &str| {
        let found = rule(&term(expression));
        found.match_features[0].expressions.as_ref().expect("expressions")[0].1.test.clone()
    };
    assert_eq!(test("{op: Enabled}"), Test::Enabled);
    assert_eq!(test("{op: NotInRange, value: [1, 1]}"), Test::Integer(Bound::Outside(1, 1)));
    assert!(matches!(test("{op: Ge, value: [8Gi], type: quantity}"), Test::Quantity(Bound::Ge(_))));
    assert!(matches!(test("{op: NotInRange, value: [6.8.0-38, 6.8.0-40], type: release}"), Test::Release(_)));
    check(
        "oci-compat/v1",
        &term("{op: Ge, value: [8], type: size}"),
        &["7:39: `type` is \"size\", but has to be version, quantity or release, or absent for integers"],
    );
    check(
        "oci-compat/v1",
        &term("{op: Ge, value: [lots], type: quantity}"),
        &["7:29: \"lots\" is not a quantity, such as \"8Gi\", \"2M\" or \"500ms\""],
    );
    check(
        "oci-compat/v1",
        &term("{op: Ge, value: [new], type: release}"),
        &["7:29: \"new\" is not a build of a kernel, such as \"4.18.0-553.el8_10\" or \"6.8.0-41-generic\""],
    );
    check(
        "oci-compat/v1",
        &term("{op: Ge, value: [6.8.0-41], type: version}"),
        &[
            "7:29: versions are compared by their numbers, so that \"-41\" would be ignored: write \"6.8.0\"; builds of a \
             distribution are compared by `type: release`",
        ],
    );
    check(
        "oci-compat/v1",
        "matchFeatures:\n- feature: f.g\n  matchName: {op: Exists}\n  count: {op: In, value: [2]}",
        &[
            "7:14: `count` counts what `matchExpressions` finds; put `matchName` into a term of its own",
            "7:14: `count` compares integers, such as `count: {op: Ge, value: [\"2\"]}`",
        ],
    );
}

#[test]
fn other_documents_of_nfd_get_a_hint() {
    let check = |kind: &str, expected: &str| {
        let text = format!("apiVersion: nfd.k8s-sigs.io/v1alpha1\nkind: {kind}\nspec: {{rules: []}}\n");
        assert_eq!(parse(text.as_bytes()).map_err(|it| it.to_string()), Err(expected.to_owned()));
    };
    check(
        "NodeFeatureRule",
        "1:1: this is a NodeFeatureRule and no spec: `oci-compat convert` makes one of it",
    );
    check(
        "NodeFeatureGroup",
        "1:1: this is a NodeFeatureGroup and no spec: `oci-compat convert` makes one of it",
    );
    check(
        "NodeFeature",
        "1:1: this is a NodeFeature and no spec: it holds facts of a host: give it to `check --facts`",
    );
}
