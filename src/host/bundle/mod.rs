//! `bundle.*`: what the container gets, from its `config.json` (runtime-spec, `config.md` and `config-linux.md`). Not about the
//! host or this process. Rules without these features cost nothing.

pub(super) mod capability;
mod config;
pub(super) mod device;
mod inherit;
mod libseccomp;
pub(super) mod mount;
pub(super) mod namespace;
pub(super) mod resource;
pub(super) mod rlimit;
pub(super) mod seccomp;
#[cfg(test)]
mod testing;

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::{Fact, Facts, Feature, FeatureDemand, Probing, Root, Unknown, Wanted};
use config::ConfigPart;
pub use libseccomp::{is_libseccomp_older, libseccomp_since};

/// The largest number of the kernel and of NFD's integers: means "no limit".
const UNLIMITED: &str = "9223372036854775807";

/// A bundle's `config.json` as it was read; it is parsed when a rule names a feature of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BundleConfig {
    config: Vec<u8>,
    inherited: Option<Inherited>,
    program: Vec<(&'static str, String)>,
}

/// Whose limits the container inherits where its bundle sets none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inherited {
    /// Those of the process with this id, which the runtime has made and which becomes the container's.
    OfProcess(u32),
    /// Those of this very process, which becomes the runtime. These soft limits it has raised for itself, and puts back to
    /// what they are here.
    OfRuntime(Vec<(&'static str, u64)>),
}

impl BundleConfig {
    /// The content of a bundle's `config.json`. The caller bounds its size.
    pub fn new(config: Vec<u8>) -> Self {
        Self { config, inherited: None, program: Vec::new() }
    }

    /// What is known of an image's program, where no container was made of the image yet: attributes of [`PROGRAM`].
    pub fn of_program(known: Vec<(&'static str, String)>) -> Self {
        Self { program: known, ..Self::default() }
    }

    /// The same bundle, and what is known of its program: attributes of [`PROGRAM`].
    #[must_use]
    pub fn with_program(self, known: Vec<(&'static str, String)>) -> Self {
        Self { program: known, ..self }
    }

    /// The same bundle, in the hands of a runtime.
    #[must_use]
    pub fn inheriting(self, inherited: Option<Inherited>) -> Self {
        Self { inherited, ..self }
    }

    /// What is wrong with it as a whole, or what runtimes read differently in it: then nothing that rules ask of it is known,
    /// and it is the container's fault. `None` if it is as it should be.
    pub fn fault(&self) -> Option<String> {
        if self.config.is_empty() { None } else { self.parsed().err() }
    }

    fn parsed(&self) -> Result<Value, String> {
        let parsed: Result<Exact, _> = serde_json::from_slice(&self.config);
        parsed.map(|it| it.0).map_err(|err| format!("{} cannot be read: {err}", config::FILE))
    }
}

/// What is known of the program that a container starts with. It has no probe: rules of images do not ask for it.
pub const PROGRAM: &str = "bundle.program";
/// Where that is read.
const ROOT: &str = "the container's root file system";

/// Whether these facts hold any that a bundle gives.
pub fn asks_bundle(facts: &Facts) -> bool {
    READERS.iter().any(|(name, _)| facts.has(name))
}

/// JSON in which no object has a key twice: runc puts two values together, crun takes the first, and others the last.
struct Exact(Value);

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ExactVisitor).map(Self)
    }
}

struct ExactVisitor;

impl<'de> Visitor<'de> for ExactVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, it: bool) -> Result<Value, E> {
        Ok(Value::Bool(it))
    }

    fn visit_i64<E>(self, it: i64) -> Result<Value, E> {
        Ok(Value::from(it))
    }

    fn visit_u64<E>(self, it: u64) -> Result<Value, E> {
        Ok(Value::from(it))
    }

    fn visit_f64<E>(self, it: f64) -> Result<Value, E> {
        Ok(Value::from(it))
    }

    fn visit_str<E>(self, it: &str) -> Result<Value, E> {
        Ok(Value::from(it))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Exact(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = serde_json::Map::new();
        while let Some((key, Exact(value))) = fields.next_entry::<String, Exact>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format_args!("an object has {key:.40?} twice")));
            }
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

