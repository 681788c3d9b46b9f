//! What values an element can have, and tests that do not fit them.

use super::LintFound;
use super::codes::LintCode::{AlwaysHolds, NeverHolds, WrongTest};
use crate::host::{ElementKind, FeatureInfo};
use crate::spec::{Bound, Test};

/// Versions that are no integers.
pub(super) const VERSIONS: [(&str, &str); 7] = [
    ("kernel.version", "full"),
    ("system.libc", "version"),
    ("system.osrelease", "VERSION_ID"),
    ("gpu.nvidia", "driver"),
    ("gpu.nvidia", "cuda"),
    ("gpu.amd", "driver"),
    ("kernel.module", "version"),
];
/// Numbers that are never negative.
const COUNTS: [(&str, &str); 17] = [
    ("kernel.version", "major"),
    ("kernel.version", "minor"),
    ("kernel.version", "revision"),
    ("cpu.count", "online"),
    ("cpu.count", "present"),
    ("cpu.topology", "socket_count"),
    ("cpu.rdt", "RDTL3CA_NUM_CLOSID"),
    ("cpu.security", "sgx.epc"),
    ("cpu.security", "sev.asids"),
    ("cpu.security", "sev.encrypted_state_ids"),
    ("cpu.security", "tdx.total_keys"),
    ("iommu.groups", "count"),
    ("memory.numa", "node_count"),
    ("memory.page", "bytes"),
    ("memory.total", "bytes"),
    ("memory.total", "swap_bytes"),
    ("kernel.iouring", "disabled"),
];
const BOOLEAN: &[&str] = &["true", "false"];
const TRUE: &[&str] = &["true"];
/// Elements with few values, which are known.
const VALUES: [(&str, &str, &[&str]); 34] = [
    ("cpu.coprocessor", "nx_gzip", TRUE),
    ("cpu.cstate", "enabled", BOOLEAN),
    ("cpu.rdt", "RDTMON", TRUE),
    ("cpu.rdt", "RDTCMT", TRUE),
    ("cpu.rdt", "RDTMBM", TRUE),
    ("cpu.rdt", "RDTL3CA", TRUE),
    ("cpu.rdt", "RDTL2CA", TRUE),
    ("cpu.rdt", "RDTMBA", TRUE),
    ("cpu.security", "se.enabled", TRUE),
    ("cpu.security", "sev.enabled", TRUE),
    ("cpu.security", "sev.es.enabled", TRUE),
    ("cpu.security", "sev.snp.enabled", TRUE),
    ("cpu.security", "sgx.enabled", TRUE),
    ("cpu.security", "tdx.enabled", TRUE),
    ("cpu.security", "tdx.protected", TRUE),
    ("cpu.sst", "bf.enabled", TRUE),
    ("cpu.topology", "hardware_multithreading", BOOLEAN),
    ("device.node", "kind", &["char", "block"]),
    ("kernel.bpf", "btf", BOOLEAN),
    ("kernel.bpf", "unprivileged_disabled", &["0", "1", "2"]),
    ("kernel.cgroup", "version", &["1", "2", "hybrid"]),
    ("kernel.iouring", "disabled", &["0", "1", "2"]),
    ("kernel.kvm", "enabled", BOOLEAN),
    ("kernel.module", "state", &["loaded", "builtin", "available", "locked"]),
    ("kernel.security", "apparmor", BOOLEAN),
    ("kernel.security", "fips", BOOLEAN),
    ("kernel.security", "lockdown", &["none", "integrity", "confidentiality"]),
    ("kernel.security", "seccomp", BOOLEAN),
    ("kernel.security", "selinux", &["enforcing", "permissive", "disabled"]),
    ("kernel.selinux", "enabled", BOOLEAN),
    ("memory.hugepages", "enabled", BOOLEAN),
    ("memory.numa", "is_numa", BOOLEAN),
    ("memory.swap", "enabled", BOOLEAN),
    ("memory.thp", "enabled", &["always", "madvise", "never"]),
];

/// All values that an element can have, if that list is closed and known.
pub(super) fn known(feature: &str, element: &str) -> Option<&'static [&'static str]> {
    VALUES.iter().find(|(it, name, _)| (*it, *name) == (feature, element)).map(|(.., values)| *values)
}

/// What is wrong with a test that is applied to an element.
pub(super) fn misused(name: &str, test: &Test, info: &FeatureInfo) -> Option<LintFound> {
    let wrong = |message: String| Some(LintFound::new(WrongTest, message));
    let place = format!("{} {name}", info.name);
    let asks_for_value = !matches!(test, Test::Any | Test::Exists | Test::DoesNotExist);
    if info.kinds == [ElementKind::Flags] && asks_for_value {
        let message = format!("{} holds names without values, so that this never holds", info.name);
        return Some(LintFound::new(WrongTest, message).help("use Exists"));
    }
    let is_quantity = matches!(test, Test::Quantity(_));
    let is_release = matches!(test, Test::Release(_));
    if matches!(test, Test::Integer(_) | Test::Integers(_)) && VERSIONS.contains(&(info.name, name)) {
        let message = format!("{place} is no integer, so that this stays unknown");
        return Some(LintFound::new(WrongTest, message).help("add `type: version`"));
    }
    if is_quantity && counts_pages(name, info) {
        return wrong(format!("{place} is a number of pages: a size is never what it is compared with"));
    }
    if (is_quantity || is_release) && is_version(name, info, test) {
        let message = format!("{place} is a version, so that this stays unknown");
        return Some(LintFound::new(WrongTest, message).help("write `type: version`"));
    }
    if is_release && info.name == "kernel.version" && name != "full" {
        let message = format!("{place} is a number, so that this stays unknown");
        return Some(LintFound::new(WrongTest, message).help("ask `full`"));
    }
    if matches!(test, Test::Enabled) && info.name != "kernel.config" {
        return wrong(format!("Enabled holds for y and m only, which {place} hardly is"));
    }
    of_known_values(name, test, info).or_else(|| of_count(name, test, info))
}

