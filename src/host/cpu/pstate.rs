//! `cpu.pstate`: how the driver intel_pstate scales the frequency. Never changes it.

use super::{cpufreq, gathered};
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "cpu.pstate",
    kinds: &[ElementKind::Attributes],
    meaning: "how the kernel's driver intel_pstate scales the CPUs' frequency; NFD's documentation calls `scaling_governor` \
        `scaling`",
    read: "/sys/devices/system/cpu/intel_pstate and, for the governor, /sys/devices/system/cpu/cpufreq/*",
    nfd: true,
    elements: Some(&["status", "turbo", "scaling_governor"]),
    absent: "the driver is missing or off; scaling_governor also if the driver is passive, or CPUs differ",
    since: "Linux 4.11",
    example: "feature: cpu.pstate\n  matchExpressions:\n    scaling_governor: {op: In, value: [performance]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

/// The driver's settings (`Documentation/admin-guide/pm/intel_pstate.rst`).
const FOLDER: &str = "/sys/devices/system/cpu/intel_pstate";
const STATUS: &str = "/sys/devices/system/cpu/intel_pstate/status";
const NO_TURBO: &str = "/sys/devices/system/cpu/intel_pstate/no_turbo";
/// A folder for each group of CPUs whose frequency is set together, and some settings for all of them.
const POLICIES: &str = "/sys/devices/system/cpu/cpufreq";

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let feature = match status(probing) {
        Ok(Some(status)) => feature(probing, status, wanted),
        Ok(None) => gathered([]),
        Err(unknown) => gathered([Err(unknown)]),
    };
    Fact::Known(feature, FOLDER.to_owned())
}

fn feature(probing: &Probing<'_>, status: String, wanted: &Wanted) -> Feature {
    let is_active = status == "active";
    let named = |name, value: Option<String>| value.map(|it| (name, it));
    let mut elements = vec![Ok(named("status", Some(status)))];
    if wanted.has("turbo") {
        elements.push(turbo(probing).map(|it| named("turbo", it)));
    }
    if wanted.has("scaling_governor") && is_active {
        elements.push(governor(probing).map(|it| named("scaling_governor", it)));
    }
    gathered(elements)
}

/// `active` or `passive`; none if the driver is not there, or is off.
fn status(probing: &Probing<'_>) -> Result<Option<String>, Unknown> {
    match probing.text(STATUS)?.as_deref().map(str::trim) {
        Some("off") => Ok(None),
        Some("") => Err(Unknown::new(STATUS, "is empty")),
        Some(status) => Ok(Some(status.to_owned())),
        None if probing.exists(FOLDER)? => Err(Unknown::new(STATUS, "is not there, although its folder is")),
        None => Ok(None),
    }
}

/// None if the driver has no such setting.
fn turbo(probing: &Probing<'_>) -> Result<Option<String>, Unknown> {
    let Some(text) = probing.text(NO_TURBO)? else { return Ok(None) };
    match text.bytes().next() {
        Some(first) => Ok(Some((first == b'0').to_string())),
        None => Err(Unknown::new(NO_TURBO, "is empty")),
    }
}

/// The governor that all CPUs have; none if there is no such.
fn governor(probing: &Probing<'_>) -> Result<Option<String>, Unknown> {
    let mut common = None;
    for policy in probing.list(POLICIES)?.unwrap_or_default() {
        let Some(governor) = governor_of(probing, &policy)? else { continue };
        match &common {
            Some(it) if *it != governor => return Ok(None),
            Some(_) => {}
            None => common = Some(governor),
        }
    }
    Ok(common)
}

