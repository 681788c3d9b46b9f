//! Proposal B: compatibilities with ids, and graphs that relate them.

use std::collections::BTreeMap;

use super::super::problem::Place;
use super::super::reader::{Fields, SpecReader};
use super::super::yaml::YamlNode;
use super::super::{Group, Set};
use super::build::{only_set, rule, value};
use super::{attributes, graph};
use crate::words::text::quoted;

/// A compatibility, by its id.
#[derive(Debug)]
pub(super) struct Compatibility {
    pub(super) id: String,
    pub(super) at: Place,
    /// What it demands; none if there is a problem with that.
    pub(super) demands: Option<Group>,
}

pub(super) fn sets(reader: &mut SpecReader, document: &YamlNode) -> Option<Vec<Set>> {
    let spec = reader.fields(document, "a spec of proposal B", &["spec"])?;
    let node = spec.get("spec")?;
    let fields = reader.fields(node, "`spec`", &["compatibilities", "relations", "annotations"])?;
    let Some(listed) = fields.get("compatibilities") else {
        reader.problem(node.at, "`spec` needs `compatibilities`, the list of what has to hold");
        return None;
    };
    let items = reader.list(listed, "`compatibilities` is", "a list of compatibilities, each with `id`")?;
    let mut named: Vec<Compatibility> = Vec::with_capacity(items.len());
    let mut seen = BTreeMap::new();
    for item in items {
        let Some(one) = compatibility(reader, item) else { continue };
        match seen.insert(one.id.clone(), one.at) {
            Some(first) => {
                let id = quoted(&one.id);
                let message =
                    format!("the compatibility at {first} has the id {id} as well; each needs its own");
                reader.problem(one.at, message);
            }
            None => named.push(one),
        }
    }
    if let Some(relations) = fields.get("relations") {
        let rules = graph::rules(reader, relations, &named)?;
        return Some(only_set(rules, relations.at));
    }
    let mut rules = Vec::with_capacity(named.len());
    for Compatibility { id, at, demands } in named {
        rules.extend(demands.map(|it| rule(reader, &id, "", it, at)));
    }
    Some(only_set(rules, listed.at))
}

fn compatibility(reader: &mut SpecReader, node: &YamlNode) -> Option<Compatibility> {
    const FIELDS: [&str; 5] = ["id", "domain", "attributes", "annotations", "description"];
    let fields = reader.fields(node, "a compatibility", &FIELDS)?;
    let id = needed(reader, &fields, "id", "a name that is its own")?;
    let domain = needed(reader, &fields, "domain", "such as \"org.opencontainers\"");
    let Some(said) = fields.get("attributes") else {
        reader.problem(node.at, format!("compatibility {} needs `attributes`", quoted(&id)));
        return Some(Compatibility { id, at: node.at, demands: None });
    };
    let pairs = reader.map(said, "`attributes` is", "a mapping of names to values").unwrap_or_default();
    let mut values = Vec::with_capacity(pairs.len());
    for (key, said) in pairs {
        let Some(name) = reader.key(key) else { continue };
        values.extend(value(reader, &name, said).map(|it| (name, it, key.at)));
    }
    let is_whole = values.len() == pairs.len();
    let demands = domain.and_then(|it| attributes::of_domain(reader, &it, &values)).filter(|_| is_whole);
    Some(Compatibility { id, at: node.at, demands })
}

fn needed(reader: &mut SpecReader, fields: &Fields<'_>, name: &str, what: &str) -> Option<String> {
    let Some(node) = fields.get(name) else {
        reader.problem(fields.at, format!("a compatibility needs `{name}`, {what}"));
        return None;
    };
    let text = reader.text(node, &format!("`{name}` is"))?;
    if text.is_empty() {
        reader.problem(node.at, format!("`{name}` is empty; a compatibility needs it, {what}"));
        return None;
    }
    Some(text)
}
