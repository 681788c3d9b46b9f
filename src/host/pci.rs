//! `pci.device`: the devices on the PCI bus. Touches no device's registers.

use std::collections::BTreeMap;

use super::{ElementKind, Fact, Feature, FeatureInfo, Instance, Miss, Probing, Unknown, Wanted};

pub(super) const FEATURE: FeatureInfo = FeatureInfo {
    name: "pci.device",
    kinds: &[ElementKind::Instances],
    meaning: "the PCI devices; numbers are hexadecimal in lower case; class: four digits; numa_node: -1 if the device belongs \
        to none; physfn: for a virtual function, the address of its physical function",
    read: "/sys/bus/pci/devices/*",
    nfd: true,
    elements: Some(&[
        "class",
        "vendor",
        "device",
        "subsystem_vendor",
        "subsystem_device",
        "sriov_totalvfs",
        "iommu_group/type",
        "iommu/intel-iommu/version",
        "address",
        "driver",
        "iommu_group",
        "numa_node",
        "physfn",
        "sriov_numvfs",
    ]),
    absent: "no such device; on an instance: the device has no such attribute, such as a driver if none is bound to it",
    since: "always",
    example: "feature: pci.device\n  matchExpressions:\n    vendor: {op: In, value: [\"10de\"]}\n    class: {op: In, value: [\"0300\", \"0302\"]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &["address", "driver", "iommu_group", "numa_node", "physfn", "sriov_numvfs"],
    probe,
};

const FOLDER: &str = "/sys/bus/pci/devices";
/// What identifies a device, and every device has. NFD leaves out one that lacks any.
const IDENTITY: [&str; 5] = ["class", "vendor", "device", "subsystem_vendor", "subsystem_device"];
/// What only some devices have.
const OPTIONAL: [&str; 5] =
    ["sriov_totalvfs", "iommu_group/type", "iommu/intel-iommu/version", "sriov_numvfs", "numa_node"];
/// Links; only their last part counts: to the driver that is bound now, to the IOMMU group, and from a virtual
/// function to its physical one (`Documentation/ABI/testing/sysfs-bus-pci`).
const LINKS: [&str; 3] = ["driver", "iommu_group", "physfn"];

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let addresses = match probing.list(FOLDER) {
        Ok(addresses) => addresses.unwrap_or_default(),
        Err(unknown) => return Fact::Unknown(unknown),
    };
    let mut feature = Feature::instances(Vec::with_capacity(addresses.len()));
    for address in &addresses {
        let read = format!("{FOLDER}/{address}");
        match device(probing, &read, wanted, &mut feature.incomplete) {
            Ok(Some(mut attributes)) => {
                if wanted.has("address") {
                    attributes.insert("address".to_owned(), address.clone());
                }
                let instance = Instance { attributes, read: Some(read) };
                feature.instances.get_or_insert_default().push(instance);
            }
            // Unplugged since the folder was listed.
            Ok(None) => {}
            Err(unknown) => note(&mut feature.incomplete, unknown),
        }
    }
    Fact::Known(feature, FOLDER.to_owned())
}

/// The attributes of one device; none if it is not there any more.
fn device(
    probing: &Probing<'_>,
    folder: &str,
    wanted: &Wanted,
    incomplete: &mut Option<Unknown>,
) -> Result<Option<BTreeMap<String, String>>, Unknown> {
    let Some(identity) = identity(probing, folder)? else {
        return Ok(None);
    };
    let mut attributes = BTreeMap::new();
    for (name, value) in IDENTITY.into_iter().zip(identity) {
        match value {
            Some(value) => drop(attributes.insert(name.to_owned(), value)),
            // Of a tree that was put together from a report, as is not rare.
            None => note(
                incomplete,
                Unknown::new(format!("{folder}/{name}"), "is not there, as it is for every device"),
            ),
        }
    }
    let texts = OPTIONAL.into_iter().map(|it| (it, attribute as AttributeReader));
    let links = LINKS.into_iter().map(|it| (it, link as AttributeReader));
    for (name, read) in texts.chain(links).filter(|(name, _)| wanted.has(name)) {
        match read(probing, folder, name) {
            Ok(Some(value)) => drop(attributes.insert(name.to_owned(), value)),
            Ok(None) => {}
            Err(unknown) => note(incomplete, unknown),
        }
    }
    Ok(Some(attributes))
}

