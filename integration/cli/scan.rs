//! `check --remote`, which asks a registry, and `check --from-engine`, which judges every image of a host.

use oci_compat::store::Digest;
use oci_compat::supply::registry::{IMAGE_INDEX, IMAGE_MANIFEST};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::pull::{artifact, listed, stocked};
use super::{SPEC, fails, folder, prints, run, write};
use crate::command::Ran;
use crate::registry::fake::{Fake, Play, manifest};

const NEW: &str = "2026-02-01T00:00:00Z";
const REMOTE: &str = "--remote --plain-http --config none --store store --root host";

/// Runs a command line; `HOST` stands for the registry.
fn ran(folder: &TempDir, fake: &Fake, line: &str) -> Ran {
    let ran = run(folder, &line.replace("HOST", &fake.name()));
    let text = |it: &str| it.replace(&fake.name(), "HOST");
    Ran { status: ran.status, stdout: text(&ran.stdout), stderr: text(&ran.stderr) }
}

fn stores_nothing(folder: &TempDir) {
    assert!(!folder.path().join("store").exists(), "something was stored");
}

#[test]
fn an_image_in_a_registry_is_judged_and_nothing_is_stored() {
    let (fake, image) = stocked();
    let artifact = artifact(&fake, &image, SPEC, NEW);
    let folder = folder();
    let line = format!("check HOST/acme/upf:1 {REMOTE}");
    let report = format!(
        "image HOST/acme/upf:1, {image}\n\nspec attached {artifact}: OUTCOME\n  from HOST/acme/upf, nothing was verified\n  set \
         (weight 0): OUTCOME\n    rule kernel: OUTCOME\n      "
    );
    let fits = format!(
        "compatible: {}met     kernel.version major  5 (/proc/sys/kernel/osrelease)\n",
        report.replace("OUTCOME", "met")
    );
    assert_eq!(ran(&folder, &fake, &line), Ran { status: 0, stdout: fits, stderr: String::new() });
    write(&folder, "host/proc/sys/kernel/osrelease", "6.1.0\n");
    let lacks = ran(&folder, &fake, &line);
    let start = "incompatible: image HOST/acme/upf:1, ";
    assert!(lacks.status == 1 && lacks.stdout.starts_with(start), "{lacks:?}");
    stores_nothing(&folder);
}

#[test]
fn each_thing_is_asked_of_the_registry_once() {
    let (fake, image) = stocked();
    let artifact = artifact(&fake, &image, SPEC, NEW);
    let folder = folder();
    let line = format!("check HOST/acme/upf:1 {REMOTE}");
    assert_eq!(ran(&folder, &fake, &line).status, 0);
    let spec = Digest::of(SPEC.as_bytes());
    let mut asked = fake.server.lines();
    asked.retain(|it| !it.contains("/referrers/"));
    let expected = [
        "GET /v2/acme/upf/manifests/1".to_owned(),
        format!("GET /v2/acme/upf/manifests/{artifact}"),
        format!("GET /v2/acme/upf/blobs/{spec}"),
    ];
    assert_eq!(asked, expected);
    assert_eq!(fake.server.connections(), 1);
}

#[test]
fn what_is_kept_is_there_for_the_hook() {
    let (fake, image) = stocked();
    let artifact = artifact(&fake, &image, SPEC, NEW);
    let folder = folder();
    let asked = ran(&folder, &fake, &format!("check HOST/acme/upf:1 {REMOTE} --keep"));
    assert_eq!((asked.status, asked.stderr.as_str()), (0, ""));
    let name = fake.name();
    assert_eq!(listed(&folder), [format!("{artifact}  {NEW}  no signature verified  from {name}/acme/upf")]);
    let again = ran(&folder, &fake, "check HOST/acme/upf:1 --config none --store store --root host");
    assert_eq!(again, asked);
    // Once more, now that the store has it.
    assert_eq!(ran(&folder, &fake, &format!("check HOST/acme/upf:1 {REMOTE} --keep")), asked);
}

#[test]
fn an_image_to_which_nothing_is_attached_demands_nothing_and_one_that_is_not_there_is_an_error() {
    let (fake, image) = stocked();
    let folder = folder();
    let stdout = format!(
        "compatible: image HOST/acme/upf:1, {image}\n  note: nothing is demanded: nothing is attached to HOST/acme/upf:1\n"
    );
    let line = format!("check HOST/acme/upf:1 {REMOTE}");
    assert_eq!(ran(&folder, &fake, &line), Ran { status: 0, stdout, stderr: String::new() });
    let stderr = "error: registry HOST: reading the manifest of HOST/acme/smf:1: it is not there (\"MANIFEST_UNKNOWN: manifest \
                  unknown\")\n";
    let expected = Ran { status: 2, stdout: String::new(), stderr: stderr.to_owned() };
    assert_eq!(ran(&folder, &fake, &format!("check HOST/acme/smf:1 {REMOTE}")), expected);
}

