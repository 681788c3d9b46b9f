//! Finds compatibility artifacts in an OCI image layout of another tool: a folder or a tar file from `skopeo`, `oras`,
//! `podman artifact`. Verifies every blob before it is used, and never writes.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail, ensure};
use oci_spec::image::{ANNOTATION_REF_NAME, Descriptor, ImageIndex, MediaType};

use super::archive::Archive;
use super::build::{EMPTY, descriptor};
use super::index;
use super::manifest::{self, ARTIFACT_TYPES, StoredManifest, json_reason};
use super::{Artifact, Digest, MAX_MANIFEST, MAX_SPEC, Package, blob, blob_path};
use crate::os::file;
use crate::words::text::{list, shorten};

/// The largest index, in bytes: registries take manifests of 4 MiB (distribution-spec 1.1, "Pushing Manifests").
const MAX_INDEX: u64 = 4 << 20;

/// A compatibility artifact with all its blobs, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayoutArtifact {
    /// The digest of the image that it is about.
    pub subject: Digest,
    /// What its manifest says.
    pub artifact: Artifact,
    /// Its blobs.
    pub package: Package,
}

/// The compatibility artifacts in `LAYOUT` or `LAYOUT:TAG`, at least one, in the order of the layout's index.
///
/// A tag names an artifact, an index of artifacts such as the fallback tag `sha256-<hex>` of distribution-spec 1.1, or an
/// image, or an index of images, that artifacts are about; without a tag all are taken. If the whole text is a folder, it
/// has no tag.
///
/// # Errors
///
/// If there is none, if one is damaged or breaks the rules, if one says to be about another image than `subject`, or if
/// neither it nor the caller names its image.
pub fn find(reference: &OsStr, subject: Option<&Digest>) -> anyhow::Result<Vec<LayoutArtifact>> {
    let (path, tag) = split(reference);
    LayoutSource::open(&path)
        .and_then(|source| Layout { source: &source }.find(tag.as_deref(), subject))
        .with_context(|| format!("reading layout {}", path.display()))
}

/// All compatibility artifacts in a layout that name their image, in the order of its index; there may be none.
///
/// # Errors
///
/// If the layout cannot be read, or an artifact in it is damaged or breaks the rules.
pub fn find_all(path: &Path) -> anyhow::Result<Vec<LayoutArtifact>> {
    let source = LayoutSource::open(path)?;
    let layout = Layout { source: &source };
    let found = layout.sorted(layout.candidates(None)?)?.artifacts;
    found.into_iter().map(|(entry, manifest)| layout.load(&entry, manifest, None)).collect()
}

/// The compatibility artifacts in a layout that are about one of these images; none is an answer.
///
/// # Errors
///
/// If one is damaged or breaks the rules.
pub fn attached(source: &LayoutSource, images: &[Digest]) -> anyhow::Result<Vec<LayoutArtifact>> {
    let layout = Layout { source };
    let images = images.iter().map(Digest::to_string).collect();
    let mut artifacts = layout.sorted(layout.candidates(None)?)?.artifacts;
    artifacts.retain(|(_, manifest)| is_about(manifest, &images));
    artifacts.into_iter().map(|(entry, manifest)| layout.load(&entry, manifest, None)).collect()
}

/// Whether a layout's files lie in a folder or in one tar file.
#[derive(Debug)]
pub enum LayoutSource {
    /// A folder.
    Folder(PathBuf),
    /// A tar file, as `skopeo copy ... oci-archive:FILE` writes it.
    Archive(Archive),
}

impl LayoutSource {
    /// Opens the layout at this path; one that is no folder is taken for an archive.
    ///
    /// # Errors
    ///
    /// If it is an archive that has anything but plain files and folders in it, or cannot be read.
    #[expect(
        clippy::disallowed_methods,
        reason = "a path that a person named; a wrong guess is an error below"
    )]
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        match path.is_file() {
            true => Ok(Self::Archive(Archive::open(path)?)),
            false => Ok(Self::Folder(path.to_owned())),
        }
    }

    /// Reads a whole file of at most `most` bytes that need not be trusted; `None` if it is not there.
    ///
    /// # Errors
    ///
    /// If it is there, and is larger or cannot be read.
    pub fn read(&self, relative: &str, most: u64) -> anyhow::Result<Option<Vec<u8>>> {
        match self {
            Self::Folder(folder) => blob::read(&folder.join(relative), most),
            Self::Archive(archive) => archive.read(relative, most),
        }
    }

    /// Opens a file to be read as a stream; `None` if it is not there. The caller bounds and verifies what it reads.
    ///
    /// # Errors
    ///
    /// If it is there and cannot be read, or is something else than a regular file.
    pub fn stream(&self, relative: &str) -> anyhow::Result<Option<Box<dyn Read + '_>>> {
        Ok(match self {
            Self::Folder(folder) => {
                file::stream(&folder.join(relative))?.map(|it| Box::new(it) as Box<dyn Read>)
            }
            Self::Archive(archive) => archive.stream(relative).map(|it| Box::new(it) as Box<dyn Read>),
        })
    }

    fn full(&self, relative: &str) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.join(relative),
            Self::Archive(archive) => archive.path().join(relative),
        }
    }
}

