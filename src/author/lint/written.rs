//! Names and values in a spelling that hosts never have.

use super::LintFound;
use super::codes::LintCode::{ImpossibleValue, MisspelledName, UnknownElement};
use crate::host::FeatureInfo;
use crate::spec::Test;
use crate::words::text::nearest;

/// The file systems that people call by another name than the kernel.
const FILE_SYSTEMS: [(&str, &str); 5] = [
    ("overlayfs", "overlay"),
    ("binderfs", "binder"),
    ("fusefs", "fuse"),
    ("squash", "squashfs"),
    ("cgroupfs", "cgroup"),
];
/// The makers of CPUs as `/proc/cpuinfo` has them, and as Node Feature Discovery's facts do.
const MAKERS: [(&str, &str); 2] = [("GenuineIntel", "Intel"), ("AuthenticAMD", "AMD")];
/// What sysfs writes in hexadecimal, and we without its `0x`.
const IDS: [&str; 5] = ["vendor", "device", "class", "subsystem_vendor", "subsystem_device"];

/// What is wrong with how the name of an element is written.
pub(super) fn name(name: &str, info: &FeatureInfo, is_ours: bool) -> Option<LintFound> {
    let never = |what: &str, right: &str| {
        Some(LintFound::new(MisspelledName, format!("{what}: {name:?} is never there")).write(right))
    };
    match info.name {
        "kernel.loadedmodule" | "kernel.enabledmodule" if let Some(stem) = without_ending(name) => {
            never("modules are named without the ending of their file", &stem.replace('-', "_"))
        }
        // Here both are the same.
        "kernel.loadedmodule" | "kernel.enabledmodule" if name.contains('-') && !is_ours => {
            let what = "the kernel lists modules with underscores: Node Feature Discovery never finds";
            let found = LintFound::new(MisspelledName, format!("{what} {name:?}"));
            Some(found.write(&name.replace('-', "_")))
        }
        "kernel.moduleparam" if !name.contains('.') => Some(LintFound::new(
            MisspelledName,
            format!("parameters are named <module>.<parameter>: {name:?} is never found"),
        )),
        "cpu.flag" if let Some(level) = level(name) => {
            let what = "levels of x86-64 are no flags of the kernel";
            Some(LintFound::new(MisspelledName, what).help(format!("ask cpu.cpuid for {level:?}")))
        }
        "cpu.flag" if name.contains(|it: char| it.is_ascii_uppercase() || it == '-') => {
            let right = name.to_lowercase().replace('-', "_");
            never("the kernel writes CPU flags in lower case, with underscores", &right)
        }
        "cpu.cpuid" if name.contains(|it: char| it.is_ascii_lowercase() || it == '-') => {
            let right = name.to_uppercase().replace('-', "_");
            never("CPU flags are in upper case, with underscores", &right)
        }
        "kernel.config" => option(name),
        "kernel.sysctl" => {
            let right = name.strip_prefix("/proc/sys/").or_else(|| name.strip_prefix("proc/sys/"))?;
            never("settings are named as sysctl(8) does", &right.replace('/', "."))
        }
        "kernel.filesystem" => {
            let lower = name.to_lowercase();
            let right =
                FILE_SYSTEMS.iter().find(|(it, _)| *it == lower).map_or(lower.as_str(), |(_, it)| *it);
            if right == name { None } else { never("file systems are named as in /proc/filesystems", right) }
        }
        "kernel.capability" | "bundle.capability" if let Some(right) = capability(name, info) => {
            never("capabilities are in upper case, with CAP_", &right)
        }
        "memory.hugepages" if let Some(right) = page_size(name) => {
            never("sizes of pages are written as 2Mi and 1Gi", &right)
        }
        feature => unknown(name, feature, info.elements?),
    }
}

/// A kernel option that is written otherwise than in the kernel's configuration.
fn option(name: &str) -> Option<LintFound> {
    let right = name.strip_prefix("CONFIG_").unwrap_or(name).replace('-', "_");
    let right = if is_lower(&right) { right.to_uppercase() } else { right };
    let what = match () {
        () if right == name => return None,
        () if name.starts_with("CONFIG_") => "kernel options are named without CONFIG_",
        () if name.contains('-') => "kernel options are named with underscores",
        () => "kernel options are in upper case",
    };
    Some(LintFound::new(MisspelledName, format!("{what}: {name:?} is never there")).write(&right))
}

