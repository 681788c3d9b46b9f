//! The specs of `docs/examples`, each held against hosts that meet it and hosts that fail it in one way each.
//!
//! `integration/examples/NAME.toml` has the hosts of `docs/examples/NAME.yaml`: what all of them have (`common`), and
//! below `fits`, `fails` and `undecided` what each has besides, or has otherwise. Hosts are files by their paths; `{link = TARGET}` is a
//! symbolic link, `{instead = TEXT, has = TEXT}` the common file with a part of it replaced, `false` takes one away, and a path that
//! ends in `/` is an empty folder. `line_by_line` names common files of which each line is taken away in turn. `facts` are what files cannot show, such as CPUID and device nodes, in the
//! shape of `probe --format json`, without its `elements`. `NAME.expected` has what is said of each: `BLESS=1` writes it anew.
//!
//! `integration/first-try` has specs beside their hosts, in the same form: what a new author writes with nothing but the documents at hand.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::{env, fs};

use oci_compat::author::lint::{RemarkLevel, lint};
use oci_compat::decide::check::{self, Requirement};
use oci_compat::eval::{JudgedTerm, Judgement, Outcome};
use oci_compat::host::{BundleConfig, Fact, Facts, Feature, Instance, Root};
use oci_compat::outcome::report::{Checked, Report, SpecOrigin};
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
    /// Common files of which no line may be missing: hosts that fail.
    #[serde(default)]
    line_by_line: Vec<String>,
    #[serde(default)]
    undecided: BTreeMap<String, Host>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Host {
    #[serde(default)]
    pub(crate) host: BTreeMap<String, Content>,
    #[serde(default)]
    facts: BTreeMap<String, Elements>,
    /// A `config.json`.
    pub(crate) bundle: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Content {
    Text(String),
    Link {
        link: String,
    },
    Changed {
        instead: String,
        has: String,
    },
    /// `false` takes away what all hosts have.
    There(bool),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Elements {
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
fn what_a_new_author_writes_is_judged_as_meant() {
    let folder = project().join("integration/first-try");
    let mut wrong = Vec::new();
    let names = names_in(&folder);
    assert_eq!(names.len(), 5);
    for name in names {
        let bytes = fs::read(folder.join(format!("{name}.yaml"))).expect("a spec");
        let spec = spec::parse(&bytes).unwrap_or_else(|err| panic!("{name}.yaml: {err}"));
        let warnings = lint(&spec).into_iter().filter(|it| it.level() == RemarkLevel::Warning);
        assert_eq!(warnings.collect::<Vec<_>>(), [], "{name}");
        let example = example_in(&folder, &name);
        assert!(!example.undecided.is_empty(), "{name}: no host that cannot be read");
        let found = example.told(spec, &name);
        let path = folder.join(format!("{name}.expected"));
        if env::var_os("BLESS").is_some() {
            fs::write(&path, found).expect("writing what is expected");
        } else if fs::read_to_string(&path).unwrap_or_default() != found {
            wrong.push(format!("{name}:\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "not as recorded:\n{}", wrong.join("\n"));
}

#[test]
fn every_demand_of_an_example_is_what_some_host_fails_by() {
    let mut open = Vec::new();
    for name in names() {
        let requirement = requirement(&name, spec(&name));
        let example = example(&name);
        let mut demands = BTreeMap::new();
        for host in example.fits.values().chain(example.failing().values()) {
            let checked = example.common.with(host).judge(&requirement);
            for judged in checked.iter().flat_map(|it| &it.result) {
                count_failures(judged, &mut demands);
            }
        }
        open.extend(demands.iter().filter(|it| *it.1 == 0).map(|it| format!("{name}.yaml:{}", it.0)));
    }
    assert!(open.is_empty(), "no host fails by these alone:\n{}", open.join("\n"));
}

#[test]
fn every_example_fits_ten_times_into_what_a_spec_may_cost() {
    const SETS: &str = "compatibilities:\n";
    for name in names() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/examples/{name}.yaml"));
        let text = fs::read_to_string(path).expect("an example");
        let (head, sets) = text.split_once(SETS).expect("sets");
        let tenfold = format!("{head}{SETS}{}", sets.repeat(10));
        assert_eq!(spec::parse(tenfold.as_bytes()).map(|it| it.sets.len()), Ok(spec(&name).sets.len() * 10));
    }
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
        let requirement = requirement(name, spec);
        let mut told = String::new();
        for (verdict, cases) in
            [("compatible", &self.fits), ("incompatible", &self.failing()), ("undecided", &self.undecided)]
        {
            for (case, host) in cases {
                let checked = self.common.with(host).judge(&requirement);
                let report = Report::new(Default::default(), &checked);
                assert_eq!(report.verdict.name(), verdict, "{name}, {case}: {}", shown(&report));
                writeln!(told, "## {case}\n\n{}", shown(&report)).expect("memory");
            }
        }
        told
    }

    fn failing(&self) -> BTreeMap<String, Host> {
        let mut all = self.fails.clone();
        for path in &self.line_by_line {
            let Some(Content::Text(text)) = self.common.host.get(path) else {
                panic!("{path} is no common file")
            };
            for line in text.split_inclusive('\n') {
                let content = Content::Text(text.replace(line, ""));
                let host = BTreeMap::from([(path.clone(), content)]);
                all.insert(format!("without {}", line.trim_end()), Host { host, ..Host::default() });
            }
        }
        all
    }
}

impl Host {
    fn with(&self, other: &Self) -> Self {
        let mut both = self.clone();
        for (path, content) in &other.host {
            let content = content.applied(path, self.host.get(path));
            both.host.insert(path.clone(), content);
        }
        both.facts.extend(other.facts.clone());
        both.bundle = other.bundle.clone().or(both.bundle);
        both
    }

    fn judge<'a>(&self, requirement: &'a [Requirement]) -> Vec<Checked<'a>> {
        let folder = self.make();
        let root = Root::at(folder.path()).expect("a host");
        let bundle = self.bundle.as_ref().map(|it| BundleConfig::new(it.clone().into_bytes()));
        let mut facts = check::gather(requirement, &[], &root, bundle.as_ref());
        self.add_facts(&mut facts);
        let mut checked = check::judge_until(requirement, &[], &facts, false, &|| false);
        check::explain(&mut checked, &mut facts, &root);
        checked
    }

    pub(crate) fn make(&self) -> tempfile::TempDir {
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
                Content::Changed { .. } => panic!("{path}: there is nothing to change"),
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

impl Content {
    fn applied(&self, path: &str, common: Option<&Self>) -> Self {
        match (self, common) {
            (Self::Changed { instead, has }, Some(Self::Text(text))) => {
                assert!(text.contains(instead.as_str()), "{path}: has no {instead:?}");
                Self::Text(text.replace(instead.as_str(), has))
            }
            _ => self.clone(),
        }
    }
}

/// Adds each demand by its place in the spec, and counts the one by which the host fails: the first that is not met, where it
/// belongs to the only term that is not met of a rule, or of one of its alternatives.
fn count_failures(judgement: &Judgement<'_>, demands: &mut BTreeMap<String, usize>) {
    for rule in judgement.sets.iter().flat_map(|it| &it.rules) {
        for term in &rule.terms {
            let is_unmet = |it: &&JudgedTerm<'_>| it.outcome == Outcome::Unmet;
            let beside = rule.terms.iter().filter(|it| it.alternative == term.alternative).filter(is_unmet);
            let decides = rule.outcome == Outcome::Unmet && is_unmet(&term) && beside.count() == 1;
            let failed = term.findings.iter().find(|it| it.outcome == Outcome::Unmet).filter(|_| decides);
            for it in &term.findings {
                let place = format!("{}: {} {}", it.at.line, it.feature, it.element);
                *demands.entry(place).or_default() +=
                    usize::from(failed.is_some_and(|failed| failed.at == it.at));
            }
        }
    }
}

/// The verdict, each reason, and what would mend it: of the report what a person reads first.
fn shown(report: &Report) -> String {
    let mut shown = format!("{}\n", report.verdict.name());
    for reason in &report.reasons {
        writeln!(shown, "  {} [{}]", reason.message, reason.code).expect("memory");
    }
    for missed in &report.recommendations {
        writeln!(shown, "  recommended: {} [{}]", missed.message, missed.code).expect("memory");
    }
    for note in &report.notes {
        writeln!(shown, "  note: {note}").expect("memory");
    }
    let rules = report.specs.iter().flat_map(|it| &it.sets).flat_map(|it| &it.rules);
    let findings = rules.filter(|it| it.outcome != Outcome::Met).flat_map(|it| &it.findings);
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
    names_in(&specs())
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder of specs");
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

fn requirement(name: &str, spec: Spec) -> [Requirement; 1] {
    [Requirement { origin: SpecOrigin::File(format!("{name}.yaml")), spec: Ok(spec) }]
}

fn example(name: &str) -> Example {
    example_in(&hosts(), name)
}

fn example_in(folder: &Path, name: &str) -> Example {
    let path = folder.join(format!("{name}.toml"));
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
