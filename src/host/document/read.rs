//! Reads facts from a document: ours, an NFD export, or Kubernetes `NodeFeature` objects, as JSON or YAML. What it leaves
//! out is unknown.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{DocumentHost, yaml};
use crate::host::kernel::{available, version};
use crate::host::{Fact, Facts, FactsOrigin, Feature, Instance, Unknown};

/// The largest document that is read, in bytes: the facts of a host with 4,000 PCI devices have 2 MiB.
const MAX_DOCUMENT: usize = 16 << 20;
/// Where a fact was read if the document does not say it.
const DOCUMENT: &str = "the facts document";

/// All shapes at once: one pass keeps the line in every error.
#[derive(Debug, Deserialize)]
struct FactsDocument {
    /// Of a Kubernetes object.
    kind: Option<String>,
    metadata: Option<ObjectMetadata>,
    spec: Option<NodeFeatureSpec>,
    /// Of a list of objects.
    items: Option<Vec<FactsDocument>>,
    host: Option<DocumentHost>,
    flags: Option<ByFeature<FlagNames>>,
    attributes: Option<ByFeature<Attributes>>,
    instances: Option<ByFeature<Vec<ReadElement>>>,
    absent: Option<BTreeMap<String, ReadPlace>>,
    unknown: Option<BTreeMap<String, Doubt>>,
    missing: Option<BTreeMap<String, BTreeSet<String>>>,
    doubtful: Option<BTreeMap<String, BTreeMap<String, Doubt>>>,
    secret: Option<BTreeMap<String, BTreeSet<String>>>,
    read: Option<BTreeMap<String, String>>,
}

/// Of a Kubernetes object.
#[derive(Debug, Default, Deserialize)]
struct ObjectMetadata {
    name: Option<String>,
    labels: Option<BTreeMap<String, String>>,
}

impl ObjectMetadata {
    fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// The node that an object is about: NFD labels each with it, and calls the worker's own object so.
    fn node(&self) -> &str {
        const NODE: &str = "nfd.node.kubernetes.io/node-name";
        self.labels.as_ref().and_then(|it| it.get(NODE)).map_or_else(|| self.name(), String::as_str)
    }
}

/// Of a `NodeFeature` (`api/nfd/v1alpha1/types.go` in NFD).
#[derive(Debug, Deserialize)]
struct NodeFeatureSpec {
    features: Option<Sets>,
}

#[derive(Debug, Default, Deserialize)]
struct Sets {
    flags: Option<ByFeature<FlagNames>>,
    attributes: Option<ByFeature<Attributes>>,
    instances: Option<ByFeature<Vec<ReadElement>>>,
}

type ByFeature<T> = BTreeMap<String, Elements<T>>;
type FlagNames = BTreeMap<String, IgnoredAny>;
type Attributes = BTreeMap<String, String>;

/// NFD writes `null` where Go has no map: the feature is there, without elements even to be absent from.
#[derive(Debug, Deserialize)]
struct Elements<T> {
    elements: Option<T>,
}

#[derive(Debug, Deserialize)]
struct ReadElement {
    attributes: Option<Attributes>,
    read: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ReadPlace {
    read: String,
}

#[derive(Debug, Deserialize)]
struct Doubt {
    read: String,
    reason: String,
}

impl From<Doubt> for Unknown {
    fn from(doubt: Doubt) -> Self {
        Self::new(doubt.read, doubt.reason)
    }
}

impl Facts {
    /// Reads our own document, what `nfd export features` writes, or the `NodeFeature` objects of one node, as `kubectl get
    /// -o json` and `-o yaml` print them.
    ///
    /// # Errors
    ///
    /// With line and column if it is not JSON or not of these shapes; with the line if it is YAML that cannot be read; if it
    /// is larger than 16 MiB, of another schema, about several nodes, or says two things of one feature.
    pub fn from_json(bytes: &[u8]) -> anyhow::Result<Self> {
        ensure!(bytes.len() <= MAX_DOCUMENT, "facts document is larger than {MAX_DOCUMENT} bytes");
        parse(bytes).context("parsing facts document")
    }
}

fn parse(bytes: &[u8]) -> anyhow::Result<Facts> {
    let mut document = document(bytes)?;
    let mut facts = Facts::without(Unknown::new(DOCUMENT, "does not mention this feature"));
    facts.origin = document.host.take().map(FactsOrigin::try_from).transpose()?;
    document.fill(&mut facts)?;
    let loadable = match facts.get("kernel.loadedmodule") {
        // Built without modules: it can load none.
        Fact::Absent(read) => Some(Fact::Absent(read.clone())),
        Fact::Known(..) | Fact::Unknown(_) => available::loadable_of(facts.get("kernel.module")),
    };
    if let Some(modules) = loadable {
        facts.set_loadable_modules(modules);
    }
    Ok(facts)
}

/// A document that does not open as JSON is YAML.
fn document(bytes: &[u8]) -> anyhow::Result<FactsDocument> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let text = bytes.trim_ascii_start();
    if text.is_empty() || text.starts_with(b"{") {
        return Ok(serde_json::from_slice(bytes)?);
    }
    Ok(serde_json::from_value(yaml::json(std::str::from_utf8(bytes).context("is not text")?)?)?)
}