/// A name that the feature never has.
fn unknown(name: &str, feature: &str, elements: &[&str]) -> Option<LintFound> {
    if elements.contains(&name) {
        return None;
    }
    let same = |it: &&&str| it.eq_ignore_ascii_case(&name.replace('-', "_")) || it.eq_ignore_ascii_case(name);
    if let Some(right) = elements.iter().find(same) {
        let found = LintFound::new(MisspelledName, format!("{feature} has no element {name:?}"));
        return Some(found.write(right));
    }
    let found = LintFound::new(UnknownElement, format!("{feature} has no element {name:?}"));
    Some(match nearest(name, elements.iter().copied()) {
        Some(it) => found.help(format!("did you mean {it:?}?")),
        None => found.help(format!("it has {}", elements.join(", "))),
    })
}

/// A value that a host never has.
pub(super) fn value(name: &str, test: &Test, info: &FeatureInfo) -> Option<LintFound> {
    let (Test::In(values) | Test::NotIn(values)) = test else { return None };
    values.iter().find_map(|value| {
        let (why, right) = right_value(name, value, info)?;
        let why = why.map_or_else(String::new, |it| format!(": {it}"));
        let message = format!("{} {name} is never {value:?}{why}", info.name);
        let found = LintFound::new(ImpossibleValue, message).of_value(value);
        Some(match right {
            Some(right) => found.write(&right),
            None => found,
        })
    })
}

/// Why a host never has a value, and how it is written.
fn right_value(name: &str, value: &str, info: &FeatureInfo) -> Option<(Option<String>, Option<String>)> {
    let write = |it: &str| Some((None, Some(it.to_owned())));
    let why = |it: &str| Some((Some(it.to_owned()), None));
    match (info.name, name) {
        ("kernel.module", "name") => write(without_ending(value)?),
        ("cpu.model", "vendor_id") => write(MAKERS.iter().find(|(it, _)| *it == value)?.1),
        ("system.osrelease", "ID" | "VERSION_CODENAME") if value.contains(char::is_uppercase) => {
            write(&value.to_lowercase())
        }
        ("device.node", "path") if !value.starts_with("/dev/") => {
            if value.starts_with('/') {
                why("only nodes below /dev are known")
            } else {
                write(&format!("/dev/{}", value.strip_prefix("dev/").unwrap_or(value)))
            }
        }
        ("system.mount", "target") | ("bundle.mount", "destination") if !value.starts_with('/') => {
            write(&format!("/{value}"))
        }
        ("kernel.cgroup", "version") if let Some(right) = value.strip_prefix(['v', 'V']) => {
            if ["1", "2"].contains(&right) { write(right) } else { why("it is 1, 2 or hybrid") }
        }
        ("kernel.config", _) if ["yes", "true", "Y"].contains(&value) => write("y"),
        ("kernel.config", _) if ["no", "false", "n", "N"].contains(&value) => {
            why("an option that is off is not there, which DoesNotExist tells")
        }
        ("pci.device" | "usb.device", _) if IDS.contains(&name) => identifier(name, value),
        (feature, _) => {
            let known = super::values::known(feature, name)?;
            if known.contains(&value) {
                return None;
            }
            match known.iter().find(|it| it.eq_ignore_ascii_case(value)) {
                Some(right) => write(right),
                None => why(&format!("it is {}", one_of(known))),
            }
        }
    }
}

/// The digits as they are found, and why these never are.
fn identifier(name: &str, value: &str) -> Option<(Option<String>, Option<String>)> {
    let lower = value.to_lowercase();
    let digits = lower.strip_prefix("0x").unwrap_or(&lower);
    if digits.is_empty() || !digits.bytes().all(|it| it.is_ascii_hexdigit()) {
        return Some((Some("it is four hexadecimal digits, such as 10de".to_owned()), None));
    }
    let (right, why) = match digits.get(..4) {
        Some(first) if name == "class" && digits.len() == 6 => {
            (first.to_owned(), "it is four hexadecimal digits, the first of six, in lower case")
        }
        _ => (format!("{digits:0>4}"), "it is four hexadecimal digits, in lower case"),
    };
    (right != value).then(|| (Some(why.to_owned()), (right.len() == 4).then_some(right)))
}

