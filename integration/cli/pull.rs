//! `pull`: from registries into the store.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use oci_compat::store::{Digest, NFD_ARTIFACT_TYPE, NFD_SPEC_TYPE};
use oci_compat::supply::registry::IMAGE_MANIFEST;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{SPEC, folder, run};
use crate::command::{Ran, fed, in_folder, program};
use crate::registry::fake::{Fake, Play, manifest};
use crate::registry::server::{Reply, Request};

const OLD: &str = "2026-01-01T00:00:00Z";
const NEW: &str = "2026-02-01T00:00:00Z";

/// An artifact with this spec, in a registry.
pub(super) fn artifact(fake: &Fake, subject: &Digest, spec: &str, created: &str) -> Digest {
    let document = document(subject, spec, created);
    put(fake, &document, spec)
}

/// The manifest of an artifact, to be changed by whoever tests.
pub(super) fn document(subject: &Digest, spec: &str, created: &str) -> Value {
    json!({
        "schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "artifactType": NFD_ARTIFACT_TYPE,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": Digest::of(b"{}"), "size": 2},
        "layers": [{"mediaType": NFD_SPEC_TYPE, "digest": Digest::of(spec.as_bytes()), "size": spec.len()}],
        "subject": {"mediaType": IMAGE_MANIFEST, "digest": subject, "size": 1},
        "annotations": {"org.opencontainers.image.created": created},
    })
}

pub(super) fn put(fake: &Fake, document: &Value, spec: &str) -> Digest {
    put_in(fake, "acme/upf", document, spec)
}

pub(super) fn put_in(fake: &Fake, repository: &str, document: &Value, spec: &str) -> Digest {
    let blob = (repository.to_owned(), Digest::of(spec.as_bytes()).to_string());
    fake.content.lock().expect("no panic").blobs.insert(blob, spec.as_bytes().to_vec());
    fake.put(repository, None, IMAGE_MANIFEST, document.to_string().as_bytes())
}

/// A registry that lists referrers, with an image `acme/upf:1`, and the image's digest.
pub(super) fn stocked() -> (Fake, Digest) {
    let fake = Fake::start(Play { lists_referrers: true, ..Play::default() });
    let image = fake.put("acme/upf", Some("1"), IMAGE_MANIFEST, &manifest("an/image", None, 1));
    (fake, image)
}

pub(super) fn pull(folder: &TempDir, fake: &Fake, options: &str) -> Ran {
    let config = if options.contains("--config") { "" } else { "--config none" };
    run(folder, &format!("pull {}/acme/upf:1 --plain-http --store store {config} {options}", fake.name()))
}

/// Pulls with this outcome, in which `HOST` stands for the registry.
pub(super) fn pulls(folder: &TempDir, fake: &Fake, options: &str, status: i32, stdout: &str, stderr: &str) {
    let ran = pull(folder, fake, options);
    let text = |it: &str| it.replace(&fake.name(), "HOST");
    assert_eq!(
        (ran.status, text(&ran.stdout).as_str(), text(&ran.stderr).as_str()),
        (status, stdout, stderr),
        "{options}"
    );
}

/// What the store has for an image, as `list` shows it without dates of today.
pub(super) fn listed(folder: &TempDir) -> Vec<String> {
    let ran = run(folder, "list --store store");
    assert_eq!(ran.stderr, "");
    ran.stdout.lines().filter_map(|it| it.strip_prefix("  ")).map(str::to_owned).collect()
}

#[test]
fn what_belongs_to_an_image_is_stored_and_a_second_run_transfers_nothing() {
    for play in [
        Play { lists_referrers: true, ..Play::default() },
        Play { page: Some(1), lists_referrers: true, filters: true, ..Play::default() },
    ] {
        let fake = Fake::start(play);
        let image = fake.put("acme/upf", Some("1"), IMAGE_MANIFEST, &manifest("an/image", None, 1));
        artifact(&fake, &image, "version: v1alpha1\ncompatibilities: []\n", OLD);
        let newest = artifact(&fake, &image, SPEC, NEW);
        let folder = folder();
        let stored = "HOST/acme/upf:1: 1 artifact stored\n1 image: 1 artifact new, 0 known, 0 without any, 0 with errors\n";
        pulls(&folder, &fake, "", 0, stored, "");
        let from = format!("{}/acme/upf", fake.name());
        assert_eq!(listed(&folder), [format!("{newest}  {NEW}  no signature verified  from {from}")]);
        let before = fake.server.seen().len();
        let known = "HOST/acme/upf:1: 1 artifact there already\n1 image: 0 artifacts new, 1 known, 0 without any, 0 with errors\n";
        pulls(&folder, &fake, "", 0, known, "");
        let again: Vec<_> = fake.server.seen().into_iter().skip(before).collect();
        let transfers = again.iter().filter(|it| it.method == "GET" && !it.path().contains("/referrers/"));
        assert_eq!(transfers.count(), 0, "{again:?}");
    }
}

