//! System calls that a container's filter allows and the runtime's libseccomp may not know. Runtimes skip such names: the
//! default action decides on the call. Changes no verdict.

use std::collections::BTreeSet;

use crate::eval::{Evidence, Finding, Judgement, Outcome};
use crate::host::{self, Fact, Facts, FeatureDemand, Wanted};

const FILTER: &str = "bundle.seccomp";
const RUNTIMES: &str = "runtime.feature";
/// What a filter does by default with a call that it does not list, where that denies the call.
const DENIALS: [&str; 5] =
    ["SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP"];

/// The facts that [`notes`] needs; none if no rule asks for such a call.
pub(super) fn demand(judgements: &[&Judgement<'_>], facts: &Facts) -> FeatureDemand {
    if calls(judgements, facts).is_empty() {
        return FeatureDemand::new();
    }
    let names = ["name", "libseccomp"].map(str::to_owned);
    FeatureDemand::from([(RUNTIMES.to_owned(), Wanted::Names(BTreeSet::from(names)))])
}

/// A sentence for each call that a rule asks for, that the filter allows, and that the libseccomp of a runtime may not know.
pub(super) fn notes(judgements: &[&Judgement<'_>], facts: &Facts) -> Vec<String> {
    let calls = calls(judgements, facts);
    if calls.is_empty() {
        return Vec::new();
    }
    let Fact::Known(runtimes, _) = facts.explained(RUNTIMES) else { return Vec::new() };
    let version = |it: &host::Instance| {
        Some((it.attributes.get("name")?.clone(), it.attributes.get("libseccomp")?.clone()))
    };
    let versions: Vec<_> = runtimes.instances.iter().flatten().filter_map(version).collect();
    let note = |(call, since): (&str, &str)| {
        let is_older = |it: &&(String, String)| host::is_libseccomp_older(&it.1, since);
        let older = versions.iter().filter(is_older);
        let older: Vec<_> = older.map(|(name, it)| format!("libseccomp {it} of {name}")).collect();
        (!older.is_empty()).then(|| {
            format!(
                "the profile allows {call}, but {} may not know it (since {since}): it would then be denied like calls that \
                 are not listed; update libseccomp",
                older.join(" and ")
            )
        })
    };
    calls.into_iter().filter_map(note).collect()
}

/// The calls, each with the first release of libseccomp that knows it. A filter that denies by default allows only the calls
/// that it lists.
fn calls<'a>(judgements: &[&Judgement<'a>], facts: &Facts) -> BTreeSet<(&'a str, &'static str)> {
    let Fact::Known(filter, _) = facts.get(FILTER) else { return BTreeSet::new() };
    let default = filter.attributes.as_ref().and_then(|it| it.get("default_action"));
    if !default.is_some_and(|it| DENIALS.contains(&it.as_str())) {
        return BTreeSet::new();
    }
    let rules = judgements.iter().flat_map(|it| &it.sets).flat_map(|it| &it.rules);
    let allowed = rules.flat_map(|it| &it.terms).flat_map(|it| &it.findings).filter_map(allowed);
    allowed.filter_map(|it| Some((it, host::libseccomp_since(it)?))).collect()
}