/// `a, b or c`.
fn one_of(words: &[&str]) -> String {
    match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// The name of a module without the ending of its file; none if it has none.
fn without_ending(name: &str) -> Option<&str> {
    [".ko", ".ko.xz", ".ko.zst", ".ko.gz"].iter().find_map(|it| name.strip_suffix(it))
}

/// A level of x86-64 as `cpu.cpuid` names it.
fn level(name: &str) -> Option<String> {
    let upper = name.to_uppercase().replace('-', "_");
    let number = upper.strip_prefix("X86_64_V")?;
    matches!(number, "1" | "2" | "3" | "4").then_some(upper)
}

/// The name of a capability as the kernel's headers have it, of one that is written otherwise.
fn capability(name: &str, info: &FeatureInfo) -> Option<String> {
    let upper = name.to_uppercase().replace('-', "_");
    let right = if upper.starts_with("CAP_") { upper } else { format!("CAP_{upper}") };
    (right != name && info.elements?.contains(&right.as_str())).then_some(right)
}

fn is_lower(name: &str) -> bool {
    name.contains(|it: char| it.is_ascii_lowercase()) && !name.contains(|it: char| it.is_ascii_uppercase())
}

/// The name of an element of huge pages with its size as the kernel's facts have it; none if it is written so.
fn page_size(name: &str) -> Option<String> {
    let (start, size) = name.rsplit_once('-')?;
    let end = size.find(|it: char| !it.is_ascii_digit())?;
    let (number, unit) = size.split_at_checked(end)?;
    let unit = match unit.to_ascii_lowercase().as_str() {
        "g" | "gb" | "gi" | "gib" => "Gi",
        "m" | "mb" | "mi" | "mib" => "Mi",
        "k" | "kb" | "ki" | "kib" => match number {
            "2048" => return Some(format!("{start}-2Mi")),
            "1048576" => return Some(format!("{start}-1Gi")),
            _ => "Ki",
        },
        _ => return None,
    };
    let right = format!("{start}-{number}{unit}");
    (right != name && !number.is_empty()).then_some(right)
}

#[cfg(test)]
mod tests {
    use crate::author::lint::LintCode::MissingDescription;
    use crate::author::lint::{LintRemark, lint};
    use crate::spec::parse;

    /// The warnings about one term in our own language.
    fn check(feature: &str, expression: &str, expected: &str) {
        let term = format!("{{feature: {feature}, matchExpressions: {{{expression}}}}}");
        check_term(&term, &[expected]);
    }

    fn check_term(term: &str, expected: &[&str]) {
        let text =
            format!("version: oci-compat/v1\ncompatibilities:\n- rules:\n  - matchFeatures: [{term}]\n");
        let spec = parse(text.as_bytes()).unwrap_or_else(|err| panic!("{err}: {text}"));
        let found: Vec<_> =
            lint(&spec).iter().filter(|it| it.code != MissingDescription).map(LintRemark::sentence).collect();
        assert_eq!(found, expected, "{term}");
    }

    #[test]
    fn names_that_are_never_there_are_noticed() {
        let flags = "the kernel writes CPU flags in lower case, with underscores";
        check("cpu.flag", "AVX2: {op: Exists}", &format!("{flags}: \"AVX2\" is never there; write \"avx2\""));
        check(
            "cpu.flag",
            "sse4-2: {op: Exists}",
            &format!("{flags}: \"sse4-2\" is never there; write \"sse4_2\""),
        );
        check(
            "cpu.flag",
            "x86-64-v3: {op: Exists}",
            "levels of x86-64 are no flags of the kernel; ask cpu.cpuid for \"X86_64_V3\"",
        );
        for feature in ["kernel.loadedmodule", "kernel.enabledmodule"] {
            check(
                feature,
                "vfio-pci.ko.zst: {op: Exists}",
                "modules are named without the ending of their file: \"vfio-pci.ko.zst\" is never there; write \"vfio_pci\"",
            );
        }
        check(
            "kernel.config",
            "tun: {op: Enabled}",
            "kernel options are in upper case: \"tun\" is never there; write \"TUN\"",
        );
        check(
            "kernel.sysctl",
            "/proc/sys/vm/max_map_count: {op: Ge, value: [262144]}",
            "settings are named as sysctl(8) does: \"/proc/sys/vm/max_map_count\" is never there; write \"vm.max_map_count\"",
        );
        check(
            "kernel.filesystem",
            "OverlayFS: {op: Exists}",
            "file systems are named as in /proc/filesystems: \"OverlayFS\" is never there; write \"overlay\"",
        );
        check_term(
            "{feature: kernel.config, matchExpressions: {x86_64: {op: Enabled}}}",
            &["kernel options are in upper case: \"x86_64\" is never there; write \"X86_64\""],
        );
    }

    #[test]
    fn values_that_are_never_there_are_noticed() {
        let value = |feature: &str, name: &str, value: &str, expected: &str| {
            check(
                feature,
                &format!("{name}: {{op: In, value: [\"{value}\"]}}"),
                &format!("{feature} {name} is never {value:?}{expected}"),
            );
        };
        value("kernel.module", "name", "gtp5g.ko", "; write \"gtp5g\"");
        value("cpu.model", "vendor_id", "GenuineIntel", "; write \"Intel\"");
        value("system.osrelease", "ID", "Ubuntu", "; write \"ubuntu\"");
        value("device.node", "path", "net/tun", "; write \"/dev/net/tun\"");
        value("device.node", "path", "/sys/x", ": only nodes below /dev are known");
        value("system.mount", "target", "sys/fs/bpf", "; write \"/sys/fs/bpf\"");
        value("kernel.cgroup", "version", "v2", "; write \"2\"");
        value("kernel.cgroup", "version", "v3", ": it is 1, 2 or hybrid");
        value("kernel.config", "TUN", "yes", "; write \"y\"");
        let off = ": an option that is off is not there, which DoesNotExist tells";
        value("kernel.config", "TUN", "n", off);
        value("pci.device", "vendor", "NVIDIA", ": it is four hexadecimal digits, such as 10de");
    }

    #[test]
    fn a_name_and_its_value_may_both_be_wrong() {
        check_term(
            "{feature: kernel.config, matchExpressions: {CONFIG_TUN: {op: In, value: [\"yes\"]}}}",
            &[
                "kernel options are named without CONFIG_: \"CONFIG_TUN\" is never there; write \"TUN\"",
                "kernel.config CONFIG_TUN is never \"yes\"; write \"y\"",
            ],
        );
    }

    #[test]
    fn what_our_own_language_cannot_compare_is_noticed() {
        check(
            "memory.hugepages",
            "hugepages-1Gi: {op: Ge, type: quantity, value: [4Gi]}",
            "memory.hugepages hugepages-1Gi is a number of pages: a size is never what it is compared with",
        );
        let version = "is a version, so that this stays unknown; write `type: version`";
        check(
            "kernel.version",
            "full: {op: Ge, type: quantity, value: [5]}",
            &format!("kernel.version full {version}"),
        );
        check(
            "gpu.nvidia",
            "driver: {op: Ge, type: release, value: [4.18.0-553.el8]}",
            &format!("gpu.nvidia driver {version}"),
        );
        check(
            "kernel.version",
            "major: {op: Ge, type: release, value: [4.18.0-553.el8]}",
            "kernel.version major is a number, so that this stays unknown; ask `full`",
        );
        check(
            "system.osrelease",
            "ID: {op: Enabled}",
            "Enabled holds for y and m only, which system.osrelease ID hardly is",
        );
        check_term(
            "{feature: kernel.loadedmodule, matchExpressions: {tun: {op: Exists}}, count: {op: Ge, value: [2]}}",
            &["kernel.loadedmodule has no instances that could be counted, so that this stays unknown"],
        );
        check_term(
            "{feature: kernel.version, matchExpressions: {full: {op: Ge, type: release, value: [6.8.0-41]}}}",
            &[],
        );
    }
}
