//! Probable mistakes in a pattern that are allowed. For authors of configurations.

use super::Spelled;
use super::reference::{check_host, check_path, check_tag, is_component};
use super::spelled::is_wild;

/// Docker shows as many digits of an ID.
const SHORT_ID: usize = 12;

/// Why a pattern of names is probably not meant.
pub(super) fn of(text: &str) -> Option<String> {
    let spelled = Spelled::of_pattern(text);
    let impossible = impossible(&spelled).map(|why| format!("can match nothing: {why}"));
    impossible.or_else(|| mistaken(&spelled))
}

/// Why no image can have such a name.
fn impossible(spelled: &Spelled<'_>) -> Option<String> {
    let host = spelled.registry.filter(|it| !is_wild(it));
    let tag = spelled.tag.filter(|it| !is_wild(it));
    let why = host.and_then(|it| check_host(it).err()).or_else(|| tag.and_then(|it| check_tag(it).err()));
    if let Some(why) = why {
        return Some(why.to_string());
    }
    if spelled.path.bytes().any(|it| it.is_ascii_uppercase()) {
        return Some(format!("{:?} has upper-case letters, which a repository never has", spelled.path));
    }
    if !is_wild(spelled.path) {
        return check_path(&spelled.path()).err().map(|it| it.to_string());
    }
    let mut whole = spelled.path.split('/').filter(|it| !is_wild(it));
    whole.find(|it| !is_component(it)).map(|it| format!("{it:?} is no part of a repository's name"))
}

/// What it names instead of what is meant.
fn mistaken(spelled: &Spelled<'_>) -> Option<String> {
    let word = spelled.path;
    if spelled.registry.is_some() || word.contains('/') || is_wild(word) {
        return None;
    }
    let read = format!("is read as {}", spelled.repository());
    if word.len() >= SHORT_ID && word.bytes().all(|it| it.is_ascii_hexdigit()) {
        return Some(format!(
            "{read}: name an image by sha256: and all digits of its ID, or of its manifest's digest"
        ));
    }
    let registry = match spelled.tag {
        Some(port) if port.bytes().all(|it| it.is_ascii_digit()) => format!("{word}:{port}"),
        _ => word.to_owned(),
    };
    let is_host = word.contains('.') || word == "localhost";
    is_host.then(|| format!("{read}: for all of a registry write {registry}/*"))
}
