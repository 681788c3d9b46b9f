//! What somebody tries who may push to a repository, or who answers in a registry's place, to change what hosts demand.
//! Each attempt leaves the store as it was, and is told.

use std::fs;

use oci_compat::store::Digest;
use oci_compat::supply::registry::{IMAGE_INDEX, IMAGE_MANIFEST, MAX_REFERRERS};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::pull::{artifact, document, listed, pulls, put, stocked};
use super::signer::Signer;
use super::{SPEC, folder, write};
use crate::command::{Ran, in_folder, ran};
use crate::registry::fake::{Fake, Play, manifest};
use crate::runtimes::program::ours;

const OLD: &str = "2026-01-01T00:00:00Z";
const NEW: &str = "2026-02-01T00:00:00Z";
const OTHER_SPEC: &str = "version: v1alpha1\ncompatibilities:\n- rules: []\n";

/// A registry whose repository `acme/upf` demands signatures of this signer.
struct Guarded {
    fake: Fake,
    image: Digest,
    signer: Signer,
    folder: TempDir,
}

impl Guarded {
    fn new() -> Self {
        let (fake, image) = stocked();
        let (signer, folder) = (Signer::new(), folder());
        write(&folder, "cosign.pub", &signer.pem());
        let guarded = Self { fake, image, signer, folder };
        let key = guarded.folder.path().join("cosign.pub");
        guarded.demand(&format!("keys = [{:?}]", key.display().to_string()));
        guarded
    }

    fn demand(&self, how: &str) {
        let text = format!("[trust.\"{}/acme/upf\"]\nrequire = \"signature\"\n{how}\n", self.fake.name());
        write(&self.folder, "config.toml", &text);
    }

    fn attach(&self, spec: &str, created: &str) -> Digest {
        artifact(&self.fake, &self.image, spec, created)
    }

    fn attach_signed(&self, spec: &str, created: &str) -> Digest {
        let artifact = self.attach(spec, created);
        self.signer.sign(&self.fake, &artifact, &artifact);
        artifact
    }

    /// Pulls with these counts, and with these errors after the image's name.
    fn pulls(&self, stdout: &str, errors: &[String]) {
        let stderr: String = errors.iter().map(|it| format!("error: HOST/acme/upf:1: {it}\n")).collect();
        pulls(
            &self.folder,
            &self.fake,
            "--config config.toml",
            i32::from(!errors.is_empty()),
            stdout,
            &stderr,
        );
    }

    fn key(&self) -> Digest {
        Digest::of(&self.signer.der())
    }

    fn holds(&self, artifact: &Digest, created: &str) {
        let from = format!("{}/acme/upf", self.fake.name());
        let line = format!("{artifact}  {created}  signed by key {}  from {from}", self.key());
        assert_eq!(listed(&self.folder), [line]);
    }
}

const STORED: &str =
    "HOST/acme/upf:1: 1 artifact stored\n1 image: 1 artifact new, 0 known, 0 without any, 0 with errors\n";
const STORED_WITH_ERROR: &str = "HOST/acme/upf:1: 1 artifact stored, 1 error\n1 image: 1 artifact new, 0 known, 0 without any, 1 with errors\n";
const KNOWN: &str = "HOST/acme/upf:1: 1 artifact there already\n1 image: 0 artifacts new, 1 known, 0 without any, 0 with errors\n";
const KNOWN_WITH_ERROR: &str = "HOST/acme/upf:1: 1 artifact there already, 1 error\n1 image: 0 artifacts new, 1 known, 0 without any, 1 with errors\n";
const ERROR: &str =
    "HOST/acme/upf:1: 1 error\n1 image: 0 artifacts new, 0 known, 0 without any, 1 with errors\n";

#[test]
fn a_signed_artifact_is_stored_with_its_signature() {
    let guarded = Guarded::new();
    let artifact = guarded.attach_signed(SPEC, OLD);
    guarded.pulls(STORED, &[]);
    guarded.holds(&artifact, OLD);
    guarded.pulls(KNOWN, &[]);
}

#[test]
fn a_signature_may_refer_to_the_artifact_instead() {
    let guarded = Guarded::new();
    let artifact = guarded.attach(SPEC, OLD);
    guarded.signer.refer(&guarded.fake, &artifact);
    guarded.pulls(STORED, &[]);
    guarded.holds(&artifact, OLD);
}

fn demands(guarded: &Guarded) -> String {
    let config = guarded.folder.path().join("config.toml");
    let config = config.strip_prefix(guarded.folder.path()).expect("a path below");
    format!("{}:1 demands a signature: not stored", config.display())
}

