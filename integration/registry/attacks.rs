//! What a hostile registry, or somebody who may push to a good one, tries: each fails, and says how.

use oci_compat::store::Digest;
use oci_compat::supply::registry::{IMAGE_INDEX, IMAGE_MANIFEST, MAX_REFERRERS};
use serde_json::json;

use super::fake::{Fake, Play, manifest};
use super::server::Reply;
use super::transfers::of;
use super::{client, fails, image, repository};

const KIND: &str = "application/vnd.nfd.image-compatibility.v1alpha1";

/// Reads a manifest that is answered so.
fn manifest_fails(reply: Reply, expected: &str) {
    let fake = Fake::start_with(Play::default(), move |_| Some(reply.clone()));
    let doing = "registry HOST: reading the manifest of HOST/acme/upf:1: ";
    let outcome = client().resolve(&image(&format!("{}/acme/upf:1", fake.name())));
    fails(outcome, &fake.name(), &format!("{doing}{expected}"));
}

/// Reads the blob `some rules`, which is answered so.
fn blob_fails(answer: &'static str, expected: &str) {
    let fake = Fake::start_with(Play::default(), move |_| Some(Reply::new(200).body("text/plain", answer)));
    let repository = repository(&format!("{}/acme/upf", fake.name()));
    let doing = format!("registry HOST: reading blob {} of HOST/acme/upf: ", Digest::of(b"some rules"));
    fails(client().blob(&repository, &of(b"some rules"), 100), &fake.name(), &format!("{doing}{expected}"));
}

/// Lists referrers of an image where the API answers so.
fn list_fails(reply: impl Fn() -> Reply + Send + Sync + 'static, expected: &str) {
    let subject = Digest::of(b"the image");
    let fake = Fake::start_with(Play::default(), move |it| it.path().contains("/referrers/").then(&reply));
    let repository = repository(&format!("{}/acme/upf", fake.name()));
    let doing = format!("registry HOST: listing referrers of {subject} in HOST/acme/upf: ");
    let outcome = client().referrers(&repository, &subject, Some(KIND));
    fails(outcome, &fake.name(), &format!("{doing}{expected}"));
}

/// A page with these digests.
fn page(digests: impl Iterator<Item = Digest>) -> Reply {
    let entries: Vec<_> = digests
        .map(|it| json!({"mediaType": IMAGE_MANIFEST, "digest": it, "size": 1, "artifactType": KIND}))
        .collect();
    Reply::new(200).body(IMAGE_INDEX, json!({"schemaVersion": 2, "manifests": entries}).to_string())
}

