//! A spec as text for its parser. Quotes every value, so that no YAML reader takes it for another type.

use crate::spec::{Bound, Expression, Group, Language, Rule, Set, Severity, Spec, Term, Test};

/// The spec as a YAML document, in our own language or in NFD's. What NFD's cannot say is not in it any more.
pub(super) fn document(spec: &Spec) -> String {
    let version = if spec.language == Language::Own { "oci-compat/v1" } else { "v1alpha1" };
    let mut text = format!("version: {version}\ncompatibilities:");
    text.push_str(if spec.sets.is_empty() { " []\n" } else { "\n" });
    spec.sets.iter().for_each(|it| set(it, &mut text));
    text
}

fn set(set: &Set, text: &mut String) {
    text.push_str(if set.rules.is_empty() { "- rules: []\n" } else { "- rules:\n" });
    set.rules.iter().for_each(|it| rule(it, text));
    for (key, value) in [("tag", &set.tag), ("description", &set.description)] {
        field("  ", key, value, text);
    }
    if set.weight != 0 {
        text.push_str(&format!("  weight: {}\n", set.weight));
    }
}

fn rule(rule: &Rule, text: &mut String) {
    text.push_str(&format!("  - name: {}\n", yaml_string(&rule.name)));
    for (key, value) in [("id", &rule.id), ("remedy", &rule.remedy), ("docs", &rule.docs)] {
        field("    ", key, value, text);
    }
    match rule.severity {
        Severity::Required => {}
        Severity::Recommended => text.push_str("    severity: recommended\n"),
        Severity::Info => text.push_str("    severity: info\n"),
    }
    if let Some(when) = &rule.when {
        text.push_str("    when:\n");
        group("      ", when, text);
    }
    if !rule.vars.is_empty() {
        text.push_str("    vars:\n");
        for (name, value) in &rule.vars {
            text.push_str(&format!("      {}: {}\n", yaml_string(name), yaml_string(value)));
        }
    }
    if let Some(template) = &rule.vars_template {
        field("    ", "varsTemplate", template.source(), text);
    }
    terms("    ", &rule.match_features, text);
    if !rule.match_any.is_empty() {
        text.push_str("    matchAny:\n");
    }
    for alternative in &rule.match_any {
        if alternative.is_empty() {
            text.push_str("    - {}\n");
            continue;
        }
        item("    ", text, |text| terms("      ", alternative, text));
    }
    match rule.groups.as_slice() {
        [] => {}
        // Terms of the rule itself have the same key.
        [only] if rule.match_features.is_empty() => group("    ", only, text),
        several => list("    ", "all", several, text),
    }
}

/// The fields of a group.
fn group(indent: &str, it: &Group, text: &mut String) {
    match it {
        Group::Terms(all) if all.is_empty() => text.push_str(&format!("{indent}matchFeatures: []\n")),
        Group::Terms(all) => terms(indent, all, text),
        Group::All(groups) => list(indent, "all", groups, text),
        Group::Any(groups) => list(indent, "any", groups, text),
        Group::Not(inner) => {
            text.push_str(&format!("{indent}not:\n"));
            group(&format!("{indent}  "), inner, text);
        }
        Group::Named { group: inner, .. } | Group::EachGpu { group: inner, .. } => group(indent, inner, text),
    }
}

fn list(indent: &str, key: &str, groups: &[Group], text: &mut String) {
    text.push_str(&format!("{indent}{key}:\n"));
    for it in groups {
        item(indent, text, |text| group(&format!("{indent}  "), it, text));
    }
}

/// The first line of an item starts with a dash.
fn item(indent: &str, text: &mut String, write: impl FnOnce(&mut String)) {
    let start = text.len() + indent.len();
    write(text);
    if start < text.len() {
        text.replace_range(start..=start, "-");
    }
}

