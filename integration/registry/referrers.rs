//! What refers to an image: pages, filters, the fallback, and that an error is never "there are none".

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use oci_compat::store::Digest;
use oci_compat::supply::registry::{Descriptor, IMAGE_INDEX, IMAGE_MANIFEST, ReferrersPlace};
use serde_json::{Value, json};

use super::fake::{Fake, Play, manifest};
use super::server::Reply;
use super::{client, fails, repository};

const KIND: &str = "application/vnd.nfd.image-compatibility.v1alpha1";

fn subject() -> Digest {
    Digest::of(b"the image")
}

/// The descriptor of an artifact for the fallback index.
fn listed(bytes: &[u8]) -> Descriptor {
    let mut descriptor = super::transfers::of(bytes);
    descriptor.media_type = IMAGE_MANIFEST.to_owned();
    descriptor.artifact_type = Some(KIND.to_owned());
    descriptor
}

#[test]
fn all_pages_are_read_and_filtered_here_if_the_registry_does_not() {
    for (filters, page) in [(true, None), (false, None), (true, Some(2)), (false, Some(3))] {
        let fake = Fake::start(Play { lists_referrers: true, filters, page, ..Play::default() });
        for number in 0..7 {
            fake.put("acme/upf", None, IMAGE_MANIFEST, &manifest(KIND, Some(&subject()), number));
            fake.put("acme/upf", None, IMAGE_MANIFEST, &manifest("an/sbom", Some(&subject()), number));
        }
        let repository = repository(&format!("{}/acme/upf", fake.name()));
        let found = client().referrers(&repository, &subject(), Some(KIND)).expect("a list");
        assert_eq!((found.descriptors.len(), found.found), (7, ReferrersPlace::Api), "{filters} {page:?}");
        assert!(found.descriptors.iter().all(|it| it.artifact_type.as_deref() == Some(KIND)));
        assert_eq!(client().referrers(&repository, &subject(), None).expect("a list").descriptors.len(), 14);
    }
}

#[test]
fn without_the_api_the_index_under_the_tag_is_read_and_kept() {
    let fake = Fake::start(Play::default());
    let (client, repository) = (client(), repository(&format!("{}/acme/upf", fake.name())));
    let list = || client.referrers(&repository, &subject(), Some(KIND)).expect("a list");
    assert_eq!((list().descriptors, list().found), (Vec::new(), ReferrersPlace::Fallback));
    let first = listed(&manifest(KIND, Some(&subject()), 1));
    let second = listed(&manifest(KIND, Some(&subject()), 2));
    for descriptor in [&first, &second, &first] {
        client.add_to_fallback(&repository, &subject(), descriptor).expect("listed");
    }
    assert_eq!(list().descriptors, [first.clone(), second.clone()]);
    client.remove_from_fallback(&repository, &subject(), &first.digest).expect("taken off");
    client.remove_from_fallback(&repository, &subject(), &first.digest).expect("not there any more");
    assert_eq!(list().descriptors, [second]);
}

