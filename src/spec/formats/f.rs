//! Proposal F: groups of names and values, by the name of the group.

use super::super::Set;
use super::super::reader::SpecReader;
use super::super::yaml::YamlNode;
use super::attributes;
use super::build::{only_set, rule, value};
use crate::words::text::quoted;

pub(super) fn sets(reader: &mut SpecReader, document: &YamlNode) -> Option<Vec<Set>> {
    let fields = reader.fields(document, "a spec of proposal F", &["compatibilities"])?;
    let node = fields.get("compatibilities")?;
    let groups = reader.map(node, "`compatibilities` is", "a mapping of groups to their values")?;
    let mut rules = Vec::new();
    for (key, values) in groups {
        let Some(group) = reader.key(key) else { continue };
        let context = format!("group {} is", quoted(&group));
        let Some(pairs) = reader.map(values, &context, "a mapping of names to values") else { continue };
        for (name, said) in pairs {
            let Some(label) = reader.key(name) else { continue };
            let Some(text) = value(reader, &label, said) else { continue };
            if let Some(found) = attributes::of_group(reader, &group, &label, &text, name.at) {
                rules.push(rule(reader, &format!("{group}/{label}"), &format!("= {text}"), found, name.at));
            }
        }
    }
    Some(only_set(rules, node.at))
}
