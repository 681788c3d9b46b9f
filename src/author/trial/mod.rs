//! Tests of a spec: hosts as documents of facts, and what is expected of each. Never reads a file.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::decide::check::Requirement;
use crate::decide::pipeline::{Host, Terms, assess};
use crate::decide::requirements::Collected;
use crate::eval::CODES;
use crate::eval::verdict::Verdict;
use crate::host::{self, ElementKind, Facts};
use crate::outcome::report::SpecOrigin;
use crate::spec::Spec;

/// An ordinary host: Debian 12 on a virtual machine with a x86-64-v3 processor.
const EXAMPLE: &str = include_str!("example.json");

/// What a test file says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestFile {
    /// The file of the spec, relative to the test file; if left out, the test file's name without `.test`.
    pub spec: Option<String>,
    /// The hosts.
    pub hosts: Vec<TestHost>,
}

/// A host, and what is expected of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestHost {
    /// What it is, in words.
    pub name: String,
    /// A file with facts, a document of facts, or `example`; if left out, nothing is known but `with`.
    facts: Option<Value>,
    /// Features that are otherwise there.
    #[serde(default)]
    with: Map<String, Value>,
    verdict: String,
    /// The codes of all reasons; not compared if left out.
    codes: Option<BTreeSet<String>>,
}

/// What is said of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The verdict's name.
    pub verdict: String,
    /// The codes of the reasons.
    pub codes: BTreeSet<String>,
}

/// What came of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The host.
    pub name: String,
    /// What was expected.
    pub expected: Said,
    /// What was found.
    pub found: Said,
    /// Each reason in words, with its code.
    pub reasons: Vec<String>,
}

impl Tried {
    /// Whether it is as expected.
    pub fn is_as_expected(&self) -> bool {
        self.expected == self.found
    }
}

impl TestFile {
    /// Reads YAML or JSON.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in one sentence.
    pub fn read(text: &str) -> anyhow::Result<Self> {
        let file: Self = serde_json::from_value(host::yaml(text)?)?;
        ensure!(!file.hosts.is_empty(), "`hosts` is empty: nothing would be tested");
        for host in &file.hosts {
            ensure!(
                VERDICTS.iter().any(|it| it.name() == host.verdict),
                "host {:?}: verdict {:?} has to be compatible, undecided or incompatible",
                host.name,
                host.verdict
            );
            for code in host.codes.iter().flatten() {
                let is_known = CODES.iter().any(|(_, name, _)| name == code);
                ensure!(is_known, "host {:?}: there is no code {code:?}", host.name);
            }
        }
        Ok(file)
    }
}

const VERDICTS: [Verdict; 3] = [Verdict::Compatible, Verdict::Undecided, Verdict::Incompatible];

impl TestHost {
    /// Judges the host. `read` reads a file that the test names.
    ///
    /// # Errors
    ///
    /// If its facts cannot be read.
    pub fn judge(
        &self,
        spec: &Spec,
        read: impl FnOnce(&str) -> anyhow::Result<Vec<u8>>,
    ) -> anyhow::Result<Tried> {
        let context = || format!("the facts of host {:?}", self.name);
        let facts = self.facts(read).with_context(context)?;
        let (_, found, reasons) = told(spec.clone(), &facts);
        let codes = self.codes.clone().unwrap_or_else(|| found.codes.clone());
        let expected = Said { verdict: self.verdict.clone(), codes };
        Ok(Tried { name: self.name.clone(), expected, found, reasons })
    }

    fn facts(&self, read: impl FnOnce(&str) -> anyhow::Result<Vec<u8>>) -> anyhow::Result<Facts> {
        let mut document = match &self.facts {
            None => json!({}),
            Some(Value::String(name)) if name == "example" => serde_json::from_str(EXAMPLE)?,
            Some(Value::String(name)) => {
                let bytes = read(name)?;
                if self.with.is_empty() {
                    return Facts::from_json(&bytes);
                }
                host::yaml(std::str::from_utf8(&bytes)?)?
            }
            Some(document @ Value::Object(_)) => document.clone(),
            Some(_) => bail!("`facts` is neither the name of a file, nor `example`, nor a document"),
        };
        let Some(sections) = document.as_object_mut() else { bail!("the facts are no document") };
        for section in KINDS {
            sections.entry(section).or_insert_with(|| json!({}));
        }
        for (feature, value) in &self.with {
            // As in specs, case does not matter.
            put(sections, &feature.to_lowercase(), value).with_context(|| format!("`with` {feature}"))?;
        }
        Facts::from_json(&serde_json::to_vec(&document)?)
    }
}

