//! `memory.hugepages`: the pools of huge pages. Changes no pool.

use std::collections::BTreeMap;

use super::quantity;
use crate::host::values::{ValuesReading, value};
use crate::host::{ElementKind, Fact, FeatureInfo, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "memory.hugepages",
    kinds: &[ElementKind::Attributes],
    meaning: "the number of huge pages of each size on the host (`hugepages-2Mi`), of free ones (`free-2Mi`) and of each NUMA \
        node's (`node0.hugepages-2Mi`), and whether there are any (`enabled`)",
    read: "/sys/kernel/mm/hugepages/*/nr_hugepages and free_hugepages, \
           /sys/devices/system/node/node*/hugepages/*/nr_hugepages",
    nfd: true,
    elements: None,
    absent: "the processor has no pages of this size, or the kernel was built without CONFIG_HUGETLBFS",
    since: "Linux 2.6.27",
    example: "feature: memory.hugepages\n  matchExpressions:\n    hugepages-1Gi: {op: Gt, value: [\"3\"]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &["free-*", "node*"],
    probe,
};

/// One folder per size, `hugepages-<KiB>kB` (Documentation/admin-guide/mm/hugetlbpage.rst).
const FOLDER: &str = "/sys/kernel/mm/hugepages";
const NODES: &str = "/sys/devices/system/node";

/// The pool of one size.
#[derive(Debug)]
struct Pool {
    /// Its folder's name.
    folder: String,
    /// The size of its pages as Kubernetes writes it, such as `2Mi`.
    size: String,
}

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let mut reading = ValuesReading::new(probing, wanted);
    let pools = match pools(&mut reading) {
        Ok(pools) => pools,
        Err(unknown) => return Fact::Unknown(unknown),
    };
    let mut silent = BTreeMap::new();
    let mut elements = all(&pools, &mut reading, &mut silent);
    elements.extend(free(&pools, &mut reading));
    elements.extend(by_node(&pools, &mut reading));
    let mut fact = reading.attributes(elements, FOLDER);
    if let Fact::Known(feature, _) = &mut fact {
        feature.doubtful = silent;
    }
    fact
}

fn pools(reading: &mut ValuesReading<'_>) -> Result<Vec<Pool>, Unknown> {
    let mut pools = Vec::new();
    for folder in reading.probing.list(FOLDER)?.unwrap_or_default() {
        let Some(kib) = size(&folder) else { continue };
        let is_folder = reading.probing.exists(&format!("{FOLDER}/{folder}/.")).map(|it| it.then_some(()));
        if reading.note(is_folder).is_some() {
            pools.push(Pool { folder, size: quantity::canonical(kib) });
        }
    }
    Ok(pools)
}

/// The KiB in a folder's name, read as loosely as NFD does: neither `hugepages-` nor a number nor `kB` has to be there.
fn size(folder: &str) -> Option<u64> {
    match folder.strip_prefix("hugepages-").unwrap_or(folder).trim_end_matches(['k', 'B']) {
        "" => Some(0),
        // What is no number is no pool: NFD passes over it too.
        number => number.parse().ok(),
    }
}

fn all(
    pools: &[Pool],
    reading: &mut ValuesReading<'_>,
    silent: &mut BTreeMap<String, Unknown>,
) -> BTreeMap<String, String> {
    let mut elements = BTreeMap::new();
    let mut enabled = false;
    for pool in pools {
        let name = format!("hugepages-{}", pool.size);
        if !reading.wanted.has("enabled") && !reading.wanted.has(&name) {
            continue;
        }
        let place = format!("{FOLDER}/{}/nr_hugepages", pool.folder);
        let count = value(reading.probing, &place).map(|it| Some(it.unwrap_or_default()));
        let Some(count) = reading.note(count) else { continue };
        // NFD gives a pool without this file an empty count, which no rule can compare.
        if count.is_empty() {
            silent.insert(name, Unknown::new(place, "tells no number, although there is a pool"));
            continue;
        }
        enabled |= count.parse::<i64>().is_ok_and(|it| it > 0);
        elements.insert(name, count);
    }
    // A pool that cannot be read may have pages.
    if reading.wanted.has("enabled") {
        match silent.values().next().cloned() {
            Some(unknown) if !enabled => drop(silent.insert("enabled".to_owned(), unknown)),
            _ if enabled || reading.is_complete() => {
                elements.insert("enabled".to_owned(), enabled.to_string());
            }
            _ => {}
        }
    }
    elements
}

fn free(pools: &[Pool], reading: &mut ValuesReading<'_>) -> BTreeMap<String, String> {
    let mut elements = BTreeMap::new();
    for pool in pools {
        let name = format!("free-{}", pool.size);
        let file = format!("{}/free_hugepages", pool.folder);
        elements.extend(reading.values(FOLDER, &[(name.as_str(), file.as_str())]));
    }
    elements
}

fn by_node(pools: &[Pool], reading: &mut ValuesReading<'_>) -> BTreeMap<String, String> {
    let mut elements = BTreeMap::new();
    if !names_a_node(reading.wanted) {
        return elements;
    }
    let nodes = reading.probing.list(NODES);
    for node in reading.note(nodes).unwrap_or_default().iter().filter(|it| is_node(it)) {
        for pool in pools {
            let name = format!("{node}.hugepages-{}", pool.size);
            let file = format!("{node}/hugepages/{}/nr_hugepages", pool.folder);
            elements.extend(reading.values(NODES, &[(name.as_str(), file.as_str())]));
        }
    }
    elements
}

