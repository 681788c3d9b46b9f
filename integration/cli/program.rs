//! `check --remote --program`: what an image's program demands, read in its layers, and what its environment demands.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use oci_compat::store::Digest;
use oci_compat::supply::registry::{IMAGE_INDEX, IMAGE_MANIFEST};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{folder, write};
use crate::command::{Ran, oci_compat};
use crate::registry::fake::{Fake, Play};

pub(super) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const CHECK: &str = "check HOST/acme/app:1 --remote --plain-http --config none --root host";

/// The header of a program of 64 bits for a machine of this number.
pub(super) fn elf(machine: u8) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    (bytes[18], bytes[54]) = (machine, 56);
    bytes
}

pub(super) const X86_64: u8 = 62;
pub(super) const ARM64: u8 = 183;

/// A layer with these programs, packed.
pub(super) fn layer(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, path, *content).expect("a member");
    }
    let mut packed = builder.into_inner().expect("a layer");
    packed.flush().expect("a layer");
    packed.finish().expect("a layer")
}

/// Puts an image into a registry, under a tag if there is one: its manifest's digest and size.
pub(super) fn image(
    fake: &Fake,
    tag: Option<&str>,
    architecture: &str,
    config: &Value,
    layers: &[Vec<u8>],
) -> (Digest, usize) {
    let config = json!({"os": "linux", "architecture": architecture, "config": config}).to_string();
    let put = |bytes: &[u8]| {
        let digest = Digest::of(bytes);
        let key = ("acme/app".to_owned(), digest.to_string());
        fake.content.lock().expect("no panic").blobs.insert(key, bytes.to_vec());
        digest
    };
    let of = |kind: &str, bytes: &[u8]| json!({"mediaType": kind, "digest": put(bytes), "size": bytes.len()});
    let layers: Vec<_> = layers.iter().map(|it| of(LAYER, it)).collect();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "config": of(CONFIG, config.as_bytes()), "layers": layers,
    });
    let manifest = manifest.to_string();
    (fake.put("acme/app", tag, IMAGE_MANIFEST, manifest.as_bytes()), manifest.len())
}

pub(super) fn start() -> Fake {
    Fake::start(Play { lists_referrers: true, ..Play::default() })
}

/// A host whose kernel is this one's, without handlers of other programs.
pub(super) fn host(arch: &str) -> TempDir {
    let folder = folder();
    write(&folder, "host/proc/sys/kernel/arch", &format!("{arch}\n"));
    write(&folder, "host/proc/filesystems", "nodev\tproc\n");
    folder
}

fn ran(folder: &TempDir, fake: &Fake, line: &str) -> Ran {
    let line = line.replace("HOST", &fake.name());
    let ran = oci_compat(folder.path(), &line.split_whitespace().collect::<Vec<_>>());
    let hidden = |text: &str| text.replace(&fake.name(), "HOST");
    Ran { stdout: hidden(&ran.stdout), stderr: hidden(&ran.stderr), ..ran }
}

/// The first lines of what is printed, and the exit status.
fn check(folder: &TempDir, fake: &Fake, options: &str, status: i32, expected: &str) {
    let ran = ran(folder, fake, &format!("{CHECK} {options}"));
    let start = ran.stdout.split("\n\n").next().unwrap_or_default();
    let start = start.lines().map(|it| it.trim_start()).collect::<Vec<_>>().join("\n");
    let start = start
        .split_once("sha256:")
        .map_or(start.clone(), |(before, rest)| format!("{before}{}", &rest[64..]));
    assert_eq!((ran.status, start.as_str(), ran.stderr.as_str()), (status, expected, ""), "{ran:?}");
}

pub(super) fn starts_with(program: &str) -> Value {
    json!({"Entrypoint": [program]})
}

#[test]
fn a_program_for_another_machine_cannot_run_whatever_its_label_says() {
    let fake = start();
    let script = b"#!/bin/sh\n".as_slice();
    let layers = [layer(&[("bin/sh", &elf(ARM64))]), layer(&[("app/run", script)])];
    image(&fake, Some("1"), "amd64", &starts_with("/app/run"), &layers);
    let folder = host("x86_64");
    check(
        &folder,
        &fake,
        "--program",
        1,
        "incompatible: image HOST/acme/app:1, \n/bin/sh is for arm64; this host is x86-64, and no binfmt handler for arm64 is enabled [program-architecture]",
    );
    // Nothing is known of it without a look.
    check(&folder, &fake, "", 0, "compatible: image HOST/acme/app:1, ");
}

