//! From requirements to judgements: reads the facts that their specs name, judges each rule once, and reads once more only to
//! explain a no.

mod unlearnt;

use std::collections::BTreeSet;

use crate::eval::{self, Access, Judgement};
use crate::host::{self, BundleConfig, Facts, FeatureDemand, Root, Wanted};
use crate::outcome::report::{Checked, SpecOrigin};
use crate::spec::{Malformed, Spec};

/// A spec that must hold, and its source.
#[derive(Debug)]
pub struct Requirement {
    /// Where it comes from.
    pub origin: SpecOrigin,
    /// The rules, or the errors of the document.
    pub spec: Result<Spec, Malformed>,
}

impl Requirement {
    /// Of the tags that select sets, those that count for it.
    fn heeded<'t>(&self, tags: &'t [String]) -> &'t [String] {
        if self.origin.has_tags() { tags } else { &[] }
    }
}

/// The facts that these requirements need. Without a bundle, what a bundle gives its container is unknown.
pub fn gather(
    requirements: &[Requirement],
    tags: &[String],
    root: &Root,
    bundle: Option<&BundleConfig>,
) -> Facts {
    let demand = demand(requirements, tags);
    let mut facts = host::gather(root, &demand);
    if let Some(bundle) = bundle {
        host::add_bundle(&mut facts, bundle, &demand);
    }
    facts
}

/// Adds to facts that were taken elsewhere what they cannot hold: what a bundle gives its container, and that a feature
/// has no probe.
pub fn complete(
    facts: &mut Facts,
    requirements: &[Requirement],
    tags: &[String],
    bundle: Option<&BundleConfig>,
) {
    let demand = demand(requirements, tags);
    host::add_unprobed(facts, &demand);
    if let Some(bundle) = bundle {
        host::add_bundle(facts, bundle, &demand);
    }
}

fn demand(requirements: &[Requirement], tags: &[String]) -> FeatureDemand {
    let mut demand = FeatureDemand::new();
    for requirement in requirements {
        let Ok(spec) = &requirement.spec else { continue };
        for (feature, wanted) in eval::demand(spec, requirement.heeded(tags)) {
            add(&mut demand, feature, wanted);
        }
    }
    demand
}

fn judgements<'c, 'a>(checked: &'c [Checked<'a>]) -> Vec<&'c Judgement<'a>> {
    checked.iter().filter_map(|it| it.result.as_ref().ok()).collect()
}

/// What an operator should know of what was judged and explained: system calls that the container's filter allows, and that the
/// libseccomp of a runtime may not know.
pub fn notes(checked: &[Checked<'_>], facts: &Facts) -> Vec<String> {
    unlearnt::notes(&judgements(checked), facts)
}

/// Reads what explains a no, what would mend it, and what [`notes`] are made of, and adds it to the judgements: no outcome
/// changes. Where nothing is missing, and no rule asks for a system call that older runtimes do not know, nothing is read.
pub fn explain(checked: &mut [Checked<'_>], facts: &mut Facts, root: &Root) {
    let (mut modules, mut more) = (BTreeSet::new(), FeatureDemand::new());
    let judgements = judgements(checked);
    for judgement in &judgements {
        modules.extend(eval::clues(judgement));
        for (feature, wanted) in eval::explaining(judgement) {
            add(&mut more, feature, wanted);
        }
    }
    for (feature, wanted) in unlearnt::demand(&judgements, facts) {
        add(&mut more, feature, wanted);
    }
    if !modules.is_empty() {
        facts.set_loadable_modules(host::loadable_modules(root, &modules));
    }
    if !more.is_empty() {
        facts.explain_with(host::gather(root, &more));
    }
    explain_by(checked, facts);
}

/// Adds to the judgements why rules are not met, as far as these facts explain it.
pub fn explain_by(checked: &mut [Checked<'_>], facts: &Facts) {
    for judgement in checked.iter_mut().filter_map(|it| it.result.as_mut().ok()) {
        judgement.explain(facts);
    }
}

fn add(demand: &mut FeatureDemand, feature: String, wanted: Wanted) {
    match (demand.get_mut(&feature), wanted) {
        (Some(Wanted::Names(names)), Wanted::Names(more)) => names.extend(more),
        (Some(entry), Wanted::All) => *entry = Wanted::All,
        (Some(Wanted::All), Wanted::Names(_)) => {}
        (None, wanted) => {
            demand.insert(feature, wanted);
        }
    }
}

/// Judges each requirement by the facts, and explains with them what is not met.
pub fn judge<'a>(requirements: &'a [Requirement], tags: &[String], facts: &Facts) -> Vec<Checked<'a>> {
    let mut checked = judge_until(requirements, tags, facts, false, &|| false);
    explain_by(&mut checked, facts);
    checked
}

/// As [`judge`], without the explanations, which [`explain`] adds. Once `is_over` is true, the rest is unknown, and what is
/// proven stays proven. If `withholds` is true, values that only root may see are unknown to specs that were not verified.
pub fn judge_until<'a>(
    requirements: &'a [Requirement],
    tags: &[String],
    facts: &Facts,
    withholds: bool,
    is_over: &dyn Fn() -> bool,
) -> Vec<Checked<'a>> {
    let checked = |it: &'a Requirement| {
        let access = if withholds && !it.origin.is_verified() { Access::Public } else { Access::Full };
        let judge = |spec| eval::evaluate_until(spec, it.heeded(tags), facts, access, is_over);
        Checked { origin: &it.origin, result: it.spec.as_ref().map(judge) }
    };
    requirements.iter().map(checked).filter(Checked::counts).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::spec;
    use crate::testing::{FakeHost, facts};

    const PAGES: &str = "version: v1alpha1\ncompatibilities:\n- rules:\n  - name: a\n    matchFeatures:\n    - feature: \
                         memory.hugepages\n      matchExpressions: {hugepages-2Mi: {op: Gt, value: [\"8\"]}}\n";

    #[test]
    fn what_explains_a_no_and_cannot_be_read_in_time_hides_nothing_that_is_known() {
        let host = FakeHost::new().file("/proc/cmdline", "default_hugepagesz=2M\n");
        let requirements = [Requirement { origin: SpecOrigin::Inline, spec: spec::parse(PAGES.as_bytes()) }];
        let hint = |root: &Root| {
            let mut facts = facts("memory.hugepages", &[("hugepages-2Mi", "4")]);
            let cmdline = host::Feature::attributes([("default_hugepagesz", "1G")]);
            facts.insert("kernel.cmdline", host::Fact::Known(cmdline, "/proc/cmdline".to_owned()));
            let mut checked = judge_until(&requirements, &[], &facts, false, &|| false);
            explain(&mut checked, &mut facts, root);
            let judgement = checked[0].result.as_ref().expect("a judgement");
            judgement.sets[0].rules[0].terms[0].findings[0].clue.clone()
        };
        let root = host.root();
        assert_eq!(hint(&root), None);
        root.set_deadline(Instant::now());
        assert_eq!(hint(&root), Some(eval::Clue::OtherPages(eval::Manager::Files)));
    }
}
