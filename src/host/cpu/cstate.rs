//! `cpu.cstate`: whether the driver for Intel's idle states may use them. Reads no state itself.

use super::gathered;
use crate::host::probing::known;
use crate::host::{ElementKind, Fact, FeatureInfo, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "cpu.cstate",
    kinds: &[ElementKind::Attributes],
    meaning: "whether the kernel's driver intel_idle may put idle CPUs to sleep",
    read: "/sys/devices/system/cpu/cpuidle/current_driver and /sys/module/intel_idle/parameters/max_cstate",
    nfd: true,
    elements: Some(&["enabled"]),
    absent: "another driver puts idle CPUs to sleep, or none does",
    since: "always",
    example: "feature: cpu.cstate\n  matchExpressions:\n    enabled: {op: IsFalse}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

/// Every kernel has this folder.
const CPUS: &str = "/sys/devices/system/cpu";
/// Made by every kernel that puts idle CPUs to sleep at all (`Documentation/admin-guide/pm/cpuidle.rst`).
const CPUIDLE: &str = "/sys/devices/system/cpu/cpuidle";
const DRIVER: &str = "/sys/devices/system/cpu/cpuidle/current_driver";
/// The deepest state that the driver may use; 0 turns it off (`Documentation/admin-guide/pm/intel_idle.rst`).
const MAX_CSTATE: &str = "/sys/module/intel_idle/parameters/max_cstate";

fn probe(probing: &Probing<'_>, _: &Wanted) -> Fact {
    let element = |it: Option<bool>| it.map(|it| ("enabled", it.to_string()));
    known(enabled(probing).map(|it| gathered([Ok(element(it))])), MAX_CSTATE)
}

/// None with another driver than intel_idle.
fn enabled(probing: &Probing<'_>) -> Result<Option<bool>, Unknown> {
    match probing.text(DRIVER)? {
        Some(driver) if driver.trim() != "intel_idle" => return Ok(None),
        Some(_) => {}
        None if probing.exists(CPUIDLE)? => {
            return Err(Unknown::new(DRIVER, "is not there, although its folder is"));
        }
        None if probing.exists(CPUS)? => return Ok(None),
        None => return Err(Unknown::new(CPUS, "is not there, as it is on every host")),
    }
    match probing.text(MAX_CSTATE)? {
        Some(text) => parse(text.trim()).map(Some),
        None => Err(Unknown::new(MAX_CSTATE, "is not there, although the driver is")),
    }
}

fn parse(text: &str) -> Result<bool, Unknown> {
    let malformed = |_| Unknown::new(MAX_CSTATE, format!("holds {text:?}, not a number such as \"9\""));
    text.parse::<i64>().map(|it| it > 0).map_err(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::told;
    use crate::testing::FakeHost;

    fn check(host: &FakeHost, expected: &str) {
        assert_eq!(told(host, FEATURE.name), expected);
    }

    fn known(elements: &str) -> String {
        format!("known (/sys/module/intel_idle/parameters/max_cstate): {elements}")
    }

    fn host(driver: &str) -> FakeHost {
        FakeHost::new().folder("/sys/bus").file(DRIVER, driver)
    }

    #[test]
    fn idle_states_are_enabled_unless_the_deepest_is_0() {
        check(&host("intel_idle\n").file(MAX_CSTATE, "9\n"), &known(r#"enabled="true""#));
        check(&host("intel_idle").file(MAX_CSTATE, "1"), &known(r#"enabled="true""#));
        check(&host("intel_idle\n").file(MAX_CSTATE, "0\n"), &known(r#"enabled="false""#));
        check(&host("intel_idle\n").file(MAX_CSTATE, "-1\n"), &known(r#"enabled="false""#));
    }

    #[test]
    fn another_driver_or_none_says_nothing() {
        for driver in ["acpi_idle\n", "none\n", "psci_idle\n", ""] {
            check(&host(driver).file(MAX_CSTATE, "9\n"), &known(""));
        }
        check(&FakeHost::new().folder("/sys/bus").folder(CPUS), &known(""));
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        let nothing = "is not there, and nor is the rest of its file system";
        check(&FakeHost::new(), &format!("unknown: {DRIVER}: {nothing}"));
        let bare = FakeHost::new().folder("/sys/bus");
        check(&bare, &format!("unknown: {CPUS}: is not there, as it is on every host"));
        let hidden = FakeHost::new().unreadable(DRIVER);
        check(&hidden, &format!("unknown: {DRIVER}: is a loop of symbolic links"));
        let hidden = host("intel_idle\n").unreadable(MAX_CSTATE);
        check(&hidden, &format!("unknown: {MAX_CSTATE}: is a loop of symbolic links"));
    }

    #[test]
    fn a_driver_that_lacks_a_file_is_unknown() {
        let no_driver = FakeHost::new().folder("/sys/bus").folder(CPUIDLE);
        check(&no_driver, &format!("unknown: {DRIVER}: is not there, although its folder is"));
        let expected = format!("unknown: {MAX_CSTATE}: is not there, although the driver is");
        check(&host("intel_idle\n"), &expected);
    }

    #[test]
    fn a_deepest_state_that_is_no_number_is_unknown() {
        for (text, shown) in [("", ""), ("deep\n", "deep"), ("1.5\n", "1.5")] {
            let expected = format!("unknown: {MAX_CSTATE}: holds {shown:?}, not a number such as \"9\"");
            check(&host("intel_idle\n").file(MAX_CSTATE, text), &expected);
        }
    }
}
