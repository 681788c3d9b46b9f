//! The same image in several repositories: what one of them has never disarms what another one has, in whatever order both
//! are pulled.

use oci_compat::store::Digest;
use oci_compat::supply::registry::IMAGE_MANIFEST;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::pull::{document, put_in};
use super::signer::Signer;
use super::{SPEC, folder, run, write};
use crate::registry::fake::{Fake, Play, manifest};

const OLD: &str = "2026-01-01T00:00:00Z";
const NEW: &str = "2026-02-01T00:00:00Z";
const LAX: &str = "version: v1alpha1\ncompatibilities:\n- rules: []\n";

/// A registry with the same image in `acme/upf` and in `evil/upf`, and a host that does not fit [`strict`].
struct Two {
    fake: Fake,
    image: Digest,
    signer: Signer,
    folder: TempDir,
}

/// A spec that the host does not fit.
fn strict() -> String {
    SPEC.replace("[5]", "[6]")
}

impl Two {
    fn new() -> Self {
        let fake = Fake::start(Play { lists_referrers: true, ..Play::default() });
        let bytes = manifest("an/image", None, 1);
        let image = fake.put("acme/upf", Some("1"), IMAGE_MANIFEST, &bytes);
        fake.put("evil/upf", Some("1"), IMAGE_MANIFEST, &bytes);
        let (signer, folder) = (Signer::new(), folder());
        write(&folder, "acme.pub", &signer.pem());
        let key = folder.path().join("acme.pub").display().to_string();
        let rule = format!("[trust.\"{}/acme/*\"]\nrequire = \"signature\"\nkeys = [{key:?}]\n", fake.name());
        write(&folder, "config.toml", &rule);
        Self { fake, image, signer, folder }
    }

    fn attach(&self, repository: &str, spec: &str, created: &str) -> Digest {
        put_in(&self.fake, repository, &document(&self.image, spec, created), spec)
    }

    fn attach_signed(&self, repository: &str, spec: &str, created: &str) -> Digest {
        let artifact = self.attach(repository, spec, created);
        self.signer.sign_in(&self.fake, repository, &artifact, &artifact);
        artifact
    }

    fn pull(&self, images: &[&str]) {
        let images: Vec<_> = images.iter().map(|it| format!("{}/{it}:1", self.fake.name())).collect();
        let line = format!("pull {} --plain-http --store store --config config.toml", images.join(" "));
        let ran = run(&self.folder, &line);
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
    }

    fn check(&self) -> Value {
        let ran = run(&self.folder, &format!("check {} --store store --root host --format json", self.image));
        serde_json::from_str(&ran.stdout).expect("a report")
    }

    fn list(&self) -> String {
        run(&self.folder, "list --store store").stdout.replace(&self.fake.name(), "HOST")
    }

    /// The verdict, and the notes, after each order in which both repositories can be pulled.
    fn in_each_order(&self, verdict: &str, notes: &[String]) {
        let orders: [&[&[&str]]; 4] = [
            &[&["acme/upf"], &["evil/upf"]],
            &[&["evil/upf"], &["acme/upf"]],
            &[&["acme/upf", "evil/upf"]],
            &[&["evil/upf", "acme/upf"]],
        ];
        for order in orders {
            // There is none before the first.
            drop(std::fs::remove_dir_all(self.folder.path().join("store")));
            order.iter().for_each(|it| self.pull(it));
            for _ in 0..2 {
                let report = self.check();
                assert_eq!(report["verdict"], verdict, "{order:?}: {report:#}");
                let told = report["notes"].as_array().cloned().unwrap_or_default();
                let told: Vec<_> = told.iter().filter_map(Value::as_str).map(|it| self.shown(it)).collect();
                assert_eq!(told, notes, "{order:?}");
                self.pull(&["acme/upf", "evil/upf"]);
            }
        }
    }

    fn shown(&self, text: &str) -> String {
        text.replace(&self.fake.name(), "HOST")
    }

    fn aside(artifact: &Digest) -> String {
        format!(
            "artifact {artifact} from HOST/evil/upf does not count: nothing was verified of it, and another one of this image \
             was verified"
        )
    }
}