#[test]
fn what_others_wrote_into_the_fallback_index_stays() {
    let fake = Fake::start(Play::default());
    let (client, repository) = (client(), repository(&format!("{}/acme/upf", fake.name())));
    let foreign =
        json!({"mediaType": "x/y", "digest": "sha512:00", "size": 1, "data": "e30=", "urls": ["u"]});
    let index = json!({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": [foreign], "annotations": {"a": "b"}});
    let tag = format!("sha256-{}", subject().hex());
    fake.put("acme/upf", Some(&tag), IMAGE_INDEX, index.to_string().as_bytes());
    let ours = listed(&manifest(KIND, Some(&subject()), 1));
    client.add_to_fallback(&repository, &subject(), &ours).expect("listed");
    let tagged = repository.tagged(&tag).expect("a tag");
    let written: Value =
        serde_json::from_slice(&client.resolve(&tagged).expect("an index").bytes).expect("JSON");
    assert_eq!(written["manifests"][0], foreign);
    assert_eq!(written["annotations"], json!({"a": "b"}));
    assert_eq!(client.referrers(&repository, &subject(), Some(KIND)).expect("a list").descriptors.len(), 1);
}

#[test]
fn writers_at_the_same_time_do_not_lose_each_others_entries() {
    let fake = Fake::start(Play::default());
    let repository = repository(&format!("{}/acme/upf", fake.name()));
    let artifacts: Vec<_> = (0..4).map(|it| listed(&manifest(KIND, Some(&subject()), it))).collect();
    thread::scope(|scope| {
        for artifact in &artifacts {
            scope.spawn(|| client().add_to_fallback(&repository, &subject(), artifact).expect("listed"));
        }
    });
    let found = client().referrers(&repository, &subject(), Some(KIND)).expect("a list");
    assert_eq!(found.descriptors.len(), artifacts.len());
}

#[test]
fn a_list_that_others_keep_changing_is_given_up_aloud() {
    let count = AtomicUsize::new(0);
    // Every write is thrown away: somebody else always comes in between.
    let fake = Fake::start_with(Play::default(), move |it| {
        count.fetch_add(1, Ordering::SeqCst);
        (it.method == "PUT").then(|| Reply::complaint(412, "PRECONDITION_FAILED", "somebody was faster"))
    });
    let repository = repository(&format!("{}/acme/upf", fake.name()));
    let artifact = listed(&manifest(KIND, Some(&subject()), 1));
    fails(
        client().add_to_fallback(&repository, &subject(), &artifact),
        &fake.name(),
        &format!(
            "registry HOST: changing the list of referrers HOST/acme/upf:sha256-{}: somebody else changed it at the same \
             time, 8 times in a row: try again",
            subject().hex()
        ),
    );
}

/// Lists referrers where some request is answered in some way: the whole message.
fn check(matching: &'static str, reply: Reply, expected: &str) {
    let fake =
        Fake::start_with(Play::default(), move |it| it.target.contains(matching).then(|| reply.clone()));
    let repository = repository(&format!("{}/acme/upf", fake.name()));
    let doing = format!("registry HOST: listing referrers of {} in HOST/acme/upf: ", subject());
    fails(
        client().referrers(&repository, &subject(), Some(KIND)),
        &fake.name(),
        &format!("{doing}{expected}"),
    );
}

#[test]
fn an_error_is_never_an_empty_list() {
    for matching in ["/referrers/", "/manifests/sha256-"] {
        check(
            matching,
            Reply::complaint(500, "UNKNOWN", "database is down"),
            "it failed with status 500 (\"UNKNOWN: database is down\"): try again later",
        );
        check(
            matching,
            Reply::complaint(403, "DENIED", "no"),
            "it is not allowed (\"DENIED: no\"): have whoever owns the repository grant it",
        );
        check(matching, Reply::new(400), "it answered with status 400");
    }
    check(
        "/referrers/",
        Reply::new(200).body("text/html", "<html>please log in</html>"),
        "its list is of type \"text/html\", expected \"application/vnd.oci.image.index.v1+json\"",
    );
    check(
        "/referrers/",
        Reply::new(200).body(IMAGE_INDEX, "{}"),
        "its list is no image index (\"missing field `manifests` at line 1 column 2\")",
    );
    check(
        "/manifests/sha256-",
        Reply::complaint(404, "NAME_UNKNOWN", "repository name not known to registry"),
        "it is not there (\"NAME_UNKNOWN: repository name not known to registry\")",
    );
    check(
        "/manifests/sha256-",
        Reply::new(200).body(IMAGE_MANIFEST, manifest(KIND, None, 1)),
        "it was announced as \"application/vnd.oci.image.index.v1+json\", and is \
         \"application/vnd.oci.image.manifest.v1+json\"",
    );
    let page = json!({"schemaVersion": 2, "manifests": []}).to_string();
    let page = Reply::new(200).body(IMAGE_INDEX, page);
    check(
        "/referrers/",
        page.clone().header("Link", "</v2/acme/upf/elsewhere>; rel=next"),
        "page 2 of its list is not there",
    );
}