#[test]
fn a_newer_unsigned_artifact_by_a_stranger() {
    let guarded = Guarded::new();
    let good = guarded.attach_signed(SPEC, OLD);
    let strange = guarded.attach(OTHER_SPEC, NEW);
    let told = [format!("artifact {strange} is not signed; {}", demands(&guarded))];
    guarded.pulls(STORED_WITH_ERROR, &told);
    guarded.holds(&good, OLD);
    guarded.pulls(KNOWN_WITH_ERROR, &told);
    guarded.holds(&good, OLD);
}

#[test]
fn a_newer_artifact_that_a_stranger_signed() {
    let guarded = Guarded::new();
    let good = guarded.attach_signed(SPEC, OLD);
    let strange = guarded.attach(OTHER_SPEC, NEW);
    Signer::new().sign(&guarded.fake, &strange, &strange);
    let told = format!(
        "artifact {strange} has no signature that holds: a signature by another key; {}",
        demands(&guarded)
    );
    guarded.pulls(STORED_WITH_ERROR, &[told]);
    guarded.holds(&good, OLD);
}

#[test]
fn the_signature_of_another_artifact() {
    let guarded = Guarded::new();
    let good = guarded.attach_signed(SPEC, OLD);
    let strange = guarded.attach(OTHER_SPEC, NEW);
    guarded.signer.sign(&guarded.fake, &good, &strange);
    let told = format!(
        "artifact {strange} has no signature that holds: a signature of another artifact, \"{good}\"; {}",
        demands(&guarded)
    );
    guarded.pulls(STORED_WITH_ERROR, &[told]);
    guarded.holds(&good, OLD);
}

/// Both are signed with the same key, and are about the same image, as where one was promoted from the other.
#[test]
fn the_signature_for_another_repository() {
    let guarded = Guarded::new();
    let good = guarded.attach_signed(SPEC, OLD);
    let strange = guarded.attach(OTHER_SPEC, NEW);
    let host = guarded.fake.name();
    let sign = |name: &str| guarded.signer.sign_as(&guarded.fake, "acme/upf", name, &strange, &strange);
    for name in [&format!("{host}/acme/staging:1"), "acme/upf", "no name"] {
        sign(name);
        let told = format!(
            "artifact {strange} has no signature that holds: a signature for another repository, {:?}: sign it for this \
             one, or name that one in signed_as; {}",
            name.replace(&host, "HOST"),
            demands(&guarded)
        );
        guarded.pulls(if name.contains(&host) { STORED_WITH_ERROR } else { KNOWN_WITH_ERROR }, &[told]);
        guarded.holds(&good, OLD);
    }
    let key = guarded.folder.path().join("cosign.pub");
    guarded.demand(&format!("keys = [{key:?}]\nsigned_as = [\"{host}/acme/staging\"]"));
    sign(&format!("{host}/acme/staging:1"));
    guarded.pulls(STORED, &[]);
    let counts = || {
        let listed = listed(&guarded.folder);
        let counting = listed.iter().find(|it| !it.ends_with(", superseded")).expect("one that counts");
        counting.starts_with(&format!("{strange}  {NEW}  signed by key "))
    };
    assert!(counts());
    // What was verified under a name that counts no more is verified anew.
    guarded.demand(&format!("keys = [{key:?}]"));
    sign(&format!("{host}/acme/upf:7@{strange}"));
    guarded.pulls(STORED, &[]);
    assert!(counts());
}

#[test]
fn the_replay_of_an_old_signed_artifact() {
    let guarded = Guarded::new();
    let old = guarded.attach_signed(OTHER_SPEC, OLD);
    let new = guarded.attach_signed(SPEC, NEW);
    guarded.pulls(STORED, &[]);
    guarded.holds(&new, NEW);
    let key = ("acme/upf".to_owned(), new.to_string());
    guarded.fake.content.lock().expect("no panic").manifests.remove(&key);
    let told = format!(
        "the registry offers artifact {old} with date {OLD:?} for {}, the store has the newer {new} with date {NEW:?}: \
         kept; --force takes the older one",
        guarded.image
    );
    guarded.pulls(ERROR, &[told]);
    guarded.holds(&new, NEW);
    let told = format!(
        "warn: HOST/acme/upf:1: artifact {old} with date {OLD:?} for {} takes the place of {new} with date {NEW:?}, which the \
         store had: --force\n",
        guarded.image
    );
    pulls(&guarded.folder, &guarded.fake, "--config config.toml --force", 0, STORED, &told);
    guarded.holds(&old, OLD);
}

