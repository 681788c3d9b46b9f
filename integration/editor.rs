//! The schemas that editors use for specs and for the configuration, held against the parsers.

use std::fs;
use std::path::{Path, PathBuf};

use oci_compat::author::lint::LintCode::{self, *};
use oci_compat::author::lint::{LINT_CODES, RemarkLevel, SpecText, check};
use oci_compat::host::FEATURES;
use oci_compat::policy::Policy;
use oci_compat::policy::trust::Trust;
use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value, json};

use crate::documents::examples;
use crate::schemas::Schema;

/// What a schema cannot judge: it sees values, not how they are written, what they cost, or their order.
const BEYOND: [LintCode; 7] =
    [YamlSyntax, YamlAmbiguous, BadPattern, BadTemplate, EmptyInterval, TooExpensive, OtherError];

/// Specs that are wrong in one way each, as rules of a set in our own language.
const WRONG: [&str; 34] = [
    "- name: [a]",
    "- name:",
    "- vars: {a: [b]}",
    "- varsTemplate: {}",
    "- matchFeatures: {feature: kernel.version}",
    "- matchFeatures: [kernel.version]",
    "- matchFeatures: [{}]",
    "- matchFeatures: [{feature: \"\"}]",
    "- matchFeatures: [{feature: f.g, matchExpressions: [a]}]",
    "- matchFeatures: [{feature: f.g, matchExpressions: {a: Exists}}]",
    "- matchFeatures: [{feature: f.g, matchExpressions: {a: {value: [b]}}}]",
    "- matchFeatures: [{feature: f.g, matchExpressions: {a: {op: Exists, value: [b]}}}]",
    "- matchFeatures: [{feature: f.g, matchExpressions: {a: {op: In}}}]",
    "- matchFeatures: [{feature: f.g, matchExpressions: {a: {op: In, value: []}}}]",
    "- matchFeatures: [{feature: f.g, matchExpressions: {a: {op: Gt, value: [1, 2]}}}]",
    "- matchFeatures: [{feature: f.g, matchExpressions: {a: {op: Gt, value: [b]}}}]",
    "- matchFeatures: [{feature: f.g, matchExpressions: {a: {op: GtLt, value: [1]}}}]",
    "- matchFeatures: [{feature: f.g, matchExpressions: {a: {op: Gt, value: [5.4]}}}]",
    "- matchFeatures: [{feature: f.g, matchExpressions: {a: {op: Gt, value: [x], type: version}}}]",
    "- matchFeatures: [{feature: f.g, matchExpressions: {a: {op: Gt, value: [1-2], type: version}}}]",
    "- matchFeatures: [{feature: f.g, matchExpressions: {a: {op: Gt, value: [8 Gi], type: quantity}}}]",
    "- matchFeatures: [{feature: f.g, matchExpressions: {a: {op: Gt, value: [8], type: size}}}]",
    "- matchFeatures: [{feature: f.g, matchName: {op: Exists, values: []}}]",
    "- matchFeatures: [{feature: f.g, count: {op: In, value: [2]}}]",
    "- matchFeatures: [{feature: f.g, matchName: {op: Exists}, count: {op: Ge, value: [2]}}]",
    "- matchAny: [{rules: []}]",
    "- matchAny: [[]]",
    "- severity: high",
    "- any: []",
    "- all: [{}]",
    "- not: {}",
    "- not: []",
    "- when: {matchAny: []}",
    "- labels: {a: b}",
];

#[test]
fn the_schema_of_specs_agrees_with_the_parser() {
    let schema = Schema::spec();
    let specs = specs();
    let mut refused = 0;
    for (place, text) in &specs {
        let Some(document) = yaml(text) else { continue };
        let errors: Vec<_> = check(text.as_bytes(), &SpecText::new(text))
            .into_iter()
            .filter(|it| it.level() == RemarkLevel::Error)
            .collect();
        let complaint = schema.complaint(&document);
        if errors.is_empty() {
            assert_eq!(complaint, "", "{place}:\n{text}");
        } else if errors.iter().any(|it| !BEYOND.contains(&it.code)) {
            let errors: Vec<_> = errors.iter().map(|it| it.sentence()).collect();
            assert_ne!(complaint, "", "{place}: {errors:?}\n{text}");
            refused += 1;
        }
    }
    assert!(
        150 < specs.len() && WRONG.len() + 12 < refused,
        "{} specs, {refused} of them wrong",
        specs.len()
    );
}

