//! The demands of a spec in words, one line for each.

use serde::Serialize;

use crate::eval::{demands, group_demands};
use crate::spec::{self, Set, Severity, Spec, Term};
use crate::words::text::printable;

/// One alternative: all of its rules must hold.
#[derive(Debug, Serialize)]
pub(super) struct ShownSet {
    tag: String,
    weight: i64,
    description: String,
    rules: Vec<ShownRule>,
}

#[derive(Debug, Serialize)]
struct ShownRule {
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    id: String,
    /// Absent for what is required.
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<&'static str>,
    /// Where the rule counts; absent if everywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    when: Option<String>,
    /// All of them.
    demands: Vec<String>,
    /// And all of one of these, if there are any.
    alternatives: Vec<Vec<String>>,
}

/// What a spec demands, for people: a line for each thing.
pub fn words(spec: &Spec) -> String {
    let sets = in_words(spec);
    let several = sets.len() > 1;
    let mut lines = Vec::new();
    if several {
        lines.push("one of these has to fit:".to_owned());
    }
    let all = sets.iter().flat_map(|it| it.lines(several));
    lines.extend(all.map(|it| it.strip_prefix("    ").map_or(it.clone(), str::to_owned)));
    lines.push(String::new());
    lines.join("\n")
}

pub(super) fn in_words(spec: &Spec) -> Vec<ShownSet> {
    let lines = |terms: &[Term]| terms.iter().flat_map(demands).collect::<Vec<_>>();
    let rule = |it: &spec::Rule| ShownRule {
        name: it.name.clone(),
        id: it.id.clone(),
        severity: match it.severity {
            Severity::Required => None,
            Severity::Recommended => Some("recommended"),
            Severity::Info => Some("info"),
        },
        when: it.when.as_ref().map(group_demands),
        demands: lines(&it.match_features).into_iter().chain(it.groups.iter().map(group_demands)).collect(),
        alternatives: it.match_any.iter().map(|it| lines(it)).collect(),
    };
    let set = |it: &Set| ShownSet {
        tag: it.tag.clone(),
        weight: it.weight,
        description: it.description.clone(),
        rules: it.rules.iter().map(rule).collect(),
    };
    spec.sets.iter().map(set).collect()
}

impl ShownSet {
    pub(super) fn lines(&self, several: bool) -> Vec<String> {
        let mut lines = Vec::new();
        if several || !self.tag.is_empty() || !self.description.is_empty() {
            let tag = if self.tag.is_empty() { String::new() } else { format!(" {}", printable(&self.tag)) };
            let about = match self.description.trim() {
                "" => String::new(),
                text => format!(": {}", printable(text)),
            };
            lines.push(format!("    set{tag} (weight {}){about}", self.weight));
        }
        for rule in &self.rules {
            let name = if rule.name.is_empty() { &rule.id } else { &rule.name };
            let severity = rule.severity.map_or_else(String::new, |it| format!(" ({it})"));
            let when = rule.when.as_ref().map_or_else(String::new, |it| format!(", where {it}"));
            lines.push(printable(&format!("      rule {name}{severity}{when}")));
            lines.extend(rule.demands.iter().map(|it| format!("        {}", printable(it))));
            let several = rule.alternatives.len() > 1;
            for (at, alternative) in rule.alternatives.iter().enumerate() {
                let word = if several && at == 0 { "either" } else { "or" };
                lines.push(format!(
                    "        {} {}",
                    if several { word } else { "and" },
                    printable(&alternative.join(", and "))
                ));
            }
        }
        lines
    }
}
