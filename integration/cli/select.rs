//! `select`: the best image of an index, from a file, a layout, an archive and a registry.

use std::fs;
use std::process::Command;

use oci_compat::store::Digest;
use oci_compat::supply::registry::{IMAGE_INDEX, IMAGE_MANIFEST};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::program::{ARM64, X86_64, elf, image, layer, start, starts_with};
use super::{run, write};
use crate::registry::fake::{Fake, Play, manifest};

const GENERIC: &str = "sha256:e692418e4cbaf90ca69d05a66403747baa33ee08806650b51fab815ad7fc331f";
const SPECIAL: &str = "sha256:5b0bcabd1ed22e9fb1310cf6c2dec7cdef19f0ad69efa1f392e94a4333501270";

/// A folder with the facts of a host that has these CPU flags, as `facts.json`, and no configuration.
fn host(flags: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let flags: serde_json::Map<_, _> = flags.iter().map(|it| ((*it).to_owned(), json!({}))).collect();
    let facts = json!({
        "flags": {"cpu.cpuid": {"elements": flags}, "kernel.program": {"elements": {"x86-64": {}}},
            "kernel.loadedmodule": {"elements": {"overlay": {}}}},
        "attributes": {"system.osrelease": {"elements": {"ID": "debian"}}, "kernel.version": {"elements": {"major": "5"}}}
    });
    write(&folder, "facts.json", &facts.to_string());
    write(&folder, "config.toml", "requirements = false\n");
    folder
}

const OPTIONS: &str = "--facts facts.json --store store --config config.toml";

/// What is chosen of an image: the exit status, the digest, and the table without its digests.
fn chosen(folder: &TempDir, image: &str, more: &str) -> (i32, String, String) {
    let ran = run(folder, &format!("select {image} {OPTIONS} {more}"));
    (ran.status, ran.stdout, ran.stderr)
}

/// An index that was published with a proposal.
fn published(name: &str) -> &'static str {
    match name {
        "A1" => include_str!("../conformance/proposals/A1.json"),
        _ => include_str!("../conformance/proposals/E1.json"),
    }
}

#[test]
fn the_published_example_of_proposal_e_is_chosen_by_features() {
    let folder = host(&["AVX2", "BMI2", "X86_64_V2"]);
    write(&folder, "index.json", published("E1"));
    let table = format!(
        "* compatible    {SPECIAL}  linux/amd64/v2 with avx2, bmi2\n  compatible    {GENERIC}  linux/amd64\n"
    );
    assert_eq!(chosen(&folder, "index.json", ""), (0, format!("{SPECIAL}\n"), table));
    let folder = host(&["AVX2", "X86_64_V2"]);
    write(&folder, "index.json", published("E1"));
    let table = format!(
        "* compatible    {GENERIC}  linux/amd64\n  incompatible  {SPECIAL}  linux/amd64/v2 with avx2, bmi2: CPU flag BMI2 is not \
         present [cpu-flag-missing]\n"
    );
    assert_eq!(chosen(&folder, "index.json", ""), (0, format!("{GENERIC}\n"), table));
}

#[test]
fn the_published_example_of_proposal_a_is_chosen_by_the_configuration() {
    let folder = host(&[]);
    write(&folder, "index.json", published("A1"));
    assert_eq!(chosen(&folder, "index.json", "").1, format!("{GENERIC}\n"));
    let prefer = "requirements = false\n[[prefer]]\nannotation = \"com.example.gpu\"\nvalue = \"example-gpu-model\"\nweight = 10\n";
    write(&folder, "config.toml", prefer);
    let table =
        format!("* compatible    {SPECIAL}  linux/amd64, score 10\n  compatible    {GENERIC}  linux/amd64\n");
    assert_eq!(chosen(&folder, "index.json", ""), (0, format!("{SPECIAL}\n"), table));
    let json = run(&folder, &format!("select index.json {OPTIONS} --format json"));
    let found: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(
        found["entries"][0],
        json!({"image": "index.json", "digest": SPECIAL, "platform": "linux/amd64", "verdict": "compatible", "score": 10,
            "specific": 1, "reasons": []})
    );
    assert_eq!((json.status, &found["chosen"], json.stderr.as_str()), (0, &json!(SPECIAL), ""));
}

/// A spec that demands a module.
fn spec(module: &str, weight: u32) -> String {
    format!(
        "version: v1alpha1\ncompatibilities:\n- weight: {weight}\n  rules:\n  - name: {module}\n    matchFeatures:\n    - feature: \
         kernel.loadedmodule\n      matchExpressions:\n        {module}: {{op: Exists}}\n"
    )
}

