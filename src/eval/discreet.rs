//! Judgements without the values that only root may see: for what engines show to whoever asked for a container. Changes
//! no outcome.

use crate::host;

use super::{Evidence, Finding, JudgedRule, Judgement, lower, matched};

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

#[cfg(test)]
mod tests {
    use crate::eval::evaluate;
    use crate::host::{Fact, Facts, Feature, Instance};
    use crate::spec;

    /// The reasons against rules with these terms, as root may see them and as anybody may.
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
