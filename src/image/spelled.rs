//! Splits a name, and completes it as Docker does (`distribution/reference`, `normalize.go`). Checks nothing.

use std::borrow::Cow;

/// The registry that is meant where none is written.
const HUB: &str = "docker.io";
/// Its former name, which credentials and old scripts still use.
const HUB_LEGACY: &str = "index.docker.io";
/// Where it keeps images that are named by one word.
const HUB_OFFICIAL: &str = "library";

/// The parts of a name as they are written: `registry/path:tag@digest`, each but the path may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spelled<'a> {
    /// The registry, if one is written.
    pub registry: Option<&'a str>,
    /// The path in the registry.
    pub path: &'a str,
    /// What follows a colon behind the path.
    pub tag: Option<&'a str>,
    /// What follows an at sign.
    pub digest: Option<&'a str>,
}

impl<'a> Spelled<'a> {
    /// Takes a name apart.
    pub fn of(text: &'a str) -> Self {
        Self::split(text, is_registry)
    }

    /// Takes a pattern of names apart: a first part with a wildcard stands for registries.
    pub(super) fn of_pattern(text: &'a str) -> Self {
        Self::split(text, |it| is_registry(it) || is_wild(it))
    }

    fn split(text: &'a str, is_registry: impl Fn(&str) -> bool) -> Self {
        let (registry, rest) = match text.split_once('/') {
            Some((first, rest)) if is_registry(first) => (Some(first), rest),
            _ => (None, text),
        };
        let (rest, digest) = rest.split_once('@').map_or((rest, None), |(rest, it)| (rest, Some(it)));
        let (path, tag) = rest.split_once(':').map_or((rest, None), |(path, it)| (path, Some(it)));
        Self { registry, path, tag, digest }
    }

    /// The registry that is meant.
    pub fn registry(&self) -> &'a str {
        match self.registry {
            None | Some(HUB_LEGACY) => HUB,
            Some(registry) => registry,
        }
    }

    /// The path that is meant.
    pub fn path(&self) -> Cow<'a, str> {
        match self.registry() == HUB && !self.path.contains('/') {
            true => Cow::Owned(format!("{HUB_OFFICIAL}/{}", self.path)),
            false => Cow::Borrowed(self.path),
        }
    }

    /// Registry and path, to be compared: hosts are the same in capital and in small letters (RFC 4343).
    pub fn repository(&self) -> String {
        format!("{}/{}", self.registry().to_ascii_lowercase(), self.path())
    }
}

/// Docker's rule: the first part is a registry if no folder could be called so.
fn is_registry(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':']) || first.bytes().any(|it| it.is_ascii_uppercase())
}

pub(super) fn is_wild(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Whether it is the ID of an image, or a digest, and no name (`distribution/reference`, `ParseAnyReference`).
pub(super) fn is_identifier(text: &str) -> bool {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    hex.len() == 64 && hex.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
}
