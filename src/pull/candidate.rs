//! The artifacts among what refers to an image, and in which order they are looked at. Only data: asks nobody.

use std::cmp::Reverse;

use crate::artifact::{ARTIFACT_TYPES, Age, age, created};
use crate::registry::{Descriptor, MANIFEST_TYPES};

/// An artifact that may be the one.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) descriptor: Descriptor,
    /// When it was made, as far as that is believed.
    pub(super) created: Option<String>,
    /// Its manifest, if it had to be read to know what it is.
    pub(super) manifest: Option<Vec<u8>>,
}

/// What a descriptor tells of an artifact.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It is one.
    Ours,
    /// Its manifest has to tell.
    Nothing,
    /// It is something else.
    Other,
}

pub(super) fn told(descriptor: &Descriptor) -> Told {
    match descriptor.artifact_type.as_deref() {
        Some(kind) if ARTIFACT_TYPES.contains(&kind) => Told::Ours,
        Some(_) => Told::Other,
        None if MANIFEST_TYPES.contains(&descriptor.media_type.as_str()) => Told::Nothing,
        None => Told::Other,
    }
}

impl Candidate {
    /// The date of the descriptor, which is not signed.
    pub(super) fn dated(descriptor: Descriptor) -> Self {
        let annotations = descriptor.annotations.as_ref();
        let created = annotations.and_then(|it| created(|key| it.get(key))).cloned();
        Self { descriptor, created, manifest: None }
    }

    pub(super) fn age(&self) -> Age {
        age(self.created.as_deref(), self.descriptor.digest)
    }
}

/// Newest first; of equals the one with the lowest digest, so that every host chooses alike.
pub(super) fn newest_first(candidates: &mut [Candidate]) {
    candidates.sort_by_key(|it| Reverse(it.age()));
}
