//! Entries on hosts: which one is chosen, and why.

use serde_json::{Value, json};

use super::{Contender, entries, rank};
use crate::decide::pipeline::{Host, Terms};
use crate::decide::requirements::Collected;
use crate::host::Facts;
use crate::policy::Preference;
use crate::store::Digest;

fn digest(name: &str) -> String {
    Digest::of(name.as_bytes()).to_string()
}

/// An entry whose digest is that of a name.
fn entry(name: &str, platform: &Value) -> Value {
    json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest(name), "size": 7, "platform": platform})
}

fn linux(variant: Option<&str>, features: &[&str]) -> Value {
    let mut platform = json!({"os": "linux", "architecture": "amd64", "features": features});
    platform["variant"] = variant.map_or(Value::Null, Value::from);
    platform
}

/// A host with these CPU flags.
fn amd64(flags: &[&str]) -> Facts {
    let flags: serde_json::Map<_, _> = flags.iter().map(|it| ((*it).to_owned(), json!({}))).collect();
    let facts = json!({
        "flags": {"cpu.cpuid": {"elements": flags}, "kernel.program": {"elements": {"x86-64": {}}}},
        "attributes": {"system.osrelease": {"elements": {"ID": "debian"}}, "local.feature": {"elements": {}}}
    });
    Facts::from_json(facts.to_string().as_bytes()).unwrap()
}

/// The names of the entries in their order, each with its verdict and its score; the first line says which one is chosen.
fn ranked(names: &[&str], index: &Value, preferences: &[Preference], facts: &Facts) -> Vec<String> {
    let found = entries(index.to_string().as_bytes()).unwrap_or_else(|err| panic!("{err:#}"));
    let candidate = |entry: super::IndexedImage| {
        let mut collected = Collected::default();
        collected.requirements.extend(entry.demands());
        Contender { image: "index.json".to_owned(), entry, collected }
    };
    let selection =
        rank(found.into_iter().map(candidate).collect(), preferences, &Host::Facts(facts), &Terms::default());
    let name = |wanted: &str| names.iter().find(|it| digest(it) == wanted).copied().unwrap_or("?");
    let chosen = selection.chosen.as_deref().map_or("none", name);
    let line = |it: &super::RankedEntry| {
        let reason = it.reasons.first().map_or_else(String::new, |it| format!(": {}", it.message));
        format!("{} {:?} {}{reason}", name(&it.digest), it.verdict, it.score)
    };
    std::iter::once(chosen.to_owned()).chain(selection.entries.iter().map(line)).collect()
}

#[test]
fn the_most_specific_label_that_fits_is_chosen() {
    let names = ["any", "v2", "v3", "v4"];
    let levels = [None, Some("v2"), Some("v3"), Some("v4")];
    let all = names.iter().zip(levels).map(|(name, level)| entry(name, &linux(level, &[])));
    let index = json!({"manifests": all.collect::<Vec<_>>()});
    let third = amd64(&["X86_64_V1", "X86_64_V2", "X86_64_V3"]);
    assert_eq!(
        ranked(&names, &index, &[], &third),
        [
            "v3",
            "v3 Compatible 0",
            "v2 Compatible 0",
            "any Compatible 0",
            "v4 Incompatible 0: this CPU is not x86-64-v4: it lacks CMOV, CMPXCHG8, FXSR, MMX, SSE, SSE2, X87, CX16, LAHF, \
             POPCNT, SSE3, SSE4, SSE42, SSSE3, AVX, AVX2, BMI1, BMI2, F16C, FMA3, LZCNT, MOVBE, OSXSAVE, AVX512BW, AVX512CD, \
             AVX512DQ, AVX512F, AVX512VL"
        ]
    );
    assert_eq!(ranked(&names, &index, &[], &amd64(&[]))[..2], ["any", "any Compatible 0"]);
}

#[test]
fn the_host_s_own_machine_is_chosen_and_an_unknown_platform_is_undecided() {
    let names = ["wasm", "386", "arm64", "amd64"];
    let platform = |os: &str, architecture: &str, variant: Value| json!({"os": os, "architecture": architecture, "variant": variant});
    let index = json!({"manifests": [
        entry("wasm", &platform("wasip1", "wasm", Value::Null)),
        entry("386", &platform("linux", "386", Value::Null)),
        entry("arm64", &platform("linux", "arm64", json!("v8"))),
        entry("amd64", &platform("linux", "amd64", Value::Null)),
    ]});
    let host = |machines: Value| {
        let facts =
            json!({"flags": {"kernel.program": {"elements": machines}, "cpu.cpuid": {"elements": {}}}});
        Facts::from_json(facts.to_string().as_bytes()).unwrap()
    };
    let unknown = "wasm Undecided 0: feature platform/wasip1/wasm is unknown: no probe knows this feature";
    assert_eq!(
        ranked(
            &names,
            &index,
            &[],
            &host(json!({"x86-64": {}, "i386": {}, "arm64": {}, "arm64.handler": {}}))
        ),
        ["amd64", "amd64 Compatible 0", "386 Compatible 0", "arm64 Compatible 0", unknown]
    );
    // Every host of arm64 has its extension v8.
    assert_eq!(
        ranked(&names, &index, &[], &host(json!({"arm64": {}, "x86-64": {}, "x86-64.handler": {}})))[..3],
        ["arm64", "arm64 Compatible 0", "amd64 Compatible 0"]
    );
}

