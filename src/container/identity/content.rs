//! containerd's content store: which manifests an index leads to. Parses nothing whose digest was not verified.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::os::file;
use crate::store::Digest;

/// What registries take for a manifest or index.
const MAX_MANIFEST: usize = 4 << 20;
/// Indexes have some tens of entries, those of attestations among them, and mostly one of their manifests was pulled.
/// Each is read and hashed, which no deadline ends.
const MAX_DOCUMENTS: usize = 100;
/// An index in an index is rare, and a third one in it unheard of.
const MAX_DEPTH: usize = 3;

/// The folder with the bundles of tasks, and the one with what belongs to them.
pub(super) const TASKS: &str = "io.containerd.runtime.v2.task";

/// The content store of one containerd.
#[derive(Debug)]
pub(super) struct ContentStore {
    blobs: PathBuf,
}

/// A manifest in the store, and the image's configuration that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ContentManifest {
    /// The digests on the way to it, its own last.
    pub(super) path: Vec<Digest>,
    /// The configuration's digest.
    pub(super) config: Digest,
}

/// What was met on the way through an index. Strangers write them: the same entry may stand there any number of times.
struct IndexWalk {
    seen: BTreeSet<Digest>,
    documents: usize,
    found: Vec<ContentManifest>,
}

/// Either an index or a manifest.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct IndexOrManifest {
    #[serde(default)]
    config: Option<ContentDescriptor>,
    #[serde(default)]
    manifests: Option<Vec<ContentDescriptor>>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct ContentDescriptor {
    digest: String,
    #[serde(default)]
    platform: Option<ContentPlatform>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct ContentPlatform {
    #[serde(default)]
    os: String,
}

/// The part of an image's configuration that identifies its root file system (image-spec 1.1, `config.md`).
#[derive(Deserialize)]
#[serde(expecting = "an object")]
pub(super) struct ImageConfig {
    rootfs: Rootfs,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
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

impl ContentStore {
    /// The store below containerd's root folder.
    pub(super) fn new(root: &Path) -> Self {
        Self { blobs: root.join("io.containerd.content.v1.content/blobs/sha256") }
    }

    /// The store of the containerd that a task's bundle belongs to; `None` if the bundle does not show it.
    pub(super) fn of_task(bundle: &Path) -> Option<Self> {
        Some(Self::new(&root_of_task(bundle)?))
    }

    /// The manifests behind a digest that are in the store: of an index only those that were pulled.
    ///
    /// # Errors
    ///
    /// If the content of the digest is missing or broken, or leads to more than any image has: a sentence.
    pub(super) fn manifests(&self, digest: Digest) -> Result<Vec<ContentManifest>, String> {
        let document =
            self.document(&digest)?.ok_or_else(|| format!("{digest} is not in {}", self.blobs.display()))?;
        let mut walk = IndexWalk { seen: BTreeSet::from([digest]), documents: 1, found: Vec::new() };
        self.collect(document, vec![digest], &mut walk)?;
        Ok(walk.found)
    }

    fn collect(
        &self,
        document: IndexOrManifest,
        path: Vec<Digest>,
        walk: &mut IndexWalk,
    ) -> Result<(), String> {
        if let Some(config) = document.config.and_then(|it| it.digest.parse().ok()) {
            walk.found.push(ContentManifest { path, config });
            return Ok(());
        }
        if path.len() >= MAX_DEPTH {
            return Ok(());
        }
        let entries = document.manifests.unwrap_or_default().into_iter();
        // BuildKit's attestations are manifests for an unknown platform.
        for entry in entries.filter(|it| it.platform.as_ref().is_none_or(|it| it.os != "unknown")) {
            // Another algorithm's digest is none that an artifact's subject could have in our store.
            let Ok(digest) = entry.digest.parse::<Digest>() else { continue };
            if !walk.seen.insert(digest) {
                continue;
            }
            if let Some(document) = self.document(&digest)? {
                walk.documents += 1;
                if walk.documents > MAX_DOCUMENTS {
                    let first = path.first().unwrap_or(&digest);
                    return Err(format!("{first} leads to more than {MAX_DOCUMENTS} manifests and indexes"));
                }
                self.collect(document, [path.as_slice(), &[digest]].concat(), walk)?;
            }
        }
        Ok(())
    }

    fn document(&self, digest: &Digest) -> Result<Option<IndexOrManifest>, String> {
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
        let config: ImageConfig =
            serde_json::from_slice(&bytes).map_err(|err| format!("{config} is no configuration: {err}"))?;
        Ok(chain_ids(config).pop().unwrap_or_default())
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

/// The names of the snapshots of all layers, the lowest first: each holds its layer and those below it.
pub(super) fn chain_ids(config: ImageConfig) -> Vec<String> {
    let mut chains: Vec<String> = Vec::new();
    for layer in config.rootfs.diff_ids {
        let chain = match chains.last() {
            Some(below) => Digest::of(format!("{below} {layer}").as_bytes()).to_string(),
            None => layer,
        };
        chains.push(chain);
    }
    chains
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;

    /// A store, and the text of a descriptor for each blob.
    fn with(host: FakeHost, text: &str) -> (FakeHost, String) {
        let digest = Digest::of(text.as_bytes());
        let host =
            host.file(&format!("io.containerd.content.v1.content/blobs/sha256/{}", digest.hex()), text);
        (host, format!("{{\"digest\": \"{digest}\"}}"))
    }

    fn index(entries: &[String]) -> String {
        format!("{{\"manifests\": [{}]}}", entries.join(", "))
    }

    fn check(host: &FakeHost, index: &str, expected: Result<usize, &str>) {
        let found = ContentStore::new(&host.place("")).manifests(Digest::of(index.as_bytes()));
        assert_eq!(found.map(|it| it.len()), expected.map_err(str::to_owned));
    }

    #[test]
    fn what_an_index_names_again_and_again_is_read_once() {
        let config = Digest::of(b"");
        let (host, manifest) =
            with(FakeHost::new(), &format!("{{\"config\": {{\"digest\": \"{config}\"}}}}"));
        let (host, inner) = with(host, &index(&vec![manifest.clone(); 100]));
        let outer = index(&[vec![inner; 99], vec![manifest]].concat());
        let (host, _) = with(host, &outer);
        check(&host, &outer, Ok(1));
    }

    #[test]
    fn an_index_that_leads_to_more_than_any_image_has_is_left() {
        let (mut host, mut entries) = (FakeHost::new(), Vec::new());
        for it in 0..MAX_DOCUMENTS {
            let config = Digest::of(&[u8::try_from(it).expect("a few")]);
            let (more, entry) = with(host, &format!("{{\"config\": {{\"digest\": \"{config}\"}}}}"));
            host = more;
            entries.push(entry);
        }
        let few = index(&entries[1..]);
        let all = index(&entries);
        let (host, _) = with(host, &few);
        let (host, _) = with(host, &all);
        check(&host, &few, Ok(MAX_DOCUMENTS - 1));
        let digest = Digest::of(all.as_bytes());
        check(&host, &all, Err(&format!("{digest} leads to more than 100 manifests and indexes")));
    }
}
