//! Judgements without the values that only root may see, for messages that engines show to their users. Changes no outcome.

use crate::host::{self, Fact};
use crate::spec::Term;

use super::{Evidence, Finding, JudgedRule, Judgement, lower, matched, term};

/// Stands for a value: `boot parameter isolcpus is hidden, needs 2-7`.
const HIDDEN: &str = "hidden";

impl Judgement<'_> {
    /// The same judgement, with values hidden that only root may see.
    #[must_use]
    pub fn discreet(&self) -> Self {
        let mut judgement = self.clone();
        for rule in judgement.sets.iter_mut().flat_map(|it| &mut it.rules) {
            rule.hide();
        }
        judgement
    }
}

impl JudgedRule<'_> {
    /// The same rule, with values hidden that only root may see.
    #[must_use]
    pub fn discreet(&self) -> Self {
        let mut rule = self.clone();
        rule.hide();
        rule
    }

    fn hide(&mut self) {
        // A template is expanded with the values that the rule matched, whatever they are.
        if let Some(error) = &mut self.template_error {
            HIDDEN.clone_into(error);
        }
        for finding in self.terms.iter_mut().flat_map(|it| &mut it.findings) {
            finding.hide();
        }
    }
}

impl Finding<'_> {
    fn hide(&mut self) {
        if !self.secret && !self.is_sensitive() {
            return;
        }
        match &mut self.evidence {
            Evidence::Value { value: Some(value), .. }
            | Evidence::Unfit { value, .. }
            | Evidence::Nearest { value: Some(value), .. } => HIDDEN.clone_into(value),
            Evidence::Unknown(_)
            | Evidence::NoFeature { .. }
            | Evidence::Feature { .. }
            | Evidence::Flag { .. }
            | Evidence::Range { .. }
            | Evidence::Value { value: None, .. }
            | Evidence::Names { .. }
            | Evidence::Nearest { value: None, .. }
            | Evidence::Count { .. }
            | Evidence::NoInstance { .. } => {}
        }
    }

    fn is_sensitive(&self) -> bool {
        match &*lower(self.feature) {
            // Templates make these of any other value.
            matched::FEATURE => true,
            feature => host::probe(feature).is_some_and(|it| it.is_sensitive(self.element)),
        }
    }
}

/// Whether the result of a term reveals something that only root may see: the value of an element, the names of elements where
/// all of them are sensitive, or, through a template, all that a rule matched.
pub(super) fn shows_what_is_sensitive(term: &Term, fact: &Fact, has_template: bool) -> bool {
    let name = lower(&term.feature);
    if name == matched::FEATURE {
        // Made by rules that may ask for all that they have matched.
        return false;
    }
    let sensitive = host::probe(&name).map_or(&[][..], |it| it.sensitive);
    let secret = match fact {
        Fact::Known(feature, _) => Some(&feature.secret),
        Fact::Absent(_) | Fact::Unknown(_) => None,
    };
    let is_sensitive = |element: &str| {
        host::probe(&name).is_some_and(|it| it.is_sensitive(element))
            || secret.is_some_and(|it| it.contains(element))
    };
    term::elements(term).any(is_sensitive)
        || (term.name.is_some() && is_sensitive(""))
        || (has_template && (!sensitive.is_empty() || secret.is_some_and(|it| !it.is_empty())))
}

#[cfg(test)]
mod tests {
    use crate::eval::{Access, Outcome, evaluate, evaluate_until};
    use crate::host::{Fact, Facts, Feature, Instance};
    use crate::spec;

