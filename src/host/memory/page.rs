//! `memory.page`: how large the kernel's pages are. Allocates none.

use crate::host::auxv::{AUXV, entry};
use crate::host::probing::known;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Probing, Root, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "memory.page",
    kinds: &[ElementKind::Attributes],
    meaning: "the size of the kernel's pages in bytes: 4096 on x86; 4096, 16384 or 65536 on arm64; programs that were linked \
        or set up for smaller pages fail",
    read: "the auxiliary vector; /proc/self/smaps with another root folder",
    nfd: false,
    elements: Some(&["bytes"]),
    absent: "never absent",
    since: "always; with another root folder Linux 2.6.29",
    example: "feature: memory.page\n  matchExpressions:\n    bytes: {op: In, value: [\"4096\"]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

/// `include/uapi/linux/auxvec.h`.
const AT_PAGESZ: usize = 6;
const SMAPS: &str = "/proc/self/smaps";

fn probe(probing: &Probing<'_>, _: &Wanted) -> Fact {
    let (size, read) = match probing.root.is_this_machine() {
        // Not through this root: a `/proc` of another PID namespace may not show this process.
        true => (own(&Root::live()), AUXV),
        false => (listed(probing), SMAPS),
    };
    known(size.map(|it| Feature::attributes([("bytes", it.to_string())])), read)
}

fn own(live: &Root) -> Result<u64, Unknown> {
    let vector = live.read(AUXV).map_err(|miss| miss.unknown(AUXV))?;
    entry(&vector, AT_PAGESZ).ok_or_else(|| Unknown::new(AUXV, "has no AT_PAGESZ"))
}

/// The smallest that any mapping has: `KernelPageSize:        4 kB` (proc(5)). Others may lie in huge pages.
fn listed(probing: &Probing<'_>) -> Result<u64, Unknown> {
    let text = probing.root.read_text(SMAPS).map_err(|miss| miss.unknown(SMAPS))?;
    let sizes = text.lines().filter_map(|it| it.strip_prefix("KernelPageSize:")?.trim().strip_suffix(" kB"));
    let smallest = sizes.filter_map(|it| it.parse::<u64>().ok()).min().and_then(|it| it.checked_mul(1024));
    smallest.ok_or_else(|| Unknown::new(SMAPS, "tells no KernelPageSize"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::told;
    use crate::testing::FakeHost;

    fn check(host: &FakeHost, expected: &str) {
        assert_eq!(told(host, FEATURE.name), expected);
    }

    #[test]
    fn a_tree_reports_the_smallest_page_of_a_process() {
        let text = "aaaa-bbbb r-xp 0 08:01 1 /bin/cat\nSize: 64 kB\nKernelPageSize:       64 kB\nMMUPageSize: 64 kB\n\
                    cccc-dddd rw-p 0 00:10 2 /dev/hugepages/x\nKernelPageSize:    524288 kB\n";
        check(&FakeHost::new().file(SMAPS, text), r#"known (/proc/self/smaps): bytes="65536""#);
    }

    #[test]
    fn each_process_gets_the_size_from_the_kernel() {
        let vector: Vec<u8> = [AT_PAGESZ, 16384, 0, 0].iter().flat_map(|it| it.to_ne_bytes()).collect();
        assert_eq!(own(&FakeHost::new().file(AUXV, vector).root()), Ok(16384));
        let none = own(&FakeHost::new().file(AUXV, "").root());
        assert_eq!(none, Err(Unknown::new(AUXV, "has no AT_PAGESZ")));
    }

    #[test]
    fn a_size_that_cannot_be_read_is_unknown() {
        check(&FakeHost::new(), "unknown: /proc/self/smaps: is not there");
        check(&FakeHost::new().unreadable(SMAPS), "unknown: /proc/self/smaps: is a loop of symbolic links");
    }

    #[test]
    fn a_size_that_is_no_number_is_unknown() {
        for text in
            ["", "KernelPageSize: x kB\n", "KernelPageSize: 4\n", "KernelPageSize: 18014398509481984 kB\n"]
        {
            check(&FakeHost::new().file(SMAPS, text), "unknown: /proc/self/smaps: tells no KernelPageSize");
        }
    }
}
