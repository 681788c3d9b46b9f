//! The images of containers that Podman and CRI-O run, from the files of containers-storage: `containers.json` has the image
//! of a container, and `images.json` its names and digests. Takes no lock, because both files are replaced as a whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::images::{Absent, ImageEngine, ImageRecord};
use super::stored::{self, MAX_LAYERS, UnpackedImage};
use super::{AnnotatedImage, EnginePlaces, Identity, ResolverInput, UnknownImage};
use crate::container::input::Bundle;
use crate::os::file;
use crate::store::Digest;

/// About 1 KiB for each container.
const MAX_CONTAINERS: usize = 32 << 20;
/// Some KiB for each image.
const MAX_IMAGES: usize = 64 << 20;
/// Written by hand.
const MAX_CONFIG: usize = 1 << 20;
/// Some numbers of the one who wrote last.
const MAX_LOCK: usize = 4096;
/// An image is pulled by some digests.
const MAX_DOCUMENTS: usize = 16;
/// As large as registries take.
const MAX_MANIFEST: usize = 4 << 20;
/// Where containers-storage is configured, first wins (containers-storage.conf(5)).
const CONFIGS: [&str; 2] = ["etc/containers/storage.conf", "usr/share/containers/storage.conf"];

/// The path of a bundle: `<root>/<driver>-containers/<id>/userdata`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BundlePath {
    pub(super) root: PathBuf,
    pub(super) driver: String,
    pub(super) id: String,
}

/// An entry of `containers.json` (containers/storage, `containers.go`).
#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct StorageContainer {
    id: String,
    #[serde(default)]
    image: String,
    /// JSON in a text, of the engine that made the container.
    #[serde(default)]
    metadata: String,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct ContainerMetadata {
    #[serde(default, rename = "image-name")]
    image_name: String,
}

/// An entry of `images.json` (containers/storage, `images.go`).
#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct StorageImage {
    id: String,
    /// Of the index by which it was pulled, or else of the manifest.
    #[serde(default)]
    digest: String,
    #[serde(default)]
    names: Option<Vec<String>>,
    /// Names that it had once.
    #[serde(default, rename = "names-history")]
    earlier: Option<Vec<String>>,
    /// `manifest` is the manifest, `manifest-<digest>` each one on the way to it.
    #[serde(default, rename = "big-data-digests")]
    data: Option<BTreeMap<String, String>>,
    /// The uppermost one.
    #[serde(default)]
    layer: String,
}

/// An entry of `layers.json` (containers/storage, `layers.go`).
#[derive(Deserialize)]
struct StorageLayer {
    id: String,
    #[serde(default)]
    parent: String,
}

/// Finds out which image a container runs.
pub(super) fn resolve(
    place: &BundlePath,
    asked: &ResolverInput<'_>,
    identity: &mut Identity,
) -> Result<(), UnknownImage> {
    identity.annotated = annotated(asked.bundle);
    let unread = |err: anyhow::Error| UnknownImage::Unanswered(format!("{err:#}"));
    let roots = roots(place, asked);
    let container = find(&roots, place).map_err(unread)?;
    let Some(container) = container else {
        let why =
            format!("container {:?} is not in containers-storage below {}", place.id, place.root.display());
        return Err(UnknownImage::Unanswered(why));
    };
    if container.image.is_empty() {
        return Err(UnknownImage::Untold(
            "the container was made from a folder, not from an image".to_owned(),
        ));
    }
    // Metadata of another engine has another form; the image's own names follow.
    if let Ok(metadata) = serde_json::from_str::<ContainerMetadata>(&container.metadata) {
        identity.add_name(Some(&metadata.image_name));
    }
    let Some(image) = image(&container.image, &roots, &place.driver, asked).map_err(unread)? else {
        return Err(UnknownImage::Untold(format!(
            "image {:?} is not in containers-storage any more",
            container.image
        )));
    };
    image.tell(identity)
}

/// CRI-O's annotations. Podman passes on what a user wrote there, and so does a CRI-O that does not know one of them.
fn annotated(bundle: &Bundle) -> AnnotatedImage {
    let names = [&bundle.crio_image, &bundle.crio_image_name].into_iter().flatten().cloned();
    let digests = bundle.crio_digests.as_deref().unwrap_or_default().split(',');
    let digests = digests.filter_map(|it| it.trim().split_once('@')?.1.parse().ok());
    AnnotatedImage { names: names.filter(|it| !it.is_empty()).collect(), digests: digests.collect() }
}

