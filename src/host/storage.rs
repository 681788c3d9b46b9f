//! `storage.block`: the block devices. Reads nothing of what is on them.

use super::values::{ValuesReading, required};
use super::{ElementKind, Fact, FeatureInfo, Instance, Probing, Wanted};

pub(super) const BLOCK: FeatureInfo = FeatureInfo {
    name: "storage.block",
    kinds: &[ElementKind::Instances],
    meaning: "the block devices, without their partitions: whether they rotate, can be mapped as memory (DAX), have zones",
    read: "/sys/block/*/queue",
    nfd: true,
    elements: Some(&["name", "dax", "rotational", "nr_zones", "zoned"]),
    absent: "no such device; on an instance: this kernel does not report it",
    since: "always; `dax` and `zoned` Linux 4.10, `nr_zones` 4.20",
    example: "feature: storage.block\n  matchExpressions:\n    rotational: {op: In, value: [\"0\"]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

const FOLDER: &str = "/sys/block";
/// Documentation/ABI/stable/sysfs-block.
const FILES: [(&str, &str); 4] = [
    ("dax", "queue/dax"),
    ("rotational", "queue/rotational"),
    ("nr_zones", "queue/nr_zones"),
    ("zoned", "queue/zoned"),
];

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    // It is there, if empty, even on a host that has no disk.
    let names = match required(FOLDER, probing.list(FOLDER)) {
        Ok(names) => names,
        Err(unknown) => return Fact::Unknown(unknown),
    };
    let mut reading = ValuesReading::new(probing, wanted);
    let device = |name: String| {
        let read = format!("{FOLDER}/{name}");
        let mut attributes = reading.values(&read, &FILES);
        attributes.insert("name".to_owned(), name);
        Instance { attributes, read: Some(read) }
    };
    let devices = names.into_iter().map(device).collect();
    reading.instances(devices, FOLDER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    fn check(host: FakeHost, expected: &str) {
        assert_eq!(told(&host, BLOCK.name), expected);
    }

    fn known(rest: &str) -> String {
        format!("known (/sys/block): {rest}")
    }

    fn host() -> FakeHost {
        FakeHost::new()
            .folder("/sys/bus")
            .file("/sys/devices/virtual/block/zram0/queue/rotational", "0\n")
            .link("/sys/block/zram0", "../devices/virtual/block/zram0")
            .file("/sys/block/sda/queue/dax", "0\n")
            .file("/sys/block/sda/queue/rotational", "1\n")
            .file("/sys/block/sda/queue/nr_zones", "0\n")
            .file("/sys/block/sda/queue/zoned", "none\n")
    }

    #[test]
    fn devices_are_reported_with_what_their_kernel_tells() {
        check(
            host(),
            &known(
                "[/sys/block/sda: dax=0 name=sda nr_zones=0 rotational=1 zoned=none] \
                 [/sys/block/zram0: name=zram0 rotational=0]",
            ),
        );
        let some = told_of(&host(), BLOCK.name, wanted(&["zoned", "queue/dax"]));
        assert_eq!(some, known("[/sys/block/sda: name=sda zoned=none] [/sys/block/zram0: name=zram0]"));
    }

    #[test]
    fn a_host_without_disks_has_none() {
        check(FakeHost::new().folder(FOLDER), &known(""));
    }

    #[test]
    fn devices_that_cannot_be_listed_are_unknown() {
        let nothing = "is not there, and nor is the rest of its file system";
        check(FakeHost::new(), &format!("unknown: /sys/block: {nothing}"));
        let host = FakeHost::new().folder("/sys/bus");
        check(host, "unknown: /sys/block: is not there, as it is on every host");
        check(FakeHost::new().unreadable(FOLDER), "unknown: /sys/block: is a loop of symbolic links");
        check(FakeHost::new().file(FOLDER, ""), "unknown: /sys/block: is not a folder");
    }

    #[test]
    fn what_cannot_be_read_of_a_device_is_unknown() {
        let host = FakeHost::new().folder("/sys/bus").unreadable("/sys/block/sda/queue/zoned");
        let reason = "/sys/block/sda/queue/zoned: is a loop of symbolic links";
        check(host, &known(&format!("[/sys/block/sda: name=sda] and maybe more: {reason}")));
    }
}