#[test]
fn a_manifest_that_claims_another_media_type() {
    manifest_fails(
        Reply::new(200).body(IMAGE_INDEX, manifest(KIND, None, 1)),
        "it was announced as \"application/vnd.oci.image.index.v1+json\", and is \
         \"application/vnd.oci.image.manifest.v1+json\"",
    );
    manifest_fails(
        Reply::new(200).body(IMAGE_MANIFEST, r#"{"schemaVersion": 2, "manifests": []}"#),
        "it is called an image manifest, and has not the fields of one alone",
    );
    manifest_fails(
        Reply::new(200).body(IMAGE_INDEX, r#"{"schemaVersion": 2, "manifests": [], "layers": []}"#),
        "it is called an index, and has not the fields of one alone",
    );
    manifest_fails(
        Reply::new(200).body("application/vnd.docker.distribution.manifest.v1+prettyjws", "{}"),
        "it is of type \"application/vnd.docker.distribution.manifest.v1+prettyjws\", which is no manifest or index that we \
         know",
    );
    manifest_fails(Reply::new(200).body("text/plain", "{}"), "its media type is not given");
    manifest_fails(
        Reply::new(200).body(IMAGE_MANIFEST, "<html>"),
        "it is no manifest (\"expected value at line 1 column 1\")",
    );
}

#[test]
fn a_manifest_of_another_digest() {
    let (asked, bytes) = (Digest::of(b"asked"), manifest(KIND, None, 1));
    let found = Digest::of(&bytes);
    let fake =
        Fake::start_with(Play::default(), move |_| Some(Reply::new(200).body(IMAGE_MANIFEST, bytes.clone())));
    fails(
        client().manifest(&repository(&format!("{}/acme/upf", fake.name())), &asked),
        &fake.name(),
        &format!(
            "registry HOST: reading the manifest of HOST/acme/upf@{asked}: what came has the digest {found}, expected {asked}"
        ),
    );
    let bytes = manifest(KIND, None, 1);
    manifest_fails(
        Reply::new(200).body(IMAGE_MANIFEST, bytes).header("Docker-Content-Digest", asked.to_string()),
        &format!("what came has the digest {found}, expected {asked}"),
    );
}

#[test]
fn a_blob_larger_than_its_descriptor_smaller_or_of_another_digest() {
    blob_fails("some rules and more", "it is larger than 10 bytes, the most that was expected");
    blob_fails("some rule", "it has 9 bytes, 10 were announced");
    blob_fails(
        "some RULES",
        &format!(
            "what came has the digest {}, expected {}",
            Digest::of(b"some RULES"),
            Digest::of(b"some rules")
        ),
    );
}

#[test]
fn a_manifest_of_a_hundred_megabytes() {
    let mut large = manifest(KIND, None, 1);
    large.resize(100 << 20, b' ');
    manifest_fails(
        Reply::new(200).body(IMAGE_MANIFEST, large),
        "it is larger than 4194304 bytes, the most that was expected",
    );
}

#[test]
fn a_blob_whose_descriptor_is_beyond_the_limit_is_not_even_asked_for() {
    let fake = Fake::start(Play::default());
    let repository = repository(&format!("{}/acme/upf", fake.name()));
    fails(
        client().blob(&repository, &of(b"some rules"), 9),
        &fake.name(),
        &format!(
            "registry HOST: reading blob {} of HOST/acme/upf: it is larger than 9 bytes, the most that was expected",
            Digest::of(b"some rules")
        ),
    );
    assert_eq!(fake.server.connections(), 0);
}

#[test]
fn a_thousand_referrers() {
    let thousand = page((0..1000_u32).map(|it| Digest::of(&it.to_le_bytes())));
    list_fails(move || thousand.clone(), "there are more referrers than 500, which is the most we take");
    let same = page(std::iter::repeat_n(Digest::of(b"x"), 10_001));
    list_fails(
        move || same.clone(),
        "there are more referrers of all types than 10000, which is the most we take",
    );
    assert_eq!(MAX_REFERRERS, 500);
}

#[test]
fn pages_without_end() {
    let count = std::sync::atomic::AtomicUsize::new(0);
    list_fails(
        move || {
            let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            page(std::iter::empty()).header("Link", format!("<?n={number}>; rel=\"next\""))
        },
        "there are more pages of referrers than 100, which is the most we take",
    );
    list_fails(
        || page(std::iter::empty()).header("Link", "<?n=1>; rel=\"next\""),
        "its pages lead back to one that was read already",
    );
}

#[test]
fn an_index_that_lists_itself() {
    list_fails(
        || page([Digest::of(b"the image")].into_iter()),
        "it lists the image itself among the image's referrers",
    );
    // Under a digest of its choice, an index that lists that digest again.
    let chosen = Digest::of(b"chosen");
    let entry = json!({"mediaType": IMAGE_INDEX, "digest": chosen, "size": 1, "artifactType": KIND});
    let index = json!({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": [entry]}).to_string();
    let found = Digest::of(index.as_bytes());
    let fake = Fake::start_with(Play::default(), move |it| {
        it.path().contains("/manifests/").then(|| Reply::new(200).body(IMAGE_INDEX, index.clone()))
    });
    let (client, repository) = (client(), repository(&format!("{}/acme/upf", fake.name())));
    let listed = client.referrers(&repository, &Digest::of(b"the image"), Some(KIND)).expect("a list");
    assert_eq!(listed.descriptors.len(), 1);
    fails(
        client.manifest(&repository, &listed.descriptors[0].digest),
        &fake.name(),
        &format!(
            "registry HOST: reading the manifest of HOST/acme/upf@{chosen}: what came has the digest {found}, expected {chosen}"
        ),
    );
}

#[test]
fn a_link_to_another_host() {
    list_fails(
        || page(std::iter::empty()).header("Link", "<http://evil.example/v2/x?token=s3cret>; rel=\"next\""),
        "it sends us to \"http://evil.example/v2/x?...\", which is another host than the one whose list it continues",
    );
    list_fails(
        || page(std::iter::empty()).header("Link", "<file:///etc/shadow>; rel=\"next\""),
        "it sends us to \"file:///etc/shadow\", which is no address of the web",
    );
}

#[test]
fn a_redirect_to_the_metadata_of_a_cloud() {
    let why = "is where clouds keep secrets of this machine: no registry has anything there";
    for host in ["169.254.169.254", "[fd00:ec2::254]", "[::ffff:169.254.169.254]", "168.63.129.16"] {
        manifest_fails(
            Reply::new(307).header("Location", format!("http://{host}/latest/meta-data/")),
            &format!("it sends us to \"http://{host}/latest/meta-data/\", which {why}"),
        );
    }
    manifest_fails(
        Reply::new(307).header("Location", "http://u:p@elsewhere.example/"),
        "it sends us to \"http://u:p@elsewhere.example/\", which holds a name or a password",
    );
}

#[test]
fn a_token_service_at_the_metadata_of_a_cloud() {
    manifest_fails(
        Reply::new(401)
            .header("WWW-Authenticate", "Bearer realm=\"http://169.254.169.254/latest/api/token\""),
        "it sends us to \"http://169.254.169.254/latest/api/token\", which is where clouds keep secrets of this machine: no \
         registry has anything there",
    );
}

#[test]
fn terminal_escapes_in_what_a_registry_says() {
    manifest_fails(
        Reply::complaint(403, "DENIED", "\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}"),
        "it is not allowed (\"DENIED: \\u{1b}[2J\\u{1b}]0;owned\\u{7}\\u{202e}\"): have whoever owns the repository grant it",
    );
    manifest_fails(
        Reply::new(400).body("text/plain", "\u{1b}[2J".repeat(1000)),
        &format!("it answered with status 400 (\"{}...\")", "\\u{1b}[2J".repeat(50)),
    );
    manifest_fails(
        Reply::new(400).body("text/html", "<html>\u{1b}[2J</html>"),
        "it answered with status 400",
    );
}
