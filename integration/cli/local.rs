//! `check` of images on this host: what their programs and their environment demand, read where an engine keeps them, in layouts
//! and in archives.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use oci_compat::store::Digest;
use oci_compat::supply::registry::{IMAGE_INDEX, IMAGE_MANIFEST};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::program::{ARM64, CONFIG, LAYER, X86_64, elf, host, layer};
use super::{SPEC, run, write};
use crate::command::{Ran, make_program};

const OPTIONS: &str = "--root host --config none --store store";
const DOCKER: &str = "host/var/lib/docker";
const STORAGE: &str = "host/var/lib/containers/storage";
/// What is said of a program for arm64 on a host for x86-64.
const FOREIGN: &str = "/run is for arm64; this host is x86-64, and no binfmt handler for arm64 is enabled [program-architecture]";

fn configuration(architecture: &str, config: &Value, layers: &[Digest]) -> String {
    let rootfs = json!({"type": "layers", "diff_ids": layers});
    json!({"os": "linux", "architecture": architecture, "config": config, "rootfs": rootfs}).to_string()
}

fn starts_with(program: &str) -> Value {
    json!({"Entrypoint": [program]})
}

fn program(folder: &TempDir, path: &str, content: &[u8]) {
    let path = folder.path().join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("making a folder");
    make_program(&path, content);
}

/// An image in Docker's overlay2, whose layers are `low` and `high`; its ID.
fn in_docker(folder: &TempDir, name: &str, configuration: &str) -> Digest {
    let id = Digest::of(configuration.as_bytes());
    let low = Digest::of(b"low");
    let high = Digest::of(format!("{low} {}", Digest::of(b"high")).as_bytes());
    let at = format!("{DOCKER}/image/overlay2");
    let repositories = json!({"Repositories": {"app": {name: id}}}).to_string();
    write(folder, &format!("{at}/repositories.json"), &repositories);
    write(folder, &format!("{at}/imagedb/content/sha256/{}", id.hex()), configuration);
    write(folder, &format!("{at}/layerdb/sha256/{}/cache-id", low.hex()), "low");
    write(folder, &format!("{at}/layerdb/sha256/{}/cache-id", high.hex()), "high");
    id
}

fn layers() -> [Digest; 2] {
    [Digest::of(b"low"), Digest::of(b"high")]
}

/// Runs a check, and compares what it prints up to the first empty line.
fn check(folder: &TempDir, line: &str, status: i32, expected: &str) {
    let Ran { status: found, stdout, stderr } = run(folder, &format!("{line} {OPTIONS}"));
    let start = stdout.split("\n\n").next().unwrap_or_default().trim_end();
    assert_eq!((found, start), (status, expected), "{line}: {stderr}");
}

#[test]
fn an_image_that_docker_has_unpacked_is_judged_by_its_program() {
    let folder = host("x86_64");
    program(&folder, &format!("{DOCKER}/overlay2/low/diff/run"), &elf(X86_64));
    program(&folder, &format!("{DOCKER}/overlay2/high/diff/run"), &elf(ARM64));
    in_docker(&folder, "app:1", &configuration("amd64", &starts_with("/run"), &layers()));
    check(&folder, "check app:1", 1, &format!("incompatible: image app:1\n  {FOREIGN}"));
    let table = "incompatible  docker  app:1  /run is for arm64; this host is x86-64, and no binfmt handler for arm64 is enabled \
                 [program-architecture]\n1 image: 1 incompatible, 0 undecided, 0 compatible, 0 without requirements";
    check(&folder, "check --from-engine all", 1, table);
    let sarif = run(&folder, &format!("check --from-engine docker --format sarif {OPTIONS}"));
    assert!(sarif.status == 1 && sarif.stdout.contains("program-architecture"), "{sarif:?}");
    // What is not looked for is not found, and what the policy turns off neither.
    let free = "compatible: image app:1\n  note: nothing is demanded: there is no spec for it, in store or elsewhere";
    let label = "spec platform: met";
    let unseen = run(&folder, &format!("check app:1 --no-program {OPTIONS}"));
    assert!(unseen.status == 0 && unseen.stdout.contains(label), "{unseen:?}");
    write(&folder, "off.toml", "implicit.program = \"off\"\nimplicit.index = \"off\"\n");
    let off = run(&folder, "check app:1 --root host --config off.toml --store store");
    let note = "  note: the image's program is not looked at: implicit.program is \"off\"\n";
    assert!(
        off.status == 0 && off.stdout.starts_with("compatible: image app:1\n") && off.stdout.contains(note),
        "{off:?} {free}"
    );
}

