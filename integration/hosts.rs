//! Holds the probes against what NFD itself found on some fifty synthetic hosts (`conformance/nfd-hosts.json`).
//!
//! What derives from CPUID was that of the machine that ran NFD, and is left out. Everything else is equal, or listed
//! below with what ours says instead, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use oci_compat::decide::check::Requirement;
use oci_compat::decide::pipeline::{self, Terms};
use oci_compat::decide::requirements::Collected;
use oci_compat::eval::Outcome;
use oci_compat::host::{DocumentForm, FEATURES, Facts, FeatureDemand, FeatureInfo, Root, Wanted, gather};
use oci_compat::outcome::report::{Report, SpecOrigin};
use oci_compat::spec;
use serde::Deserialize;
use serde_json::{Map, Value};

const HOSTS: &str = include_str!("conformance/nfd-hosts.json");

/// Features that NFD read from the processor of its own machine.
const FROM_CPUID: [&str; 4] = ["cpu.cpuid", "cpu.model", "cpu.rdt", "cpu.sst"];

/// Where ours says something else than NFD.
struct Divergence {
    /// A host; all of them if empty.
    host: &'static str,
    feature: &'static str,
    /// What ours says, as `kind → elements`.
    ours: &'static str,
    #[expect(dead_code, reason = "for the reader")]
    why: &'static str,
}

const DIVERGENCES: &[Divergence] = &[
    Divergence {
        host: "",
        feature: "system.name",
        ours: "{}",
        why: "NFD takes the name from NODE_NAME in its own environment, which a hook does not have; ours asks the \
              kernel, whose word is missing here",
    },
    Divergence {
        host: "044-pstate-emptyturbo",
        feature: "cpu.pstate",
        ours: r#"{"attributes": {"elements": {"status": "active"}}}"#,
        why: "NFD panics on an empty no_turbo; ours is incomplete",
    },
    Divergence {
        host: "083-modules-nobuiltin",
        feature: "kernel.enabledmodule",
        ours: r#"{"flags": {"elements": {"a": {}}}}"#,
        why: "NFD loses the loaded modules if the list of those built in is missing; ours is incomplete",
    },
    Divergence {
        host: "087-modules-blankline-panic",
        feature: "kernel.loadedmodule",
        ours: r#"{"flags": {"elements": {"a": {}}}}"#,
        why: "NFD panics on a blank line",
    },
    Divergence {
        host: "087-modules-blankline-panic",
        feature: "kernel.enabledmodule",
        ours: r#"{"flags": {"elements": {"a": {}}}}"#,
        why: "NFD panics on a blank line",
    },
    Divergence {
        host: "019-hugepages-edge",
        feature: "memory.hugepages",
        ours: r#"{"attributes": {"elements": {"enabled": "true", "hugepages-0": "5", "hugepages-1536Ki": "2",
            "hugepages-16Mi": "abc", "hugepages-1Gi": "16", "hugepages-2Mi": "0", "hugepages-64Ki": "1"}}}"#,
        why: "NFD gives a pool without a count an empty one",
    },
    Divergence {
        host: "106-osrel-longline",
        feature: "system.osrelease",
        ours: r#"{"attributes": {"elements": {"A": "x…", "B": "1"}}}"#,
        why: "NFD stops reading at a line of more than 64 KiB",
    },
];

/// One host: its files, and what NFD found.
#[derive(Debug, Deserialize)]
struct Host {
    folders: Vec<PathBuf>,
    files: BTreeMap<PathBuf, String>,
    /// Files that are not text.
    #[serde(default)]
    hex: BTreeMap<PathBuf, String>,
    /// Long files: texts, and how often each is repeated.
    #[serde(default)]
    repeated: BTreeMap<PathBuf, Vec<(String, usize)>>,
    /// None if NFD gave up.
    expected: Option<Value>,
}

#[test]
fn hosts_look_as_they_do_to_nfd_but_for_the_listed_divergences() -> anyhow::Result<()> {
    let hosts: BTreeMap<String, Host> = serde_json::from_str(HOSTS)?;
    let (mut compared, mut missing, mut diverged) = (0, 0, BTreeSet::new());
    for (name, host) in &hosts {
        let ours = ours(host).with_context(|| format!("making host {name}"))?;
        for info in FEATURES.iter().filter(|it| it.nfd && !FROM_CPUID.contains(&it.name)) {
            let ours = sets(&ours, info);
            match DIVERGENCES.iter().position(|it| it.is_about(name, info)) {
                Some(index) => {
                    let listed = DIVERGENCES.get(index).map_or("", |it| it.ours);
                    assert_eq!(
                        shortened(&ours)?,
                        serde_json::from_str::<Value>(listed)?,
                        "{name}: {}",
                        info.name
                    );
                    diverged.insert(index);
                }
                None => {
                    let Some(expected) = &host.expected else { continue };
                    assert_eq!(ours, sets(expected, info), "{name}: {}", info.name);
                    compared += 1;
                    missing += usize::from(ours == Value::Object(Map::new()));
                }
            }
        }
    }
    assert_eq!(diverged.len(), DIVERGENCES.len(), "a listed divergence is none");
    let gave_up = hosts.values().filter(|it| it.expected.is_none()).count();
    println!(
        "{} hosts, {compared} features equal ({missing} of them missing in both), {} divergences listed, \
         NFD gave up on {gave_up} hosts",
        hosts.len(),
        diverged.len()
    );
    Ok(())
}