/// The objects of one node merged as NFD's master does: the node's own first, then the others by name; the last one counts.
fn merged(mut objects: Vec<FactsDocument>) -> anyhow::Result<Sets> {
    let about = |it: &FactsDocument| it.metadata.as_ref().map_or_else(String::new, |it| it.node().to_owned());
    let nodes: BTreeSet<_> = objects.iter().map(about).collect();
    if let (Some(first), Some(last)) = (nodes.first(), nodes.last())
        && first != last
    {
        bail!(
            "it is about {} nodes, such as {first:.60?} and {last:.60?}; give the objects of one, as with `kubectl get \
             nodefeatures -l nfd.node.kubernetes.io/node-name=NODE -o yaml`",
            nodes.len()
        );
    }
    objects.sort_by_key(|it| {
        let metadata = it.metadata.as_ref();
        metadata.map(|it| (it.name() != it.node(), it.name().to_owned()))
    });
    let mut all = Sets::default();
    for mut object in objects {
        let sets = object.sets_of_object()?;
        merge(&mut all.flags, sets.flags, |to, from| to.extend(from));
        merge(&mut all.attributes, sets.attributes, |to, from| to.extend(from));
        merge(&mut all.instances, sets.instances, |to, from| to.extend(from));
    }
    Ok(all)
}

fn merge<T: Default>(to: &mut Option<ByFeature<T>>, from: Option<ByFeature<T>>, join: fn(&mut T, T)) {
    for (name, set) in from.into_iter().flatten() {
        let known = to.get_or_insert_default().entry(name).or_insert(Elements { elements: None });
        if let Some(elements) = set.elements {
            join(known.elements.get_or_insert_default(), elements);
        }
    }
}

impl FactsDocument {
    fn fill(mut self, facts: &mut Facts) -> anyhow::Result<()> {
        let sets = self.sets()?;
        let mut known = sets.features();
        for (name, doubt) in self.unknown.into_iter().flatten() {
            let unknown = Unknown::from(doubt);
            match known.get_mut(&name) {
                Some(feature) => feature.incomplete = Some(unknown),
                None => facts.insert(name, Fact::Unknown(unknown)),
            }
        }
        for (name, missing) in self.missing.into_iter().flatten() {
            if let Some(feature) = known.get_mut(&name) {
                feature.missing = missing;
            }
        }
        for (name, doubtful) in self.doubtful.into_iter().flatten() {
            if let Some(feature) = known.get_mut(&name) {
                feature.doubtful = doubtful.into_iter().map(|(name, it)| (name, it.into())).collect();
            }
        }
        for (name, secret) in self.secret.into_iter().flatten() {
            if let Some(feature) = known.get_mut(&name) {
                feature.secret = secret;
            }
        }
        if let Some(feature) = known.get_mut(version::FEATURE.name) {
            version::complete(feature);
        }
        let mut read = self.read.unwrap_or_default();
        for (name, feature) in known {
            let read = read.remove(&name).unwrap_or_else(|| DOCUMENT.to_owned());
            facts.insert(name, Fact::Known(feature, read));
        }
        for (name, place) in self.absent.into_iter().flatten() {
            if facts.has(&name) {
                bail!("{name:?} is listed as absent, and elsewhere too; expected one of both");
            }
            facts.insert(name, Fact::Absent(place.read));
        }
        Ok(())
    }

    fn sets(&mut self) -> anyhow::Result<Sets> {
        let sets = match self.kind.as_deref() {
            None => Sets {
                flags: self.flags.take(),
                attributes: self.attributes.take(),
                instances: self.instances.take(),
            },
            Some("List" | "NodeFeatureList") => merged(self.items.take().unwrap_or_default())?,
            Some(_) => self.sets_of_object()?,
        };
        let ours = self.absent.is_some() || self.unknown.is_some();
        if !ours && sets.flags.is_none() && sets.attributes.is_none() && sets.instances.is_none() {
            bail!("there are no facts in it; expected \"flags\", \"attributes\" or \"instances\"");
        }
        Ok(sets)
    }

