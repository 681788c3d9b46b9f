//! `memory.swap`: whether the host swaps.

use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Probing, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "memory.swap",
    kinds: &[ElementKind::Attributes],
    meaning: "whether a swap device or file is in use",
    read: "/proc/swaps",
    nfd: true,
    elements: Some(&["enabled"]),
    absent: "the kernel was built without CONFIG_SWAP",
    since: "always",
    example: "feature: memory.swap\n  matchExpressions:\n    enabled: {op: IsFalse}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

const FILE: &str = "/proc/swaps";

fn probe(probing: &Probing<'_>, _: &Wanted) -> Fact {
    match probing.text(FILE) {
        Ok(Some(text)) => {
            let feature = Feature::attributes([("enabled", is_enabled(&text).to_string())]);
            Fact::Known(feature, FILE.to_owned())
        }
        Ok(None) => Fact::Absent(FILE.to_owned()),
        Err(unknown) => Fact::Unknown(unknown),
    }
}

/// The first line is the table's head (`swap_show` in `mm/swapfile.c`).
fn is_enabled(text: &str) -> bool {
    text.lines().filter(|line| !line.trim().is_empty()).nth(1).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::told;
    use crate::testing::FakeHost;

    const HEAD: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";

    fn check(host: FakeHost, expected: &str) {
        assert_eq!(told(&host, FEATURE.name), expected);
    }

    fn check_text(text: &str, expected: &str) {
        check(FakeHost::new().file(FILE, text), &format!("known (/proc/swaps): enabled={expected:?}"));
    }

    #[test]
    fn a_host_swaps_if_the_table_has_more_than_its_head() {
        check_text(&format!("{HEAD}/dev/zram0    partition\t8388604\t\t0\t\t100\n"), "true");
        check_text(HEAD, "false");
    }

    #[test]
    fn a_kernel_without_swap_has_no_table() {
        check(FakeHost::new().file("/proc/version", "Linux"), "absent (/proc/swaps)");
    }

    #[test]
    fn a_table_that_cannot_be_read_is_unknown() {
        let nothing = "is not there, and nor is the rest of its file system";
        check(FakeHost::new(), &format!("unknown: /proc/swaps: {nothing}"));
        check(FakeHost::new().unreadable(FILE), "unknown: /proc/swaps: is a loop of symbolic links");
    }

    #[test]
    fn blank_lines_and_a_missing_head_say_nothing() {
        check_text("", "false");
        check_text("\n \n\t\nFilename\n\n", "false");
        check_text("/dev/sda2 partition\n", "false");
    }
}
