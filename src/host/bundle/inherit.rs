//! The resource limits that a container inherits. Changes none.

use super::{Inherited, UNLIMITED};
use crate::host::{Feature, Root, Unknown};

/// `lnames` in the kernel's `fs/proc/base.c`: what a line of `/proc/<pid>/limits` is about, in the order of the lines.
const LINES: [(&str, &str); 16] = [
    ("Max cpu time", "RLIMIT_CPU"),
    ("Max file size", "RLIMIT_FSIZE"),
    ("Max data size", "RLIMIT_DATA"),
    ("Max stack size", "RLIMIT_STACK"),
    ("Max core file size", "RLIMIT_CORE"),
    ("Max resident set", "RLIMIT_RSS"),
    ("Max processes", "RLIMIT_NPROC"),
    ("Max open files", OPEN_FILES),
    ("Max locked memory", "RLIMIT_MEMLOCK"),
    ("Max address space", "RLIMIT_AS"),
    ("Max file locks", "RLIMIT_LOCKS"),
    ("Max pending signals", "RLIMIT_SIGPENDING"),
    ("Max msgqueue size", "RLIMIT_MSGQUEUE"),
    ("Max nice priority", "RLIMIT_NICE"),
    ("Max realtime priority", "RLIMIT_RTPRIO"),
    ("Max realtime timeout", "RLIMIT_RTTIME"),
];
const OPEN_FILES: &str = "RLIMIT_NOFILE";

/// Takes each limit that is in doubt, because the bundle does not set it, from the process that hands it on.
pub(super) fn add(limits: &mut Feature, place: &mut String, inherited: &Inherited, live: &Root) {
    if limits.doubtful.is_empty() {
        return;
    }
    // Of a message no two may differ by the number of a process.
    let (path, told) = match inherited {
        Inherited::OfProcess(id) => (format!("/proc/{id}/limits"), "/proc/<pid>/limits"),
        Inherited::OfRuntime(_) => ("/proc/self/limits".to_owned(), "/proc/self/limits"),
    };
    let text = live.read_text(&path).map_err(|miss| Unknown::new(told, miss.unknown(&path).reason));
    let before = limits.doubtful.len();
    limits.doubtful.retain(|name, doubt| {
        let known = text.as_ref().map_err(Clone::clone).and_then(|it| limit(it, name, told, inherited));
        match known {
            Ok(known) => {
                limits.attributes.get_or_insert_default().insert(name.clone(), known);
                false
            }
            Err(unknown) => {
                *doubt = unknown;
                true
            }
        }
    });
    if limits.doubtful.len() < before {
        *place = format!("{place}, else {told}");
    }
}

fn limit(text: &str, name: &str, told: &str, inherited: &Inherited) -> Result<String, Unknown> {
    let (limit, end) = name.split_once('.').unwrap_or((name, ""));
    let label = LINES.iter().find(|(_, it)| *it == limit).map_or("", |(label, _)| label);
    let [mut soft, hard] = text
        .lines()
        .find_map(|it| values(it, label))
        .ok_or_else(|| Unknown::new(told, format!("tells no {limit}")))?;
    if let Inherited::OfRuntime(before) = inherited
        && let Some((_, value)) = before.iter().find(|(name, _)| *name == limit)
    {
        soft = counted(*value);
    }
    let is_settled = match inherited {
        // Go raises the soft limit when a program starts (`os/rlimit.go`), and since 1.21 restores it for the next one.
        Inherited::OfProcess(_) => soft != hard,
        Inherited::OfRuntime(_) => soft == hard,
    };
    match end {
        "soft" if limit == OPEN_FILES && !is_settled => {
            let reason = "is not what counts: runtimes written in Go raise the soft limit on open files to the hard one, \
                          and some lower it again; ask for RLIMIT_NOFILE.hard";
            Err(Unknown::new(told, reason))
        }
        "soft" => Ok(soft),
        _ => Ok(hard),
    }
}

/// The soft and the hard limit in `Max open files            1024                 524288               files     `.
fn values(line: &str, label: &str) -> Option<[String; 2]> {
    let mut words = line.strip_prefix(label)?.strip_prefix(' ')?.split_ascii_whitespace();
    let mut value = || match words.next()? {
        "unlimited" => Some(UNLIMITED.to_owned()),
        number => number.parse().ok().map(counted),
    };
    Some([value()?, value()?])
}

