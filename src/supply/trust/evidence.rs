//! A signature as the store keeps it, so that another machine can verify it without a registry.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{FoundSignature, decode};

const SCHEMA: &str = "oci-compat.signature/v1";

#[derive(Serialize, Deserialize)]
#[serde(expecting = "an object")]
struct EvidenceDocument {
    schema: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bundle: Option<String>,
}

/// Puts a signature into bytes; the same signature gives the same bytes.
pub fn write_evidence(candidate: &FoundSignature) -> Vec<u8> {
    let schema = SCHEMA.to_owned();
    let document = match candidate {
        FoundSignature::Simple { payload, signature } => EvidenceDocument {
            schema,
            payload: Some(STANDARD.encode(payload)),
            signature: Some(signature.clone()),
            bundle: None,
        },
        FoundSignature::Bundle(bytes) => {
            EvidenceDocument { schema, payload: None, signature: None, bundle: Some(STANDARD.encode(bytes)) }
        }
    };
    // Texts in a structure: nothing that JSON could refuse.
    serde_json::to_vec(&document).unwrap_or_default()
}

/// Takes it out again; it is not believed for that.
///
/// # Errors
///
/// What is wrong with the bytes, as the rest of a sentence that starts with them.
pub fn read_evidence(bytes: &[u8]) -> Result<FoundSignature, String> {
    let document: EvidenceDocument =
        serde_json::from_slice(bytes).map_err(|err| format!("is no evidence of a signature ({err})"))?;
    match document {
        EvidenceDocument { schema, .. } if schema != SCHEMA => {
            Err(format!("has schema {schema:?}, expected {SCHEMA:?}: update oci-compat"))
        }
        EvidenceDocument { payload: Some(payload), signature: Some(signature), bundle: None, .. } => {
            Ok(FoundSignature::Simple { payload: decode(&payload, "the payload")?, signature })
        }
        EvidenceDocument { payload: None, signature: None, bundle: Some(bundle), .. } => {
            Ok(FoundSignature::Bundle(decode(&bundle, "the bundle")?))
        }
        EvidenceDocument { .. } => {
            Err("is no evidence of a signature: it needs payload and signature, or bundle".to_owned())
        }
    }
}
