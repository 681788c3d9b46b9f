//! Which facts rules need. Nothing else is read.

use crate::host::{self, Demand, Wanted};
use crate::spec::{Rule, Spec, Term, Test};

use super::{Evidence, Finding, Judgement, Outcome, lower, matched};

/// What has to be read to judge the sets of a spec that `tags` select.
pub fn demand(spec: &Spec, tags: &[String]) -> Demand {
    let mut demand = Demand::new();
    for rule in
        spec.sets.iter().filter(|it| tags.is_empty() || tags.contains(&it.tag)).flat_map(|it| &it.rules)
    {
        for term in rule.match_features.iter().chain(rule.match_any.iter().flatten()) {
            add(&mut demand, rule, term);
        }
    }
    demand.remove(matched::FEATURE);
    demand
}

fn add(demand: &mut Demand, rule: &Rule, term: &Term) {
    let entry =
        demand.entry(lower(&term.feature).into_owned()).or_insert_with(|| Wanted::Names(Default::default()));
    // `matchName` looks at all names, and a template at all attributes of an instance.
    if term.name.is_some() || rule.vars_template.is_some() {
        *entry = Wanted::All;
    }
    if let Wanted::Names(names) = entry {
        names.extend(term.expressions.iter().flatten().map(|(name, _)| name.clone()));
        names.extend(keys(term));
    }
}

/// The instances that a term names, where they are read one by one.
fn keys(term: &Term) -> Vec<String> {
    let Some(key) = host::feature(&lower(&term.feature)).and_then(|it| it.key) else { return Vec::new() };
    let tests = term.expressions.iter().flatten().filter(|(name, _)| name == key).map(|(_, it)| &it.test);
    let values = tests.flat_map(|it| if let Test::In(values) = it { values.as_slice() } else { &[] });
    values.map(|it| format!("{key}={it}")).collect()
}

/// The kernel modules that are missing: knowing whether they could be loaded would sharpen the diagnosis.
pub fn clues(judgement: &Judgement<'_>) -> std::collections::BTreeSet<String> {
    let terms = judgement.sets.iter().flat_map(|it| &it.rules).flat_map(|it| &it.terms);
    terms
        .flat_map(|it| &it.findings)
        .filter(|it| is_missing_module(it))
        .map(|it| it.element.to_owned())
        .collect()
}

fn is_missing_module(finding: &Finding<'_>) -> bool {
    finding.outcome == Outcome::Unmet
        && matches!(finding.evidence, Evidence::Flag { present: false, .. })
        && matches!(&*lower(finding.feature), "kernel.loadedmodule" | "kernel.enabledmodule")
}
