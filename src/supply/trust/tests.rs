//! Signatures made here with known keys, and one that cosign made.

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

use super::*;

/// Key, payload and signature that cosign made for a registry of sigstore-rs' authors, who test with them too.
const COSIGN_KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAENptdY/l3nB0yqkXLBWkZWQwo6+cu
OSWS1X9vPavpiQOoTTGC0xX57OojUadxF1cdQmrsiReWg2Wn4FneJfa8xw==
-----END PUBLIC KEY-----
";
const COSIGN_PAYLOAD: &str = r#"{"critical":{"identity":{"docker-reference":"registry-testing.svc.lan/busybox"},"image":{"docker-manifest-digest":"sha256:f3cfc9d0dbf931d3db4685ec659b7ac68e2a578219da4aae65427886e649b06b"},"type":"cosign container image signature"},"optional":null}"#;
const COSIGN_SIGNATURE: &str =
    "MEUCIQD6q/COgzOyW0YH1Dk+CCYSt4uAhm3FDHUwvPI55zwnlwIgE0ZK58ZOWpZw8YVmBapJhBqCfdPekIknimuO0xH8Jh8=";
const COSIGN_MANIFEST: &str = "sha256:f3cfc9d0dbf931d3db4685ec659b7ac68e2a578219da4aae65427886e649b06b";

/// What comes before the point in the DER of every P-256 key (RFC 5480).
const P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Somebody with a key pair.
struct Signer(EcdsaKeyPair);

impl Signer {
    fn new() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        Self(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random).unwrap())
    }

    fn keys(&self) -> Vec<Key> {
        let der = [&P256[..], self.0.public_key().as_ref()].concat();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der));
        Key::read_all(pem.as_bytes()).unwrap()
    }

    fn sign(&self, message: &[u8]) -> String {
        STANDARD.encode(self.0.sign(&SystemRandom::new(), message).unwrap())
    }

    fn simple(&self, payload: &str) -> FoundSignature {
        FoundSignature::Simple {
            payload: payload.as_bytes().to_vec(),
            signature: self.sign(payload.as_bytes()),
        }
    }

    fn bundle(&self, statement: &str) -> FoundSignature {
        let kind = "application/vnd.in-toto+json";
        let message = format!("DSSEv1 28 {kind} {} {statement}", statement.len());
        let bundle = serde_json::json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {"publicKey": {"hint": "x"}, "tlogEntries": []},
            "dsseEnvelope": {"payload": STANDARD.encode(statement), "payloadType": kind,
                "signatures": [{"sig": self.sign(message.as_bytes())}]},
        });
        FoundSignature::Bundle(bundle.to_string().into_bytes())
    }
}

fn manifest() -> Digest {
    Digest::of(b"manifest")
}

fn payload(digest: &str) -> String {
    format!(
        r#"{{"critical":{{"identity":{{"docker-reference":"r/a"}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"cosign container image signature"}},"optional":null}}"#
    )
}

fn statement(hex: &str, kind: &str) -> String {
    format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"digest":{{"sha256":"{hex}"}}}}],"predicateType":"{kind}","predicate":{{}}}}"#
    )
}

const SIGN: &str = "https://sigstore.dev/cosign/sign/v1";

fn check(candidates: &[FoundSignature], keys: &[Key], expected: &str) {
    assert_eq!(verify(&manifest(), candidates, keys, &|_| true), Err(expected.to_owned()));
}

#[test]
fn what_cosign_signed_is_verified() {
    let keys = Key::read_all(COSIGN_KEY.as_bytes()).unwrap();
    let candidate = FoundSignature::Simple {
        payload: COSIGN_PAYLOAD.as_bytes().to_vec(),
        signature: COSIGN_SIGNATURE.to_owned(),
    };
    let verified =
        verify(&COSIGN_MANIFEST.parse().unwrap(), std::slice::from_ref(&candidate), &keys, &|_| true)
            .unwrap();
    assert_eq!(verified.key, keys[0].digest);
    assert_eq!(read_evidence(&verified.evidence), Ok(candidate));
}

