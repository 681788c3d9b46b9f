//! A registry on the machine's loopback, from which engines pull as they do everywhere, and the images in it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::machine::Machine;

/// An image whose process says `ran`, as a user names it. It has an index, because most images do.
pub(super) const IMAGE: &str = "127.0.0.1:5000/acme/upf:1";

/// An image whose process waits.
pub(super) const PAUSE: &str = "127.0.0.1:5000/pause:1";

/// The programs that it takes.
pub(super) const PROGRAMS: [&str; 3] = ["docker-registry", "skopeo", "curl"];

/// What names the image, whoever holds it.
#[derive(Debug)]
pub(super) struct Digests {
    /// Of the image's index, which is what a registry answers.
    pub(super) index: String,
    /// Of its manifest for this platform.
    pub(super) manifest: String,
}

const LAYOUT: &str = "/root/images";

const CONFIGURATION: &str = "\
version: 0.1
log: {accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {addr: '127.0.0.1:5000'}
";

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Makes both images, and serves them.
pub(super) fn serve(machine: &Machine) -> Digests {
    machine.succeed("sh", &["-c", include_str!("image.sh"), "image", LAYOUT]);
    let digests = indexed(&machine.path(LAYOUT), "upf");
    machine.write("/etc/registry.yml", CONFIGURATION);
    let ready = ["curl", "--silent", "http://127.0.0.1:5000/v2/"];
    machine.daemon("docker-registry", &["serve", "/etc/registry.yml"], &ready);
    for (tag, image) in [("upf", IMAGE), ("pause", PAUSE)] {
        let (from, to) = (format!("oci:{LAYOUT}:{tag}"), format!("docker://{image}"));
        machine.succeed("skopeo", &["copy", "--quiet", "--all", "--dest-tls-verify=false", &from, &to]);
    }
    digests
}

/// Puts an index of one platform around an image of a layout, under the same tag.
fn indexed(layout: &Path, tag: &str) -> Digests {
    let file = layout.join("index.json");
    let mut listing: Value =
        serde_json::from_slice(&fs::read(&file).expect("reading index.json")).expect("JSON");
    let entries = listing["manifests"].as_array_mut().expect("a list");
    let name = "/annotations/org.opencontainers.image.ref.name";
    let entry =
        entries.iter_mut().find(|it| it.pointer(name).is_some_and(|it| it == tag)).expect("the image");
    let platform = json!({"os": "linux", "architecture": architecture()});
    let manifest = json!({
        "mediaType": entry["mediaType"], "digest": entry["digest"], "size": entry["size"], "platform": platform,
    });
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest]}).to_string();
    let hex: String = Sha256::digest(&index).iter().map(|it| format!("{it:02x}")).collect();
    fs::write(layout.join("blobs/sha256").join(&hex), &index).expect("writing an index");
    let manifest = entry["digest"].as_str().expect("a digest").to_owned();
    let digests = Digests { index: format!("sha256:{hex}"), manifest };
    entry["mediaType"] = INDEX.into();
    entry["digest"] = digests.index.clone().into();
    entry["size"] = index.len().into();
    fs::write(file, listing.to_string()).expect("writing index.json");
    digests
}

/// As Go and images call it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
