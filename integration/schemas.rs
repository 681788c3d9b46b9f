//! Holds what the programs print against the schemas that are published for it (`docs/*.schema.json`).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use boon::{Compiler, SchemaIndex, Schemas};
use oci_compat::eval::{CODES, Code};
use oci_compat::outcome::decisions::{Record, RecordedSpec};
use oci_compat::outcome::report::Subject;
use serde_json::{Value, json};

/// A schema of `docs`.
pub(crate) struct Schema {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Schema {
    pub(crate) fn report() -> Self {
        Self::of("report.schema.json")
    }

    pub(crate) fn facts() -> Self {
        Self::of("facts.schema.json")
    }

    pub(crate) fn spec() -> Self {
        Self::of("spec.schema.json")
    }

    pub(crate) fn configuration() -> Self {
        Self::of("config-file.schema.json")
    }

    pub(crate) fn decision() -> Self {
        Self::of("decision.schema.json")
    }

    pub(crate) fn status() -> Self {
        Self::of("status.schema.json")
    }

    fn of(name: &str) -> Self {
        Self::from(name, document(name))
    }

    /// As it is published, but without room for fields that it does not name.
    fn exactly(name: &str) -> Self {
        let mut schema = document(name);
        close(&mut schema);
        Self::from(name, schema)
    }

    fn from(name: &str, schema: Value) -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.enable_format_assertions();
        compiler.add_resource(name, schema).expect("a schema");
        let index = compiler.compile(name, &mut schemas).unwrap_or_else(|err| panic!("{name}: {err:#}"));
        Self { schemas, index }
    }

    /// What is wrong with a document; empty if nothing is.
    pub(crate) fn complaint(&self, document: &Value) -> String {
        self.schemas.validate(document, self.index).map_or_else(|err| format!("{err:#}"), |()| String::new())
    }
}