#[test]
fn a_signature_counts_under_the_name_that_it_was_made_for() {
    let signer = Signer::new();
    let simple = |identity: &str| {
        let payload = payload(&manifest().to_string()).replacen(
            r#""identity":{"docker-reference":"r/a"},"#,
            identity,
            1,
        );
        signer.simple(&payload)
    };
    let bundle = signer.bundle(&statement(&manifest().hex(), SIGN));
    let counted = |candidate: &FoundSignature, own: &str| {
        verify(&manifest(), std::slice::from_ref(candidate), &signer.keys(), &|name| name == own).map(drop)
    };
    let named = simple(r#""identity":{"docker-reference":"r/a:1"},"#);
    assert_eq!(counted(&named, "r/a:1"), Ok(()));
    let told = "has no signature that holds: a signature for another repository, \"r/a:1\": sign it for this one, or name \
                that one in signed_as";
    assert_eq!(counted(&named, "r/b"), Err(told.to_owned()));
    // None of these says a name.
    for it in
        [simple(r#""identity":{"docker-reference":""},"#), simple(r#""identity":{},"#), simple(""), bundle]
    {
        assert_eq!(counted(&it, "r/b"), Ok(()), "{it:?}");
    }
}

/// A line for each kind of key: its public part, and its signature of the payload over [`manifest`], in base64. Made with
/// OpenSSL 3.0 (`genpkey`, `dgst -sign`, `pkeyutl -sign -rawin`), the private parts were thrown away.
const KEYS: &str = include_str!("keys.txt");

#[test]
fn keys_of_other_kinds_count_and_those_that_are_too_weak_do_not() {
    let mut outcomes = Vec::new();
    for line in KEYS.lines() {
        let (kind, words) = line.split_once(": ").unwrap();
        let (key, signature) = words.split_once(' ').unwrap();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----\n");
        let outcome = Key::read_all(pem.as_bytes()).and_then(|keys| {
            let candidate = |payload: &str| FoundSignature::Simple {
                payload: payload.as_bytes().to_vec(),
                signature: signature.to_owned(),
            };
            let digest = manifest().to_string();
            let other = payload(&Digest::of(b"another").to_string());
            assert!(
                verify(&Digest::of(b"another"), &[candidate(&other)], &keys, &|_| true).is_err(),
                "{kind}"
            );
            verify(&manifest(), &[candidate(&payload(&digest))], &keys, &|_| true)
                .map(|it| it.key == keys[0].digest)
        });
        outcomes.push((kind, outcome));
    }
    let stranger = || Err("has no signature that holds: a signature by another key".to_owned());
    assert_eq!(
        outcomes,
        [
            ("Ed25519", Ok(true)),
            ("P-384 with SHA-384", Ok(true)),
            ("P-384 with SHA-256", Ok(true)),
            ("RSA of 2048 bits", Ok(true)),
            ("RSA of 1024 bits, which is too short", stranger()),
            ("P-521, which cosign makes none of", stranger()),
        ]
    );
}

#[test]
fn one_good_signature_among_others_is_enough() {
    let (signer, stranger) = (Signer::new(), Signer::new());
    let digest = manifest().to_string();
    let keys = [stranger.keys(), signer.keys()].concat();
    for good in [signer.simple(&payload(&digest)), signer.bundle(&statement(&manifest().hex(), SIGN))] {
        let other = Signer::new().simple(&payload(&digest));
        let verified = verify(&manifest(), &[other, good.clone()], &keys, &|_| true).unwrap();
        assert_eq!(verified.key, signer.keys()[0].digest);
        assert_eq!(read_evidence(&verified.evidence), Ok(good));
    }
}

#[test]
fn what_is_not_signed_or_by_a_stranger_is_refused() {
    let (signer, stranger) = (Signer::new(), Signer::new());
    let digest = manifest().to_string();
    check(&[], &signer.keys(), "is not signed");
    let expected = "has no signature that holds: a signature by another key";
    check(&[stranger.simple(&payload(&digest))], &signer.keys(), expected);
    check(&[stranger.bundle(&statement(&manifest().hex(), SIGN))], &signer.keys(), expected);
    check(&[signer.simple(&payload(&digest))], &[], expected);
}

#[test]
fn a_signature_of_something_else_is_refused() {
    let signer = Signer::new();
    let keys = signer.keys();
    let other = Digest::of(b"other");
    check(
        &[signer.simple(&payload(&other.to_string()))],
        &keys,
        &format!("has no signature that holds: a signature of another artifact, \"{other}\""),
    );
    check(
        &[signer.bundle(&statement(&other.hex(), SIGN))],
        &keys,
        "has no signature that holds: a signature of another artifact",
    );
    check(
        &[signer.bundle(&statement(&manifest().hex(), "https://slsa.dev/provenance/v1"))],
        &keys,
        "has no signature that holds: a statement of type \"https://slsa.dev/provenance/v1\", which is no signature",
    );
    let atomic = payload(&manifest().to_string()).replace("cosign container image", "atomic container");
    check(
        &[signer.simple(&atomic)],
        &keys,
        "has no signature that holds: a signature of type \"atomic container signature\", expected \"cosign container image \
         signature\"",
    );
}

#[test]
fn a_payload_that_was_changed_after_signing_is_refused() {
    let signer = Signer::new();
    let FoundSignature::Simple { signature, .. } = signer.simple(&payload(&Digest::of(b"other").to_string()))
    else {
        panic!("a simple one")
    };
    let forged = FoundSignature::Simple { payload: payload(&manifest().to_string()).into_bytes(), signature };
    check(&[forged], &signer.keys(), "has no signature that holds: a signature by another key");
}

#[test]
fn whatever_is_no_signature_is_reported() {
    let keys = Signer::new().keys();
    let bundle = |text: &str| FoundSignature::Bundle(text.as_bytes().to_vec());
    check(
        &[FoundSignature::Simple { payload: Vec::new(), signature: "%".to_owned() }],
        &keys,
        "has no signature that holds: the signature is not base64 (Invalid symbol 37, offset 0.)",
    );
    check(
        &[bundle("[")],
        &keys,
        "has no signature that holds: a bundle that cannot be read (EOF while parsing a list at line 1 column 1)",
    );
    check(
        &[bundle(r#"{"messageSignature": {}}"#)],
        &keys,
        "has no signature that holds: a bundle without an envelope: sign the artifact with `cosign sign`, not `sign-blob`",
    );
    check(
        &[bundle(r#"{"dsseEnvelope": {"payload": "", "payloadType": "text/plain", "signatures": []}}"#)],
        &keys,
        "has no signature that holds: an envelope of type \"text/plain\", expected \"application/vnd.in-toto+json\"",
    );
    check(
        &[bundle(
            r#"{"dsseEnvelope": {"payload": "", "payloadType": "application/vnd.in-toto+json", "signatures": []}}"#,
        )],
        &keys,
        "has no signature that holds: an envelope without a signature",
    );
    check(
        &[FoundSignature::Bundle(vec![b' '; 131_073])],
        &keys,
        "has no signature that holds: a signature of 131073 bytes, at most 131072 are read",
    );
}

#[test]
fn a_file_without_a_public_key_is_reported() {
    let said = |pem: &str| Key::read_all(pem.as_bytes()).unwrap_err();
    let none = "has no public key: cosign.pub has one, between lines \"BEGIN PUBLIC KEY\" and \"END PUBLIC KEY\"; a private key \
                or a certificate is none";
    assert_eq!(said(""), none);
    assert_eq!(said("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), none);
    assert_eq!(
        said("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
        "has a public key that cannot be read (BadDer)"
    );
}

#[test]
fn evidence_that_is_none_is_reported() {
    let said = |text: &str| read_evidence(text.as_bytes()).unwrap_err();
    assert_eq!(
        said("7"),
        "is no evidence of a signature (invalid type: integer `7`, expected an object at line 1 column 1)"
    );
    assert_eq!(said("{}"), "is no evidence of a signature (missing field `schema` at line 1 column 2)");
    assert_eq!(
        said(r#"{"schema": "oci-compat.signature/v2"}"#),
        "has schema \"oci-compat.signature/v2\", expected \"oci-compat.signature/v1\": update oci-compat"
    );
    assert_eq!(
        said(r#"{"schema": "oci-compat.signature/v1", "payload": ""}"#),
        "is no evidence of a signature: it needs payload and signature, or bundle"
    );
}