#[test]
fn a_label_that_is_wrong_refuses_no_image_whose_program_runs() {
    let fake = start();
    let (digest, size) =
        image(&fake, None, "s390x", &starts_with("/run"), &[layer(&[("run", &elf(X86_64))])]);
    let entry = json!({"mediaType": IMAGE_MANIFEST, "digest": digest, "size": size,
        "platform": {"os": "linux", "architecture": "s390x"}});
    let index = json!({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": [entry]}).to_string();
    fake.put("acme/app", Some("1"), IMAGE_INDEX, index.as_bytes());
    let folder = host("x86_64");
    let label = "a program for s390x is not started [program-architecture]\nremedy: have it built for the host's platform";
    check(
        &folder,
        &fake,
        "--platform linux/s390x",
        1,
        &format!("incompatible: image HOST/acme/app:1, \n{label}"),
    );
    check(
        &folder,
        &fake,
        "--platform linux/s390x --program",
        0,
        &format!("compatible: image HOST/acme/app:1, \nrecommended: {label}"),
    );
}

/// An index with an image of each of these platforms, under the tag 1; the digests of the images.
fn index(fake: &Fake, platforms: &[Value]) -> Vec<Digest> {
    let mut digests = Vec::new();
    let mut entries = Vec::new();
    for (number, platform) in platforms.iter().enumerate() {
        let config = json!({"Entrypoint": ["/run"], "Labels": {"number": number.to_string()}});
        let architecture = platform["architecture"].as_str().unwrap_or_default();
        let (digest, size) = image(fake, None, architecture, &config, &[]);
        entries
            .push(json!({"mediaType": IMAGE_MANIFEST, "digest": digest, "size": size, "platform": platform}));
        digests.push(digest);
    }
    let index = json!({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": entries}).to_string();
    fake.put("acme/app", Some("1"), IMAGE_INDEX, index.as_bytes());
    digests
}

/// What is printed of a host that a document describes, without the digest of the image that was taken.
fn by_facts(folder: &TempDir, fake: &Fake, options: &str) -> (i32, String) {
    let line = CHECK.replace(" --root host", " --facts facts.json").replace("none", options);
    let ran = ran(folder, fake, &line);
    assert_eq!(ran.stderr, "", "{ran:?}");
    (ran.status, ran.stdout.split("\n\n").next().unwrap_or_default().to_owned())
}

#[test]
fn a_variant_is_a_recommendation_and_a_better_sibling_is_named() {
    let fake = start();
    let platform = |variant: &str| json!({"os": "linux", "architecture": "amd64", "variant": variant});
    let digests = index(&fake, &[platform("v2"), platform("v4"), platform("v3")]);
    let folder = folder();
    let facts = |level: &str| {
        let flags =
            json!({"cpu.cpuid": {"elements": {level: {}}}, "kernel.program": {"elements": {"x86-64": {}}}});
        write(&folder, "facts.json", &json!({"flags": flags}).to_string());
    };
    facts("X86_64_V3");
    let note = format!(
        "  note: its index also has linux/amd64/v3 ({}), which fits this host: ask for it by its digest",
        digests[2]
    );
    let (status, text) = by_facts(&folder, &fake, "none");
    assert_eq!((status, text.lines().any(|it| it == note)), (0, true), "{text}");
    assert!(text.contains("  recommended: ") && text.contains("[cpu-level-missing]"), "{text}");
    write(&folder, "off.toml", "implicit.index = \"off\"\n");
    let (status, text) = by_facts(&folder, &fake, "off.toml");
    assert!(status == 0 && !text.contains("recommended") && !text.contains("its index"), "{text}");
}

#[test]
fn a_windows_image_is_judged_by_its_build_and_the_fitting_one_is_taken() {
    let fake = start();
    let platform = |version: &str| json!({"os": "windows", "architecture": "amd64", "os.version": version});
    let digests = index(&fake, &[platform("10.0.17763.6000"), platform("10.0.20348.2113")]);
    let folder = folder();
    let check = |version: &str, status: i32, digest: &Digest, reason: &str| {
        let attributes = json!({
            "kernel.version": {"elements": {"full": version}}, "system.osrelease": {"elements": {"ID": "windows"}},
        });
        write(&folder, "facts.json", &json!({"attributes": attributes}).to_string());
        let (found, text) = by_facts(&folder, &fake, "none --platform windows/amd64");
        let first = text.lines().next().unwrap_or_default();
        assert!(
            found == status && first.ends_with(&digest.to_string()) && text.contains(reason),
            "{version}: {text}"
        );
    };
    check("10.0.20348.1", 0, &digests[1], "compatible");
    check("10.0.17763.1", 0, &digests[0], "compatible");
    check(
        "10.0.14393.1",
        1,
        &digests[0],
        "remedy: take the image for this host's build of Windows, or run it with Hyper-V isolation",
    );
    // A Linux host starts none.
    let attributes = json!({"system.osrelease": {"elements": {"ID": "debian"}}});
    write(&folder, "facts.json", &json!({"attributes": attributes}).to_string());
    let (status, text) = by_facts(&folder, &fake, "none --platform windows/amd64");
    assert!(status == 1 && text.contains("[os-release]"), "{text}");
}

/// Whether this machine's kernel starts programs for another one, by itself or by a handler; `None` if that does not show.
fn is_started(machine: &str) -> Option<bool> {
    let folder = folder();
    let ran = oci_compat(folder.path(), &["probe", "kernel.program", "--format", "json"]);
    let facts: Value = serde_json::from_str(&ran.stdout).expect("facts");
    let known = facts["flags"]["kernel.program"]["elements"].as_object()?;
    let is_there = known.contains_key(machine);
    (is_there || facts["unknown"]["kernel.program"].is_null()).then_some(is_there)
}

/// A single manifest is pulled whatever its configuration says: the verifier looks at the program.
#[test]
fn a_foreign_image_without_an_index_is_refused_before_its_pull_if_its_program_is_foreign() {
    let config = "[log]\ndecisions = false\njournal = false\nsyslog = false\n";
    let asked = |machine: u8, options: &str| {
        let fake = start();
        let (digest, _) =
            image(&fake, Some("1"), "s390x", &starts_with("/run"), &[layer(&[("run", &elf(machine))])]);
        let folder = folder();
        write(&folder, "config.toml", &format!("{options}{config}"));
        let line = format!(
            "verifier --config config.toml --store store -- -name HOST/acme/app:1 -digest {digest} -stdin-media-type x"
        );
        ran(&folder, &fake, &line)
    };
    // This program's own machine, by its own header.
    let own = std::fs::read(std::env::current_exe().expect("this test")).expect("its header")[18];
    let mislabelled = asked(own, "");
    assert_eq!((mislabelled.status, mislabelled.stdout.as_str()), (0, ""), "{mislabelled:?}");
    // Nothing starts it, unless handlers do, or do not show.
    let (other, name) = if own == ARM64 { (X86_64, "x86-64") } else { (ARM64, "arm64") };
    let foreign = asked(other, "");
    let refused = format!("oci-compat: refused: /run is for {name}; ");
    let expected = if is_started(name) == Some(false) { (1, refused.as_str()) } else { (0, "") };
    let start = foreign.stdout.get(..refused.len()).unwrap_or_default();
    assert_eq!((foreign.status, start), expected, "{foreign:?}");
    let off = asked(other, "implicit.program = \"off\"\n");
    assert_eq!((off.status, off.stdout.as_str()), (0, ""), "{off:?}");
}

#[test]
fn no_more_layers_are_fetched_than_the_program_needs() {
    let fake = start();
    let layers = [layer(&[("etc/base", b"")]), layer(&[("run", &elf(X86_64))]), layer(&[("etc/x", b"")])];
    image(&fake, Some("1"), "amd64", &starts_with("/run"), &layers);
    let ran = ran(&host("x86_64"), &fake, &format!("{CHECK} --program"));
    assert_eq!(ran.status, 0, "{ran:?}");
    let asked = fake.server.lines();
    let is_asked = |it: &Vec<u8>| asked.iter().any(|line| line.ends_with(&Digest::of(it).to_string()));
    assert_eq!(layers.iter().map(is_asked).collect::<Vec<_>>(), [false, true, true]);
    assert_eq!(fake.server.connections(), 1);
}

#[test]
fn what_hinders_a_look_at_the_program_is_told() {
    let fake = start();
    let folder = host("x86_64");
    let packed = layer(&[("run", &elf(X86_64))]);
    let digest = Digest::of(&packed);
    image(&fake, Some("1"), "amd64", &starts_with("/run"), std::slice::from_ref(&packed));
    let key = ("acme/app".to_owned(), digest.to_string());
    let told = |bytes: Option<&[u8]>| {
        match bytes {
            Some(bytes) => fake.content.lock().expect("no panic").blobs.insert(key.clone(), bytes.to_vec()),
            None => fake.content.lock().expect("no panic").blobs.remove(&key),
        };
        let ran = ran(&folder, &fake, &format!("{CHECK} --program"));
        assert_eq!(ran.status, 2, "{ran:?}");
        let line =
            ran.stdout.lines().find(|it| it.contains("the image's program")).unwrap_or_default().to_owned();
        line.replace(&digest.to_string(), "DIGEST").replace("HOST", "registry")
    };
    let start = "  the image's program \"/run\" is not known: layer DIGEST: ";
    let mut other = packed.clone();
    // Another time in the head of the file.
    other[4] ^= 1;
    assert_eq!(told(Some(&other)), format!("{start}what came has digest {} [trouble]", Digest::of(&other)));
    let mut long = packed.clone();
    long.push(0);
    assert_eq!(told(Some(&long)), format!("{start}it is larger than its manifest says [trouble]"));
    let short = format!("{start}it has 9 bytes less than its manifest says [trouble]");
    assert_eq!(told(Some(&packed[..packed.len() - 9])), short);
    let gone = format!(
        "{start}registry registry: reading blob DIGEST of registry/acme/app: it is not there (\"BLOB_UNKNOWN: blob unknown to registry\") [trouble]"
    );
    assert_eq!(told(None), gone);
}

#[test]
fn a_program_of_which_nothing_is_known_is_a_note() {
    let folder = host("x86_64");
    let noted = |config: Value, files: &[(&str, &[u8])], expected: &str| {
        let fake = start();
        image(&fake, Some("1"), "amd64", &config, &[layer(files)]);
        let ran = ran(&folder, &fake, &format!("{CHECK} --program"));
        let first =
            ran.stdout.lines().find_map(|it| it.trim_start().strip_prefix("note: ")).unwrap_or_default();
        assert_eq!((ran.status, first), (0, expected), "{ran:?}");
    };
    noted(json!({}), &[], "the image names no program that its containers start with");
    let missing = "nothing is known of the image's program \"/run\": it is not in the image";
    noted(starts_with("/run"), &[("x", b"")], missing);
    let unclear = "nothing is known of the image's program \"run\": what it demands is not certain";
    noted(starts_with("run"), &[("x", b"")], unclear);
    noted(
        starts_with("/run"),
        &[("run", b"text")],
        "the image's program /run demands nothing (1 layer read)",
    );
}

#[test]
fn what_the_environment_says_of_a_driver_counts_with_gpus() {
    let fake = start();
    let config = json!({"Env": ["NVIDIA_REQUIRE_CUDA=cuda>=12.4"]});
    image(&fake, Some("1"), "amd64", &config, &[]);
    let folder = host("x86_64");
    write(&folder, "host/proc/modules", "");
    write(&folder, "host/sys/bus/pci/devices/none", "");
    let lacks = "the image needs CUDA 12.4 or newer, and this host has no NVIDIA driver: install driver 525 or newer [nvidia-require]";
    let without = "remedy: only containers that are given GPUs need it (check --gpus judges one)";
    check(
        &folder,
        &fake,
        "",
        0,
        &format!("compatible: image HOST/acme/app:1, \nrecommended: {lacks}\n{without}"),
    );
    let ran = ran(&folder, &fake, &format!("{CHECK} --gpus"));
    let second = ran.stdout.lines().nth(1).unwrap_or_default();
    assert_eq!((ran.status, second.trim_start()), (1, lacks), "{ran:?}");
}
