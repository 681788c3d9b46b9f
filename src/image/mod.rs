//! What images are called: names as people and engines write them, and patterns of them. The one place that takes a name
//! apart, so that pulling, checking, waiving and listing mean the same image by it. Never asks a registry or an engine.

pub use pattern::ImagePattern;
pub use reference::{BadReference, Reference, Repository};
pub use spelled::Spelled;

pub mod digest;
mod spelled;
mod reference;
mod pattern;
mod doubt;
#[cfg(test)]
mod tests;

use crate::image::digest::Digest;

/// What an image is called, as far as that is known; empty for an image that is not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// Its names, such as `docker.io/library/nginx:1.27`, as engines write them. Text of strangers.
    pub names: Vec<String>,
    /// The digests of its manifest and of its index, and that of its configuration, which engines call its ID.
    pub digests: Vec<Digest>,
}

impl Image {
    /// Whether a recorded image is this one: by its digest if both have one, else by its name.
    pub fn is_noted(&self, name: Option<&str>, digest: Option<&str>) -> bool {
        let name_is_digest = |it: &&str| self.digests.iter().any(|known| known.to_string() == **it);
        if digest.iter().chain(&name).any(name_is_digest) {
            return true;
        }
        if digest.is_some() && !self.digests.is_empty() {
            return false;
        }
        let full = |it: &str| it.parse::<Reference>().map_or_else(|_| it.to_owned(), |it| it.to_string());
        name.map(full).is_some_and(|name| self.names.iter().any(|it| full(it) == name))
    }
}
