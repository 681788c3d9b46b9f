//! `gpu.intel`: the GPUs that Intel's drivers have. Opens no device.

use std::collections::BTreeMap;

use crate::host::probing::found;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Instance, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "gpu.intel",
    kinds: &[ElementKind::Instances],
    meaning: "the GPUs of the drivers i915 and xe: the driver, the device's hexadecimal PCI number in lower case, the PCI \
        address",
    read: "/sys/class/drm/card*/device",
    nfd: false,
    elements: Some(&["driver", "device", "address"]),
    absent: "no GPU is bound to i915 or xe now",
    since: "always; xe since Linux 6.8",
    example: "feature: gpu.intel\n  matchExpressions:\n    driver: {op: In, value: [i915, xe]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

const FOLDER: &str = "/sys/class/drm";
const DRIVERS: [&str; 2] = ["i915", "xe"];

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let names = match probing.list(FOLDER) {
        Ok(names) => names.unwrap_or_default(),
        Err(unknown) => return Fact::Unknown(unknown),
    };
    let mut feature = Feature::instances(Vec::new());
    for name in names.iter().filter(|it| is_card(it)) {
        if let Err(unknown) = card(probing, &format!("{FOLDER}/{name}/device"), wanted, &mut feature) {
            feature.incomplete.get_or_insert(unknown);
        }
    }
    match found(feature, FOLDER) {
        Fact::Absent(place) => super::absent(probing, &place, "8086"),
        fact @ (Fact::Known(..) | Fact::Unknown(_)) => fact,
    }
}

/// `card0`, and not its connectors (`card0-HDMI-A-1`) or its render node (`renderD128`).
fn is_card(name: &str) -> bool {
    name.strip_prefix("card").is_some_and(|it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit()))
}

/// Adds the card whose device this is, if it is one of Intel's.
fn card(probing: &Probing<'_>, device: &str, wanted: &Wanted, feature: &mut Feature) -> Result<(), Unknown> {
    let Some(driver) = link(probing, &format!("{device}/driver"))? else { return Ok(()) };
    if !DRIVERS.contains(&driver.as_str()) {
        return Ok(());
    }
    let mut attributes = BTreeMap::from([("driver".to_owned(), driver)]);
    let read = format!("{device}/device");
    let number = if wanted.has("device") { probing.text(&read) } else { Ok(None) };
    let address = if wanted.has("address") { link(probing, device) } else { Ok(None) };
    for (name, value) in [("device", number), ("address", address)] {
        match value {
            Ok(Some(value)) => {
                let value = value.trim().trim_start_matches("0x");
                attributes.insert(name.to_owned(), value.to_owned());
            }
            Ok(None) => {}
            Err(unknown) => drop(feature.incomplete.get_or_insert(unknown)),
        }
    }
    let instance = Instance { attributes, read: Some(device.to_owned()) };
    feature.instances.get_or_insert_default().push(instance);
    Ok(())
}

fn link(probing: &Probing<'_>, path: &str) -> Result<Option<String>, Unknown> {
    probing.surely(path, probing.root.link_name(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    const CARD: &str = "/sys/class/drm/card0/device";
    const PCI: &str = "/sys/devices/pci0000:00/0000:00:02.0";

    fn card(driver: &str) -> FakeHost {
        FakeHost::new()
            .folder("/sys/bus")
            .link(CARD, &format!("../../../../{PCI}"))
            .link(&format!("{PCI}/driver"), &format!("../../../bus/pci/drivers/{driver}"))
            .file(&format!("{PCI}/device"), "0x46a6\n")
    }

    fn check(host: &FakeHost, expected: &str) {
        assert_eq!(told(host, FEATURE.name), expected);
    }

    #[test]
    fn a_card_of_an_intel_driver_is_reported() {
        for driver in ["i915", "xe"] {
            let host = card(driver).folder("/sys/class/drm/card0-eDP-1").folder("/sys/class/drm/renderD128");
            let expected =
                format!("known (/sys/class/drm): [{CARD}: address=0000:00:02.0 device=46a6 driver={driver}]");
            check(&host, &expected);
        }
    }

    #[test]
    fn only_what_is_wanted_is_read() {
        let host = card("xe").unreadable(&format!("{PCI}/other"));
        let told = told_of(&host, FEATURE.name, wanted(&["driver"]));
        assert_eq!(told, format!("known (/sys/class/drm): [{CARD}: driver=xe]"));
    }

    #[test]
    fn cards_of_other_drivers_do_not_count() {
        check(&card("amdgpu"), "absent (/sys/class/drm)");
        check(&FakeHost::new().folder("/sys/bus").folder("/sys/class/drm/card0"), "absent (/sys/class/drm)");
        check(&FakeHost::new().folder("/sys/bus"), "absent (/sys/class/drm)");
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        let nothing = "is not there, and nor is the rest of its file system";
        check(&FakeHost::new(), &format!("unknown: /sys/class/drm: {nothing}"));
        check(&FakeHost::new().unreadable(FOLDER), "unknown: /sys/class/drm: is a loop of symbolic links");
        let host = FakeHost::new().folder("/sys/bus").unreadable(CARD);
        check(&host, &format!("unknown: {CARD}/driver: is a loop of symbolic links"));
    }

    #[test]
    fn a_driver_that_is_no_link_is_unknown() {
        let host = FakeHost::new().file(&format!("{CARD}/driver"), "i915");
        check(&host, &format!("unknown: {CARD}/driver: is not a symbolic link"));
    }
}
