//! What can be done with a registry.

use crate::artifact::Digest;

use super::descriptor::{Descriptor, Manifest};
use super::{Error, Reference, Repository, Settings};

/// Speaks to registries. Keeps connections and tokens between calls.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
}

/// What a registry said when it took a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pushed {
    /// The digest of the bytes that were sent.
    pub digest: Digest,
    /// Whether the registry itself lists the manifest among its subject's referrers: it answered with `OCI-Subject`.
    /// If not, and there is a subject, [`Client::add_to_fallback`] is next.
    pub lists_referrers: bool,
}

/// The referrers of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referrers {
    /// In the order of the registry, without duplicates. One without `artifact_type` is of a type that its list did not
    /// say: its manifest does.
    pub descriptors: Vec<Descriptor>,
    /// Where they were found.
    pub found: Found,
}

/// How a registry keeps referrers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Through the referrers API.
    Api,
    /// In the index under the tag `sha256-<hex>`.
    Fallback,
}

impl Client {
    /// A client that knows no registry yet.
    ///
    /// # Errors
    ///
    /// [`super::Problem::Settings`] for a file that cannot be read or understood.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        Ok(Self { settings })
    }

    /// What an image's name stands for now: the manifest or index under its digest or tag, verified.
    ///
    /// # Errors
    ///
    /// [`super::Problem::Absent`] if there is none.
    pub fn resolve(&self, image: &Reference) -> Result<Manifest, Error> {
        todo!()
    }

    /// As [`Client::resolve`], but only what the registry says that it would send. Nothing is verified: good for finding
    /// out cheaply that nothing has changed.
    ///
    /// # Errors
    ///
    /// [`super::Problem::Absent`] if there is none.
    pub fn look(&self, image: &Reference) -> Result<Digest, Error> {
        todo!()
    }

    /// A manifest or index by its digest, verified.
    ///
    /// # Errors
    ///
    /// [`super::Problem::Absent`] if there is none.
    pub fn manifest(&self, repository: &Repository, digest: &Digest) -> Result<Manifest, Error> {
        todo!()
    }

    /// The bytes that a descriptor is about, held against its size and digest. At most `limit` bytes are read.
    ///
    /// # Errors
    ///
    /// [`super::Problem::TooLarge`], [`super::Problem::TooSmall`] and [`super::Problem::OtherDigest`] tell apart how the
    /// bytes differ from their descriptor.
    pub fn blob(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        limit: u64,
    ) -> Result<Vec<u8>, Error> {
        todo!()
    }

    /// Whether a blob is there already.
    ///
    /// # Errors
    ///
    /// If the registry says neither yes nor no.
    pub fn has_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool, Error> {
        todo!()
    }

    /// Pushes a blob, unless it is there already.
    ///
    /// # Errors
    ///
    /// If the registry did not take it.
    pub fn push_blob(&self, repository: &Repository, bytes: &[u8]) -> Result<Digest, Error> {
        todo!()
    }

    /// Pushes a manifest under its digest or, if `tag` names one, under a tag.
    ///
    /// # Errors
    ///
    /// If the registry did not take it.
    pub fn push_manifest(
        &self,
        repository: &Repository,
        tag: Option<&str>,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<Pushed, Error> {
        todo!()
    }

    /// Deletes a manifest.
    ///
    /// # Errors
    ///
    /// [`super::Problem::Absent`] if it is not there, [`super::Problem::Refused`] if this registry deletes nothing.
    pub fn delete_manifest(&self, repository: &Repository, digest: &Digest) -> Result<(), Error> {
        todo!()
    }

    /// What refers to an image. `artifact_type` restricts it to one type, here even if the registry does not.
    ///
    /// # Errors
    ///
    /// Whatever keeps us from knowing: an empty list means that there are none.
    pub fn referrers(
        &self,
        repository: &Repository,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Referrers, Error> {
        todo!()
    }

    /// Lists a manifest in the fallback index of its subject, where the registry does not list referrers itself
    /// (distribution-spec 1.1, "Pushing manifests with subject").
    ///
    /// # Errors
    ///
    /// [`super::Problem::Contended`] if others kept changing the index.
    pub fn add_to_fallback(
        &self,
        repository: &Repository,
        subject: &Digest,
        referrer: &Descriptor,
    ) -> Result<(), Error> {
        todo!()
    }

    /// Takes a manifest off the fallback index of its subject. An index that is not there has nothing to take off.
    ///
    /// # Errors
    ///
    /// [`super::Problem::Contended`] if others kept changing the index.
    pub fn remove_from_fallback(
        &self,
        repository: &Repository,
        subject: &Digest,
        referrer: &Digest,
    ) -> Result<(), Error> {
        todo!()
    }
}
