//! Proposal D: named groups of names and values, each with the version of its schema. Schemas are never fetched.

use std::collections::BTreeMap;

use super::super::problem::Place;
use super::super::reader::SpecReader;
use super::super::yaml::YamlNode;
use super::super::{Rule, Set};
use super::attributes;
use super::build::{only_set, rule, value};
use crate::words::text::quoted;

const KIND: &str = "CompatibilitySpec";

pub(super) fn sets(reader: &mut SpecReader, document: &YamlNode) -> Option<Vec<Set>> {
    const FIELDS: [&str; 4] = ["version", "kind", "metadata", "compatibilities"];
    let fields = reader.fields(document, "a spec of proposal D", &FIELDS)?;
    match fields.get("kind").map(|it| (it.at, reader.text(it, "`kind` is"))) {
        None => reader.problem(document.at, "a spec of proposal D needs `kind: CompatibilitySpec`"),
        Some((at, Some(kind))) if kind != KIND => {
            reader.problem(at, format!("`kind` is {}, but has to be {KIND:?}", quoted(&kind)));
        }
        Some(_) => {}
    }
    let Some(node) = fields.get("compatibilities") else {
        reader.problem(document.at, "a spec of proposal D needs `compatibilities`, the list of groups");
        return None;
    };
    let groups =
        reader.list(node, "`compatibilities` is", "a list of groups, each with `name` and `annotations`")?;
    let mut rules = Vec::new();
    let mut seen = BTreeMap::new();
    for group in groups {
        rules.extend(self::group(reader, group, &mut seen).unwrap_or_default());
    }
    Some(only_set(rules, node.at))
}

fn group(reader: &mut SpecReader, node: &YamlNode, seen: &mut BTreeMap<String, Place>) -> Option<Vec<Rule>> {
    const FIELDS: [&str; 5] = ["name", "version", "schema", "jsonSchema", "annotations"];
    let fields = reader.fields(node, "a group", &FIELDS)?;
    let Some(named) = fields.get("name") else {
        reader.problem(node.at, "a group needs `name`, such as \"io.archspec\"");
        return None;
    };
    let name = reader.text(named, "`name` is")?;
    if let Some(first) = seen.insert(name.clone(), named.at) {
        let message =
            format!("group {} stands at {first} as well; put its annotations together", quoted(&name));
        reader.problem(named.at, message);
        return None;
    }
    let Some(annotations) = fields.get("annotations") else {
        reader.problem(node.at, "a group needs `annotations`, its names and values");
        return None;
    };
    let pairs = reader.map(annotations, "`annotations` is", "a mapping of names to values")?;
    let mut rules = Vec::new();
    for (key, said) in pairs {
        let Some(attribute) = reader.key(key) else { continue };
        let Some(text) = value(reader, &attribute, said) else { continue };
        if let Some(found) = attributes::of_group(reader, &name, &attribute, &text, key.at) {
            rules.push(rule(reader, &format!("{name}/{attribute}"), &format!("= {text}"), found, key.at));
        }
    }
    Some(rules)
}
