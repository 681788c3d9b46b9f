//! Finds the artifacts of an image in the store, as every start of a container does: a few small reads, whatever the
//! store holds. Never lists a folder, takes a lock, writes, or parses a byte that was not verified.

use std::path::Path;
use std::time::Instant;

use super::compiled::{self, CompiledForm};
use super::listing::{ArtifactStanding, ImageListing};
use super::manifest::StoredManifest;
use super::reach::StoreAccess;
use super::{
    Artifact, BLOBS, COMPILED, Digest, MAX_COMPILED, MAX_LISTING, MAX_MANIFEST, MAX_SPEC, SUBJECTS,
    StoredArtifact,
};
use super::{Trouble, blob, blob_path, listing};

/// A store that is there and that only its trusted owner can write to.
#[derive(Debug)]
pub struct Store {
    pub(super) folder: StoreAccess,
    has_subjects: bool,
}

/// The bytes of a spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpecBytes {
    /// The body of its compiled form, in the format that was asked for and made from these very bytes.
    Compiled(Vec<u8>),
    /// The spec as its author wrote it.
    Source {
        /// Which format it is written in.
        media_type: String,
        /// The text; size and digest are verified.
        bytes: Vec<u8>,
        /// Why the compiled form was passed over, if it is there and of no use: a warning for the administrator.
        note: Option<String>,
    },
}

impl Store {
    /// Opens the store in this folder; `None` if there is none, which is not an error.
    ///
    /// # Errors
    ///
    /// If it is no folder, cannot be read, or could have been written by others than root and this user.
    pub fn open(dir: &Path) -> Result<Option<Self>, Trouble> {
        Self::reached(StoreAccess::open(dir)?)
    }

    /// As [`Store::open`], for callers with a deadline. Where the file system may never answer, a process apart looks into the
    /// store. What it has not found by the moment that `until` gives is unreadable.
    ///
    /// # Errors
    ///
    /// As [`Store::open`].
    pub fn open_until(dir: &Path, until: impl FnOnce() -> Instant) -> Result<Option<Self>, Trouble> {
        Self::reached(StoreAccess::open_until(dir, until)?)
    }

    fn reached(folder: Option<StoreAccess>) -> Result<Option<Self>, Trouble> {
        let Some(folder) = folder else { return Ok(None) };
        let has_subjects = folder.holds(SUBJECTS)?;
        Ok(Some(Self { folder, has_subjects }))
    }

    /// Whether no image has an artifact here; then the image need not be known. Costs nothing.
    pub fn is_empty(&self) -> bool {
        !self.has_subjects
    }

    /// The artifacts of an image that count, and those that do not beside verified ones; `image` has the digests of its
    /// manifest and of its indexes. An error on one digest hides nothing of another.
    pub fn standing(&self, image: &[Digest]) -> (ArtifactStanding, Vec<Trouble>) {
        let (mut lists, mut troubles) = (Vec::new(), Vec::new());
        for subject in image {
            match self.list(subject) {
                Ok(list) => lists.push(list),
                Err(trouble) => troubles.push(trouble),
            }
        }
        (listing::standing(lists), troubles)
    }

    /// The artifacts that count for an image, if only this digest of it is known.
    ///
    /// # Errors
    ///
    /// If there may be some, and they cannot be read.
    pub fn artifacts(&self, subject: &Digest) -> Result<Vec<Artifact>, Trouble> {
        let ArtifactStanding { counting, .. } = listing::standing(vec![self.list(subject)?]);
        Ok(counting.into_iter().map(|it| it.artifact).collect())
    }

    /// All artifacts of this subject, once for each repository that has them, in the order in which they were added, with
    /// where they came from.
    ///
    /// # Errors
    ///
    /// If there may be some, and they cannot be read.
    pub fn stored(&self, subject: &Digest) -> Result<Vec<StoredArtifact>, Trouble> {
        self.list(subject).map(|it| it.stored)
    }

    /// All that is noted about a subject.
    pub(super) fn list(&self, subject: &Digest) -> Result<ImageListing, Trouble> {
        if !self.has_subjects {
            return Ok(ImageListing::default());
        }
        let path = format!("{SUBJECTS}/{}", subject.hex());
        match self.folder.read(&path, MAX_LISTING)? {
            None => Ok(ImageListing::default()),
            Some(bytes) => {
                listing::parse(&bytes, subject).map_err(|reason| self.folder.damaged(&path, reason))
            }
        }
    }