#[test]
fn an_unverified_artifact_relaxes_nothing_that_was_verified() {
    let two = Two::new();
    let good = two.attach_signed("acme/upf", &strict(), OLD);
    let evil = two.attach("evil/upf", LAX, NEW);
    two.in_each_order("incompatible", &[Two::aside(&evil)]);
    let key = Digest::of(&two.signer.der());
    let list = two.list();
    let lines = [
        format!("  {good}  {OLD}  signed by key {key}  from HOST/acme/upf\n"),
        format!(
            "  {evil}  {NEW}  no signature verified  from HOST/evil/upf, does not count beside a verified one\n"
        ),
    ];
    assert!(lines.iter().all(|it| list.contains(it)), "{list}");
    let report = two.check();
    assert_eq!(two.shown(report["specs"][0]["repository"].as_str().expect("a name")), "HOST/acme/upf");
    let rule = format!("{}/acme/*", two.fake.name());
    assert_eq!(report["specs"][0]["verified"], json!({"by": "key", "key": key, "rule": rule}));
    let shown = run(&two.folder, &format!("show {} --store store", two.image)).stdout;
    let shown = two.shown(&shown);
    assert!(shown.contains(&format!("    signed   with key {key}\n")), "{shown}");
    assert!(shown.contains("    from     HOST/evil/upf\n"), "{shown}");
}

#[test]
fn an_unverified_artifact_refuses_nothing_beside_a_verified_one() {
    let two = Two::new();
    two.attach_signed("acme/upf", LAX, OLD);
    let evil = two.attach("evil/upf", &strict(), NEW);
    two.in_each_order("compatible", &[Two::aside(&evil)]);
}

#[test]
fn several_repositories_without_verified_artifacts_all_count() {
    let two = Two::new();
    write(&two.folder, "config.toml", "");
    two.attach("acme/upf", &strict(), OLD);
    two.attach("evil/upf", LAX, NEW);
    two.in_each_order("incompatible", &[]);
}

#[test]
fn an_artifact_that_was_copied_with_its_signature_is_verified_by_the_rule_of_its_own_repository() {
    let two = Two::new();
    let old = two.attach_signed("acme/upf", LAX, OLD);
    two.attach_signed("acme/upf", &strict(), NEW);
    two.attach_signed("evil/upf", LAX, OLD);
    two.in_each_order("incompatible", &[Two::aside(&old)]);
}

#[test]
fn what_the_administrator_added_from_a_file_is_superseded_by_nothing_that_is_pulled() {
    let two = Two::new();
    write(&two.folder, "strict.yaml", &strict());
    let add = format!("store add strict.yaml --store store --subject {} --created {OLD}", two.image);
    assert_eq!(run(&two.folder, &add).status, 0);
    two.attach_signed("acme/upf", LAX, NEW);
    two.attach("evil/upf", LAX, NEW);
    two.pull(&["acme/upf", "evil/upf"]);
    assert_eq!(two.check()["verdict"], "incompatible");
}

#[test]
fn a_store_of_an_older_release_is_read_by_its_names_until_the_next_pull() {
    let two = Two::new();
    two.attach_signed("acme/upf", &strict(), OLD);
    two.attach("evil/upf", LAX, NEW);
    two.pull(&["acme/upf", "evil/upf"]);
    let path = two.folder.path().join("store/subjects").join(two.image.hex());
    let new = std::fs::read_to_string(&path).expect("a list");
    let mut list: Value = serde_json::from_str(&new).expect("a list");
    for artifact in list["artifacts"].as_array_mut().expect("artifacts") {
        let origin = artifact["origin"].as_object_mut().expect("an origin");
        origin.retain(|key, _| !["repository", "rule"].contains(&key.as_str()));
    }
    std::fs::write(&path, list.to_string()).expect("writing");
    std::fs::remove_dir_all(two.folder.path().join("store/names")).expect("removing");
    assert_eq!(two.check()["verdict"], "incompatible");
    two.pull(&["acme/upf", "evil/upf"]);
    let again: Value = serde_json::from_str(&std::fs::read_to_string(&path).expect("a list")).expect("JSON");
    let repositories = |list: &Value| {
        let all = list["artifacts"].as_array().expect("artifacts").iter();
        all.map(|it| it["origin"]["repository"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(repositories(&again), repositories(&serde_json::from_str(&new).expect("JSON")));
    assert_eq!(run(&two.folder, "store verify --store store").status, 0);
}

#[test]
fn an_archive_carries_where_artifacts_are_from() {
    let two = Two::new();
    two.attach_signed("acme/upf", &strict(), OLD);
    two.attach("evil/upf", LAX, NEW);
    two.pull(&["evil/upf", "acme/upf"]);
    let before = two.list();
    assert_eq!(run(&two.folder, "store export all.tar --store store").status, 0);
    drop(std::fs::remove_dir_all(two.folder.path().join("store")));
    let ran = run(&two.folder, "store import all.tar --store store --config config.toml");
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    assert_eq!((two.check()["verdict"].as_str(), two.list()), (Some("incompatible"), before));
}
