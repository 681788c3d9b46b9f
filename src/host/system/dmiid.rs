//! `system.dmiid`: the firmware's description of the machine. Never its serial numbers.

use crate::host::values::ValuesReading;
use crate::host::{ElementKind, Fact, FeatureInfo, Probing, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "system.dmiid",
    kinds: &[ElementKind::Attributes],
    meaning: "vendor, model and version of the machine, its board, chassis and firmware, as the firmware reports them (DMI)",
    read: "/sys/devices/virtual/dmi/id/*",
    nfd: true,
    elements: Some(&NAMES),
    absent: "the firmware does not report it; the whole feature is absent on machines without DMI",
    since: "Linux 2.6.23; `product_sku` 4.18, `product_family` 4.13",
    example: "feature: system.dmiid\n  matchExpressions:\n    sys_vendor: {op: In, value: [QEMU]}",
    key: None,
    sensitive: &["board_asset_tag", "chassis_asset_tag"],
    beyond_nfd: &[],
    probe,
};

const FOLDER: &str = "/sys/devices/virtual/dmi/id";
const NAMES: [&str; 16] = [
    "bios_date",
    "bios_vendor",
    "bios_version",
    "board_asset_tag",
    "board_name",
    "board_vendor",
    "board_version",
    "chassis_asset_tag",
    "chassis_type",
    "chassis_vendor",
    "chassis_version",
    "product_family",
    "product_name",
    "product_sku",
    "product_version",
    "sys_vendor",
];

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let mut reading = ValuesReading::new(probing, wanted);
    let attributes = reading.values(FOLDER, &NAMES.map(|it| (it, it)));
    if !attributes.is_empty() || !reading.is_complete() {
        return reading.attributes(attributes, FOLDER);
    }
    match probing.exists(FOLDER) {
        Ok(true) => reading.attributes(attributes, FOLDER),
        Ok(false) => Fact::Absent(FOLDER.to_owned()),
        Err(unknown) => Fact::Unknown(unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    fn check(host: &FakeHost, expected: &str) {
        assert_eq!(told(host, FEATURE.name), expected);
    }

    fn known(rest: &str) -> String {
        format!("known (/sys/devices/virtual/dmi/id): {rest}")
    }

    fn host() -> FakeHost {
        FakeHost::new()
            .folder("/sys/bus")
            .file("/sys/devices/virtual/dmi/id/sys_vendor", "Dell Inc.\n")
            .file("/sys/devices/virtual/dmi/id/product_name", "PowerEdge R760 \n")
            .file("/sys/devices/virtual/dmi/id/board_asset_tag", "\n")
            .file("/sys/devices/virtual/dmi/id/product_serial", "1234567\n")
    }

    #[test]
    fn the_firmware_s_facts_are_reported_without_serial_numbers() {
        let all = r#"board_asset_tag="" product_name="PowerEdge R760" sys_vendor="Dell Inc.""#;
        check(&host(), &known(all));
        let told = |names: &[&str]| told_of(&host(), FEATURE.name, wanted(names));
        assert_eq!(told(&["sys_vendor"]), known(r#"sys_vendor="Dell Inc.""#));
        assert_eq!(told(&["product_serial", "../id/sys_vendor", "bios_date"]), known(""));
    }

    #[test]
    fn a_machine_without_dmi_has_no_such_feature() {
        check(&FakeHost::new().folder("/sys/bus"), "absent (/sys/devices/virtual/dmi/id)");
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        let nothing = "is not there, and nor is the rest of its file system";
        check(&FakeHost::new(), &format!("unknown: /sys/devices/virtual/dmi/id/bios_date: {nothing}"));
        let hidden = "/sys/devices/virtual/dmi/id/bios_date";
        let loops = format!("{hidden}: is a loop of symbolic links");
        check(&FakeHost::new().folder("/sys/bus").unreadable(hidden), &format!("unknown: {loops}"));
        let rest = r#"board_asset_tag="" product_name="PowerEdge R760" sys_vendor="Dell Inc.""#;
        check(&host().unreadable(hidden), &known(&format!("{rest} and maybe more: {loops}")));
    }

    #[test]
    fn text_that_is_no_utf_8_is_reported_with_replacements() {
        let host =
            FakeHost::new().folder("/sys/bus").file("/sys/devices/virtual/dmi/id/sys_vendor", b"A\xff\n");
        check(&host, &known("sys_vendor=\"A\u{fffd}\""));
    }
}