    fn sets_of_object(&mut self) -> anyhow::Result<Sets> {
        match self.kind.as_deref() {
            Some("NodeFeature") => Ok(self.spec.take().and_then(|it| it.features).unwrap_or_default()),
            kind => bail!(
                "kind {:.60?} holds no facts; expected a \"NodeFeature\" object, or a list of them",
                kind.unwrap_or_default()
            ),
        }
    }
}

impl Sets {
    fn features(self) -> BTreeMap<String, Feature> {
        let mut features: BTreeMap<String, Feature> = BTreeMap::new();
        for (name, set) in self.flags.into_iter().flatten() {
            let names = set.elements.map(|it| it.into_keys().collect());
            features.entry(name).or_default().flags = names;
        }
        for (name, set) in self.attributes.into_iter().flatten() {
            features.entry(name).or_default().attributes = set.elements;
        }
        for (name, set) in self.instances.into_iter().flatten() {
            let instances = set.elements.map(|it| it.into_iter().map(Instance::from).collect());
            features.entry(name).or_default().instances = instances;
        }
        features
    }
}

impl From<ReadElement> for Instance {
    fn from(element: ReadElement) -> Self {
        Self { attributes: element.attributes.unwrap_or_default(), read: element.read }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::show;

    fn check(text: &str, feature: &str, expected: &str) {
        let facts = Facts::from_json(text.as_bytes()).unwrap();
        assert_eq!(show(facts.get(feature)), expected, "{text}");
    }

    fn check_error(text: &str, expected: &str) {
        let err = Facts::from_json(text.as_bytes()).unwrap_err();
        assert_eq!(format!("{err:#}"), expected, "{text}");
    }

    #[test]
    fn an_export_of_nfd_is_read() {
        let text = r#"{"flags": {"a.b": {"elements": {"X": {}}}},
                       "attributes": {"a.b": {"elements": {"y": "1"}}},
                       "instances": {"c.d": {"elements": [{"attributes": {"z": "2"}}]}}}"#;
        check(text, "a.b", r#"known (the facts document): X y="1""#);
        check(text, "c.d", "known (the facts document): [?: z=2]");
    }

    #[test]
    fn a_node_feature_object_is_read() {
        let text = r#"{"apiVersion": "nfd.k8s-sigs.io/v1alpha1", "kind": "NodeFeature", "metadata": {"name": "n"},
                       "spec": {"features": {"flags": {"a.b": {"elements": {"X": {}}}}}, "labels": {}}}"#;
        check(text, "a.b", "known (the facts document): X");
    }

