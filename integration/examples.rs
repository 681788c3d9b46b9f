//! The specs of `docs/examples`, each held against hosts that meet it and hosts that fail it in one way each.
//!
//! `integration/examples/NAME.toml` has the hosts of `docs/examples/NAME.yaml`: what all of them have (`common`), and
//! below `fits`, `fails` and `undecided` what each has besides, or has otherwise. Hosts are files by their paths; `{link = TARGET}` is a
//! symbolic link, `false` takes one away, and a path that ends in `/` is an empty folder. `facts` are what files cannot show, such as CPUID and device nodes, in the
//! shape of `probe --format json`, without its `elements`. `NAME.expected` has what is said of each: `BLESS=1` writes it anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::{env, fs};

use oci_compat::check::{self, Requirement};
use oci_compat::host::{Bundle, Fact, Facts, Feature, Instance, Root};
use oci_compat::lint::lint;
use oci_compat::report::{Origin, Report};
use oci_compat::spec::{self, Spec};
use serde::Deserialize;

/// How many requirements of real images the examples are about.
const COUNT: usize = 25;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    /// Which machines they are modelled on, or that they are made up.
    note: String,
    common: Host,
    fits: BTreeMap<String, Host>,
    fails: BTreeMap<String, Host>,
    #[serde(default)]
    undecided: BTreeMap<String, Host>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Host {
    #[serde(default)]
    host: BTreeMap<String, Content>,
    #[serde(default)]
    facts: BTreeMap<String, Elements>,
    /// A `config.json`.
    bundle: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Link {
        link: String,
    },
    /// `false` takes away what all hosts have.
    There(bool),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Elements {
    read: String,
    flags: Option<Vec<String>>,
    attributes: Option<BTreeMap<String, String>>,
    instances: Option<Vec<BTreeMap<String, String>>>,
}

#[test]
fn every_example_fits_and_fails_as_recorded() {
    let mut wrong = Vec::new();
    for name in names() {
        let (spec, example) = (spec(&name), example(&name));
        let found = example.told(spec, &name);
        let path = hosts().join(format!("{name}.expected"));
        if env::var_os("BLESS").is_some() {
            fs::write(&path, found).expect("writing what is expected");
        } else if fs::read_to_string(&path).unwrap_or_default() != found {
            wrong.push(format!("{name}:\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "not as recorded:\n{}", wrong.join("\n"));
}

#[test]
fn no_example_has_anything_that_lint_warns_of() {
    for name in names() {
        // That other tools do not know a feature is no fault of the spec.
        let warnings: Vec<_> = lint(&spec(&name))
            .into_iter()
            .filter(|it| !it.message.contains("Node Feature Discovery"))
            .collect();
        assert_eq!(warnings, [], "{name}");
    }
}

#[test]
fn every_example_names_its_source_and_stands_in_the_list() {
    let page = fs::read_to_string(project().join("docs/examples.md")).expect("docs/examples.md");
    let names = names();
    assert_eq!(names.len(), COUNT);
    for (name, number) in names.iter().zip(1..) {
        assert!(name.starts_with(&format!("{number:02}-")), "{name}");
        let text = fs::read_to_string(specs().join(format!("{name}.yaml"))).expect("an example");
        assert!(text.contains("\n# Source: "), "{name} names no source");
        assert!(page.contains(&format!("](examples/{name}.yaml)")), "{name} is not listed");
    }
}

impl Example {
    /// What is said of each host, the verdict first.
    fn told(&self, spec: Spec, name: &str) -> String {
        assert!(!self.note.is_empty() && !self.fits.is_empty() && !self.fails.is_empty(), "{name}");
        let requirement = [Requirement { origin: Origin::File(format!("{name}.yaml")), spec: Ok(spec) }];
        let mut told = String::new();
        for (verdict, cases) in
            [("compatible", &self.fits), ("incompatible", &self.fails), ("undecided", &self.undecided)]
        {
            for (case, host) in cases {
                let report = self.common.with(host).judge(&requirement);
                assert_eq!(report.verdict, verdict, "{name}, {case}: {}", shown(&report));
                writeln!(told, "## {case}\n\n{}", shown(&report)).expect("memory");
            }
        }
        told
    }
}

impl Host {
    fn with(&self, other: &Self) -> Self {
        let mut both = self.clone();
        both.host.extend(other.host.clone());
        both.facts.extend(other.facts.clone());
        both.bundle = other.bundle.clone().or(both.bundle);
        both
    }

    fn judge(&self, requirement: &[Requirement]) -> Report {
        let folder = self.make();
        let root = Root::at(folder.path()).expect("a host");
        let bundle = self.bundle.as_ref().map(|it| Bundle::new(it.clone().into_bytes()));
        let mut facts = check::gather(requirement, &[], &root, bundle.as_ref());
        self.add_facts(&mut facts);
        let checked = check::judge(requirement, &[], &facts);
        Report::new(Default::default(), &checked)
    }

    fn make(&self) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // /sys and /proc are mounted on every host.
        let mounted = [("/sys/bus/", ""), ("/proc/version", "Linux\n")];
        let mounted = mounted.map(|(path, text)| (path.to_owned(), Content::Text(text.to_owned())));
        for (path, content) in mounted.iter().map(|(path, it)| (path, it)).chain(&self.host) {
            let place = folder.path().join(path.trim_start_matches('/'));
            match content {
                Content::There(there) => assert!(!there, "{path}: only false has a meaning"),
                Content::Text(_) if path.ends_with('/') => fs::create_dir_all(place).expect(path),
                Content::Text(text) => fs::write(in_its_folder(&place), text).expect(path),
                Content::Link { link } => symlink(link, in_its_folder(&place)).expect(path),
            }
        }
        folder
    }

    fn add_facts(&self, facts: &mut Facts) {
        for (name, it) in &self.facts {
            let instance = |attributes: BTreeMap<String, String>| Instance { attributes, read: None };
            let feature = Feature {
                flags: it.flags.clone().map(|it| it.into_iter().collect()),
                attributes: it.attributes.clone(),
                instances: it.instances.clone().map(|it| it.into_iter().map(instance).collect()),
                ..Feature::default()
            };
            facts.insert(name.clone(), Fact::Known(feature, it.read.clone()));
        }
    }
}

/// The verdict, each reason, and what would mend it: of the report what a person reads first.
fn shown(report: &Report) -> String {
    let mut shown = format!("{}\n", report.verdict);
    for reason in &report.reasons {
        writeln!(shown, "  {} [{}]", reason.message, reason.code).expect("memory");
    }
    for note in &report.notes {
        writeln!(shown, "  note: {note}").expect("memory");
    }
    let rules = report.specs.iter().flat_map(|it| &it.sets).flat_map(|it| &it.rules);
    let findings = rules.filter(|it| it.outcome != "met").flat_map(|it| &it.findings);
    let mut seen = BTreeSet::new();
    for hint in findings.filter_map(|it| it.hint.as_ref()).filter(|it| seen.insert(*it)) {
        writeln!(shown, "  hint: {hint}").expect("memory");
    }
    shown
}

fn in_its_folder(place: &Path) -> &Path {
    fs::create_dir_all(place.parent().expect("a folder")).expect("making a folder");
    place
}

fn names() -> Vec<String> {
    let entries = fs::read_dir(specs()).expect("docs/examples");
    let name = |it: std::io::Result<fs::DirEntry>| {
        it.expect("an entry").file_name().into_string().expect("a plain name")
    };
    let mut names: Vec<_> =
        entries.filter_map(|it| Some(name(it).strip_suffix(".yaml")?.to_owned())).collect();
    names.sort_unstable();
    names
}

fn spec(name: &str) -> Spec {
    let bytes = fs::read(specs().join(format!("{name}.yaml"))).expect("an example");
    spec::parse(&bytes).unwrap_or_else(|err| panic!("{name}.yaml: {err}"))
}

fn example(name: &str) -> Example {
    let path = hosts().join(format!("{name}.toml"));
    let text = fs::read_to_string(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
    toml::from_str(&text).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}

fn specs() -> PathBuf {
    project().join("docs/examples")
}

fn hosts() -> PathBuf {
    project().join("integration/examples")
}

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
