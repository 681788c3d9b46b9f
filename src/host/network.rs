//! `network.device`, `network.virtual`: the network interfaces. Brings no link up and sends nothing.

use super::values::{ValuesReading, required};
use super::{ElementKind, Fact, FeatureInfo, Instance, Probing, Wanted};

pub(super) const DEVICE: FeatureInfo = FeatureInfo {
    name: "network.device",
    kinds: &[ElementKind::Instances],
    meaning: "the network interfaces that belong to a device, with their link's state, speed (Mbit/s) and MTU (bytes)",
    read: "/sys/class/net/*",
    nfd: true,
    elements: Some(&[
        "name",
        "operstate",
        "speed",
        "mtu",
        "sriov_numvfs",
        "sriov_totalvfs",
        "driver",
        "carrier",
    ]),
    absent: "no such interface in this network namespace; on an instance: no such value now, such as the speed of a link \
        that is down",
    since: "always",
    example: "feature: network.device\n  matchExpressions:\n    operstate: {op: In, value: [up]}\n    speed: {op: Gt, value: [\"9999\"]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &["driver", "carrier"],
    probe: |probing, wanted| interfaces(probing, wanted, Sort::Device),
};

pub(super) const VIRTUAL: FeatureInfo = FeatureInfo {
    name: "network.virtual",
    kinds: &[ElementKind::Instances],
    meaning: "the network interfaces without a device, such as bridges, with their link's state, speed (Mbit/s) and \
              MTU (bytes)",
    read: "/sys/class/net/*",
    nfd: true,
    elements: Some(&["name", "operstate", "speed", "mtu", "carrier"]),
    absent: "no such interface in this network namespace; on an instance: it has no such value now",
    since: "always",
    example: "feature: network.virtual\n  matchExpressions:\n    name: {op: In, value: [br0]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &["carrier"],
    probe: |probing, wanted| interfaces(probing, wanted, Sort::Virtual),
};

const FOLDER: &str = "/sys/class/net";
/// A file among the interfaces, made by the `bonding` module (`drivers/net/bonding/bond_sysfs.c`).
const NO_INTERFACE: &str = "bonding_masters";
/// Documentation/ABI/testing/sysfs-class-net.
const LINK: [(&str, &str); 4] =
    [("operstate", "operstate"), ("speed", "speed"), ("mtu", "mtu"), ("carrier", "carrier")];
/// Documentation/ABI/testing/sysfs-bus-pci.
const VIRTUAL_FUNCTIONS: [(&str, &str); 2] =
    [("sriov_numvfs", "device/sriov_numvfs"), ("sriov_totalvfs", "device/sriov_totalvfs")];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Sort {
    Device,
    Virtual,
}

fn interfaces(probing: &Probing<'_>, wanted: &Wanted, sort: Sort) -> Fact {
    // Without it there would be no loopback either.
    let names = match required(FOLDER, probing.list(FOLDER)) {
        Ok(names) => names,
        Err(unknown) => return Fact::Unknown(unknown),
    };
    let mut reading = ValuesReading::new(probing, wanted);
    let mut found = Vec::new();
    for name in names.into_iter().filter(|it| it != NO_INTERFACE) {
        let folder = format!("{FOLDER}/{name}");
        let has_device = probing.exists(&format!("{folder}/device"));
        let found_sort = has_device.map(|it| Some(if it { Sort::Device } else { Sort::Virtual }));
        if reading.note(found_sort) == Some(sort) {
            found.push(interface(&mut reading, name, folder, sort));
        }
    }
    reading.instances(found, FOLDER)
}

fn interface(reading: &mut ValuesReading<'_>, name: String, folder: String, sort: Sort) -> Instance {
    let mut attributes = reading.values(&folder, &LINK);
    attributes.insert("name".to_owned(), name);
    if sort == Sort::Device {
        attributes.extend(reading.values(&folder, &VIRTUAL_FUNCTIONS));
        if let Some(driver) = driver(reading, &folder) {
            attributes.insert("driver".to_owned(), driver);
        }
    }
    Instance { attributes, read: Some(folder) }
}

