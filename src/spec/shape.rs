//! In which format a document is, by its shape. Never reads what the format says.

use super::Language;
use super::yaml::{YamlNode, YamlValue};

/// The format of the OCI working group's proposals that a document has; none if it has none of these.
pub(super) fn proposed(document: &YamlNode) -> Option<Language> {
    let is_ours = field(document, "version").and_then(text).is_some_and(is_ours);
    if is_ours || field(document, "apiVersion").is_some() {
        return None;
    }
    let kind = field(document, "kind").and_then(text);
    if kind == Some("CompatibilitySpec") {
        return Some(Language::D);
    }
    if let Some(spec) = field(document, "spec") {
        return matches!(spec.value, YamlValue::Map(_)).then_some(Language::B);
    }
    match &field(document, "compatibilities")?.value {
        YamlValue::Map(_) => Some(Language::F),
        YamlValue::List(items) => items.iter().find_map(of_item),
        YamlValue::Null | YamlValue::Text(_) | YamlValue::Ambiguous(..) => None,
    }
}

/// Whether a version is NFD's or ours, or is meant as one of these: proposal D has numbers.
fn is_ours(version: &str) -> bool {
    version.starts_with('v') || version.starts_with("oci-compat")
}

/// The format whose list has such an item.
fn of_item(item: &YamlNode) -> Option<Language> {
    let YamlValue::Map(pairs) = &item.value else { return None };
    if field(item, "annotations").is_some() && field(item, "name").is_some() {
        return Some(Language::D);
    }
    let is_flat = |(key, _): &(YamlNode, YamlNode)| {
        text(key).is_some_and(|it| it.starts_with("oci.") || it == "compatibility-score")
    };
    pairs.iter().any(is_flat).then_some(Language::H)
}

/// The value of a field of a mapping.
pub(super) fn field<'a>(node: &'a YamlNode, name: &str) -> Option<&'a YamlNode> {
    let YamlValue::Map(pairs) = &node.value else { return None };
    pairs.iter().find(|(key, _)| text(key) == Some(name)).map(|(_, value)| value)
}

/// The text of a scalar.
pub(super) fn text(node: &YamlNode) -> Option<&str> {
    match &node.value {
        YamlValue::Text(text) | YamlValue::Ambiguous(text, _) => Some(text),
        YamlValue::Null | YamlValue::List(_) | YamlValue::Map(_) => None,
    }
}
