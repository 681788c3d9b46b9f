//! `bundle.rlimit`: the resource limits of the container's process. A limit that the bundle does not set is unknown here;
//! [`super::inherit`] adds the inherited limits where they are known.

use std::collections::BTreeMap;

use super::UNLIMITED;
use super::config::ConfigPart;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Unknown, Wanted};

/// getrlimit(2).
const NAMES: [&str; 32] = [
    "RLIMIT_AS.hard",
    "RLIMIT_AS.soft",
    "RLIMIT_CORE.hard",
    "RLIMIT_CORE.soft",
    "RLIMIT_CPU.hard",
    "RLIMIT_CPU.soft",
    "RLIMIT_DATA.hard",
    "RLIMIT_DATA.soft",
    "RLIMIT_FSIZE.hard",
    "RLIMIT_FSIZE.soft",
    "RLIMIT_LOCKS.hard",
    "RLIMIT_LOCKS.soft",
    "RLIMIT_MEMLOCK.hard",
    "RLIMIT_MEMLOCK.soft",
    "RLIMIT_MSGQUEUE.hard",
    "RLIMIT_MSGQUEUE.soft",
    "RLIMIT_NICE.hard",
    "RLIMIT_NICE.soft",
    "RLIMIT_NOFILE.hard",
    "RLIMIT_NOFILE.soft",
    "RLIMIT_NPROC.hard",
    "RLIMIT_NPROC.soft",
    "RLIMIT_RSS.hard",
    "RLIMIT_RSS.soft",
    "RLIMIT_RTPRIO.hard",
    "RLIMIT_RTPRIO.soft",
    "RLIMIT_RTTIME.hard",
    "RLIMIT_RTTIME.soft",
    "RLIMIT_SIGPENDING.hard",
    "RLIMIT_SIGPENDING.soft",
    "RLIMIT_STACK.hard",
    "RLIMIT_STACK.soft",
];

pub(super) const NAME: &str = "bundle.rlimit";
const PLACE: &str = "config.json process.rlimits";

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: NAME,
    kinds: &[ElementKind::Attributes],
    meaning: "the resource limits (getrlimit(2)) of the container's process, soft and hard, in the units of the man page; \
        `9223372036854775807` means no limit",
    read: "`process.rlimits` of the bundle's config.json; limits that are not set there: in the hook /proc/<pid>/limits of \
        the container's process, in the wrapper its own limits, which the runtime inherits; `RLIMIT_NOFILE.soft`, which \
        runtimes written in Go raise and usually lower again, only if that makes no difference",
    nfd: false,
    elements: Some(&NAMES),
    absent: "never absent: in `check` and `probe`, a limit that is not set there is the runtime's, and unknown",
    since: "runtime-spec 1.0",
    example: "feature: bundle.rlimit\n  matchExpressions:\n    RLIMIT_NOFILE.soft: {op: Ge, value: [\"65536\"]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe: super::not_given,
};

pub(super) fn read(config: &ConfigPart<'_>, wanted: &Wanted) -> Result<Fact, Unknown> {
    let mut attributes = BTreeMap::new();
    if let Some(process) = config.field("process")? {
        for item in process.items("rlimits")? {
            let name = item.required("type")?.text()?;
            for end in ["soft", "hard"] {
                attributes.insert(format!("{name}.{end}"), limit(&item.required(end)?)?);
            }
        }
    }
    let unset = NAMES.iter().filter(|it| wanted.has(it) && !attributes.contains_key(**it));
    let inherited = |name: &&str| {
        let limit = name.split('.').next().unwrap_or(name);
        let reason = format!("does not set {limit}, so that the container inherits the runtime's own limit");
        ((*name).to_owned(), Unknown::new(PLACE, reason))
    };
    let doubtful = unset.map(inherited).collect();
    Ok(Fact::Known(Feature { doubtful, ..Feature::attributes(attributes) }, PLACE.to_owned()))
}

/// `RLIM_INFINITY` is the largest number of 64 bits, and what is above half of that no process can use up.
fn limit(part: &ConfigPart<'_>) -> Result<String, Unknown> {
    match part.integer()? {
        negative if negative < 0 => {
            Err(part.unknown(format!("is {negative}, expected a number from zero on")))
        }
        number if i64::try_from(number).is_err() => Ok(UNLIMITED.to_owned()),
        number => Ok(number.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::told;
    use super::*;

    fn check(rlimits: &str, names: &[&str], expected: &str) {
        let config = format!("{{\"process\": {{\"rlimits\": {rlimits}}}}}");
        assert_eq!(told(&config, FEATURE.name, names), expected, "{rlimits}");
    }

    const NOFILE: &str = r#"{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 1048576}"#;

    #[test]
    fn limits_are_reported_soft_and_hard() {
        check(
            &format!("[{NOFILE}]"),
            &["RLIMIT_NOFILE.soft"],
            r#"known (config.json process.rlimits): RLIMIT_NOFILE.hard="1048576" RLIMIT_NOFILE.soft="1024""#,
        );
    }

    #[test]
    fn no_limit_is_more_than_any_number() {
        check(
            r#"[{"type": "RLIMIT_MEMLOCK", "soft": 9223372036854775808, "hard": 18446744073709551615}]"#,
            &["RLIMIT_MEMLOCK.soft"],
            "known (config.json process.rlimits): RLIMIT_MEMLOCK.hard=\"9223372036854775807\" \
             RLIMIT_MEMLOCK.soft=\"9223372036854775807\"",
        );
    }

    #[test]
    fn a_limit_that_is_not_set_is_the_runtimes_and_so_unknown() {
        let memlock = "and perhaps RLIMIT_MEMLOCK.hard: config.json process.rlimits: does not set RLIMIT_MEMLOCK, so that \
                       the container inherits the runtime's own limit";
        check(
            &format!("[{NOFILE}]"),
            &["RLIMIT_MEMLOCK.hard", "NOFILE", "RLIMIT_NOFILE"],
            &format!(
                "known (config.json process.rlimits): RLIMIT_NOFILE.hard=\"1048576\" RLIMIT_NOFILE.soft=\"1024\" {memlock}"
            ),
        );
        let expected = format!("known (config.json process.rlimits): {memlock}");
        assert_eq!(told("{}", FEATURE.name, &["RLIMIT_MEMLOCK.hard"]), expected);
        check("null", &["RLIMIT_MEMLOCK.hard"], &expected);
    }

    #[test]
    fn what_is_malformed_is_unknown_with_its_place() {
        let place = "unknown: config.json process.rlimits";
        let check = |rlimits: &str, expected: &str| {
            check(rlimits, &["RLIMIT_NOFILE.soft"], &format!("{place}{expected}"));
        };
        check("{}", ": is an object, expected a list");
        check(&format!("[{NOFILE}, 7]"), "[1]: is a number, expected an object");
        check(r#"[{"type": "RLIMIT_NOFILE", "soft": 1}]"#, "[0]: has no hard, as every one must");
        check(r#"[{"type": "RLIMIT_NOFILE", "soft": "1"}]"#, "[0].soft: is text, expected a whole number");
        check(
            r#"[{"type": "RLIMIT_NOFILE", "soft": -1}]"#,
            "[0].soft: is -1, expected a number from zero on",
        );
    }
}