    /// The reasons against rules with these terms: for root, and for other users.
    fn check(term: &str, open: &str, discreet: &str) {
        let mut facts = Facts::default();
        let cmdline = Feature::attributes([("isolcpus", "2-7")]);
        facts.insert("kernel.cmdline", Fact::Known(cmdline, "/proc/cmdline".to_owned()));
        let version = Feature::attributes([("full", "6.1.0")]);
        facts.insert("kernel.version", Fact::Known(version, "/proc".to_owned()));
        let attributes = [("serial", "S123"), ("vendor", "1d6b")];
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let stick = Instance { attributes, read: Some("/sys/bus/usb/devices/1-1".to_owned()) };
        facts.insert("usb.device", Fact::Known(Feature::instances(vec![stick]), "/sys".to_owned()));
        let text = format!(
            "version: v1alpha1\ncompatibilities:\n- rules:\n  - name: a\n    vars: {{v: secret}}\n  - name: b\n    \
             matchFeatures: [{{feature: {term}}}]\n"
        );
        let spec = spec::parse(text.as_bytes()).unwrap();
        let judgement = evaluate(&spec, &[], &facts);
        let discreet_judgement = judgement.discreet();
        assert_eq!(discreet_judgement.outcome, judgement.outcome);
        let reason = |it: &crate::eval::Judgement<'_>| it.sets[0].reasons()[0].1.clone();
        assert_eq!((reason(&judgement).as_str(), reason(&discreet_judgement).as_str()), (open, discreet));
    }

    #[test]
    fn values_that_only_root_may_see_are_hidden() {
        check(
            "kernel.cmdline, matchExpressions: {isolcpus: {op: In, value: [1-3]}}",
            "boot parameter isolcpus is 2-7, needs 1-3",
            "boot parameter isolcpus is hidden, needs 1-3",
        );
        check(
            "Kernel.Cmdline, matchExpressions: {isolcpus: {op: Ge, value: [1]}}",
            "boot parameter isolcpus is 2-7, which cannot be compared, needs at least 1",
            "boot parameter isolcpus is hidden, which cannot be compared, needs at least 1",
        );
        check(
            "usb.device, matchExpressions: {serial: {op: In, value: [S9]}, vendor: {op: In, value: [\"0951\"]}}",
            "no USB device with serial S9, vendor 0951; nearest is 1-1: serial is S123, vendor is 1d6b",
            "no USB device with serial S9, vendor 0951; nearest is 1-1: serial is hidden, vendor is 1d6b",
        );
        check(
            "rule.matched, matchExpressions: {v: {op: In, value: [x]}}",
            "rule.matched v is secret, needs x",
            "rule.matched v is hidden, needs x",
        );
    }

    #[test]
    fn a_value_whose_file_only_root_may_read_is_hidden() {
        let text = "version: v1alpha1\ncompatibilities:\n- rules:\n  - name: a\n    matchFeatures:\n    - feature: \
                    kernel.sysctl\n      matchExpressions: {kernel/cad_pid: {op: In, value: [\"2\"]}}\n";
        let spec = spec::parse(text.as_bytes()).unwrap();
        let mut facts = Facts::default();
        let secret = ["kernel/cad_pid".to_owned()].into();
        let feature = Feature { secret, ..Feature::attributes([("kernel/cad_pid", "1")]) };
        facts.insert("kernel.sysctl", Fact::Known(feature, "/proc/sys".to_owned()));
        let judgement = evaluate(&spec, &[], &facts);
        let reason = &judgement.discreet().sets[0].reasons()[0].1;
        let expected = "sysctl kernel/cad_pid is hidden, needs 2 (try: sysctl -w kernel/cad_pid=2)";
        assert_eq!(reason, expected);
    }

