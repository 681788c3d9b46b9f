//! Nested conditions of our own language: `matchFeatures`, `all`, `any` and `not`. All of them must hold.

use super::super::Group;
use super::super::reader::{Fields, SpecReader};
use super::super::yaml::YamlNode;
use super::terms;

const FIELDS: [&str; 4] = ["matchFeatures", "all", "any", "not"];

/// Reads a mapping; `what` is the field that it belongs to, such as "`when`".
pub(super) fn group(reader: &mut SpecReader, node: &YamlNode, what: &str) -> Option<Group> {
    let fields = reader.fields(node, what, &FIELDS)?;
    let found = match fields.get("matchFeatures") {
        Some(_) => vec![Group::Terms(terms(reader, &fields)?)],
        None => Vec::new(),
    };
    let mut all = found;
    all.extend(groups(reader, &fields)?);
    match (all.pop(), all.is_empty()) {
        (None, _) => {
            reader.problem(
                node.at,
                format!("{what} demands nothing; it needs one of `matchFeatures`, `all`, `any`, `not`"),
            );
            None
        }
        (Some(only), true) => Some(only),
        (Some(last), false) => {
            all.push(last);
            Some(Group::All(all))
        }
    }
}

/// What `all`, `any` and `not` of a rule or a group say.
pub(super) fn groups(reader: &mut SpecReader, fields: &Fields<'_>) -> Option<Vec<Group>> {
    let all = fields.get("all").map(|it| list(reader, it, "all").map(Group::All));
    let any = fields.get("any").map(|it| list(reader, it, "any").map(Group::Any));
    let not = fields.get("not").map(|it| group(reader, it, "`not`").map(|it| Group::Not(Box::new(it))));
    [all, any, not].into_iter().flatten().collect()
}

fn list(reader: &mut SpecReader, node: &YamlNode, name: &str) -> Option<Vec<Group>> {
    let items =
        reader.list(node, &format!("`{name}` is"), "a list of groups, such as `- matchFeatures: [...]`")?;
    if items.is_empty() {
        reader.problem(node.at, format!("`{name}` is empty; it needs at least one group"));
        return None;
    }
    let what = format!("a group of `{name}`");
    let read: Vec<_> = items.iter().filter_map(|it| group(reader, it, &what)).collect();
    (read.len() == items.len()).then_some(read)
}