#[test]
fn what_was_fetched_before_a_pull_was_killed_is_not_fetched_again() {
    let is_stuck = Arc::new(AtomicBool::new(true));
    let stuck = Arc::clone(&is_stuck);
    let special = move |request: &Request| {
        while request.path().starts_with("/v2/acme/slow/") && stuck.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(20));
        }
        None
    };
    let fake = Fake::start_with(Play { lists_referrers: true, ..Play::default() }, special);
    let image = fake.put("acme/upf", Some("1"), IMAGE_MANIFEST, &manifest("an/image", None, 1));
    fake.put("acme/slow", Some("1"), IMAGE_MANIFEST, &manifest("an/image", None, 2));
    artifact(&fake, &image, SPEC, NEW);
    let folder = folder();
    let images = format!("{0}/acme/upf:1 {0}/acme/slow:1", fake.name());
    let line = format!("pull {images} --plain-http --store store --config none --jobs 1");
    let mut command = in_folder(&program(), folder.path());
    let mut child = command.args(line.split(' ')).stdout(Stdio::null()).spawn().expect("starting");
    let has_it = || run(&folder, "list --store store").stdout.contains("no signature verified");
    let deadline = Instant::now() + Duration::from_secs(30);
    while !has_it() {
        assert!(Instant::now() < deadline, "nothing was stored");
        thread::sleep(Duration::from_millis(20));
    }
    child.kill().and_then(|()| child.wait()).expect("ending it");
    is_stuck.store(false, Ordering::Relaxed);
    let before = fake.server.seen().len();
    let ran = run(&folder, &line);
    let expected = "HOST/acme/upf:1: 1 artifact there already\nHOST/acme/slow:1: no artifacts\n\
                    2 images: 0 artifacts new, 1 known, 1 without any, 0 with errors\n";
    assert_eq!((ran.stdout.replace(&fake.name(), "HOST").as_str(), ran.stderr.as_str()), (expected, ""));
    let again: Vec<_> = fake.server.seen().into_iter().skip(before).collect();
    assert!(!again.iter().any(|it| it.path().contains("/blobs/")), "{again:?}");
}

#[test]
fn a_pulled_image_is_checked_by_its_name() {
    let (fake, image) = stocked();
    let artifact = artifact(&fake, &image, SPEC, OLD);
    let folder = folder();
    assert_eq!(pull(&folder, &fake, "").status, 0);
    let name = format!("{}/acme/upf:1", fake.name());
    let expected = format!(
        "compatible: image {name}, {image}\n\nspec attached {artifact}: met\n  from {}/acme/upf, nothing was \
         verified\n  set (weight 0): met\n    rule kernel: met\n      met     \
         kernel.version major  5 (/proc/sys/kernel/osrelease)\n",
        fake.name()
    );
    super::prints(&folder, &format!("check {name} --store store --root host"), 0, &expected);
    super::fails(
        &folder,
        "check acme/smf:1 --store store --root host",
        "no engine here has an image \"acme/smf:1\", and the store store has nothing for one of that name: oci-compat pull acme/smf:1, ask its registry with --remote, or write its \
         digest, such as NAME@sha256:...",
    );
}

#[test]
fn of_an_index_what_is_about_it_and_about_this_hosts_image_is_stored() {
    let (fake, _) = stocked();
    let image = |number| fake.put("acme/upf", None, IMAGE_MANIFEST, &manifest("an/image", None, number));
    let [ours, other] = [image(2), image(3)];
    let host = oci_compat::supply::attach::Platform::of_host().to_string();
    let (os, architecture) = host.split_once('/').expect("a platform");
    let entry = |digest: &Digest, architecture: &str| {
        json!({"mediaType": IMAGE_MANIFEST, "digest": digest, "size": 1,
            "platform": {"os": os, "architecture": architecture}})
    };
    let index = json!({"schemaVersion": 2, "mediaType": oci_compat::supply::registry::IMAGE_INDEX,
        "manifests": [entry(&ours, architecture), entry(&other, "mips")]});
    let media_type = oci_compat::supply::registry::IMAGE_INDEX;
    let index = fake.put("acme/upf", Some("1"), media_type, index.to_string().as_bytes());
    for subject in [&index, &ours, &other] {
        artifact(&fake, subject, SPEC, OLD);
    }
    let folder = folder();
    let counts = |count: usize, fresh: &str, known: usize| {
        format!(
            "HOST/acme/upf:1: {fresh}\n1 image: {count} new, {known} known, 0 without any, 0 with errors\n"
        )
        .replace("1 new", "1 artifact new")
        .replace("2 new", "2 artifacts new")
    };
    pulls(&folder, &fake, "", 0, &counts(2, "2 artifacts stored", 0), "");
    let again = counts(1, "1 artifact stored, 2 artifacts there already", 2);
    pulls(&folder, &fake, "--all-platforms", 0, &again, "");
}

