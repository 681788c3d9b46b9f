//! Which image does a container run? A bundle does not contain that. Each engine records it in its own place, so there is one
//! resolver for each. Bounded in time and in size. Text of an image or an annotation is never the answer, and never names a
//! file.

pub mod engines;
pub mod images;
pub mod named;
pub mod stored;
mod umoci;
mod containerd;
mod content;
mod docker;
mod storage;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::container::input::Bundle;
use crate::store::Digest;
use content::TASKS;

/// What an engine knows about a container's image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The image's names, the one that was asked for first. Text of strangers; none proves anything.
    pub names: Vec<String>,
    /// The digests by which artifacts may be attached to the image: those of indexes, and last its manifest's.
    pub digests: Vec<Digest>,
    /// The digest of its configuration, which engines call its ID; `None` where the engine has no use for it.
    pub id: Option<Digest>,
    /// What annotations claim besides; the user who starts the container can write anything there.
    pub annotated: AnnotatedImage,
    /// What is not known, and why.
    pub unknown: Option<UnknownImage>,
}

/// An image by its annotations: it may add requirements, and never removes one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnnotatedImage {
    /// Its names.
    pub names: Vec<String>,
    /// The digests of its manifest or indexes.
    pub digests: Vec<Digest>,
}

/// Why an image, or its manifest, is not known: the rest of a sentence that starts with "image unknown: ".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnknownImage {
    /// There is no answer.
    Untold(String),
    /// There may be an answer, but the engine could not be asked.
    Unanswered(String),
    /// The answer is one that no container of good will has: what it brought is too large, or malformed.
    Unfit(String),
}

/// How much has to be found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A name: no daemon is asked if the bundle has it.
    Name,
    /// Names and digests.
    Digests,
}

/// Where engines keep what is not in a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnginePlaces {
    /// What `/proc`, `/etc`, `/run` and `/var` are below.
    pub root: PathBuf,
}

/// The end of a whole check. It is a function, because looking at the clock costs a start that asks no daemon more than
/// the rest of its way.
pub type CheckDeadline<'a> = &'a dyn Fn() -> Instant;

/// The input of the resolvers.
struct ResolverInput<'a> {
    folder: &'a Path,
    bundle: &'a Bundle,
    need: Need,
    places: &'a EnginePlaces,
    until: CheckDeadline<'a>,
}

/// Who made a bundle, by the looks of its path.
#[derive(Debug, PartialEq, Eq)]
enum Maker {
    Containerd(Task),
    Docker(Task),
    Storage(storage::BundlePath),
    /// A step of an image's build runs no image.
    Build,
    /// A plugin of dockerd's is none of its images.
    Plugin,
    /// umoci, or an unknown tool.
    Other,
}

/// A container as containerd calls it.
#[derive(Debug, PartialEq, Eq)]
struct Task {
    /// containerd's state folder.
    state: PathBuf,
    namespace: String,
    id: String,
}

/// Finds out which image the container in this bundle runs. A daemon that is busy is waited for until the end of the whole
/// check; one that does not run is not waited for.
pub fn resolve(
    folder: &Path,
    bundle: &Bundle,
    need: Need,
    places: &EnginePlaces,
    until: CheckDeadline<'_>,
) -> Identity {
    let asked = ResolverInput { folder, bundle, need, places, until };
    let mut identity = Identity::default();
    let resolved = match maker(folder) {
        Maker::Containerd(task) => containerd::resolve(&task, &asked, &mut identity),
        Maker::Docker(task) => docker::resolve(&task, &asked, &mut identity),
        Maker::Storage(place) => storage::resolve(&place, &asked, &mut identity),
        Maker::Build | Maker::Plugin => Ok(()),
        Maker::Other => umoci::resolve(&asked, &mut identity),
    };
    identity.unknown = resolved.err();
    identity
}

/// Whether the container in this bundle runs a step of an image's build, which is no start of an image.
///
/// The engine shows it, by the bundle's path or in its own files. What the container's owner writes counts for nothing: not an
/// annotation, and not a label.
pub fn is_build(folder: &Path, bundle: &Bundle, places: &EnginePlaces, until: CheckDeadline<'_>) -> bool {
    let asked = ResolverInput { folder, bundle, need: Need::Name, places, until };
    match maker(folder) {
        Maker::Build => true,
        Maker::Docker(task) => docker::is_build(&task, &asked),
        Maker::Containerd(_) | Maker::Storage(_) | Maker::Plugin | Maker::Other => false,
    }
}

impl Identity {
    fn add_name(&mut self, name: Option<&str>) {
        let name = name.filter(|it| !it.is_empty()).map(str::to_owned);
        self.names.extend(name.filter(|it| !self.names.contains(it)));
    }

    fn add_digest(&mut self, digest: Digest) {
        if !self.digests.contains(&digest) {
            self.digests.push(digest);
        }
    }

    /// What is not known and why, as one sentence; `None` if all is known.
    pub fn gap(&self) -> Option<String> {
        let (UnknownImage::Untold(why) | UnknownImage::Unanswered(why) | UnknownImage::Unfit(why)) =
            self.unknown.as_ref()?;
        Some(match self.digests.is_empty() {
            true => format!("image unknown: {why}"),
            false => format!("image known only in part: {why}"),
        })
    }
}

impl EnginePlaces {
    /// Those of this machine.
    pub fn live() -> Self {
        Self { root: PathBuf::from("/") }
    }

    /// A path is given without its first slash.
    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }
}

/// Engines choose these paths; a user who could choose them could also choose the runtime.
fn maker(folder: &Path) -> Maker {
    let mut names = folder.iter().rev().map(|it| it.to_str().unwrap_or_default());
    let mut next = || names.next().unwrap_or_default();
    let (last, parent, third) = (next(), next(), next());
    if third == TASKS {
        return task(folder, parent, last);
    }
    if last == "userdata"
        && let Some(driver) = third.strip_suffix("-containers")
        && let Some(root) = folder.ancestors().nth(3)
    {
        let place =
            storage::BundlePath { root: root.to_owned(), driver: driver.to_owned(), id: parent.to_owned() };
        return Maker::Storage(place);
    }
    let is_buildah = last.strip_prefix("buildah").is_some_and(|it| !it.is_empty() && is_number(it));
    // BuildKit: `<root>/buildkit/executor/<id>` in dockerd, `<root>/runc-overlayfs/executor/<id>` in buildkitd.
    let is_buildkit = parent == "executor" && (third == "buildkit" || third.starts_with("runc-"));
    if is_buildah || is_buildkit { Maker::Build } else { Maker::Other }
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|it| it.is_ascii_digit())
}

fn task(folder: &Path, namespace: &str, id: &str) -> Maker {
    let state = folder.ancestors().nth(3).unwrap_or(folder).to_owned();
    let task = Task { state, namespace: namespace.to_owned(), id: id.to_owned() };
    match namespace {
        "moby" => Maker::Docker(task),
        "plugins.moby" => Maker::Plugin,
        "buildkit" => Maker::Build,
        _ => Maker::Containerd(task),
    }
}
