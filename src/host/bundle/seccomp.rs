//! `bundle.seccomp`: the system calls that the container's seccomp filter allows. Ignores filters that the runtime itself runs
//! under.

use std::collections::{BTreeMap, BTreeSet};

use super::config::ConfigPart;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "bundle.seccomp",
    kinds: &[ElementKind::Flags, ElementKind::Attributes],
    meaning: "flags: the system calls that the container's filter allows with any arguments; `default_action`: what it does \
        with calls that it does not list; `<call>.answer` for each call: allow, the error that it returns (EPERM, \
        ENOSYS as a kernel without the call does, others by number), kill, or trap",
    read: "`linux.seccomp` of the bundle's config.json; a call is unknown if it is allowed with certain arguments only, or \
        if a tracer or an agent decides; if /etc/oci-compat/runtimes.d records a runtime's libseccomp, a note says if \
        that is too old for a call that the filter allows",
    nfd: false,
    elements: None,
    absent: "refused by the filter; `default_action`: there is no filter, and every call is allowed",
    since: "runtime-spec 1.0",
    example: "feature: bundle.seccomp\n  matchExpressions:\n    io_uring_setup: {op: Exists}\n    clone3.answer: {op: In, value: [allow, ENOSYS]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe: super::not_given,
};

const PLACE: &str = "config.json linux.seccomp";
const DEFAULT: &str = "default_action";
/// Behind the name of a call.
const ANSWER: &str = ".answer";
/// What runtime-spec gives `errnoRet` where it is not set, and libseccomp knows of old.
const EPERM: u32 = 1;
const ENOSYS: u32 = 38;
/// The newest calls, in the order of their numbers, which all architectures share from 424 on
/// (`scripts/syscall.tbl` in the kernel).
const NEWEST: [&str; 43] = [
    "pidfd_send_signal",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "open_tree",
    "move_mount",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "pidfd_open",
    "clone3",
    "close_range",
    "openat2",
    "pidfd_getfd",
    "faccessat2",
    "process_madvise",
    "epoll_pwait2",
    "mount_setattr",
    "quotactl_fd",
    "landlock_create_ruleset",
    "landlock_add_rule",
    "landlock_restrict_self",
    "memfd_secret",
    "process_mrelease",
    "futex_waitv",
    "set_mempolicy_home_node",
    "cachestat",
    "fchmodat2",
    "map_shadow_stack",
    "futex_wake",
    "futex_wait",
    "futex_requeue",
    "statmount",
    "listmount",
    "lsm_get_self_attr",
    "lsm_set_self_attr",
    "lsm_list_modules",
    "mseal",
    "setxattrat",
    "getxattrat",
    "listxattrat",
    "removexattrat",
];

pub(super) fn read(config: &ConfigPart<'_>, wanted: &Wanted) -> Result<Fact, Unknown> {
    let Some(seccomp) = config.descend(&["linux", "seccomp"])? else {
        let no_filter = Unknown::new(PLACE, "is not there: without a filter, every system call is allowed");
        let filter = SeccompFilter {
            default: SeccompDecision::Allow,
            calls: BTreeMap::new(),
            place: PLACE.to_owned(),
        };
        return Ok(Fact::Known(filter.feature(wanted, no_filter), PLACE.to_owned()));
    };
    let action = seccomp.required("defaultAction")?;
    let default = decision(&action, seccomp.field("defaultErrnoRet")?)?;
    let filter = SeccompFilter { default, calls: rules(&seccomp)?, place: action.place.clone() };
    let reason = format!("is {}: every system call that is not listed is treated so", action.text()?);
    let mut feature = filter.feature(wanted, action.unknown(reason));
    feature.attributes.get_or_insert_default().insert(DEFAULT.to_owned(), action.text()?.to_owned());
    Ok(Fact::Known(feature, PLACE.to_owned()))
}

/// What becomes of a system call.
#[derive(Debug, Clone, Copy, PartialEq)]
enum SeccompDecision {
    Allow,
    /// It fails with this error.
    Error(u32),
    Kill,
    Trap,
    /// A process outside the container decides.
    Ask,
}

