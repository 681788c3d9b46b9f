//! What other tools made: signatures of cosign's, in each of its layouts, and an artifact of oras'.
//!
//! `made/sha256` has all manifests and blobs of a repository, `made/tags` its tags. The images are oras' (1.2.0), the artifacts but
//! one `oci-compat attach`'s; they were signed in a docker-registry 2.8 with the key of `cosign.pub`:
//!
//! - `cosign-2-tag`: `cosign sign --key K --tlog-upload=false` of cosign 2.5.0;
//! - `cosign-2-referrer`: the same with `COSIGN_EXPERIMENTAL=1` and `--registry-referrers-mode=oci-1-1`;
//! - `cosign-3-tag`: `cosign sign --key K --tlog-upload=false --use-signing-config=false --new-bundle-format=false` of cosign 3.1.1;
//! - `cosign-3-bundle`: the same without the last option;
//! - `cosign-3-attestation`: `cosign attest --type custom` of the same: a statement that is no approval;
//! - `oras`: not signed; `oras attach --artifact-type application/vnd.nfd.image-compatibility.v1alpha1`.

use std::fs;
use std::path::{Path, PathBuf};

use oci_compat::store::Digest;
use serde_json::Value;
use tempfile::TempDir;

use super::{folder, run, write};
use crate::registry::fake::{Fake, Play};

/// The registry in which cosign made its signatures, which says so in them.
const MADE_IN: &str = "127.0.0.1:5077";
const UNSIGNED: &str = "artifact DIGEST is not signed";
const STORED: &str =
    "HOST/acme/upf:TAG: 1 artifact stored\n1 image: 1 artifact new, 0 known, 0 without any, 0 with errors\n";
const REFUSED: &str =
    "HOST/acme/upf:TAG: 1 error\n1 image: 0 artifacts new, 0 known, 0 without any, 1 with errors\n";

#[test]
fn signatures_of_cosign_count_in_each_of_its_layouts() {
    for fake in registries() {
        let folder = trusting(&fake, "cosign.pub");
        for tag in ["cosign-2-tag", "cosign-2-referrer", "cosign-3-tag", "cosign-3-bundle"] {
            check(&folder, &fake, tag, "config.toml", 0, STORED, "");
        }
    }
}

#[test]
fn what_is_signed_by_another_key_or_not_at_all_is_refused() {
    for fake in registries() {
        let folder = trusting(&fake, "other.pub");
        let other = "artifact DIGEST has no signature that holds: a signature by another key";
        for tag in ["cosign-2-tag", "cosign-2-referrer", "cosign-3-tag", "cosign-3-bundle"] {
            check(&folder, &fake, tag, "config.toml", 1, REFUSED, other);
        }
        check(&folder, &fake, "oras", "config.toml", 1, REFUSED, UNSIGNED);
    }
}

#[test]
fn an_attestation_is_no_signature() {
    for fake in registries() {
        let folder = trusting(&fake, "cosign.pub");
        let other = "artifact DIGEST has no signature that holds: a statement of type \
                     \"https://cosign.sigstore.dev/attestation/v1\", which is no signature";
        check(&folder, &fake, "cosign-3-attestation", "config.toml", 1, REFUSED, other);
    }
}

#[test]
fn an_artifact_of_oras_is_one() {
    for fake in registries() {
        check(&folder(), &fake, "oras", "none", 0, STORED, "");
    }
}

/// Pulls an image of that tag; what is said, with `DIGEST` for its artifact.
fn check(folder: &TempDir, fake: &Fake, tag: &str, config: &str, status: i32, stdout: &str, error: &str) {
    let name = format!("{}/acme/upf:{tag}", fake.name());
    let ran = run(folder, &format!("pull {name} --plain-http --store store --config {config}"));
    let error = match error {
        "" => String::new(),
        error => {
            format!("error: HOST/acme/upf:TAG: {error}; config.toml:1 demands a signature: not stored\n")
        }
    };
    let text =
        |it: &str| it.replace("TAG", tag).replace("HOST", &fake.name()).replace("DIGEST", &artifact(tag));
    assert_eq!((ran.status, ran.stdout, ran.stderr), (status, text(stdout), text(&error)));
}

/// A folder with a policy that trusts one key.
fn trusting(fake: &Fake, key: &str) -> TempDir {
    let folder = folder();
    let key = made().join(key);
    let policy = format!(
        "[trust.\"{}/acme/*\"]\nrequire = \"signature\"\nkeys = [{:?}]\nsigned_as = [\"{MADE_IN}/acme/*\"]\n",
        fake.name(),
        key.display().to_string()
    );
    write(&folder, "config.toml", &policy);
    folder
}

/// One without the referrers API, as the artifacts were made in, and one with it.
fn registries() -> [Fake; 2] {
    [false, true].map(|lists_referrers| {
        let fake = Fake::start(Play { lists_referrers, ..Play::default() });
        fill(&fake);
        fake
    })
}

fn fill(fake: &Fake) {
    let mut content = fake.content.lock().expect("no panic");
    for entry in fs::read_dir(made().join("sha256")).expect("blobs") {
        let bytes = fs::read(entry.expect("a blob").path()).expect("a blob");
        let key = ("acme/upf".to_owned(), Digest::of(&bytes).to_string());
        let document: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        match document["mediaType"].as_str() {
            Some(kind) if document["schemaVersion"] == 2 => {
                drop(content.manifests.insert(key, (kind.to_owned(), bytes)));
            }
            _ => drop(content.blobs.insert(key, bytes)),
        }
    }
    for (tag, digest) in tags() {
        content.tags.insert(("acme/upf".to_owned(), tag), digest);
    }
}

/// The artifact of an image, from the list under the fallback tag.
fn artifact(tag: &str) -> String {
    let digest = |tag: &str| {
        let found = tags().into_iter().find(|(it, _)| it == tag);
        found.unwrap_or_else(|| panic!("no tag {tag}")).1
    };
    let list = digest(&digest(tag).replace(':', "-"));
    let list = fs::read(made().join(list.replace(':', "/"))).expect("a list");
    let list: Value = serde_json::from_slice(&list).expect("a list");
    list["manifests"][0]["digest"].as_str().expect("a digest").to_owned()
}

fn tags() -> Vec<(String, String)> {
    let text = fs::read_to_string(made().join("tags")).expect("tags");
    let pair = |it: &str| it.split_once(' ').map(|(tag, digest)| (tag.to_owned(), digest.to_owned()));
    text.lines().filter_map(pair).collect()
}

fn made() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/cli/made")
}