#[test]
fn a_snapshot_of_a_host_gets_the_report_that_the_host_itself_gets() -> anyhow::Result<()> {
    let hosts: BTreeMap<String, Host> = serde_json::from_str(HOSTS)?;
    let specs = specs()?;
    for (name, host) in &hosts {
        let folder = tempfile::tempdir()?;
        host.make(folder.path())?;
        let root = Root::at(folder.path())?;
        let snapshot =
            Facts::from_json(gather(&root, &everything()).to_json(DocumentForm::Full)?.as_bytes())?;
        for (path, text) in &specs {
            let report = |host: pipeline::Host<'_>| {
                let mut collected = Collected::default();
                let spec = spec::parse(text.as_bytes());
                collected.requirements.push(Requirement { origin: SpecOrigin::Inline, spec });
                outline(&pipeline::assess(collected, &host, &Terms::default()).report)
            };
            let (taken, live) = (pipeline::Host::Facts(&snapshot), pipeline::Host::Root(&root));
            assert_eq!(report(taken), report(live), "{name}: {path}");
        }
    }
    Ok(())
}

/// A report but for where doubt comes from: a snapshot asks for all of a feature, and of several files that cannot be read
/// tells another one than a rule that asks for one element.
fn outline(report: &Report) -> String {
    let mut lines = vec![report.verdict.name().to_owned()];
    let rules = report.specs.iter().flat_map(|it| &it.sets).flat_map(|it| &it.rules);
    for rule in rules {
        lines.push(format!("{} {}", rule.name, rule.outcome.name()));
        let certain = rule.findings.iter().filter(|_| rule.outcome != Outcome::Unknown);
        lines.extend(
            certain.map(|it| format!("  {} {} {}: {}", it.code, it.feature, it.name, it.outcome.name())),
        );
    }
    let certain = report.reasons.iter().filter(|it| it.code != "fact-unknown");
    lines.extend(certain.map(|it| it.message.clone()));
    lines.join("\n")
}

/// Every spec of the cases and of the examples.
fn specs() -> anyhow::Result<Vec<(String, String)>> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut specs = Vec::new();
    for folder in [project.join("integration/cases"), project.join("docs/examples")] {
        let mut folders = vec![folder];
        while let Some(folder) = folders.pop().filter(|it| it.is_dir()) {
            for entry in fs::read_dir(&folder)? {
                let path = entry?.path();
                let is_spec = path.extension().is_some_and(|it| it == "yaml");
                if path.is_dir() {
                    folders.push(path);
                } else if is_spec {
                    specs.push((path.display().to_string(), fs::read_to_string(&path)?));
                }
            }
        }
    }
    anyhow::ensure!(specs.len() > 20, "only {} specs were found", specs.len());
    Ok(specs)
}

fn everything() -> FeatureDemand {
    FEATURES.iter().map(|it| (it.name.to_owned(), Wanted::All)).collect()
}

impl Divergence {
    fn is_about(&self, host: &str, info: &FeatureInfo) -> bool {
        (self.host.is_empty() || self.host == host) && self.feature == info.name
    }
}

/// What our probes find on a host, in NFD's shape.
fn ours(host: &Host) -> anyhow::Result<Value> {
    let folder = tempfile::tempdir()?;
    host.make(folder.path())?;
    let facts = gather(&Root::at(folder.path())?, &everything());
    Ok(serde_json::from_str(&facts.to_json(DocumentForm::Nfd)?)?)
}

impl Host {
    fn make(&self, root: &Path) -> anyhow::Result<()> {
        for folder in &self.folders {
            fs::create_dir_all(inside(root, folder))?;
        }
        for (path, text) in &self.files {
            write(root, path, text.as_bytes())?;
        }
        for (path, hex) in &self.hex {
            write(root, path, &bytes(hex)?)?;
        }
        for (path, parts) in &self.repeated {
            let text: String = parts.iter().map(|(text, times)| text.repeat(*times)).collect();
            write(root, path, text.as_bytes())?;
        }
        Ok(())
    }
}

fn write(root: &Path, path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let place = inside(root, path);
    fs::create_dir_all(place.parent().context("a file stands in a folder")?)?;
    Ok(fs::write(place, content)?)
}

fn inside(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn bytes(hex: &str) -> anyhow::Result<Vec<u8>> {
    let byte = |it: usize| Ok(u8::from_str_radix(hex.get(it..it + 2).context("half a byte")?, 16)?);
    (0..hex.len()).step_by(2).map(byte).collect()
}

/// One feature of a document: `kind → elements`.
fn sets(document: &Value, info: &FeatureInfo) -> Value {
    let kinds = ["flags", "attributes", "instances"];
    let set = |kind: &str| Some((kind.to_owned(), document.get(kind)?.get(info.name)?.clone()));
    Value::Object(kinds.into_iter().filter_map(set).collect::<Map<_, _>>())
}

/// With long runs of `x` cut off, so that they can be listed.
fn shortened(value: &Value) -> anyhow::Result<Value> {
    Ok(serde_json::from_str(&value.to_string().replace(&"x".repeat(70_000), "x…"))?)
}