#[test]
fn force_takes_nothing_without_the_signature_that_is_demanded() {
    let guarded = Guarded::new();
    let good = guarded.attach_signed(SPEC, OLD);
    guarded.pulls(STORED, &[]);
    let forced = |stdout: &str, stderr: &str| {
        pulls(&guarded.folder, &guarded.fake, "--config config.toml --force", 1, stdout, stderr);
        guarded.holds(&good, OLD);
    };
    let newer = guarded.attach(OTHER_SPEC, NEW);
    let told = format!("error: HOST/acme/upf:1: artifact {newer} is not signed; {}\n", demands(&guarded));
    forced(KNOWN_WITH_ERROR, &told);
    let key = ("acme/upf".to_owned(), good.to_string());
    guarded.fake.content.lock().expect("no panic").manifests.remove(&key);
    let kept = format!(
        "warn: HOST/acme/upf:1: the registry does not offer artifact {good} for {0} any more: the store keeps it; to take it out: \
         oci-compat remove {0} --artifact {good}\n",
        guarded.image
    );
    forced(ERROR, &format!("{told}{kept}"));
    Signer::new().sign(&guarded.fake, &newer, &newer);
    let told = format!(
        "error: HOST/acme/upf:1: artifact {newer} has no signature that holds: a signature by another key; {}\n",
        demands(&guarded)
    );
    forced(ERROR, &format!("{told}{kept}"));
}

#[test]
fn force_says_what_it_takes_the_place_of_where_no_signature_is_demanded_either() {
    let (fake, image) = stocked();
    let folder = folder();
    let old = artifact(&fake, &image, OTHER_SPEC, OLD);
    let new = artifact(&fake, &image, SPEC, NEW);
    pulls(&folder, &fake, "", 0, STORED, "");
    let key = ("acme/upf".to_owned(), new.to_string());
    fake.content.lock().expect("no panic").manifests.remove(&key);
    let told = format!(
        "warn: HOST/acme/upf:1: artifact {old} with date {OLD:?} for {image} takes the place of {new} with date {NEW:?}, which \
         the store had: --force\n"
    );
    pulls(&folder, &fake, "--force", 0, STORED, &told);
    let from = format!("{}/acme/upf", fake.name());
    assert_eq!(listed(&folder), [format!("{old}  {OLD}  no signature verified  from {from}")]);
}

#[test]
fn artifacts_stored_before_signatures_were_required_are_reported() {
    let guarded = Guarded::new();
    let artifact = guarded.attach(SPEC, OLD);
    pulls(&guarded.folder, &guarded.fake, "", 0, STORED, "");
    let told = [
        format!("artifact {artifact} is not signed; {}", demands(&guarded)),
        format!(
            "the store still has artifact {artifact}, which has no signature that config.toml:1 demands; to take it out: \
             oci-compat remove {} --artifact {artifact}",
            guarded.image
        ),
    ];
    let stdout =
        "HOST/acme/upf:1: 2 errors\n1 image: 0 artifacts new, 0 known, 0 without any, 1 with errors\n";
    guarded.pulls(stdout, &told);
    guarded.signer.sign(&guarded.fake, &artifact, &artifact);
    guarded.pulls(STORED, &[]);
    guarded.holds(&artifact, OLD);
}

#[test]
fn the_date_of_a_list_is_not_believed_where_signatures_are_demanded() {
    let guarded = Guarded::new();
    let old = guarded.attach_signed(OTHER_SPEC, OLD);
    let new = guarded.attach_signed(SPEC, NEW);
    let entry = |digest: &Digest, created: &str| {
        let size =
            document(&guarded.image, if *digest == new { SPEC } else { OTHER_SPEC }, NEW).to_string().len();
        json!({"mediaType": IMAGE_MANIFEST, "digest": digest, "size": size,
            "artifactType": "application/vnd.nfd.image-compatibility.v1alpha1",
            "annotations": {"org.opencontainers.image.created": created}})
    };
    let index = json!({"schemaVersion": 2, "mediaType": IMAGE_INDEX,
        "manifests": [entry(&old, "2030-01-01T00:00:00Z"), entry(&new, OLD)]});
    // The same content in a registry without the referrers API, whose list anybody who may push can write.
    let fake = Fake::start(Play::default());
    std::mem::swap(
        &mut *fake.content.lock().expect("no panic"),
        &mut *guarded.fake.content.lock().expect("no panic"),
    );
    let tag = format!("sha256-{}", guarded.image.hex());
    fake.put("acme/upf", Some(&tag), IMAGE_INDEX, index.to_string().as_bytes());
    let signed_at = guarded.fake.name();
    let guarded = Guarded { fake, ..guarded };
    let key = guarded.folder.path().join("cosign.pub");
    guarded.demand(&format!("keys = [{:?}]\nsigned_as = [\"{signed_at}/*\"]", key.display().to_string()));
    guarded.pulls(STORED, &[]);
    guarded.holds(&new, NEW);
}

