//! All formats of specs: Node Feature Discovery's and our own, and those of the OCI image-compatibility working group's
//! proposals B, D, F and H, which are JSON. Each becomes the same rules. The hook links only the first two: it reads the
//! compiled form of the others.

mod attributes;
mod b;
mod build;
mod d;
mod f;
mod graph;
mod h;
mod interval;
mod json;
mod labels;
mod node_feature;
mod preflight;
#[cfg(test)]
mod tests;

use super::problem::{Malformed, Place, Problem};
use super::reader::SpecReader;
use super::shape::{self, field, text};
use super::yaml::{YamlNode, YamlValue};
use super::{Language, Spec, nfd, yaml};

/// The media type of a layer that holds a spec of the working group's.
const PROPOSED: &str = "application/vnd.oci.image-compatibility.spec.v1+json";

/// Reads a spec in any format. Its shape tells which.
///
/// # Errors
///
/// All that is wrong with it, each with line and column.
pub fn parse(bytes: &[u8]) -> Result<Spec, Malformed> {
    match parse_partly(bytes) {
        (Some(spec), None) => Ok(spec),
        (_, Some(malformed)) => Err(malformed),
        (None, None) => Err(Malformed::one(START, "this is not a compatibility specification")),
    }
}

/// As [`parse`], for the layer of an artifact. Only the media type of the working group leaves the format open.
///
/// # Errors
///
/// As [`parse`].
pub fn parse_layer(media_type: &str, bytes: &[u8]) -> Result<Spec, Malformed> {
    if media_type == PROPOSED { parse(bytes) } else { super::parse(bytes) }
}

/// As [`parse`], and what could be read of a spec with errors.
pub fn parse_partly(bytes: &[u8]) -> (Option<Spec>, Option<Malformed>) {
    let document = match yaml::parse(bytes) {
        Ok(document) => document,
        // JSON's own message is clearer, such as that about a missing comma.
        Err(malformed) => return (None, Some(json::fault(bytes).map_or(malformed, Malformed::of))),
    };
    let Some(language) = shape::proposed(&document) else {
        return match other(&document) {
            Some(message) => (None, Some(Malformed::one(document.at, message))),
            None => nfd::read_partly(&document),
        };
    };
    let mut reader = SpecReader::of(language);
    let sets = match language {
        Language::B => b::sets(&mut reader, &document),
        Language::D => d::sets(&mut reader, &document),
        Language::F => f::sets(&mut reader, &document),
        Language::H => h::sets(&mut reader, &document),
        Language::Nfd | Language::Own => None,
    };
    let mut problems = reader.into_problems();
    problems.extend(json::fault(bytes));
    (sets.map(|sets| Spec { language, sets }), Malformed::all(problems))
}

/// A document that says something like a spec.
#[derive(Debug)]
pub struct Understood {
    /// What could be read of it.
    pub spec: Option<Spec>,
    /// What is wrong with it.
    pub malformed: Option<Malformed>,
    /// What it says and a spec cannot, in the order of the document.
    pub losses: Vec<Problem>,
}

/// As [`parse_partly`], and documents of other tools: NodeFeatureRule and NodeFeatureGroup of Node Feature Discovery, and
/// HostPreflight of Troubleshoot. These are no specs: only `lint` and `convert` take them.
pub fn understand(bytes: &[u8]) -> Understood {
    let document = yaml::parse(bytes).ok();
    let kind = document.as_ref().and_then(|it| field(it, "kind")).and_then(text);
    let mut reader = SpecReader::of(Language::Own);
    let mut losses = Vec::new();
    let sets = match (kind, &document) {
        (Some("NodeFeatureRule"), Some(it)) => {
            reader.language = Language::Nfd;
            node_feature::rule_sets(&mut reader, it, &mut losses)
        }
        (Some("NodeFeatureGroup"), Some(it)) => {
            reader.language = Language::Nfd;
            node_feature::group_sets(&mut reader, it, &mut losses)
        }
        (Some("HostPreflight"), Some(it)) => preflight::sets(&mut reader, it, &mut losses),
        _ => {
            let (spec, malformed) = parse_partly(bytes);
            return Understood { spec, malformed, losses };
        }
    };
    losses.sort_by_key(|it| it.at);
    let language = reader.language;
    let spec = sets.map(|sets| Spec { language, sets });
    Understood { spec, malformed: Malformed::all(reader.into_problems()), losses }
}

const START: Place = Place { line: 1, column: 1 };

/// What a document is that is in no format of a spec, and what to do with it; none for all that may be meant as one.
fn other(document: &YamlNode) -> Option<String> {
    let YamlValue::Map(pairs) = &document.value else { return None };
    let has = |name: &str| field(document, name).is_some();
    if has("schemaVersion") && has("layers") {
        let layer = field(document, "layers").and_then(first_digest);
        let is_plain =
            |it: &&str| it.len() <= 80 && it.bytes().all(|it| it.is_ascii_alphanumeric() || it == b':');
        let layer = layer.filter(is_plain).map_or_else(String::new, |it| format!(" {it}"));
        return Some(format!(
            "this is the manifest of an artifact and no spec: its layer{layer} is the spec"
        ));
    }
    if has("schemaVersion") && has("manifests") {
        return Some(
            "this is an index of images and no spec: `oci-compat select` tells which of its images fits a host".to_owned(),
        );
    }
    if has("graph") {
        return Some(
            "this is a schema, which lists the names that a group of proposal D has, and no spec".to_owned(),
        );
    }
    let known = ["version", "compatibilities", "spec", "kind", "apiVersion"];
    let near = |(key, _): &(YamlNode, YamlNode)| {
        text(key).is_some_and(|it| crate::words::text::nearest(it, known).is_some())
    };
    (!pairs.is_empty() && !pairs.iter().any(near)).then(|| {
        "this is in no format of a spec: those of Node Feature Discovery and oci-compat have `version` and `compatibilities`, \
         proposals D, F and H of the OCI working group `compatibilities`, and proposal B `spec`"
            .to_owned()
    })
}

fn first_digest(layers: &YamlNode) -> Option<&str> {
    let YamlValue::List(items) = &layers.value else { return None };
    field(items.first()?, "digest").and_then(text)
}
