//! Somebody who signs artifacts as cosign does.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oci_compat::store::Digest;
use oci_compat::supply::registry::IMAGE_MANIFEST;
use oci_compat::supply::trust::signature_tag;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

use crate::registry::fake::Fake;

/// What comes before the point in the DER of every P-256 key (RFC 5480).
const P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Somebody with a key pair, who signs as cosign does.
pub(super) struct Signer(EcdsaKeyPair);

impl Signer {
    pub(super) fn new() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).expect("a key");
        Self(
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random)
                .expect("a key"),
        )
    }

    pub(super) fn der(&self) -> Vec<u8> {
        [&P256[..], self.0.public_key().as_ref()].concat()
    }

    pub(super) fn pem(&self) -> String {
        let der = STANDARD.encode(self.der());
        format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n")
    }

    pub(super) fn signature(&self, message: &[u8]) -> String {
        STANDARD.encode(self.0.sign(&SystemRandom::new(), message).expect("a signature"))
    }

    /// A payload over one manifest and its signature, under the tag of `at`.
    pub(super) fn sign(&self, fake: &Fake, over: &Digest, at: &Digest) {
        self.sign_in(fake, "acme/upf", over, at);
    }

    pub(super) fn sign_in(&self, fake: &Fake, repository: &str, over: &Digest, at: &Digest) {
        // As cosign writes it of the repository that it was told.
        self.sign_as(fake, repository, &format!("{}/{repository}", fake.name()), over, at);
    }

    /// The same, where the signed payload says another name.
    pub(super) fn sign_as(&self, fake: &Fake, repository: &str, name: &str, over: &Digest, at: &Digest) {
        let payload = json!({"critical": {"identity": {"docker-reference": name},
            "image": {"docker-manifest-digest": over}, "type": "cosign container image signature"}, "optional": null});
        let payload = payload.to_string();
        let layer = blob(fake, repository, &payload, "application/vnd.dev.cosign.simplesigning.v1+json");
        let mut layer = layer;
        layer["annotations"] =
            json!({"dev.cosignproject.cosign/signature": self.signature(payload.as_bytes())});
        let manifest = json!({"schemaVersion": 2, "mediaType": IMAGE_MANIFEST,
            "config": blob(fake, repository, "{}", "application/vnd.oci.image.config.v1+json"), "layers": [layer]});
        fake.put(repository, Some(&signature_tag(at)), IMAGE_MANIFEST, manifest.to_string().as_bytes());
    }

    /// A bundle that refers to the manifest, as cosign 3 puts it.
    pub(super) fn refer(&self, fake: &Fake, over: &Digest) {
        const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
        let statement = json!({"_type": "https://in-toto.io/Statement/v1", "subject": [{"digest": {"sha256": over.hex()}}],
            "predicateType": "https://sigstore.dev/cosign/sign/v1", "predicate": {}});
        let statement = statement.to_string();
        let kind = "application/vnd.in-toto+json";
        let message = format!("DSSEv1 {} {kind} {} {statement}", kind.len(), statement.len());
        let bundle = json!({"mediaType": BUNDLE, "verificationMaterial": {"publicKey": {"hint": "x"}},
            "dsseEnvelope": {"payload": STANDARD.encode(&statement), "payloadType": kind,
                "signatures": [{"sig": self.signature(message.as_bytes())}]}});
        let manifest = json!({"schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "artifactType": BUNDLE,
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": Digest::of(b"{}"), "size": 2},
            "layers": [blob(fake, "acme/upf", &bundle.to_string(), BUNDLE)],
            "subject": {"mediaType": IMAGE_MANIFEST, "digest": over, "size": 1}});
        fake.put("acme/upf", None, IMAGE_MANIFEST, manifest.to_string().as_bytes());
    }
}

pub(super) fn blob(fake: &Fake, repository: &str, text: &str, media_type: &str) -> Value {
    let digest = Digest::of(text.as_bytes());
    let key = (repository.to_owned(), digest.to_string());
    fake.content.lock().expect("no panic").blobs.insert(key, text.as_bytes().to_vec());
    json!({"mediaType": media_type, "digest": digest, "size": text.len()})
}
