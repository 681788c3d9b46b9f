//! The images of containers that dockerd runs, from its own files: a container's `config.v2.json`, and for images in
//! one of its graph drivers the names and digests in `repositories.json`. Asks no daemon: it waits for this container.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::containerd;
use super::content::{ContentStore, ImageConfig, chain_ids, root_of_task};
use super::images::{Absent, ImageEngine, ImageRecord};
use super::stored::{self, MAX_LAYERS, UnpackedImage};
use super::{EnginePlaces, Identity, ResolverInput, Task, UnknownImage};
use crate::image::Spelled;
use crate::store::Digest;
use crate::{container::input, os::file};

/// Labels and environment are the users': some KiB, and rarely more. A larger one is its container's fault.
const MAX_CONTAINER: usize = 64 << 20;
/// Some 300 bytes for each name of each image.
const MAX_REPOSITORIES: usize = 32 << 20;
/// Written by hand.
const MAX_DAEMON: usize = 1 << 20;

/// What dockerd notes about a container (moby, `daemon/container/container.go`).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[serde(expecting = "an object")]
struct DockerContainer {
    #[serde(rename = "ID")]
    id: String,
    /// With a graph driver the digest of the image's configuration, else of its manifest or index.
    #[serde(default)]
    image: String,
    #[serde(default)]
    driver: String,
    #[serde(default)]
    config: Option<DockerConfig>,
    /// Written by dockerd where containerd keeps its images.
    #[serde(default)]
    image_manifest: Option<DockerDescriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[serde(expecting = "an object")]
struct DockerConfig {
    /// As the user wrote it: a name, or the start of an id.
    #[serde(default)]
    image: String,
    #[serde(default)]
    healthcheck: Option<Healthcheck>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[serde(expecting = "an object")]
struct Healthcheck {
    #[serde(default)]
    test: Option<Vec<String>>,
}

/// A container's `hostconfig.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[serde(expecting = "an object")]
struct HostConfig {
    log_config: LogConfig,
    #[serde(default)]
    binds: Option<IgnoredAny>,
    #[serde(default)]
    port_bindings: Option<IgnoredAny>,
    #[serde(default)]
    devices: Option<IgnoredAny>,
    #[serde(default)]
    auto_remove: bool,
    #[serde(default)]
    privileged: bool,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct LogConfig {
    #[serde(rename = "Type")]
    kind: String,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct DockerDescriptor {
    digest: String,
}

/// Names, with tag or digest, of image ids (moby, `reference/store.go`).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[serde(expecting = "an object")]
struct Repositories {
    #[serde(default)]
    repositories: BTreeMap<String, BTreeMap<String, String>>,
}

/// Finds out which image a container of dockerd's runs.
pub(super) fn resolve(
    task: &Task,
    asked: &ResolverInput<'_>,
    identity: &mut Identity,
) -> Result<(), UnknownImage> {
    let unread = |err: anyhow::Error| UnknownImage::Unanswered(format!("{err:#}"));
    if task.id.len() != 64 || !task.id.bytes().all(|it| it.is_ascii_hexdigit()) {
        return Err(UnknownImage::Untold(format!("{:?} is no container id of dockerd's", task.id)));
    }
    let unread_container = |err: anyhow::Error| match err.is::<TooLarge>() {
        true => UnknownImage::Unfit(format!("{err:#}")),
        false => unread(err),
    };
    let Some((root, container)) = container(&task.id, asked).map_err(unread_container)? else {
        let why = format!("dockerd's data folder with containers/{}/config.v2.json was not found", task.id);
        return Err(UnknownImage::Unanswered(why));
    };
    identity.add_name(container.name());
    if let Some(manifest) = &container.image_manifest {
        return of_containerd(&container, manifest, identity);
    }
    identity.id = container.image.parse().ok();
    let path = root.join("image").join(&container.driver).join("repositories.json");
    if let Some(repositories) = read::<Repositories>(&path, MAX_REPOSITORIES).map_err(unread)? {
        repositories.find(&container.image, identity);
    }
    if identity.digests.is_empty() {
        let why = "it was built or loaded here, and has no digest in any registry";
        return Err(UnknownImage::Untold(why.to_owned()));
    }
    complete(&container.image, asked.folder, identity)
}

impl DockerContainer {
    /// As the user called the image; nothing if that was its id, or the start of it.
    fn name(&self) -> Option<&str> {
        let named = self.config.as_ref()?.image.as_str();
        let id = self.image.strip_prefix("sha256:").unwrap_or(&self.image);
        (!id.starts_with(named.strip_prefix("sha256:").unwrap_or(named))).then_some(named)
    }
}

/// Whether it is a step of the classic builder (moby, `builder/dockerfile/internals.go`): of an image by its whole id, without
/// log and health check, and without what a client of dockerd's sends along (an empty list where the builder has none).
///
/// None of it proves anything to those who speak to dockerd without `docker`. They may as well name the runtime `runc`, which
/// every dockerd has.
pub(super) fn is_build(task: &Task, asked: &ResolverInput<'_>) -> bool {
    // What cannot be read is taken for what is checked.
    let Ok(Some((root, container))) = container(&task.id, asked) else { return false };
    let path = root.join("containers").join(&task.id).join("hostconfig.json");
    let Ok(Some(host)) = read::<HostConfig>(&path, MAX_CONTAINER) else { return false };
    let Some(config) = &container.config else { return false };
    let test = config.healthcheck.as_ref().and_then(|it| it.test.as_deref());
    config.image == container.image
        && container.image.parse::<Digest>().is_ok()
        && test.is_some_and(|it| it.iter().eq(["NONE"]))
        && host.log_config.kind == "none"
        && (host.binds.is_none() && host.port_bindings.is_none() && host.devices.is_none())
        && !host.auto_remove
        && !host.privileged
}

/// What dockerd notes about a container is larger than any of good will.
#[derive(Debug)]
struct TooLarge(PathBuf);

impl std::fmt::Display for TooLarge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "reading {}: it is larger than {MAX_CONTAINER} bytes", self.0.display())
    }
}

impl std::error::Error for TooLarge {}

/// The folder with all of dockerd's data, and what it notes about this container.
fn container(id: &str, asked: &ResolverInput<'_>) -> anyhow::Result<Option<(PathBuf, DockerContainer)>> {
    for root in roots(asked)? {
        let path = root.join("containers").join(id).join("config.v2.json");
        let size = nix::sys::stat::stat(&path).map_or(0, |it| it.st_size);
        if usize::try_from(size).is_ok_and(|it| it > MAX_CONTAINER) {
            return Err(TooLarge(path).into());
        }
        let found: Option<DockerContainer> = read(&path, MAX_CONTAINER)?;
        if let Some(container) = found.filter(|it| it.id == id) {
            return Ok(Some((root, container)));
        }
    }
    Ok(None)
}

/// Where the data may be, the likeliest first: by the containerd that dockerd started, above the container's root file
/// system, where the daemon's configuration says, and where it is by default.
fn roots(asked: &ResolverInput<'_>) -> anyhow::Result<Vec<PathBuf>> {
    let own = root_of_task(asked.folder);
    let mut roots: Vec<_> = own.iter().filter_map(|it| above(it, Path::new("containerd/daemon"))).collect();
    let root = asked.bundle.root.as_deref().map(Path::new).filter(|it| it.is_absolute());
    // `<data>/overlay2/<id>/merged`, `<data>/vfs/dir/<id>`, `<data>/rootfs/overlayfs/<id>`.
    roots.extend(root.into_iter().flat_map(|it| it.ancestors().skip(2).take(3)).map(Path::to_owned));
    roots.extend(configured(asked.places)?);
    roots.push(asked.places.at("var/lib/docker"));
    Ok(roots)
}

fn above(path: &Path, below: &Path) -> Option<PathBuf> {
    let root = path.ancestors().nth(below.iter().count())?;
    path.ends_with(below).then(|| root.to_owned())
}

fn configured(places: &EnginePlaces) -> anyhow::Result<Option<PathBuf>> {
    #[derive(Deserialize)]
    #[serde(expecting = "an object")]
    struct DaemonJson {
        #[serde(default, rename = "data-root")]
        data_root: Option<PathBuf>,
    }
    let daemon: Option<DaemonJson> = read(&places.at("etc/docker/daemon.json"), MAX_DAEMON)?;
    Ok(daemon.and_then(|it| it.data_root))
}

fn read<T: DeserializeOwned>(path: &Path, limit: usize) -> anyhow::Result<Option<T>> {
    file::read_settled(path, limit, |bytes| input::object(bytes))
}

/// With containerd's image store, dockerd notes both the manifest and what the name stood for.
fn of_containerd(
    container: &DockerContainer,
    manifest: &DockerDescriptor,
    identity: &mut Identity,
) -> Result<(), UnknownImage> {
    for text in [&container.image, &manifest.digest] {
        let digest = text.parse().map_err(|err| UnknownImage::Untold(format!("dockerd notes {err}")))?;
        identity.add_digest(digest);
    }
    Ok(())
}

impl Repositories {
    /// The names and digests of the image with this id.
    fn find(&self, id: &str, identity: &mut Identity) {
        let names = self.repositories.values().flatten().filter(|(_, image)| image.as_str() == id);
        for (name, _) in names {
            match name.split_once('@') {
                Some((_, digest)) => {
                    // Another algorithm's digest is none that an artifact's subject could have in our store.
                    if let Ok(digest) = digest.parse() {
                        identity.add_digest(digest);
                    }
                }
                None => identity.add_name(Some(name)),
            }
        }
    }
}

/// A digest in a name is that of the index, if there is one: dockerd keeps the manifests that it pulled in containerd's
/// content store, and the image's id tells which of them it is.
fn complete(id: &str, bundle: &Path, identity: &mut Identity) -> Result<(), UnknownImage> {
    let part =
        |why: String| UnknownImage::Untold(format!("only the digest by which it was pulled is known: {why}"));
    let content = ContentStore::of_task(bundle)
        .ok_or_else(|| part("the bundle has no link to containerd's content".to_owned()))?;
    let id: Digest = id.parse().map_err(|err| part(format!("its {err}")))?;
    let mut manifests = Vec::new();
    let mut why = None;
    for named in identity.digests.clone() {
        match content.manifests(named) {
            Ok(found) => manifests.extend(found.into_iter().filter(|it| it.config == id)),
            Err(err) => why = Some(err),
        }
    }
    let Some(manifest) = manifests.iter().find_map(|it| it.path.last().copied()) else {
        return Err(part(why.unwrap_or_else(|| "no manifest behind it has its configuration".to_owned())));
    };
    for digest in manifests.into_iter().flat_map(|it| it.path) {
        identity.add_digest(digest);
    }
    identity.digests.retain(|it| *it != manifest);
    identity.digests.push(manifest);
    Ok(())
}

/// The folder with all of dockerd's data.
fn data(root: Option<&Path>, places: &EnginePlaces) -> anyhow::Result<PathBuf> {
    Ok(match root {
        Some(root) => root.to_owned(),
        None => configured(places)?.unwrap_or_else(|| places.at("var/lib/docker")),
    })
}

/// Where dockerd's own containerd keeps its content.
pub(super) fn content(places: &EnginePlaces) -> Option<PathBuf> {
    let root = configured(places).ok()?.unwrap_or_else(|| places.at("var/lib/docker"));
    Some(root.join("containerd/daemon"))
}

/// Where dockerd's graph drivers keep their images.
const DRIVERS: [&str; 8] =
    ["overlay2", "vfs", "btrfs", "zfs", "fuse-overlayfs", "overlay", "devicemapper", "aufs"];

/// A layer's name in a graph driver is a number of 32 bytes, in digits.
const MAX_CACHE_ID: usize = 256;

/// The image with this ID, as a graph driver keeps it (moby, `daemon/internal/layer/filestore.go`); `None` if none does.
pub(super) fn unpacked(
    id: &Digest,
    root: Option<&Path>,
    places: &EnginePlaces,
) -> anyhow::Result<Option<UnpackedImage>> {
    let root = data(root, places)?;
    for driver in DRIVERS {
        let images = root.join("image").join(driver);
        let path = images.join("imagedb/content/sha256").join(id.hex());
        let Some(configuration) = stored::verified(&path, id)? else { continue };
        let folders = layers(&root, driver, &images, &configuration)?;
        return Ok(Some(UnpackedImage { configuration, documents: Vec::new(), folders }));
    }
    Ok(None)
}

/// The folders of an image's layers, the uppermost first; none if that is not certain.
fn layers(root: &Path, driver: &str, images: &Path, configuration: &[u8]) -> anyhow::Result<Vec<PathBuf>> {
    let folder = |it: &str| match driver {
        "overlay2" | "fuse-overlayfs" => Some(root.join(driver).join(it).join("diff")),
        // One that has all of it.
        "vfs" => Some(root.join("vfs/dir").join(it)),
        "btrfs" => Some(root.join("btrfs/subvolumes").join(it)),
        _ => None,
    };
    let Ok(config) = serde_json::from_slice::<ImageConfig>(configuration) else { return Ok(Vec::new()) };
    let mut folders = Vec::new();
    for chain in chain_ids(config).iter().rev().take(MAX_LAYERS + 1) {
        let name = match chain.parse::<Digest>() {
            Ok(chain) => {
                let path = images.join("layerdb/sha256").join(chain.hex()).join("cache-id");
                file::read(&path, MAX_CACHE_ID)?.and_then(|it| String::from_utf8(it).ok())
            }
            Err(_) => None,
        };
        let name = name.as_deref().map(str::trim_end).filter(|it| stored::is_layer_name(it));
        let Some(folder) = name.and_then(folder) else { return Ok(Vec::new()) };
        folders.push(folder);
        if ["vfs", "btrfs"].contains(&driver) {
            break;
        }
    }
    Ok(if folders.len() > MAX_LAYERS { Vec::new() } else { folders })
}

/// dockerd's namespace in containerd.
const NAMESPACE: &str = "moby";
/// Where the containerd listens that dockerd starts, if it starts one.
const OWN: &str = "run/docker/containerd/containerd.sock";
/// That of the host, which dockerd's packages have it use.
const SHARED: &str = "run/containerd/containerd.sock";
/// As whose name dockerd keeps an image that has lost its own (moby, `daemon/containerd/image.go`).
const DANGLING: &str = "moby-dangling@";

/// The images that dockerd keeps in containerd, as it does by default since version 29. A host's containerd is asked only where
/// dockerd has data, but no images in a graph driver.
fn in_containerd(places: &EnginePlaces, has_drivers: bool) -> anyhow::Result<Vec<ImageRecord>> {
    // What cannot be looked at is asked, and then says why not.
    let is_there = |it: &PathBuf| !matches!(it.try_exists(), Ok(false));
    let is_user = !has_drivers && is_there(&places.at("var/lib/docker"));
    let shared = is_user.then(|| places.at(SHARED));
    let Some(socket) = [Some(places.at(OWN)), shared].into_iter().flatten().find(is_there) else {
        return Ok(Vec::new());
    };
    let images =
        containerd::images(&socket, Some(NAMESPACE)).map_err(|it| anyhow::anyhow!("docker's {it}"))?;
    let repositories: Vec<_> = images.iter().map(|it| Spelled::of(&it.name).repository()).collect();
    let mut found: BTreeMap<String, ImageRecord> = BTreeMap::new();
    for image in images {
        let record = found.entry(image.digest).or_insert_with_key(|digest| {
            let digests: Vec<_> = digest.parse().into_iter().collect();
            let ids = digests.clone();
            ImageRecord {
                engine: ImageEngine::Docker,
                ids,
                names: Vec::new(),
                digests,
                is_of_registry: image.is_of_registry,
            }
        });
        if !image.name.starts_with(DANGLING) {
            record.names.push(image.name);
            continue;
        }
        // The registry's port is not noted, but the repository's other images have it.
        let whole =
            |it: String| repositories.iter().find(|whole| without_port(whole) == it).cloned().unwrap_or(it);
        record.names.extend(image.sources.into_iter().map(whole));
    }
    Ok(found.into_values().collect())
}

fn without_port(repository: &str) -> String {
    match repository.split_once('/') {
        Some((host, path)) => format!("{}/{path}", host.rsplit_once(':').map_or(host, |it| it.0)),
        None => repository.to_owned(),
    }
}

/// The names of every image, from all drivers and from containerd. One without a name that has a digest was made here.
pub(super) fn images(root: Option<&Path>, places: &EnginePlaces) -> anyhow::Result<Vec<ImageRecord>> {
    let is_whole = root.is_none();
    let root = data(root, places)?;
    let (mut found, mut has_any) = (Vec::new(), false);
    for driver in DRIVERS {
        let path = root.join("image").join(driver).join("repositories.json");
        let Some(Repositories { repositories }) = read(&path, MAX_REPOSITORIES)? else { continue };
        has_any = true;
        let mut images: BTreeMap<String, ImageRecord> = BTreeMap::new();
        for (name, image) in repositories.into_values().flatten() {
            let record = images.entry(image).or_insert_with_key(|id| ImageRecord {
                engine: ImageEngine::Docker,
                ids: id.parse().into_iter().collect(),
                names: Vec::new(),
                digests: Vec::new(),
                is_of_registry: true,
            });
            record.names.push(name);
        }
        found.extend(images.into_values());
    }
    if is_whole {
        let kept = in_containerd(places, has_any)?;
        has_any |= !kept.is_empty();
        found.extend(kept);
    }
    if !has_any {
        let told = format!(
            "{} has no images of dockerd's: name its folder with --engine-root, or, if it keeps images in containerd, take \
             --from-engine containerd",
            root.display()
        );
        return Err(Absent(told).into());
    }
    Ok(found)
}
