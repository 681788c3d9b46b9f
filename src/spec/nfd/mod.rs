//! NFD's image compatibility specification, `v1alpha1`, and our own, `oci-compat/v1`, which has all of it and more: YAML or
//! JSON to rules. Stricter than NFD, which drops what it does not know.
//!
//! Source of the format: NFD, `api/image-compatibility/v1alpha1/spec.go` and `api/nfd/v1alpha1/types.go` (`GroupRule`).

mod expression;
mod foreign;
mod group;
#[cfg(test)]
mod own;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::problem::{Malformed, Place};
use super::reader::{Fields, SpecReader};
use super::yaml::{YamlNode, YamlValue};
use super::{Expression, Language, Rule, Set, Severity, Spec, Template, Term, Test};
use crate::words::text::quoted;
use expression::test;

const VERSION: &str = "v1alpha1";
const OWN_VERSION: &str = "oci-compat/v1";

/// Reads a document's tree.
pub(super) fn read(document: &YamlNode) -> Result<Spec, Malformed> {
    match read_partly(document) {
        (Some(spec), None) => Ok(spec),
        (_, Some(malformed)) => Err(malformed),
        (None, None) => Err(Malformed::one(document.at, "this is not a compatibility specification")),
    }
}

/// As [`read`], with what could be read of a document with errors.
pub(super) fn read_partly(document: &YamlNode) -> (Option<Spec>, Option<Malformed>) {
    let mut reader = SpecReader::default();
    let spec = spec(&mut reader, document);
    (spec, Malformed::all(reader.into_problems()))
}

fn spec(reader: &mut SpecReader, document: &YamlNode) -> Option<Spec> {
    if let YamlValue::Null = document.value {
        reader.problem(document.at, "the document is empty; a spec starts with `version: v1alpha1`");
        return None;
    }
    if let Some(message) = foreign::explanation(document) {
        reader.problem(document.at, message);
        return None;
    }
    let fields = reader.fields(document, "a spec", &["version", "compatibilities"])?;
    reader.language = language(reader, &fields);
    let Some(node) = fields.get("compatibilities") else {
        reader.problem(document.at, "a spec needs `compatibilities`, the list of alternatives");
        return None;
    };
    let sets = reader.list(node, "`compatibilities` is", "a list of compatibility sets")?;
    Some(Spec { language: reader.language, sets: sets.iter().filter_map(|it| set(reader, it)).collect() })
}

fn language(reader: &mut SpecReader, fields: &Fields<'_>) -> Language {
    let Some(node) = fields.get("version") else {
        reader.problem(fields.at, format!("a spec needs `version: {VERSION}`"));
        return Language::Nfd;
    };
    match reader.text(node, "`version` is").as_deref() {
        Some(OWN_VERSION) => Language::Own,
        Some(VERSION) => Language::Nfd,
        Some(version) => {
            let message =
                format!("version {} is not known; write {VERSION} or {OWN_VERSION}", quoted(version));
            reader.problem(node.at, message);
            // The rest is checked by what both languages have.
            Language::Own
        }
        // It is no text, which was reported.
        None => Language::Nfd,
    }
}

fn set(reader: &mut SpecReader, node: &YamlNode) -> Option<Set> {
    let fields = reader.fields(node, "a compatibility set", &["rules", "weight", "tag", "description"])?;
    let rules = match fields.get("rules") {
        Some(node) => reader.list(node, "`rules` is", "a list of rules"),
        None => {
            reader.problem(node.at, "a compatibility set needs `rules`, the list of what has to hold");
            None
        }
    };
    let rules = rules.map(|it| it.iter().filter_map(|it| rule(reader, it)).collect());
    let weight = fields.get("weight").map_or(Some(0), |it| reader.integer(it, "`weight` is"));
    let (tag, description) =
        (optional_text(reader, &fields, "tag"), optional_text(reader, &fields, "description"));
    let set = Set { tag: tag?, weight: weight?, description: description?, rules: rules?, at: fields.at };
    check_ids(reader, &set);
    Some(set)
}

/// A waiver that names one has to mean one rule.
fn check_ids(reader: &mut SpecReader, set: &Set) {
    let mut seen = BTreeMap::new();
    for rule in set.rules.iter().filter(|it| !it.id.is_empty()) {
        if let Some(first) = seen.insert(&rule.id, rule.at) {
            let id = quoted(&rule.id);
            reader
                .problem(rule.at, format!("the rule at {first} has the id {id} as well; each needs its own"));
        }
    }
}

/// Reads a rule.
pub(super) fn rule(reader: &mut SpecReader, node: &YamlNode) -> Option<Rule> {
    const FIELDS: [&str; 5] = ["name", "vars", "varsTemplate", "matchFeatures", "matchAny"];
    const OURS: [&str; 8] = ["id", "severity", "remedy", "docs", "when", "all", "any", "not"];
    let fields = reader.fields_of(node, "a rule", &FIELDS, &OURS)?;
    let name = optional_text(reader, &fields, "name");
    let vars = fields.get("vars").map_or(Some(BTreeMap::new()), |it| vars(reader, it));
    let vars_template = fields.get("varsTemplate").map_or(Some(None), |it| template(reader, it).map(Some));
    let match_features = terms(reader, &fields);
    let match_any = fields.get("matchAny").map_or(Some(Vec::new()), |it| alternatives(reader, it));
    let id = optional_text(reader, &fields, "id");
    let severity = fields.get("severity").map_or(Some(Severity::Required), |it| severity(reader, it));
    let (remedy, docs) = (optional_text(reader, &fields, "remedy"), optional_text(reader, &fields, "docs"));
    let when = fields.get("when").map_or(Some(None), |it| group::group(reader, it, "`when`").map(Some));
    let groups = group::groups(reader, &fields);
    let rule = Rule {
        name: name?,
        severity: severity?,
        id: id?,
        remedy: remedy?,
        docs: docs?,
        when: when?,
        groups: groups?,
        vars: vars?,
        vars_template: vars_template?,
        match_features: match_features?,
        match_any: match_any?,
        at: fields.at,
    };
    if let Some(message) = reader.budget.rule(&rule) {
        reader.problem(rule.at, message);
    }
    Some(rule)
}

