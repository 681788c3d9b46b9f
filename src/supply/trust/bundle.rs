//! The DSSE envelope in a Sigstore bundle, and the in-toto statement in that. The bundle's certificates and transparency logs
//! are not read: the keys are those of the policy.
//!
//! Sources: sigstore/protobuf-specs, `sigstore_bundle.proto`; secure-systems-lab/dsse, `protocol.md`; in-toto/attestation,
//! `spec/v1/statement.md`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Digest, Key, decode, signed_by};

const IN_TOTO: &str = "application/vnd.in-toto+json";
/// A statement that says nothing but "I sign this"; others, such as provenance, are no approval.
const SIGN: &str = "https://sigstore.dev/cosign/sign/v1";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(expecting = "an object")]
struct SigstoreBundle {
    dsse_envelope: Option<Sealed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(expecting = "an object")]
struct Sealed {
    payload: String,
    payload_type: String,
    signatures: Vec<Seal>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Seal {
    sig: String,
}

/// What is signed, and by what.
pub(super) struct Envelope {
    payload: Vec<u8>,
    signatures: Vec<Vec<u8>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(expecting = "an object")]
struct Statement {
    predicate_type: String,
    subject: Vec<StatementSubject>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct StatementSubject {
    digest: BTreeMap<String, String>,
}

/// Opens a bundle.
pub(super) fn envelope(bytes: &[u8]) -> Result<Envelope, String> {
    let bundle: SigstoreBundle =
        serde_json::from_slice(bytes).map_err(|err| format!("a bundle that cannot be read ({err})"))?;
    let Some(Sealed { payload, payload_type, signatures }) = bundle.dsse_envelope else {
        return Err(
            "a bundle without an envelope: sign the artifact with `cosign sign`, not `sign-blob`".to_owned()
        );
    };
    if payload_type != IN_TOTO {
        return Err(format!("an envelope of type {payload_type:?}, expected {IN_TOTO:?}"));
    }
    let payload = decode(&payload, "the envelope's payload")?;
    let signatures: Result<_, _> =
        signatures.iter().map(|it| decode(&it.sig, "the envelope's signature")).collect();
    Ok(Envelope { payload, signatures: signatures? })
}

impl Envelope {
    /// The key that signed it, if one of these did.
    pub(super) fn signed_by(&self, keys: &[Key]) -> Result<Digest, String> {
        let message = encoded(&self.payload);
        let mut reason = "an envelope without a signature".to_owned();
        for signature in &self.signatures {
            match signed_by(&message, signature, keys) {
                Ok(key) => return Ok(key),
                Err(other) => reason = other,
            }
        }
        Err(reason)
    }

    /// Whether the statement says that this manifest was signed.
    pub(super) fn names(&self, manifest: &Digest) -> Result<(), String> {
        let statement: Statement = serde_json::from_slice(&self.payload)
            .map_err(|err| format!("a signature of something that is no in-toto statement ({err})"))?;
        if statement.predicate_type != SIGN {
            return Err(format!("a statement of type {:?}, which is no signature", statement.predicate_type));
        }
        let hex = manifest.hex();
        match statement.subject.iter().any(|it| it.digest.get("sha256") == Some(&hex)) {
            true => Ok(()),
            false => Err("a signature of another artifact".to_owned()),
        }
    }
}

/// What is signed: DSSE's pre-authentication encoding (`protocol.md`, "Signature Definition").
fn encoded(payload: &[u8]) -> Vec<u8> {
    let mut message = format!("DSSEv1 {} {IN_TOTO} {} ", IN_TOTO.len(), payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message
}