fn names_a_node(wanted: &Wanted) -> bool {
    match wanted {
        Wanted::All => true,
        Wanted::Names(names) => names.iter().any(|it| it.starts_with("node")),
    }
}

fn is_node(name: &str) -> bool {
    name.strip_prefix("node").is_some_and(|it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    fn check(host: FakeHost, expected: &str) {
        assert_eq!(told(&host, FEATURE.name), expected);
    }

    fn known(rest: &str) -> String {
        format!("known (/sys/kernel/mm/hugepages): {rest}")
    }

    /// Two sizes, the larger one without pages, on a host with one node.
    fn host() -> FakeHost {
        FakeHost::new()
            .folder("/sys/bus")
            .file("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "512\n")
            .file("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "500\n")
            .file("/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "0\n")
            .file("/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "0\n")
            .file("/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages", "512\n")
            .file("/sys/devices/system/node/online", "0\n")
            .folder("/sys/devices/system/node/nodes")
    }

    #[test]
    fn pools_are_reported_by_size_and_by_node() {
        check(
            host(),
            &known(
                "enabled=\"true\" free-1Gi=\"0\" free-2Mi=\"500\" hugepages-1Gi=\"0\" hugepages-2Mi=\"512\" \
                 node0.hugepages-2Mi=\"512\"",
            ),
        );
    }

    #[test]
    fn a_kernel_without_huge_pages_has_them_not_enabled() {
        check(FakeHost::new().folder("/sys/bus"), &known(r#"enabled="false""#));
    }

    #[test]
    fn pools_that_cannot_be_read_are_unknown() {
        let nothing = "is not there, and nor is the rest of its file system";
        check(FakeHost::new(), &format!("unknown: /sys/kernel/mm/hugepages: {nothing}"));
        let host = FakeHost::new().unreadable(FOLDER);
        check(host, "unknown: /sys/kernel/mm/hugepages: is a loop of symbolic links");
    }

    #[test]
    fn an_unreadable_pool_leaves_the_presence_of_pages_unknown() {
        let hidden = "/sys/kernel/mm/hugepages/hugepages-64kB/nr_hugepages";
        let reason = format!("{hidden}: is a loop of symbolic links");
        check(FakeHost::new().folder("/sys/bus").unreadable(hidden), &format!("unknown: {reason}"));
        let both = told_of(&host().unreadable(hidden), FEATURE.name, wanted(&["enabled"]));
        let rest = r#"enabled="true" hugepages-1Gi="0" hugepages-2Mi="512" and maybe more: "#;
        assert_eq!(both, known(&format!("{rest}{reason}")));
    }

    #[test]
    fn what_is_no_pool_is_passed_over() {
        let pool = |name: &str| format!("/sys/kernel/mm/hugepages/{name}");
        let host = FakeHost::new()
            .folder("/sys/bus")
            .file(&pool("hugepages-4kB"), "a file")
            .folder(&pool("hugepages-abckB"))
            .folder(&pool("hugepages--1kB"))
            .folder(&pool("hugepages-99999999999999999999kB"))
            .file(&pool("hugepages-16384kB/nr_hugepages"), "many\n");
        check(host, &known(r#"enabled="false" hugepages-16Mi="many""#));
    }

    #[test]
    fn a_pool_without_a_count_is_unknown_and_never_empty() {
        let silent = "/sys/kernel/mm/hugepages/hugepages-32768kB";
        let count = format!("{silent}/nr_hugepages");
        let reason = format!("{count}: tells no number, although there is a pool");
        for host in [host().folder(silent), host().file(&count, "\n")] {
            let told = |names: &[&str]| told_of(&host, FEATURE.name, wanted(names));
            let perhaps = format!("and perhaps hugepages-32Mi: {reason}");
            assert_eq!(told(&["hugepages-32Mi"]), known(&perhaps));
            let enabled = format!(r#"enabled="true" hugepages-1Gi="0" hugepages-2Mi="512" {perhaps}"#);
            assert_eq!(told(&["enabled"]), known(&enabled));
        }
        let alone = FakeHost::new().folder("/sys/bus").folder(silent);
        let enabled = format!("and perhaps enabled: {reason} and perhaps hugepages-32Mi: {reason}");
        check(alone, &known(&enabled));
    }

    #[test]
    fn only_the_wanted_pools_are_read() {
        let host = host().unreadable("/sys/kernel/mm/hugepages/hugepages-64kB/nr_hugepages");
        let told = |names: &[&str]| told_of(&host, FEATURE.name, wanted(names));
        assert_eq!(told(&["hugepages-2Mi"]), known(r#"hugepages-2Mi="512""#));
        assert_eq!(told(&["free-2Mi", "free-../x"]), known(r#"free-2Mi="500""#));
        assert_eq!(
            told(&["node0.hugepages-2Mi", "node1.hugepages-2Mi", "node/../../x", "node\0"]),
            known(r#"node0.hugepages-2Mi="512""#)
        );
    }
}
