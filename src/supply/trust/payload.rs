//! The payload of simple signing, which names a manifest. Assumes that its signature was verified.

use serde::Deserialize;

use crate::store::Digest;

/// What cosign writes; other simple signers write "atomic container signature", over images in their own transport.
const KIND: &str = "cosign container image signature";

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct SignedPayload {
    critical: Critical,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Critical {
    #[serde(default)]
    identity: SignedIdentity,
    image: SignedImage,
    #[serde(rename = "type")]
    kind: String,
}

/// Under which name it was signed: a repository, perhaps with a tag or digest.
#[derive(Default, Deserialize)]
#[serde(expecting = "an object")]
struct SignedIdentity {
    #[serde(default, rename = "docker-reference")]
    reference: String,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct SignedImage {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// Whether the payload says that this manifest was signed, under a name that counts. One that says no name says as much as
/// a Sigstore bundle.
pub(super) fn names(payload: &[u8], manifest: &Digest, counts: &dyn Fn(&str) -> bool) -> Result<(), String> {
    let SignedPayload { critical: Critical { identity, image, kind } } = serde_json::from_slice(payload)
        .map_err(|err| format!("a signature of something that is no payload of cosign ({err})"))?;
    if kind != KIND {
        return Err(format!("a signature of type {kind:?}, expected {KIND:?}"));
    }
    if image.digest != manifest.to_string() {
        return Err(format!("a signature of another artifact, {:?}", image.digest));
    }
    if !identity.reference.is_empty() && !counts(&identity.reference) {
        return Err(format!(
            "a signature for another repository, {:?}: sign it for this one, or name that one in signed_as",
            identity.reference
        ));
    }
    Ok(())
}
