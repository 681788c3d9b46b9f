//! The demands of rules in words, without a host.

use crate::eval::{Evidence, Finding, Outcome, lower};
use crate::host::{self, ElementKind};
use crate::spec::{Expression, Group, Term, Test};

use super::headline::demand;

/// What a term demands, a line for each thing; one line for all attributes of one device.
pub fn demands(term: &Term) -> Vec<String> {
    let named = term.expressions.iter().flatten().map(|(name, it)| finding(term, name, Some(it)));
    let findings: Vec<_> = named.chain(term.name.iter().map(|it| finding(term, "", Some(it)))).collect();
    let whole = finding(term, "", None);
    let info = host::feature(&lower(&term.feature));
    if info.is_some_and(|it| it.kinds == [ElementKind::Instances]) || term.count.is_some() {
        let attributes: Vec<_> = findings.iter().filter(|it| !it.element.is_empty()).map(demand).collect();
        let with =
            if attributes.is_empty() { String::new() } else { format!(" with {}", attributes.join(", ")) };
        return match &term.count {
            Some(count) => {
                vec![format!("{}{with}: {}", whole.thing(), finding(term, "", Some(count)).needed())]
            }
            None => vec![format!("a {}{with}", whole.thing())],
        };
    }
    if findings.is_empty() {
        return vec![format!("{}: known to the host", whole.subject())];
    }
    findings.iter().map(|it| format!("{}: {}", it.subject(), it.needed())).collect()
}

/// An attribute of an instance and what is demanded of it.
pub(super) fn attribute(term: &Term, name: &str, expression: &Expression) -> String {
    demand(&finding(term, name, Some(expression)))
}

/// What groups demand, in one sentence.
pub fn group_demands(group: &Group) -> String {
    let all = |groups: &[Group], word: &str| {
        let each: Vec<_> = groups.iter().map(group_demands).collect();
        if each.len() == 1 { each.concat() } else { format!("({})", each.join(word)) }
    };
    match group {
        Group::Terms(terms) => terms.iter().flat_map(demands).collect::<Vec<_>>().join(" and "),
        Group::All(groups) => all(groups, " and "),
        Group::Any(groups) => all(groups, " or "),
        Group::Not(group) => format!("not ({})", group_demands(group)),
        Group::Named { name, group } => format!("{name} ({})", group_demands(group)),
        Group::EachGpu { group, .. } => group_demands(group),
    }
}

/// Nothing has been looked at.
fn finding<'a>(term: &'a Term, element: &'a str, expression: Option<&'a Expression>) -> Finding<'a> {
    let test: Option<&Test> = expression.map(|it| &it.test);
    Finding {
        feature: &term.feature,
        element,
        test,
        at: expression.map_or(term.at, |it| it.at),
        outcome: Outcome::Unknown,
        evidence: Evidence::Feature { read: String::new() },
        secret: false,
        clue: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec;

    fn check(term: &str, expected: &[&str]) {
        let text = format!(
            "version: v1alpha1\ncompatibilities:\n- rules:\n  - name: r\n    matchFeatures:\n    - {{{term}}}\n"
        );
        let spec = spec::parse(text.as_bytes()).unwrap();
        assert_eq!(demands(&spec.sets[0].rules[0].match_features[0]), expected, "{term}");
    }

    #[test]
    fn a_term_s_demand_is_shown_in_words() {
        check(
            "feature: kernel.loadedmodule, matchExpressions: {gtp5g: {op: Exists}, vfat: {op: DoesNotExist}}",
            &["kernel module gtp5g: loaded", "kernel module vfat: not loaded"],
        );
        check(
            "feature: kernel.version, matchExpressions: {full: {op: Ge, type: version, value: [\"5.4\"]}}",
            &["kernel: 5.4 or newer"],
        );
        check(
            "feature: kernel.config, matchExpressions: {VFIO: {op: In, value: [\"y\", m]}}",
            &["kernel option CONFIG_VFIO: y or m"],
        );
        check(
            "feature: pci.device, matchExpressions: {vendor: {op: In, value: [\"15b3\"]}, sriov_numvfs: {op: Exists}}",
            &["a PCI device with vendor 15b3, sriov_numvfs"],
        );
        check("feature: pci.device", &["a PCI device"]);
        check("feature: kernel.kvm", &["feature kernel.kvm: known to the host"]);
        check(
            "feature: kernel.loadedmodule, matchName: {op: InRegexp, value: [\"^kvm_\"]}",
            &["a name of kernel.loadedmodule: matching /^kvm_/"],
        );
    }
}
