use super::*;
use crate::eval::Access;
use crate::host::Facts;
use crate::spec;

/// The outcomes of a term's expressions on one device that only has a vendor.
fn check(expressions: &str, incomplete: Option<&str>, expected: &[Outcome]) {
    let document = format!(
        "version: v1alpha1\ncompatibilities:\n- rules:\n  - name: r\n    matchFeatures:\n    \
         - {{feature: pci.device, matchExpressions: {{{expressions}}}}}\n"
    );
    let spec = spec::parse(document.as_bytes()).unwrap();
    let term = &spec.sets[0].rules[0].match_features[0];
    let attributes = [("vendor".to_owned(), "10de".to_owned())].into();
    let feature = Feature {
        incomplete: incomplete.map(|it| Unknown::new("/sys", it)),
        ..Feature::instances(vec![Instance { attributes, read: None }])
    };
    let facts = Facts::default();
    let context = Context { facts: &facts, is_over: &|| false, access: Access::Full };
    let findings = judge(term, &Fact::Known(feature, "/sys".to_owned()), 0, &context);
    let outcomes: Vec<_> = findings.iter().map(|it| it.outcome).collect();
    assert_eq!(outcomes, expected, "{expressions}");
}

#[test]
fn what_was_looked_for_is_missing_although_others_could_not_be_read() {
    let feature = Feature {
        incomplete: Some(Unknown::new("/x", "has more")),
        missing: ["a".to_owned()].into(),
        ..Feature::attributes([("c", "1")])
    };
    assert_eq!(
        ["a", "b", "c"].map(|it| attribute(&feature, it)),
        [TestedElement::Missing, TestedElement::Unknown, TestedElement::Value("1"),]
    );
}

#[test]
fn an_attribute_that_an_instance_lacks_is_absent() {
    check("driver: {op: DoesNotExist}", None, &[Outcome::Met]);
    check("driver: {op: Exists}", None, &[Outcome::Unmet]);
}

#[test]
fn an_attribute_that_could_not_be_read_is_not_absent() {
    let reason = Some("is not a symbolic link");
    check("driver: {op: DoesNotExist}", reason, &[Outcome::Unknown]);
    check("driver: {op: Exists}", reason, &[Outcome::Unknown]);
    check("driver: {op: NotIn, value: [nouveau]}", reason, &[Outcome::Unknown]);
    check("vendor: {op: In, value: [\"10de\"]}", reason, &[Outcome::Met]);
    check("vendor: {op: In, value: [\"8086\"]}", reason, &[Outcome::Unknown]);
}

#[test]
fn an_instance_of_another_name_is_not_near() {
    let check = |expressions: &str, expected: &[(Outcome, &str)]| {
        let document = format!(
            "version: v1alpha1\ncompatibilities:\n- rules:\n  - name: r\n    matchFeatures:\n    \
             - {{feature: kernel.module, matchExpressions: {{{expressions}}}}}\n"
        );
        let spec = spec::parse(document.as_bytes()).unwrap();
        let module = |name: &str, state: &str| Instance {
            attributes: [("name", name), ("state", state)]
                .map(|(key, it)| (key.to_owned(), it.to_owned()))
                .into(),
            read: None,
        };
        let modules = vec![module("overlay", "loaded"), module("tun", "available")];
        let fact = Fact::Known(Feature::instances(modules), "/".to_owned());
        let facts = Facts::default();
        let context = Context { facts: &facts, is_over: &|| false, access: Access::Full };
        let found = judge(&spec.sets[0].rules[0].match_features[0], &fact, 0, &context);
        let found: Vec<_> = found.iter().map(|it| (it.outcome, it.found())).collect();
        let found: Vec<_> = found.iter().map(|(outcome, found)| (*outcome, found.as_str())).collect();
        assert_eq!(found, expected, "{expressions}");
    };
    let (met, unmet) = (Outcome::Met, Outcome::Unmet);
    let none = (unmet, "no kernel module");
    check("name: {op: In, value: [sctp]}, state: {op: In, value: [loaded]}", &[none, none]);
    check(
        "name: {op: In, value: [tun]}, state: {op: In, value: [loaded]}",
        &[(met, "tun"), (unmet, "available")],
    );
    check(
        "name: {op: InRegexp, value: [^s]}, state: {op: In, value: [loaded]}",
        &[(unmet, "none of 2"), (met, "loaded")],
    );
}

#[test]
fn an_instance_that_could_not_be_read_may_fit_unless_its_value_is_known_to_be_another() {
    let check = |state: &str, missing: &[&str], expected: Outcome| {
        let document = format!(
            "version: v1alpha1\ncompatibilities:\n- rules:\n  - name: r\n    matchFeatures:\n    - feature: \
             kernel.module\n      matchExpressions: {{name: {{op: In, value: [a]}}, state: {{op: In, value: {state}}}}}\n"
        );
        let spec = spec::parse(document.as_bytes()).unwrap();
        let feature = Feature {
            incomplete: Some(Unknown::new("/lib", "is not there")),
            missing: missing.iter().map(|it| (*it).to_owned()).collect(),
            ..Feature::instances(Vec::new())
        };
        let fact = Fact::Known(feature, "/".to_owned());
        let facts = Facts::default();
        let context = Context { facts: &facts, is_over: &|| false, access: Access::Full };
        let found = judge(&spec.sets[0].rules[0].match_features[0], &fact, 0, &context);
        assert_eq!(found[0].outcome, expected, "{state}");
    };
    check("[loaded]", &["state=loaded"], Outcome::Unmet);
    check("[loaded, builtin]", &["state=loaded"], Outcome::Unknown);
    check("[loaded]", &[], Outcome::Unknown);
}
