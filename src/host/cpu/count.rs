//! `cpu.count`: the number of CPUs of the host. For those of a container, see `bundle.resource`.

use crate::host::values::{ValuesReading, required, value};
use crate::host::{ElementKind, Fact, FeatureInfo, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "cpu.count",
    kinds: &[ElementKind::Attributes],
    meaning: "the number of CPUs (hardware threads) that are switched on (online), and that the machine has (present); for \
        those that the container may use, see `cpu.cpus` and `cpu.quota` of `bundle.resource`",
    read: "/sys/devices/system/cpu/online and present",
    nfd: false,
    elements: Some(&["online", "present"]),
    absent: "never absent",
    since: "Linux 2.6.26; present 2.6.29",
    example: "feature: cpu.count\n  matchExpressions:\n    online: {op: Ge, value: [\"4\"]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

/// Documentation/admin-guide/cputopology.rst.
const FOLDER: &str = "/sys/devices/system/cpu";
const NAMES: [&str; 2] = ["online", "present"];

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let mut reading = ValuesReading::new(probing, wanted);
    let mut attributes = std::collections::BTreeMap::new();
    for name in NAMES.into_iter().filter(|it| wanted.has(it)) {
        let path = format!("{FOLDER}/{name}");
        let list = required(&path, value(probing, &path));
        let count = list.and_then(|it| {
            let strange =
                || Unknown::new(&*path, format!("holds {it:.40?}, expected a list of CPUs such as \"0-7\""));
            count(&it).ok_or_else(strange)
        });
        attributes.extend(reading.note(count.map(Some)).map(|it| (name.to_owned(), it.to_string())));
    }
    reading.attributes(attributes, FOLDER)
}

/// How many numbers a list such as `0-3,8` has (`%*pbl` of the kernel: in order, none twice).
fn count(list: &str) -> Option<u64> {
    list.split(',').try_fold(0_u64, |sum, part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        sum.checked_add(last.checked_sub(first)?.checked_add(1)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    fn host(online: &str) -> FakeHost {
        FakeHost::new().folder("/sys/bus").file("/sys/devices/system/cpu/online", online)
    }

    fn check(host: &FakeHost, expected: &str) {
        assert_eq!(told_of(host, FEATURE.name, wanted(&["online"])), expected);
    }

    #[test]
    fn the_cpus_of_a_list_are_counted() {
        check(&host("0\n"), r#"known (/sys/devices/system/cpu): online="1""#);
        check(&host("0-3,8,10-11\n"), r#"known (/sys/devices/system/cpu): online="7""#);
        let host = host("0-1\n").file("/sys/devices/system/cpu/present", "0-3\n");
        assert_eq!(told(&host, FEATURE.name), r#"known (/sys/devices/system/cpu): online="2" present="4""#);
    }

    #[test]
    fn a_list_that_is_missing_is_unknown() {
        let place = "unknown: /sys/devices/system/cpu/online";
        check(&FakeHost::new().folder("/sys/bus"), &format!("{place}: is not there, as it is on every host"));
        check(&FakeHost::new(), &format!("{place}: is not there, and nor is the rest of its file system"));
    }

    #[test]
    fn a_list_that_cannot_be_read_is_unknown() {
        let host = FakeHost::new().unreadable("/sys/devices/system/cpu/online");
        check(&host, "unknown: /sys/devices/system/cpu/online: is a loop of symbolic links");
    }

    #[test]
    fn what_is_no_list_of_cpus_is_unknown() {
        for text in ["", "x", "0-", "3-0", "0,,1", "0-18446744073709551615"] {
            let reason = format!("holds {text:?}, expected a list of CPUs such as \"0-7\"");
            check(&host(text), &format!("unknown: /sys/devices/system/cpu/online: {reason}"));
        }
    }
}
