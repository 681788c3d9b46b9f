//! Reads typed values out of a YAML tree and collects every problem on the way. Never stops at the first.

use super::Language;
use super::budget::Budget;
use super::problem::{Place, Problem};
use super::yaml::{YamlNode, YamlValue};
use crate::words::text::{nearest, quoted};

/// Collects problems; every method that finds one returns `None` and goes on.
#[derive(Default)]
pub(super) struct SpecReader {
    problems: Vec<Problem>,
    /// What the spec has cost so far.
    pub(super) budget: Budget,
    /// Whose language the spec is written in.
    pub(super) language: Language,
}

/// A mapping whose keys have been checked against the fields that there are.
pub(super) struct Fields<'a> {
    pub(super) at: Place,
    pairs: &'a [(YamlNode, YamlNode)],
}

impl<'a> Fields<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&'a YamlNode> {
        let is_it = |key: &YamlNode| matches!(&key.value, YamlValue::Text(it) if it == name);
        self.pairs.iter().find(|(key, _)| is_it(key)).map(|(_, value)| value)
    }
}

impl SpecReader {
    /// For a document in this language.
    pub(super) fn of(language: Language) -> Self {
        Self { language, ..Self::default() }
    }

    pub(super) fn problem(&mut self, at: Place, message: impl Into<String>) {
        self.problems.push(Problem { at, message: message.into() });
    }

    /// How many there are so far.
    pub(super) fn count(&self) -> usize {
        self.problems.len()
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    /// A mapping with fields that are known; `what` is the thing with its article, such as "a rule".
    pub(super) fn fields<'a>(
        &mut self,
        node: &'a YamlNode,
        what: &str,
        known: &[&str],
    ) -> Option<Fields<'a>> {
        self.fields_of(node, what, known, &[])
    }

    /// As [`Self::fields`], where our own language has more of them.
    pub(super) fn fields_of<'a>(
        &mut self,
        node: &'a YamlNode,
        what: &str,
        known: &[&str],
        ours: &[&str],
    ) -> Option<Fields<'a>> {
        let all = [known, ours].concat();
        let known = if self.language == Language::Own { &all } else { known };
        let pairs = self.map(node, &format!("{what} is"), &format!("a mapping with {}", quote_all(known)))?;
        for (key, _) in pairs {
            let (YamlValue::Text(name) | YamlValue::Ambiguous(name, _)) = &key.value else { continue };
            if known.contains(&name.as_str()) {
                continue;
            }
            let message = match ours.contains(&name.as_str()) {
                true => format!("`{name}` {NEEDS_OURS}"),
                false => unknown_field(name, what, known),
            };
            self.problem(key.at, message);
        }
        Some(Fields { at: node.at, pairs })
    }

    /// Text that is shown to people only, so that it does not matter what YAML takes it for.
    pub(super) fn words(&mut self, node: &YamlNode, context: &str) -> Option<String> {
        match &node.value {
            YamlValue::Ambiguous(text, _) => Some(text.clone()),
            YamlValue::Text(_) | YamlValue::Null | YamlValue::List(_) | YamlValue::Map(_) => {
                self.text(node, context)
            }
        }
    }

    /// A mapping whatever its keys; `context` opens the sentence, such as "`vars` is".
    pub(super) fn map<'a>(
        &mut self,
        node: &'a YamlNode,
        context: &str,
        wanted: &str,
    ) -> Option<&'a [(YamlNode, YamlNode)]> {
        match &node.value {
            YamlValue::Map(pairs) => Some(pairs),
            YamlValue::Null | YamlValue::Text(_) | YamlValue::Ambiguous(..) | YamlValue::List(_) => {
                self.wrong(node, context, wanted)
            }
        }
    }

    pub(super) fn list<'a>(
        &mut self,
        node: &'a YamlNode,
        context: &str,
        wanted: &str,
    ) -> Option<&'a [YamlNode]> {
        match &node.value {
            YamlValue::List(items) => Some(items),
            YamlValue::Null | YamlValue::Text(_) | YamlValue::Ambiguous(..) | YamlValue::Map(_) => {
                self.wrong(node, context, wanted)
            }
        }
    }

    /// Text that YAML leaves as it is.
    pub(super) fn text(&mut self, node: &YamlNode, context: &str) -> Option<String> {
        match &node.value {
            YamlValue::Text(text) => Some(text.clone()),
            YamlValue::Ambiguous(text, taken) => {
                // PyYAML quotes all others of these words.
                let generated = match text.as_str() {
                    "y" | "Y" | "n" | "N" => " (for PyYAML, which has none: write JSON, or quote all text)",
                    _ => "",
                };
                let message = match quoted(text) {
                    quoted if quoted.ends_with('"') => {
                        format!(
                            "YAML takes {text} for {taken} and may change its text; write {quoted} in quotes{generated}"
                        )
                    }
                    cut => {
                        format!("YAML takes {cut} for {taken} and may change its text; write it in quotes")
                    }
                };
                self.problem(node.at, message);
                None
            }
            YamlValue::Null => self.wrong(node, context, "text: write \"\" for none"),
            YamlValue::List(_) | YamlValue::Map(_) => self.wrong(node, context, "text"),
        }
    }

    pub(super) fn key(&mut self, node: &YamlNode) -> Option<String> {
        self.text(node, "a key is")
    }

    /// An integer that NFD reads as the same one: it takes no text for a number.
    pub(super) fn integer(&mut self, node: &YamlNode, context: &str) -> Option<i64> {
        let YamlValue::Text(text) = &node.value else { return self.wrong(node, context, INTEGER) };
        match text.parse() {
            Ok(number) if !text.starts_with('+') && node.is_quoted => {
                self.wrong::<i64>(node, context, &format!("an integer: write {number} without quotes"))
            }
            Ok(number) if !text.starts_with('+') => Some(number),
            _ => self.wrong(node, context, INTEGER),
        }
    }

    fn wrong<T>(&mut self, node: &YamlNode, context: &str, wanted: &str) -> Option<T> {
        let found = match &node.value {
            YamlValue::Null => "nothing".to_owned(),
            YamlValue::Text(text) | YamlValue::Ambiguous(text, _) => quoted(text),
            YamlValue::List(_) => "a list".to_owned(),
            YamlValue::Map(_) => "a mapping".to_owned(),
        };
        self.problem(node.at, format!("{context} {found}, but has to be {wanted}"));
        None
    }
}

/// What YAML 1.1 and 1.2 read alike.
const INTEGER: &str = "an integer in plain decimal digits, without quotes";

/// About what Node Feature Discovery would ignore silently.
pub(super) const NEEDS_OURS: &str = "needs `version: oci-compat/v1`";

/// A name with what was probably meant.
pub(super) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known).map_or_else(String::new, |it| format!("; did you mean `{it}`?"))
}

fn unknown_field(name: &str, what: &str, known: &[&str]) -> String {
    match did_you_mean(name, known.iter().copied()) {
        hint if hint.is_empty() => {
            format!("{what} has no field {}; it has {}", quoted(name), quote_all(known))
        }
        hint => format!("{what} has no field {}{hint}", quoted(name)),
    }
}

fn quote_all(names: &[&str]) -> String {
    names.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ")
}