fn terms(indent: &str, terms: &[Term], text: &mut String) {
    if !terms.is_empty() {
        text.push_str(&format!("{indent}matchFeatures:\n"));
    }
    for term in terms {
        text.push_str(&format!("{indent}- feature: {}\n", yaml_string(&term.feature)));
        match term.expressions.as_deref() {
            None => {}
            Some([]) => text.push_str(&format!("{indent}  matchExpressions: {{}}\n")),
            Some(expressions) => {
                text.push_str(&format!("{indent}  matchExpressions:\n"));
                for (name, it) in expressions {
                    text.push_str(&format!("{indent}    {}: {}\n", yaml_string(name), expression(it)));
                }
            }
        }
        if let Some(name) = &term.name {
            text.push_str(&format!("{indent}  matchName: {}\n", expression(name)));
        }
        if let Some(count) = &term.count {
            text.push_str(&format!("{indent}  count: {}\n", expression(count)));
        }
    }
}

fn field(indent: &str, key: &str, value: &str, text: &mut String) {
    if !value.is_empty() {
        text.push_str(&format!("{indent}{key}: {}\n", yaml_string(value)));
    }
}

fn expression(expression: &Expression) -> String {
    let (op, values, kind) = match &expression.test {
        Test::Any => ("\"\"", Vec::new(), ""),
        Test::Exists => ("Exists", Vec::new(), ""),
        Test::DoesNotExist => ("DoesNotExist", Vec::new(), ""),
        Test::IsTrue => ("IsTrue", Vec::new(), ""),
        Test::IsFalse => ("IsFalse", Vec::new(), ""),
        Test::In(values) => ("In", values.clone(), ""),
        Test::NotIn(values) => ("NotIn", values.clone(), ""),
        Test::InRegexp(patterns) => {
            ("InRegexp", patterns.iter().map(|it| it.source().to_owned()).collect(), "")
        }
        Test::Enabled => ("Enabled", Vec::new(), ""),
        // An interval of one number is an error.
        Test::Integer(Bound::GeLe(low, high)) if low == high => ("In", vec![low.to_string()], ""),
        Test::Integer(bound) => with(bound, ""),
        Test::Integers(bounds) => {
            let op = bounds.first().map_or("Ge", |it| with(it, "").0);
            let all: Vec<_> = bounds.iter().flat_map(|it| with(it, "").1).collect();
            (op, vec![all.join(" ")], "")
        }
        Test::Version(bound) => with(bound, ", type: version"),
        Test::Quantity(bound) => with(bound, ", type: quantity"),
        Test::Release(bound) => with(bound, ", type: release"),
        // No document says so.
        Test::Nvidia(condition) => ("Nvidia", vec![condition.text.clone()], ""),
    };
    let values: Vec<_> = values.iter().map(|it| yaml_string(it)).collect();
    let value = if values.is_empty() { String::new() } else { format!(", value: [{}]", values.join(", ")) };
    format!("{{op: {op}{value}{kind}}}")
}

/// Operator, operands and type of a comparison.
fn with<'a, T: ToString>(bound: &Bound<T>, kind: &'a str) -> (&'static str, Vec<String>, &'a str) {
    let (op, ends) = match bound {
        Bound::Gt(it) => ("Gt", vec![it]),
        Bound::Ge(it) => ("Ge", vec![it]),
        Bound::Lt(it) => ("Lt", vec![it]),
        Bound::Le(it) => ("Le", vec![it]),
        Bound::GtLt(low, high) => ("GtLt", vec![low, high]),
        Bound::GeLe(low, high) => ("GeLe", vec![low, high]),
        Bound::Outside(low, high) => ("NotInRange", vec![low, high]),
    };
    (op, ends.into_iter().map(ToString::to_string).collect(), kind)
}

/// A text in double quotes, as JSON and YAML both read it.
fn yaml_string(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for it in text.chars() {
        match it {
            '"' | '\\' => quoted.extend(['\\', it]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            it if it.is_control() || matches!(it, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(it)));
            }
            it => quoted.push(it),
        }
    }
    quoted.push('"');
    quoted
}
