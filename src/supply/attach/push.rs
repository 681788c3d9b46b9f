//! Pushes an artifact to a registry, and reports success only when look-ups of its image find it.

use anyhow::Context;

use crate::image::Repository;
use crate::store::{Artifact, ArtifactSubject, CREATED, Digest, Package};
use crate::supply::registry::{Client, Descriptor, IMAGE_MANIFEST, ReferrersPlace};

/// An artifact that is in the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushedArtifact {
    /// The artifact's manifest.
    pub manifest: Digest,
    /// Who lists it among the image's referrers: the registry, or we in the fallback index.
    pub found: ReferrersPlace,
}

/// Pushes an artifact's blobs and its manifest, and lists it where the registry does not.
///
/// # Errors
///
/// If the registry did not take a part of it; doing it again goes on from there.
pub fn push(
    client: &Client,
    repository: &Repository,
    subject: &ArtifactSubject,
    package: &Package,
) -> anyhow::Result<PushedArtifact> {
    let artifact = package.artifact(&subject.digest)?;
    client.push_blob(repository, &package.config)?;
    client.push_blob(repository, &package.spec)?;
    let pushed = client.push_manifest(repository, None, IMAGE_MANIFEST, &package.manifest)?;
    if pushed.lists_referrers {
        return Ok(PushedArtifact { manifest: artifact.manifest, found: ReferrersPlace::Api });
    }
    client.add_to_fallback(repository, &subject.digest, &listed(&artifact, package)?)?;
    Ok(PushedArtifact { manifest: artifact.manifest, found: ReferrersPlace::Fallback })
}

/// Takes the other artifacts of the same image and type away; returns which there were.
///
/// # Errors
///
/// If they cannot be listed, or the registry deletes nothing.
pub fn replace(
    client: &Client,
    repository: &Repository,
    subject: &Digest,
    package: &Package,
) -> anyhow::Result<Vec<Digest>> {
    let stored = package.artifact(subject)?;
    let referrers = client.referrers(repository, subject, Some(&stored.artifact_type))?;
    let mut gone = Vec::new();
    for old in referrers.descriptors.iter().filter(|it| it.digest != stored.manifest) {
        if !is_of(client, repository, old, &stored.artifact_type)? {
            continue;
        }
        if referrers.found == ReferrersPlace::Fallback {
            client.remove_from_fallback(repository, subject, &old.digest)?;
        }
        client
            .delete_manifest(repository, &old.digest)
            .with_context(|| format!("the new artifact {} is there, the old one too", stored.manifest))?;
        gone.push(old.digest);
    }
    Ok(gone)
}

/// Old tools leave the type out of the fallback index: then the manifest says it.
fn is_of(client: &Client, repository: &Repository, found: &Descriptor, kind: &str) -> anyhow::Result<bool> {
    if let Some(said) = &found.artifact_type {
        return Ok(said == kind);
    }
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    #[serde(expecting = "an object")]
    struct Typed {
        artifact_type: Option<String>,
    }
    let manifest = client.manifest(repository, &found.digest)?;
    let typed: Typed = serde_json::from_slice(&manifest.bytes)
        .with_context(|| format!("reading manifest {} of {repository}", found.digest))?;
    Ok(typed.artifact_type.as_deref() == Some(kind))
}

/// The entry of an index that leads to the artifact; readers choose by its type and annotations.
fn listed(artifact: &Artifact, package: &Package) -> anyhow::Result<Descriptor> {
    let created = artifact.created.clone().map(|it| (CREATED.to_owned(), it));
    Ok(Descriptor {
        media_type: IMAGE_MANIFEST.to_owned(),
        digest: artifact.manifest,
        size: u64::try_from(package.manifest.len())?,
        artifact_type: Some(artifact.artifact_type.clone()),
        annotations: created.map(|it| [it].into()),
        platform: None,
    })
}
