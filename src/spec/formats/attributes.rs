//! What the names of the proposals' groups and domains stand for on a host.

use super::super::problem::Place;
use super::super::reader::{SpecReader, did_you_mean};
use super::super::{Expression, Group, Term, Test};
use super::build::{boolean, element, equals, escaped, hex, not, same_version, stated, term};
use super::labels;
use crate::words::text::{nearest, quoted};

/// How the CPUID instruction names vendors, and how Node Feature Discovery does.
const VENDORS: [(&str, &str); 5] = [
    ("GenuineIntel", "Intel"),
    ("AuthenticAMD", "AMD"),
    ("HygonGenuine", "Hygon"),
    ("CentaurHauls", "VIA"),
    ("VIA VIA VIA ", "VIA"),
];
/// Architectures as archspec, Go and Debian call them, and as the kernel does.
const ARCHITECTURES: [(&str, &str); 13] = [
    ("amd64", "x86_64"),
    ("x86_64", "x86_64"),
    ("arm64", "aarch64"),
    ("aarch64", "aarch64"),
    ("armv8a", "aarch64"),
    ("386", "i686"),
    ("i686", "i686"),
    ("arm", "armv7l"),
    ("ppc64le", "ppc64le"),
    ("s390x", "s390x"),
    ("riscv64", "riscv64"),
    ("loong64", "loongarch64"),
    ("loongarch64", "loongarch64"),
];
/// Of `org.supercontainers`, by its published schema and examples.
const SUPERCONTAINERS: [&str; 14] = [
    "mpi.implementation",
    "mpi.version",
    "mpi.portability.optimization",
    "mpi.portability.mode",
    "os.name",
    "os.release",
    "os.vendor",
    "os.version",
    "hardware.gpu.available",
    "hardware.gpu.enabled",
    "hardware.gpu.driver.version",
    "hardware.gpu.architecture",
    "hardware.gpu.cuda.version",
    "communication.framework",
];
/// Classes of display controllers that compute (PCI Code and ID Assignment, 1.4).
const DISPLAYS: [&str; 3] = ["0300", "0302", "0380"];
const ARCHSPEC: [&str; 3] = ["cpu.vendor", "cpu.target", "cpu.model"];
/// Of `org.opencontainers`; what follows a dot at the end is the author's choice.
const OPENCONTAINERS: [&str; 11] = [
    "hardware.cpu.vendor",
    "hardware.cpu.virtualization",
    "hardware.pci.class-id",
    "hardware.pci.vendor-id",
    "hardware.pci.device-id",
    "kernel.version",
    "kernel.configuration.",
    "kernel.cmdline.",
    "kernel.modules.",
    "os.id",
    "os.version",
];

/// The vendor of the processor, as the CPUID instruction names it.
pub(super) fn vendor(reader: &mut SpecReader, text: &str, at: Place) -> Option<Group> {
    let known = VENDORS.iter().find(|(signature, name)| *signature == text || *name == text);
    let near = nearest(text, VENDORS.iter().map(|(signature, _)| *signature));
    let name = match (known, near) {
        (Some((_, name)), _) => *name,
        (None, Some(near)) => {
            reader.problem(at, format!("no vendor is called {}; did you mean {near:?}?", quoted(text)));
            return None;
        }
        (None, None) => text,
    };
    Some(element("cpu.model", "vendor_id", equals(name), at))
}

/// A name of a group of proposals D and F.
pub(super) fn of_group(
    reader: &mut SpecReader,
    group: &str,
    name: &str,
    value: &str,
    at: Place,
) -> Option<Group> {
    match group {
        "nfd" | "io.kubernetes.nfd" => labels::label(reader, name, value, at),
        "io.archspec" => archspec(reader, name, value, at),
        "org.supercontainers" => supercontainers(reader, name, value, at),
        other => stated(reader, other, name, vec![equals(value)], at),
    }
}

fn archspec(reader: &mut SpecReader, name: &str, value: &str, at: Place) -> Option<Group> {
    match name.strip_prefix("cpu.").unwrap_or(name) {
        "vendor" => vendor(reader, value, at),
        "target" => match ARCHITECTURES.iter().find(|(it, _)| *it == value) {
            Some((_, kernel)) => Some(element("system.arch", "name", equals(kernel), at)),
            None if matches!(value, "x86_64_v2" | "x86_64_v3" | "x86_64_v4") => {
                Some(element("cpu.cpuid", &value.to_uppercase(), Test::Exists, at))
            }
            // A family of processors such as "haswell": hosts state it, as `archspec cpu` prints it.
            None => stated(reader, "io.archspec", "cpu.target", vec![equals(value)], at),
        },
        "model" => stated(reader, "io.archspec", "cpu.model", vec![equals(value)], at),
        _ => unknown(reader, "group io.archspec", name, &ARCHSPEC, at),
    }
}

