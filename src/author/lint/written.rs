//! Names and values in a spelling that hosts never have.

use crate::host::{ElementKind, FeatureInfo};
use crate::spec::Test;

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

/// What is wrong with how the name of an element is written.
pub(super) fn name(name: &str, info: &FeatureInfo) -> Option<String> {
    let never = |what: &str, right: &str| Some(format!("{what}: {name:?} is never there, write {right:?}"));
    match info.name {
        "kernel.loadedmodule" | "kernel.enabledmodule" => {
            let right = without_ending(name)?.replace('-', "_");
            never("modules are named without the ending of their file", &right)
        }
        "cpu.flag" if let Some(level) = level(name) => {
            Some(format!("levels of x86-64 are no flags of the kernel: ask cpu.cpuid for {level:?}"))
        }
        "cpu.flag" if name.contains(|it: char| it.is_ascii_uppercase() || it == '-') => {
            let right = name.to_lowercase().replace('-', "_");
            never("the kernel writes CPU flags in lower case, with underscores", &right)
        }
        "kernel.config" if !name.contains('-') && is_lower(name) => {
            never("kernel options are in upper case", &name.to_uppercase())
        }
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
        _ => None,
    }
}

/// What is wrong with a value that is asked of an element.
pub(super) fn value(name: &str, test: &Test, info: &FeatureInfo) -> Option<String> {
    let place = format!("{} {name}", info.name);
    let is_quantity = matches!(test, Test::Quantity(_));
    let is_release = matches!(test, Test::Release(_));
    if is_quantity && counts(name, info) {
        return Some(format!("{place} is a number of pages: a size is never what it is compared with"));
    }
    if (is_quantity || is_release) && is_version(name, info, test) {
        return Some(format!("{place} is a version, so that this stays unknown; write `type: version`"));
    }
    if is_release && info.name == "kernel.version" && name != "full" {
        return Some(format!("{place} is a number, so that this stays unknown; ask `full`"));
    }
    if matches!(test, Test::Enabled) && info.name != "kernel.config" {
        return Some(format!("Enabled holds for y and m only, which {place} hardly is"));
    }
    let (Test::In(values) | Test::NotIn(values)) = test else { return None };
    values.iter().find_map(|value| {
        let right = right_value(name, value, info)?;
        Some(format!("{place} is never {value:?}{right}"))
    })
}

