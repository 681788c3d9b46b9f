//! Adds an artifact to an OCI image layout, a folder or a tar file, for places without a registry. Existing files stay the same
//! byte for byte, except `index.json`, which gets one more entry.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail, ensure};
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

use crate::os::file;
use crate::store::layout::LayoutSource;
use crate::store::{ArtifactSubject, CREATED, Digest, Package};
use crate::supply::registry::IMAGE_MANIFEST;

use super::{PlatformChoice, choose};

/// No index and no manifest is larger, in bytes (distribution-spec 1.1, "Pushing Manifests").
const MAX_INDEX: u64 = 4 << 20;
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// Attaches what `pack` makes to an image of a layout; returns the artifacts' digests.
///
/// Without a tag the layout must have exactly one image. With `is_dry` nothing is written.
///
/// # Errors
///
/// If there is no such image, or the layout cannot be written; it is as it was then.
pub fn attach_to_layout(
    path: &Path,
    tag: Option<&str>,
    choice: &PlatformChoice,
    is_dry: bool,
    pack: impl Fn(&ArtifactSubject) -> anyhow::Result<Package>,
) -> anyhow::Result<Vec<(ArtifactSubject, Package)>> {
    let source = LayoutSource::open(path)?;
    let mut index = index(&source).with_context(|| format!("reading layout {}", path.display()))?;
    let (media_type, document) =
        image(&source, &index, tag).with_context(|| format!("reading layout {}", path.display()))?;
    let mut packages = Vec::new();
    for subject in choose(&media_type, &document, choice)? {
        let package = pack(&subject)?;
        list(&mut index, &subject, &package)?;
        packages.push((subject, package));
    }
    if !is_dry {
        let files = files(&index, &packages)?;
        match source {
            LayoutSource::Folder(folder) => add_to_folder(&folder, &files),
            LayoutSource::Archive(_) => add_to_archive(path, &files),
        }?;
    }
    Ok(packages)
}

/// The image under a tag of a layout, or its only one: its type and its document, verified.
///
/// # Errors
///
/// If there is no such image.
pub fn layout_image(source: &LayoutSource, tag: Option<&str>) -> anyhow::Result<(String, Vec<u8>)> {
    image(source, &index(source)?, tag)
}

fn index(source: &LayoutSource) -> anyhow::Result<Value> {
    let bytes = source.read("index.json", MAX_INDEX)?;
    let bytes = bytes.context("it is no OCI image layout: it has no file \"index.json\"")?;
    let mut index: Value = serde_json::from_slice(&bytes).context("index.json is not JSON")?;
    // Programs in Go write an empty list as `null`.
    if let Some(manifests) = index.get_mut("manifests").filter(|it| it.is_null()) {
        *manifests = Value::Array(Vec::new());
    }
    ensure!(index.get("manifests").is_some_and(Value::is_array), "index.json is not an OCI index");
    Ok(index)
}

/// The image under a tag, or the only one: its type and its document, verified.
fn image(source: &LayoutSource, index: &Value, tag: Option<&str>) -> anyhow::Result<(String, Vec<u8>)> {
    let entries = index.get("manifests").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let name = |it: &Value| Some(it.get("annotations")?.get(REF_NAME)?.as_str()?.to_owned());
    let named: Vec<_> = match tag {
        Some(tag) => entries.iter().filter(|it| name(it).as_deref() == Some(tag)).collect(),
        None => entries.iter().filter(|it| !is_referrer(source, it)).collect(),
    };
    let entry = match (named.as_slice(), tag) {
        ([entry], _) => *entry,
        ([], Some(tag)) => {
            let tags: Vec<_> = entries.iter().filter_map(name).map(|it| format!("{it:?}")).collect();
            bail!(
                "there is no tag {tag:?}, there are {}",
                if tags.is_empty() { "none".to_owned() } else { tags.join(", ") }
            )
        }
        ([], None) => bail!("it holds no image"),
        (several, _) => bail!("it holds {} images: name one by its tag, LAYOUT:TAG", several.len()),
    };
    let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
    let digest: Digest = text("digest").parse()?;
    let path = format!("blobs/sha256/{}", digest.hex());
    let document = source
        .read(&path, MAX_INDEX)?
        .with_context(|| format!("{path} is not there: copy the image anew"))?;
    ensure!(Digest::of(&document) == digest, "{path} is damaged: copy the image anew");
    Ok((text("mediaType").to_owned(), document))
}

