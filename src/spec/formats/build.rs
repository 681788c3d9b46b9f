//! Puts rules together from what other formats say.

use std::collections::BTreeMap;

use super::super::problem::Place;
use super::super::reader::SpecReader;
use super::super::yaml::YamlNode;
use super::super::{Bound, Expression, Group, Rule, Set, Severity, Term, Test};
use crate::words::text::{cut, quoted};
use crate::words::version::Version;

/// Longer values are cut in the name of a rule.
const LONGEST: usize = 80;

/// A rule that waivers and reports call by `id`; `said` is what the author wrote, and empty where the id is all of it.
pub(super) fn rule(reader: &mut SpecReader, id: &str, said: &str, group: Group, at: Place) -> Rule {
    let (match_features, groups) = match group {
        Group::Terms(terms) => (terms, Vec::new()),
        Group::All(groups) => (Vec::new(), groups),
        Group::Any(_) | Group::Not(_) | Group::Named { .. } | Group::EachGpu { .. } => {
            (Vec::new(), vec![group])
        }
    };
    let rule = Rule {
        name: if said.is_empty() { String::new() } else { format!("{id} {}", cut(said, LONGEST)) },
        severity: Severity::Required,
        id: id.to_owned(),
        remedy: String::new(),
        docs: String::new(),
        when: None,
        groups,
        vars: BTreeMap::new(),
        vars_template: None,
        match_features,
        match_any: Vec::new(),
        at,
    };
    if let Some(message) = reader.budget.rule(&rule) {
        reader.problem(at, message);
    }
    rule
}

/// The only set of a spec without alternatives.
pub(super) fn only_set(rules: Vec<Rule>, at: Place) -> Vec<Set> {
    vec![Set { tag: String::new(), weight: 0, description: String::new(), rules, at }]
}

/// One element of a feature.
pub(super) fn element(feature: &str, name: &str, test: Test, at: Place) -> Group {
    Group::Terms(vec![term(feature, vec![(name.to_owned(), test)], at)])
}

/// A term with these expressions, all at one place.
pub(super) fn term(feature: &str, tests: Vec<(String, Test)>, at: Place) -> Term {
    let expressions = tests.into_iter().map(|(name, test)| (name, Expression { test, at }));
    Term {
        feature: feature.to_owned(),
        expressions: Some(expressions.collect()),
        name: None,
        count: None,
        at,
    }
}

pub(super) fn equals(value: &str) -> Test {
    Test::In(vec![value.to_owned()])
}

pub(super) fn not(group: Group) -> Group {
    Group::Not(Box::new(group))
}

/// What the host, or its administrator, states as `domain/name` in `local.feature`. A host that states nothing of the domain
/// leaves it unknown.
pub(super) fn stated(
    reader: &mut SpecReader,
    domain: &str,
    name: &str,
    tests: Vec<Test>,
    at: Place,
) -> Option<Group> {
    // A spec has few patterns, so that a long domain is copied a few times only.
    let start = match reader.budget.pattern(&format!("^{}/", escaped(domain)))? {
        Ok(pattern) => pattern,
        Err(message) => {
            reader.problem(at, message);
            return None;
        }
    };
    let full = format!("{domain}/{name}");
    let tests = tests.into_iter().map(|it| (full.clone(), it)).collect();
    let holds = Group::Terms(vec![term(LOCAL, tests, at)]);
    let name = Some(Expression { test: Test::InRegexp(vec![start]), at });
    let any = Term { feature: LOCAL.to_owned(), expressions: None, name, count: None, at };
    // No probe has such a name: it is unknown, and reports show it.
    let unknown = Term { feature: full, expressions: None, name: None, count: None, at };
    let silent = Group::All(vec![not(Group::Terms(vec![any])), Group::Terms(vec![unknown])]);
    Some(Group::Any(vec![holds, silent]))
}

const LOCAL: &str = "local.feature";

/// A text as a pattern for itself.
pub(super) fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for it in text.chars() {
        if r"\.+*?()|[]{}^$".contains(it) {
            pattern.push('\\');
        }
        pattern.push(it);
    }
    pattern
}

/// A version that has to be the same, number by number.
pub(super) fn same_version(reader: &mut SpecReader, text: &str, at: Place) -> Option<Test> {
    let version = version(reader, text, at)?;
    Some(Test::Version(Bound::GeLe(version.clone(), version)))
}

pub(super) fn version(reader: &mut SpecReader, text: &str, at: Place) -> Option<Version> {
    let parsed = Version::parse(text);
    match &parsed {
        None => {
            reader.problem(at, format!("{} is not a version, such as \"5.14\"", quoted(text)));
            None
        }
        Some(it) if it.number().len() < text.len() => {
            let message = format!(
                "versions are compared by their numbers, so that {} would be ignored: write \"{}\"",
                quoted(text.get(it.number().len()..).unwrap_or_default()),
                it.number()
            );
            reader.problem(at, message);
            None
        }
        Some(_) => parsed,
    }
}

/// `true` or `false`.
pub(super) fn boolean(reader: &mut SpecReader, name: &str, value: &str, at: Place) -> Option<bool> {
    match value {
        "true" => Some(true),
        "false" => Some(false),
        other => {
            let message = format!("`{name}` is {}, but has to be \"true\" or \"false\"", quoted(other));
            reader.problem(at, message);
            None
        }
    }
}

/// The value of an attribute: text, or a number or boolean without quotes.
pub(super) fn value(reader: &mut SpecReader, name: &str, node: &YamlNode) -> Option<String> {
    reader.words(node, &format!("`{name}` is"))
}

/// Four hexadecimal digits, as sysfs has them.
pub(super) fn hex(reader: &mut SpecReader, name: &str, value: &str, at: Place) -> Option<String> {
    let digits = value.strip_prefix("0x").unwrap_or(value).to_ascii_lowercase();
    if digits.len() == 4 && digits.bytes().all(|it| it.is_ascii_hexdigit()) {
        return Some(digits);
    }
    reader.problem(
        at,
        format!("`{name}` is {}, but has to be four hexadecimal digits, such as \"10de\"", quoted(value)),
    );
    None
}