    /// The images that have artifacts here, by digest, in order.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    pub fn subjects(&self) -> Result<Vec<Digest>, Trouble> {
        let names = self.folder.names(SUBJECTS)?;
        // Look-ups ignore any other file there; `verify` reports it.
        Ok(names.iter().filter_map(|it| Digest::from_hex(it.to_str().ok()?)).collect())
    }

    /// A blob of at most `most` bytes, verified.
    ///
    /// # Errors
    ///
    /// If it is not there, cannot be read, or is not what its digest says.
    pub fn blob(&self, digest: &Digest, most: u64) -> Result<Vec<u8>, Trouble> {
        let path = blob_path(digest);
        let bytes = match self.folder.holds(BLOBS)? {
            true => self.folder.read(&path, most)?,
            false => None,
        };
        let bytes = bytes.ok_or_else(|| self.folder.damaged(&path, "is not there".to_owned()))?;
        blob::verify_digest(&bytes, digest).map_err(|reason| self.folder.damaged(&path, reason))?;
        Ok(bytes)
    }

    /// The artifact with this manifest; `None` if the store does not have it.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is not what the digest says, or is no compatibility artifact.
    pub fn by_manifest(&self, manifest: &Digest) -> Result<Option<Artifact>, Trouble> {
        let path = blob_path(manifest);
        if !self.folder.holds(BLOBS)? {
            return Ok(None);
        }
        let Some(bytes) = self.folder.read(&path, MAX_MANIFEST)? else { return Ok(None) };
        blob::verify_digest(&bytes, manifest).map_err(|reason| self.folder.damaged(&path, reason))?;
        let document =
            StoredManifest::parse(&bytes).map_err(|reason| Trouble::Unfit { artifact: *manifest, reason })?;
        document.into_artifact(*manifest).map(Some)
    }

    /// The spec of an artifact: compiled if its compiled form is there, whole, and of this format; else its source.
    ///
    /// # Errors
    ///
    /// If the source is needed and is missing, unreadable, or not what its descriptor says. A compiled form that is
    /// broken, or that others could have written, is passed over with a note.
    pub fn spec(&self, artifact: &Artifact, format: u32) -> Result<SpecBytes, Trouble> {
        match self.compiled(&artifact.spec.digest, format) {
            Ok(Some(CompiledForm::Body(body))) => Ok(SpecBytes::Compiled(body)),
            Ok(Some(CompiledForm::Torn(reason))) => {
                let (bytes, note) = self.source_instead(artifact, &reason)?;
                Ok(payload(artifact, bytes, Some(note)))
            }
            Ok(Some(CompiledForm::OtherFormat(other))) => {
                log::debug!("spec {} is compiled in format {other}, not {format}", artifact.spec.digest);
                Ok(payload(artifact, self.source(artifact)?, None))
            }
            Ok(None) => Ok(payload(artifact, self.source(artifact)?, None)),
            // The source cannot be forged: its digest is verified.
            Err(trouble) => {
                let note = format!("{trouble}; the spec itself was read");
                Ok(payload(artifact, self.source(artifact)?, Some(note)))
            }
        }
    }

    /// The source of an artifact's spec in place of its compiled form, with a note that says why: `reason` is the rest of
    /// a sentence that starts with the file.
    ///
    /// # Errors
    ///
    /// As [`Store::spec`].
    pub fn source_instead(&self, artifact: &Artifact, reason: &str) -> Result<(Vec<u8>, String), Trouble> {
        let path = self.folder.full(&compiled_path(&artifact.spec.digest));
        let note = format!("{} {reason}; the spec itself was read: add the artifact again", path.display());
        Ok((self.source(artifact)?, note))
    }

    fn compiled(&self, spec: &Digest, format: u32) -> Result<Option<CompiledForm>, Trouble> {
        if !self.folder.holds(COMPILED)? {
            return Ok(None);
        }
        match self.folder.read(&compiled_path(spec), MAX_COMPILED) {
            Ok(None) => Ok(None),
            Ok(Some(bytes)) => Ok(Some(compiled::parse(bytes, spec, format))),
            Err(Trouble::Unreadable { reason, .. } | Trouble::Damaged { reason, .. }) => {
                Ok(Some(CompiledForm::Torn(reason)))
            }
            Err(trouble @ (Trouble::Exposed { .. } | Trouble::Unfit { .. })) => Err(trouble),
        }
    }

    pub(super) fn source(&self, artifact: &Artifact) -> Result<Vec<u8>, Trouble> {
        let spec = &artifact.spec;
        let path = blob_path(&spec.digest);
        let found = match self.folder.holds(BLOBS)? {
            true => self.folder.read(&path, spec.size.min(MAX_SPEC))?,
            false => None,
        };
        let Some(bytes) = found else {
            let reason = format!("is not there, artifact {} needs it", artifact.manifest);
            return Err(self.folder.damaged(&path, reason));
        };
        blob::verify(&bytes, &spec.digest, spec.size).map_err(|reason| self.folder.damaged(&path, reason))?;
        Ok(bytes)
    }
}

fn payload(artifact: &Artifact, bytes: Vec<u8>, note: Option<String>) -> SpecBytes {
    SpecBytes::Source { media_type: artifact.spec.media_type.clone(), bytes, note }
}

/// The path of a spec's compiled form.
pub(super) fn compiled_path(spec: &Digest) -> String {
    format!("{COMPILED}/{}", spec.hex())
}