/// Where containers and images may be: where the bundle is, above the container's root file system, and by default. The
/// bundles of CRI-O, and of Podman with `--transient-store`, lie below the folder for what a reboot may lose.
fn roots(place: &BundlePath, asked: &ResolverInput<'_>) -> Vec<PathBuf> {
    let mut roots = vec![place.root.clone()];
    let root = asked.bundle.root.as_deref().map(Path::new).filter(|it| it.is_absolute());
    // `<root>/overlay/<id>/merged`, `<root>/vfs/dir/<id>`.
    let above = root.and_then(|it| it.ancestors().nth(3)).map(Path::to_owned);
    for root in above.into_iter().chain([asked.places.at("var/lib/containers/storage")]) {
        if !roots.contains(&root) {
            roots.push(root);
        }
    }
    roots
}

/// A container that is removed when it ends stands in the second file (containers/storage, `containers.go`).
fn find(roots: &[PathBuf], place: &BundlePath) -> anyhow::Result<Option<StorageContainer>> {
    for root in roots {
        let folder = root.join(format!("{}-containers", place.driver));
        for name in ["containers.json", "volatile-containers.json"] {
            let containers: Vec<StorageContainer> = list(&folder.join(name), MAX_CONTAINERS)?;
            let found = containers.into_iter().find(|it| it.id == place.id);
            if found.is_some() {
                return Ok(found);
            }
        }
    }
    Ok(None)
}

fn image(
    id: &str,
    roots: &[PathBuf],
    driver: &str,
    asked: &ResolverInput<'_>,
) -> anyhow::Result<Option<StorageImage>> {
    let among = |root: &PathBuf| -> anyhow::Result<Option<StorageImage>> {
        let path = root.join(format!("{driver}-images/images.json"));
        Ok(list::<StorageImage>(&path, MAX_IMAGES)?.into_iter().find(|it| it.id == id))
    };
    for root in roots {
        if let Some(image) = among(root)? {
            return Ok(Some(image));
        }
    }
    for root in further_stores(asked.places)? {
        if let Some(image) = among(&root)? {
            return Ok(Some(image));
        }
    }
    Ok(None)
}

/// Stores that the administrator shares among users or machines.
fn further_stores(places: &EnginePlaces) -> anyhow::Result<Vec<PathBuf>> {
    #[derive(Default, Deserialize)]
    #[serde(expecting = "a table")]
    struct StorageConf {
        #[serde(default)]
        storage: Storage,
    }
    #[derive(Default, Deserialize)]
    #[serde(expecting = "a table")]
    struct Storage {
        #[serde(default)]
        graphroot: Option<PathBuf>,
        #[serde(default)]
        imagestore: Option<PathBuf>,
        #[serde(default)]
        options: StorageOptions,
    }
    #[derive(Default, Deserialize)]
    #[serde(expecting = "a table")]
    struct StorageOptions {
        #[serde(default)]
        additionalimagestores: Vec<PathBuf>,
    }
    for path in CONFIGS.map(|it| places.at(it)) {
        let Some(bytes) = file::read(&path, MAX_CONFIG)? else { continue };
        let text = str::from_utf8(&bytes).with_context(|| format!("reading {}", path.display()))?;
        let config: StorageConf =
            toml::from_str(text).with_context(|| format!("reading {}", path.display()))?;
        let Storage { graphroot, imagestore, options } = config.storage;
        return Ok(imagestore.into_iter().chain(graphroot).chain(options.additionalimagestores).collect());
    }
    Ok(Vec::new())
}

/// Where containers-storage keeps images (containers-storage.conf(5), "driver").
const DRIVERS: [&str; 5] = ["overlay", "vfs", "btrfs", "zfs", "aufs"];

/// All stores, or the one that is named.
fn stores(root: Option<&Path>, places: &EnginePlaces) -> anyhow::Result<Vec<PathBuf>> {
    if let Some(root) = root {
        return Ok(vec![root.to_owned()]);
    }
    let mut roots = further_stores(places)?;
    roots.push(places.at("var/lib/containers/storage"));
    Ok(roots)
}

