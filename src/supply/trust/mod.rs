//! Whether an artifact's manifest was signed with a key that the administrator trusts, in the formats that cosign writes
//! with a key pair. Never fetches anything. Only pulling uses this module.
//!
//! A signature is over a small document that names the manifest by digest, not over the manifest itself. Both of cosign's
//! documents are supported: the payload of simple signing (cosign 1 and 2), and the in-toto statement in a DSSE envelope, in a
//! Sigstore bundle (cosign 3). Transparency logs are not read: a key pair proves the signer without them.

pub use evidence::{read_evidence, write_evidence};
pub use key::Key;

mod key;
mod payload;
mod bundle;
mod evidence;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::store::{Digest, MAX_EVIDENCE};

/// The media type of a simple-signing payload, a layer of cosign's signature manifests.
pub const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// The annotation of such a layer that holds the signature, in base64.
pub const SIGNATURE_ANNOTATION: &str = "dev.cosignproject.cosign/signature";
/// How the type of a Sigstore bundle starts, as artifact and as layer; a version follows.
pub const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
/// The artifact type of a signature manifest that refers to its subject (cosign 2, `COSIGN_EXPERIMENTAL=1`).
pub const SIGNATURE_ARTIFACT: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";

/// The tag under which cosign keeps signatures of a manifest where there are no referrers.
pub fn signature_tag(manifest: &Digest) -> String {
    format!("sha256-{}.sig", manifest.hex())
}

/// A signature as it was found: nothing of it is believed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundSignature {
    /// Simple signing: the payload, and the text of the annotation [`SIGNATURE_ANNOTATION`].
    Simple {
        /// The layer's blob.
        payload: Vec<u8>,
        /// Base64.
        signature: String,
    },
    /// A Sigstore bundle, which is JSON.
    Bundle(Vec<u8>),
}

/// A signature that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedSignature {
    /// The digest of the key, [`Key::digest`].
    pub key: Digest,
    /// The signature, to be verified again elsewhere: [`read_evidence`] reads it.
    pub evidence: Vec<u8>,
}

/// Finds a signature over this manifest with one of these keys. `counts` says whether a signature does that was made under
/// a name, where one is signed along (`critical.identity.docker-reference`; a Sigstore bundle has none). cosign does not look
/// at that; containers-policy.json(5) does by default.
///
/// # Errors
///
/// Why none of them holds, as the rest of a sentence that starts with the manifest.
pub fn verify(
    manifest: &Digest,
    candidates: &[FoundSignature],
    keys: &[Key],
    counts: &dyn Fn(&str) -> bool,
) -> Result<VerifiedSignature, String> {
    let mut reasons = BTreeSet::new();
    for candidate in candidates {
        match candidate.signer(manifest, keys, counts) {
            Ok(key) => return Ok(VerifiedSignature { key, evidence: write_evidence(candidate) }),
            Err(reason) => _ = reasons.insert(reason),
        }
    }
    if reasons.is_empty() {
        return Err("is not signed".to_owned());
    }
    let reasons: Vec<_> = reasons.into_iter().collect();
    Err(format!("has no signature that holds: {}", reasons.join("; ")))
}

impl FoundSignature {
    /// The key that made the signature, once everything holds.
    fn signer(
        &self,
        manifest: &Digest,
        keys: &[Key],
        counts: &dyn Fn(&str) -> bool,
    ) -> Result<Digest, String> {
        match self {
            Self::Simple { payload, signature } => {
                bounded(payload)?;
                let signature = decode(signature, "the signature")?;
                let key = signed_by(payload, &signature, keys)?;
                payload::names(payload, manifest, counts)?;
                Ok(key)
            }
            Self::Bundle(bytes) => {
                bounded(bytes)?;
                let envelope = bundle::envelope(bytes)?;
                let key = envelope.signed_by(keys)?;
                envelope.names(manifest)?;
                Ok(key)
            }
        }
    }
}

fn bounded(bytes: &[u8]) -> Result<(), String> {
    let most = MAX_EVIDENCE / 2;
    match u64::try_from(bytes.len()) {
        Ok(size) if size <= most => Ok(()),
        _ => Err(format!("a signature of {} bytes, at most {most} are read", bytes.len())),
    }
}

/// The first key with which the signature of this message holds.
fn signed_by(message: &[u8], signature: &[u8], keys: &[Key]) -> Result<Digest, String> {
    let key = keys.iter().find(|it| it.made(signature, message));
    key.map(|it| it.digest).ok_or_else(|| "a signature by another key".to_owned())
}

fn decode(text: &str, what: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(text.trim()).map_err(|err| format!("{what} is not base64 ({err})"))
}
