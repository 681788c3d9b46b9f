//! A first spec, with comments, for what images often need. Each is one that `lint` has nothing to say about.

#[cfg(test)]
mod tests;

use super::lint::fix::fix;
use super::lint::{RemarkLevel, SpecText, check};

/// What a draft is about.
#[derive(Debug, Clone, Copy)]
pub struct DraftKind {
    /// Its name.
    pub name: &'static str,
    /// What the image needs.
    pub about: &'static str,
    /// What the author may say: what it is, and what is written otherwise.
    pub value: Option<(&'static str, &'static str)>,
    text: &'static str,
}

const fn kind(
    name: &'static str,
    about: &'static str,
    value: Option<(&'static str, &'static str)>,
    text: &'static str,
) -> DraftKind {
    DraftKind { name, about, value, text }
}

/// All kinds, in the order of the menu.
pub const DRAFTS: &[DraftKind] = &[
    kind(
        "kernel",
        "a kernel of this version, or of RHEL 8.10",
        Some(("VERSION", "5.10")),
        include_str!("kernel.yaml"),
    ),
    kind("kernel-module", "a kernel module", Some(("NAME", "gtp5g")), include_str!("kernel-module.yaml")),
    kind("cpu", "a level of x86-64", Some(("LEVEL", "X86_64_V3")), include_str!("cpu.yaml")),
    kind(
        "gpu",
        "an NVIDIA GPU with a driver of this version",
        Some(("VERSION", "550")),
        include_str!("gpu.yaml"),
    ),
    kind("gpu-amd", "an AMD GPU of this architecture", Some(("GFX", "gfx90a")), include_str!("gpu-amd.yaml")),
    kind("dpdk", "DPDK: huge pages, a port of its own, an IOMMU", None, include_str!("dpdk.yaml")),
    kind("sriov", "two virtual functions, and huge pages of 1 GiB", None, include_str!("sriov.yaml")),
    kind("bpf", "BPF programs that fit any kernel with BTF", None, include_str!("bpf.yaml")),
    kind("kvm", "virtual machines", None, include_str!("kvm.yaml")),
    kind("device", "a device node", Some(("PATH", "/dev/fuse")), include_str!("device.yaml")),
    kind(
        "sysctl",
        "a kernel setting that is large enough",
        Some(("NAME=NUMBER", "vm.max_map_count=262144")),
        include_str!("sysctl.yaml"),
    ),
];

/// Writes a draft; `value` stands for what is written otherwise.
///
/// # Errors
///
/// Why the value does not fit, in one sentence.
pub fn draft(kind: &DraftKind, value: Option<&str>) -> Result<String, String> {
    let value = match (kind.value, value) {
        (None, Some(value)) => return Err(format!("`init {}` takes no value, but has {value:?}", kind.name)),
        (None, None) => "",
        (Some((_, usual)), value) => value.unwrap_or(usual),
    };
    let takes_number = kind.text.contains("@NUMBER@");
    let is_plain =
        |it: char| it.is_ascii_alphanumeric() || "._-/:".contains(it) || (it == '=' && takes_number);
    if !value.chars().all(is_plain) || (kind.value.is_some() && value.is_empty()) {
        return Err(format!("{value:?} is no {}: it has letters, digits and ._-/:", what(kind)));
    }
    let (name, number) = value.split_once('=').unwrap_or((value, ""));
    let is_number = !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit());
    if takes_number && !is_number {
        return Err(format!("{value:?} is no {}, such as vm.max_map_count=262144", what(kind)));
    }
    let text = kind.text.replace("@VALUE@", name).replace("@NUMBER@", number);
    let text = fix(&text).text;
    let remarks = check(text.as_bytes(), &SpecText::new(&text));
    match remarks.iter().find(|it| it.level() != RemarkLevel::Note) {
        Some(remark) => Err(format!("{value:?} is no {}: {}", what(kind), remark.sentence())),
        None => Ok(text),
    }
}

fn what(kind: &DraftKind) -> &'static str {
    kind.value.map_or("value", |(what, _)| what)
}
