//! Bundles and stores in temporary folders, and the requirements that they come to.

mod administrator;
mod brought;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::*;
use crate::image::Image;
use crate::spec::{self, compiled};
use crate::store::{
    Addition, ArtifactOrigin, ArtifactSubject, Compiled, PROPOSED_SPEC_TYPE, Package, SpecKind, Writer, pack,
    pack_annotated,
};
use crate::testing::FakeHost;

const SPEC: &str = "version: v1alpha1\ncompatibilities: []\n";
const ANY: &str = "images = [\"*\"]\nspec = '''\nversion: v1alpha1\ncompatibilities: []\n'''\n";

/// The notes on a bundle that a test made, if there is a store.
const NOBODYS: &str = "note: image unknown: the bundle is of no engine that is known, and has no umoci.json";

/// The end of a check that takes as long as it likes.
fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// A folder with a bundle, and a store where a test makes one.
struct BundleFixture(tempfile::TempDir);

impl BundleFixture {
    fn new(annotations: &str) -> Self {
        let place = Self(tempfile::tempdir().expect("a temporary folder"));
        fs::create_dir(place.bundle()).expect("making a fixture");
        let config = format!("{{\"annotations\": {{{annotations}}}}}");
        fs::write(place.bundle().join("config.json"), config).expect("writing a fixture");
        place
    }

    fn bundle(&self) -> PathBuf {
        self.0.path().join("bundle")
    }

    fn store(&self) -> PathBuf {
        self.0.path().join("store")
    }

    /// An artifact in the store.
    fn add(&self, image: Digest, package: Package, compiled: Option<Compiled>) -> Digest {
        let addition = Addition::of_file(image, package, compiled);
        let mut writer = Writer::open(&self.store()).expect("the store");
        writer.add(&addition).expect("an addition").artifact.manifest
    }

    /// What umoci leaves beside a bundle of these images.
    fn umoci(self, digests: &[&str]) -> Self {
        let walk: Vec<_> = digests.iter().map(|it| format!("{{\"digest\": \"{it}\"}}")).collect();
        let meta = format!("{{\"from_descriptor_path\": {{\"descriptor_walk\": [{}]}}}}", walk.join(","));
        fs::write(self.bundle().join("umoci.json"), meta).expect("writing a fixture");
        self
    }

    /// Removes the spec with these bytes from the store.
    fn lose(&self, spec: &str) {
        let blob = format!("blobs/sha256/{}", Digest::of(spec.as_bytes()).hex());
        fs::remove_file(self.store().join(blob)).expect("a blob");
    }

    fn told(&self, policy: &Policy) -> Vec<String> {
        let mut collected = of_bundle(&self.bundle(), &self.store(), policy, &soon, &|_, _| None);
        collected.add_brought(&soon);
        self.lines(&collected)
    }

    /// A line for each thing that was collected, with the folder taken out.
    fn lines(&self, collected: &Collected) -> Vec<String> {
        let origin = |it: &SpecOrigin| {
            if let SpecOrigin::Attached(it) = it {
                format!("Attached({:?})", it.artifact)
            } else {
                format!("{it:?}")
            }
        };
        let requirement = |it: &Requirement| match &it.spec {
            Ok(spec) => format!("{}: {} sets", origin(&it.origin), spec.sets.len()),
            Err(malformed) => format!("{}: {malformed}", origin(&it.origin)),
        };
        let mut lines: Vec<_> = collected.requirements.iter().map(requirement).collect();
        lines.extend(collected.missing.iter().map(|it| format!("missing: {it}")));
        lines.extend(collected.faults.iter().map(|it| format!("fault: {it}")));
        lines.extend(collected.troubles.iter().map(|it| format!("trouble: {it}")));
        lines.extend(collected.notes.iter().map(|it| format!("note: {it}")));
        let folder = self.0.path().display().to_string();
        lines.into_iter().map(|it| it.replace(&folder, "DIR")).collect()
    }
}

fn image() -> Digest {
    Digest::of(b"image")
}