/// Whether an entry refers to an image and is none itself. `oras` says so only in the manifest.
fn is_referrer(source: &LayoutSource, entry: &Value) -> bool {
    let digest = entry.get("digest").and_then(Value::as_str).and_then(|it| it.parse::<Digest>().ok());
    let path = digest.map(|it| format!("blobs/sha256/{}", it.hex()));
    // One that cannot be read is an error when it is named.
    let manifest = path.and_then(|it| source.read(&it, MAX_INDEX).ok().flatten()).unwrap_or_default();
    let document: Value = serde_json::from_slice(&manifest).unwrap_or_default();
    entry.get("artifactType").is_some() || document.get("subject").is_some()
}

/// Adds the artifact to the index, unless it is in there.
fn list(index: &mut Value, subject: &ArtifactSubject, package: &Package) -> anyhow::Result<()> {
    let artifact = package.artifact(&subject.digest)?;
    let digest = artifact.manifest.to_string();
    let mut entry = json!({"mediaType": IMAGE_MANIFEST, "digest": digest, "size": package.manifest.len(),
        "artifactType": artifact.artifact_type});
    if let (Some(created), Some(entry)) = (artifact.created, entry.as_object_mut()) {
        entry.insert("annotations".to_owned(), json!({CREATED: created}));
    }
    let entries =
        index.get_mut("manifests").and_then(Value::as_array_mut).context("index.json is not an OCI index")?;
    let is_it = |it: &Value| it.get("digest").and_then(Value::as_str) == Some(digest.as_str());
    if !entries.iter().any(is_it) {
        entries.push(entry);
    }
    Ok(())
}

/// Name and bytes of every file to write; the index is the last one.
fn files(index: &Value, packages: &[(ArtifactSubject, Package)]) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for (_, package) in packages {
        for bytes in [&package.config, &package.spec, &package.manifest] {
            let name = format!("blobs/sha256/{}", Digest::of(bytes).hex());
            if !files.iter().any(|(it, _)| *it == name) {
                files.push((name, bytes.clone()));
            }
        }
    }
    files.push(("index.json".to_owned(), serde_json::to_vec(index)?));
    Ok(files)
}

fn add_to_folder(folder: &Path, files: &[(String, Vec<u8>)]) -> anyhow::Result<()> {
    for (name, bytes) in files {
        let path = folder.join(name);
        replace(&path, |file| Ok(file.write_all(bytes)?))?;
    }
    Ok(())
}

/// Writes a new archive beside the old one, with everything else unchanged, and renames it over the old one.
fn add_to_archive(path: &Path, files: &[(String, Vec<u8>)]) -> anyhow::Result<()> {
    let added: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    replace(path, |file| {
        let mut builder = Builder::new(file);
        let mut archive = tar::Archive::new(open(path)?);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let name = entry.path()?.display().to_string();
            let mut header = entry.header().clone();
            // Those that the artifact brings come last, with the index behind them.
            if !added.contains(&name.trim_start_matches("./")) {
                builder.append_data(&mut header, name, &mut entry)?;
            }
        }
        for (name, bytes) in files {
            let mut header = Header::new_gnu();
            header.set_entry_type(EntryType::Regular);
            header.set_mode(0o644);
            header.set_size(u64::try_from(bytes.len())?);
            builder.append_data(&mut header, name, bytes.as_slice())?;
        }
        builder.finish()?;
        Ok(())
    })
}

#[expect(clippy::disallowed_methods, reason = "a layout that a person named")]
fn open(path: &Path) -> anyhow::Result<File> {
    File::open(path).map_err(|err| anyhow!("{} {}", path.display(), file::explain_io(&err)))
}

/// Writes beside the file and renames, so that a reader never sees half of it.
fn replace(path: &Path, write: impl FnOnce(&mut File) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".tmp-{}", std::process::id()));
    let temporary = PathBuf::from(name);
    let wrong = |err: std::io::Error| anyhow!("{} {}", path.display(), file::explain_io(&err));
    let mut file = File::create_new(&temporary).map_err(wrong)?;
    let written = write(&mut file)
        .with_context(|| format!("writing {}", path.display()))
        .and_then(|()| file.sync_all().and_then(|()| fs::rename(&temporary, path)).map_err(wrong));
    if written.is_err() {
        // The failed write is the error to report.
        let _left_behind = fs::remove_file(&temporary);
    }
    written
}