/// The call that a rule found allowed, as it asks.
fn allowed<'a>(finding: &Finding<'a>) -> Option<&'a str> {
    if finding.outcome != Outcome::Met || !finding.feature.eq_ignore_ascii_case(FILTER) {
        return None;
    }
    if let Evidence::Flag { present: true, .. } = &finding.evidence {
        return Some(finding.element);
    }
    let Evidence::Value { value: Some(answer), .. } = &finding.evidence else { return None };
    finding.element.strip_suffix(".answer").filter(|_| answer == "allow")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::check::{Requirement, explain, gather, judge, notes};
    use crate::host::BundleConfig;
    use crate::outcome::report::{Checked, SpecOrigin};
    use crate::spec;
    use crate::testing::FakeHost;

    const LISTED: &str = r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read", "clone3", "close_range"],
        "action": "SCMP_ACT_ALLOW"}]}"#;
    const CLOSE_RANGE: &str = "the profile allows close_range, but libseccomp 2.5.1 of runc may not know it (since 2.5.2): \
                               it would then be denied like calls that are not listed; update libseccomp";

    fn host(records: &[(&str, &str)]) -> FakeHost {
        records.iter().fold(FakeHost::new(), |host, (name, version)| {
            let record =
                format!(r#"{{"annotations": {{"io.github.seccomp.libseccomp.version": "{version}"}}}}"#);
            host.file(&format!("/etc/oci-compat/runtimes.d/{name}.json"), record)
        })
    }

    fn requirements(expression: &str) -> [Requirement; 1] {
        let spec = format!(
            "version: v1alpha1\ncompatibilities:\n- rules:\n  - name: a\n    matchFeatures:\n    - feature: Bundle.seccomp\n      \
             matchExpressions:\n        {expression}\n"
        );
        let origin = SpecOrigin::File("spec.yaml".to_owned());
        [Requirement { origin, spec: spec::parse(spec.as_bytes()) }]
    }

    /// What was judged, and the facts with what was read to explain it.
    fn judged<'a>(
        host: &FakeHost,
        seccomp: &str,
        requirements: &'a [Requirement],
    ) -> (Vec<Checked<'a>>, Facts) {
        let bundle = BundleConfig::new(format!(r#"{{"linux": {{"seccomp": {seccomp}}}}}"#).into_bytes());
        let root = host.root();
        let mut facts = gather(requirements, &[], &root, Some(&bundle));
        let mut checked = judge(requirements, &[], &facts);
        explain(&mut checked, &mut facts, &root);
        (checked, facts)
    }

    fn check(host: &FakeHost, seccomp: &str, expression: &str, expected: &[&str]) {
        let requirements = requirements(expression);
        let (checked, facts) = judged(host, seccomp, &requirements);
        assert!(checked[0].result.is_ok(), "{:?}", checked[0].result);
        assert_eq!(notes(&checked, &facts), expected, "{seccomp}: {expression}");
    }

    #[test]
    fn a_call_that_an_older_libseccomp_does_not_know_is_noted() {
        let host = host(&[("runc", "2.5.1")]);
        check(&host, LISTED, "close_range: {op: Exists}", &[CLOSE_RANGE]);
        check(&host, LISTED, "close_range.answer: {op: In, value: [allow, ENOSYS]}", &[CLOSE_RANGE]);
        check(&host, &LISTED.replace("ERRNO", "KILL"), "close_range: {op: Exists}", &[CLOSE_RANGE]);
    }

    #[test]
    fn each_runtime_that_is_older_is_named() {
        let host = host(&[("crun", "2.5.2"), ("runc", "2.5.1"), ("youki", "2.4.3")]);
        let expected = CLOSE_RANGE.replace(" of runc", " of runc and libseccomp 2.4.3 of youki");
        check(&host, LISTED, "close_range: {op: Exists}", &[&expected]);
    }

    #[test]
    fn nothing_is_noted_if_the_call_is_known_or_this_is_unknown() {
        let call = "close_range: {op: Exists}";
        for records in [&[("runc", "2.5.2")][..], &[("runc", "")], &[("runc", "new")], &[]] {
            check(&host(records), LISTED, call, &[]);
        }
        check(&FakeHost::new().unreadable("/etc/oci-compat/runtimes.d"), LISTED, call, &[]);
        let old = host(&[("runc", "2.5.1")]);
        check(&old, LISTED, "clone3: {op: Exists}", &[]);
        check(&old, LISTED, "read: {op: Exists}", &[]);
    }

    #[test]
    fn nothing_is_noted_where_the_filter_s_list_does_not_decide() {
        let old = host(&[("runc", "2.3.1")]);
        let call = "close_range: {op: Exists}";
        check(&old, "null", call, &[]);
        check(&old, r#"{"defaultAction": "SCMP_ACT_ALLOW"}"#, call, &[]);
        check(&old, &LISTED.replace("SCMP_ACT_ERRNO", "SCMP_ACT_LOG"), call, &[]);
        check(&old, r#"{"defaultAction": "SCMP_ACT_ERRNO"}"#, call, &[]);
        check(&old, LISTED, "close_range: {op: DoesNotExist}", &[]);
        check(&old, LISTED, "default_action: {op: Exists}", &[]);
    }

    #[test]
    fn the_records_are_read_only_where_a_rule_asks_for_such_a_call() {
        let check = |expression: &str, expected: bool| {
            let requirements = requirements(expression);
            let (_, facts) = judged(&host(&[("runc", "2.5.1")]), LISTED, &requirements);
            let is_read = matches!(facts.explained(RUNTIMES), Fact::Known(..));
            assert_eq!(is_read, expected, "{expression}");
        };
        check("close_range: {op: Exists}", true);
        check("read: {op: Exists}", false);
        check("close_range: {op: DoesNotExist}", false);
    }
}