/// What a spec says of a host.
pub fn verdict(spec: Spec, facts: &Facts) -> (Verdict, Said) {
    let (verdict, said, _) = told(spec, facts);
    (verdict, said)
}

fn told(spec: Spec, facts: &Facts) -> (Verdict, Said, Vec<String>) {
    let origin = SpecOrigin::File("spec".to_owned());
    let mut collected = Collected::default();
    collected.requirements.push(Requirement { origin, spec: Ok(spec) });
    let assessment = assess(collected, &Host::Facts(facts), &Terms::default());
    let reasons = &assessment.report.reasons;
    let said = Said {
        verdict: assessment.verdict.name().to_owned(),
        codes: reasons.iter().map(|it| it.code.clone()).collect(),
    };
    (assessment.verdict, said, reasons.iter().map(|it| format!("{} [{}]", it.message, it.code)).collect())
}

/// Puts a feature into a document: a list of names, a mapping of attributes, a list of instances, `absent` or `unknown`; or
/// several of these, by `flags`, `attributes` and `instances`.
fn put(sections: &mut Map<String, Value>, feature: &str, value: &Value) -> anyhow::Result<()> {
    for (_, section) in sections.iter_mut() {
        if let Some(section) = section.as_object_mut() {
            section.remove(feature);
        }
    }
    let mut set = |section: &str, value: Value| {
        let section = sections.entry(section).or_insert_with(|| json!({}));
        if let Some(section) = section.as_object_mut() {
            section.insert(feature.to_owned(), value);
        }
    };
    match value {
        Value::String(word) if word == "absent" => set("absent", json!({"read": "the test"})),
        Value::String(word) if word == "unknown" => {
            set("unknown", json!({"read": "the test", "reason": "is unknown there"}));
        }
        Value::Array(items) => list(items, has_names(feature), &mut set)?,
        Value::Object(map) if map.keys().all(|it| KINDS.contains(&it.as_str())) && !map.is_empty() => {
            for (kind, value) in map {
                match value {
                    Value::Array(items) => list(items, kind == "flags", &mut set)?,
                    Value::Object(attributes) => set("attributes", json!({"elements": texts(attributes)?})),
                    Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                        bail!("has neither a list nor a mapping")
                    }
                }
            }
        }
        Value::Object(attributes) => set("attributes", json!({"elements": texts(attributes)?})),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            bail!("is neither a list, nor a mapping, nor `absent`, nor `unknown`")
        }
    }
    Ok(())
}

const KINDS: [&str; 3] = ["flags", "attributes", "instances"];

/// Whether an empty list says that there are no names; otherwise that there are no instances.
fn has_names(feature: &str) -> bool {
    host::feature(feature).is_some_and(|it| !it.kinds.contains(&ElementKind::Instances))
}

/// Names, or instances.
fn list(items: &[Value], has_names: bool, set: &mut impl FnMut(&str, Value)) -> anyhow::Result<()> {
    if let Some(names) = items.iter().map(Value::as_str).collect::<Option<Vec<_>>>()
        && (has_names || !names.is_empty())
    {
        let elements: BTreeMap<_, _> = names.into_iter().map(|it| (it, json!({}))).collect();
        set("flags", json!({"elements": elements}));
        return Ok(());
    }
    let mut instances = Vec::new();
    for item in items {
        let Value::Object(attributes) = item else { bail!("has a list of names and of other things") };
        instances.push(json!({"attributes": texts(attributes)?}));
    }
    set("instances", json!({"elements": instances}));
    Ok(())
}

fn texts(attributes: &Map<String, Value>) -> anyhow::Result<BTreeMap<&str, &str>> {
    let mut texts = BTreeMap::new();
    for (name, value) in attributes {
        let Value::String(text) = value else { bail!("{name:?} is no text") };
        texts.insert(name.as_str(), text.as_str());
    }
    Ok(texts)
}
