//! What it costs to pull what belongs to a thousand images, from a registry on this machine.

use std::error::Error;
use std::path::Path;

use oci_compat::store::{ArtifactSubject, Digest, pack};
use oci_compat::supply::registry::{IMAGE_INDEX, IMAGE_MANIFEST};
use serde_json::json;

use crate::fake::{Fake, Play, manifest};
use crate::process::{Program, compare};

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// Of the layer with the program, in bytes.
const SIZE: usize = 8 << 20;
const IMAGES: usize = 1_000;

/// Pulls with sixteen connections and with one, each into an empty store, and once more into the full one.
pub(crate) fn run(oci_compat: &Path, scratch: &Path, spec: &str) -> Result<(), Box<dyn Error>> {
    let fake = Fake::start(Play::default());
    let names: Vec<_> =
        (0..IMAGES).map(|it| image(&fake, it, spec)).collect::<Result<_, Box<dyn Error>>>()?;
    let list = names.join("\n");
    println!("\n{:<44} {:>9} {:>9} {:>9}", "pull of 1,000 images", "each", "all", "peak");
    for (name, jobs, store) in
        [("16 at once", "16", "sixteen"), ("1 at a time", "1", "one"), ("again, 16 at once", "16", "sixteen")]
    {
        let store = scratch.join(store);
        let args = ["pull", "-", "--plain-http", "--config", "none", "--jobs", jobs, "--store"];
        let args: Vec<_> = args.iter().map(std::ffi::OsStr::new).chain([store.as_os_str()]).collect();
        let (time, peak, _) = Program::new(oci_compat, &args, list.as_bytes())?.run()?;
        let each = time / 1e3 / f64::from(u32::try_from(IMAGES)?);
        println!("{name:<44} {each:>6.2} ms {:>7.2} s {peak:>5} KiB", time / 1e6);
    }
    Ok(())
}

/// Checks one image in a registry, with the header of its program, and without.
pub(crate) fn check(oci_compat: &Path, spec: &str, rounds: usize) -> Result<(), Box<dyn Error>> {
    let fake = Fake::start(Play { lists_referrers: true, ..Play::default() });
    let put = |bytes: Vec<u8>| -> Result<(Digest, usize), Box<dyn Error>> {
        let (digest, size) = (Digest::of(&bytes), bytes.len());
        let key = ("acme/app".to_owned(), digest.to_string());
        fake.content.lock().map_err(|_| "a panic")?.blobs.insert(key, bytes);
        Ok((digest, size))
    };
    let mut layer = tar::Builder::new(Vec::new());
    for (path, content) in [("data", vec![0; SIZE]), ("bin/app", std::fs::read(oci_compat)?)] {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_size(u64::try_from(content.len())?);
        layer.append_data(&mut header, path, content.as_slice())?;
    }
    let (layer, layer_size) = put(layer.into_inner()?)?;
    let config = json!({"os": "linux", "architecture": "amd64", "config": {"Entrypoint": ["/bin/app"]}});
    let (config, size) = put(config.to_string().into_bytes())?;
    let manifest = json!({"schemaVersion": 2, "mediaType": IMAGE_MANIFEST,
        "config": {"mediaType": CONFIG, "digest": config, "size": size},
        "layers": [{"mediaType": LAYER, "digest": layer, "size": layer_size}]});
    let manifest = manifest.to_string();
    let subject = fake.put("acme/app", Some("1"), IMAGE_MANIFEST, manifest.as_bytes());
    let size = u64::try_from(manifest.len())?;
    let subject = ArtifactSubject { digest: subject, media_type: IMAGE_MANIFEST.to_owned(), size };
    let package = pack(spec.as_bytes(), &subject, Some("2026-01-01T00:00:00Z"))?;
    fake.put("acme/app", None, IMAGE_MANIFEST, &package.manifest);
    put(package.spec)?;
    let name = format!("{}/acme/app:1", fake.name());
    let args = ["check", name.as_str(), "--remote", "--plain-http", "--config", "none", "--program"];
    let args = args.map(std::ffi::OsStr::new);
    let with = Program::new(oci_compat, &args, b"")?;
    let without = Program::new(oci_compat, args.split_last().map_or(&[][..], |(_, rest)| rest), b"")?;
    let result = compare(&with, &without, rounds)?;
    println!(
        "\n{:<44} {:>9} {:>9} {:>7}",
        "check of an image in a registry", "--program", "without", "ratio"
    );
    println!(
        "{:<44} {:>6.2} ms {:>6.2} ms {:>7.2}",
        format!("one spec, one layer of {} MiB", layer_size >> 20),
        result.median / 1e3,
        result.other / 1e3,
        result.ratio
    );
    Ok(())
}

/// An image with an artifact, under the fallback tag, as most registries have it.
fn image(fake: &Fake, number: usize, spec: &str) -> Result<String, Box<dyn Error>> {
    let repository = format!("acme/image-{number}");
    let bytes = manifest("an/image", None, number);
    let subject = fake.put(&repository, Some("1"), IMAGE_MANIFEST, &bytes);
    let subject = ArtifactSubject {
        digest: subject,
        media_type: IMAGE_MANIFEST.to_owned(),
        size: u64::try_from(bytes.len())?,
    };
    // Specs differ, as they do.
    let spec = format!("# image {number}\n{spec}");
    let package = pack(spec.as_bytes(), &subject, Some("2026-01-01T00:00:00Z"))?;
    let artifact = fake.put(&repository, None, IMAGE_MANIFEST, &package.manifest);
    let blob = (repository.clone(), Digest::of(&package.spec).to_string());
    fake.content.lock().map_err(|_| "a panic")?.blobs.insert(blob, package.spec);
    let entry = json!({"mediaType": IMAGE_MANIFEST, "digest": artifact, "size": package.manifest.len(),
        "artifactType": "application/vnd.nfd.image-compatibility.v1alpha1",
        "annotations": {"org.opencontainers.image.created": "2026-01-01T00:00:00Z"}});
    let index = json!({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": [entry]}).to_string();
    let tag = format!("sha256-{}", subject.digest.hex());
    fake.put(&repository, Some(&tag), IMAGE_INDEX, index.as_bytes());
    Ok(format!("{}/{repository}:1", fake.name()))
}
