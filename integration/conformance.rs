//! Every case that NFD's own engine answered, judged by ours: each agrees, or is a divergence that is listed with its reason.

use std::collections::BTreeMap;
use std::fmt::Write;

use oci_compat::eval::{self, Judgement, Outcome};
use oci_compat::host::Facts;
use oci_compat::spec;
use serde::Deserialize;
use serde_json::Value;

const CASES: &str = include_str!("conformance/nfd-rules.ndjson");
const FEATURES: &str = include_str!("conformance/nfd-rules.features.json");
const DIVERGENCES: &str = include_str!("conformance/divergences.txt");

#[derive(Deserialize)]
struct Case {
    id: String,
    kind: String,
    tags: Vec<String>,
    spec: String,
    features: String,
    nfd: Value,
}

#[test]
fn every_case_agrees_with_nfd_or_is_a_listed_divergence() {
    let features: BTreeMap<String, Value> = serde_json::from_str(FEATURES).expect("the features are JSON");
    let listed = divergences();
    let (mut agreed, mut wrong, mut diverged) = (0, String::new(), Vec::new());
    for line in CASES.lines() {
        let case: Case = serde_json::from_str(line).expect("a case is JSON");
        let facts = facts(&features[&case.features]);
        match (compare(&case, &facts), listed.contains_key(case.id.as_str())) {
            (Ok(()), false) => agreed += 1,
            (Err(_), true) => diverged.push(case.id.clone()),
            (Ok(()), true) => {
                writeln!(wrong, "{}: listed as a divergence, but agrees", case.id).expect("a string")
            }
            (Err(how), false) => writeln!(wrong, "{}: {how}", case.id).expect("a string"),
        }
    }
    assert_eq!(wrong, "");
    assert_eq!((agreed + diverged.len(), diverged.len()), (533, listed.len()));
}

/// A host of which NFD found nothing at all is still a host.
fn facts(features: &Value) -> Facts {
    let document = match features.as_object() {
        Some(features) if features.values().all(Value::is_null) => r#"{"flags": {}}"#.to_owned(),
        _ => features.to_string(),
    };
    Facts::from_json(document.as_bytes()).expect("the features are facts")
}

/// What NFD answers on the left, what ours may say on the right.
fn compare(case: &Case, facts: &Facts) -> Result<(), String> {
    let spec = match (spec::parse(case.spec.as_bytes()), case.kind.as_str()) {
        (Ok(spec), _) => spec,
        (Err(_), "nomatch" | "eval-error" | "decode-error" | "panic") => return Ok(()),
        (Err(err), kind) => return Err(format!("{kind}, ours: {err}")),
    };
    let judgement = eval::evaluate(&spec, &case.tags, facts);
    match case.kind.as_str() {
        "match" | "nomatch" => compare_rules(case, &judgement),
        kind if outcomes(&judgement).iter().flatten().any(|it| *it == Outcome::Unknown) => {
            let _error_is_unknown = kind;
            Ok(())
        }
        kind => Err(format!("{kind}, ours: {:?}", outcomes(&judgement))),
    }
}

fn compare_rules(case: &Case, judgement: &Judgement<'_>) -> Result<(), String> {
    let theirs = case.nfd["sets"].as_array().expect("sets");
    let ours = outcomes(judgement);
    if theirs.len() != ours.len() {
        return Err(format!("{} sets, ours: {}", theirs.len(), ours.len()));
    }
    for (theirs, ours) in theirs.iter().zip(&ours) {
        let theirs = theirs["rules"].as_array().map(Vec::as_slice).unwrap_or_default();
        let theirs: Vec<bool> = theirs.iter().map(|it| it["match"].as_bool().expect("match")).collect();
        let agree = |theirs: &bool, ours: &Outcome| match ours {
            Outcome::Met => *theirs,
            Outcome::Unmet | Outcome::Unknown => !*theirs,
        };
        if theirs.len() != ours.len() || !theirs.iter().zip(ours).all(|(theirs, ours)| agree(theirs, ours)) {
            return Err(format!("{theirs:?}, ours: {ours:?}"));
        }
    }
    Ok(())
}

fn outcomes(judgement: &Judgement<'_>) -> Vec<Vec<Outcome>> {
    judgement.sets.iter().map(|it| it.rules.iter().map(|it| it.outcome).collect()).collect()
}

/// `id`s under a line that starts with `#` and gives their reason.
fn divergences() -> BTreeMap<&'static str, &'static str> {
    let mut reason = "";
    let mut listed = BTreeMap::new();
    for line in DIVERGENCES.lines().map(str::trim).filter(|it| !it.is_empty()) {
        match line.strip_prefix('#') {
            Some(text) => reason = text.trim(),
            None => {
                assert!(!reason.is_empty(), "{line} has no reason");
                assert!(listed.insert(line, reason).is_none(), "{line} is listed twice");
            }
        }
    }
    listed
}
