//! `memory.total`: the memory and swap space that the kernel manages.

use procfs::{FromRead, Meminfo};

use crate::host::probing::known;
use crate::host::values::required;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "memory.total",
    kinds: &[ElementKind::Attributes],
    meaning: "the memory and the swap space of the host in bytes, without the kernel's reserved memory",
    read: "/proc/meminfo",
    nfd: false,
    elements: Some(&["bytes", "swap_bytes"]),
    absent: "never absent",
    since: "always",
    example: "feature: memory.total\n  matchExpressions:\n    bytes: {op: Gt, value: [\"8000000000\"]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

const FILE: &str = "/proc/meminfo";
/// As many digits as fit into a number of bytes whatever they are.
const MAX_DIGITS: usize = 16;

fn probe(probing: &Probing<'_>, _: &Wanted) -> Fact {
    let text = required(FILE, probing.text(FILE));
    known(text.and_then(|it| parse(&it)), FILE)
}

fn parse(text: &str) -> Result<Feature, Unknown> {
    let strange = |reason: String| Unknown::new(FILE, reason);
    if let Some(index) = text.lines().position(|it| !is_plain(it)) {
        let line = index + 1;
        return Err(strange(format!("line {line} is no size, expected one such as \"MemTotal: 2048 kB\"")));
    }
    // Its own message names the place in its source.
    let meminfo = Meminfo::from_read(text.as_bytes())
        .map_err(|_| strange("lacks lines that every kernel writes".to_owned()))?;
    let pairs = [("bytes", meminfo.mem_total), ("swap_bytes", meminfo.swap_total)];
    Ok(Feature::attributes(pairs.map(|(name, bytes)| (name, bytes.to_string()))))
}

/// Whether `procfs` can read the line: it would panic at a character cut in two, and at more bytes than a `u64` holds.
fn is_plain(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let (name, number, unit) = (words.next(), words.next(), words.next());
    let is_number = |it: &str| it.len() <= MAX_DIGITS && it.bytes().all(|it| it.is_ascii_digit());
    name.is_some_and(|it| it.is_ascii() && it.ends_with(':'))
        && number.is_some_and(is_number)
        && matches!(unit, None | Some("kB"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::told;
    use crate::testing::FakeHost;

    /// The lines that Linux 2.6 has too, with the numbers of a machine with 16 GiB.
    const MEMINFO: &str = "MemTotal:       16316412 kB\nMemFree:         1234567 kB\nBuffers:          345678 kB\n\
                           Cached:          4567890 kB\nSwapCached:            0 kB\nActive:          5678901 kB\n\
                           Inactive:        3456789 kB\nSwapTotal:       2097148 kB\nSwapFree:        2097148 kB\n\
                           Dirty:               340 kB\nWriteback:             0 kB\nMapped:           456789 kB\n\
                           Slab:             567890 kB\nCommitted_AS:    9876543 kB\nVmallocTotal: 34359738367 kB\n\
                           VmallocUsed:       78901 kB\nVmallocChunk:          0 kB\nHugePages_Total:       0\n";

    fn check(host: FakeHost, expected: &str) {
        assert_eq!(told(&host, FEATURE.name), expected);
    }

    fn check_text(text: &str, expected: &str) {
        check(FakeHost::new().file(FILE, text), expected);
    }

    #[test]
    fn sizes_are_reported_in_bytes() {
        let sizes = r#"known (/proc/meminfo): bytes="16708005888" swap_bytes="2147479552""#;
        check_text(MEMINFO, sizes);
        check_text(&format!("{MEMINFO}Newer_Line: 1 kB\n"), sizes);
    }

    #[test]
    fn a_proc_without_the_file_is_not_a_host_s() {
        let host = FakeHost::new().file("/proc/version", "Linux");
        check(host, "unknown: /proc/meminfo: is not there, as it is on every host");
        let nothing = "is not there, and nor is the rest of its file system";
        check(FakeHost::new(), &format!("unknown: /proc/meminfo: {nothing}"));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_unknown() {
        check(FakeHost::new().unreadable(FILE), "unknown: /proc/meminfo: is a loop of symbolic links");
    }

    #[test]
    fn a_file_that_is_no_list_of_sizes_is_unknown() {
        let lacks = "unknown: /proc/meminfo: lacks lines that every kernel writes";
        check_text("", lacks);
        check_text("MemTotal: 1 kB\n", lacks);
        for line in ["", "é 1 kB", "Mé: 1", "M 1", "M: 1 GB", "M: -1", "M: 12345678901234567 kB", "M:"] {
            let reason = "line 19 is no size, expected one such as \"MemTotal: 2048 kB\"";
            check_text(&format!("{MEMINFO}{line}\n"), &format!("unknown: /proc/meminfo: {reason}"));
        }
    }
}