/// The path and the tag of `LAYOUT` or `LAYOUT:TAG`. If the whole text is a path, it has no tag.
#[expect(clippy::disallowed_methods, reason = "a path that a person named; a wrong guess is an error below")]
pub fn split(reference: &OsStr) -> (PathBuf, Option<String>) {
    let bytes = reference.as_bytes();
    let colon = bytes.iter().rposition(|it| *it == b':');
    let parts =
        colon.and_then(|at| Some((bytes.get(..at)?, std::str::from_utf8(bytes.get(at + 1..)?).ok()?)));
    match parts {
        Some((folder, tag)) if !tag.contains('/') && !Path::new(reference).exists() => {
            (PathBuf::from(OsStr::from_bytes(folder)), Some(tag.to_owned()))
        }
        Some(_) | None => (PathBuf::from(reference), None),
    }
}

/// Somebody else's layout.
pub(super) struct Layout<'a> {
    pub(super) source: &'a LayoutSource,
}

/// What a descriptor turned out to lead to.
enum Opened {
    /// The bytes of an artifact's manifest.
    Artifact(Vec<u8>),
    /// The type of something else.
    Other(String),
}

/// What descriptors turned out to lead to.
#[derive(Default)]
struct Sorted {
    /// Artifacts, with the bytes of their manifests.
    artifacts: Vec<(Descriptor, Vec<u8>)>,
    /// The types of everything else.
    others: BTreeSet<String>,
}

