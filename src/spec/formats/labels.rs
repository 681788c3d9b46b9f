//! Labels of Node Feature Discovery, without their prefix, and the features from which it makes them.
//!
//! Source: NFD, `source/*/*.go` (`GetLabels`) and `docs/usage/features.md`.

use super::super::problem::Place;
use super::super::reader::{SpecReader, did_you_mean};
use super::super::{Bound, Expression, Group, Term, Test};
use super::build::{element, equals, not, term};
use crate::words::text::quoted;

/// Beginnings of labels that stand for an attribute of the same name, and its feature.
const ATTRIBUTES: [(&str, &str); 9] = [
    ("cpu-cpuid.", "cpu.cpuid"),
    ("cpu-coprocessor.", "cpu.coprocessor"),
    ("cpu-pstate.", "cpu.pstate"),
    ("cpu-cstate.", "cpu.cstate"),
    ("cpu-security.", "cpu.security"),
    ("cpu-rdt.", "cpu.rdt"),
    ("cpu-model.", "cpu.model"),
    ("kernel-version.", "kernel.version"),
    ("system-os_release.", "system.osrelease"),
];
/// Whole labels that stand for one attribute.
const WHOLE: [(&str, &str, &str); 5] = [
    ("cpu-hardware_multithreading", "cpu.topology", "hardware_multithreading"),
    ("cpu-power.sst_bf.enabled", "cpu.sst", "bf.enabled"),
    ("kernel-selinux.enabled", "kernel.selinux", "enabled"),
    ("memory-numa", "memory.numa", "is_numa"),
    ("memory-swap", "memory.swap", "enabled"),
];
/// Whole labels that stand for a device.
const DEVICES: [&str; 5] = [
    "memory-nv.present",
    "memory-nv.dax",
    "network-sriov.capable",
    "network-sriov.configured",
    "storage-nonrotationaldisk",
];
/// What labels of NFD's own sources begin with.
const SOURCES: [&str; 8] = ["cpu-", "kernel-", "memory-", "network-", "pci-", "usb-", "storage-", "system-"];

/// What a label of this value says.
pub(super) fn label(reader: &mut SpecReader, name: &str, value: &str, at: Place) -> Option<Group> {
    let own = name.strip_prefix("feature.node.kubernetes.io/").unwrap_or(name);
    if let Some((_, feature, attribute)) = WHOLE.iter().find(|(label, ..)| *label == own) {
        return Some(valued(feature, attribute, value, at));
    }
    if let Some(option) = own.strip_prefix("kernel-config.").filter(|it| !it.is_empty()) {
        return Some(match value {
            "true" => element("kernel.config", option, Test::Enabled, at),
            "false" => not(element("kernel.config", option, Test::Enabled, at)),
            other => element("kernel.config", option, equals(other), at),
        });
    }
    let found = ATTRIBUTES.iter().find_map(|(start, feature)| Some((*feature, own.strip_prefix(start)?)));
    if let Some((feature, attribute)) = found.filter(|(_, it)| !it.is_empty()) {
        return Some(match (feature, value) {
            // Flags, and attributes that are true.
            ("cpu.cpuid", "true") => element(feature, attribute, Test::Exists, at),
            ("cpu.cpuid", "false") => element(feature, attribute, Test::DoesNotExist, at),
            _ => valued(feature, attribute, value, at),
        });
    }
    match device(own, at) {
        Some(there) => presence(reader, name, value, there, at),
        None if SOURCES.iter().any(|it| own.starts_with(it)) => {
            let whole = WHOLE.iter().map(|(label, ..)| *label).chain(DEVICES);
            let hint = match did_you_mean(own, whole) {
                hint if hint.is_empty() => {
                    "; a label of another source than its own needs another beginning".to_owned()
                }
                hint => hint,
            };
            reader.problem(at, format!("Node Feature Discovery makes no label {}{hint}", quoted(name)));
            None
        }
        // From a rule or a file of the site.
        None => Some(match value {
            "false" => not(element("local.label", name, Test::IsTrue, at)),
            other => element("local.label", name, equals(other), at),
        }),
    }
}

/// A label that is false is not there, or says so.
fn valued(feature: &str, attribute: &str, value: &str, at: Place) -> Group {
    match value {
        "true" => element(feature, attribute, Test::IsTrue, at),
        "false" => not(element(feature, attribute, Test::IsTrue, at)),
        other => element(feature, attribute, equals(other), at),
    }
}

fn presence(reader: &mut SpecReader, name: &str, value: &str, there: Group, at: Place) -> Option<Group> {
    match value {
        "true" => Some(there),
        "false" => Some(not(there)),
        other => {
            let message = format!("label `{name}` is {}, but can only be true or false", quoted(other));
            reader.problem(at, message);
            None
        }
    }
}

/// The device that a label stands for.
fn device(label: &str, at: Place) -> Option<Group> {
    let one = |feature: &str, name: &str, test| element(feature, name, test, at);
    match label {
        "memory-nv.present" => {
            let some = Expression { test: Test::Integer(Bound::Ge(1)), at };
            return Some(Group::Terms(vec![Term { count: Some(some), ..term("memory.nv", Vec::new(), at) }]));
        }
        "memory-nv.dax" => return Some(one("memory.nv", "devtype", equals("nd_dax"))),
        "network-sriov.capable" => {
            return Some(one("network.device", "sriov_totalvfs", Test::Integer(Bound::Gt(0))));
        }
        "network-sriov.configured" => {
            return Some(one("network.device", "sriov_numvfs", Test::Integer(Bound::Gt(0))));
        }
        "storage-nonrotationaldisk" => return Some(one("storage.block", "rotational", equals("0"))),
        _ => {}
    }
    let (feature, ids) = label
        .strip_prefix("pci-")
        .map(|it| ("pci.device", it))
        .or_else(|| Some(("usb.device", label.strip_prefix("usb-")?)))?;
    let (ids, has_functions) = match (ids.strip_suffix(".present"), ids.strip_suffix(".sriov.capable")) {
        (Some(ids), _) => (ids, false),
        (None, Some(ids)) if feature == "pci.device" => (ids, true),
        (None, _) => return None,
    };
    let ids: Vec<_> = ids.split('_').collect();
    if ids.iter().any(|it| it.is_empty() || !it.bytes().all(|it| it.is_ascii_hexdigit())) {
        return None;
    }
    // The names of the default `deviceLabelFields`, and with the device's own.
    let names: &[&str] = match (feature, ids.len()) {
        ("pci.device", 2) => &["class", "vendor"],
        ("pci.device", 3) | ("usb.device", 3) => &["class", "vendor", "device"],
        ("pci.device", 1) => &["vendor"],
        _ => return None,
    };
    let mut tests: Vec<_> = names
        .iter()
        .zip(ids)
        .map(|(name, id)| ((*name).to_owned(), equals(&id.to_ascii_lowercase())))
        .collect();
    if has_functions {
        tests.push(("sriov_totalvfs".to_owned(), Test::Integer(Bound::Gt(0))));
    }
    Some(Group::Terms(vec![term(feature, tests, at)]))
}