#[test]
fn what_is_not_signed_as_it_has_to_be_is_trouble() {
    let (fake, image) = stocked();
    let artifact = artifact(&fake, &image, SPEC, NEW);
    let folder = folder();
    let rule = format!(
        "[trust.\"{}/*\"]\nrequire = \"signature\"\nverifier = [\"/bin/false\", \"{{image}}\"]\n",
        fake.name()
    );
    write(&folder, "trust.toml", &rule);
    let ran = ran(
        &folder,
        &fake,
        "check HOST/acme/upf:1 --remote --plain-http --config trust.toml --store store --root host",
    );
    let said = format!("artifact {artifact} ");
    assert!(
        ran.status == 2
            && ran.stdout.contains(&said)
            && ran.stdout.contains("demands a signature: not stored"),
        "{ran:?}"
    );
    stores_nothing(&folder);
}

/// An index with an image for each of these platforms, in a registry under the tag 1; their digests.
fn index(fake: &Fake, platforms: &[&str]) -> Vec<Digest> {
    let mut entries = Vec::new();
    let mut digests = Vec::new();
    for (number, platform) in (10..).zip(platforms) {
        let bytes = manifest("an/image", None, number);
        let digest = fake.put("acme/upf", None, IMAGE_MANIFEST, &bytes);
        let (os, architecture) = platform.split_once('/').expect("a platform");
        entries.push(json!({"mediaType": IMAGE_MANIFEST, "digest": digest, "size": bytes.len(),
            "platform": {"os": os, "architecture": architecture}}));
        digests.push(digest);
    }
    let index = json!({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": entries});
    fake.put("acme/upf", Some("1"), IMAGE_INDEX, index.to_string().as_bytes());
    digests
}

#[test]
fn of_an_index_the_image_for_the_platform_is_judged() {
    let fake = Fake::start(Play { lists_referrers: true, ..Play::default() });
    let digests = index(&fake, &["linux/s390x", "linux/ppc64le"]);
    let spec = SPEC.replace("[5]", "[6]");
    let [fits, lacks] =
        [(&digests[0], SPEC), (&digests[1], &spec)].map(|(it, spec)| artifact(&fake, it, spec, NEW));
    let folder = folder();
    let check = |platform: &str, arch: &str, status: i32, artifact: &Digest| {
        write(&folder, "host/proc/sys/kernel/arch", &format!("{arch}\n"));
        write(&folder, "host/proc/filesystems", "nodev\tproc\n");
        let ran = ran(&folder, &fake, &format!("check HOST/acme/upf:1 {REMOTE} --platform {platform}"));
        assert!(ran.status == status && ran.stdout.contains(&format!("spec attached {artifact}")), "{ran:?}");
    };
    check("linux/s390x", "s390x", 0, &fits);
    check("linux/ppc64le", "ppc64le", 1, &lacks);
    // A host of another kind.
    check("linux/s390x", "ppc64le", 1, &fits);
}

#[test]
fn an_image_without_the_platform_cannot_run_here() {
    let fake = Fake::start(Play { lists_referrers: true, ..Play::default() });
    index(&fake, &["linux/s390x", "linux/ppc64le"]);
    let folder = folder();
    write(&folder, "host/proc/sys/kernel/arch", "x86_64\n");
    let line = format!("check HOST/acme/upf:1 {REMOTE} --platform linux/amd64 --format json");
    let ran = || super::scan::ran(&folder, &fake, &line);
    // Handlers of other programs may be there, as far as can be seen.
    assert_eq!(ran().status, 3);
    write(&folder, "host/proc/filesystems", "nodev\tproc\n");
    let ran = ran();
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|err| panic!("{err}: {ran:?}"));
    assert_eq!(
        (ran.status, &report["verdict"], &report["specs"][0]["source"]),
        (1, &json!("incompatible"), &json!("platform"))
    );
    assert_eq!(
        report["reasons"],
        json!([{
            "code": "program-architecture",
            "message": "a program for s390x is not started (nearest of 2 alternatives)",
            "rule": "platform",
            "remedy": "its index has linux/s390x, linux/ppc64le, and no linux/amd64: have it built for linux/amd64"
        }])
    );
}

/// A host with three images in Docker (one fits, one lacks something, one has no requirements) and one in Podman.
fn held() -> TempDir {
    let folder = folder();
    let digest = |name: &str| Digest::of(name.as_bytes());
    let repositories: Vec<_> = ["fits", "free", "lacks"]
        .iter()
        .map(|it| {
            let (id, pulled) = (digest(&format!("id of {it}")), digest(it));
            format!("\"quay.io/acme/{it}\": {{\"quay.io/acme/{it}:1\": \"{id}\", \"quay.io/acme/{it}@{pulled}\": \"{id}\"}}")
        })
        .collect();
    let repositories = format!("{{\"Repositories\": {{{}}}}}", repositories.join(", "));
    write(&folder, "host/var/lib/docker/image/overlay2/repositories.json", &repositories);
    let images =
        json!([{"id": digest("id").hex(), "digest": digest("odd"), "names": ["quay.io/acme/odd:1"]}]);
    write(&folder, "host/var/lib/containers/storage/overlay-images/images.json", &images.to_string());
    let unread = "version: v1alpha1\ncompatibilities:\n- rules:\n  - name: arch\n    matchFeatures:\n    - feature: kernel.config\n      \
                  matchExpressions:\n        X: {op: Exists}\n";
    for (name, spec) in [("fits", SPEC), ("lacks", &SPEC.replace("[5]", "[6]")), ("odd", unread)] {
        write(&folder, &format!("{name}.yaml"), spec);
        let ran = run(&folder, &format!("store add {name}.yaml --subject {} --store store", digest(name)));
        assert_eq!(ran.status, 0, "{ran:?}");
    }
    folder
}

const EVERY: &str = "check --from-engine all --root host --store store --config none";

#[test]
fn every_image_of_a_host_is_judged_and_the_worst_comes_first() {
    let folder = held();
    prints(
        &folder,
        EVERY,
        1,
        "incompatible  docker  quay.io/acme/lacks:1  kernel version major is 5, needs 6 [kernel-version]\n\
         undecided     podman  quay.io/acme/odd:1    kernel option CONFIG_X is unknown, needs set: /proc/config.gz is not there, nor is the configuration \
         anywhere else (tried: 10); try: modprobe configs, or install it as /boot/config-5.4.0-200-generic [fact-unknown]\n\
         compatible    docker  quay.io/acme/fits:1\n\
         compatible    docker  quay.io/acme/free:1   nothing is demanded\n\
         4 images: 1 incompatible, 1 undecided, 1 compatible, 1 without requirements\n",
    );
    let podman = run(&folder, &EVERY.replace("all", "podman"));
    assert!(
        podman.status == 3
            && podman
                .stdout
                .ends_with("1 image: 0 incompatible, 1 undecided, 0 compatible, 0 without requirements\n"),
        "{podman:?}"
    );
}

/// The JSON is checked against its schema wherever a test runs the program.
#[test]
fn every_image_is_in_each_form_of_the_table() {
    let folder = held();
    let [json, junit, sarif] =
        ["json", "junit", "sarif"].map(|it| run(&folder, &format!("{EVERY} --format {it}")));
    assert_eq!([json.status, junit.status, sarif.status], [1; 3]);
    let json: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(json["schema"], "oci-compat.images/v1");
    assert_eq!(json["counts"], json!({"incompatible": 1, "undecided": 1, "compatible": 1, "free": 1}));
    let names: Vec<_> = json["images"].as_array().expect("images").iter().map(|it| &it["names"][0]).collect();
    assert_eq!(
        names,
        ["quay.io/acme/lacks:1", "quay.io/acme/odd:1", "quay.io/acme/fits:1", "quay.io/acme/free:1"]
    );
    assert!(
        junit.stdout.contains("<testsuites name=\"oci-compat\" tests=\"4\" failures=\"1\" errors=\"1\">"),
        "{junit:?}"
    );
    let sarif: Value = serde_json::from_str(&sarif.stdout).expect("JSON");
    assert_eq!(sarif["runs"][0]["results"].as_array().map(Vec::len), Some(2));
}

#[test]
fn one_spec_is_a_row_of_its_own_where_ci_wants_it() {
    let folder = folder();
    let ran = run(&folder, "check --spec spec.yaml --root host --format junit");
    assert_eq!(
        ran.stdout,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"oci-compat\" tests=\"1\" failures=\"0\" errors=\"0\">\n  \
         <testsuite name=\"images\" tests=\"1\" failures=\"0\" errors=\"0\">\n    <testcase classname=\"spec\" name=\"spec.yaml\"/>\n  \
         </testsuite>\n</testsuites>\n"
    );
}

#[test]
fn a_host_without_engines_is_an_error() {
    fails(
        &folder(),
        EVERY,
        "asking which images there are: containerd at host/run/containerd/containerd.sock is not there: start it, or name its \
         socket with --engine-socket; host/var/lib/docker has no images of dockerd's: name its folder with --engine-root, or, if \
         it keeps images in containerd, take --from-engine containerd; no images of containers-storage in \
         host/var/lib/containers/storage: name its folder with --engine-root",
    );
}