#[test]
fn the_schema_of_specs_offers_every_feature() {
    let schema = text("docs/spec.schema.json");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    for language in ["nfd", "own"] {
        let place = format!("/definitions/{language}Term/properties/feature/anyOf/0/enum");
        let offered = schema.pointer(&place).expect("a list of features");
        let mut known: Vec<_> = FEATURES.iter().map(|it| it.name).collect();
        known.push("rule.matched");
        assert_eq!(offered, &json!(known), "{place}");
    }
}

/// Every spec that there is: of documents, examples, cases and codes, and those above.
fn specs() -> Vec<(String, String)> {
    let mut specs: Vec<_> = examples()
        .into_iter()
        .filter(|(_, language, text)| language == "yaml" && text.starts_with("version: "))
        .map(|(place, _, text)| (place, text))
        .collect();
    for folder in ["docs/examples", "integration/cases", "integration/bench", "src/spec/testdata"] {
        let mut files = Vec::new();
        collect(&project().join(folder), &mut files);
        for path in files {
            let text = fs::read_to_string(&path).expect("a spec");
            if text.contains("compatibilities") {
                specs.push((path.display().to_string(), text));
            }
        }
    }
    let rules = |version: &str, rules: &str| {
        let rules = rules.trim_end().replace('\n', "\n  ");
        format!("version: {version}\ncompatibilities:\n- description: an example\n  rules:\n  {rules}\n")
    };
    for info in LINT_CODES {
        for example in [info.wrong, info.right] {
            // Those of other tools have schemas of their own.
            if example.starts_with("apiVersion:") {
                continue;
            }
            let text =
                if example.starts_with("version:") { example.to_owned() } else { rules("v1alpha1", example) };
            specs.push((info.name.to_owned(), text));
        }
    }
    for wrong in WRONG {
        specs.push((wrong.to_owned(), rules("oci-compat/v1", wrong)));
    }
    for (head, place) in [
        ("version: v2\ncompatibilities: []\n", "another version"),
        ("compatibilities: []\n", "no version"),
        ("version: v1alpha1\ncompatibilities: {}\n", "no list"),
        ("version: v1alpha1\ncompatibilities: [{rules: [], weight: \"1\"}]\n", "a quoted weight"),
        ("version: v1alpha1\ncompatibilities: [{weight: 1}]\n", "no rules"),
        ("version: v1alpha1\ncompatibilities: [{rules: [{when: {}}]}]\n", "ours in NFD's language"),
        ("version: v1alpha1\ncompatibilities: [[]]\n", "a set that is a list"),
    ] {
        specs.push((place.to_owned(), head.to_owned()));
    }
    specs
}

/// A document as editors read it: YAML 1.2, to the values of JSON. None if it is not valid, or has anchors.
fn yaml(text: &str) -> Option<Value> {
    let mut events = Vec::new();
    for event in Parser::new_from_str(text) {
        events.push(event.ok()?.0);
    }
    let starts = |it: &Event<'_>| {
        !matches!(
            it,
            Event::Nothing
                | Event::StreamStart
                | Event::StreamEnd
                | Event::DocumentStart(_)
                | Event::DocumentEnd
        )
    };
    let mut events = events.into_iter().filter(starts);
    let first = events.next()?;
    node(first, &mut events)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "only values are read")]