/// None if the policy is about no CPU that is switched on, or is no policy.
fn governor_of(probing: &Probing<'_>, policy: &str) -> Result<Option<String>, Unknown> {
    let read = |name| cpufreq(probing, &format!("{POLICIES}/{policy}/{name}"));
    match read("affected_cpus")? {
        Some(cpus) if !cpus.is_empty() => read("scaling_governor"),
        Some(_) | None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    fn check(host: &FakeHost, expected: &str) {
        assert_eq!(told(host, FEATURE.name), known(expected));
    }

    fn known(elements: &str) -> String {
        format!("known (/sys/devices/system/cpu/intel_pstate): {elements}")
    }

    fn host(status: &str) -> FakeHost {
        FakeHost::new().folder("/sys/bus").file(STATUS, status).file(NO_TURBO, "0\n")
    }

    fn with_policy(host: FakeHost, policy: &str, cpus: &str, governor: &str) -> FakeHost {
        host.file(&format!("{POLICIES}/{policy}/affected_cpus"), cpus)
            .file(&format!("{POLICIES}/{policy}/scaling_governor"), governor)
    }

    #[test]
    fn the_governor_is_reported_if_the_driver_is_active_and_all_cpus_have_it() {
        let active = || with_policy(host("active\n"), "policy0", "0\n", "powersave\n");
        let both = r#"status="active" turbo="true""#;
        check(&active(), &format!(r#"scaling_governor="powersave" {both}"#));
        let same = with_policy(active(), "policy1", "1 2\n", "powersave\n");
        check(&same, &format!(r#"scaling_governor="powersave" {both}"#));
        check(&with_policy(active(), "policy1", "1\n", "performance\n"), both);
        check(
            &with_policy(host("passive\n"), "policy0", "0\n", "schedutil\n"),
            r#"status="passive" turbo="true""#,
        );
    }

    #[test]
    fn policies_without_cpus_and_settings_beside_them_do_not_count() {
        let active = with_policy(host("active\n"), "policy0", "0\n", "powersave\n");
        let more =
            with_policy(active, "policy1", "\n", "performance\n").file(&format!("{POLICIES}/boost"), "1\n");
        check(&more, r#"scaling_governor="powersave" status="active" turbo="true""#);
        check(&host("active\n"), r#"status="active" turbo="true""#);
    }

    #[test]
    fn a_driver_that_is_off_or_not_there_says_nothing() {
        check(&host("off\n"), "");
        check(&FakeHost::new().folder("/sys/bus"), "");
    }

    #[test]
    fn turbo_is_on_unless_it_is_forbidden() {
        check(&host("passive\n").file(NO_TURBO, "1\n"), r#"status="passive" turbo="false""#);
        let without = FakeHost::new().folder("/sys/bus").file(STATUS, "passive\n");
        check(&without, r#"status="passive""#);
    }

    #[test]
    fn what_cannot_be_read_may_be_there() {
        let nothing = "is not there, and nor is the rest of its file system";
        check(&FakeHost::new(), &format!("and maybe more: {STATUS}: {nothing}"));
        let hidden = FakeHost::new().folder("/sys/bus").unreadable(STATUS);
        check(&hidden, &format!("and maybe more: {STATUS}: is a loop of symbolic links"));
        let old = FakeHost::new().folder("/sys/bus").file(NO_TURBO, "0\n");
        check(&old, &format!("and maybe more: {STATUS}: is not there, although its folder is"));
        let hidden = FakeHost::new().folder("/sys/bus").file(STATUS, "passive\n").unreadable(NO_TURBO);
        check(
            &hidden,
            &format!("status=\"passive\" and maybe more: {NO_TURBO}: is a loop of symbolic links"),
        );
        let policy = format!("{POLICIES}/policy1/affected_cpus");
        let hidden = with_policy(host("active\n"), "policy0", "0\n", "powersave\n").unreadable(&policy);
        let both = r#"status="active" turbo="true""#;
        check(&hidden, &format!("{both} and maybe more: {policy}: is a loop of symbolic links"));
    }

    #[test]
    fn an_empty_file_is_unknown() {
        check(&host("\n"), &format!("and maybe more: {STATUS}: is empty"));
        let expected = format!("status=\"passive\" and maybe more: {NO_TURBO}: is empty");
        check(&host("passive\n").file(NO_TURBO, ""), &expected);
    }

    #[test]
    fn no_more_is_read_than_the_wanted_attributes_take() {
        let host = FakeHost::new()
            .folder("/sys/bus")
            .file(STATUS, "active\n")
            .unreadable(NO_TURBO)
            .unreadable(POLICIES);
        let expected = known(r#"status="active""#);
        assert_eq!(told_of(&host, FEATURE.name, wanted(&["status"])), expected);
    }
}
