//! The images of containers that containerd runs: its CRI plugin's, `ctr`'s, nerdctl's. Asks the daemon three short
//! questions, and verifies every answer that the content store can prove.

mod wire;
mod headers;
mod frame;
mod grpc;
mod shim;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::content::{ContentManifest, ContentStore};
use super::{Identity, Need, ResolverInput, Task, UnknownImage};
use crate::store::Digest;
use grpc::{CallFault, Connection};

/// Where the CRI plugin keeps its own record of a container (containerd, `internal/cri/store/container`).
const CRI_RECORD: &str = "io.cri-containerd.container.metadata";

/// What containerd notes about a container (`api/services/containers/v1/containers.proto`).
struct ContainerdContainer {
    image: String,
    snapshotter: String,
    snapshot: String,
    /// The digest of the image's configuration, if the CRI plugin made the container.
    config: Option<Digest>,
}

/// Finds out which image a task runs.
pub(super) fn resolve(
    task: &Task,
    asked: &ResolverInput<'_>,
    identity: &mut Identity,
) -> Result<(), UnknownImage> {
    let annotated = asked.bundle.cri_image.clone().filter(|it| !it.is_empty());
    if asked.need == Need::Name && annotated.is_some() {
        identity.add_name(annotated.as_deref());
        return Ok(());
    }
    identity.annotated.names.extend(annotated.clone());
    let socket = shim::socket(&task.state, asked.places);
    let connection = Connection::open(&socket, (asked.until)()).map_err(unanswered)?;
    let mut daemon = ContainerdClient { connection, namespace: &task.namespace };
    let none = || format!("containerd has no container {:?}", task.id);
    let container = daemon.container(&task.id).map_err(|fault| gone_or(fault, none))?;
    // Its record is there, so it is no stranger who has written the annotation.
    identity.annotated.names.clear();
    identity.add_name(annotated.as_deref());
    identity.id = container.config;
    if container.image.is_empty() {
        return Err(UnknownImage::Untold("the container was made from no image of containerd's".to_owned()));
    }
    identity.add_name(Some(&container.image));
    if asked.need == Need::Name {
        return Ok(());
    }
    let none = || format!("containerd has no image {:?} any more", container.image);
    let target = daemon.image(&container.image).map_err(|fault| gone_or(fault, none))?;
    let target =
        target.parse().map_err(|err| UnknownImage::Untold(format!("containerd's image has {err}")))?;
    let Some(content) = ContentStore::of_task(asked.folder) else {
        identity.digests.push(target);
        return Err(UnknownImage::Untold("the bundle has no link to containerd's content".to_owned()));
    };
    settle(target, &container, &content, &mut daemon, identity)
}

/// The time limit for a list of all images: no container waits for it.
const LONG: Duration = Duration::from_secs(30);

/// An image in a namespace.
#[derive(Debug)]
pub(super) struct ContainerdImage {
    pub(super) name: String,
    /// Of what the name stands for.
    pub(super) digest: String,
    /// Whether it was pulled from or pushed to a registry, as far as containerd's records say.
    pub(super) is_of_registry: bool,
    /// The repositories that it came from or went into, with their registries, whose ports are not noted.
    pub(super) sources: Vec<String>,
}

/// How containerd's clients label what they pulled or pushed (containerd, `pkg/labels`), in front of the registry's name.
const SOURCE: &str = "containerd.io/distribution.source.";

/// Every image in this namespace, or in every one.
pub(super) fn images(socket: &Path, namespace: Option<&str>) -> Result<Vec<ContainerdImage>, String> {
    let connection = Connection::open(socket, Instant::now() + LONG).map_err(|it| it.to_string())?;
    let mut daemon = ContainerdClient { connection, namespace: "default" };
    let answer = daemon.ask("namespaces.v1.Namespaces/List", &[]).map_err(|it| it.to_string())?;
    let names = || -> Option<Vec<String>> {
        wire::all(&answer, 1)?.into_iter().map(|it| wire::text(it, 1).map(str::to_owned)).collect()
    };
    let namespaces = names().ok_or_else(|| unreadable("namespaces").to_string())?;
    let mut found = Vec::new();
    for namespace in namespaces.iter().filter(|it| namespace.is_none_or(|only| *it == only)) {
        daemon.namespace = namespace;
        let told = |it: CallFault| format!("namespace {namespace:?}: {it}");
        let mut known: BTreeMap<String, Option<Vec<String>>> = BTreeMap::new();
        for (name, digest) in daemon.images().map_err(told)? {
            let sources = match known.get(&digest) {
                Some(sources) => sources.clone(),
                None => daemon.sources(&digest).map_err(told)?,
            };
            known.insert(digest.clone(), sources.clone());
            let is_of_registry = sources.as_ref().is_none_or(|it| !it.is_empty());
            found.push(ContainerdImage {
                name,
                digest,
                is_of_registry,
                sources: sources.unwrap_or_default(),
            });
        }
    }
    Ok(found)
}