fn node<'a>(event: Event<'a>, events: &mut impl Iterator<Item = Event<'a>>) -> Option<Value> {
    match event {
        Event::Scalar(text, ScalarStyle::Plain, _, None) => Some(plain(&text)),
        Event::Scalar(text, ..) => Some(Value::String(text.into_owned())),
        Event::SequenceStart(..) => {
            let mut items = Vec::new();
            loop {
                match events.next()? {
                    Event::SequenceEnd => return Some(Value::Array(items)),
                    event => items.push(node(event, events)?),
                }
            }
        }
        Event::MappingStart(..) => {
            let mut map = Map::new();
            loop {
                match events.next()? {
                    Event::MappingEnd => return Some(Value::Object(map)),
                    Event::Scalar(key, ..) if key != "<<" => {
                        let value = events.next()?;
                        map.insert(key.into_owned(), node(value, events)?);
                    }
                    _ => return None,
                }
            }
        }
        _ => None,
    }
}

/// The core schema of YAML 1.2.
fn plain(text: &str) -> Value {
    let is_number =
        text.bytes().all(|it| it.is_ascii_digit() || b"+-.".contains(&it)) && !text.starts_with('+');
    match text {
        "" | "~" | "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ if is_number => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        _ => json!(text),
    }
}

/// Configurations that are wrong in one way each.
const WRONG_SETTINGS: [&str; 34] = [
    "mode = \"on\"",
    "mode = true",
    "modes = \"off\"",
    "action = \"refuse\"",
    "action.incompatible = \"warn\"",
    "action.other = \"start\"",
    "image_annotation = \"true\"",
    "may_waive.images = \"*\"",
    "tags = [1]",
    "tags = [\" \"]",
    "deadline_ms = 0",
    "deadline_ms = 240001",
    "deadline_ms = \"60000\"",
    "disclose = 1",
    "sensitive = \"none\"",
    "crun_stderr = []",
    "runtimes = []",
    "runtimes = [\"bin/runc\"]",
    "requirements = true",
    "requirements = \"requirements.d\"",
    "builds = \"all\"",
    "implicit.program = \"strict\"",
    "implicit.nvidia = \"warn\"",
    "log.max_bytes = 1",
    "log.keep = 100",
    "log.decisions = true",
    "log.journal = \"yes\"",
    "waiver = {}",
    "[[waiver]]\nimage = \"*\"\nreason = \"a\"\nexpires = \"never\"",
    "[[waiver]]\nrule = \"a\"\nreason = \"a\"\nexpires = \"never\"",
    "[[waiver]]\nrule = \"a\"\nimage = \"*\"\nreason = \"a\"\nexpires = \"never\"\nuntil = \"never\"",
    "[trust.\"docker.io/acme/*\"]\nkeys = [\"/k\"]",
    "[trust.\"docker.io/acme/*\"]\nrequire = \"signature\"",
    "[trust.\"docker.io/acme/*\"]\nrequire = \"signature\"\nverifier = [\"cosign\"]",
];

#[test]
fn the_schema_of_the_configuration_agrees_with_the_parser() {
    let schema = Schema::configuration();
    let is_wrong = |text: &str| {
        let reading = Policy::default_policy().overlay(text, "config.toml");
        !(reading.problems.is_empty() && Trust::default().overlay(text, "config.toml").is_empty())
    };
    let check = |place: &str, text: &str| {
        let Ok(table) = toml::from_str::<toml::Table>(text) else { return };
        let document = serde_json::to_value(table).expect("JSON");
        let complaint = schema.complaint(&document);
        assert_eq!(complaint.is_empty(), !is_wrong(text), "{place}: {complaint}\n{text}");
    };
    let mut good = 0;
    for (place, _, text) in examples().into_iter().filter(|(_, language, _)| language == "toml") {
        good += 1;
        check(&place, &text);
    }
    for wrong in WRONG_SETTINGS {
        assert!(is_wrong(wrong), "{wrong}");
        check(wrong, wrong);
    }
    let commented = text("hooks/config.toml");
    let keys = |start: &str| {
        let lines: Vec<_> = commented.lines().filter_map(|it| it.strip_prefix(start)).collect();
        lines.into_iter().filter(|it| !it.starts_with(' ')).collect::<Vec<_>>().join("\n")
    };
    check("hooks/config.toml", &keys("#"));
    check("hooks/config.toml, the exceptions", &keys("#  "));
    assert!(5 < good, "{good} configurations in documents");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|it| it == "yaml") {
            files.push(path);
        }
    }
}

fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(project().join(path)).expect("a file of the project")
}
