//! Where a stored artifact came from and what was verified then. This decides which artifacts count.

use serde::{Deserialize, Serialize};

use super::{Artifact, Digest};

/// No artifact keeps more names than this: if every build has a tag, the old ones are of no use.
const MAX_NAMES: usize = 20;

/// An artifact of the store, with where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredArtifact {
    /// The artifact.
    pub artifact: Artifact,
    /// Where it came from; `None` for one that was added from a file.
    pub origin: Option<ArtifactOrigin>,
}

/// Where an artifact came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactOrigin {
    /// The repository that has it, such as `docker.io/acme/upf`. Stores of before do not say it: [`ArtifactOrigin::repository`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The name of the image for which it was fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Further names under which it was fetched.
    #[serde(default, rename = "otherNames", skip_serializing_if = "Vec::is_empty")]
    pub other_names: Vec<String>,
    /// When it was fetched, or was found to be still there, under the first name (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched: Option<String>,
    /// The pattern of the rule of trust that held for the repository, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The evidence of its author; `None` if nothing was verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

/// A signature over the artifact's manifest that was verified before the artifact was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The digest of the public key in DER (`SubjectPublicKeyInfo`, RFC 5280), or that of the verifier's command line.
    pub key: Digest,
    /// The blob that holds payload and signature, to be verified again elsewhere.
    pub evidence: Digest,
    /// Who verified it.
    #[serde(default, skip_serializing_if = "VerifiedBy::is_key")]
    pub by: VerifiedBy,
}

/// How a signature was verified.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VerifiedBy {
    /// With one of the administrator's keys.
    #[default]
    Key,
    /// By the administrator's own program.
    Verifier,
}

impl VerifiedBy {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    fn is_key(&self) -> bool {
        *self == Self::Key
    }
}

impl StoredArtifact {
    /// The repository that has it; `None` for one that the administrator added from a file.
    pub fn source(&self) -> Option<&str> {
        self.origin.as_ref().map(|it| it.repository().unwrap_or_default())
    }

    /// Whether it was verified that a trusted party made it.
    pub fn is_verified(&self) -> bool {
        self.origin.as_ref().is_some_and(|it| it.signature.is_some())
    }

    /// Takes over what a further addition of the same artifact from the same repository says; a name more stands beside the
    /// others.
    pub(super) fn update(&mut self, addition: Self) {
        self.artifact = addition.artifact;
        match (&mut self.origin, addition.origin) {
            (_, None) => {}
            (Some(old), Some(new))
                if (&new.repository, &new.rule, &new.signature, &new.fetched)
                    == (&old.repository, &old.rule, &old.signature, &old.fetched)
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

impl ArtifactOrigin {
    /// The repository that has it, as it was noted or, in a store of before, as the name of the image says.
    pub fn repository(&self) -> Option<&str> {
        self.repository.as_deref().or_else(|| self.image.as_deref().map(repository_of))
    }

    /// The names of the images for which it was fetched, the last one first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.image.iter().chain(&self.other_names).map(String::as_str)
    }

    /// Whether it was fetched under this name.
    pub fn is_named(&self, name: &str) -> bool {
        self.names().any(|it| it == name)
    }
}

/// The repository in the full name of an image.
fn repository_of(name: &str) -> &str {
    let tagged = name.split_once('@').map_or(name, |(it, _)| it);
    match tagged.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => tagged,
    }
}