#[test]
fn a_verifier_decides_where_no_key_does() {
    let guarded = Guarded::new();
    let artifact = guarded.attach(SPEC, OLD);
    guarded.demand("verifier = [\"/bin/sh\", \"-c\", \"echo no $0 >&2; exit 3\", \"{digest}\"]");
    let refused = format!(
        "artifact {artifact} is not accepted by \"/bin/sh\" (exit status: 3: \"no {artifact}\"); {}",
        demands(&guarded)
    );
    guarded.pulls(ERROR, &[refused]);
    guarded.demand("verifier = [\"/nonexistent/cosign\", \"verify\", \"{image}\"]");
    let missing = format!(
        "artifact {artifact} cannot be verified: the verifier \"/nonexistent/cosign\" is not there; {}",
        demands(&guarded)
    );
    guarded.pulls(ERROR, &[missing]);
    // One word each: whatever it holds, no shell looks at it.
    guarded.demand("verifier = [\"/usr/bin/test\", \"{image}\", \"!=\", \"$(exit 1); {digest}\"]");
    guarded.pulls(STORED, &[]);
    guarded.pulls(KNOWN, &[]);
}

#[test]
fn an_archive_brings_what_is_signed_and_nothing_else() {
    let guarded = Guarded::new();
    let artifact = guarded.attach(SPEC, OLD);
    pulls(&guarded.folder, &guarded.fake, "", 0, STORED, "");
    let folder = &guarded.folder;
    assert_eq!(super::run(folder, "store export unsigned.tar --store store").status, 0);
    guarded.signer.sign(&guarded.fake, &artifact, &artifact);
    guarded.pulls(STORED, &[]);
    assert_eq!(super::run(folder, "store export signed.tar --store store").status, 0);
    super::fails(
        folder,
        "store import unsigned.tar --store other --config config.toml",
        &format!(
            "artifact {artifact} for image {} is not signed; config.toml:1 demands a signature: nothing was imported",
            guarded.image
        ),
    );
    assert!(!folder.path().join("other").exists());
    let imported = "imported 1 artifact of 1 image, 0 of which were there already\n";
    super::prints(folder, "store import signed.tar --store other --config config.toml", 0, imported);
    write(folder, "cosign.pub", &Signer::new().pem());
    super::fails(
        folder,
        "store import signed.tar --store third --config config.toml",
        &format!(
            "artifact {artifact} for image {} has no signature that holds: a signature by another key; config.toml:1 \
             demands a signature: nothing was imported",
            guarded.image
        ),
    );
}

/// Pulls where nothing is demanded, with this one error; nothing is stored.
fn refused(fake: &Fake, error: &str) {
    let folder = folder();
    pulls(&folder, fake, "", 1, ERROR, &format!("error: HOST/acme/upf:1: {error}\n"));
    assert!(!folder.path().join("store/subjects").exists());
}

/// A registry without the referrers API, with an image, whose digest follows.
fn plain() -> (Fake, Digest) {
    let fake = Fake::start(Play::default());
    let image = fake.put("acme/upf", Some("1"), IMAGE_MANIFEST, &manifest("an/image", None, 1));
    (fake, image)
}

/// As if the image had only this artifact.
fn changed(change: impl Fn(&mut Value), error: impl Fn(&Digest, &Digest) -> String) {
    let (fake, image) = plain();
    let mut document = document(&image, SPEC, OLD);
    change(&mut document);
    let artifact = put(&fake, &document, SPEC);
    list(&fake, &image, &[(artifact, document.to_string().len())]);
    refused(&fake, &error(&artifact, &image));
}