/// Reads an attribute, given by its folder and its name; none if the device has no such thing.
type AttributeReader = fn(&Probing<'_>, &str, &str) -> Result<Option<String>, Unknown>;

/// The first error is kept: later ones are usually the same.
fn note(incomplete: &mut Option<Unknown>, unknown: Unknown) {
    incomplete.get_or_insert(unknown);
}

/// The values of [`IDENTITY`].
///
/// `modalias` has them all in one read, and unlike `uevent` is never locked while a driver starts.
fn identity(probing: &Probing<'_>, folder: &str) -> Result<Option<[Option<String>; 5]>, Unknown> {
    let alias = match probing.root.read_text(&format!("{folder}/modalias")) {
        Ok(text) => parse_modalias(&text),
        // The five files say the same.
        Err(Miss::NotFound | Miss::Unreadable(_)) => None,
    };
    if let Some(identity) = alias {
        return Ok(Some(identity.map(Some)));
    }
    let mut identity = [const { None }; 5];
    for (value, name) in identity.iter_mut().zip(IDENTITY) {
        *value = match attribute(probing, folder, name)? {
            Some(text) if name == "class" => Some(text.chars().take(4).collect()),
            None if !name.starts_with("subsystem") => return Ok(None),
            other => other,
        };
    }
    Ok(Some(identity))
}

/// `pci:v00001AF4d00001041sv00001AF4sd00001041bc02sc00i00` (`modalias_show` in `drivers/pci/pci-sysfs.c`).
fn parse_modalias(text: &str) -> Option<[String; 5]> {
    let (vendor, rest) = field(text, "pci:v", 8)?;
    let (device, rest) = field(rest, "d", 8)?;
    let (subsystem_vendor, rest) = field(rest, "sv", 8)?;
    let (subsystem_device, rest) = field(rest, "sd", 8)?;
    let (base_class, rest) = field(rest, "bc", 2)?;
    let (sub_class, _) = field(rest, "sc", 2)?;
    let short = |it: &str| Some(it.strip_prefix("0000")?.to_ascii_lowercase());
    Some([
        format!("{base_class}{sub_class}").to_ascii_lowercase(),
        short(vendor)?,
        short(device)?,
        short(subsystem_vendor)?,
        short(subsystem_device)?,
    ])
}

fn field<'a>(text: &'a str, prefix: &str, digits: usize) -> Option<(&'a str, &'a str)> {
    let (field, rest) = text.strip_prefix(prefix)?.split_at_checked(digits)?;
    field.bytes().all(|it| it.is_ascii_hexdigit()).then_some((field, rest))
}

fn attribute(probing: &Probing<'_>, folder: &str, name: &str) -> Result<Option<String>, Unknown> {
    let text = probing.text(&format!("{folder}/{name}"))?;
    Ok(text.map(|it| it.strip_prefix("0x").unwrap_or(&it).trim().to_owned()))
}

