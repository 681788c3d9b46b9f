//! Other documents of Node Feature Discovery, which are mistaken for specs. Never reads one.

use super::super::shape;
use super::super::yaml::{YamlNode, YamlValue};

/// What a document is that is no spec, and the way to one; none for all others.
pub(super) fn explanation(document: &YamlNode) -> Option<String> {
    let YamlValue::Map(pairs) = &document.value else { return None };
    if let Some(language) = shape::proposed(document) {
        return Some(format!(
            "this is a spec of {}, which is not read here: `oci-compat convert` makes a spec of it that is",
            language.title()
        ));
    }
    let kind = pairs.iter().find_map(|(key, value)| match (&key.value, &value.value) {
        (YamlValue::Text(key), YamlValue::Text(kind)) if key == "kind" => Some(kind.as_str()),
        _ => None,
    })?;
    let way = match kind {
        "NodeFeatureRule" | "NodeFeatureGroup" | "HostPreflight" => "`oci-compat convert` makes one of it",
        "NodeFeature" => "it holds facts of a host: give it to `check --facts`",
        _ => return None,
    };
    Some(format!("this is a {kind} and no spec: {way}"))
}