/// The image with this ID; `None` if no store has it.
pub(super) fn unpacked(
    id: &Digest,
    root: Option<&Path>,
    places: &EnginePlaces,
) -> anyhow::Result<Option<UnpackedImage>> {
    let stores = stores(root, places)?;
    for (root, driver) in stores.iter().flat_map(|it| DRIVERS.map(|driver| (it, driver))) {
        let images = root.join(format!("{driver}-images"));
        let list: Vec<StorageImage> = list(&images.join("images.json"), MAX_IMAGES)?;
        let Some(image) = list.into_iter().find(|it| it.id == id.hex()) else { continue };
        let data = images.join(id.hex());
        let path = data.join(file_name(&format!("sha256:{}", id.hex())));
        let Some(configuration) = stored::verified(&path, id)? else { continue };
        let mut documents = Vec::new();
        let ways =
            image.data.unwrap_or_default().into_iter().filter(|(name, _)| name.starts_with("manifest-"));
        for (name, digest) in ways.take(MAX_DOCUMENTS) {
            // Another algorithm's digest is none that an artifact's subject could have in our store.
            let Ok(digest) = digest.parse() else { continue };
            documents.extend(stored::verified(&data.join(file_name(&name)), &digest)?);
        }
        let folders = layers(&image.layer, driver, &stores)?;
        return Ok(Some(UnpackedImage { configuration, documents, folders }));
    }
    Ok(None)
}

/// The name of a file with more than letters, digits and dots in its own (containers/storage, `makeBigDataBaseName`).
fn file_name(key: &str) -> String {
    format!("={}", STANDARD.encode(key))
}

/// The folders of a layer and of those below it, the uppermost first; none if that is not certain.
fn layers(uppermost: &str, driver: &str, stores: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut known = BTreeMap::new();
    for root in stores {
        for name in ["layers.json", "volatile-layers.json"] {
            let list: Vec<StorageLayer> =
                list(&root.join(format!("{driver}-layers")).join(name), MAX_IMAGES)?;
            known.extend(list.into_iter().map(|it| (it.id, (root, it.parent))));
        }
    }
    let (mut folders, mut next) = (Vec::new(), uppermost);
    while !next.is_empty() {
        let Some((root, parent)) = known.get(next).filter(|_| stored::is_layer_name(next)) else {
            return Ok(Vec::new());
        };
        match driver {
            "overlay" => {
                // Its files lie elsewhere then, by their digests.
                if !matches!(root.join("overlay").join(next).join("composefs-data").try_exists(), Ok(false)) {
                    return Ok(Vec::new());
                }
                folders.push(root.join("overlay").join(next).join("diff"));
            }
            // One that has all of it.
            "vfs" => return Ok(vec![root.join("vfs/dir").join(next)]),
            "btrfs" => return Ok(vec![root.join("btrfs/subvolumes").join(next)]),
            _ => return Ok(Vec::new()),
        }
        if folders.len() > MAX_LAYERS {
            return Ok(Vec::new());
        }
        next = parent;
    }
    Ok(folders)
}

/// Every image with its names and digests, from all drivers and stores.
pub(super) fn images(root: Option<&Path>, places: &EnginePlaces) -> anyhow::Result<Vec<ImageRecord>> {
    let roots = stores(root, places)?;
    let (mut found, mut has_any) = (Vec::new(), false);
    for folder in roots.iter().flat_map(|it| DRIVERS.map(|driver| it.join(format!("{driver}-images")))) {
        let images: Vec<StorageImage> = list(&folder.join("images.json"), MAX_IMAGES)?;
        // Before the first image there is a lock, and no list.
        has_any |= !images.is_empty() || file::read(&folder.join("images.lock"), MAX_LOCK)?.is_some();
        for image in images {
            found.push(image.record(&folder)?);
        }
    }
    if !has_any {
        let roots: Vec<_> = roots.iter().map(|it| it.display().to_string()).collect();
        let told = format!(
            "no images of containers-storage in {}: name its folder with --engine-root",
            roots.join(", ")
        );
        return Err(Absent(told).into());
    }
    Ok(found)
}

/// A name without the tag that is another image's by now.
fn untagged(name: &str) -> String {
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') && !name.contains('@') => repository.to_owned(),
        _ => name.to_owned(),
    }
}

