//! The signatures over an artifact's manifest, from the places where cosign puts them: under a tag, or as referrers. Verifies
//! nothing.

use serde::Deserialize;
use std::collections::BTreeMap;

use crate::image::Repository;
use crate::store::{Digest, MAX_EVIDENCE};
use crate::supply::registry::{Client, Descriptor, MANIFEST_TYPES, RegistryError};
use crate::supply::trust::{
    BUNDLE, FoundSignature, SIGNATURE_ANNOTATION, SIGNATURE_ARTIFACT, SIMPLE_SIGNING, signature_tag,
};

/// The most signatures that are read of an artifact.
const MAX_SIGNATURES: usize = 32;

/// A signature's manifest, as far as it is read here.
#[derive(Deserialize)]
struct SignatureManifest {
    #[serde(default)]
    layers: Vec<SignatureLayer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignatureLayer {
    media_type: String,
    digest: Digest,
    size: u64,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

/// What was found, and what could not be read, each the rest of a sentence: one bad signature hides no good one.
#[derive(Debug, Default)]
pub(super) struct Signatures {
    pub(super) candidates: Vec<FoundSignature>,
    pub(super) unread: Vec<String>,
}

/// Those under cosign's tag; none if there is no such tag.
pub(super) fn tagged(client: &Client, repository: &Repository, manifest: &Digest) -> Signatures {
    let mut found = Signatures::default();
    let resolved = match repository.tagged(&signature_tag(manifest)) {
        Ok(tag) => client.resolve(&tag),
        Err(err) => {
            found.unread.push(err.to_string());
            return found;
        }
    };
    match resolved {
        Ok(signed) => found.read(client, repository, &signed.bytes),
        Err(err) if err.is_absent() => {}
        Err(err) => found.unread.push(err.to_string()),
    }
    found
}

/// Those that refer to the artifact.
pub(super) fn referring(client: &Client, repository: &Repository, manifest: &Digest) -> Signatures {
    let mut found = Signatures::default();
    let referrers = match client.referrers(repository, manifest, None) {
        Ok(referrers) => referrers.descriptors,
        Err(err) => {
            found.unread.push(err.to_string());
            return found;
        }
    };
    for referrer in referrers.iter().filter(|it| may_sign(it)).take(MAX_SIGNATURES) {
        match client.manifest(repository, &referrer.digest) {
            Ok(signed) => found.read(client, repository, &signed.bytes),
            Err(err) => found.unread.push(err.to_string()),
        }
    }
    found
}

/// One whose type its list does not say is opened.
fn may_sign(descriptor: &Descriptor) -> bool {
    match descriptor.artifact_type.as_deref() {
        Some(kind) => kind.starts_with(BUNDLE) || kind == SIGNATURE_ARTIFACT,
        None => MANIFEST_TYPES.contains(&descriptor.media_type.as_str()),
    }
}

impl Signatures {
    /// What is no signature's manifest has no signatures.
    fn read(&mut self, client: &Client, repository: &Repository, bytes: &[u8]) {
        let Ok(document) = serde_json::from_slice::<SignatureManifest>(bytes) else { return };
        for layer in document.layers.into_iter().take(MAX_SIGNATURES) {
            match candidate(client, repository, layer) {
                Ok(found) => self.candidates.extend(found),
                Err(err) => self.unread.push(err.to_string()),
            }
        }
    }

    pub(super) fn extend(&mut self, more: Self) {
        self.candidates.extend(more.candidates);
        self.unread.extend(more.unread);
    }
}

fn candidate(
    client: &Client,
    repository: &Repository,
    layer: SignatureLayer,
) -> Result<Option<FoundSignature>, RegistryError> {
    let SignatureLayer { media_type, digest, size, annotations } = layer;
    let signature = annotations.and_then(|mut it| it.remove(SIGNATURE_ANNOTATION));
    let is_bundle = media_type.starts_with(BUNDLE);
    if size > MAX_EVIDENCE / 2 || !(is_bundle || media_type == SIMPLE_SIGNING) {
        return Ok(None);
    }
    let descriptor =
        Descriptor { media_type, digest, size, artifact_type: None, annotations: None, platform: None };
    let bytes = || client.blob(repository, &descriptor, MAX_EVIDENCE / 2);
    Ok(match (is_bundle, signature) {
        (true, _) => Some(FoundSignature::Bundle(bytes()?)),
        (false, Some(signature)) => Some(FoundSignature::Simple { payload: bytes()?, signature }),
        (false, None) => None,
    })
}