#[test]
fn a_program_that_runs_makes_no_requirement_and_a_wrong_label_none_that_refuses() {
    let folder = host("x86_64");
    program(&folder, &format!("{DOCKER}/overlay2/low/diff/run"), &elf(X86_64));
    fs::create_dir_all(folder.path().join(format!("{DOCKER}/overlay2/high/diff"))).expect("a layer");
    in_docker(&folder, "app:1", &configuration("s390x", &starts_with("/run"), &layers()));
    let label = "compatible: image app:1\n  recommended: a program for s390x is not started [program-architecture]\n    remedy: have it \
                 built for the host's platform";
    check(&folder, "check app:1", 0, label);
}

#[test]
fn an_image_in_containers_storage_is_judged_by_its_program() {
    let folder = host("x86_64");
    let text = configuration("amd64", &starts_with("/entry"), &layers());
    let id = Digest::of(text.as_bytes());
    let images = json!([{"id": id.hex(), "digest": Digest::of(b"x"), "names": ["quay.io/acme/app:1"], "layer": "high"}]);
    write(&folder, &format!("{STORAGE}/overlay-images/images.json"), &images.to_string());
    // The name of the file is the ID in base64, as containers-storage writes it.
    let key = base64(&format!("sha256:{}", id.hex()));
    write(&folder, &format!("{STORAGE}/overlay-images/{}/={key}", id.hex()), &text);
    let list = json!([{"id": "low"}, {"id": "high", "parent": "low"}]).to_string();
    write(&folder, &format!("{STORAGE}/overlay-layers/layers.json"), &list);
    program(&folder, &format!("{STORAGE}/overlay/low/diff/bin/sh"), &elf(X86_64));
    program(&folder, &format!("{STORAGE}/overlay/high/diff/entry"), b"#!/bin/sh\r\n");
    let reason = "/entry needs the interpreter \"/bin/sh\\r\", which the image lacks: its line ends as on Windows (try: dos2unix) \
                  [program-interpreter]";
    let head = format!("incompatible: image quay.io/acme/app:1, {}", Digest::of(b"x"));
    check(&folder, "check quay.io/acme/app:1", 1, &format!("{head}\n  {reason}"));
    // A layer that cannot be found hides nothing else.
    write(&folder, &format!("{STORAGE}/overlay-layers/layers.json"), "[]");
    let unknown = run(&folder, &format!("check quay.io/acme/app:1 {OPTIONS}"));
    let note = "  note: nothing is known of the image's program \"/entry\": how its engine keeps layers is not known here\n";
    assert!(unknown.status == 0 && unknown.stdout.contains(note), "{unknown:?}");
}

fn base64(text: &str) -> String {
    use std::fmt::Write;
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut all = String::new();
    for part in text.as_bytes().chunks(3) {
        let number = part.iter().fold(0, |it, byte| it << 8 | u32::from(*byte)) << (8 * (3 - part.len()));
        for digit in 0..4 {
            let at = usize::try_from(number >> (18 - 6 * digit) & 63).expect("a digit");
            let sign = if digit <= part.len() { char::from(DIGITS[at]) } else { '=' };
            write!(all, "{sign}").expect("text");
        }
    }
    all
}

