//! From specs to judgements: reads the facts that the specs name, judges, and reads once more only to explain a no.

mod unlearnt;

use std::collections::BTreeSet;

use crate::eval::{self, Access, Judgement};
use crate::host::{self, Bundle, Demand, Facts, Root, Wanted};
use crate::outcome::report::{Checked, Origin};
use crate::spec::{Malformed, Spec};

/// A spec that has to hold, and where it comes from.
#[derive(Debug)]
pub struct Requirement {
    /// Where it comes from.
    pub origin: Origin,
    /// The rules, or what is wrong with the document.
    pub spec: Result<Spec, Malformed>,
}

/// The facts that these requirements need, and what explains those that are not met. Without a bundle, what a bundle
/// gives its container is unknown.
pub fn gather(requirements: &[Requirement], tags: &[String], root: &Root, bundle: Option<&Bundle>) -> Facts {
    let demand = demand(requirements, tags);
    let mut facts = host::gather(root, &demand);
    if let Some(bundle) = bundle {
        host::add_bundle(&mut facts, bundle, &demand);
    }
    explain(&mut facts, requirements, tags, root);
    facts
}

/// Adds to facts that were taken elsewhere what they cannot hold: what a bundle gives its container, and that a feature
/// has no probe.
pub fn complete(facts: &mut Facts, requirements: &[Requirement], tags: &[String], bundle: Option<&Bundle>) {
    let demand = demand(requirements, tags);
    host::add_unprobed(facts, &demand);
    if let Some(bundle) = bundle {
        host::add_bundle(facts, bundle, &demand);
    }
}

fn demand(requirements: &[Requirement], tags: &[String]) -> Demand {
    let mut demand = Demand::new();
    for spec in requirements.iter().filter_map(|it| it.spec.as_ref().ok()) {
        for (feature, wanted) in eval::demand(spec, tags) {
            add(&mut demand, feature, wanted);
        }
    }
    demand
}

fn judgements<'c, 'a>(checked: &'c [Checked<'a>]) -> Vec<&'c Judgement<'a>> {
    checked.iter().filter_map(|it| it.result.as_ref().ok()).collect()
}

/// What an operator should know of what was judged: system calls that the container's filter allows, and that the libseccomp
/// of a runtime may not know.
pub fn notes(checked: &[Checked<'_>], facts: &Facts) -> Vec<String> {
    unlearnt::notes(&judgements(checked), facts)
}

/// Reads what explains a no, what would mend it, and what [`notes`] are made of. Where nothing is missing, and no rule asks
/// for a system call that older runtimes do not know, that is nothing.
fn explain(facts: &mut Facts, requirements: &[Requirement], tags: &[String], root: &Root) {
    let (mut modules, mut more) = (BTreeSet::new(), Demand::new());
    // What explains a no is read for all that they ask; what may be told is decided when they are judged.
    let checked = judge_until(requirements, tags, facts, false, &|| root.is_late());
    let judgements = judgements(&checked);
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
}

fn add(demand: &mut Demand, feature: String, wanted: Wanted) {
    match (demand.get_mut(&feature), wanted) {
        (Some(Wanted::Names(names)), Wanted::Names(more)) => names.extend(more),
        (Some(entry), Wanted::All) => *entry = Wanted::All,
        (Some(Wanted::All), Wanted::Names(_)) => {}
        (None, wanted) => {
            demand.insert(feature, wanted);
        }
    }
}

/// Holds each requirement against the facts.
pub fn judge<'a>(requirements: &'a [Requirement], tags: &[String], facts: &Facts) -> Vec<Checked<'a>> {
    judge_until(requirements, tags, facts, false, &|| false)
}

/// As [`judge`]; what is not judged once `is_over` says so is unknown, and what is proven stays so. If `withholds` says so, what
/// only root may see is unknown to specs that nobody has verified.
pub fn judge_until<'a>(
    requirements: &'a [Requirement],
    tags: &[String],
    facts: &Facts,
    withholds: bool,
    is_over: &dyn Fn() -> bool,
) -> Vec<Checked<'a>> {
    let checked = |it: &'a Requirement| {
        let access = if withholds && !it.origin.is_verified() { Access::Public } else { Access::Full };
        let judge = |spec| eval::evaluate_until(spec, tags, facts, access, is_over);
        Checked { origin: &it.origin, result: it.spec.as_ref().map(judge) }
    };
    requirements.iter().map(checked).collect()
}