impl SeccompDecision {
    /// None if that is not for the filter to say.
    fn answer(self) -> Option<String> {
        match self {
            Self::Allow => Some("allow".to_owned()),
            Self::Error(EPERM) => Some("EPERM".to_owned()),
            Self::Error(ENOSYS) => Some("ENOSYS".to_owned()),
            Self::Error(errno) => Some(errno.to_string()),
            Self::Kill => Some("kill".to_owned()),
            Self::Trap => Some("trap".to_owned()),
            Self::Ask => None,
        }
    }
}

/// The actions of libseccomp (seccomp_init(3)).
fn decision(action: &ConfigPart<'_>, errno: Option<ConfigPart<'_>>) -> Result<SeccompDecision, Unknown> {
    match action.text()? {
        "SCMP_ACT_ALLOW" | "SCMP_ACT_LOG" => Ok(SeccompDecision::Allow),
        "SCMP_ACT_ERRNO" => Ok(SeccompDecision::Error(match errno {
            Some(errno) => u32::try_from(errno.integer()?)
                .map_err(|_| errno.unknown("is no number of an error, which are from zero on"))?,
            None => EPERM,
        })),
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_PROCESS" | "SCMP_ACT_KILL_THREAD" => Ok(SeccompDecision::Kill),
        "SCMP_ACT_TRAP" => Ok(SeccompDecision::Trap),
        "SCMP_ACT_TRACE" | "SCMP_ACT_NOTIFY" => Ok(SeccompDecision::Ask),
        other => Err(action.unknown(format!("is {other:.40?}, which is no action of seccomp"))),
    }
}

/// One entry of `syscalls`, as it concerns a call that it names.
#[derive(Debug, Clone)]
struct SeccompEntry {
    decision: SeccompDecision,
    /// It holds for certain arguments only.
    is_conditional: bool,
    place: String,
}

fn rules<'a>(seccomp: &ConfigPart<'a>) -> Result<BTreeMap<&'a str, Vec<SeccompEntry>>, Unknown> {
    let mut calls: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for item in seccomp.items("syscalls")? {
        let decision = decision(&item.required("action")?, item.field("errnoRet")?)?;
        let is_conditional = !item.items("args")?.is_empty();
        for name in item.required("names")?.list()? {
            let entry = SeccompEntry { decision, is_conditional, place: item.place.clone() };
            calls.entry(name.text()?).or_default().push(entry);
        }
    }
    Ok(calls)
}

struct SeccompFilter<'a> {
    default: SeccompDecision,
    calls: BTreeMap<&'a str, Vec<SeccompEntry>>,
    /// Where the default stands.
    place: String,
}

