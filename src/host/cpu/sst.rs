//! `cpu.sst`: whether Intel's Speed Select raises the base frequency of some CPUs. Never changes it.

use super::{CPUS, cpufreq, cpus, gathered, instruction};
use crate::host::{ElementKind, Fact, FeatureInfo, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "cpu.sst",
    kinds: &[ElementKind::Attributes],
    meaning: "whether Intel Speed Select Technology gives some CPUs a higher base frequency than their nominal one",
    read: "/sys/bus/cpu/devices/*/cpufreq/base_frequency and the CPUID instruction",
    nfd: true,
    elements: Some(&["bf.enabled"]),
    absent: "no CPU has a higher base frequency than its nominal one; it is never false",
    since: "Linux 4.20",
    example: "feature: cpu.sst\n  matchExpressions:\n    bf.enabled: {op: IsTrue}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

fn probe(probing: &Probing<'_>, _: &Wanted) -> Fact {
    let element = |it: bool| it.then(|| ("bf.enabled", "true".to_owned()));
    Fact::Known(gathered([is_raised(probing).map(element)]), CPUS.to_owned())
}

/// The processor is asked only if a file has a value to compare with.
fn is_raised(probing: &Probing<'_>) -> Result<bool, Unknown> {
    match highest_khz(probing)? {
        Some(khz) => Ok(is_above(khz, instruction::base_frequency(probing.root)?)),
        None => Ok(false),
    }
}

/// As NFD compares them: below a full MHz more there is no difference.
fn is_above(khz: u64, nominal_mhz: u32) -> bool {
    khz / 1000 > u64::from(nominal_mhz)
}

/// The highest base frequency of any CPU; only intel_pstate reports it, and only for processors that scale by themselves
/// (`Documentation/admin-guide/pm/intel_pstate.rst`).
fn highest_khz(probing: &Probing<'_>) -> Result<Option<u64>, Unknown> {
    let mut highest = None;
    for cpu in cpus(probing)? {
        let path = format!("{CPUS}/{cpu}/cpufreq/base_frequency");
        if let Some(text) = cpufreq(probing, &path)? {
            highest = highest.max(Some(parse(&path, &text)?));
        }
    }
    Ok(highest)
}

fn parse(path: &str, text: &str) -> Result<u64, Unknown> {
    let reason = |_| format!("holds {text:?}, not a number such as \"2400000\"");
    text.parse().map_err(|it| Unknown::new(path, reason(it)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::told;
    use crate::testing::FakeHost;

    fn path(cpu: &str) -> String {
        format!("{CPUS}/{cpu}/cpufreq/base_frequency")
    }

    fn check(host: &FakeHost, expected: &str) {
        assert_eq!(told(host, FEATURE.name), format!("known (/sys/bus/cpu/devices): {expected}"));
    }

    fn check_highest(host: &FakeHost, expected: Option<u64>) {
        assert_eq!(highest_khz(&Probing::new(&host.root())), Ok(expected));
    }

    #[test]
    fn a_base_frequency_is_raised_by_a_full_megahertz_or_more() {
        assert!(is_above(2_301_000, 2300));
        assert!(!is_above(2_300_999, 2300));
        assert!(!is_above(2_100_000, 2300));
    }

    #[test]
    fn the_highest_of_all_base_frequencies_counts() {
        let host = FakeHost::new().file(&path("cpu0"), "2100000\n").file(&path("cpu1"), " 2700000 \n");
        check_highest(&host.folder(&format!("{CPUS}/cpu2")), Some(2_700_000));
        check_highest(&FakeHost::new().folder(&format!("{CPUS}/cpu0")), None);
    }

    #[test]
    fn without_a_base_frequency_nothing_is_raised() {
        check(&FakeHost::new().folder(&format!("{CPUS}/cpu0")), "");
    }

    #[test]
    fn what_a_tree_of_files_was_sold_with_is_unknown() {
        let reason = "can only be read on the machine itself, not from a tree of its files";
        check(&FakeHost::new().file(&path("cpu0"), "2100000\n"), &format!("and maybe more: CPUID: {reason}"));
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        let bare = FakeHost::new().folder("/sys/bus");
        check(&bare, &format!("and maybe more: {CPUS}: is not there, as it is on every host"));
        let hidden = FakeHost::new().unreadable(&path("cpu0"));
        check(&hidden, &format!("and maybe more: {}: is a loop of symbolic links", path("cpu0")));
    }

    #[test]
    fn a_base_frequency_that_is_no_number_is_unknown() {
        for (text, shown) in [("", ""), ("fast\n", "fast"), ("-1\n", "-1")] {
            let place = path("cpu0");
            let expected =
                format!("and maybe more: {place}: holds {shown:?}, not a number such as \"2400000\"");
            check(&FakeHost::new().file(&place, text), &expected);
        }
    }
}