fn link(probing: &Probing<'_>, folder: &str, name: &str) -> Result<Option<String>, Unknown> {
    let path = format!("{folder}/{name}");
    probing.surely(&path, probing.root.link_name(&path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    const NIC: &str = "/sys/bus/pci/devices/0000:00:01.0";
    const ALIAS: &str = "pci:v00001AF4d00001041sv00001AF4sd0000000Abc02sc00i00\n";
    const NIC_TOLD: &str = "[/sys/bus/pci/devices/0000:00:01.0: \
                            class=0200 device=1041 subsystem_device=000a subsystem_vendor=1af4 vendor=1af4]";

    fn check(host: FakeHost, expected: &str) {
        assert_eq!(told_of(&host, FEATURE.name, wanted(&["vendor"])), expected);
    }

    fn known(rest: &str) -> String {
        format!("known (/sys/bus/pci/devices): {rest}")
    }

    fn with_files(host: FakeHost, folder: &str) -> FakeHost {
        host.file(&format!("{folder}/class"), "0x020000\n")
            .file(&format!("{folder}/vendor"), "0x1af4\n")
            .file(&format!("{folder}/device"), "0x1041\n")
            .file(&format!("{folder}/subsystem_vendor"), "0x1af4\n")
            .file(&format!("{folder}/subsystem_device"), "0x000a\n")
    }

    #[test]
    fn of_a_device_without_subsystem_the_rest_is_known() {
        let host = FakeHost::new()
            .file(&format!("{NIC}/class"), "0x020000\n")
            .file(&format!("{NIC}/vendor"), "0x8086\n")
            .file(&format!("{NIC}/device"), "0x1889\n");
        check(
            host,
            &known(&format!(
                "[{NIC}: class=0200 device=1889 vendor=8086] and maybe more: {NIC}/subsystem_vendor: is not there, as it is for every device"
            )),
        );
    }

    #[test]
    fn one_file_reports_what_a_device_is() {
        check(FakeHost::new().file(&format!("{NIC}/modalias"), ALIAS), &known(NIC_TOLD));
    }

    #[test]
    fn without_it_five_files_tell_the_same() {
        check(with_files(FakeHost::new(), NIC), &known(NIC_TOLD));
        for other in ["", "usb:v1D6Bp0001", "pci:v0001AF40d00001041", "pci:v00001AF4d0000é"] {
            let host = with_files(FakeHost::new(), NIC).file(&format!("{NIC}/modalias"), other);
            check(host, &known(NIC_TOLD));
        }
        let host = with_files(FakeHost::new(), NIC).unreadable(&format!("{NIC}/modalias"));
        check(host, &known(NIC_TOLD));
    }

    #[test]
    fn a_host_without_devices_has_none() {
        check(FakeHost::new().folder("/sys/bus/pci/devices"), &known(""));
        check(FakeHost::new().folder("/sys/bus"), &known(""));
    }

    #[test]
    fn a_bus_that_cannot_be_listed_is_unknown() {
        let nothing = "is not there, and nor is the rest of its file system";
        check(FakeHost::new(), &format!("unknown: /sys/bus/pci/devices: {nothing}"));
        check(
            FakeHost::new().unreadable(FOLDER),
            "unknown: /sys/bus/pci/devices: is a loop of symbolic links",
        );
        check(FakeHost::new().file(FOLDER, ""), "unknown: /sys/bus/pci/devices: is not a folder");
    }

    #[test]
    fn a_device_that_lacks_a_file_is_gone_and_one_that_cannot_be_read_may_be_there() {
        let gone = "/sys/bus/pci/devices/0000:00:02.0";
        let host = with_files(FakeHost::new(), NIC).file(&format!("{gone}/vendor"), "0x1af4\n");
        check(host, &known(NIC_TOLD));
        let hidden = "/sys/bus/pci/devices/0000:00:02.0/vendor";
        let host = with_files(FakeHost::new(), NIC)
            .file("/sys/bus/pci/devices/0000:00:02.0/class", "0x020000\n")
            .unreadable(hidden);
        check(host, &known(&format!("{NIC_TOLD} and maybe more: {hidden}: is a loop of symbolic links")));
    }

    #[test]
    fn what_only_some_devices_have_is_read_if_it_is_wanted() {
        let host = FakeHost::new()
            .file(&format!("{NIC}/modalias"), ALIAS)
            .file(&format!("{NIC}/sriov_totalvfs"), "8\n")
            .unreadable(&format!("{NIC}/iommu_group"));
        assert_eq!(told_of(&host, FEATURE.name, wanted(&["vendor"])), known(NIC_TOLD));
        let more = NIC_TOLD.replace("subsystem_device", "sriov_totalvfs=8 subsystem_device");
        assert_eq!(told_of(&host, FEATURE.name, wanted(&["sriov_totalvfs"])), known(&more));
        let place = format!("{NIC}/iommu_group/type");
        let more = format!("{more} and maybe more: {place}: is a loop of symbolic links");
        let names = wanted(&["sriov_totalvfs", "iommu_group/type"]);
        assert_eq!(told_of(&host, FEATURE.name, names), known(&more));
    }

    fn check_ours(host: FakeHost, expected: &str) {
        let ours = told_of(&host, FEATURE.name, wanted(FEATURE.beyond_nfd));
        let identity = " class=0200 device=1041";
        let ours = ours.replace(" subsystem_device=000a subsystem_vendor=1af4 vendor=1af4", "");
        assert_eq!(ours.replace(identity, ""), known(expected));
    }

    fn nic() -> FakeHost {
        FakeHost::new().file(&format!("{NIC}/modalias"), ALIAS)
    }

    #[test]
    fn a_device_reports_its_driver_and_where_it_belongs_if_that_is_wanted() {
        let host = nic()
            .link(&format!("{NIC}/driver"), "../../../bus/pci/drivers/vfio-pci")
            .link(&format!("{NIC}/iommu_group"), "../../../kernel/iommu_groups/17")
            .link(&format!("{NIC}/physfn"), "../0000:00:00.1")
            .file(&format!("{NIC}/numa_node"), "-1\n")
            .file(&format!("{NIC}/sriov_numvfs"), "4\n");
        assert_eq!(told_of(&host, FEATURE.name, wanted(&["vendor"])), known(NIC_TOLD));
        let all = told(&host, FEATURE.name);
        assert_eq!(
            all,
            known(
                "[/sys/bus/pci/devices/0000:00:01.0: address=0000:00:01.0 class=0200 device=1041 driver=vfio-pci \
                 iommu_group=17 numa_node=-1 physfn=0000:00:00.1 sriov_numvfs=4 subsystem_device=000a \
                 subsystem_vendor=1af4 vendor=1af4]"
            )
        );
    }

    #[test]
    fn a_device_without_a_driver_has_none() {
        check_ours(nic(), "[/sys/bus/pci/devices/0000:00:01.0: address=0000:00:01.0]");
    }

    #[test]
    fn a_driver_that_cannot_be_read_is_not_taken_for_none() {
        check_ours(
            nic().file(&format!("{NIC}/driver"), ""),
            "[/sys/bus/pci/devices/0000:00:01.0: address=0000:00:01.0] and maybe more: \
             /sys/bus/pci/devices/0000:00:01.0/driver: is not a symbolic link",
        );
    }
}
