//! Where a stored artifact came from, as the command that stored it noted: for people and for a later look at trust. No
//! look-up of a starting container reads it.

use serde::{Deserialize, Serialize};

use super::{Artifact, Digest};

/// No artifact keeps more names than these: whoever tags every build has no use for the old ones.
const MAX_NAMES: usize = 20;

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
    /// Further names under which it was fetched.
    #[serde(default, rename = "otherNames", skip_serializing_if = "Vec::is_empty")]
    pub other_names: Vec<String>,
    /// When it was fetched, or was found to be still there, under the first name (RFC 3339).
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
    /// Takes over what a further addition of the same artifact says; a name more stands beside the others.
    pub(super) fn update(&mut self, addition: Self) {
        self.artifact = addition.artifact;
        match (&mut self.origin, addition.origin) {
            (_, None) => {}
            (Some(old), Some(new))
                if (&new.signature, &new.fetched) == (&old.signature, &old.fetched)
                    && new.names().all(|it| old.is_named(it)) => {}
            (Some(old), Some(mut new)) => {
                let names = old.names().filter(|it| !new.is_named(it)).map(str::to_owned);
                new.other_names = new.other_names.iter().cloned().chain(names).take(MAX_NAMES).collect();
                *old = new;
            }
            (None, new) => self.origin = new,
        }
    }
}

impl Origin {
    /// The names of the images for which it was fetched, the last one first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.image.iter().chain(&self.other_names).map(String::as_str)
    }

    /// Whether it was fetched under this name.
    pub fn is_named(&self, name: &str) -> bool {
        self.names().any(|it| it == name)
    }
}
