//! `varsTemplate`: the part of Go's `text/template` that turns what a rule matched into variables. Refuses at parsing what it
//! does not support, and never differs from Go in meaning.

mod lex;
mod literal;
mod tree;
mod pipeline;
mod parse;
mod value;
mod expand;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use crate::words::text::quoted;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// NFD refuses longer templates (`pkg/apis/nfd/template`).
const MAX_SOURCE: usize = 65_536;

/// What the terms of a rule matched: domain, then feature, then its elements, each with its attributes: `Name` for a flag,
/// `Name` and `Value` for an attribute, and an instance's own.
pub type Matched = BTreeMap<String, Features>;

type Features = BTreeMap<String, Vec<TemplateElement>>;
type TemplateElement = BTreeMap<String, String>;

/// A `varsTemplate` that is known to be well formed. Two are equal if their sources are.
#[derive(Debug, Clone)]
pub struct Template {
    source: String,
    nodes: Vec<tree::TemplateNode>,
}

/// Why a template cannot be used, whatever the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// Where in the template's source, in bytes.
    pub offset: usize,
    /// What is wrong there, and what would be right.
    pub message: String,
}

impl Template {
    /// Reads a template. What Go would refuse only when it gets there (an unknown variable, a wrong number of arguments) is an
    /// error here, and so are the parts of Go's language that are not supported.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        if source.len() > MAX_SOURCE {
            let message = format!("the template has {} bytes, expected at most {MAX_SOURCE}", source.len());
            return Err(TemplateError { offset: MAX_SOURCE, message });
        }
        Ok(Self { source: source.to_owned(), nodes: parse::parse(source)? })
    }

    /// The text as the author wrote it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The variables that the template makes of what a rule matched. Fails with a sentence where NFD fails: an entry that is
    /// not there, an index out of range, values that cannot be compared, a line without `=`; and where the template asks
    /// for unreasonable work or output.
    pub fn expand(&self, matched: &Matched) -> Result<BTreeMap<String, String>, String> {
        expand::expand(&self.nodes, matched)?
            .split('\n')
            .map(str::trim)
            .filter(|it| !it.is_empty())
            .map(variable)
            .collect()
    }
}

/// Key and value are taken as they are, blanks around the `=` included, as NFD does.
fn variable(line: &str) -> Result<(String, String), String> {
    match line.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(format!("the template's line {} has no \"=\", expected <name>=<value>", quoted(line))),
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Template {}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {} of the template: {}", self.offset, self.message)
    }
}

impl std::error::Error for TemplateError {}
