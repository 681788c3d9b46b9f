//! containerd's content store: which manifests an index leads to. Parses nothing whose digest was not verified.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::artifact::Digest;
use crate::file;

/// What registries take for a manifest or index.
const MAX_MANIFEST: usize = 4 << 20;
/// Indexes have some tens of entries; those of attestations are among them.
const MAX_ENTRIES: usize = 1000;
/// An index in an index is rare, and a third one in it unheard of.
const MAX_DEPTH: usize = 3;

/// The folder with the bundles of tasks, and the one with what belongs to them.
pub(super) const TASKS: &str = "io.containerd.runtime.v2.task";

/// The content store of one containerd.
#[derive(Debug)]
pub(super) struct Content {
    blobs: PathBuf,
}

/// A manifest in the store, and the image's configuration that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    /// The digests on the way to it, its own last.
    pub(super) path: Vec<Digest>,
    /// The configuration's digest.
    pub(super) config: Digest,
}

/// Either an index or a manifest.
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    #[serde(default)]
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    #[serde(default)]
    os: String,
}

/// As much of an image's configuration as tells its root file system (image-spec 1.1, `config.md`).
#[derive(Deserialize)]
struct Config {
    rootfs: Rootfs,
}

#[derive(Deserialize)]
struct Rootfs {
    diff_ids: Vec<String>,
}

/// The root folder of the containerd that a task's bundle belongs to: the bundle's link `work` leads to
/// `<root>/io.containerd.runtime.v2.task/<namespace>/<id>`. `None` if there is no such link.
pub(super) fn root_of_task(bundle: &Path) -> Option<PathBuf> {
    let work = file::target(&bundle.join("work"))?;
    let tasks = work.ancestors().nth(2)?;
    tasks.ends_with(TASKS).then(|| tasks.parent().map(Path::to_owned))?
}

impl Content {
    /// The store below containerd's root folder.
    fn new(root: &Path) -> Self {
        Self { blobs: root.join("io.containerd.content.v1.content/blobs/sha256") }
    }

    /// The store of the containerd that a task's bundle belongs to; `None` if the bundle does not tell.
    pub(super) fn of_task(bundle: &Path) -> Option<Self> {
        Some(Self::new(&root_of_task(bundle)?))
    }

    /// The manifests behind a digest that are in the store: of an index only those that were pulled.
    ///
    /// # Errors
    ///
    /// If what the digest stands for is missing or broken: a sentence.
    pub(super) fn manifests(&self, digest: Digest) -> Result<Vec<Manifest>, String> {
        let document =
            self.document(&digest)?.ok_or_else(|| format!("{digest} is not in {}", self.blobs.display()))?;
        let mut found = Vec::new();
        self.collect(document, vec![digest], &mut found)?;
        Ok(found)
    }

    fn collect(
        &self,
        document: Document,
        path: Vec<Digest>,
        found: &mut Vec<Manifest>,
    ) -> Result<(), String> {
        if let Some(config) = document.config.and_then(|it| it.digest.parse().ok()) {
            found.push(Manifest { path, config });
            return Ok(());
        }
        if path.len() >= MAX_DEPTH {
            return Ok(());
        }
        let entries = document.manifests.unwrap_or_default().into_iter().take(MAX_ENTRIES);
        // BuildKit's attestations are manifests for an unknown platform.
        for entry in entries.filter(|it| it.platform.as_ref().is_none_or(|it| it.os != "unknown")) {
            // Another algorithm's digest is none that an artifact's subject could have in our store.
            let Ok(digest) = entry.digest.parse::<Digest>() else { continue };
            if let Some(document) = self.document(&digest)? {
                self.collect(document, [path.as_slice(), &[digest]].concat(), found)?;
            }
        }
        Ok(())
    }

    fn document(&self, digest: &Digest) -> Result<Option<Document>, String> {
        let Some(bytes) = self.blob(digest)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|err| format!("{digest} is no manifest: {err}"))
    }

    /// The name of the snapshot that holds an image's unpacked layers (image-spec 1.1, `config.md`, "Layer `ChainID`").
    ///
    /// # Errors
    ///
    /// If the image's configuration is missing or broken: a sentence.
    pub(super) fn chain_id(&self, config: &Digest) -> Result<String, String> {
        let bytes =
            self.blob(config)?.ok_or_else(|| format!("{config} is not in {}", self.blobs.display()))?;
        let config: Config =
            serde_json::from_slice(&bytes).map_err(|err| format!("{config} is no configuration: {err}"))?;
        let chained = |chain: String, layer: String| match chain.as_str() {
            "" => layer,
            chain => Digest::of(format!("{chain} {layer}").as_bytes()).to_string(),
        };
        Ok(config.rootfs.diff_ids.into_iter().fold(String::new(), chained))
    }

    /// The bytes behind a digest; `None` if the store does not have them.
    fn blob(&self, digest: &Digest) -> Result<Option<Vec<u8>>, String> {
        let path = self.blobs.join(digest.hex());
        let Some(bytes) = file::read(&path, MAX_MANIFEST).map_err(|err| format!("{err:#}"))? else {
            return Ok(None);
        };
        match Digest::of(&bytes) {
            found if found == *digest => Ok(Some(bytes)),
            found => Err(format!("{} has digest {found}", path.display())),
        }
    }
}