#[test]
fn an_error_is_never_that_there_are_none() {
    let fake = Fake::start_with(Play { lists_referrers: true, ..Play::default() }, |request| {
        let fails = request.path().contains("/referrers/");
        fails.then(|| Reply::complaint(403, "DENIED", "no"))
    });
    let image = fake.put("acme/upf", Some("1"), IMAGE_MANIFEST, &manifest("an/image", None, 1));
    let told = format!(
        "error: HOST/acme/upf:1: registry HOST: listing referrers of {image} in HOST/acme/upf: it is not allowed (\"DENIED: \
         no\"): have whoever owns the repository grant it\n"
    );
    let counts =
        "HOST/acme/upf:1: 1 error\n1 image: 0 artifacts new, 0 known, 0 without any, 1 with errors\n";
    pulls(&folder(), &fake, "", 1, counts, &told);
}

/// Pulls for the images of an engine, whose files lie in `engine`.
fn pulls_from(folder: &TempDir, fake: &Fake, engine: &str, status: i32, stdout: &str, stderr: &str) {
    let line =
        format!("pull --plain-http --store store --config none --from-engine {engine} --engine-root engine");
    let ran = run(folder, &line);
    let text = |it: &str| it.replace(&fake.name(), "HOST");
    assert_eq!(
        (ran.status, text(&ran.stdout).as_str(), text(&ran.stderr).as_str()),
        (status, stdout, stderr)
    );
}

#[test]
fn the_images_that_engines_hold_are_pulled_at_the_digest_that_they_hold() {
    let (fake, image) = stocked();
    artifact(&fake, &image, SPEC, OLD);
    // The tag stands for another image by now.
    fake.put("acme/upf", Some("1"), IMAGE_MANIFEST, &manifest("an/image", None, 2));
    let name = format!("{}/acme/upf", fake.name());
    let stored = "HOST/acme/upf:1: 1 artifact stored\n2 images: 1 artifact new, 0 known, 0 without any, 0 with errors, 1 in no \
                  registry\n";

    let podman = folder();
    let images = json!([
        {"id": "1", "digest": image, "names": [format!("{name}:1"), "localhost/built:latest"]},
        {"id": "2", "digest": image, "names": ["localhost/other:latest"]},
        {"id": "3", "digest": image, "names": null}]);
    super::write(&podman, "engine/overlay-images/images.json", &images.to_string());
    let local = "localhost/other:latest: from no registry\n";
    pulls_from(&podman, &fake, "podman", 0, &format!("{local}{stored}"), "");

    let docker = folder();
    let repositories = json!({"Repositories": {
        (name.clone()): {(format!("{name}:1")): "sha256:1", (format!("{name}@{image}")): "sha256:1"},
        "built": {"built:latest": "sha256:2"}}});
    super::write(&docker, "engine/image/overlay2/repositories.json", &repositories.to_string());
    pulls_from(&docker, &fake, "docker", 0, &format!("built:latest: from no registry\n{stored}"), "");
}

#[test]
fn an_image_is_pulled_once_under_all_its_names_and_at_all_its_digests() {
    let (fake, image) = stocked();
    artifact(&fake, &image, SPEC, OLD);
    let name = format!("{}/acme/upf", fake.name());
    let (folder, unknown) = (folder(), Digest::of(b"of another registry"));
    let images = json!([
        {"id": "1", "digest": unknown, "names": [format!("{name}:1"), format!("{name}:2")],
            "big-data-digests": {(format!("manifest-{image}")): image, "manifest": image, "signature-x": unknown}},
        {"id": "2", "digest": unknown, "names": [format!("{name}:3")]}]);
    super::write(&folder, "engine/overlay-images/images.json", &images.to_string());
    let lines = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(|it| it.replace(&fake.name(), "HOST")).collect();
        lines.sort_unstable();
        lines
    };
    let line = "pull --plain-http --store store --config none --from-engine podman --engine-root engine";
    for (outcome, counts) in [("stored", "1 artifact new, 0"), ("there already", "0 artifacts new, 1")] {
        let ran = run(&folder, line);
        let expected = [
            format!("2 images: {counts} known, 0 without any, 0 with errors, 1 in no registry"),
            format!("HOST/acme/upf:1, HOST/acme/upf:2: 1 artifact {outcome}"),
            "HOST/acme/upf:3: its registry does not have it".to_owned(),
        ];
        assert_eq!((ran.status, lines(&ran.stdout), ran.stderr.as_str()), (0, expected.to_vec(), ""));
    }
    let listed = run(&folder, "list --store store").stdout;
    assert!(listed.starts_with(&format!("{image} {name}:1 {name}:2\n")), "{listed}");
}