    /// What comes of rules, each on a line, on the same host, if they may not ask for what only root may see.
    fn check_public(rules: &str, expected: &[Outcome]) {
        let mut facts = Facts::default();
        let cmdline = Feature::attributes([("isolcpus", "2-7")]);
        facts.insert("kernel.cmdline", Fact::Known(cmdline, "/proc/cmdline".to_owned()));
        let secret = ["kernel/cad_pid".to_owned()].into();
        let sysctl = Feature::attributes([("kernel/cad_pid", "1"), ("vm.swappiness", "60")]);
        facts.insert("kernel.sysctl", Fact::Known(Feature { secret, ..sysctl }, "/proc/sys".to_owned()));
        let attributes = [("serial", "S123"), ("vendor", "1d6b")];
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let stick = Instance { attributes, read: None };
        facts.insert("usb.device", Fact::Known(Feature::instances(vec![stick]), "/sys".to_owned()));
        let version = Feature::attributes([("full", "6.1.0")]);
        facts.insert("kernel.version", Fact::Known(version, "/proc".to_owned()));
        let lines = rules.lines().map(|it| format!("  - {{name: r, {it}}}\n")).collect::<String>();
        let text = format!("version: v1alpha1\ncompatibilities:\n- rules:\n{lines}");
        let spec = spec::parse(text.as_bytes()).unwrap();
        let judgement = evaluate_until(&spec, &[], &facts, Access::Public, &|| false);
        let found: Vec<_> = judgement.sets[0].rules.iter().map(|it| it.outcome).collect();
        assert_eq!(found, expected, "{rules}");
    }

    #[test]
    fn what_only_root_may_see_is_unknown_to_a_spec_that_may_not_ask_for_it() {
        use Outcome::{Met, Unknown, Unmet};
        let value = "matchFeatures: [{feature: kernel.cmdline, matchExpressions: {isolcpus: {op: In, value: [2-7]}}}]";
        let other = value.replace("2-7]}", "1]}");
        let there = value.replace("{op: In, value: [2-7]}", "{op: Exists}");
        let names = "matchFeatures: [{feature: Kernel.Cmdline, matchName: {op: In, value: [isolcpus]}}]";
        let file = "matchFeatures: [{feature: kernel.sysctl, matchExpressions: {kernel/cad_pid: {op: In, value: [\"1\"]}}}]";
        let serial = "matchFeatures: [{feature: usb.device, matchExpressions: {serial: {op: Exists}}}]";
        check_public(&[value, &other, &there, names, file, serial].join("\n"), &[Unknown; 6]);
        let open =
            "matchFeatures: [{feature: usb.device, matchExpressions: {vendor: {op: In, value: [1d6b]}}}]";
        let swap = "matchFeatures: [{feature: kernel.sysctl, matchExpressions: {vm.swappiness: {op: In, value: [\"60\"]}}}]";
        check_public(&[open, swap].join("\n"), &[Met, Met]);
        // What does not fit by itself, does not fit.
        let old = "{feature: kernel.version, matchExpressions: {full: {op: In, value: [\"9\"]}}}";
        check_public(&value.replace("}]", &format!("}}, {old}]")), &[Unmet]);
        let either = format!("matchAny: [{{{value}}}, {{{open}}}]");
        check_public(&either, &[Met]);
    }

    #[test]
    fn a_template_makes_no_variables_of_what_only_root_may_see() {
        use Outcome::{Met, Unknown};
        let vars = "varsTemplate: \"{{range .usb.device}}s={{.serial}}{{end}}\", ";
        let open =
            "matchFeatures: [{feature: usb.device, matchExpressions: {vendor: {op: In, value: [1d6b]}}}]";
        let asks = "matchFeatures: [{feature: rule.matched, matchExpressions: {s: {op: In, value: [S123]}}}]";
        check_public(&format!("{vars}{open}\n{asks}"), &[Unknown, Unknown]);
        let other = "varsTemplate: \"{{range .kernel.version}}s=S123{{end}}\", matchFeatures: [{feature: kernel.version, \
                     matchExpressions: {full: {op: Exists}}}]";
        check_public(&format!("{other}\n{asks}"), &[Met, Met]);
    }

    #[test]
    fn what_everybody_may_see_and_what_is_not_there_stays() {
        let same = |term: &str, reason: &str| check(term, reason, reason);
        same(
            "kernel.version, matchExpressions: {full: {op: In, value: [6.2]}}",
            "kernel is 6.1.0, needs 6.2",
        );
        same("kernel.cmdline, matchExpressions: {quiet: {op: Exists}}", "boot parameter quiet is not given");
    }
}