/// Reads one feature. An error leaves all of it unknown.
type FeatureReader = fn(&ConfigPart<'_>, &Wanted) -> Result<Fact, Unknown>;

/// By name.
const READERS: [(&str, FeatureReader); 7] = [
    ("bundle.capability", capability::read),
    ("bundle.device", device::read),
    ("bundle.mount", mount::read),
    ("bundle.namespace", namespace::read),
    ("bundle.resource", resource::read),
    (rlimit::NAME, rlimit::read),
    ("bundle.seccomp", seccomp::read),
];

/// Says what a bundle says of the features that are demanded of it, in place of "no bundle was given".
pub fn add_bundle(facts: &mut Facts, bundle: &BundleConfig, demand: &FeatureDemand) {
    if !bundle.program.is_empty() {
        let known = Feature::attributes(bundle.program.iter().cloned());
        facts.insert(PROGRAM, Fact::Known(known, ROOT.to_owned()));
    }
    // Only a program is known: there is no container yet.
    if bundle.config.is_empty() {
        return;
    }
    let mut demanded = READERS.iter().filter_map(|(name, read)| Some((name, read, demand.get(*name)?)));
    let Some(first) = demanded.next() else { return };
    let parsed = bundle.parsed();
    for (name, read, wanted) in std::iter::once(first).chain(demanded) {
        let mut fact = match &parsed {
            Ok(value) => read(&ConfigPart::whole(value), wanted).unwrap_or_else(Fact::Unknown),
            Err(_) => Fact::Unknown(Unknown::new(config::FILE, "cannot be read")),
        };
        if let (rlimit::NAME, Fact::Known(limits, place), Some(inherited)) =
            (*name, &mut fact, &bundle.inherited)
        {
            inherit::add(limits, place, inherited, &Root::live());
        }
        facts.insert(*name, fact);
    }
}

/// The reason if there is a host and no bundle.
fn not_given(_: &Probing<'_>, _: &Wanted) -> Fact {
    let reason = "was not given: only a container's bundle tells it, as in the hook and `check --bundle`";
    Fact::Unknown(Unknown::new(config::FILE, reason))
}

/// A path as the runtimes read it (Go's `filepath.Join("/", path)`): absolute, each name once, nothing but names.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::testing::told_of;
    use super::*;
    use crate::host::FEATURES;
    use crate::host::testing::show;

    #[test]
    fn every_feature_of_bundles_has_a_reader_and_every_reader_a_feature() {
        let features: Vec<_> =
            FEATURES.iter().map(|it| it.name).filter(|it| it.starts_with("bundle.")).collect();
        let readers: Vec<_> = READERS.iter().map(|(name, _)| *name).collect();
        assert_eq!(features, readers);
    }

    #[test]
    fn without_a_bundle_every_feature_of_bundles_is_unknown() {
        let host = crate::testing::FakeHost::new().file("/config.json", "{}");
        for (name, _) in READERS {
            let expected = "unknown: config.json: was not given: only a container's bundle tells it, as in the hook and \
                            `check --bundle`";
            assert_eq!(crate::host::testing::told(&host, name), expected, "{name}");
        }
    }

    #[test]
    fn what_is_not_json_at_all_leaves_every_feature_unknown() {
        for (name, _) in READERS {
            assert_eq!(told_of(b"{", name, Wanted::All), "unknown: config.json: cannot be read");
            let list = "unknown: config.json: is a list, expected an object";
            assert_eq!(told_of(b"[]", name, Wanted::All), list);
        }
    }

    #[test]
    fn what_runtimes_read_differently_is_reported() {
        let check = |text: &str, expected: Option<&str>| {
            let fault = BundleConfig::new(text.as_bytes().to_vec()).fault();
            assert_eq!(fault.as_deref(), expected, "{text}");
        };
        check(r#"{"linux": {"a": [1, -1, 1.5, true, null, "x"], "b": {"a": 1}}}"#, None);
        check(
            r#"{"linux": {"devices": [], "devices": []}}"#,
            Some("config.json cannot be read: an object has \"devices\" twice at line 1 column 40"),
        );
        check("{", Some("config.json cannot be read: EOF while parsing an object at line 1 column 1"));
    }

    #[test]
    fn only_demanded_features_are_added() {
        let mut facts = Facts::default();
        let demand = FeatureDemand::from([("bundle.namespace".to_owned(), Wanted::All)]);
        add_bundle(&mut facts, &BundleConfig::new(b"{}".to_vec()), &demand);
        let names: Vec<_> = facts.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["bundle.namespace"]);
        add_bundle(&mut facts, &BundleConfig::new(b"oops".to_vec()), &FeatureDemand::new());
        assert_eq!(show(facts.get("bundle.device")), "unknown: : was not read");
    }

    #[test]
    fn paths_are_cleaned_as_the_runtimes_do() {
        let check = |path, expected| assert_eq!(clean(path), expected, "{path:?}");
        check("/dev/shm", "/dev/shm");
        check("/dev//shm/.", "/dev/shm");
        check("dev/shm/", "/dev/shm");
        check("/dev/../../etc/x", "/etc/x");
        check("", "/");
        check("/", "/");
    }
}