/// A name that no registry knows: `localhost/...` for what is built here, `docker.io/library/<64 hex digits>-tmp:latest` for
/// each step of a build on its way (buildah, `commit.go`).
fn is_passing(name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or_default();
    let step = last.split(':').next().unwrap_or_default().strip_suffix("-tmp").unwrap_or_default();
    name.starts_with("localhost/") || step.len() == 64 && step.bytes().all(|it| it.is_ascii_hexdigit())
}

/// Whether an image was made on this machine: layers of builds are not compressed in the store, those of registries are.
/// One without layers, or without a manifest, may be from anywhere.
fn is_made_here(folder: &Path, id: &str) -> anyhow::Result<bool> {
    #[derive(Deserialize)]
    #[serde(expecting = "an object")]
    struct LayersManifest {
        #[serde(default)]
        layers: Vec<LayerDescriptor>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    #[serde(expecting = "an object")]
    struct LayerDescriptor {
        media_type: String,
    }
    // No path is made of what is no ID.
    if id.is_empty() || !id.bytes().all(|it| it.is_ascii_hexdigit()) {
        return Ok(false);
    }
    let path = folder.join(id).join("manifest");
    let Some(bytes) = file::read(&path, MAX_MANIFEST)? else { return Ok(false) };
    // What is no manifest of ours is asked about.
    let layers = serde_json::from_slice::<LayersManifest>(&bytes).map_or_else(|_| Vec::new(), |it| it.layers);
    Ok(!layers.is_empty() && layers.iter().all(|it| it.media_type.ends_with(".tar")))
}

/// A list in a file; one that is not there is empty.
fn list<T: for<'a> Deserialize<'a>>(path: &Path, limit: usize) -> anyhow::Result<Vec<T>> {
    let read = file::read_settled(path, limit, |bytes| Ok(serde_json::from_slice(bytes)?))?;
    Ok(read.unwrap_or_default())
}

impl StorageImage {
    /// The index or manifest by which it was pulled last comes first, then those by which it was before. `folder` has the
    /// files of each image.
    fn record(self, folder: &Path) -> anyhow::Result<ImageRecord> {
        let record = |ids, names, digests| ImageRecord {
            engine: ImageEngine::Podman,
            ids,
            names,
            digests,
            is_of_registry: true,
        };
        let is_way = |name: &str| name == "manifest" || name.starts_with("manifest-");
        let ways = self.data.unwrap_or_default().into_iter().filter(|(name, _)| is_way(name));
        let digests = [self.digest].into_iter().chain(ways.map(|(_, digest)| digest));
        // Another algorithm's digest is none that an artifact's subject could have in our store.
        let digests = digests.filter_map(|it| it.parse().ok()).collect();
        let ids = Digest::from_hex(&self.id).into_iter().collect();
        let mut names = self.names.unwrap_or_default();
        if names.is_empty() {
            // Its name stands for another image by now; or it was made here, and a registry may never have had it.
            let earlier = self.earlier.unwrap_or_default();
            if earlier.is_empty() {
                return Ok(record(ids, names, digests));
            }
            let is_made = earlier.iter().all(|it| is_passing(it)) || is_made_here(folder, &self.id)?;
            if is_made {
                return Ok(record(ids, vec![self.id], Vec::new()));
            }
            names = earlier.iter().filter(|it| !is_passing(it)).map(|it| untagged(it)).collect();
        }
        Ok(record(ids, names, digests))
    }

    fn tell(self, identity: &mut Identity) -> Result<(), UnknownImage> {
        identity.id = Digest::from_hex(&self.id);
        for name in self.names.iter().flatten() {
            identity.add_name(Some(name));
        }
        let data = self.data.unwrap_or_default();
        let ways = data.iter().filter(|(name, _)| name.starts_with("manifest-")).map(|(_, digest)| digest);
        let manifest = data.get("manifest").and_then(|it| it.parse::<Digest>().ok());
        // Another algorithm's digest is none that an artifact's subject could have in our store.
        for digest in ways.chain([&self.digest]).filter_map(|it| it.parse().ok()) {
            identity.add_digest(digest);
        }
        if let Some(manifest) = manifest {
            identity.digests.retain(|it| *it != manifest);
            identity.digests.push(manifest);
        }
        match identity.digests.is_empty() {
            true => Err(UnknownImage::Untold(format!(
                "image {:?} has no manifest with a SHA-256 digest",
                self.id
            ))),
            false => Ok(()),
        }
    }
}
