//! Other documents of Node Feature Discovery, which are mistaken for specs. Never reads one.

use super::super::yaml::{YamlNode, YamlValue};

/// What a document is that is no spec, and the way to one; none for all others.
pub(super) fn explanation(document: &YamlNode) -> Option<String> {
    let YamlValue::Map(pairs) = &document.value else { return None };
    let kind = pairs.iter().find_map(|(key, value)| match (&key.value, &value.value) {
        (YamlValue::Text(key), YamlValue::Text(kind)) if key == "kind" => Some(kind.as_str()),
        _ => None,
    })?;
    let way = match kind {
        "NodeFeatureRule" => {
            "put the rules below its `spec.rules` into a set, as `version: v1alpha1` and `compatibilities: [{rules: [...]}]`, \
             without `labels`, `labelsTemplate`, `annotations`, `taints` and `extendedResources`"
        }
        "NodeFeatureGroup" => {
            "put the rules below its `spec.featureGroupRules` into a set, as `version: v1alpha1` and `compatibilities: \
             [{rules: [...]}]`"
        }
        "NodeFeature" => "it holds facts of a host: give it to `check --facts`",
        _ => return None,
    };
    Some(format!("this is a {kind} and no spec: {way}"))
}
