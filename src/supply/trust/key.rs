//! Public keys, as `cosign generate-key-pair` writes them. Never holds a private one.

use std::fmt;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer};
use webpki::{RawPublicKeyEntity, ring};

use crate::store::Digest;

/// What may have made a signature: cosign's own key pairs are P-256, others can be imported. Some versions hash with
/// SHA-256 whatever the curve.
static ALGORITHMS: [&dyn SignatureVerificationAlgorithm; 5] = [
    ring::ECDSA_P256_SHA256,
    ring::ECDSA_P384_SHA384,
    ring::ECDSA_P384_SHA256,
    ring::ED25519,
    ring::RSA_PKCS1_2048_8192_SHA256,
];

/// A trusted public key.
#[derive(Clone)]
pub struct Key {
    spki: SubjectPublicKeyInfoDer<'static>,
    /// Of the key in DER (`SubjectPublicKeyInfo`): what `openssl pkey -pubin -outform DER | sha256sum` prints.
    pub digest: Digest,
}

impl Key {
    /// Reads a file with public keys in PEM.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as the rest of a sentence that starts with the file.
    pub fn read_all(pem: &[u8]) -> Result<Vec<Self>, String> {
        let keys: Result<Vec<_>, _> = SubjectPublicKeyInfoDer::pem_slice_iter(pem).collect();
        let keys = keys.map_err(|err| format!("is not PEM ({err:?})"))?;
        if keys.is_empty() {
            return Err(
                "has no public key: cosign.pub has one, between lines \"BEGIN PUBLIC KEY\" and \"END PUBLIC \
                        KEY\"; a private key or a certificate is none"
                    .to_owned(),
            );
        }
        keys.into_iter().map(Self::new).collect()
    }

    fn new(spki: SubjectPublicKeyInfoDer<'static>) -> Result<Self, String> {
        let digest = Digest::of(&spki);
        RawPublicKeyEntity::try_from(&spki)
            .map_err(|err| format!("has a public key that cannot be read ({err:?})"))?;
        Ok(Self { spki, digest })
    }

    /// Whether it made this signature of this message.
    pub(super) fn made(&self, signature: &[u8], message: &[u8]) -> bool {
        let Ok(key) = RawPublicKeyEntity::try_from(&self.spki) else { return false };
        ALGORITHMS.iter().any(|it| key.verify_signature(*it, message, signature).is_ok())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.digest)
    }
}