/// A test on an element with few values that all or none of them meet.
fn of_known_values(name: &str, test: &Test, info: &FeatureInfo) -> Option<LintFound> {
    let known = known(info.name, name)?;
    let place = format!("{} {name}", info.name);
    let values = || format!("it is {}", known.join(", "));
    let holds = match test {
        Test::IsTrue => known.contains(&"true"),
        Test::IsFalse => known.contains(&"false"),
        Test::InRegexp(patterns) => {
            known.iter().any(|it| patterns.iter().any(|pattern| pattern.is_match(it).unwrap_or(true)))
        }
        Test::Integer(bound) => known.iter().any(|it| it.parse().is_ok_and(|it: i128| bound.holds(&it))),
        Test::In(asked)
            if known.len() > 1 && known.iter().all(|it| asked.iter().any(|value| value == it)) =>
        {
            let message = format!("{place} has no other values, so that this holds wherever it is there");
            return Some(LintFound::new(AlwaysHolds, message).help("use Exists, or fewer values"));
        }
        Test::NotIn(asked) => known.iter().any(|it| !asked.iter().any(|value| value == it)),
        Test::In(_)
        | Test::Any
        | Test::Exists
        | Test::DoesNotExist
        | Test::Integers(_)
        | Test::Version(_)
        | Test::Enabled
        | Test::Quantity(_)
        | Test::Release(_)
        | Test::Nvidia(_) => true,
    };
    (!holds).then(|| LintFound::new(NeverHolds, format!("this never holds for {place}: {}", values())))
}

/// A test on a number that is never negative.
fn of_count(name: &str, test: &Test, info: &FeatureInfo) -> Option<LintFound> {
    let is_count = COUNTS.contains(&(info.name, name)) || counts_pages(name, info);
    let (Test::Integer(bound), true) = (test, is_count) else { return None };
    let place = format!("{} {name}", info.name);
    match bound {
        Bound::Lt(high) if *high <= 0 => none_below(&place),
        Bound::Le(high) | Bound::GeLe(_, high) if *high < 0 => none_below(&place),
        Bound::GtLt(_, high) if *high <= 0 => none_below(&place),
        Bound::Ge(low) if *low <= 0 => always(&place),
        Bound::Gt(low) if *low < 0 => always(&place),
        Bound::Lt(_)
        | Bound::Le(_)
        | Bound::Ge(_)
        | Bound::Gt(_)
        | Bound::GeLe(..)
        | Bound::GtLt(..)
        | Bound::Outside(..) => None,
    }
}

/// Why Node Feature Discovery cannot compare with a value; none if it can.
pub(super) fn beyond_nfd(test: &Test) -> Option<&'static str> {
    const LARGEST: i128 = i64::MAX as i128;
    if let Test::Integers(_) = test {
        return Some("it compares single integers only");
    }
    if let Test::Integer(bound) = test {
        return (LARGEST < *greatest(bound)).then_some("its integers end at 9223372036854775807");
    }
    let Test::Version(bound) = test else { return None };
    let numbers = greatest(bound).number().split('.').count();
    (numbers > 3).then_some("its versions have three numbers at most")
}

/// The greater end, or the only one.
fn greatest<T>(bound: &Bound<T>) -> &T {
    match bound {
        Bound::Gt(end)
        | Bound::Ge(end)
        | Bound::Lt(end)
        | Bound::Le(end)
        | Bound::GtLt(_, end)
        | Bound::GeLe(_, end)
        | Bound::Outside(_, end) => end,
    }
}

fn none_below(place: &str) -> Option<LintFound> {
    Some(LintFound::new(NeverHolds, format!("{place} is never negative, so that this never holds")))
}

fn always(place: &str) -> Option<LintFound> {
    let message = format!("{place} is never negative, so that this holds wherever it is there");
    Some(LintFound::new(AlwaysHolds, message).help("use Exists, or a larger number"))
}

fn counts_pages(name: &str, info: &FeatureInfo) -> bool {
    info.name == "memory.hugepages" && name != "enabled"
}

/// Whether a version is compared as something else; the kernel's release is one that builds have as well.
fn is_version(name: &str, info: &FeatureInfo, test: &Test) -> bool {
    let is_release = matches!(test, Test::Release(_)) && info.name == "kernel.version";
    !is_release && VERSIONS.contains(&(info.name, name))
}

/// Whether nothing of a feature can be counted.
pub(super) fn cannot_be_counted(info: &FeatureInfo) -> bool {
    !info.kinds.contains(&ElementKind::Instances)
}