/// How a value that a host never has is written, as the end of a sentence.
fn right_value(name: &str, value: &str, info: &FeatureInfo) -> Option<String> {
    let write = |it: &str| Some(format!(", write {it:?}"));
    match (info.name, name) {
        ("kernel.module", "name") => write(without_ending(value)?),
        ("cpu.model", "vendor_id") => write(MAKERS.iter().find(|(it, _)| *it == value)?.1),
        ("system.osrelease", "ID" | "VERSION_CODENAME") if value.contains(char::is_uppercase) => {
            write(&value.to_lowercase())
        }
        ("device.node", "path") if !value.starts_with("/dev/") => {
            if value.starts_with('/') {
                Some(": only nodes below /dev are known".to_owned())
            } else {
                write(&format!("/dev/{}", value.strip_prefix("dev/").unwrap_or(value)))
            }
        }
        ("system.mount", "target") | ("bundle.mount", "destination") if !value.starts_with('/') => {
            write(&format!("/{value}"))
        }
        ("kernel.cgroup", "version") if !["1", "2", "hybrid"].contains(&value) => {
            Some(": it is 1, 2 or hybrid".to_owned())
        }
        ("kernel.config", _) if ["yes", "true", "Y"].contains(&value) => write("y"),
        ("kernel.config", _) if ["no", "false", "n", "N"].contains(&value) => {
            Some(": an option that is off is not there, which DoesNotExist tells".to_owned())
        }
        ("pci.device" | "usb.device", "vendor" | "device" | "class") => {
            let is_hex = value.bytes().all(|it| it.is_ascii_hexdigit() || it == b'x' || it == b'X');
            (!is_hex).then(|| ": it is four hexadecimal digits, such as 10de".to_owned())
        }
        _ => None,
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

fn is_lower(name: &str) -> bool {
    name.contains(|it: char| it.is_ascii_lowercase()) && !name.contains(|it: char| it.is_ascii_uppercase())
}

fn counts(name: &str, info: &FeatureInfo) -> bool {
    info.name == "memory.hugepages" && name != "enabled"
}

/// Whether a version is compared as something else; the kernel's release is one that builds have as well.
fn is_version(name: &str, info: &FeatureInfo, test: &Test) -> bool {
    let is_release = matches!(test, Test::Release(_)) && info.name == "kernel.version";
    !is_release && super::VERSIONS.contains(&(info.name, name))
}

/// Whether nothing of a feature can be counted.
pub(super) fn cannot_be_counted(info: &FeatureInfo) -> bool {
    !info.kinds.contains(&ElementKind::Instances)
}

#[cfg(test)]
mod tests {
    use crate::author::lint::lint;
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
        let found: Vec<_> = lint(&spec).into_iter().map(|it| it.message).collect();
        assert_eq!(found, expected, "{term}");
    }

    #[test]
    fn names_that_are_never_there_are_noticed() {
        let flags = "the kernel writes CPU flags in lower case, with underscores";
        check("cpu.flag", "AVX2: {op: Exists}", &format!("{flags}: \"AVX2\" is never there, write \"avx2\""));
        check(
            "cpu.flag",
            "sse4-2: {op: Exists}",
            &format!("{flags}: \"sse4-2\" is never there, write \"sse4_2\""),
        );
        check(
            "cpu.flag",
            "x86-64-v3: {op: Exists}",
            "levels of x86-64 are no flags of the kernel: ask cpu.cpuid for \"X86_64_V3\"",
        );
        for feature in ["kernel.loadedmodule", "kernel.enabledmodule"] {
            check(
                feature,
                "vfio-pci.ko.zst: {op: Exists}",
                "modules are named without the ending of their file: \"vfio-pci.ko.zst\" is never there, write \"vfio_pci\"",
            );
        }
        check(
            "kernel.config",
            "tun: {op: Enabled}",
            "kernel options are in upper case: \"tun\" is never there, write \"TUN\"",
        );
        check(
            "kernel.sysctl",
            "/proc/sys/vm/max_map_count: {op: Ge, value: [262144]}",
            "settings are named as sysctl(8) does: \"/proc/sys/vm/max_map_count\" is never there, write \"vm.max_map_count\"",
        );
        check(
            "kernel.filesystem",
            "OverlayFS: {op: Exists}",
            "file systems are named as in /proc/filesystems: \"OverlayFS\" is never there, write \"overlay\"",
        );
        check_term(
            "{feature: kernel.config, matchExpressions: {x86_64: {op: Enabled}}}",
            &["kernel options are in upper case: \"x86_64\" is never there, write \"X86_64\""],
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
        value("kernel.module", "name", "gtp5g.ko", ", write \"gtp5g\"");
        value("cpu.model", "vendor_id", "GenuineIntel", ", write \"Intel\"");
        value("system.osrelease", "ID", "Ubuntu", ", write \"ubuntu\"");
        value("device.node", "path", "net/tun", ", write \"/dev/net/tun\"");
        value("device.node", "path", "/sys/x", ": only nodes below /dev are known");
        value("system.mount", "target", "sys/fs/bpf", ", write \"/sys/fs/bpf\"");
        value("kernel.cgroup", "version", "v2", ": it is 1, 2 or hybrid");
        value("kernel.config", "TUN", "yes", ", write \"y\"");
        let off = ": an option that is off is not there, which DoesNotExist tells";
        value("kernel.config", "TUN", "n", off);
        value("pci.device", "vendor", "NVIDIA", ": it is four hexadecimal digits, such as 10de");
    }

    #[test]
    fn a_name_and_its_value_may_both_be_wrong() {
        check_term(
            "{feature: kernel.config, matchExpressions: {CONFIG_TUN: {op: In, value: [\"yes\"]}}}",
            &[
                "kernel options are named without CONFIG_: write \"TUN\"",
                "kernel.config CONFIG_TUN is never \"yes\", write \"y\"",
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
