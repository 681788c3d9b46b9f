//! Descriptors and manifests of a registry. Never guesses a type: a missing type is `None`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::store::Digest;

/// Media type of an image manifest (image-spec 1.1).
pub const IMAGE_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an image index (image-spec 1.1).
pub const IMAGE_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// What Docker calls an image manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// What Docker calls an image index.
pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Every type of manifest that is asked for and accepted.
pub const MANIFEST_TYPES: [&str; 4] = [IMAGE_MANIFEST, IMAGE_INDEX, DOCKER_MANIFEST, DOCKER_INDEX];

/// What a piece of content is, and how to find it (image-spec 1.1, `descriptor.md`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(expecting = "an object")]
pub struct Descriptor {
    /// What it is.
    pub media_type: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// The number of its bytes.
    pub size: u64,
    /// What an artifact is for. Old tools leave it out of the fallback index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// What its author adds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
    /// For which machines an entry of an image index is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<DescriptorPlatform>,
}

/// For which machines an entry of an image index is (image-spec 1.1, `image-index.md`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(expecting = "an object")]
pub struct DescriptorPlatform {
    /// As Go's `GOARCH`.
    pub architecture: String,
    /// As Go's `GOOS`.
    pub os: String,
    /// Of the processor, such as `v8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Of the operating system; mostly for Windows.
    #[serde(default, rename = "os.version", skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// Of the operating system, such as `win32k`.
    #[serde(default, rename = "os.features", skip_serializing_if = "Vec::is_empty")]
    pub os_features: Vec<String>,
    /// Of the processor: reserved by the specification, and proposed for what an image needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
}

/// A manifest or an index: bytes whose digest, size and type were verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// One of [`MANIFEST_TYPES`].
    pub media_type: String,
    /// The digest of the bytes, worked out by us.
    pub digest: Digest,
    /// The document as it came.
    pub bytes: Vec<u8>,
}

impl Manifest {
    /// The descriptor of this manifest, as a `subject` names it.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor {
            media_type: self.media_type.clone(),
            digest: self.digest,
            size: u64::try_from(self.bytes.len()).unwrap_or(u64::MAX),
            artifact_type: None,
            annotations: None,
            platform: None,
        }
    }

    /// Whether it lists manifests instead of layers.
    pub fn is_index(&self) -> bool {
        matches!(self.media_type.as_str(), IMAGE_INDEX | DOCKER_INDEX)
    }
}
