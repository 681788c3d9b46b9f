//! `usb.device`: the devices on the USB bus. Wakes none of them.

use std::collections::BTreeMap;

use super::values::{ValuesReading, value};
use super::{ElementKind, Fact, FeatureInfo, Instance, Probing, Wanted};

pub(super) const FEATURE: FeatureInfo = FeatureInfo {
    name: "usb.device",
    kinds: &[ElementKind::Instances],
    meaning: "the USB devices; numbers are hexadecimal in lower case. A device whose interfaces have their own classes is \
        listed once per interface",
    read: "/sys/bus/usb/devices/*",
    nfd: true,
    elements: Some(&["class", "vendor", "device", "serial"]),
    absent: "no such device; on an instance: the device does not report it",
    since: "always",
    example: "feature: usb.device\n  matchExpressions:\n    vendor: {op: In, value: [\"1050\"]}",
    key: None,
    sensitive: &["serial"],
    beyond_nfd: &[],
    probe,
};

const FOLDER: &str = "/sys/bus/usb/devices";
/// Every device has it, and nothing else: interfaces are in the same folder.
const PRODUCT: &str = "idProduct";
const OTHERS: [(&str, &str); 2] = [("vendor", "idVendor"), ("serial", "serial")];
/// The class of a device that leaves it to its interfaces (USB 2.0 specification, table 9-8).
const BY_INTERFACE: &str = "00";

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let names = match probing.list(FOLDER) {
        // The bus is there as soon as `usbcore` is.
        Ok(names) => names.unwrap_or_default(),
        Err(unknown) => return Fact::Unknown(unknown),
    };
    let mut reading = ValuesReading::new(probing, wanted);
    let mut found = Vec::new();
    for name in names.iter().filter(|it| !is_interface(it)) {
        device(&mut reading, &format!("{FOLDER}/{name}"), &mut found);
    }
    reading.instances(found, FOLDER)
}

/// Interfaces are called `1-2:1.0`, and nothing else has a colon (`usb_set_configuration`).
fn is_interface(name: &str) -> bool {
    name.contains(':')
}

fn device(reading: &mut ValuesReading<'_>, folder: &str, found: &mut Vec<Instance>) {
    let product = value(reading.probing, &format!("{folder}/{PRODUCT}"));
    let Some(product) = reading.note(product) else { return };
    let mut attributes = reading.values(folder, &OTHERS);
    attributes.insert("device".to_owned(), product);
    // It decides how often the device is listed, even if no rule asks for it.
    let class = value(reading.probing, &format!("{folder}/bDeviceClass"));
    let class = reading.note(class).unwrap_or_default();
    if class == BY_INTERFACE {
        interfaces(reading, folder, &attributes, found);
    } else {
        found.push(instance(&attributes, class, folder));
    }
}

fn interfaces(
    reading: &mut ValuesReading<'_>,
    folder: &str,
    attributes: &BTreeMap<String, String>,
    found: &mut Vec<Instance>,
) {
    let names = reading.probing.list(folder);
    for name in reading.note(names).unwrap_or_default().iter().filter(|it| is_interface(it)) {
        let read = format!("{folder}/{name}");
        let class = value(reading.probing, &format!("{read}/bInterfaceClass"));
        if let Some(class) = reading.note(class) {
            found.push(instance(attributes, class, &read));
        }
    }
}

/// NFD leaves out what is empty.
fn instance(attributes: &BTreeMap<String, String>, class: String, read: &str) -> Instance {
    let mut attributes = attributes.clone();
    attributes.insert("class".to_owned(), class);
    attributes.retain(|_, value| !value.is_empty());
    Instance { attributes, read: Some(read.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    const KEY: &str = "/sys/bus/usb/devices/1-2";

    fn check(host: FakeHost, expected: &str) {
        assert_eq!(told(&host, FEATURE.name), expected);
    }

    fn known(rest: &str) -> String {
        format!("known (/sys/bus/usb/devices): {rest}")
    }

    fn with_device(host: FakeHost, folder: &str, class: &str) -> FakeHost {
        host.file(&format!("{folder}/idProduct"), "0407\n")
            .file(&format!("{folder}/idVendor"), "1050\n")
            .file(&format!("{folder}/bDeviceClass"), format!("{class}\n"))
    }

    fn host(class: &str) -> FakeHost {
        with_device(FakeHost::new(), KEY, class)
    }

    #[test]
    fn a_device_with_a_class_stands_there_once() {
        let hub = with_device(FakeHost::new(), "/sys/bus/usb/devices/usb1", "09")
            .file("/sys/bus/usb/devices/usb1/serial", "0000:00:14.0\n")
            .file("/sys/bus/usb/devices/usb1/1-0:1.0/bInterfaceClass", "09\n")
            .file("/sys/bus/usb/devices/1-0:1.0/bInterfaceClass", "09\n")
            .file("/sys/bus/usb/devices/1-3/bDeviceClass", "09\n");
        let told = "class=09 device=0407 serial=0000:00:14.0 vendor=1050";
        check(hub, &known(&format!("[/sys/bus/usb/devices/usb1: {told}]")));
    }

    #[test]
    fn a_device_without_a_class_stands_there_once_per_interface() {
        let host = host("00")
            .file(&format!("{KEY}/1-2:1.1/bInterfaceClass"), "0b\n")
            .file(&format!("{KEY}/1-2:1.0/bInterfaceClass"), "03\n")
            .file(&format!("{KEY}/1-2:1.2/bInterfaceClass"), "03\n")
            .folder(&format!("{KEY}/1-2:1.3"))
            .folder(&format!("{KEY}/power"));
        let told = |interface: u8, class| {
            format!("[{KEY}/1-2:1.{interface}: class={class} device=0407 vendor=1050]")
        };
        let all = [told(0, "03"), told(1, "0b"), told(2, "03")].join(" ");
        check(host, &known(&all));
        check(self::host("00"), &known(""));
    }

    #[test]
    fn a_host_without_devices_has_none() {
        check(FakeHost::new().folder("/sys/bus"), &known(""));
        check(FakeHost::new().folder(FOLDER), &known(""));
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        let nothing = "is not there, and nor is the rest of its file system";
        check(FakeHost::new(), &format!("unknown: /sys/bus/usb/devices: {nothing}"));
        let loops = "is a loop of symbolic links";
        check(FakeHost::new().unreadable(FOLDER), &format!("unknown: /sys/bus/usb/devices: {loops}"));
        let device = FakeHost::new().unreadable(&format!("{KEY}/idProduct"));
        check(device, &known(&format!("and maybe more: {KEY}/idProduct: {loops}")));
        let class = format!("{KEY}/1-2:1.0/bInterfaceClass");
        check(host("00").unreadable(&class), &known(&format!("and maybe more: {class}: {loops}")));
    }

    #[test]
    fn what_is_empty_is_left_out() {
        let host = host("").file(&format!("{KEY}/serial"), " \n");
        check(host, &known(&format!("[{KEY}: device=0407 vendor=1050]")));
    }

    #[test]
    fn a_serial_number_that_is_not_wanted_is_not_read() {
        let host = host("03").unreadable(&format!("{KEY}/serial"));
        let told = told_of(&host, FEATURE.name, wanted(&["device"]));
        assert_eq!(told, known(&format!("[{KEY}: class=03 device=0407]")));
    }
}