fn severity(reader: &mut SpecReader, node: &YamlNode) -> Option<Severity> {
    match reader.text(node, "`severity` is")?.as_str() {
        "required" => Some(Severity::Required),
        "recommended" => Some(Severity::Recommended),
        "info" => Some(Severity::Info),
        other => {
            let message =
                format!("`severity` is {}, but has to be required, recommended or info", quoted(other));
            reader.problem(node.at, message);
            None
        }
    }
}

fn vars(reader: &mut SpecReader, node: &YamlNode) -> Option<BTreeMap<String, String>> {
    let pairs = reader.map(node, "`vars` is", "a mapping of names to text")?;
    Some(
        pairs
            .iter()
            .filter_map(|(key, value)| Some((reader.key(key)?, reader.text(value, "a variable is")?)))
            .collect(),
    )
}

fn template(reader: &mut SpecReader, node: &YamlNode) -> Option<Template> {
    let source = reader.text(node, "`varsTemplate` is")?;
    match Template::parse(&source) {
        Ok(template) => Some(template),
        Err(err) => {
            let place = within(&source, err.offset);
            reader.problem(node.at, format!("in the template, at {place}: {}", err.message));
            None
        }
    }
}

fn alternatives(reader: &mut SpecReader, node: &YamlNode) -> Option<Vec<Vec<Term>>> {
    let items = reader.list(node, "`matchAny` is", "a list of alternatives, each with `matchFeatures`")?;
    Some(items.iter().filter_map(|it| alternative(reader, it)).collect())
}

fn alternative(reader: &mut SpecReader, node: &YamlNode) -> Option<Vec<Term>> {
    let fields = reader.fields(node, "an alternative of `matchAny`", &["matchFeatures"])?;
    terms(reader, &fields)
}

fn terms(reader: &mut SpecReader, fields: &Fields<'_>) -> Option<Vec<Term>> {
    let Some(node) = fields.get("matchFeatures") else { return Some(Vec::new()) };
    let items = reader.list(node, "`matchFeatures` is", "a list of terms, each with `feature`")?;
    Some(items.iter().filter_map(|it| term(reader, it)).collect())
}

fn term(reader: &mut SpecReader, node: &YamlNode) -> Option<Term> {
    const FIELDS: [&str; 3] = ["feature", "matchExpressions", "matchName"];
    let fields = reader.fields_of(node, "a term of `matchFeatures`", &FIELDS, &["count"])?;
    let feature = match fields.get("feature") {
        Some(node) => reader.text(node, "`feature` is").filter(|it| check_feature(reader, it, node.at)),
        None => {
            reader.problem(node.at, "a term needs `feature`, such as `feature: kernel.version`");
            None
        }
    };
    let expressions =
        fields.get("matchExpressions").map_or(Some(None), |it| expressions(reader, it).map(Some));
    let name = fields.get("matchName").map_or(Some(None), |it| match_name(reader, it).map(Some));
    let count = fields.get("count").map_or(Some(None), |it| count(reader, it, &fields).map(Some));
    Some(Term { feature: feature?, expressions: expressions?, name: name?, count: count?, at: fields.at })
}

fn check_feature(reader: &mut SpecReader, name: &str, at: Place) -> bool {
    if name.is_empty() {
        reader.problem(at, "`feature` is \"\", but has to be a name such as `kernel.version`");
    }
    !name.is_empty()
}

fn expressions(reader: &mut SpecReader, node: &YamlNode) -> Option<Vec<(String, Expression)>> {
    let pairs = reader.map(node, "`matchExpressions` is", "a mapping of element names to expressions")?;
    let read = pairs.iter().filter_map(|(key, value)| {
        let name = reader.key(key);
        let test =
            test(reader, value, &format!("the expression for {}", quoted(name.as_deref().unwrap_or("?"))));
        Some((name?, Expression { test: test?, at: key.at }))
    });
    Some(read.collect())
}

/// How many instances, as an integer.
fn count(reader: &mut SpecReader, node: &YamlNode, term: &Fields<'_>) -> Option<Expression> {
    if term.get("matchName").is_some() {
        reader.problem(
            node.at,
            "`count` counts what `matchExpressions` finds; put `matchName` into a term of its own",
        );
    }
    let test = test(reader, node, "`count`")?;
    if let Test::Integer(_) = test {
        return Some(Expression { test, at: node.at });
    }
    reader.problem(node.at, "`count` compares integers, such as `count: {op: Ge, value: [\"2\"]}`");
    None
}

fn match_name(reader: &mut SpecReader, node: &YamlNode) -> Option<Expression> {
    Some(Expression { test: test(reader, node, "`matchName`")?, at: node.at })
}

fn optional_text(reader: &mut SpecReader, fields: &Fields<'_>, name: &str) -> Option<String> {
    let Some(node) = fields.get(name) else { return Some(String::new()) };
    let context = format!("`{name}` is");
    match name {
        "name" | "description" | "remedy" | "docs" => reader.words(node, &context),
        // A caller or a waiver has to write the same.
        _ => reader.text(node, &context),
    }
}

/// Line and column of a byte within a text of several lines.
fn within(text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |it| it.chars().count()) + 1;
    Place { line, column }
}
