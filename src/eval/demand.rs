//! The facts that rules need. Nothing else is read.

use crate::host::{self, ElementKind, FeatureDemand, Wanted};
use crate::spec::{Property, Rule, Spec, Term, Test};

use super::{lower, matched};

/// What has to be read to judge the sets of a spec that `tags` select.
pub fn demand(spec: &Spec, tags: &[String]) -> FeatureDemand {
    let mut demand = FeatureDemand::new();
    for rule in
        spec.sets.iter().filter(|it| tags.is_empty() || tags.contains(&it.tag)).flat_map(|it| &it.rules)
    {
        for term in rule.terms() {
            add(&mut demand, rule, term);
        }
    }
    demand.remove(matched::FEATURE);
    demand
}

fn add(demand: &mut FeatureDemand, rule: &Rule, term: &Term) {
    let feature = lower(&term.feature);
    let info = host::probe(&feature);
    let has_instances = info.is_some_and(|it| it.kinds.contains(&ElementKind::Instances));
    let entry = demand.entry(feature.into_owned()).or_insert_with(|| Wanted::Names(Default::default()));
    let key = info.and_then(|it| it.key);
    let keys = key.map(|it| keys(term, it));
    let looks_at_all = keys.as_ref().is_some_and(Vec::is_empty);
    // `matchName` looks at all names, and a template at all attributes of an instance.
    if term.name.is_some() || looks_at_all || (has_instances && rule.vars_template.is_some()) {
        *entry = Wanted::All;
    }
    if let Wanted::Names(names) = entry {
        let elements = term.expressions.iter().flatten().map(|(name, _)| name.as_str());
        names.extend(elements.filter(|it| Some(*it) != key).map(str::to_owned));
        names.extend(keys.into_iter().flatten());
        let tests = term.expressions.iter().flatten().map(|(_, it)| &it.test);
        if tests.into_iter().any(|it| matches!(it, Test::Nvidia(it) if it.or_compat)) {
            // By it, NVIDIA's forward compatibility is judged.
            names.insert(Property::Brand.name().to_owned());
        }
    }
}

/// The instances that a term names, where they are read one by one: it looks at all if it names none.
fn keys(term: &Term, key: &str) -> Vec<String> {
    let tests = term.expressions.iter().flatten().filter(|(name, _)| name == key).map(|(_, it)| &it.test);
    let values = tests.flat_map(|it| if let Test::In(values) = it { values.as_slice() } else { &[] });
    values.map(|it| format!("{key}={it}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec;

    /// `All`, or the names, of the only feature that these terms are about.
    fn check(terms: &str, more: &str, expected: &str) {
        let text = format!(
            "version: v1alpha1\ncompatibilities:\n- rules:\n  - name: a\n    matchFeatures: [{terms}]\n{more}"
        );
        let spec = spec::parse(text.as_bytes()).unwrap();
        let demand = demand(&spec, &[]);
        let wanted = demand.values().map(|it| match it {
            Wanted::All => "all".to_owned(),
            Wanted::Names(names) => names.iter().map(String::as_str).collect::<Vec<_>>().join(" "),
        });
        assert_eq!(wanted.collect::<Vec<_>>(), [expected], "{terms}");
    }

    #[test]
    fn only_the_elements_that_rules_name_are_wanted() {
        let terms = "{feature: Kernel.Sysctl, matchExpressions: {vm.swappiness: {op: Exists}}}";
        check(terms, "", "vm.swappiness");
        let named = "{feature: kernel.sysctl, matchName: {op: InRegexp, value: [vm]}}";
        check(named, "", "all");
    }

    #[test]
    fn a_template_sees_all_attributes_of_instances_and_of_others_what_is_named() {
        let template = "    varsTemplate: \"{{range .kernel.sysctl}}a={{.Name}}{{end}}\"\n";
        let terms = "{feature: kernel.sysctl, matchExpressions: {vm.swappiness: {op: Exists}}}";
        check(terms, template, "vm.swappiness");
        let terms = "{feature: kernel.module, matchExpressions: {name: {op: In, value: [a]}}}";
        check(terms, template, "all");
    }

    #[test]
    fn instances_that_are_read_one_by_one_are_wanted_by_name_unless_a_term_names_none() {
        let named = "{feature: kernel.module, matchExpressions: {name: {op: In, value: [a, b]}, state: {op: Exists}}}";
        check(named, "", "name=a name=b state");
        let pattern = "{feature: kernel.module, matchExpressions: {name: {op: InRegexp, value: [a]}}}";
        check(pattern, "", "all");
        let unnamed = "{feature: kernel.module, matchExpressions: {taint: {op: Exists}}}";
        check(&format!("{named}, {unnamed}"), "", "all");
        check("{feature: kernel.module}", "", "all");
    }
}
