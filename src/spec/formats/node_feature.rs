//! NodeFeatureRule and NodeFeatureGroup, objects of Node Feature Discovery whose rules are those of its specs.
//!
//! Source: NFD, `api/nfd/v1alpha1/types.go`; `pkg/nfd-master/nfd-master.go`, which takes a node into a group for any of its rules.

use super::super::Set;
use super::super::nfd;
use super::super::problem::Problem;
use super::super::reader::SpecReader;
use super::super::yaml::{YamlNode, YamlValue};

/// What a rule makes of a node. A spec only says whether it holds.
const EFFECTS: [&str; 5] = ["labels", "labelsTemplate", "annotations", "taints", "extendedResources"];

/// The rules of a NodeFeatureRule, as one set: all must hold.
pub(super) fn rule_sets(
    reader: &mut SpecReader,
    document: &YamlNode,
    losses: &mut Vec<Problem>,
) -> Option<Vec<Set>> {
    let (node, items) = rules(reader, document, "a NodeFeatureRule", "rules")?;
    let mut set = empty(node);
    set.rules = items.iter().filter_map(|it| nfd::rule(reader, &without_effects(it, losses))).collect();
    if set.rules.len() > 1 {
        let message = "each rule stands by itself there; in a spec all of them have to hold";
        losses.push(Problem { at: node.at, message: message.to_owned() });
    }
    Some(vec![set])
}

/// The rules of a NodeFeatureGroup, each as a set of its own: one must hold.
pub(super) fn group_sets(
    reader: &mut SpecReader,
    document: &YamlNode,
    losses: &mut Vec<Problem>,
) -> Option<Vec<Set>> {
    let (_, items) = rules(reader, document, "a NodeFeatureGroup", "featureGroupRules")?;
    let mut sets = Vec::with_capacity(items.len());
    for item in items {
        let rule = nfd::rule(reader, &without_effects(item, losses));
        sets.extend(rule.map(|it| Set { rules: vec![it], ..empty(item) }));
    }
    Some(sets)
}

fn empty(node: &YamlNode) -> Set {
    Set { tag: String::new(), weight: 0, description: String::new(), rules: Vec::new(), at: node.at }
}

fn rules<'a>(
    reader: &mut SpecReader,
    document: &'a YamlNode,
    what: &str,
    name: &str,
) -> Option<(&'a YamlNode, &'a [YamlNode])> {
    let fields = reader.fields(document, what, &["apiVersion", "kind", "metadata", "spec", "status"])?;
    let Some(spec) = fields.get("spec") else {
        reader.problem(document.at, format!("{what} needs `spec`"));
        return None;
    };
    let fields = reader.fields(spec, "`spec`", &[name])?;
    let Some(node) = fields.get(name) else {
        reader.problem(spec.at, format!("`spec` of {what} needs `{name}`, a list of rules"));
        return None;
    };
    Some((node, reader.list(node, &format!("`{name}` is"), "a list of rules")?))
}

/// A rule as a spec may have it.
fn without_effects(rule: &YamlNode, losses: &mut Vec<Problem>) -> YamlNode {
    let YamlValue::Map(pairs) = &rule.value else { return rule.clone() };
    let mut kept = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        match super::text(key).filter(|it| EFFECTS.contains(it)) {
            Some(effect) => {
                let message = format!("`{effect}` is left out: a spec changes nothing");
                losses.push(Problem { at: key.at, message });
            }
            None => kept.push((key.clone(), value.clone())),
        }
    }
    YamlNode { value: YamlValue::Map(kept), ..rule.clone() }
}