    #[test]
    fn null_is_empty() {
        let text = r#"{"flags": {"a.b": {"elements": null}, "c.d": {}}, "attributes": null,
                       "instances": {"e.f": {"elements": [{"attributes": null}]}}}"#;
        check(text, "a.b", "known (the facts document): ");
        check(text, "c.d", "known (the facts document): ");
        check(text, "e.f", "known (the facts document): [?: ]");
    }

    #[test]
    fn what_a_document_leaves_out_is_unknown() {
        check(r#"{"flags": {}}"#, "a.b", "unknown: the facts document: does not mention this feature");
    }

    #[test]
    fn a_feature_with_values_and_doubt_is_incomplete() {
        let text = r#"{"flags": {"a.b": {"elements": {"X": {}}}}, "read": {"a.b": "/a"},
                       "unknown": {"a.b": {"read": "/b", "reason": "is not there"}}}"#;
        check(text, "a.b", "known (/a): X and maybe more: /b: is not there");
    }

    #[test]
    fn a_wrong_document_is_refused_with_line_and_column() {
        let parsing = |rest: &str| format!("parsing facts document: {rest}");
        check_error("", &parsing("EOF while parsing a value at line 1 column 0"));
        let number = "{\"attributes\":\n{\"a.b\": {\"elements\": {\"x\": 1}}}}";
        check_error(number, &parsing("invalid type: integer `1`, expected a string at line 2 column 28"));
        check_error(
            r#"{"flags": []}"#,
            &parsing("invalid type: sequence, expected a map at line 1 column 10"),
        );
        check_error(
            r#"{"host": 4}"#,
            &parsing("invalid type: integer `4`, expected an object at line 1 column 10"),
        );
    }

    #[test]
    fn a_document_without_facts_is_refused() {
        let empty = "parsing facts document: there are no facts in it; \
                     expected \"flags\", \"attributes\" or \"instances\"";
        check_error("{}", empty);
        check_error(r#"{"kind": "NodeFeature", "spec": {}}"#, empty);
        check_error(r#"{"kind": "List", "items": []}"#, empty);
        let pod = "parsing facts document: kind \"Pod\" holds no facts; expected a \"NodeFeature\" object, or a list of them";
        check_error(r#"{"kind": "Pod"}"#, pod);
        check_error(r#"{"kind": "List", "items": [{"kind": "Pod"}]}"#, pod);
    }

    #[test]
    fn objects_are_read_as_kubectl_prints_them() {
        let object = "apiVersion: nfd.k8s-sigs.io/v1alpha1\nkind: NodeFeature\nmetadata:\n  generation: 3\n  name: n\n\
                      spec:\n  features:\n    attributes:\n      a.b:\n        elements:\n          y: \"1\"\n    \
                      flags:\n      a.b:\n        elements:\n          X: {}\n  labels: {}\n";
        check(object, "a.b", r#"known (the facts document): X y="1""#);
        let list =
            format!("apiVersion: v1\nitems:\n- {}\nkind: List\n", object.trim_end().replace('\n', "\n  "));
        check(&list, "a.b", r#"known (the facts document): X y="1""#);
        check(&format!("\u{feff}{object}"), "a.b", r#"known (the facts document): X y="1""#);
        check_error("oops", "parsing facts document: is neither JSON nor a mapping of YAML at line 1");
    }

    /// A `NodeFeature` of a node, with attributes and a flag.
    fn object(name: &str, node: &str, attributes: &str, flag: &str) -> String {
        format!(
            r#"{{"kind": "NodeFeature", "metadata": {{"name": "{name}",
                 "labels": {{"nfd.node.kubernetes.io/node-name": "{node}"}}}},
                 "spec": {{"features": {{"attributes": {{"a.b": {{"elements": {{{attributes}}}}}}},
                 "flags": {{"a.b": {{"elements": {{"{flag}": {{}}}}}}}},
                 "instances": {{"c.d": {{"elements": [{{"attributes": {{"z": "{name}"}}}}]}}}}}}}}}}"#
        )
    }

    #[test]
    fn the_objects_of_a_node_are_put_together() {
        let more = object("a", "n", r#""y": "2", "v": "3""#, "M");
        let own = object("n", "n", r#""y": "1", "w": "4""#, "O");
        for kind in ["List", "NodeFeatureList"] {
            let list = format!(r#"{{"kind": "{kind}", "items": [{more}, {own}]}}"#);
            check(&list, "a.b", r#"known (the facts document): M O v="3" w="4" y="2""#);
            check(&list, "c.d", "known (the facts document): [?: z=n] [?: z=a]");
        }
    }

    #[test]
    fn objects_of_several_nodes_are_refused() {
        let (one, other) = (object("n1", "n1", "", "X"), object("n2", "n2", "", "X"));
        let expected = "parsing facts document: it is about 2 nodes, such as \"n1\" and \"n2\"; give the objects of one, as \
                        with `kubectl get nodefeatures -l nfd.node.kubernetes.io/node-name=NODE -o yaml`";
        check_error(&format!(r#"{{"kind": "List", "items": [{one}, {other}]}}"#), expected);
    }

    #[test]
    fn a_schema_that_we_do_not_know_is_refused() {
        let text = r#"{"host": {"schema": "oci-compat.facts/v2"}, "flags": {}}"#;
        let expected = "parsing facts document: schema \"oci-compat.facts/v2\" is not known; \
                        expected \"oci-compat.facts/v1\"";
        check_error(text, expected);
    }

    #[test]
    fn a_feature_cannot_be_absent_and_something_else() {
        let expected =
            "parsing facts document: \"a.b\" is listed as absent, and elsewhere too; expected one of both";
        let absent = r#""absent": {"a.b": {"read": "/a"}}"#;
        check_error(&format!(r#"{{"flags": {{"a.b": {{}}}}, {absent}}}"#), expected);
        check_error(
            &format!(r#"{{"unknown": {{"a.b": {{"read": "", "reason": ""}}}}, {absent}}}"#),
            expected,
        );
    }

    #[test]
    fn a_document_is_no_larger_than_any_host_needs() {
        check_error(&" ".repeat(MAX_DOCUMENT + 1), "facts document is larger than 16777216 bytes");
    }
}