/// The folder in which a containerd keeps its content, as its plugin says (containerd, `plugins/content/local/plugin`); `None` if
/// it does not say so.
pub(super) fn content(socket: &Path) -> Option<PathBuf> {
    let connection = Connection::open(socket, Instant::now() + LONG).ok()?;
    let mut daemon = ContainerdClient { connection, namespace: "default" };
    let answer =
        daemon.ask("introspection.v1.Introspection/Plugins", &["type==io.containerd.content.v1"]).ok()?;
    let exports = wire::all(wire::bytes(&answer, 1)?, 5)?;
    let root = exports.into_iter().find(|it| wire::text(it, 1) == Some("root"))?;
    wire::text(root, 2).map(PathBuf::from).filter(|it| it.is_absolute())
}

fn unanswered(fault: CallFault) -> UnknownImage {
    UnknownImage::Unanswered(fault.to_string())
}

/// That something is not there is an answer.
fn gone_or(fault: CallFault, gone: impl FnOnce() -> String) -> UnknownImage {
    match fault {
        CallFault::NotFound => UnknownImage::Untold(gone()),
        // It holds what the container was given.
        CallFault::TooLarge(why) => UnknownImage::Unfit(why),
        CallFault::Other(_) => unanswered(fault),
    }
}

/// Which of the manifests behind the name it is. The name may stand for another image by now: a container that starts
/// anew keeps the one that it was made from.
fn settle(
    target: Digest,
    container: &ContainerdContainer,
    content: &ContentStore,
    daemon: &mut ContainerdClient<'_>,
    identity: &mut Identity,
) -> Result<(), UnknownImage> {
    let found = match content.manifests(target) {
        Ok(found) => found,
        Err(why) => {
            identity.digests.push(target);
            return Err(UnknownImage::Unanswered(why));
        }
    };
    let fitting = match container.config {
        Some(config) => found.into_iter().filter(|it| it.config == config).collect(),
        None => {
            let parent = daemon.parent(&container.snapshotter, &container.snapshot).map_err(|fault| {
                UnknownImage::Unanswered(format!("snapshot {:?}: {fault}", container.snapshot))
            })?;
            unpacked_at(&parent, found, content)?
        }
    };
    match <[ContentManifest; 1]>::try_from(fitting) {
        Ok([manifest]) => identity.digests = manifest.path,
        Err(none) if none.is_empty() => {
            return Err(UnknownImage::Untold(format!(
                "the name {:?} stands for another image than the one that the container was made from",
                container.image
            )));
        }
        Err(several) => {
            identity.digests.push(target);
            let count = several.len();
            return Err(UnknownImage::Untold(format!(
                "{count} manifests of index {target} fit the container"
            )));
        }
    }
    Ok(())
}

/// The manifests whose layers were unpacked to this snapshot. With user namespaces, the owners' numbers follow its name.
fn unpacked_at(
    parent: &str,
    found: Vec<ContentManifest>,
    content: &ContentStore,
) -> Result<Vec<ContentManifest>, UnknownImage> {
    let mut fitting = Vec::new();
    for manifest in found {
        let chain = content.chain_id(&manifest.config).map_err(UnknownImage::Unanswered)?;
        if parent == chain || (!chain.is_empty() && parent.starts_with(&chain)) {
            fitting.push(manifest);
        }
    }
    Ok(fitting)
}

/// A containerd, and the namespace in it that is asked about.
struct ContainerdClient<'a> {
    connection: Connection,
    namespace: &'a str,
}