/// A layout with one image in `layout`; the digest of its manifest.
fn layout(folder: &TempDir, architecture: &str, config: &Value, layers: &[Vec<u8>]) -> Digest {
    let put = |bytes: &[u8]| {
        let digest = Digest::of(bytes);
        let path = folder.path().join("layout/blobs/sha256").join(digest.hex());
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, bytes).expect("a blob");
        digest
    };
    let of = |kind: &str, bytes: &[u8]| json!({"mediaType": kind, "digest": put(bytes), "size": bytes.len()});
    let text = configuration(architecture, config, &[]);
    let layers: Vec<_> = layers.iter().map(|it| of(LAYER, it)).collect();
    let manifest = json!({"schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "config": of(CONFIG, text.as_bytes()), "layers": layers});
    let manifest = manifest.to_string();
    let mut entry = of(IMAGE_MANIFEST, manifest.as_bytes());
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": "1"});
    let index = json!({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": [entry]});
    write(folder, "layout/oci-layout", "{\"imageLayoutVersion\": \"1.0.0\"}");
    write(folder, "layout/index.json", &index.to_string());
    Digest::of(manifest.as_bytes())
}

#[test]
fn an_image_in_a_layout_or_an_archive_is_judged_by_all_that_it_demands() {
    let folder = host("x86_64");
    let layers = [layer(&[("run", &elf(ARM64))])];
    let digest = layout(&folder, "amd64", &starts_with("/run"), &layers);
    let mut archive =
        tar::Builder::new(fs::File::create(folder.path().join("layout.tar")).expect("an archive"));
    archive.append_dir_all(".", folder.path().join("layout")).expect("an archive");
    archive.finish().expect("an archive");
    for (called, name) in [
        ("oci:layout", "layout"),
        ("oci:layout:1", "layout:1"),
        ("oci-archive:layout.tar", "layout.tar"),
        ("oci-archive:layout.tar:1", "layout.tar:1"),
    ] {
        check(
            &folder,
            &format!("check {called}"),
            1,
            &format!("incompatible: image {name}, {digest}\n  {FOREIGN}"),
        );
    }
    let none = run(&folder, &format!("check oci:layout:2 {OPTIONS}"));
    assert_eq!(
        (none.status, none.stderr.as_str()),
        (2, "error: reading layout layout: there is no tag \"2\", there are \"1\"\n")
    );
    let gone = run(&folder, &format!("check oci:gone {OPTIONS}"));
    let stderr = "error: reading layout gone: it is no OCI image layout: it has no file \"index.json\"\n";
    assert_eq!((gone.status, gone.stderr.as_str()), (2, stderr));
    // What is attached to it counts as well.
    write(&folder, "unfit.yaml", &SPEC.replace("[5]", "[6]"));
    assert_eq!(run(&folder, "attach oci:layout unfit.yaml").status, 0);
    let both = run(&folder, &format!("check oci:layout {OPTIONS} --no-program"));
    assert!(both.status == 1 && both.stdout.contains("[kernel-version]"), "{both:?}");
}

#[test]
fn what_hinders_a_look_into_a_layout_is_told() {
    let folder = host("x86_64");
    let packed = layer(&[("run", &elf(ARM64))]);
    layout(&folder, "amd64", &starts_with("/run"), std::slice::from_ref(&packed));
    let digest = Digest::of(&packed);
    let blob = folder.path().join("layout/blobs/sha256").join(digest.hex());
    fs::write(&blob, b"other").expect("a blob");
    let damaged = run(&folder, &format!("check oci:layout {OPTIONS}"));
    let said = format!("  the image's program \"/run\" is not known: layer {digest}: ");
    assert!(damaged.status == 2 && damaged.stdout.contains(&said), "{damaged:?}");
    fs::remove_file(&blob).expect("a blob");
    let gone = run(&folder, &format!("check oci:layout {OPTIONS}"));
    let said = format!(
        "  note: nothing is known of the image's program \"/run\": layer {digest} is not kept here\n"
    );
    assert!(gone.status == 0 && gone.stdout.contains(&said), "{gone:?}");
    // Neither a FIFO nor a folder is read.
    nix::unistd::mkfifo(&blob, nix::sys::stat::Mode::from_bits_truncate(0o666)).expect("a FIFO");
    let fifo = run(&folder, &format!("check oci:layout {OPTIONS}"));
    assert!(fifo.status == 2 && fifo.stdout.contains(" is not a regular file [trouble]"), "{fifo:?}");
}

#[test]
fn the_environment_of_an_image_on_this_host_counts_with_gpus() {
    let folder = host("x86_64");
    write(&folder, "host/proc/modules", "");
    write(&folder, "host/sys/bus/pci/devices/none", "");
    let config = json!({"Entrypoint": ["/run"], "Env": ["NVIDIA_REQUIRE_CUDA=cuda>=12.4", "NVIDIA_VISIBLE_DEVICES=all"]});
    layout(&folder, "amd64", &config, &[layer(&[("run", &elf(X86_64))])]);
    let plain = run(&folder, &format!("check oci:layout {OPTIONS}"));
    assert!(
        plain.status == 0
            && plain.stdout.contains("  recommended: ")
            && plain.stdout.contains("[nvidia-require]"),
        "{plain:?}"
    );
    let with_gpus = run(&folder, &format!("check oci:layout --gpus {OPTIONS}"));
    assert!(with_gpus.status != 0 && with_gpus.stdout.contains("[nvidia-require"), "{with_gpus:?}");
}

#[test]
fn of_a_layout_with_several_images_that_for_the_platform_counts() {
    let folder = host("x86_64");
    let mut entries = Vec::new();
    for (architecture, machine) in [("amd64", X86_64), ("arm64", ARM64)] {
        layout(&folder, architecture, &starts_with("/run"), &[layer(&[("run", &elf(machine))])]);
        let index: Value =
            serde_json::from_slice(&fs::read(folder.path().join("layout/index.json")).expect("an index"))
                .expect("JSON");
        let mut entry = index["manifests"][0].clone();
        entry["platform"] = json!({"os": "linux", "architecture": architecture});
        entries.push(entry);
    }
    let index = json!({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": entries}).to_string();
    let digest = Digest::of(index.as_bytes());
    write(&folder, &format!("layout/blobs/sha256/{}", digest.hex()), &index);
    let entry = json!({"mediaType": IMAGE_INDEX, "digest": digest, "size": index.len()});
    write(&folder, "layout/index.json", &json!({"schemaVersion": 2, "manifests": [entry]}).to_string());
    let manifest = |at: usize| entries[at]["digest"].as_str().unwrap_or_default().to_owned();
    let fits = run(&folder, &format!("check oci:layout --platform linux/amd64 {OPTIONS}"));
    let head = format!("compatible: image layout, {}\n", manifest(0));
    assert!(fits.status == 0 && fits.stdout.starts_with(&head), "{fits:?}");
    let head = format!("incompatible: image layout, {}\n  {FOREIGN}", manifest(1));
    let foreign = run(&folder, &format!("check oci:layout --platform linux/arm64 {OPTIONS}"));
    assert!(foreign.status == 1 && foreign.stdout.starts_with(&head), "{foreign:?}");
    // The other one is all that is there.
    let first = entries[0]["digest"].as_str().and_then(|it| it.strip_prefix("sha256:")).expect("a digest");
    fs::remove_file(folder.path().join("layout/blobs/sha256").join(first)).expect("a manifest");
    let only = run(&folder, &format!("check oci:layout --platform linux/amd64 {OPTIONS}"));
    assert!(only.status == 1 && only.stdout.starts_with(&head), "{only:?}");
}

#[test]
fn links_in_an_unpacked_image_lead_nowhere_else() {
    let folder = host("x86_64");
    program(&folder, "outside", &elf(ARM64));
    let run_at = folder.path().join(format!("{DOCKER}/overlay2/high/diff/run"));
    fs::create_dir_all(run_at.parent().expect("a folder")).expect("a layer");
    fs::create_dir_all(folder.path().join(format!("{DOCKER}/overlay2/low/diff"))).expect("a layer");
    std::os::unix::fs::symlink(folder.path().join("outside"), &run_at).expect("a link");
    in_docker(&folder, "app:1", &configuration("amd64", &starts_with("/run"), &layers()));
    let note = "  note: nothing is known of the image's program \"/run\": it is not in the image\n";
    let linked = run(&folder, &format!("check app:1 {OPTIONS}"));
    assert!(linked.status == 0 && linked.stdout.contains(note), "{linked:?}");
    fs::remove_file(&run_at).expect("a link");
    nix::unistd::mkfifo(&run_at, nix::sys::stat::Mode::from_bits_truncate(0o777)).expect("a FIFO");
    fs::set_permissions(&run_at, fs::Permissions::from_mode(0o777)).expect("a FIFO");
    let note = note.replace("it is not in the image", "what it demands is not certain");
    let fifo = run(&folder, &format!("check app:1 {OPTIONS}"));
    assert!(fifo.status == 0 && fifo.stdout.contains(&note), "{fifo:?}");
}
