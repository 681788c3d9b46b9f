//! Where a stored artifact came from, as the command that stored it noted: for people and for a later look at trust. No
//! look-up of a starting container reads it.

use serde::{Deserialize, Serialize};

use super::{Artifact, Digest};

/// An artifact of the store, with where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The artifact.
    pub artifact: Artifact,
    /// Where it came from; `None` for one that was added from a file.
    pub origin: Option<Origin>,
}

/// Where an artifact came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The name of the image for which it was fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// When it was fetched first (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched: Option<String>,
    /// What showed who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

/// A signature over the artifact's manifest that was verified before the artifact was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The digest of the public key in DER (`SubjectPublicKeyInfo`, RFC 5280).
    pub key: Digest,
    /// The blob that holds payload and signature, to be verified again elsewhere.
    pub evidence: Digest,
}

impl Kept {
    /// Takes over what a further addition of the same artifact says; fetching once more is nothing new.
    pub(super) fn update(&mut self, addition: Self) {
        self.artifact = addition.artifact;
        let is_new = |it: &Origin| {
            self.origin.as_ref().is_none_or(|old| (&old.image, &old.signature) != (&it.image, &it.signature))
        };
        if let Some(origin) = addition.origin.filter(is_new) {
            self.origin = Some(origin);
        }
    }
}