#[test]
fn features_have_to_be_known_and_there_and_equals_keep_their_order() {
    let names = ["generic", "avx2", "odd", "again"];
    let index = json!({"manifests": [
        entry("generic", &linux(None, &[])),
        entry("avx2", &linux(None, &["avx2", "sse41"])),
        entry("odd", &linux(None, &["avx2", "turbo"])),
        entry("again", &linux(None, &[])),
    ]});
    assert_eq!(
        ranked(&names, &index, &[], &amd64(&["AVX2", "SSE4"])),
        [
            "avx2",
            "avx2 Compatible 0",
            "generic Compatible 0",
            "again Compatible 0",
            "odd Incompatible 0: CPU flag TURBO is not present"
        ]
    );
    assert_eq!(ranked(&names, &index, &[], &amd64(&[]))[0], "generic");
}

#[test]
fn preferred_annotations_count_before_the_label() {
    let mut gpu = entry("gpu", &linux(None, &[]));
    gpu["annotation"] = json!({"com.example.gpu": "example-gpu-model"});
    let index = json!({"manifests": [entry("v2", &linux(Some("v2"), &[])), gpu]});
    let prefer = |value: &str| Preference {
        annotation: "com.example.gpu".to_owned(),
        value: value.to_owned(),
        weight: 10,
    };
    let host = amd64(&["X86_64_V2"]);
    let names = ["v2", "gpu"];
    assert_eq!(
        ranked(&names, &index, &[prefer("example-gpu-model")], &host)[..2],
        ["gpu", "gpu Compatible 10"]
    );
    assert_eq!(ranked(&names, &index, &[prefer("other")], &host)[0], "v2");
    // A weight makes nothing fit.
    assert_eq!(ranked(&names, &index, &[prefer("example-gpu-model")], &amd64(&[]))[0], "gpu");
}

#[test]
fn sets_of_proposal_h_add_the_score_of_the_best_that_fits() {
    let with = |sets: Value| {
        let mut platform = linux(None, &[]);
        platform["compatibilities"] = sets;
        platform
    };
    let index = json!({"manifests": [
        entry("low", &with(json!([{"oci.cpu.features": "AVX2,", "oci.compatibility-score": 5}]))),
        entry("high", &with(json!([
            {"oci.cpu.features": "AVX512F,", "oci.compatibility-score": 500},
            {"oci.cpu.features": "AVX2,", "oci.compatibility-score": 50}
        ]))),
        entry("wrong", &with(json!([{"oci.cpu.feature": "AVX2,"}]))),
    ]});
    assert_eq!(
        ranked(&["low", "high", "wrong"], &index, &[], &amd64(&["AVX2"])),
        [
            "high",
            "high Compatible 50",
            "low Compatible 5",
            "wrong Undecided 0: what the image says of its platform is malformed, at 1:22: a set has no key \
             \"oci.cpu.feature\"; did you mean `oci.cpu.features`?"
        ]
    );
}

#[test]
fn windows_takes_images_that_its_build_starts() {
    let windows = |version: &str| json!({"os": "windows", "architecture": "amd64", "os.version": version, "os.features": ["win32k"]});
    let index = json!({"manifests": [
        entry("linux", &linux(None, &[])),
        entry("2019", &windows("10.0.17763.6000")),
        entry("2022", &windows("10.0.20348.2113")),
        entry("odd", &json!({"os": "windows", "architecture": "amd64", "os.features": ["quux"]})),
    ]});
    let facts = json!({
        "flags": {"kernel.program": {"elements": {}}},
        "attributes": {"system.osrelease": {"elements": {"ID": "windows"}}, "local.feature": {"elements": {}},
            "kernel.version": {"elements": {"full": "10.0.20348.1"}}}
    });
    let facts = Facts::from_json(facts.to_string().as_bytes()).unwrap();
    let names = ["linux", "2019", "2022", "odd"];
    let found = ranked(&names, &index, &[], &facts);
    let verdicts: Vec<_> = found.iter().map(|it| it.split(':').next().unwrap_or_default()).collect();
    assert_eq!(
        verdicts,
        ["2022", "2022 Compatible 0", "2019 Incompatible 0", "odd Incompatible 0", "linux Incompatible 0"]
    );
}

#[test]
fn attestations_are_no_images_and_what_is_no_index_is_an_error() {
    let index = json!({"manifests": [entry("a", &json!({"os": "unknown", "architecture": "unknown"}))]});
    assert_eq!(ranked(&[], &index, &[], &amd64(&[])), ["none"]);
    let wrong = |text: &str| entries(text.as_bytes()).map(drop).map_err(|err| format!("{err:#}"));
    assert_eq!(wrong("{}"), Err("it is no index of images: it has no `manifests`".to_owned()));
    assert_eq!(
        wrong("[]"),
        Err("it is no index of images: invalid length 0, expected struct SelectedIndex with 1 element at line 1 column 2".to_owned())
    );
    assert_eq!(
        wrong(r#"{"manifests": null}"#),
        Err("it is no index of images: it has no `manifests`".to_owned())
    );
    let many = json!({"manifests": vec![entry("a", &linux(None, &[])); 513]}).to_string();
    assert_eq!(wrong(&many), Err("the index has 513 entries, and 512 at most are judged".to_owned()));
}
