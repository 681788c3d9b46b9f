//! What images are called: names as people and engines write them, and patterns of them. The one place that takes a name
//! apart, so that whoever pulls, checks, waives and lists means the same image by it. Never asks a registry or an engine.

pub use pattern::ImagePattern;
pub use reference::{BadReference, Reference, Repository};
pub use spelled::Spelled;

mod spelled;
mod reference;
mod pattern;
mod doubt;
#[cfg(test)]
mod tests;

use crate::digest::Digest;

/// What an image is called, as far as that is known; empty for an image that is not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// Its names, such as `docker.io/library/nginx:1.27`, as engines write them. Text of strangers.
    pub names: Vec<String>,
    /// The digests of its manifest and of its index.
    pub digests: Vec<Digest>,
}