#[test]
fn what_the_store_has_for_an_entry_decides_and_adds_its_weight() {
    let folder = host(&["AVX2", "BMI2", "X86_64_V2"]);
    write(&folder, "index.json", published("E1"));
    write(&folder, "gtp5g.yaml", &spec("gtp5g", 9));
    write(&folder, "overlay.yaml", &spec("overlay", 3));
    for (file, subject) in [("gtp5g.yaml", SPECIAL), ("overlay.yaml", GENERIC)] {
        assert_eq!(run(&folder, &format!("store add --store store {file} --subject {subject}")).status, 0);
    }
    let table = format!(
        "* compatible    {GENERIC}  linux/amd64, score 3\n  incompatible  {SPECIAL}  linux/amd64/v2 with avx2, bmi2: kernel module \
         gtp5g is not loaded [module-not-loaded]\n"
    );
    assert_eq!(chosen(&folder, "index.json", ""), (0, format!("{GENERIC}\n"), table));
}

#[test]
fn where_nothing_fits_nothing_is_printed_and_where_nothing_is_known_the_best_is_undecided() {
    let folder = host(&[]);
    let entry = json!({"mediaType": IMAGE_MANIFEST, "digest": SPECIAL, "size": 7,
        "platform": {"os": "linux", "architecture": "s390x"}});
    write(&folder, "index.json", &json!({"schemaVersion": 2, "manifests": [entry]}).to_string());
    let (status, stdout, stderr) = chosen(&folder, "index.json", "");
    assert_eq!((status, stdout.as_str()), (1, ""));
    assert_eq!(stderr.lines().last(), Some("no entry fits this host"));
    write(&folder, "facts.json", r#"{"flags": {}}"#);
    let (status, stdout, _) = chosen(&folder, "index.json", "");
    assert_eq!((status, stdout), (3, format!("{SPECIAL}\n")));
    write(&folder, "index.json", "{}");
    let (status, stdout, stderr) = chosen(&folder, "index.json", "");
    let message = "error: reading index.json: it is no index of images: it has no `manifests`\n";
    assert_eq!((status, stdout.as_str(), stderr.as_str()), (2, "", message));
}

/// A layout with an index of two images, for any amd64 and for its third level; the digests of these. The program of the second one
/// is for arm64.
fn layout(folder: &TempDir) -> [String; 2] {
    let blob = |bytes: &[u8], media_type: &str| -> Value {
        let digest = Digest::of(bytes);
        let blobs = folder.path().join("layout/blobs/sha256");
        fs::create_dir_all(&blobs).expect("a folder");
        fs::write(blobs.join(digest.hex()), bytes).expect("a blob");
        json!({"mediaType": media_type, "digest": digest.to_string(), "size": bytes.len()})
    };
    let image = |machine: u8, variant: Value| {
        let config = json!({"os": "linux", "architecture": "amd64", "config": starts_with("/app")});
        let layer = layer(&[("app", &elf(machine))]);
        let layer = blob(&layer, "application/vnd.oci.image.layer.v1.tar+gzip");
        let config = blob(config.to_string().as_bytes(), "application/vnd.oci.image.config.v1+json");
        let manifest =
            json!({"schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "config": config, "layers": [layer]});
        let mut entry = blob(manifest.to_string().as_bytes(), IMAGE_MANIFEST);
        entry["platform"] = json!({"os": "linux", "architecture": "amd64", "variant": variant});
        entry
    };
    let (any, third) = (image(X86_64, Value::Null), image(ARM64, json!("v3")));
    let digests = [&any, &third].map(|it| it["digest"].as_str().expect("a digest").to_owned());
    let index = json!({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": [any, third]});
    let mut top = blob(index.to_string().as_bytes(), IMAGE_INDEX);
    top["annotations"] = json!({"org.opencontainers.image.ref.name": "latest"});
    write(folder, "layout/oci-layout", r#"{"imageLayoutVersion": "1.0.0"}"#);
    write(folder, "layout/index.json", &json!({"schemaVersion": 2, "manifests": [top]}).to_string());
    digests
}

#[test]
fn images_of_a_layout_and_an_archive_are_judged_with_what_is_attached_there() {
    let folder = host(&["X86_64_V3"]);
    let [any, third] = layout(&folder);
    let expected = format!("* compatible    {third}  linux/amd64/v3\n  compatible    {any}  linux/amd64\n");
    assert_eq!(chosen(&folder, "oci:layout", ""), (0, format!("{third}\n"), expected));
    write(&folder, "gtp5g.yaml", &spec("gtp5g", 0));
    let attached = run(&folder, "attach oci:layout:latest gtp5g.yaml --platform linux/amd64/v3");
    assert_eq!((attached.status, attached.stderr.as_str()), (0, ""));
    let expected = format!(
        "* compatible    {any}  linux/amd64\n  incompatible  {third}  linux/amd64/v3: kernel module gtp5g is not loaded \
         [module-not-loaded]\n"
    );
    assert_eq!(chosen(&folder, "oci:layout:latest", ""), (0, format!("{any}\n"), expected.clone()));
    let packed = Command::new("tar")
        .args(["-C", "layout", "-cf", "layout.tar", "."])
        .current_dir(folder.path())
        .status();
    assert!(packed.expect("running tar").success());
    assert_eq!(chosen(&folder, "oci-archive:layout.tar:latest", ""), (0, format!("{any}\n"), expected));
}

#[test]
fn programs_of_a_layout_are_read_and_an_image_that_is_not_there_is_undecided() {
    let folder = host(&["X86_64_V3"]);
    let [any, third] = layout(&folder);
    let first = format!("* compatible    {any}  linux/amd64\n");
    let why = "a program for arm64 is not started [program-architecture]";
    let table = format!("{first}  incompatible  {third}  linux/amd64/v3: {why}\n");
    assert_eq!(chosen(&folder, "oci:layout", "--program"), (0, format!("{any}\n"), table));
    let manifest = format!("blobs/sha256/{}", third.trim_start_matches("sha256:"));
    fs::remove_file(folder.path().join("layout").join(&manifest)).expect("removing a manifest");
    let table = format!(
        "{first}  undecided     {third}  linux/amd64/v3: {manifest} is not there: copy the image anew [trouble]\n"
    );
    assert_eq!(chosen(&folder, "oci:layout", ""), (0, format!("{any}\n"), table));
}

#[test]
fn images_of_a_registry_are_judged_with_what_is_attached_there() {
    let fake = Fake::start(Play { lists_referrers: true, ..Play::default() });
    let any = fake.put("acme/upf", None, IMAGE_MANIFEST, &manifest("an/image", None, 1));
    let third = fake.put("acme/upf", None, IMAGE_MANIFEST, &manifest("an/image", None, 2));
    let entry = |digest: &Digest, variant: Value| {
        json!({"mediaType": IMAGE_MANIFEST, "digest": digest.to_string(), "size": 7,
            "platform": {"os": "linux", "architecture": "amd64", "variant": variant}})
    };
    let index = json!({"schemaVersion": 2, "mediaType": IMAGE_INDEX,
        "manifests": [entry(&any, Value::Null), entry(&third, json!("v3"))]});
    fake.put("acme/upf", Some("1"), IMAGE_INDEX, index.to_string().as_bytes());
    let folder = host(&["X86_64_V3"]);
    let name = format!("{}/acme/upf:1", fake.name());
    assert_eq!(chosen(&folder, &name, "--plain-http").1, format!("{third}\n"));
    write(&folder, "gtp5g.yaml", &spec("gtp5g", 0));
    let by_digest = format!("{}/acme/upf@{third}", fake.name());
    let attached = run(&folder, &format!("attach {by_digest} gtp5g.yaml --plain-http"));
    assert_eq!((attached.status, attached.stderr.as_str()), (0, ""));
    let (status, stdout, stderr) = chosen(&folder, &name, "--plain-http");
    assert_eq!((status, stdout), (0, format!("{any}\n")));
    assert_eq!(
        stderr,
        format!(
            "* compatible    {any}  linux/amd64\n  incompatible  {third}  linux/amd64/v3: kernel module gtp5g is not loaded \
             [module-not-loaded]\n"
        )
    );
    // Images of several places are ranked together.
    let both = chosen(&folder, &format!("{by_digest} {name}"), "--plain-http");
    assert_eq!((both.0, both.1, both.2.lines().count()), (0, format!("{any}\n"), 3));
}

#[test]
fn the_program_of_an_image_goes_before_its_label() {
    let fake = start();
    let put =
        |machine| image(&fake, None, "amd64", &starts_with("/app"), &[layer(&[("app", &elf(machine))])]).0;
    let (wrong, right) = (put(ARM64), put(X86_64));
    let entry = |digest: &Digest, variant: Value| {
        json!({"mediaType": IMAGE_MANIFEST, "digest": digest.to_string(), "size": 7,
            "platform": {"os": "linux", "architecture": "amd64", "variant": variant}})
    };
    let index = json!({"schemaVersion": 2, "mediaType": IMAGE_INDEX,
        "manifests": [entry(&wrong, json!("v3")), entry(&right, Value::Null)]});
    fake.put("acme/app", Some("1"), IMAGE_INDEX, index.to_string().as_bytes());
    let folder = host(&["X86_64_V3"]);
    let name = format!("{}/acme/app:1", fake.name());
    assert_eq!(chosen(&folder, &name, "--plain-http").1, format!("{wrong}\n"));
    let (status, stdout, stderr) = chosen(&folder, &name, "--plain-http --program");
    assert_eq!((status, stdout), (0, format!("{right}\n")), "{stderr}");
    let last = stderr.lines().last().unwrap_or_default();
    let why = "a program for arm64 is not started [program-architecture]";
    assert_eq!(last, format!("  incompatible  {wrong}  linux/amd64/v3: {why}"));
}