fn driver(reading: &mut ValuesReading<'_>, folder: &str) -> Option<String> {
    if !reading.wanted.has("driver") {
        return None;
    }
    let path = format!("{folder}/device/driver");
    let found = reading.probing.surely(&path, reading.probing.root.link_name(&path));
    reading.note(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    const NIC: &str = "/sys/class/net/eth0";

    fn check(host: &FakeHost, devices: &str, others: &str) {
        assert_eq!(told(host, DEVICE.name), devices);
        assert_eq!(told(host, VIRTUAL.name), others);
    }

    fn known(rest: &str) -> String {
        format!("known (/sys/class/net): {rest}")
    }

    fn host() -> FakeHost {
        FakeHost::new()
            .folder("/sys/bus")
            .file("/sys/class/net/bonding_masters", "bond0\n")
            .file("/sys/devices/pci/eth0/operstate", "up\n")
            .file("/sys/devices/pci/eth0/speed", "25000\n")
            .file("/sys/devices/pci/eth0/mtu", "9000\n")
            .file("/sys/devices/pci/eth0/carrier", "1\n")
            .file("/sys/devices/pci/eth0/device/sriov_totalvfs", "8\n")
            .file("/sys/devices/pci/eth0/device/sriov_numvfs", "0\n")
            .link("/sys/devices/pci/eth0/device/driver", "../../../../bus/pci/drivers/mlx5_core")
            .link(NIC, "../../devices/pci/eth0")
            .file("/sys/class/net/lo/operstate", "unknown\n")
            .file("/sys/class/net/lo/mtu", "65536\n")
    }

    #[test]
    fn interfaces_with_a_device_are_distinguished_from_those_without() {
        check(
            &host(),
            &known(
                "[/sys/class/net/eth0: carrier=1 driver=mlx5_core mtu=9000 name=eth0 operstate=up speed=25000 \
                 sriov_numvfs=0 sriov_totalvfs=8]",
            ),
            &known("[/sys/class/net/lo: mtu=65536 name=lo operstate=unknown]"),
        );
    }

    #[test]
    fn a_namespace_without_interfaces_has_none() {
        let host = FakeHost::new().folder(FOLDER);
        check(&host, &known(""), &known(""));
    }

    #[test]
    fn interfaces_that_cannot_be_listed_are_unknown() {
        let both = |host: &FakeHost, expected: &str| check(host, expected, expected);
        let nothing = "is not there, and nor is the rest of its file system";
        both(&FakeHost::new(), &format!("unknown: /sys/class/net: {nothing}"));
        let host = FakeHost::new().folder("/sys/bus");
        both(&host, "unknown: /sys/class/net: is not there, as it is on every host");
        both(&FakeHost::new().unreadable(FOLDER), "unknown: /sys/class/net: is a loop of symbolic links");
        both(&FakeHost::new().file(FOLDER, ""), "unknown: /sys/class/net: is not a folder");
    }

    #[test]
    fn an_interface_that_cannot_be_read_costs_no_other() {
        let loops = "is a loop of symbolic links";
        let lo = "[/sys/class/net/lo: mtu=65536 name=lo operstate=unknown]";
        let host = FakeHost::new()
            .file("/sys/class/net/lo/operstate", "unknown\n")
            .file("/sys/class/net/lo/mtu", "65536\n")
            .unreadable("/sys/class/net/eth1")
            .folder("/sys/bus");
        let more = format!("and maybe more: /sys/class/net/eth1/device: {loops}");
        check(&host, &known(&more), &known(&format!("{lo} {more}")));
        let host = FakeHost::new()
            .folder("/sys/bus")
            .file("/sys/class/net/eth0/device/driver", "no link")
            .unreadable("/sys/class/net/eth0/speed");
        let eth0 = format!("[{NIC}: name=eth0] and maybe more: {NIC}/speed: {loops}");
        check(&host, &known(&eth0), &known(""));
        let driver = told_of(&host, DEVICE.name, wanted(&["driver"]));
        let reason = format!("{NIC}/device/driver: is not a symbolic link");
        assert_eq!(driver, known(&format!("[{NIC}: name=eth0] and maybe more: {reason}")));
    }

    #[test]
    fn only_what_is_wanted_is_read() {
        let told = told_of(&host(), DEVICE.name, wanted(&["mtu", "../lo/mtu"]));
        assert_eq!(told, known("[/sys/class/net/eth0: mtu=9000 name=eth0]"));
    }
}