fn package(spec: &str, image: Digest) -> Package {
    pack(spec.as_bytes(), &ArtifactSubject::unseen(image), None).expect("a package")
}

/// Without the requirements of this machine's administrator.
fn policy() -> Policy {
    Policy { requirements: None, ..Policy::default_policy() }
}

fn heeding() -> Policy {
    Policy { image_annotation: true, ..policy() }
}

#[test]
fn a_bundle_that_says_nothing_demands_nothing_and_needs_no_store() {
    let place = BundleFixture::new("");
    assert_eq!(place.told(&policy()), Vec::<String>::new());
    drop(Writer::open(&place.store()).expect("an empty store"));
    assert_eq!(place.told(&policy()), Vec::<String>::new());
}

#[test]
fn an_inline_spec_is_read_and_its_errors_are_kept() {
    let inline =
        r#""org.oci-compat.spec": "{\"version\": \"v1alpha1\", \"compatibilities\": [{\"rules\": []}]}""#;
    assert_eq!(BundleFixture::new(inline).told(&policy()), ["Inline: 1 sets"]);
    assert_eq!(
        BundleFixture::new(r#""org.oci-compat.spec": "[]""#).told(&policy()),
        ["Inline: 1:1: a spec is a list, but has to be a mapping with `version`, `compatibilities`"]
    );
}

#[test]
fn an_inline_spec_of_a_proposal_is_not_read_and_not_taken_for_a_wrong_one() {
    let inline = r#""org.oci-compat.spec": "{\"compatibilities\": [{\"oci.kernel.selinux\": \"true\"}]}""#;
    assert_eq!(
        BundleFixture::new(inline).told(&policy()),
        [
            "trouble: the spec in annotation org.oci-compat.spec is one of proposal H of the OCI working group, which is not read \
             here: attach it to the image instead"
        ]
    );
}

#[test]
fn a_stored_spec_of_a_proposal_counts_by_its_compiled_form_and_one_of_another_type_is_malformed() {
    let proposal = r#"{"compatibilities": [{"oci.kernel.selinux": "true"}]}"#;
    let told = |kind: SpecKind, is_compiled: bool| {
        let place = BundleFixture::new("").umoci(&[&image().to_string()]);
        let subject = ArtifactSubject::unseen(image());
        let package =
            pack_annotated(proposal.as_bytes(), kind, &subject, &BTreeMap::new()).expect("a package");
        let read = formats::parse_layer(PROPOSED_SPEC_TYPE, proposal.as_bytes()).expect("a spec");
        let body = compiled::encode(&read).expect("its compiled form");
        let compiled = is_compiled.then_some(Compiled { format: compiled::FORMAT, body });
        let digest = place.add(image(), package, compiled);
        place.told(&policy()).into_iter().map(|it| it.replace(&digest.to_string(), "A")).collect::<Vec<_>>()
    };
    assert_eq!(told(SpecKind::Proposed, true), ["Attached(\"A\"): 1 sets"]);
    assert_eq!(
        told(SpecKind::Proposed, false),
        [
            "trouble: the spec of artifact A is not compiled, and only the compiled form of proposal H of the OCI working group is \
             read here: oci-compat store recompile"
        ]
    );
    let [malformed] = &told(SpecKind::Nfd, false)[..] else { panic!("one line") };
    assert!(
        malformed.starts_with("Attached(\"A\"): 1:1: this is a spec of proposal H of the OCI working group"),
        "{malformed}"
    );
}

#[test]
fn a_bundle_that_cannot_be_read_is_the_containers_fault() {
    let place = BundleFixture::new("\"");
    assert_eq!(
        place.told(&policy()),
        ["fault: reading DIR/bundle/config.json: it is not JSON: it ends too early"]
    );
}

#[test]
fn an_image_that_must_have_a_signed_spec_has_none() {
    let demanding = |more: &str| {
        let mut policy = policy();
        let rule = format!("[trust.\"docker.io/acme/*\"]\nrequire = \"signed-spec\"\n{more}");
        policy.overlay(&rule, "config.toml");
        policy
    };
    let missing = "missing: trust \"docker.io/acme/*\" demands a signed spec of image docker.io/acme/upf, and the store has none: \
                   oci-compat pull docker.io/acme/upf";
    let place = BundleFixture::new("").umoci(&[&image().to_string()]);
    // The store does not know its repository.
    assert_eq!(place.told(&demanding("")), Vec::<String>::new());
    let note = |subject| {
        let mut writer = Writer::open(&place.store()).expect("the store");
        writer.demand(&[(subject, "docker.io/acme/upf".to_owned())]).expect("noted");
    };
    note(Digest::of(b"another"));
    assert_eq!(place.told(&demanding("")), Vec::<String>::new());
    note(image());
    assert_eq!(place.told(&demanding("")), [missing]);
    assert_eq!(place.told(&policy()), Vec::<String>::new());
    let narrower = "[trust.\"docker.io/acme/upf\"]\nrequire = \"none\"";
    assert_eq!(place.told(&demanding(narrower)), Vec::<String>::new());
    // What the administrator added is not signed.
    let own = place.add(image(), package(SPEC, image()), None);
    assert_eq!(place.told(&demanding("")), [format!("Attached(\"{own}\"): 0 sets"), missing.to_owned()]);
    // A store that cannot be read is trouble, which is another matter.
    let list = place.store().join("subjects").join(image().hex());
    fs::write(list, "torn").expect("writing");
    let told = place.told(&demanding(""));
    assert!(told.len() == 1 && told[0].starts_with("trouble: "), "{told:?}");
}

#[test]
fn a_referenced_artifact_has_to_be_in_the_store() {
    let place = BundleFixture::new("");
    let digest = place.add(image(), package(SPEC, image()), None);
    let annotation = format!("\"annotations\": {{\"org.oci-compat.artifact\": \"{digest}\"}}");
    fs::write(place.bundle().join("config.json"), format!("{{{annotation}}}")).expect("writing a fixture");
    assert_eq!(place.told(&policy()), [format!("Referenced(\"{digest}\"): 0 sets"), NOBODYS.to_owned()]);
    fs::remove_dir_all(place.store()).expect("the store");
    let missing = format!(
        "trouble: artifact {digest}, which the bundle refers to, is not in the store DIR/store: add it"
    );
    assert_eq!(place.told(&policy()), [missing.as_str()]);
    drop(Writer::open(&place.store()).expect("an empty store"));
    assert_eq!(place.told(&policy()), [missing]);
    assert_eq!(
        BundleFixture::new(r#""org.oci-compat.artifact": "../x""#).told(&policy()),
        [
            "fault: annotation org.oci-compat.artifact: digest \"../x\" does not start with \"sha256:\", the only algorithm \
          that is supported"
        ]
    );
}

#[test]
fn artifacts_of_the_image_and_of_its_index_are_found() {
    let index = Digest::of(b"index");
    let place = BundleFixture::new("").umoci(&[&index.to_string(), &image().to_string()]);
    let first = place.add(index, package(SPEC, index), None);
    let body = compiled::encode(&spec::parse(SPEC.as_bytes()).expect("a spec")).expect("its compiled form");
    let second =
        place.add(image(), package(SPEC, image()), Some(Compiled { format: compiled::FORMAT, body }));
    assert_eq!(
        place.told(&policy()),
        [format!("Attached(\"{first}\"): 0 sets"), format!("Attached(\"{second}\"): 0 sets")]
    );
    let collected = of_bundle(&place.bundle(), &place.store(), &policy(), &soon, &|_, _| None);
    assert_eq!(collected.subject.digest, Some(image().to_string()));
    let collected = of_image(&[image()], Image::default(), &place.store(), &policy());
    assert_eq!(place.lines(&collected), [format!("Attached(\"{second}\"): 0 sets")]);
}

/// A containerd that does not run, and a pod's container whose annotation has the image's name.
#[test]
fn what_the_store_has_for_the_name_counts_while_the_engine_does_not_answer() {
    let state = "run/io.containerd.runtime.v2.task/k8s.io/c1";
    let told = |name: &str, policy: &Policy| {
        let host = FakeHost::new().file(
            &format!("{state}/config.json"),
            format!("{{\"annotations\": {{\"io.kubernetes.cri.image-name\": {name:?}}}}}"),
        );
        drop(std::os::unix::net::UnixListener::bind(host.place("run/containerd.sock")).expect("a socket"));
        let mut writer = Writer::open(&host.place("store")).expect("the store");
        for (subject, fetched) in [("index", "2"), ("image", "2"), ("older", "1")] {
            let digest = Digest::of(subject.as_bytes());
            let origin = ArtifactOrigin {
                image: Some("docker.io/acme/upf:1".to_owned()),
                fetched: Some(format!("2026-01-0{fetched}T00:00:00Z")),
                ..ArtifactOrigin::default()
            };
            let addition = Addition::of_file(digest, package(SPEC, digest), None);
            writer.add(&Addition { origin: Some(origin), ..addition }).expect("an addition");
        }
        let collected = of_bundle(&host.place(state), &host.place("store"), policy, &soon, &|_, _| None);
        let relaxes = collected.policy.is_some_and(|it| !it.waivers.is_empty());
        (collected.requirements.len(), collected.troubles.len(), collected.subject.image, relaxes)
    };
    let name = |it: &str| Some(it.to_owned());
    assert_eq!(told("docker.io/acme/upf:1", &policy()), (2, 1, name("docker.io/acme/upf:1"), false));
    assert_eq!(told("acme/upf:1", &policy()), (2, 1, name("acme/upf:1"), false));
    assert_eq!(told("acme/upf:2", &policy()), (0, 1, name("acme/upf:2"), false));
    assert_eq!(told("*", &policy()), (0, 1, name("*"), false));
    assert_eq!(told("", &policy()), (0, 1, None, false));
}

/// What was noted of the image adds to what is demanded, and makes nothing less strict.
#[test]
fn what_is_remembered_of_the_image_counts_while_the_engine_does_not_answer() {
    let state = "run/io.containerd.runtime.v2.task/default/c1";
    let host = FakeHost::new()
        .file(&format!("{state}/config.json"), "{\"annotations\": {\"org.oci-compat.mode\": \"audit\"}}");
    drop(std::os::unix::net::UnixListener::bind(host.place("run/containerd.sock")).expect("a socket"));
    let mut writer = Writer::open(&host.place("store")).expect("the store");
    writer.add(&Addition::of_file(image(), package(SPEC, image()), None)).expect("an addition");
    let mut policy = policy();
    assert_eq!(policy.overlay("may_waive.images = [\"docker.io/acme/*\"]\n", "config.toml").problems, []);
    let noted = |digest: &str| Subject {
        image: Some("docker.io/acme/upf:1".to_owned()),
        digest: Some(digest.to_owned()),
        ..Subject::default()
    };
    let collected = |noted: Option<Subject>| {
        of_bundle(&host.place(state), &host.place("store"), &policy, &soon, &|_, _| noted.clone())
    };
    let found = collected(Some(noted(&image().to_string())));
    assert_eq!((found.requirements.len(), found.troubles.len()), (1, 1));
    assert_eq!(found.subject.digest, Some(image().to_string()));
    assert_eq!(found.image, Image::default());
    let told = format!("its image was {} when it was decided on before; what that demands counts", image());
    assert_eq!(found.notes.first(), Some(&told));
    assert_eq!(found.policy.expect("wishes").mode, policy.mode);
    assert_eq!(collected(Some(noted("no digest"))).requirements.len(), 0);
    assert_eq!(collected(None).requirements.len(), 0);
}

#[test]
fn an_artifact_that_is_both_referenced_and_attached_counts_once() {
    let place = BundleFixture::new("");
    let digest = place.add(image(), package(SPEC, image()), None);
    let config = format!("{{\"annotations\": {{\"org.oci-compat.artifact\": \"{digest}\"}}}}");
    fs::write(place.bundle().join("config.json"), config).expect("writing a fixture");
    let place = place.umoci(&[&image().to_string()]);
    assert_eq!(place.told(&policy()), [format!("Attached(\"{digest}\"): 0 sets")]);
}

#[test]
fn an_annotation_names_the_image_only_where_the_policy_heeds_it() {
    let place = BundleFixture::new(&format!("\"org.oci-compat.image\": \"{}\"", image()));
    let digest = place.add(image(), package(SPEC, image()), None);
    assert_eq!(
        place.told(&policy()),
        [
            "note: annotation org.oci-compat.image is not heeded: the configuration does not say image_annotation = true",
            NOBODYS
        ]
    );
    assert_eq!(place.told(&heeding()), [format!("Attached(\"{digest}\"): 0 sets")]);
    let other = BundleFixture::new("\"org.oci-compat.image\": \"latest\"");
    other.add(image(), package(SPEC, image()), None);
    assert_eq!(
        other.told(&heeding()),
        [
            "fault: annotation org.oci-compat.image: digest \"latest\" does not start with \"sha256:\", the only algorithm \
          that is supported",
            NOBODYS
        ]
    );
}

#[test]
fn trouble_with_one_place_hides_nothing_that_another_says() {
    let index = Digest::of(b"index");
    let broken = "version: v1alpha1\ncompatibilities: [{rules: []}]\n";
    let place = BundleFixture::new(
        r#""org.oci-compat.spec": "{\"version\": \"v1alpha1\", \"compatibilities\": []}""#,
    )
    .umoci(&["sha256:1", &index.to_string(), &image().to_string()]);
    let lost = place.add(index, package(broken, index), None);
    let found = place.add(image(), package(SPEC, image()), None);
    place.lose(broken);
    assert_eq!(
        place.told(&policy()),
        [
            format!("Attached(\"{found}\"): 0 sets"),
            "Inline: 0 sets".to_owned(),
            "fault: image known only in part: umoci.json: digest \"sha256:1\" has 1 digits, expected 64"
                .to_owned(),
            format!(
                "trouble: DIR/store/blobs/sha256/{} is not there, artifact {lost} needs it: remove it and add the artifact again",
                Digest::of(broken.as_bytes()).hex()
            ),
        ]
    );
}

#[test]
fn a_store_that_others_can_write_is_not_read_and_that_is_reported_once() {
    let place = BundleFixture::new(&format!("\"org.oci-compat.artifact\": \"{}\"", image()));
    place.add(image(), package(SPEC, image()), None);
    fs::set_permissions(place.store(), Permissions::from_mode(0o777)).expect("changing a fixture");
    assert_eq!(
        place.told(&policy()),
        [
            "trouble: the store cannot be used: DIR/store has mode 0777, only its owner may write to it: chmod go-w DIR/store"
        ]
    );
}

#[test]
fn a_compiled_form_that_is_of_no_use_is_passed_over_with_a_note() {
    let place = BundleFixture::new("").umoci(&[&image().to_string()]);
    let body = b"{}".to_vec();
    let digest =
        place.add(image(), package(SPEC, image()), Some(Compiled { format: compiled::FORMAT, body }));
    let path = format!("compiled/{}", Digest::of(SPEC.as_bytes()).hex());
    let check = |reason: &str| {
        let found = format!("Attached(\"{digest}\"): 0 sets");
        let note = format!("note: DIR/store/{path} {reason}");
        assert_eq!(place.told(&policy()), [found, note]);
    };
    let mend = "the spec itself was read: add the artifact again";
    check(&format!("is of no use: reading a compiled spec: missing field `sets` at line 1 column 2; {mend}"));
    fs::set_permissions(place.store().join(&path), Permissions::from_mode(0o666))
        .expect("changing a fixture");
    check(&format!(
        "has mode 0666, only its owner may write to it: chmod go-w {}/{path}; the spec itself was read",
        "DIR/store"
    ));
    fs::set_permissions(place.store().join(&path), Permissions::from_mode(0o644))
        .expect("changing a fixture");
    fs::write(place.store().join(&path), "x").expect("damaging a fixture");
    check(&format!("has no header line; {mend}"));
}

impl BundleFixture {
    /// A file of the administrator's.
    fn own(&self, name: &str, text: &str) -> &Self {
        let folder = self.0.path().join("requirements.d");
        fs::create_dir_all(&folder).expect("making a fixture");
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).expect("changing a fixture");
        fs::write(folder.join(name), text).expect("writing a fixture");
        fs::set_permissions(folder.join(name), Permissions::from_mode(0o644)).expect("changing a fixture");
        self
    }

    fn policy(&self, text: &str) -> Policy {
        let mut policy = Policy { requirements: Some(self.0.path().join("requirements.d")), ..policy() };
        assert_eq!(policy.overlay(text, "config.toml").problems, []);
        policy
    }
}

#[test]
fn annotations_change_the_policy_only_where_something_is_demanded() {
    let wish = r#""org.oci-compat.undecided": "refuse", "org.oci-compat.mode": "audit""#;
    let heeded = |place: &BundleFixture, policy: &Policy| {
        of_bundle(&place.bundle(), &place.store(), policy, &soon, &|_, _| None).policy
    };
    let place = BundleFixture::new(wish);
    assert_eq!(heeded(&place, &place.policy("")), None);
    place.own("1.toml", ANY);
    let given = place.policy("");
    let expected = Policy { undecided: crate::policy::Action::Refuse, ..given.clone() };
    assert_eq!(heeded(&place, &given), Some(expected));
    assert_eq!(
        place.told(&given),
        [
            "Administrator(\"DIR/requirements.d/1.toml\"): 0 sets",
            "note: annotation org.oci-compat.mode=audit is not heeded: may_waive.images in the configuration does not have \
             this image",
        ]
    );
    let place = place.umoci(&[&image().to_string()]);
    let given = place.policy(&format!("may_waive.images = [\"{}\"]", image()));
    assert_eq!(heeded(&place, &given).map(|it| it.mode), Some(crate::policy::Mode::Audit));
}

#[test]
fn an_image_s_name_and_digest_in_annotations_relax_nothing() {
    let (asked, granted) = (Digest::of(b"asked").to_string(), Digest::of(b"granted").to_string());
    let claims = format!(
        "\"org.oci-compat.spec\": {SPEC:?}, \"org.oci-compat.waive\": \"*\", \"io.kubernetes.cri-o.Image\": \"acme/upf:1\", \
         \"io.kubernetes.cri-o.ImageRepoDigests\": \"acme/upf@{granted}\""
    );
    let images = format!("[{{\"id\": \"i\", \"digest\": \"{asked}\", \"names\": [\"quay.io/x/y:1\"]}}]");
    let host = FakeHost::new()
        .file("s/vfs-containers/c1/userdata/config.json", format!("{{\"annotations\": {{{claims}}}}}"))
        .file("s/vfs-containers/containers.json", "[{\"id\": \"c1\", \"image\": \"i\"}]")
        .file("s/vfs-images/images.json", images);
    let heeded = |may_waive: &str| {
        let mut policy = Policy { requirements: None, ..policy() };
        let config = format!("may_waive.images = [\"{may_waive}\"]");
        assert_eq!(policy.overlay(&config, "config.toml").problems, []);
        let folder = host.place("s/vfs-containers/c1/userdata");
        of_bundle(&folder, &host.place("store"), &policy, &soon, &|_, _| None)
            .policy
            .is_some_and(|it| !it.waivers.is_empty())
    };
    assert_eq!(["acme/upf", &granted].map(heeded), [false, false]);
    assert_eq!(["quay.io/x/*", &asked, "*"].map(heeded), [true, true, true]);
}
