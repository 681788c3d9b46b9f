//! Names and values with several spellings of the same meaning. Judges a test on each of them.

use std::borrow::Cow;

use crate::host::{self, Feature};
use crate::spec::Test;

use super::element::{self, TestedElement};
use super::{Outcome, lower};

/// As [`element::judge`], with every way in which this element of a feature is written; the empty name stands for the
/// names of elements themselves.
pub(super) fn judge(feature: &str, name: &str, test: &Test, element: TestedElement<'_>) -> Outcome {
    let TestedElement::Value(value) = element else { return element::judge(test, name, element) };
    let others = spellings(feature, name, value);
    let all = std::iter::once(value).chain(others.iter().map(|it| &**it));
    let outcomes = all.map(|it| element::judge(test, name, TestedElement::Value(it)));
    if matches!(test, Test::NotIn(_)) { Outcome::all(outcomes) } else { Outcome::any(outcomes) }
}

/// How an element is called in a feature that may write its name in another way.
pub(super) fn name<'a>(feature: &str, elements: &'a Feature, name: &'a str) -> &'a str {
    if !name.bytes().any(|it| matches!(it, b'-' | b'_')) || !names_modules(feature) {
        return name;
    }
    let flags = elements.flags.iter().flatten();
    let mut known = flags.chain(&elements.missing).chain(elements.doubtful.keys());
    let plain = underscored(name);
    known.find(|it| underscored(it) == plain).map_or(name, String::as_str)
}

/// The other ways to write a value, none of them if it has only one.
fn spellings<'a>(feature: &str, name: &str, value: &'a str) -> Vec<Cow<'a, str>> {
    // Hardly any element has one of these names, and the feature's is looked at for those only.
    if !matches!(name, "full" | "name" | "") {
        return Vec::new();
    }
    match (&*lower(feature), name) {
        ("kernel.version", "full") => {
            Vec::from_iter(Some(host::release_label(value)).filter(|it| it != value))
        }
        ("kernel.module", "name") | ("kernel.loadedmodule" | "kernel.enabledmodule", "")
            if value.contains(['-', '_']) =>
        {
            vec![underscored(value), value.replace('_', "-").into()]
        }
        _ => Vec::new(),
    }
}

/// Whether the elements of this feature are names of modules, in which the kernel makes no difference between `-` and `_`.
fn names_modules(feature: &str) -> bool {
    matches!(&*lower(feature), "kernel.loadedmodule" | "kernel.enabledmodule")
}

fn underscored(name: &str) -> Cow<'_, str> {
    if name.contains('-') { name.replace('-', "_").into() } else { name.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{Fact, Facts};
    use crate::spec;

    /// What comes of one term on one fact, and what was found.
    fn check(term: &str, fact: Feature, outcome: Outcome, found: &str) {
        let document = format!(
            "version: v1alpha1\ncompatibilities:\n- rules:\n  - name: r\n    matchFeatures: [{{feature: {term}}}]\n"
        );
        let spec = spec::parse(document.as_bytes()).unwrap();
        let mut facts = Facts::default();
        let term = &spec.sets[0].rules[0].match_features[0];
        facts.insert(lower(&term.feature), Fact::Known(fact, "/".to_owned()));
        let judgement = super::super::evaluate(&spec, &[], &facts);
        let finding = &judgement.sets[0].rules[0].terms[0].findings[0];
        assert_eq!((judgement.outcome, &*finding.found()), (outcome, found), "{document}");
    }

    #[test]
    fn a_release_is_found_as_the_kernel_has_it_and_as_nfd_writes_it() {
        let check = |test: &str, outcome: Outcome| {
            let term = format!("Kernel.Version, matchExpressions: {{full: {{{test}}}}}");
            let fact = Feature::attributes([("full", "6.12.47+rpt-rpi-2712")]);
            check(&term, fact, outcome, "6.12.47+rpt-rpi-2712");
        };
        check("op: In, value: [6.12.47+rpt-rpi-2712]", Outcome::Met);
        check("op: In, value: [\"6.12.47_rpt-rpi-2712\"]", Outcome::Met);
        check("op: In, value: [6.12.47-rpt-rpi-2712]", Outcome::Unmet);
        check("op: NotIn, value: [6.12.47+rpt-rpi-2712]", Outcome::Unmet);
        check("op: NotIn, value: [\"6.12.47_rpt-rpi-2712\"]", Outcome::Unmet);
        check("op: NotIn, value: [6.12.47-rpt-rpi-2712]", Outcome::Met);
        check("op: InRegexp, value: [\"^6[.]12[.]47_rpt\"]", Outcome::Met);
        check("op: InRegexp, value: [\"^6[.]12[.]47[+]rpt\"]", Outcome::Met);
        check("op: Ge, type: version, value: [\"6.12\"]", Outcome::Met);
        check("op: Lt, type: version, value: [\"6.12\"]", Outcome::Unmet);
    }

    #[test]
    fn a_module_is_the_same_with_hyphens_and_underscores() {
        let built_in = || Feature::flags(["vfio", "vfio-pci"]);
        let check = |test: &str, outcome, found: &str| {
            check(&format!("kernel.enabledmodule, {test}"), built_in(), outcome, found);
        };
        check("matchExpressions: {vfio_pci: {op: Exists}}", Outcome::Met, "loaded or built in");
        check("matchExpressions: {vfio-pci: {op: Exists}}", Outcome::Met, "loaded or built in");
        check("matchExpressions: {vfio_pci: {op: DoesNotExist}}", Outcome::Unmet, "loaded or built in");
        check("matchExpressions: {vfio_pc: {op: Exists}}", Outcome::Unmet, "neither loaded nor built in");
        check("matchName: {op: InRegexp, value: [\"^vfio_pci$\"]}", Outcome::Met, "vfio-pci");
        check("matchName: {op: In, value: [vfio_pci]}", Outcome::Met, "vfio-pci");
    }

    #[test]
    fn an_instance_is_found_by_both_spellings_of_its_module() {
        let module = || {
            let attributes = [("name".to_owned(), "nf_nat-x".to_owned())].into();
            Feature::instances(vec![crate::host::Instance { attributes, read: None }])
        };
        for name in ["nf_nat_x", "nf-nat-x", "nf_nat-x"] {
            let term = format!("kernel.module, matchExpressions: {{name: {{op: In, value: [{name}]}}}}");
            check(&term, module(), Outcome::Met, "nf_nat-x");
        }
        let term = "kernel.module, matchExpressions: {name: {op: In, value: [nf_nat]}}";
        check(term, module(), Outcome::Unmet, "no kernel module");
    }

    #[test]
    fn elements_of_other_features_are_written_in_one_way() {
        let term = "kernel.config, matchExpressions: {A_B: {op: In, value: [x-y]}}";
        check(term, Feature::attributes([("A_B", "x_y")]), Outcome::Unmet, "x_y");
        let term = "kernel.config, matchExpressions: {A-B: {op: Exists}}";
        check(term, Feature::attributes([("A_B", "y")]), Outcome::Unmet, "not set");
        let term = "cpu.flag, matchExpressions: {a-b: {op: Exists}}";
        check(term, Feature::flags(["a_b"]), Outcome::Unmet, "not present");
    }
}