impl ContainerdClient<'_> {
    fn container(&mut self, id: &str) -> Result<ContainerdContainer, CallFault> {
        let answer = self.ask("containers.v1.Containers/Get", &[id])?;
        let container = || {
            let record = wire::bytes(&answer, 1)?;
            Some(ContainerdContainer {
                image: wire::text(record, 3)?.to_owned(),
                snapshotter: wire::text(record, 6)?.to_owned(),
                snapshot: wire::text(record, 7)?.to_owned(),
                config: cri_config(record),
            })
        };
        container().ok_or_else(|| unreadable("container"))
    }

    /// The digest of the manifest or index that a name stands for.
    fn image(&mut self, name: &str) -> Result<String, CallFault> {
        let answer = self.ask("images.v1.Images/Get", &[name])?;
        let digest = || Some(wire::text(wire::bytes(wire::bytes(&answer, 1)?, 3)?, 2)?.to_owned());
        digest().ok_or_else(|| unreadable("image"))
    }

    /// Every image of the namespace: its name, and the digest of what it stands for.
    fn images(&mut self) -> Result<Vec<(String, String)>, CallFault> {
        let answer = self.ask("images.v1.Images/List", &[])?;
        let image = |it: &[u8]| -> Option<(String, String)> {
            Some((wire::text(it, 1)?.to_owned(), wire::text(wire::bytes(it, 3)?, 2)?.to_owned()))
        };
        let images = || wire::all(&answer, 1)?.into_iter().map(image).collect::<Option<Vec<_>>>();
        images().ok_or_else(|| unreadable("images"))
    }

    /// The repositories that the content with this digest was pulled from or pushed to; `None`, unknown, if it is not there.
    fn sources(&mut self, digest: &str) -> Result<Option<Vec<String>>, CallFault> {
        let answer = match self.ask("content.v1.Content/Info", &[digest]) {
            Err(CallFault::NotFound) => return Ok(None),
            answer => answer?,
        };
        let labels = || wire::all(wire::bytes(&answer, 1)?, 5);
        let labels = labels().ok_or_else(|| unreadable("content"))?;
        let all = labels.into_iter();
        let all = all.filter_map(|it| Some((wire::text(it, 1)?.strip_prefix(SOURCE)?, wire::text(it, 2)?)));
        // A label has several repositories of a registry, with commas between.
        let all = all.flat_map(|(registry, it)| it.split(',').map(move |it| format!("{registry}/{it}")));
        Ok(Some(all.collect()))
    }

    /// The snapshot that another one was made from.
    fn parent(&mut self, snapshotter: &str, snapshot: &str) -> Result<String, CallFault> {
        let answer = self.ask("snapshots.v1.Snapshots/Stat", &[snapshotter, snapshot])?;
        let parent = || Some(wire::text(wire::bytes(&answer, 1)?, 2)?.to_owned());
        parent().ok_or_else(|| unreadable("snapshot"))
    }

    /// All requests are messages of a few texts, numbered from one.
    fn ask(&mut self, method: &str, texts: &[&str]) -> Result<Vec<u8>, CallFault> {
        let mut message = Vec::new();
        for (field, text) in (1..).zip(texts) {
            wire::put(&mut message, field, text);
        }
        self.connection.call(&format!("/containerd.services.{method}"), self.namespace, &message)
    }
}

fn unreadable(what: &str) -> CallFault {
    CallFault::Other(format!("containerd's record of the {what} cannot be read"))
}

/// `None` also if the record has an unknown form: the snapshot has the answer too.
fn cri_config(record: &[u8]) -> Option<Digest> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct SandboxRecord {
        metadata: SandboxMetadata,
    }
    #[derive(Deserialize)]
    struct SandboxMetadata {
        #[serde(rename = "ImageRef")]
        image_ref: String,
    }
    let extensions = wire::all(record, 10)?;
    let entry = extensions.into_iter().find(|it| wire::text(it, 1) == Some(CRI_RECORD))?;
    let record: SandboxRecord = serde_json::from_slice(wire::bytes(wire::bytes(entry, 2)?, 2)?).ok()?;
    record.metadata.image_ref.parse().ok()
}
