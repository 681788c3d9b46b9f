//! `bundle.seccomp`: what the container's seccomp filter lets through. Says nothing of filters that the runtime itself
//! runs under.

use std::collections::{BTreeMap, BTreeSet};

use super::config::Part;
use crate::host::{Fact, Feature, FeatureInfo, Kind, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "bundle.seccomp",
    kinds: &[Kind::Flags, Kind::Attributes],
    meaning: "the names of the system calls that the container's filter allows whatever their arguments, and \
              `default_action`, what it does with those that it does not list",
    read: "`linux.seccomp` of the bundle's config.json; a call that is allowed with certain arguments only, or that a tracer \
           or an agent decides on, is unknown",
    nfd: false,
    elements: None,
    absent: "refused by the filter; of `default_action`: there is no filter, and every call is allowed",
    since: "runtime-spec 1.0",
    example: "feature: bundle.seccomp\n  matchExpressions:\n    io_uring_setup: {op: Exists}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe: super::not_given,
};

const PLACE: &str = "config.json linux.seccomp";
const DEFAULT: &str = "default_action";

pub(super) fn read(config: &Part<'_>, wanted: &Wanted) -> Result<Fact, Unknown> {
    let Some(seccomp) = config.descend(&["linux", "seccomp"])? else {
        let no_filter = Unknown::new(PLACE, "is not there: without a filter, every system call is allowed");
        let filter = Filter { default: Decision::Allow, calls: BTreeMap::new(), place: PLACE.to_owned() };
        let feature = Feature { attributes: Some(BTreeMap::new()), ..filter.feature(wanted, no_filter) };
        return Ok(Fact::Known(feature, PLACE.to_owned()));
    };
    let action = seccomp.required("defaultAction")?;
    let filter = Filter { default: decision(&action)?, calls: rules(&seccomp)?, place: action.place.clone() };
    let reason = format!("is {}: every system call that is not listed is allowed", action.text()?);
    let feature = filter.feature(wanted, action.unknown(reason));
    let attributes = BTreeMap::from([(DEFAULT.to_owned(), action.text()?.to_owned())]);
    Ok(Fact::Known(Feature { attributes: Some(attributes), ..feature }, PLACE.to_owned()))
}

/// What becomes of a system call.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Decision {
    Allow,
    Refuse,
    /// A process outside the container decides.
    Ask,
}

/// The actions of libseccomp (seccomp_init(3)).
fn decision(action: &Part<'_>) -> Result<Decision, Unknown> {
    match action.text()? {
        "SCMP_ACT_ALLOW" | "SCMP_ACT_LOG" => Ok(Decision::Allow),
        "SCMP_ACT_ERRNO"
        | "SCMP_ACT_KILL"
        | "SCMP_ACT_KILL_PROCESS"
        | "SCMP_ACT_KILL_THREAD"
        | "SCMP_ACT_TRAP" => Ok(Decision::Refuse),
        "SCMP_ACT_TRACE" | "SCMP_ACT_NOTIFY" => Ok(Decision::Ask),
        other => Err(action.unknown(format!("is {other:.40?}, which is no action of seccomp"))),
    }
}

/// One entry of `syscalls`, as it concerns a call that it names.
#[derive(Debug, Clone)]
struct Entry {
    decision: Decision,
    /// It holds for certain arguments only.
    is_conditional: bool,
    place: String,
}

fn rules<'a>(seccomp: &Part<'a>) -> Result<BTreeMap<&'a str, Vec<Entry>>, Unknown> {
    let mut calls: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for item in seccomp.items("syscalls")? {
        let decision = decision(&item.required("action")?)?;
        let is_conditional = !item.items("args")?.is_empty();
        for name in item.required("names")?.list()? {
            let entry = Entry { decision, is_conditional, place: item.place.clone() };
            calls.entry(name.text()?).or_default().push(entry);
        }
    }
    Ok(calls)
}

struct Filter<'a> {
    default: Decision,
    calls: BTreeMap<&'a str, Vec<Entry>>,
    /// Where the default stands.
    place: String,
}