impl SeccompFilter<'_> {
    /// `unlisted` says why not all calls can be listed, where the default says more of them than that they are refused.
    fn feature(&self, wanted: &Wanted, unlisted: Unknown) -> Feature {
        let mut feature =
            Feature { attributes: Some(BTreeMap::new()), ..Feature::flags(BTreeSet::<String>::new()) };
        let listed: BTreeSet<&str> = match wanted {
            Wanted::All => self.calls.keys().copied().collect(),
            Wanted::Names(names) => names
                .iter()
                .map(|it| it.strip_suffix(ANSWER).unwrap_or(it))
                .filter(|it| is_call(it))
                .collect(),
        };
        for name in listed {
            self.add(name, &mut feature);
        }
        let is_open = *wanted == Wanted::All && self.default != SeccompDecision::Error(EPERM);
        feature.incomplete = is_open.then_some(unlisted);
        feature
    }

    /// Adds what becomes of a call: where that is not known, both whether it is allowed and the answer are in doubt.
    fn add(&self, name: &str, feature: &mut Feature) {
        let answer = format!("{name}{ANSWER}");
        let decided = match self.judge(name) {
            Ok(SeccompDecision::Ask) => {
                let reason = format!("leaves {name} to a tracer or an agent outside the container");
                Err(Unknown::new(self.place_of(name), reason))
            }
            Ok(decision) => Ok(decision),
            Err(place) => Err(Unknown::new(place, format!("decides on {name} by its arguments"))),
        };
        match decided {
            Ok(decision) => {
                if decision == SeccompDecision::Allow {
                    feature.flags.get_or_insert_default().insert(name.to_owned());
                }
                match decision.answer().filter(|_| !self.may_be_newer(name)) {
                    Some(text) => drop(feature.attributes.get_or_insert_default().insert(answer, text)),
                    None => {
                        let reason = format!(
                            "does not list {name} nor any newer call: runc answers such calls with ENOSYS, other runtimes \
                             as by default"
                        );
                        feature.doubtful.insert(answer, Unknown::new(PLACE, reason));
                    }
                }
            }
            Err(unknown) => {
                feature.doubtful.insert(name.to_owned(), unknown.clone());
                feature.doubtful.insert(answer, unknown);
            }
        }
    }

    /// runc answers calls that are newer than all that a filter lists with ENOSYS (`libcontainer/seccomp/patchbpf`).
    fn may_be_newer(&self, name: &str) -> bool {
        if self.default != SeccompDecision::Error(EPERM) || self.calls.is_empty() {
            return false;
        }
        let Some(number) = NEWEST.iter().position(|it| *it == name) else { return false };
        !NEWEST.iter().skip(number).any(|it| self.calls.contains_key(it))
    }

    /// What becomes of a call whatever its arguments; if they matter, where that stands.
    ///
    /// Of entries that contradict each other, which one counts is up to libseccomp's version: that is in doubt too.
    fn judge(&self, name: &str) -> Result<SeccompDecision, String> {
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
        // Allowed and doubtful calls are already in the list.
        let told: Vec<_> = told.split(' ').filter(|it| !it.contains(".answer=")).collect();
        let told = told.join(" ");
        let (told, _) = told.split_once(" and perhaps clone.answer").unwrap_or((&told, ""));
        let (told, _) = told.split_once(" and perhaps mount.answer").unwrap_or((told, ""));
        assert_eq!(told, format!("known (config.json linux.seccomp): {expected}"), "{seccomp}");
    }

    #[test]
    fn without_a_filter_every_call_is_allowed() {
        let bpf = r#"known (config.json linux.seccomp): bpf bpf.answer="allow""#;
        check("null", &["bpf", DEFAULT, "No-Call"], bpf);
        assert_eq!(told("{}", FEATURE.name, &["bpf"]), bpf);
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
             not listed is treated so",
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
    fn an_answer_says_with_which_error_a_call_fails() {
        let check = |filter: &str, call: &str, expected: &str| {
            let config = format!("{{\"linux\": {{\"seccomp\": {filter}}}}}");
            let told = told(&config, FEATURE.name, &[&format!("{call}{ANSWER}")]);
            assert!(told.contains(&format!(" {call}.answer={expected:?}")), "{told}");
        };
        let filter = r#"{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "syscalls": [
            {"names": ["read"], "action": "SCMP_ACT_LOG"}, {"names": ["acct"], "action": "SCMP_ACT_TRAP"},
            {"names": ["bpf"], "action": "SCMP_ACT_ERRNO"}, {"names": ["mount"], "action": "SCMP_ACT_KILL"},
            {"names": ["sync"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13}]}"#;
        check(filter, "read", "allow");
        check(filter, "acct", "trap");
        check(filter, "bpf", "EPERM");
        check(filter, "mount", "kill");
        check(filter, "sync", "13");
        check(filter, "clone3", "ENOSYS");
        let docker = r#"{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "syscalls": [
            {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
            {"names": ["faccessat2"], "action": "SCMP_ACT_ALLOW"}]}"#;
        check(docker, "clone3", "ENOSYS");
        check(docker, "openat2", "EPERM");
    }

    #[test]
    fn a_call_newer_than_all_that_are_listed_may_get_either_error() {
        let filter = r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
            {"names": ["clone3"], "action": "SCMP_ACT_ALLOW"}]}}}"#;
        let expected = "known (config.json linux.seccomp): default_action=\"SCMP_ACT_ERRNO\" and perhaps mseal.answer: \
                        config.json linux.seccomp: does not list mseal nor any newer call: runc answers such calls with \
                        ENOSYS, other runtimes as by default";
        assert_eq!(told(filter, FEATURE.name, &["mseal.answer"]), expected);
    }

    #[test]
    fn a_call_that_a_tracer_or_an_agent_decides_is_in_doubt() {
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
        let errno = r#"{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": -1}"#;
        let reason = "is no number of an error, which are from zero on";
        super::tests::check(errno, &["bpf"], &format!("{place}.defaultErrnoRet: {reason}"));
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
