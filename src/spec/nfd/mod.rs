//! NFD's image compatibility specification, `v1alpha1`: YAML or JSON to rules. Stricter than NFD, which drops what it
//! does not know.
//!
//! Source of the format: NFD, `api/image-compatibility/v1alpha1/spec.go` and `api/nfd/v1alpha1/types.go` (`GroupRule`).

mod expression;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::problem::{Malformed, Place, shown};
use super::reader::{Fields, Reader};
use super::yaml::{Node, Value};
use super::{Expression, Rule, Set, Spec, Template, Term};
use expression::test;

const VERSION: &str = "v1alpha1";

/// Reads a document's tree.
pub(super) fn read(document: &Node) -> Result<Spec, Malformed> {
    let mut reader = Reader::default();
    let spec = spec(&mut reader, document);
    match (Malformed::all(reader.into_problems()), spec) {
        (None, Some(spec)) => Ok(spec),
        (Some(malformed), _) => Err(malformed),
        (None, None) => Err(Malformed::one(document.at, "this is not a compatibility specification")),
    }
}

fn spec(reader: &mut Reader, document: &Node) -> Option<Spec> {
    if let Value::Null = document.value {
        reader.problem(document.at, "the document is empty; a spec starts with `version: v1alpha1`");
        return None;
    }
    let fields = reader.fields(document, "a spec", &["version", "compatibilities"])?;
    check_version(reader, &fields);
    let Some(node) = fields.get("compatibilities") else {
        reader.problem(document.at, "a spec needs `compatibilities`, the list of alternatives");
        return None;
    };
    let sets = reader.list(node, "`compatibilities` is", "a list of compatibility sets")?;
    Some(Spec { sets: sets.iter().filter_map(|it| set(reader, it)).collect() })
}

fn check_version(reader: &mut Reader, fields: &Fields<'_>) {
    let Some(node) = fields.get("version") else {
        return reader.problem(fields.at, format!("a spec needs `version: {VERSION}`"));
    };
    match reader.text(node, "`version` is") {
        Some(version) if version != VERSION => {
            reader.problem(node.at, format!("version {} is not known; write {VERSION}", shown(&version)));
        }
        // None: it is no text, which has been said.
        Some(_) | None => {}
    }
}

fn set(reader: &mut Reader, node: &Node) -> Option<Set> {
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
    Some(Set { tag: tag?, weight: weight?, description: description?, rules: rules?, at: fields.at })
}

fn rule(reader: &mut Reader, node: &Node) -> Option<Rule> {
    let fields =
        reader.fields(node, "a rule", &["name", "vars", "varsTemplate", "matchFeatures", "matchAny"])?;
    let name = optional_text(reader, &fields, "name");
    let vars = fields.get("vars").map_or(Some(BTreeMap::new()), |it| vars(reader, it));
    let vars_template = fields.get("varsTemplate").map_or(Some(None), |it| template(reader, it).map(Some));
    let match_features = terms(reader, &fields);
    let match_any = fields.get("matchAny").map_or(Some(Vec::new()), |it| alternatives(reader, it));
    let rule = Rule {
        name: name?,
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

fn vars(reader: &mut Reader, node: &Node) -> Option<BTreeMap<String, String>> {
    let pairs = reader.map(node, "`vars` is", "a mapping of names to text")?;
    Some(
        pairs
            .iter()
            .filter_map(|(key, value)| Some((reader.key(key)?, reader.text(value, "a variable is")?)))
            .collect(),
    )
}

fn template(reader: &mut Reader, node: &Node) -> Option<Template> {
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

fn alternatives(reader: &mut Reader, node: &Node) -> Option<Vec<Vec<Term>>> {
    let items = reader.list(node, "`matchAny` is", "a list of alternatives, each with `matchFeatures`")?;
    Some(items.iter().filter_map(|it| alternative(reader, it)).collect())
}

fn alternative(reader: &mut Reader, node: &Node) -> Option<Vec<Term>> {
    let fields = reader.fields(node, "an alternative of `matchAny`", &["matchFeatures"])?;
    terms(reader, &fields)
}

fn terms(reader: &mut Reader, fields: &Fields<'_>) -> Option<Vec<Term>> {
    let Some(node) = fields.get("matchFeatures") else { return Some(Vec::new()) };
    let items = reader.list(node, "`matchFeatures` is", "a list of terms, each with `feature`")?;
    Some(items.iter().filter_map(|it| term(reader, it)).collect())
}

fn term(reader: &mut Reader, node: &Node) -> Option<Term> {
    let fields =
        reader.fields(node, "a term of `matchFeatures`", &["feature", "matchExpressions", "matchName"])?;
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
    Some(Term { feature: feature?, expressions: expressions?, name: name?, at: fields.at })
}

fn check_feature(reader: &mut Reader, name: &str, at: Place) -> bool {
    if name.is_empty() {
        reader.problem(at, "`feature` is \"\", but has to be a name such as `kernel.version`");
    }
    !name.is_empty()
}

fn expressions(reader: &mut Reader, node: &Node) -> Option<Vec<(String, Expression)>> {
    let pairs = reader.map(node, "`matchExpressions` is", "a mapping of element names to expressions")?;
    let read = pairs.iter().filter_map(|(key, value)| {
        let name = reader.key(key);
        let test =
            test(reader, value, &format!("the expression for {}", shown(name.as_deref().unwrap_or("?"))));
        Some((name?, Expression { test: test?, at: key.at }))
    });
    Some(read.collect())
}

fn match_name(reader: &mut Reader, node: &Node) -> Option<Expression> {
    Some(Expression { test: test(reader, node, "`matchName`")?, at: node.at })
}

fn optional_text(reader: &mut Reader, fields: &Fields<'_>, name: &str) -> Option<String> {
    match fields.get(name) {
        Some(node) => reader.text(node, &format!("`{name}` is")),
        None => Some(String::new()),
    }
}

/// Line and column of a byte within a text of several lines.
fn within(text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |it| it.chars().count()) + 1;
    Place { line, column }
}