/// What is printed with the name of a schema is as the schema says, and has no field that it does not name. Every test that
/// runs a program comes by here.
pub(crate) fn hold(printed: &str) {
    if !printed.starts_with('{') {
        return;
    }
    for document in serde_json::Deserializer::from_str(printed).into_iter::<Value>() {
        let Ok(document) = document else { return };
        let Some(schema) = document.get("schema").and_then(Value::as_str) else { continue };
        let name =
            schema.strip_prefix("oci-compat.").and_then(|it| it.strip_suffix("/v1")).expect("our schema");
        let name = format!("{name}.schema.json");
        // Those that say in which case a field is there name it more than once.
        let is_open = ["report.schema.json", "decision.schema.json"].contains(&name.as_str());
        let schema = if is_open { Schema::of(&name) } else { Schema::exactly(&name) };
        assert_eq!(schema.complaint(&document), "", "{document:#}");
    }
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.values_mut().for_each(close);
            if fields.get("type") == Some(&json!("object")) && fields.contains_key("properties") {
                fields.entry("additionalProperties").or_insert(json!(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn document(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    let text = fs::read(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}

fn report() -> Value {
    let finding = json!({"code": "module-not-loaded", "outcome": "unmet", "feature": "kernel.loadedmodule",
        "name": "gtp5g", "needed": "loaded", "found": "not loaded", "read": "/proc/modules",
        "hint": "modprobe gtp5g", "line": 7, "column": 9});
    let rule = json!({"name": "gtp5g", "outcome": "unmet", "findings": [finding]});
    let set = json!({"tag": "", "weight": 0, "description": "", "outcome": "unmet", "rules": [rule]});
    let spec = json!({"source": "file", "file": "spec.yaml", "outcome": "unmet", "sets": [set]});
    let reason = json!({"code": "module-not-loaded", "message": "kernel module gtp5g is not loaded"});
    let waiver = json!({"rule": "gtp5g", "code": "module-not-loaded", "message": "kernel module gtp5g is not loaded",
        "reason": "lab", "image": "*", "expires": "2031-12-31", "from": "config.toml:1"});
    json!({"schema": "oci-compat.report/v1", "verdict": "incompatible", "subject": {}, "reasons": [reason],
        "waivers": [waiver], "specs": [spec]})
}

fn facts() -> Value {
    json!({"host": {"schema": "oci-compat.facts/v1", "taken": "2026-08-01T00:00:00Z"},
        "flags": {"kernel.loadedmodule": {"elements": {"gtp5g": {}}}},
        "attributes": {"kernel.version": {"elements": {"full": "5.4.0"}}},
        "instances": {"pci.device": {"elements": [{"attributes": {"vendor": "8086"}, "read": "/sys"}]}},
        "absent": {"kernel.kvm": {"read": "/sys"}},
        "unknown": {"kernel.config": {"read": "/proc/config.gz", "reason": "is not there"}},
        "secret": {"kernel.version": ["full"]},
        "read": {"kernel.version": "/proc/sys/kernel/osrelease"}})
}

/// A decision with every field.
fn decision() -> Value {
    let reason = json!({"code": "module-not-loaded", "message": "kernel module gtp5g is not loaded"});
    let spec = json!({"source": "file", "file": "a.yaml", "artifact": "sha256:1", "outcome": "unmet"});
    json!({"schema": "oci-compat.decision/v1", "time": "2026-08-01T10:00:00.000000Z", "program": "hook",
        "mode": "enforce", "verdict": "incompatible", "situation": "incompatible", "action": "refuse",
        "intention": "refuse", "message": "oci-compat: refused: kernel module gtp5g is not loaded",
        "subject": {"image": "acme/upf:1", "digest": "sha256:1", "container": "c1", "bundle": "/b",
            "pod": {"namespace": "default", "name": "upf-0", "container": "upf"}},
        "reasons": [reason], "notes": ["a note"], "specs": [spec], "omitted": 1,
        "first": "2026-08-01T09:00:00.000000Z", "total": 8, "times": 4})
}

/// The document with another value at `place`, a JSON pointer; without the field if it is null.
fn with(mut document: Value, place: &str, value: Value) -> Value {
    let (parent, name) = place.rsplit_once('/').expect("a JSON pointer");
    let parent = document.pointer_mut(parent).expect("a place that is there");
    match (parent, value) {
        (Value::Object(fields), Value::Null) => drop(fields.remove(name)),
        (parent, value) => parent[name] = value,
    }
    document
}

#[test]
#[should_panic(expected = "new")]
fn what_is_printed_beside_what_a_schema_names_is_found() {
    hold(r#"{"schema": "oci-compat.lint/v1", "files": [], "new": 1}"#);
}

#[test]
#[should_panic(expected = "files")]
fn what_a_schema_names_and_is_not_printed_is_found() {
    hold(r#"{"schema": "oci-compat.lint/v1"}"#);
}

#[test]
fn fields_that_a_schema_does_not_name_are_accepted() {
    let (of_reports, of_facts) = (Schema::report(), Schema::facts());
    for place in ["/new", "/subject/new", "/specs/0/new", "/specs/0/sets/0/rules/0/findings/0/new"] {
        assert_eq!(of_reports.complaint(&with(report(), place, json!({"a": 1}))), "", "{place}");
    }
    for place in ["/new", "/host/new", "/unknown/kernel.config/new", "/flags/kernel.loadedmodule/new"] {
        assert_eq!(of_facts.complaint(&with(facts(), place, json!({"a": 1}))), "", "{place}");
    }
}

#[test]
fn a_report_that_is_not_as_its_schema_says_is_refused() {
    let schema = Schema::report();
    let finding = "/specs/0/sets/0/rules/0/findings/0";
    let refuse = |place: &str, value: Value| {
        let wrong = with(report(), place, value);
        assert_ne!(schema.complaint(&wrong), "", "{place}");
    };
    refuse("/schema", json!("oci-compat.report/v2"));
    refuse("/verdict", json!("maybe"));
    refuse("/action", json!("kill"));
    refuse("/notes", json!([]));
    refuse("/waivers", json!([]));
    refuse("/specs/0/sets/0/rules/0/waived", json!(false));
    refuse("/subject/digest", json!("sha256:1"));
    refuse("/reasons/0/code", json!("met"));
    refuse("/specs/0/file", Value::Null);
    refuse("/specs/0/source", json!("registry"));
    refuse("/specs/0/problems", json!([{"line": 1, "column": 1, "message": "x"}]));
    refuse("/specs/0/sets/0/weight", json!(0.5));
    refuse(&format!("{finding}/code"), json!("no-such-code"));
    refuse(&format!("{finding}/code"), json!("met"));
    refuse(&format!("{finding}/outcome"), json!("met"));
    refuse(&format!("{finding}/line"), json!(-1));
    refuse(&format!("{finding}/alternative"), json!(-1));
}

#[test]
fn facts_that_are_not_as_their_schema_says_are_refused() {
    let schema = Schema::facts();
    let refuse = |place: &str, value: Value| {
        let wrong = with(facts(), place, value);
        assert_ne!(schema.complaint(&wrong), "", "{place}");
    };
    refuse("/host/schema", json!("oci-compat.facts/v2"));
    refuse("/host/taken", json!("2026-13-01T00:00:00Z"));
    refuse("/flags/kernel.loadedmodule/elements", json!(["gtp5g"]));
    refuse("/attributes/kernel.version/elements", json!({"major": 5}));
    refuse("/instances/pci.device/elements", json!([{"vendor": "8086"}]));
    refuse("/unknown/kernel.config/reason", Value::Null);
    refuse("/secret", json!(["kernel.version"]));
    refuse("/secret/kernel.version", json!({"full": true}));
    refuse("/read/kernel.version", json!(1));
}

#[test]
fn every_field_that_is_always_there_is_required() {
    let check = |schema: &Schema, document: &Value, optional: &[&str]| {
        let mut places = Vec::new();
        fields(document, "", &mut places);
        let missed =
            |place: &&String| schema.complaint(&with(document.clone(), place, Value::Null)).is_empty();
        assert_eq!(places.iter().filter(missed).collect::<Vec<_>>(), optional);
    };
    let hint = "/specs/0/sets/0/rules/0/findings/0/hint";
    check(&Schema::report(), &report(), &[hint, "/waivers", "/waivers/0/expires"]);
    let by_name = [
        "/absent/kernel.kvm",
        "/attributes/kernel.version",
        "/attributes/kernel.version/elements/full",
        "/flags/kernel.loadedmodule",
        "/flags/kernel.loadedmodule/elements/gtp5g",
        "/host/taken",
        "/instances/pci.device",
        "/instances/pci.device/elements/0/attributes/vendor",
        "/instances/pci.device/elements/0/read",
        "/read/kernel.version",
        "/secret",
        "/secret/kernel.version",
        "/unknown/kernel.config",
    ];
    check(&Schema::facts(), &facts(), &by_name);
    let optional = [
        "/first",
        "/notes",
        "/omitted",
        "/specs/0/artifact",
        "/specs/0/file",
        "/subject/bundle",
        "/subject/container",
        "/subject/digest",
        "/subject/image",
        "/subject/pod",
        "/times",
        "/total",
    ];
    check(&Schema::decision(), &decision(), &optional);
}

#[test]
fn the_schema_of_decisions_lists_every_field_of_a_record() {
    let record: Record = serde_json::from_value(decision()).expect("a record");
    assert_eq!(serde_json::to_value(&record).expect("JSON"), decision());
    // Without a catch-all for what the struct gains: each field of it stands in the example, and the example in the schema.
    let Record {
        schema: _,
        time: _,
        program: _,
        mode: _,
        verdict: _,
        situation: _,
        action: _,
        intention: _,
        message: _,
        subject: Subject { image: _, digest: _, container: _, bundle: _, pod: _ },
        reasons: _,
        notes: _,
        specs,
        omitted: _,
        first: _,
        total: _,
        times: _,
    } = record;
    let Some(RecordedSpec { source: _, file: _, artifact: _, outcome: _ }) = specs.first() else {
        panic!("a spec")
    };
    let (schema, mut places) = (document("decision.schema.json"), Vec::new());
    fields(&decision(), "", &mut places);
    for place in places {
        let place = place
            .replace("/0/", "//items/")
            .replace('/', "/properties/")
            .replace("/properties//properties/items", "/items");
        assert!(schema.pointer(&place).is_some(), "{place}");
    }
}

#[test]
fn a_decision_that_is_not_as_its_schema_says_is_refused() {
    let schema = Schema::decision();
    assert_eq!(schema.complaint(&decision()), "");
    assert_eq!(schema.complaint(&with(decision(), "/new", json!({"a": 1}))), "");
    for (place, value) in [
        ("/schema", json!("oci-compat.decision/v2")),
        ("/time", json!("yesterday")),
        ("/action", json!("kill")),
        ("/omitted", json!(0)),
        ("/notes", json!([])),
        ("/specs/0/outcome", json!("maybe")),
    ] {
        assert_ne!(schema.complaint(&with(decision(), place, value)), "", "{place}");
    }
}

/// The places of all fields below a place.
fn fields(value: &Value, place: &str, places: &mut Vec<String>) {
    if let Value::Object(map) = value {
        for (name, value) in map {
            places.push(format!("{place}/{name}"));
            fields(value, &format!("{place}/{name}"), places);
        }
    }
    for (index, value) in value.as_array().into_iter().flatten().enumerate() {
        fields(value, &format!("{place}/{index}"), places);
    }
}

#[test]
fn the_schema_lists_every_code() {
    let schema = document("report.schema.json");
    let listed = |place: &str| -> BTreeSet<String> {
        let codes = schema.pointer(place).and_then(Value::as_array).expect("a list of codes");
        codes.iter().map(|it| it.as_str().expect("text").to_owned()).collect()
    };
    let known = |is_listed: fn(Code) -> bool| -> BTreeSet<String> {
        CODES.iter().filter(|(code, ..)| is_listed(*code)).map(|(_, name, _)| (*name).to_owned()).collect()
    };
    let reasons = listed("/$defs/reason/properties/code/enum");
    assert_eq!(reasons, known(|it| it != Code::Met));
    assert_eq!(
        listed("/$defs/finding/properties/code/enum"),
        known(|it| it.is_of_rules() && it != Code::NoSetSelected)
    );
}