impl Layout<'_> {
    fn find(&self, tag: Option<&str>, subject: Option<&Digest>) -> anyhow::Result<Vec<LayoutArtifact>> {
        let Sorted { mut artifacts, others } = self.sorted(self.candidates(tag)?)?;
        if artifacts.is_empty() && tag.is_some() {
            let images = self.images(tag)?;
            artifacts = self.sorted(self.candidates(None)?)?.artifacts;
            artifacts.retain(|(_, manifest)| is_about(manifest, &images));
        }
        ensure!(!artifacts.is_empty(), nothing(tag, others));
        artifacts.into_iter().map(|(entry, manifest)| self.load(&entry, manifest, subject)).collect()
    }

    fn sorted(&self, candidates: Vec<Descriptor>) -> anyhow::Result<Sorted> {
        let (mut sorted, mut seen) = (Sorted::default(), BTreeSet::new());
        for candidate in candidates {
            if !seen.insert(candidate.digest().to_string()) {
                continue;
            }
            match self.open(&candidate)? {
                Opened::Artifact(manifest) => sorted.artifacts.push((candidate, manifest)),
                Opened::Other(kind) => {
                    log::debug!("passing over {} of type {kind:?}", candidate.digest());
                    sorted.others.insert(format!("{:?}", shorten(&kind)));
                }
            }
        }
        Ok(sorted)
    }

    /// The target of a tag: an image, or an index and the images in it.
    fn images(&self, tag: Option<&str>) -> anyhow::Result<BTreeSet<String>> {
        let index = self.index()?;
        let tagged = index.manifests().iter().filter(|it| name(it) == tag);
        let own = tagged.map(|it| it.digest().to_string()).collect::<Vec<_>>();
        Ok(self.candidates(tag)?.iter().map(|it| it.digest().to_string()).chain(own).collect())
    }

    /// The descriptors that may lead to an artifact: those in the layout's index, and in the indexes that it names.
    fn candidates(&self, tag: Option<&str>) -> anyhow::Result<Vec<Descriptor>> {
        let index = self.index()?;
        let mut candidates = Vec::new();
        for entry in index.manifests().iter().filter(|it| tag.is_none() || tag == name(it)) {
            match entry.media_type() == &MediaType::ImageIndex {
                true => candidates.extend(self.nested(entry)?),
                false => candidates.push(entry.clone()),
            }
        }
        match tag {
            Some(tag) if !index.manifests().iter().any(|it| name(it) == Some(tag)) => {
                let tags: Vec<_> =
                    index.manifests().iter().filter_map(name).map(|it| format!("{it:?}")).collect();
                bail!("there is no tag {tag:?}, there {}", or_nothing("are", &tags))
            }
            Some(_) | None => Ok(candidates),
        }
    }

    /// Layouts may lack what they name, such as the manifests of other platforms (image-spec 1.1, `image-layout.md`).
    fn nested(&self, entry: &Descriptor) -> anyhow::Result<Vec<Descriptor>> {
        let Some(bytes) = self.blob(entry, MAX_INDEX)? else { return Ok(vec![entry.clone()]) };
        let index =
            index::parse(&bytes).map_err(|err| anyhow!("index {} {}", entry.digest(), no_index(&err)))?;
        Ok(index.manifests().clone())
    }

    /// Opens the manifest if its descriptor has no artifact type: `skopeo` drops it.
    fn open(&self, candidate: &Descriptor) -> anyhow::Result<Opened> {
        let told = candidate.artifact_type().as_ref().map(MediaType::to_string);
        if candidate.media_type() != &MediaType::ImageManifest {
            return Ok(Opened::Other(candidate.media_type().to_string()));
        }
        if let Some(kind) = told.as_deref().filter(|it| !ARTIFACT_TYPES.contains(it)) {
            return Ok(Opened::Other(kind.to_owned()));
        }
        let digest = candidate.digest();
        match (self.blob(candidate, MAX_MANIFEST)?, told) {
            (None, Some(_)) => bail!("manifest {digest} is not in the layout: copy the artifact anew"),
            (None, None) => Ok(Opened::Other("manifest that is not in the layout".to_owned())),
            (Some(bytes), _) => {
                let document =
                    StoredManifest::parse(&bytes).map_err(|reason| anyhow!("manifest {digest} {reason}"))?;
                match ARTIFACT_TYPES.contains(&document.kind()) {
                    true => Ok(Opened::Artifact(bytes)),
                    false => Ok(Opened::Other(document.kind().to_owned())),
                }
            }
        }
    }

    /// Reads the other blobs of an artifact, and settles which image it is about.
    fn load(
        &self,
        entry: &Descriptor,
        manifest: Vec<u8>,
        subject: Option<&Digest>,
    ) -> anyhow::Result<LayoutArtifact> {
        let name = Digest::of(&manifest);
        let document =
            StoredManifest::parse(&manifest).map_err(|reason| anyhow!("artifact {name} {reason}"))?;
        let config =
            descriptor(&document.config.media_type, &document.config.digest.parse()?, document.config.size)?;
        let artifact = document.into_artifact(name)?;
        let spec = descriptor(&artifact.spec.media_type, &artifact.spec.digest, artifact.spec.size)?;
        let Some(subject) = subject.copied().or(artifact.subject) else {
            bail!("artifact {name} does not say which image it is about: say --subject DIGEST")
        };
        let config = match self.blob(&config, MAX_MANIFEST)? {
            None if config.digest().as_ref() == Digest::of(EMPTY).to_string() => EMPTY.to_vec(),
            found => {
                found.with_context(|| format!("the configuration of artifact {name} is not in the layout"))?
            }
        };
        let spec = self.blob(&spec, MAX_SPEC)?;
        let spec =
            spec.with_context(|| format!("the spec of artifact {name} is not in the layout: copy it anew"))?;
        let annotations = entry.annotations().as_ref();
        let created = annotations.and_then(|it| manifest::created(|key| it.get(key))).cloned();
        let package = Package { manifest, config, spec, created };
        Ok(LayoutArtifact { subject, artifact: package.artifact(&subject)?, package })
    }

    fn index(&self) -> anyhow::Result<ImageIndex> {
        ensure!(
            self.source.read("oci-layout", 1 << 10)?.is_some(),
            "it is no OCI image layout: it has no file \"oci-layout\""
        );
        let bytes = self.source.read("index.json", MAX_INDEX)?;
        let bytes = bytes.context("it is no OCI image layout: it has no file \"index.json\"")?;
        index::parse(&bytes).map_err(|err| anyhow!("index.json {}", no_index(&err)))
    }

    /// Reads what a descriptor names, verified; `None` if the layout does not have it.
    fn blob(&self, descriptor: &Descriptor, most: u64) -> anyhow::Result<Option<Vec<u8>>> {
        let digest: Digest = descriptor.digest().as_ref().parse()?;
        let path = blob_path(&digest);
        let Some(bytes) = self.source.read(&path, most)? else { return Ok(None) };
        blob::verify(&bytes, &digest, descriptor.size()).map_err(|reason| {
            anyhow!("{} {reason}: copy the artifact anew", self.source.full(&path).display())
        })?;
        Ok(Some(bytes))
    }
}

/// Whether an artifact's manifest names one of these images for its subject.
fn is_about(manifest: &[u8], images: &BTreeSet<String>) -> bool {
    StoredManifest::parse(manifest).is_ok_and(|it| it.subject.is_some_and(|it| images.contains(&it.digest)))
}

fn name(entry: &Descriptor) -> Option<&str> {
    entry.annotations().as_ref()?.get(ANNOTATION_REF_NAME).map(String::as_str)
}

fn no_index(err: &serde_json::Error) -> String {
    format!("is not an OCI index ({})", json_reason(err))
}

fn nothing(tag: Option<&str>, others: BTreeSet<String>) -> String {
    let place = tag.map(|it| format!("tag {it:?}")).unwrap_or("the layout".to_owned());
    let others: Vec<_> = others.into_iter().collect();
    let found = or_nothing("found", &others);
    format!(
        "{place} has no compatibility artifact, {found}; known types are {}",
        list(ARTIFACT_TYPES.map(str::to_owned).into_iter(), "and")
    )
}

fn or_nothing(verb: &str, items: &[String]) -> String {
    match items {
        [] => format!("{verb} none"),
        items => format!("{verb} {}", items.join(", ")),
    }
}