impl Filter<'_> {
    /// `unlisted` says why not all calls that are allowed can be listed, where they are by default.
    fn feature(&self, wanted: &Wanted, unlisted: Unknown) -> Feature {
        let (mut flags, mut doubtful) = (BTreeSet::new(), BTreeMap::new());
        let listed: Vec<&str> = match wanted {
            Wanted::All => self.calls.keys().copied().collect(),
            Wanted::Names(names) => names.iter().map(String::as_str).filter(|it| is_call(it)).collect(),
        };
        for name in listed {
            match self.judge(name) {
                Ok(Decision::Allow) => drop(flags.insert(name.to_owned())),
                Ok(Decision::Refuse) => {}
                Ok(Decision::Ask) => {
                    let reason = format!("leaves {name} to a tracer or an agent outside the container");
                    doubtful.insert(name.to_owned(), Unknown::new(self.place_of(name), reason));
                }
                Err(place) => {
                    let reason = format!("decides on {name} by its arguments");
                    doubtful.insert(name.to_owned(), Unknown::new(place, reason));
                }
            }
        }
        let is_open = *wanted == Wanted::All && self.default != Decision::Refuse;
        Feature { doubtful, incomplete: is_open.then_some(unlisted), ..Feature::flags(flags) }
    }

    /// What becomes of a call whatever its arguments; if they matter, where that stands.
    ///
    /// Of entries that contradict each other, which one counts is up to libseccomp's version: that is in doubt too.
    fn judge(&self, name: &str) -> Result<Decision, String> {
        let Some(entries) = self.calls.get(name) else { return Ok(self.default) };
        let has_rest = entries.iter().all(|it| it.is_conditional);
        let rest = has_rest.then_some(self.default);
        let decisions = entries.iter().map(|it| it.decision).chain(rest);
        let mut decisions = decisions.collect::<Vec<_>>();
        decisions.dedup();
        match (decisions.as_slice(), entries.first()) {
            ([only], _) => Ok(*only),
            (_, Some(first)) => {
                let conditional = entries.iter().find(|it| it.is_conditional).unwrap_or(first);
                Err(conditional.place.clone())
            }
            (_, None) => Ok(self.default),
        }
    }

    fn place_of(&self, name: &str) -> String {
        let entry = self.calls.get(name).and_then(|it| it.first());
        entry.map_or_else(|| self.place.clone(), |it| it.place.clone())
    }
}

/// Whether this can be the name of a system call, rather than of the attribute.
fn is_call(name: &str) -> bool {
    !matches!(name, "" | DEFAULT)
        && name.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_')
}

#[cfg(test)]
mod tests {
    use super::super::testing::told;
    use super::*;

    fn check(seccomp: &str, names: &[&str], expected: &str) {
        let config = format!("{{\"linux\": {{\"seccomp\": {seccomp}}}}}");
        assert_eq!(told(&config, FEATURE.name, names), expected, "{seccomp}");
    }

    /// What is allowed of some calls, and in doubt.
    fn allowed(seccomp: &str, names: &[&str], expected: &str) {
        let action: serde_json::Value = serde_json::from_str(seccomp).unwrap();
        let attribute = format!("default_action={}", action["defaultAction"]);
        let config = format!("{{\"linux\": {{\"seccomp\": {seccomp}}}}}");
        let told = told(&config, FEATURE.name, names).replace(&attribute, "|");
        assert_eq!(told, format!("known (config.json linux.seccomp): {expected}"), "{seccomp}");
    }

    #[test]
    fn without_a_filter_every_call_is_allowed() {
        check("null", &["bpf", DEFAULT, "No-Call"], "known (config.json linux.seccomp): bpf");
        assert_eq!(told("{}", FEATURE.name, &["bpf"]), "known (config.json linux.seccomp): bpf");
        check(
            "null",
            &[],
            "known (config.json linux.seccomp): and maybe more: config.json linux.seccomp: is not there: without a filter, \
             every system call is allowed",
        );
    }

