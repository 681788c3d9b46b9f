//! Compatibility artifacts on this machine: finds the bytes of the specs that belong to an image, and keeps them. Knows
//! digests, sizes and media types, never what a spec says; trusts no file that others could have written.
//!
//! The store is an OCI image layout (image-spec 1.1, `image-layout.md`) with three folders beside it, made from it:
//!
//! ```text
//! oci-layout  index.json                 every artifact manifest in the store
//! blobs/sha256/<hex>                     manifests, configs and specs
//! subjects/<hex of the image's digest>   the artifacts of one image: all that a look-up reads
//! names/<hex of the name's SHA-256>      the images that were fetched under a name
//! compiled/<hex of the spec's digest>    that spec in a form that loads faster, bound to the spec's digest
//! images.json                            what the last pull needs not fetch again, if there was one
//! .lock                                  held by the one writer; readers never lock
//! ```

pub use crate::image::digest::{BadDigest, Digest};
pub use archive::Archive;
pub use build::{ArtifactSubject, Package, Parts, SpecKind, pack, pack_annotated};
pub use layout::LayoutArtifact;
pub use listing::{Age, ArtifactStanding, age};
pub use lookup::{SpecBytes, Store};
pub use manifest::{
    ARTIFACT_TYPES, CREATED, NFD_ARTIFACT_TYPE, NFD_SPEC_TYPE, OWN_ARTIFACT_TYPE, OWN_SPEC_TYPE,
    PROPOSED_ARTIFACT_TYPE, PROPOSED_SPEC_TYPE, SPEC_TYPES, created,
};
pub use memory::ImageManifests;
pub use names::NamedImage;
pub use origin::{ArtifactOrigin, Signature, StoredArtifact, VerifiedBy};
pub use removal::Removal;
pub use source::{ArtifactSource, ArtifactSummary};
pub use tidy::Swept;
pub use transfer::Incoming;
pub use trouble::Trouble;
pub use verify::VerifiedStore;
pub use write::{Added, Addition, Compiled, Recompiled, Writer};

mod trouble;
mod manifest;
mod origin;
mod source;
mod listing;
mod compiled;
mod folder;
mod reach;
mod lookup;
mod blob;
mod build;
mod archive;
pub mod layout;
mod durable;
mod index;
mod write;
mod tidy;
mod verify;
mod transfer;
mod memory;
mod names;
mod removal;
#[cfg(test)]
mod tests;

/// The largest artifact manifest, in bytes: one layer and a few annotations need 1 KiB.
pub const MAX_MANIFEST: u64 = 1 << 20;
/// The largest spec, in bytes.
pub const MAX_SPEC: u64 = 1 << 20;
/// The largest list of the artifacts of one image, in bytes: room for some 3,000.
const MAX_LISTING: u64 = 1 << 20;
/// The largest evidence of a signature, in bytes: payload, signature and key need some 2 KiB.
pub const MAX_EVIDENCE: u64 = 256 << 10;
/// The largest compiled form, in bytes, its header line included.
const MAX_COMPILED: u64 = 8 << 20;

const BLOBS: &str = "blobs/sha256";
const SUBJECTS: &str = "subjects";
const COMPILED: &str = "compiled";
const NAMES: &str = "names";

/// What a manifest says of itself: which spec it carries, and for which image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The digest of the artifact's manifest, which is the artifact's name.
    pub manifest: Digest,
    /// The digest of the image's manifest or index that the artifact is about; manifests without `subject` exist.
    pub subject: Option<Digest>,
    /// The manifest's `artifactType`, or `config.mediaType` where that is missing (image-spec 1.1, `manifest.md`).
    pub artifact_type: String,
    /// `org.opencontainers.image.created` as it was written; RFC 3339 if its author kept to the image-spec.
    pub created: Option<String>,
    /// The blob that holds the spec.
    pub spec: SpecBlob,
}

/// The descriptor of a spec (image-spec 1.1, `descriptor.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecBlob {
    /// Which format the spec is written in.
    pub media_type: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// The number of its bytes.
    pub size: u64,
}

/// The path of a blob, relative to the folder of a layout.
fn blob_path(digest: &Digest) -> String {
    format!("{BLOBS}/{}", digest.hex())
}