#[test]
fn a_silent_engine_is_reported_and_the_images_of_others_are_pulled() {
    let (fake, image) = stocked();
    artifact(&fake, &image, SPEC, OLD);
    let none = folder();
    let told = "error: asking which images there are: no images of containers-storage in engine: name its folder with \
                --engine-root\n";
    pulls_from(&none, &fake, "podman", 2, "", told);
    super::write(&none, "engine/overlay-images/images.lock", "");
    let nothing = "0 images: 0 artifacts new, 0 known, 0 without any, 0 with errors\n";
    pulls_from(&none, &fake, "podman", 0, nothing, "");

    let both = folder();
    let images = json!([{"id": "1", "digest": image, "names": [format!("{}/acme/upf:1", fake.name())]}]);
    super::write(&both, "engine/overlay-images/images.json", &images.to_string());
    let told = "error: asking which images there are: containerd at none.sock is not there: start it, or name its socket with \
                --engine-socket\n";
    let stored = "HOST/acme/upf:1: 1 artifact stored\n1 image: 1 artifact new, 0 known, 0 without any, 0 with errors\n";
    pulls_from(&both, &fake, "containerd --engine-socket none.sock --from-engine podman", 1, stored, told);
}

#[test]
fn a_registry_that_keeps_everybody_waiting_costs_so_much_time_and_no_more() {
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    let fake = Fake::start_with(Play { lists_referrers: true, ..Play::default() }, move |request| {
        while request.path().starts_with("/v2/acme/slow/") && !over.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(20));
        }
        None
    });
    let image = fake.put("acme/upf", Some("1"), IMAGE_MANIFEST, &manifest("an/image", None, 1));
    artifact(&fake, &image, SPEC, NEW);
    let folder = folder();
    let pull = |names: &[&str], options: &str| {
        let images: Vec<_> = names.iter().map(|it| format!("{}/acme/{it}:1", fake.name())).collect();
        let line = format!("pull {} --plain-http --store store --config none {options}", images.join(" "));
        let began = Instant::now();
        let ran = run(&folder, &line);
        assert!(began.elapsed() < Duration::from_secs(20), "{ran:?}");
        (ran.status, ran.stdout.replace(&fake.name(), "HOST"), ran.stderr.replace(&fake.name(), "HOST"))
    };
    let slow = |doing: &str, phase: &str| {
        format!(
            "error: HOST/acme/slow:1: registry HOST: {doing} HOST/acme/slow:1: {phase} took longer than 1 s: try \
             again later\n"
        )
    };
    let (status, stdout, stderr) = pull(&["slow", "upf"], "--image-timeout 1");
    assert_eq!((status, stderr), (1, slow("reading the manifest of", "all that belongs to this image")));
    assert!(stdout.contains("HOST/acme/upf:1: 1 artifact stored\n"), "{stdout}");
    let (status, _, stderr) = pull(&["slow", "slow2"], "--timeout 1 --jobs 1");
    is_over.store(true, Ordering::Relaxed);
    // By now the store knows which manifests belong to images.
    let all = slow("looking for", "the pull of all images");
    assert_eq!((status, stderr), (1, format!("{all}{}", all.replace("acme/slow", "acme/slow2"))));
}

#[test]
fn images_may_be_listed_on_standard_input() {
    let (fake, image) = stocked();
    artifact(&fake, &image, SPEC, OLD);
    let folder = folder();
    let list = format!("# ours\n{0}/acme/upf:1\n\n{0}/acme/upf:1\n", fake.name());
    let args = ["pull", "-", "--plain-http", "--store", "store", "--config", "none"];
    let ran = fed(folder.path(), &args, list.as_bytes());
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    assert!(
        ran.stdout.ends_with("1 image: 1 artifact new, 0 known, 0 without any, 0 with errors\n"),
        "{ran:?}"
    );
    let ran = fed(folder.path(), &args, b"a\nB\n");
    let told = "error: stdin, line 2: \"library/B\" has upper-case letters, which a repository never has\n";
    assert_eq!((ran.status, ran.stderr.as_str()), (2, told));
}
