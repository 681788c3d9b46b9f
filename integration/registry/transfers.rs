//! Manifests and blobs, there and back.

use oci_compat::store::Digest;
use oci_compat::supply::registry::{Descriptor, IMAGE_INDEX, IMAGE_MANIFEST, RegistryProblem};

use super::fake::{Fake, Play, manifest};
use super::server::Reply;
use super::{client, fails, image, repository};

/// The descriptor of some bytes.
pub(super) fn of(bytes: &[u8]) -> Descriptor {
    Descriptor {
        media_type: "text/plain".to_owned(),
        digest: Digest::of(bytes),
        size: bytes.len() as u64,
        artifact_type: None,
        annotations: None,
        platform: None,
    }
}

#[test]
fn an_image_is_resolved_by_tag_and_by_digest() {
    let fake = Fake::start(Play::default());
    let bytes = manifest("a/b", None, 1);
    let digest = fake.put("acme/upf", Some("1"), IMAGE_MANIFEST, &bytes);
    let client = client();
    let tagged = image(&format!("{}/acme/upf:1", fake.name()));
    let found = client.resolve(&tagged).expect("a manifest");
    assert_eq!((found.digest, found.media_type.as_str(), &found.bytes), (digest, IMAGE_MANIFEST, &bytes));
    assert_eq!(client.manifest(tagged.repository(), &digest).expect("a manifest"), found);
    assert_eq!(client.look(&tagged).expect("a digest"), digest);
    assert_eq!(
        fake.server.lines(),
        [
            "GET /v2/acme/upf/manifests/1".to_owned(),
            format!("GET /v2/acme/upf/manifests/{digest}"),
            "HEAD /v2/acme/upf/manifests/1".to_owned()
        ]
    );
    assert_eq!(fake.server.connections(), 1, "a connection is used again");
}

#[test]
fn what_is_not_there_is_absent_and_says_so() {
    let fake = Fake::start(Play::default());
    let outcome = client().resolve(&image(&format!("{}/acme/upf:2", fake.name())));
    assert!(outcome.as_ref().is_err_and(oci_compat::supply::registry::RegistryError::is_absent));
    fails(
        outcome,
        &fake.name(),
        "registry HOST: reading the manifest of HOST/acme/upf:2: it is not there (\"MANIFEST_UNKNOWN: manifest unknown\")",
    );
}

#[test]
fn a_blob_is_pushed_once_and_read_back() {
    let fake = Fake::start(Play::default());
    let (client, repository) = (client(), repository(&format!("{}/acme/upf", fake.name())));
    let digest = Digest::of(b"some rules");
    assert!(client.blob(&repository, &of(b"some rules"), 100).is_err_and(|it| it.is_absent()));
    for _ in 0..2 {
        assert_eq!(client.push_blob(&repository, b"some rules").expect("pushed"), digest);
    }
    assert_eq!(client.blob(&repository, &of(b"some rules"), 100).expect("a blob"), b"some rules");
    let sent: Vec<_> = fake.server.lines().into_iter().filter(|it| !it.starts_with("HEAD")).collect();
    let place = format!("sha256%3A{}", digest.hex());
    assert_eq!(
        sent,
        [
            format!("GET /v2/acme/upf/blobs/{digest}"),
            "POST /v2/acme/upf/blobs/uploads/".to_owned(),
            format!("PUT /v2/acme/upf/blobs/uploads/1?state=x&digest={place}"),
            format!("GET /v2/acme/upf/blobs/{digest}")
        ]
    );
}

#[test]
fn a_pushed_manifest_reports_whether_the_registry_lists_referrers() {
    for lists_referrers in [true, false] {
        let fake = Fake::start(Play { lists_referrers, ..Play::default() });
        let (client, repository) = (client(), repository(&format!("{}/acme/upf", fake.name())));
        let bytes = manifest("a/b", Some(&Digest::of(b"image")), 1);
        let pushed = client.push_manifest(&repository, None, IMAGE_MANIFEST, &bytes).expect("pushed");
        assert_eq!((pushed.digest, pushed.lists_referrers), (Digest::of(&bytes), lists_referrers));
        let found = client.manifest(&repository, &pushed.digest).expect("a manifest");
        assert_eq!(found.bytes, bytes);
        client.delete_manifest(&repository, &pushed.digest).expect("deleted");
        let gone = client.delete_manifest(&repository, &pushed.digest).expect_err("gone");
        assert!(matches!(gone.problem(), RegistryProblem::Absent { .. }), "{gone}");
    }
}

#[test]
fn an_upload_at_another_host_gets_no_credentials_from_us() {
    let elsewhere = Fake::start(Play::default());
    let place = format!("http://{}/v2/acme/upf/blobs/uploads/9?sig=s3cret", elsewhere.name());
    let fake = Fake::start_with(Play { basic: Some(("u", "p")), ..Play::default() }, move |it| {
        let authorized = it.header("authorization").is_some();
        (it.method == "POST" && authorized).then(|| Reply::new(202).header("Location", place.clone()))
    });
    let folder = tempfile::tempdir().expect("a temporary folder");
    let client = super::logins::client(&folder, &fake.name(), "u:p");
    let repository = repository(&format!("{}/acme/upf", fake.name()));
    client.push_blob(&repository, b"some rules").expect("pushed");
    let seen = elsewhere.server.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].method.as_str(), seen[0].header("authorization")), ("PUT", None));
}

#[test]
fn a_registry_that_deletes_nothing_is_quoted() {
    let fake = Fake::start_with(Play::default(), |it| {
        (it.method == "DELETE").then(|| Reply::complaint(405, "UNSUPPORTED", "The operation is unsupported."))
    });
    let (client, repository) = (client(), repository(&format!("{}/acme/upf", fake.name())));
    let digest = Digest::of(b"x");
    fails(
        client.delete_manifest(&repository, &digest),
        &fake.name(),
        &format!(
            "registry HOST: deleting manifest {digest} from HOST/acme/upf: it answered with status 405 \
             (\"UNSUPPORTED: The operation is unsupported.\")"
        ),
    );
}

#[test]
fn an_index_is_distinguished_from_an_image() {
    let fake = Fake::start(Play::default());
    let bytes = format!(r#"{{"schemaVersion":2,"mediaType":"{IMAGE_INDEX}","manifests":[]}}"#);
    fake.put("acme/upf", Some("1"), IMAGE_INDEX, bytes.as_bytes());
    let found = client().resolve(&image(&format!("{}/acme/upf:1", fake.name()))).expect("an index");
    assert!(found.is_index());
    assert_eq!(found.descriptor().size, bytes.len() as u64);
}