/// More than half of 64 bits no process can use up.
fn counted(number: u64) -> String {
    i64::try_from(number).map_or(UNLIMITED.to_owned(), |it| it.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::{BundleConfig, add_bundle, rlimit};
    use super::*;
    use crate::host::testing::{show, wanted};
    use crate::host::{Fact, Facts, FeatureDemand};
    use crate::testing::FakeHost;

    /// As Linux 6.1 writes them.
    const LIMITS: &str = "Limit                     Soft Limit           Hard Limit           Units     \n\
                          Max cpu time              unlimited            unlimited            seconds   \n\
                          Max processes             96365                96365                processes \n\
                          Max open files            1024                 524288               files     \n\
                          Max locked memory         8388608              18446744073709551614 bytes     \n\
                          Max nice priority         0                    0                    \n";

    const IN_HOOK: Inherited = Inherited::OfProcess(7);
    const IN_WRAPPER: Inherited = Inherited::OfRuntime(Vec::new());

    /// What is known where the bundle sets none of these limits.
    fn told(host: &FakeHost, inherited: Inherited, names: &[&str]) -> String {
        let doubt = |it: &&str| ((*it).to_owned(), Unknown::new("config.json", "does not set it"));
        let mut limits = Feature { doubtful: names.iter().map(doubt).collect(), ..Feature::default() };
        let mut place = "config.json".to_owned();
        add(&mut limits, &mut place, &inherited, &host.root());
        show(&Fact::Known(limits, place))
    }

    fn host(limits: &str) -> FakeHost {
        FakeHost::new().file("/proc/7/limits", limits).file("/proc/self/limits", limits)
    }

    #[test]
    fn what_a_bundle_does_not_set_is_inherited() {
        let names = [
            "RLIMIT_CPU.soft",
            "RLIMIT_MEMLOCK.hard",
            "RLIMIT_MEMLOCK.soft",
            "RLIMIT_NICE.hard",
            "RLIMIT_NPROC.soft",
        ];
        let values = "RLIMIT_CPU.soft=\"9223372036854775807\" RLIMIT_MEMLOCK.hard=\"9223372036854775807\" \
                      RLIMIT_MEMLOCK.soft=\"8388608\" RLIMIT_NICE.hard=\"0\" RLIMIT_NPROC.soft=\"96365\"";
        let expected = |place| format!("known (config.json, else {place}): {values}");
        assert_eq!(told(&host(LIMITS), IN_HOOK, &names), expected("/proc/<pid>/limits"));
        assert_eq!(told(&host(LIMITS), IN_WRAPPER, &names), expected("/proc/self/limits"));
    }

    #[test]
    fn the_soft_limit_on_open_files_is_known_where_go_changes_nothing() {
        let names = ["RLIMIT_NOFILE.hard", "RLIMIT_NOFILE.soft"];
        let reason = "is not what counts: runtimes written in Go raise the soft limit on open files to the hard one, and \
                      some lower it again; ask for RLIMIT_NOFILE.hard";
        let known = |place: &str, soft: &str| {
            format!(
                "known (config.json, else {place}): RLIMIT_NOFILE.hard=\"524288\" RLIMIT_NOFILE.soft=\"{soft}\""
            )
        };
        let open = |place: &str| {
            format!(
                "known (config.json, else {place}): RLIMIT_NOFILE.hard=\"524288\" and perhaps RLIMIT_NOFILE.soft: {place}: {reason}"
            )
        };
        assert_eq!(told(&host(LIMITS), IN_HOOK, &names), known("/proc/<pid>/limits", "1024"));
        assert_eq!(told(&host(LIMITS), IN_WRAPPER, &names), open("/proc/self/limits"));
        let equal = LIMITS.replace("1024  ", "524288");
        assert_eq!(told(&host(&equal), IN_HOOK, &names), open("/proc/<pid>/limits"));
        assert_eq!(told(&host(&equal), IN_WRAPPER, &names), known("/proc/self/limits", "524288"));
    }

    #[test]
    fn what_the_wrapper_raises_for_itself_is_inherited_as_it_was() {
        let raised = Inherited::OfRuntime(vec![("RLIMIT_MEMLOCK", 4096), ("RLIMIT_NOFILE", 3)]);
        let names = ["RLIMIT_MEMLOCK.hard", "RLIMIT_MEMLOCK.soft"];
        assert_eq!(
            told(&host(LIMITS), raised.clone(), &names),
            "known (config.json, else /proc/self/limits): RLIMIT_MEMLOCK.hard=\"9223372036854775807\" \
             RLIMIT_MEMLOCK.soft=\"4096\""
        );
        // Raised to the hard limit it would look settled.
        let equal = LIMITS.replace("1024  ", "524288");
        let open = told(&host(&equal), raised, &["RLIMIT_NOFILE.soft"]);
        assert!(open.contains("perhaps RLIMIT_NOFILE.soft: /proc/self/limits: is not what counts"), "{open}");
    }

    #[test]
    fn limits_that_cannot_be_read_are_unknown_and_no_message_has_the_number_of_a_process() {
        let unknown = |reason: &str| {
            format!("known (config.json): and perhaps RLIMIT_AS.soft: /proc/<pid>/limits: {reason}")
        };
        let told = |host: FakeHost| told(&host, IN_HOOK, &["RLIMIT_AS.soft"]);
        assert_eq!(told(FakeHost::new()), unknown("is not there"));
        assert_eq!(
            told(FakeHost::new().unreadable("/proc/7/limits")),
            unknown("is a loop of symbolic links")
        );
        for text in [LIMITS, "", "Max address space\n", "Max address space x 1\n", "Max address spaces 1 1\n"]
        {
            assert_eq!(told(host(text)), unknown("tells no RLIMIT_AS"));
        }
    }

    #[test]
    fn what_a_bundle_sets_is_not_asked_of_a_process() {
        let told = |config: &str, name| {
            let mut facts = Facts::default();
            let demand = FeatureDemand::from([(rlimit::NAME.to_owned(), wanted(&[name]))]);
            // No process has this number.
            let bundle = BundleConfig::new(config.into()).inheriting(Some(Inherited::OfProcess(u32::MAX)));
            add_bundle(&mut facts, &bundle, &demand);
            show(facts.get(rlimit::NAME))
        };
        let set = r#"{"process": {"rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 2}]}}"#;
        let expected =
            "known (config.json process.rlimits): RLIMIT_NOFILE.hard=\"2\" RLIMIT_NOFILE.soft=\"1\"";
        assert_eq!(told(set, "RLIMIT_NOFILE.soft"), expected);
        let expected = "known (config.json process.rlimits): and perhaps RLIMIT_AS.hard: /proc/<pid>/limits: is not there";
        assert_eq!(told("{}", "RLIMIT_AS.hard"), expected);
    }
}