/// Puts artifacts on the list of a registry without the referrers API.
fn list(fake: &Fake, image: &Digest, artifacts: &[(Digest, usize)]) {
    let entry = |(digest, size): &(Digest, usize)| {
        json!({"mediaType": IMAGE_MANIFEST, "digest": digest, "size": size,
            "artifactType": "application/vnd.nfd.image-compatibility.v1alpha1"})
    };
    let manifests: Vec<_> = artifacts.iter().map(entry).collect();
    let index = json!({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": manifests}).to_string();
    fake.put("acme/upf", Some(&format!("sha256-{}", image.hex())), IMAGE_INDEX, index.as_bytes());
}

#[test]
fn an_artifact_about_another_image() {
    let other = Digest::of(b"another image");
    changed(
        |it| it["subject"]["digest"] = json!(other),
        |artifact, image| format!("artifact {artifact} is about {other}, and is listed for {image}"),
    );
    changed(
        |it| it["subject"] = Value::Null,
        |artifact, _| format!("artifact {artifact} does not say which image it is about: attach it anew"),
    );
}

#[test]
fn a_manifest_that_claims_another_media_type() {
    changed(
        |it| it["mediaType"] = json!(IMAGE_INDEX),
        |artifact, _| {
            format!(
                "registry HOST: reading the manifest of HOST/acme/upf@{artifact}: it was announced as {IMAGE_MANIFEST:?}, \
                 and is {IMAGE_INDEX:?}"
            )
        },
    );
    changed(
        |it| it["artifactType"] = json!("a/virus"),
        |artifact, _| {
            format!(
                "artifact {artifact} is of type \"a/virus\", known are application/vnd.nfd.image-compatibility.v1alpha1, application/vnd.oci-compat.image-compatibility.v1 and \
                 application/vnd.oci.image-compatibility.v1"
            )
        },
    );
    changed(
        |it| it["layers"][0]["mediaType"] = json!("text/x-shellscript"),
        |artifact, _| {
            format!(
                "artifact {artifact} has a layer of type \"text/x-shellscript\", known are \
                 application/vnd.nfd.image-compatibility.spec.v1alpha1+yaml, application/vnd.oci-compat.image-compatibility.spec.v1+yaml and \
                 application/vnd.oci.image-compatibility.spec.v1+json"
            )
        },
    );
    changed(
        |it| it["layers"] = json!([it["layers"][0], it["layers"][0]]),
        |artifact, _| {
            format!(
                "artifact {artifact} has 2 layers, a compatibility artifact has exactly 1: push its spec alone"
            )
        },
    );
}

/// The registry answers for the spec's blob with other bytes.
fn blob_is(bytes: &str, error: &str) {
    let (fake, image) = stocked();
    artifact(&fake, &image, SPEC, OLD);
    let digest = Digest::of(SPEC.as_bytes());
    let key = ("acme/upf".to_owned(), digest.to_string());
    fake.content.lock().expect("no panic").blobs.insert(key, bytes.as_bytes().to_vec());
    refused(&fake, &format!("registry HOST: reading blob {digest} of HOST/acme/upf: {error}"));
}

#[test]
fn a_blob_that_is_not_what_its_descriptor_says() {
    let size = SPEC.len();
    blob_is(&format!("{SPEC}#"), &format!("it is larger than {size} bytes, the most that was expected"));
    blob_is(SPEC.trim_end(), &format!("it has {} bytes, {size} were announced", size - 1));
    let other = SPEC.replace('5', "6");
    blob_is(
        &other,
        &format!(
            "what came has the digest {}, expected {}",
            Digest::of(other.as_bytes()),
            Digest::of(SPEC.as_bytes())
        ),
    );
    changed(
        |it| it["layers"][0]["size"] = json!(100 << 20),
        |artifact, _| {
            format!(
                "artifact {artifact} has a spec of 104857600 bytes, at most 1048576 are read: make it smaller"
            )
        },
    );
}

#[test]
fn a_manifest_of_100_mb() {
    let (fake, image) = plain();
    let announced = Digest::of(b"huge");
    list(&fake, &image, &[(announced, 100 << 20)]);
    refused(
        &fake,
        &format!("artifact {announced} has a manifest of 104857600 bytes, at most 1048576 are read"),
    );
    // It is announced as a small one.
    let huge = "x".repeat(100 << 20);
    let sent = fake.put("acme/upf", None, IMAGE_MANIFEST, huge.as_bytes());
    list(&fake, &image, &[(sent, 500)]);
    refused(
        &fake,
        &format!(
            "registry HOST: reading the manifest of HOST/acme/upf@{sent}: it is larger than 4194304 bytes, the most that \
             was expected"
        ),
    );
}

#[test]
fn a_yaml_bomb() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let below = level - 1;
        bomb.push_str(&format!("a{level}: &a{level} [*a{below}, *a{below}, *a{below}, *a{below}]\n"));
    }
    let (fake, image) = stocked();
    let artifact = artifact(&fake, &image, &bomb, OLD);
    refused(
        &fake,
        &format!(
            "the spec of artifact {artifact} is malformed: not stored: 7:10: the document unfolds into more than 20000 values; \
         use fewer aliases"
        ),
    );
}

#[test]
fn a_thousand_referrers() {
    let (fake, image) = plain();
    let all: Vec<_> = (0..1000_u32).map(|it| (Digest::of(&it.to_le_bytes()), 500)).collect();
    list(&fake, &image, &all);
    refused(
        &fake,
        &format!(
            "registry HOST: listing referrers of {image} in HOST/acme/upf: there are more referrers than {MAX_REFERRERS}, \
             which is the most we take"
        ),
    );
}

