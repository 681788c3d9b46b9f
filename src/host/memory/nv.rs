//! `memory.nv`: persistent memory (NVDIMM). Touches no label and no data on it.

use crate::host::values::ValuesReading;
use crate::host::{ElementKind, Fact, FeatureInfo, Instance, Probing, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "memory.nv",
    kinds: &[ElementKind::Instances],
    meaning: "the devices on the bus of persistent memory (NVDIMM): memory devices, regions, namespaces",
    read: "/sys/bus/nd/devices/*",
    nfd: true,
    elements: Some(&["name", "devtype", "mode"]),
    absent: "no such device; on an instance: the device has no such attribute",
    since: "Linux 4.2",
    example: "feature: memory.nv\n  matchExpressions:\n    devtype: {op: In, value: [nd_dax]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

const FOLDER: &str = "/sys/bus/nd/devices";
const FILES: [(&str, &str); 2] = [("devtype", "devtype"), ("mode", "mode")];

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let names = match probing.list(FOLDER) {
        // The bus is there as soon as `libnvdimm` is.
        Ok(names) => names.unwrap_or_default(),
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

    const REGION: &str = "/sys/bus/nd/devices/region0";

    fn check(host: FakeHost, expected: &str) {
        assert_eq!(told(&host, FEATURE.name), expected);
    }

    fn known(rest: &str) -> String {
        format!("known (/sys/bus/nd/devices): {rest}")
    }

    #[test]
    fn devices_are_listed_with_their_type_and_mode() {
        let host = FakeHost::new()
            .file(&format!("{REGION}/devtype"), "nd_pmem\n")
            .file("/sys/bus/nd/devices/namespace0.0/devtype", "nd_namespace_pmem\n")
            .file("/sys/bus/nd/devices/namespace0.0/mode", "fsdax\n");
        let both = "[/sys/bus/nd/devices/namespace0.0: devtype=nd_namespace_pmem mode=fsdax name=namespace0.0] \
                    [/sys/bus/nd/devices/region0: devtype=nd_pmem name=region0]";
        assert_eq!(told(&host, FEATURE.name), known(both));
        let names = "[/sys/bus/nd/devices/namespace0.0: name=namespace0.0] \
                     [/sys/bus/nd/devices/region0: name=region0]";
        assert_eq!(told_of(&host, FEATURE.name, wanted(&["name"])), known(names));
    }

    #[test]
    fn a_host_without_the_bus_has_no_devices() {
        check(FakeHost::new().folder("/sys/bus"), &known(""));
        check(FakeHost::new().folder(FOLDER), &known(""));
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        let nothing = "is not there, and nor is the rest of its file system";
        check(FakeHost::new(), &format!("unknown: /sys/bus/nd/devices: {nothing}"));
        let mode = format!("{REGION}/mode");
        let told = format!("[{REGION}: name=region0] and maybe more: {mode}: is a loop of symbolic links");
        check(FakeHost::new().unreadable(&mode), &known(&told));
    }

    #[test]
    fn a_device_that_is_no_folder_has_a_name_and_nothing_else() {
        check(FakeHost::new().file(REGION, "?"), &known("[/sys/bus/nd/devices/region0: name=region0]"));
    }
}