fn supercontainers(reader: &mut SpecReader, name: &str, value: &str, at: Place) -> Option<Group> {
    let release = |key: &str| Some(element("system.osrelease", key, equals(value), at));
    match name {
        "os.name" => release("PRETTY_NAME"),
        "os.vendor" => release("ID"),
        "os.version" => release("VERSION_ID"),
        "os.release" => {
            // os-release has it as a word of its names only.
            let pattern = format!("(^|[^0-9.]){}($|[^0-9.])", escaped(value));
            match reader.budget.pattern(&pattern)? {
                Ok(pattern) => {
                    let named = Test::InRegexp(vec![pattern]);
                    let names = ["VERSION_ID", "VERSION", "PRETTY_NAME"].into_iter();
                    let any = names.map(|it| element("system.osrelease", it, named.clone(), at));
                    Some(Group::Any(any.collect()))
                }
                Err(message) => {
                    reader.problem(at, message);
                    None
                }
            }
        }
        "hardware.gpu.available" | "hardware.gpu.enabled" => {
            let wanted = match value {
                "yes" => true,
                "no" => false,
                other => boolean(reader, name, other, at)?,
            };
            let one_of = |all: &[&str]| Test::In(all.iter().map(|it| (*it).to_owned()).collect());
            let tests = vec![
                ("class".to_owned(), one_of(&DISPLAYS)),
                ("vendor".to_owned(), one_of(&["10de", "1002", "8086"])),
            ];
            let there = Group::Terms(vec![term("pci.device", tests, at)]);
            Some(if wanted { there } else { not(there) })
        }
        "hardware.gpu.driver.version" => {
            same_version(reader, value, at).map(|it| element("gpu.nvidia", "driver", it, at))
        }
        "hardware.gpu.cuda.version" => {
            same_version(reader, value, at).map(|it| element("gpu.nvidia", "cuda", it, at))
        }
        "hardware.gpu.architecture" => Some(element("gpu.nvidia", "arch", equals(value), at)),
        known if SUPERCONTAINERS.contains(&known) => {
            stated(reader, "org.supercontainers", name, vec![equals(value)], at)
        }
        _ => match nearest(name, SUPERCONTAINERS) {
            Some(_) => unknown(reader, "group org.supercontainers", name, &SUPERCONTAINERS, at),
            // Its schema may have grown.
            None => stated(reader, "org.supercontainers", name, vec![equals(value)], at),
        },
    }
}

fn unknown(reader: &mut SpecReader, what: &str, name: &str, known: &[&str], at: Place) -> Option<Group> {
    let hint = match did_you_mean(name, known.iter().copied()) {
        hint if hint.is_empty() => format!("; it has {}", known.join(", ")),
        hint => hint,
    };
    reader.problem(at, format!("{what} has no name {}{hint}", quoted(name)));
    None
}

/// The attributes of one compatibility of proposal B, which all have to hold; those of a PCI device for the same device.
pub(super) fn of_domain(
    reader: &mut SpecReader,
    domain: &str,
    attributes: &[(String, String, Place)],
) -> Option<Group> {
    let (mut groups, mut device) = (Vec::new(), None::<Term>);
    let mut is_whole = true;
    for (name, value, at) in attributes {
        if domain != "org.opencontainers" {
            let found = stated(reader, domain, name, vec![equals(value)], *at);
            is_whole &= found.is_some();
            groups.extend(found);
            continue;
        }
        let part = match name.as_str() {
            "hardware.pci.class-id" => "class",
            "hardware.pci.vendor-id" => "vendor",
            "hardware.pci.device-id" => "device",
            _ => {
                let found = opencontainers(reader, name, value, *at);
                is_whole &= found.is_some();
                groups.extend(found);
                continue;
            }
        };
        let Some(digits) = hex(reader, name, value, *at) else {
            is_whole = false;
            continue;
        };
        let term = device.get_or_insert_with(|| term("pci.device", Vec::new(), *at));
        let expression = Expression { test: equals(&digits), at: *at };
        term.expressions.get_or_insert_default().push((part.to_owned(), expression));
    }
    // One list of terms reads better than one for each.
    let mut terms: Vec<Term> = device.into_iter().collect();
    let mut others = Vec::new();
    for group in groups {
        if let Group::Terms(more) = group { terms.extend(more) } else { others.push(group) }
    }
    if !is_whole {
        return None;
    }
    if others.is_empty() {
        return Some(Group::Terms(terms));
    }
    let first = (!terms.is_empty()).then_some(Group::Terms(terms));
    let mut all: Vec<_> = first.into_iter().chain(others).collect();
    if all.len() == 1 { all.pop() } else { Some(Group::All(all)) }
}

fn opencontainers(reader: &mut SpecReader, name: &str, value: &str, at: Place) -> Option<Group> {
    if let Some(option) = name.strip_prefix("kernel.configuration.").filter(|it| !it.is_empty()) {
        let option = option.strip_prefix("CONFIG_").unwrap_or(option);
        return Some(match value {
            "n" => not(element("kernel.config", option, Test::Enabled, at)),
            _ => element("kernel.config", option, equals(value), at),
        });
    }
    if let Some(key) = name.strip_prefix("kernel.cmdline.").filter(|it| !it.is_empty()) {
        return Some(element("kernel.cmdline", key, equals(value), at));
    }
    if let Some(module) = name.strip_prefix("kernel.modules.").filter(|it| !it.is_empty()) {
        let test = if boolean(reader, name, value, at)? { Test::Exists } else { Test::DoesNotExist };
        return Some(element("kernel.enabledmodule", &module.replace('-', "_"), test, at));
    }
    match name {
        "hardware.cpu.vendor" => vendor(reader, value, at),
        "hardware.cpu.virtualization" => match value {
            "VT-x" => Some(element("cpu.cpuid", "VMX", Test::Exists, at)),
            "AMD-V" => Some(element("cpu.cpuid", "SVM", Test::Exists, at)),
            other => {
                let message = format!("`{name}` is {}, but has to be \"VT-x\" or \"AMD-V\"", quoted(other));
                reader.problem(at, message);
                None
            }
        },
        "kernel.version" => {
            same_version(reader, value, at).map(|it| element("kernel.version", "full", it, at))
        }
        "os.id" => Some(element("system.osrelease", "ID", equals(value), at)),
        "os.version" => Some(element("system.osrelease", "VERSION_ID", equals(value), at)),
        _ => unknown(reader, "domain org.opencontainers", name, &OPENCONTAINERS, at),
    }
}