#[test]
fn an_index_that_lists_itself() {
    let (fake, image) = plain();
    list(&fake, &image, &[(image, 500)]);
    refused(
        &fake,
        &format!(
            "registry HOST: listing referrers of {image} in HOST/acme/upf: it lists the image itself among the image's \
             referrers"
        ),
    );
    // An image whose index leads to indexes is not followed into them.
    let fake = Fake::start(Play { lists_referrers: true, ..Play::default() });
    let entry = json!({"mediaType": IMAGE_INDEX, "digest": Digest::of(b"an index"), "size": 500});
    let index = json!({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": [entry, entry]});
    fake.put("acme/upf", Some("1"), IMAGE_INDEX, index.to_string().as_bytes());
    let none =
        "HOST/acme/upf:1: no artifacts\n1 image: 0 artifacts new, 0 known, 1 without any, 0 with errors\n";
    pulls(&folder(), &fake, "--all-platforms", 0, none, "");
}

#[test]
fn terminal_escapes_in_what_strangers_wrote() {
    changed(
        |it| it["artifactType"] = json!("\u{1b}]0;owned\u{7}"),
        |artifact, _| {
            format!(
                "artifact {artifact} is of type \"\\u{{1b}}]0;owned\\u{{7}}\", known are \
                 application/vnd.nfd.image-compatibility.v1alpha1, application/vnd.oci-compat.image-compatibility.v1 and application/vnd.oci.image-compatibility.v1"
            )
        },
    );
    let spec = SPEC.replace("- rules:", "- description: \"\\e[2J\"\n  rules:");
    let (fake, image) = stocked();
    let artifact = artifact(&fake, &image, &spec, "\u{1b}[31mred");
    let folder = folder();
    pulls(&folder, &fake, "", 0, STORED, "");
    let from = format!("{}/acme/upf", fake.name());
    assert_eq!(
        listed(&folder),
        [format!("{artifact}  \\u{{1b}}[31mred  no signature verified  from {from}")]
    );
    let ran = super::run(&folder, &format!("check {image} --store store --root host"));
    assert!(!ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'), "{ran:?}");
}

#[test]
fn links_in_a_layout_lead_to_nothing_but_what_its_digests_say() {
    let folder = folder();
    write(&folder, "secret", "root:$6$secret");
    let artifact = document(&Digest::of(b"image"), SPEC, OLD).to_string();
    let digest = Digest::of(artifact.as_bytes());
    let entry = json!({"mediaType": IMAGE_MANIFEST, "digest": digest, "size": artifact.len()});
    write(&folder, "layout/oci-layout", r#"{"imageLayoutVersion": "1.0.0"}"#);
    write(&folder, "layout/index.json", &json!({"schemaVersion": 2, "manifests": [entry]}).to_string());
    write(&folder, &format!("layout/blobs/sha256/{}", digest.hex()), &artifact);
    let spec = format!("layout/blobs/sha256/{}", Digest::of(SPEC.as_bytes()).hex());
    let link = |target: &str, path: &str| {
        let path = folder.path().join(path);
        // There is none before the first.
        drop(fs::remove_file(&path));
        std::os::unix::fs::symlink(target, path).expect("a link");
    };
    link("../../../secret", &spec);
    let size = SPEC.len();
    let told = format!("reading layout layout: {spec} has 14 bytes, expected {size}: copy the artifact anew");
    super::fails(&folder, "store add layout --store store", &told);
    link("/dev/zero", &spec);
    let told = format!("reading layout layout: {spec} is not a regular file");
    super::fails(&folder, "store add layout --store store", &told);
    link("../secret", "layout/index.json");
    let told = "reading layout layout: index.json is not an OCI index (expected value at line 1 column 1)";
    super::fails(&folder, "store add layout --store store", told);
}

/// A rule by which each image of the repository must have a signed spec.
fn demand_spec(guarded: &Guarded, more: &str) {
    let key = guarded.folder.path().join("cosign.pub").display().to_string();
    let rule = format!(
        "[trust.\"{}/acme/*\"]\nrequire = \"signed-spec\"\nkeys = [{key:?}]\n{more}\n",
        guarded.fake.name()
    );
    write(&guarded.folder, "config.toml", &rule);
}

#[test]
fn a_registry_that_keeps_back_what_must_be_there() {
    let guarded = Guarded::new();
    demand_spec(&guarded, "");
    let none = "it has no artifact with a signature that config.toml:1 demands of each image: its containers are refused until \
                it has one";
    guarded.pulls(ERROR, &[none.to_owned()]);
    let check = |image: &str| {
        let ran = super::run(
            &guarded.folder,
            &format!("check {image} --store store --root host --config config.toml --format json"),
        );
        let report: Value = serde_json::from_str(&ran.stdout).expect("a report");
        (ran.status, report["verdict"].clone(), report["reasons"].clone())
    };
    let image = guarded.image.to_string();
    let host = guarded.fake.name();
    let told = format!(
        "trust \"{host}/acme/*\" demands a signed spec of image {host}/acme/upf, and the store has none: oci-compat pull \
         {host}/acme/upf"
    );
    let refused = (3, json!("undecided"), json!([{"code": "spec-missing", "message": told}]));
    assert_eq!(check(&image), refused);
    let bundle = guarded.folder.path().join("bundle");
    write(&guarded.folder, "bundle/config.json", "{}");
    let meta = json!({"from_descriptor_path": {"descriptor_walk": [{"digest": image}]}});
    write(&guarded.folder, "bundle/umoci.json", &meta.to_string());
    let hook = || {
        let mut command = in_folder(&ours("oci-compat-hook"), guarded.folder.path());
        let options = "--store store --config config.toml --root host --reports reports --decisions decisions.jsonl \
                       --journal none --syslog none";
        let state =
            json!({"ociVersion": "1.0.2", "id": "c1", "status": "creating", "pid": 1, "bundle": bundle});
        write(&guarded.folder, "state.json", &state.to_string());
        let state = fs::File::open(guarded.folder.path().join("state.json")).expect("the state");
        ran(command.args(options.split_whitespace()).stdin(state))
    };
    let Ran { status, stderr, .. } = hook();
    assert_eq!(status, 82, "{stderr}");
    assert!(
        stderr.starts_with("oci-compat: refused: trust ") && stderr.contains("[spec-missing; "),
        "{stderr}"
    );
    // What is not signed is none.
    let strange = guarded.attach(OTHER_SPEC, NEW);
    let unsigned = format!("artifact {strange} is not signed; {}", demands(&guarded));
    let stdout =
        "HOST/acme/upf:1: 2 errors\n1 image: 0 artifacts new, 0 known, 0 without any, 1 with errors\n";
    guarded.pulls(stdout, &[unsigned.clone(), none.to_owned()]);
    assert_eq!(check(&image), refused);
    let good = guarded.attach_signed(SPEC, OLD);
    guarded.pulls(STORED_WITH_ERROR, &[unsigned]);
    guarded.holds(&good, OLD);
    assert_eq!((check(&image).0, hook().status), (0, 0));
    // Whoever demands none any more has none demanded of what was pulled before.
    assert_eq!(super::run(&guarded.folder, &format!("remove {image} --store store")).status, 0);
    assert_eq!(check(&image), refused);
    write(&guarded.folder, "config.toml", "");
    assert_eq!(check(&image).0, 0);
}

#[test]
fn a_registry_that_keeps_back_what_it_had() {
    let guarded = Guarded::new();
    let good = guarded.attach_signed(SPEC, OLD);
    guarded.pulls(STORED, &[]);
    let key = ("acme/upf".to_owned(), good.to_string());
    guarded.fake.content.lock().expect("no panic").manifests.remove(&key);
    let none =
        "HOST/acme/upf:1: no artifacts\n1 image: 0 artifacts new, 0 known, 1 without any, 0 with errors\n";
    let told = format!(
        "warn: HOST/acme/upf:1: the registry does not offer artifact {good} for {} any more: the store keeps it; to take it out: \
         oci-compat remove {} --artifact {good}\n",
        guarded.image, guarded.image
    );
    pulls(&guarded.folder, &guarded.fake, "--config config.toml", 0, none, &told);
    guarded.holds(&good, OLD);
}

#[test]
fn an_artifact_that_is_not_renewed_is_reported() {
    let guarded = Guarded::new();
    demand_spec(&guarded, "max_age_days = 30");
    let old = guarded.attach_signed(SPEC, OLD);
    let told = [format!(
        "artifact {old} with date {OLD:?} for {} is older than the 30 days that config.toml:1 allows: have its author attach a \
         new one",
        guarded.image
    )];
    guarded.pulls(STORED_WITH_ERROR, &told);
    guarded.pulls(KNOWN_WITH_ERROR, &told);
    guarded.holds(&old, OLD);
    demand_spec(&guarded, "max_age_days = 36525");
    guarded.pulls(KNOWN, &[]);
}

/// Adds to a signature's manifest a layer whose size is one too small.
fn put_broken_signature(guarded: &Guarded, at: &Digest) -> Digest {
    let mut layer = super::signer::blob(
        &guarded.fake,
        "acme/upf",
        "{\"critical\": {}}",
        "application/vnd.dev.cosign.simplesigning.v1+json",
    );
    layer["size"] = json!(layer["size"].as_u64().expect("a size") - 1);
    layer["annotations"] = json!({"dev.cosignproject.cosign/signature": "eA=="});
    let digest = Digest::of("{\"critical\": {}}".as_bytes());
    let manifest = json!({"schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "layers": [layer],
        "artifactType": "application/vnd.dev.cosign.artifact.sig.v1+json",
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": Digest::of(b"{}"), "size": 2},
        "subject": {"mediaType": IMAGE_MANIFEST, "digest": at, "size": 1}});
    guarded.fake.put("acme/upf", None, IMAGE_MANIFEST, manifest.to_string().as_bytes());
    digest
}

#[test]
fn a_newer_artifact_with_a_broken_signature() {
    let guarded = Guarded::new();
    let good = guarded.attach_signed(SPEC, OLD);
    let strange = guarded.attach(OTHER_SPEC, NEW);
    let layer = put_broken_signature(&guarded, &strange);
    let told = format!(
        "artifact {strange} is not signed, of those that could be read: registry HOST: reading blob {layer} of HOST/acme/upf: \
         it is larger than 15 bytes, the most that was expected; {}",
        demands(&guarded)
    );
    guarded.pulls(STORED_WITH_ERROR, &[told]);
    guarded.holds(&good, OLD);
}

#[test]
fn a_broken_signature_beside_a_good_one() {
    let guarded = Guarded::new();
    let good = guarded.attach(SPEC, OLD);
    put_broken_signature(&guarded, &good);
    guarded.signer.refer(&guarded.fake, &good);
    guarded.pulls(STORED, &[]);
    guarded.holds(&good, OLD);
}

#[test]
fn a_newer_artifact_that_is_broken_costs_itself_and_no_older_one() {
    let check = |change: &dyn Fn(&mut Value), error: &dyn Fn(&Digest) -> String| {
        let (fake, image) = stocked();
        let good = artifact(&fake, &image, SPEC, OLD);
        let mut document = document(&image, OTHER_SPEC, NEW);
        change(&mut document);
        let broken = put(&fake, &document, OTHER_SPEC);
        let folder = folder();
        let told = format!("error: HOST/acme/upf:1: {}\n", error(&broken));
        pulls(&folder, &fake, "", 1, STORED_WITH_ERROR, &told);
        let from = format!("{}/acme/upf", fake.name());
        assert_eq!(listed(&folder), [format!("{good}  {OLD}  no signature verified  from {from}")]);
    };
    check(&|it| it["layers"] = json!([]), &|it| {
        format!("artifact {it} has 0 layers, a compatibility artifact has exactly 1: push its spec alone")
    });
    check(&|it| it["layers"][0]["digest"] = json!(Digest::of(b"lost")), &|_| {
        format!(
            "registry HOST: reading blob {} of HOST/acme/upf: it is not there (\"BLOB_UNKNOWN: blob unknown to registry\")",
            Digest::of(b"lost")
        )
    });
}

#[test]
fn an_entry_of_a_list_that_cannot_be_one_costs_itself() {
    let (fake, image) = plain();
    let good = document(&image, SPEC, OLD);
    let artifact = put(&fake, &good, SPEC);
    let kind = "application/vnd.nfd.image-compatibility.v1alpha1";
    let entry = |digest: &str, size: usize| json!({"mediaType": IMAGE_MANIFEST, "digest": digest, "size": size, "artifactType": kind});
    let lost = Digest::of(b"lost");
    let entries = json!([
        entry(&format!("sha512:{}", "0".repeat(128)), 1),
        entry(&lost.to_string(), 1),
        entry(&artifact.to_string(), good.to_string().len())
    ]);
    let index = json!({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": entries}).to_string();
    fake.put("acme/upf", Some(&format!("sha256-{}", image.hex())), IMAGE_INDEX, index.as_bytes());
    let folder = folder();
    let ran = super::pull::pull(&folder, &fake, "");
    let errors: Vec<_> =
        ran.stderr.lines().map(|it| it.rsplit("acme/upf").next().unwrap_or_default()).collect();
    assert_eq!((ran.status, errors.len()), (1, 2), "{}", ran.stderr);
    assert!(errors[0].starts_with(": it lists a referrer of digest \"sha512:000"), "{}", ran.stderr);
    assert_eq!(errors[1], format!("@{lost}: it is not there (\"MANIFEST_UNKNOWN: manifest unknown\")"));
    let from = format!("{}/acme/upf", fake.name());
    assert_eq!(listed(&folder), [format!("{artifact}  {OLD}  no signature verified  from {from}")]);
}

#[test]
fn many_referrers_without_a_type_in_the_list() {
    let (fake, image) = plain();
    let good = document(&image, SPEC, OLD);
    let artifact = put(&fake, &good, SPEC);
    let kind = "application/vnd.nfd.image-compatibility.v1alpha1";
    let mut entries: Vec<_> = (0..490_u32)
        .map(|it| {
            let other = fake.put("acme/upf", None, IMAGE_MANIFEST, &manifest("a/b", Some(&image), it as usize));
            json!({"mediaType": IMAGE_MANIFEST, "digest": other, "size": manifest("a/b", Some(&image), it as usize).len()})
        })
        .collect();
    entries.push(json!({"mediaType": IMAGE_MANIFEST, "digest": artifact, "size": good.to_string().len(), "artifactType": kind}));
    let index = json!({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": entries}).to_string();
    fake.put("acme/upf", Some(&format!("sha256-{}", image.hex())), IMAGE_INDEX, index.as_bytes());
    let folder = folder();
    let told = format!(
        "error: HOST/acme/upf:1: 427 more that refer to {image} may be artifacts: of those that have to be opened the 64 newest \
         were, and no others\n"
    );
    pulls(&folder, &fake, "", 1, STORED_WITH_ERROR, &told);
    let opened = fake.server.seen().iter().filter(|it| it.path().contains("/manifests/sha256:")).count();
    assert_eq!(opened, 64);
}