    #[test]
    fn a_filter_that_refuses_by_default_allows_what_it_lists() {
        let filter = r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
            {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"}, {"names": ["sync"], "action": "SCMP_ACT_LOG", "args": []},
            {"names": ["bpf"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}"#;
        allowed(filter, &["read", "sync", "bpf", "mount"], "read sync |");
        allowed(filter, &[], "read sync write |");
    }

    #[test]
    fn a_filter_that_allows_by_default_refuses_what_it_lists() {
        let filter = |default: &str| {
            format!(
                r#"{{"defaultAction": "{default}", "syscalls": [{{"names": ["bpf"], "action": "SCMP_ACT_KILL_PROCESS"}},
                     {{"names": ["read"], "action": "SCMP_ACT_ALLOW"}}, {{"names": ["acct"], "action": "SCMP_ACT_TRAP"}}]}}"#
            )
        };
        allowed(&filter("SCMP_ACT_ALLOW"), &["read", "bpf", "mount", "acct"], "mount read |");
        allowed(&filter("SCMP_ACT_LOG"), &["mount"], "mount |");
        allowed(
            &filter("SCMP_ACT_ALLOW"),
            &[],
            "read | and maybe more: config.json linux.seccomp.defaultAction: is SCMP_ACT_ALLOW: every system call that is \
             not listed is allowed",
        );
    }

    #[test]
    fn a_call_that_arguments_decide_on_is_in_doubt_and_no_other_is() {
        let filter = |default: &str, entries: &str| {
            format!(
                r#"{{"defaultAction": "{default}", "syscalls": [{{"names": ["read"], "action": "SCMP_ACT_ALLOW"}}, {entries}]}}"#
            )
        };
        let clone = |action: &str, args: &str| {
            format!(r#"{{"names": ["clone"], "action": "{action}", "args": {args}}}"#)
        };
        let args = r#"[{"index": 0, "value": 2114060288, "op": "SCMP_CMP_MASKED_EQ"}]"#;
        let doubt =
            "| and perhaps clone: config.json linux.seccomp.syscalls[1]: decides on clone by its arguments";
        let allow = clone("SCMP_ACT_ALLOW", args);
        allowed(&filter("SCMP_ACT_ERRNO", &allow), &["clone", "bpf", "read"], &format!("read {doubt}"));
        let refuse = clone("SCMP_ACT_ERRNO", args);
        allowed(&filter("SCMP_ACT_ALLOW", &refuse), &["clone"], doubt);
        // An argument that changes nothing.
        allowed(&filter("SCMP_ACT_ALLOW", &allow), &["clone"], "clone |");
        allowed(&filter("SCMP_ACT_ERRNO", &refuse), &["clone"], "|");
        // Several entries for one call.
        let always = clone("SCMP_ACT_ALLOW", "[]");
        allowed(&filter("SCMP_ACT_ERRNO", &format!("{allow}, {allow}, {always}")), &["clone"], "clone |");
        allowed(&filter("SCMP_ACT_ERRNO", &format!("{refuse}, {always}")), &["clone"], doubt);
        let never = clone("SCMP_ACT_KILL", "[]");
        allowed(&filter("SCMP_ACT_ERRNO", &format!("{always}, {never}")), &["clone"], doubt);
    }

    #[test]
    fn a_call_that_somebody_else_decides_on_is_in_doubt() {
        let agent = "leaves mount to a tracer or an agent outside the container";
        allowed(
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mount"], "action": "SCMP_ACT_NOTIFY"}]}"#,
            &["mount"],
            &format!("| and perhaps mount: config.json linux.seccomp.syscalls[0]: {agent}"),
        );
        allowed(
            r#"{"defaultAction": "SCMP_ACT_TRACE"}"#,
            &["mount"],
            &format!("| and perhaps mount: config.json linux.seccomp.defaultAction: {agent}"),
        );
    }

    #[test]
    fn what_is_malformed_is_unknown_with_its_place() {
        let place = "unknown: config.json linux.seccomp";
        check("5", &["bpf"], &format!("{place}: is a number, expected an object"));
        check("{}", &["bpf"], &format!("{place}: has no defaultAction, as every one must"));
        let check = |default: &str, syscalls: &str, expected: &str| {
            let seccomp = format!(r#"{{"defaultAction": {default}, "syscalls": {syscalls}}}"#);
            check(&seccomp, &["bpf"], &format!("{place}{expected}"));
        };
        check(r#""ALLOW""#, "[]", ".defaultAction: is \"ALLOW\", which is no action of seccomp");
        check(r#""SCMP_ACT_ALLOW""#, "{}", ".syscalls: is an object, expected a list");
        check(r#""SCMP_ACT_ALLOW""#, "[{}]", ".syscalls[0]: has no action, as every one must");
        let entry = |more: &str| format!(r#"[{{"action": "SCMP_ACT_KILL"{more}}}]"#);
        check(r#""SCMP_ACT_ALLOW""#, &entry(""), ".syscalls[0]: has no names, as every one must");
        check(
            r#""SCMP_ACT_ALLOW""#,
            &entry(r#", "names": "bpf""#),
            ".syscalls[0].names: is text, expected a list",
        );
        check(
            r#""SCMP_ACT_ALLOW""#,
            &entry(r#", "names": ["bpf"], "args": 1"#),
            ".syscalls[0].args: is a number, expected a list",
        );
    }
}
