//! Proposal H: alternatives, each a flat mapping of keys to text, with intervals of versions and a score.

use super::super::problem::Place;
use super::super::reader::{SpecReader, did_you_mean};
use super::super::yaml::{YamlNode, YamlValue};
use super::super::{Group, Rule, Set, Test};
use super::build::{boolean, element, equals, hex, rule, stated, term, value};
use super::{attributes, interval};
use crate::words::text::quoted;

/// The keys of a set, except those of software, `oci.os.NAME`.
const KEYS: [&str; 10] = [
    "oci.cpu.vendor",
    "oci.cpu.features",
    "oci.kernel.versions",
    "oci.kernel.selinux",
    "oci.kernel.configurations",
    "oci.pci.devices",
    "oci.os.glibc",
    "oci.compatibility-score",
    "compatibility-score",
    "description",
];
const SCORES: [&str; 2] = ["oci.compatibility-score", "compatibility-score"];
/// Libraries and other software of the host: `oci.os.openmpi`.
const SOFTWARE: &str = "oci.os.";

pub(super) fn sets(reader: &mut SpecReader, document: &YamlNode) -> Option<Vec<Set>> {
    let fields = reader.fields(document, "a spec of proposal H", &["compatibilities"])?;
    let items = reader.list(fields.get("compatibilities")?, "`compatibilities` is", "a list of sets")?;
    Some(items.iter().filter_map(|it| set(reader, it)).collect())
}

fn set(reader: &mut SpecReader, node: &YamlNode) -> Option<Set> {
    let pairs = reader.map(node, "a set is", "a mapping of keys such as `oci.kernel.versions`")?;
    let mut set =
        Set { tag: String::new(), weight: 0, description: String::new(), rules: Vec::new(), at: node.at };
    let mut scored: Option<Place> = None;
    for (key, said) in pairs {
        let Some(name) = reader.key(key) else { continue };
        if SCORES.contains(&name.as_str()) {
            set.weight = score(reader, &name, said).unwrap_or(0);
            if let Some(first) = scored.replace(key.at) {
                reader.problem(key.at, format!("the set has a score already, at {first}; remove one"));
            }
        } else if name == "description" {
            set.description = reader.words(said, "`description` is").unwrap_or_default();
        } else if let Some(text) = value(reader, &name, said) {
            set.rules.extend(one(reader, &name, &text, key.at));
        }
    }
    Some(set)
}

/// A number, with quotes or without.
fn score(reader: &mut SpecReader, name: &str, node: &YamlNode) -> Option<i64> {
    if let YamlValue::Text(text) = &node.value
        && let Ok(number) = text.trim().parse()
    {
        return Some(number);
    }
    reader.integer(node, &format!("`{name}` is"))
}

/// The rule of one key.
fn one(reader: &mut SpecReader, name: &str, text: &str, at: Place) -> Option<Rule> {
    let group = match name {
        "oci.cpu.vendor" => attributes::vendor(reader, text, at)?,
        "oci.cpu.features" => {
            let flags = items(reader, name, text, at)?;
            let flags = flags.into_iter().map(|it| (it.to_ascii_uppercase(), Test::Exists)).collect();
            Group::Terms(vec![term("cpu.cpuid", flags, at)])
        }
        "oci.kernel.versions" => versions(reader, "kernel.version", "full", text, at)?,
        "oci.kernel.selinux" => {
            let wanted = boolean(reader, name, text, at)?;
            element("kernel.selinux", "enabled", if wanted { Test::IsTrue } else { Test::IsFalse }, at)
        }
        "oci.kernel.configurations" => {
            let options = items(reader, name, text, at)?.into_iter();
            let options = options.map(|it| (it.trim_start_matches("CONFIG_").to_owned(), Test::Enabled));
            Group::Terms(vec![term("kernel.config", options.collect(), at)])
        }
        "oci.pci.devices" => devices(reader, name, text, at)?,
        "oci.os.glibc" => {
            let mut tests = vec![("name".to_owned(), equals("glibc"))];
            let versions = interval::tests(reader, text, at)?;
            tests.extend(versions.into_iter().map(|it| ("version".to_owned(), it)));
            Group::Terms(vec![term("system.libc", tests, at)])
        }
        other => match other.strip_prefix(SOFTWARE) {
            Some(software) if !software.is_empty() => {
                let tests = interval::tests(reader, text, at)?;
                stated(reader, "oci.os", software, tests, at)?
            }
            Some(_) | None => {
                let hint = match did_you_mean(other, KEYS) {
                    hint if hint.is_empty() => {
                        format!("; it has {}, and `oci.os.NAME` for versions of software", KEYS.join(", "))
                    }
                    hint => hint,
                };
                reader.problem(at, format!("a set has no key {}{hint}", quoted(other)));
                return None;
            }
        },
    };
    Some(rule(reader, name, text, group, at))
}

fn versions(reader: &mut SpecReader, feature: &str, name: &str, text: &str, at: Place) -> Option<Group> {
    let tests = interval::tests(reader, text, at)?;
    let tests = tests.into_iter().map(|it| (name.to_owned(), it)).collect();
    Some(Group::Terms(vec![term(feature, tests, at)]))
}

/// The parts of a list that ends in a comma, or not; at least one.
fn items<'a>(reader: &mut SpecReader, name: &str, text: &'a str, at: Place) -> Option<Vec<&'a str>> {
    let list = text.trim().strip_suffix(',').unwrap_or(text.trim());
    let parts: Vec<_> = list.split(',').map(str::trim).collect();
    if parts.iter().any(|it| it.is_empty() || it.contains(char::is_whitespace)) {
        let message = format!("`{name}` is {}, but has to be names with commas between them", quoted(text));
        reader.problem(at, message);
        return None;
    }
    Some(parts)
}

/// Each device has to be there.
fn devices(reader: &mut SpecReader, name: &str, text: &str, at: Place) -> Option<Group> {
    let parts = items(reader, name, text, at)?;
    let mut terms = Vec::with_capacity(parts.len());
    for part in parts {
        let Some((vendor, device)) = part.split_once('.') else {
            let message = format!(
                "{} is not a device, such as \"15B3.020D\": its vendor and its number, each four hexadecimal digits",
                quoted(part)
            );
            reader.problem(at, message);
            return None;
        };
        let (vendor, device) = (hex(reader, name, vendor, at)?, hex(reader, name, device, at)?);
        let tests = vec![("vendor".to_owned(), equals(&vendor)), ("device".to_owned(), equals(&device))];
        terms.push(term("pci.device", tests, at));
    }
    Some(Group::Terms(terms))
}
