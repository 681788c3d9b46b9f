//! The engines of this host, and their images.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use oci_compat::container::identity::EnginePlaces;
use oci_compat::container::identity::held::{self, Absent, ImageRecord};
use oci_compat::container::identity::meant::{self, Meant};
use oci_compat::store::Digest;
use oci_compat::words::text::printable;

use crate::args::{CONTAINERD, EngineArg};

/// What came of asking.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// All images of those that answered.
    pub(crate) held: Vec<ImageRecord>,
    /// Whether any engine answered.
    pub(crate) has_any: bool,
    /// Why the others did not, each a sentence.
    pub(crate) silent: Vec<String>,
    /// Of `all` engines, those that are not there, each a sentence.
    pub(crate) absent: Vec<String>,
}

/// As [`ask`], of the host in this folder.
pub(crate) fn ask_host(engines: &[EngineArg], root: Option<&Path>, socket: &Path, host: &Path) -> Answers {
    let socket = match host == Path::new("/") {
        true => socket.to_owned(),
        false => host.join(socket.strip_prefix("/").unwrap_or(socket)),
    };
    ask_at(engines, root, &socket, &EnginePlaces { root: host.to_owned() })
}

/// Asks these engines; `root` is the folder, and `socket` the socket of those that have one.
pub(crate) fn ask(engines: &[EngineArg], root: Option<&Path>, socket: &Path) -> Answers {
    ask_at(engines, root, socket, &EnginePlaces::live())
}

fn ask_at(engines: &[EngineArg], root: Option<&Path>, socket: &Path, places: &EnginePlaces) -> Answers {
    let mut answers = Answers::default();
    for (engine, is_optional) in engines.iter().flat_map(|it| named(*it)) {
        match held(engine, root, socket, places) {
            Ok(all) => {
                answers.has_any = true;
                answers.held.extend(all);
            }
            Err(err) if is_optional && err.is::<Absent>() => answers.absent.push(format!("{err:#}")),
            Err(err) => answers.silent.push(format!("{err:#}")),
        }
    }
    answers
}

#[derive(Debug, Clone, Copy)]
enum ReadEngine {
    Containerd,
    Docker,
    Podman,
}

/// The engines that are meant, and whether each may be missing.
fn named(engine: EngineArg) -> Vec<(ReadEngine, bool)> {
    match engine {
        EngineArg::All => {
            [ReadEngine::Containerd, ReadEngine::Docker, ReadEngine::Podman].map(|it| (it, true)).to_vec()
        }
        EngineArg::Containerd => vec![(ReadEngine::Containerd, false)],
        EngineArg::Docker => vec![(ReadEngine::Docker, false)],
        EngineArg::Podman => vec![(ReadEngine::Podman, false)],
    }
}

fn held(
    engine: ReadEngine,
    root: Option<&Path>,
    socket: &Path,
    places: &EnginePlaces,
) -> anyhow::Result<Vec<ImageRecord>> {
    match engine {
        ReadEngine::Containerd => held::of_containerd(socket),
        ReadEngine::Docker => held::of_docker(root, places),
        ReadEngine::Podman => held::of_storage(root, places),
    }
}

/// The image that an engine of the host in this folder calls so, whichever engine it is; or why some engines did not answer,
/// each a sentence. The chosen image is printed to stderr.
pub(crate) fn meant(text: &str, host: &Path) -> anyhow::Result<Result<Meant, Vec<String>>> {
    let places = EnginePlaces { root: host.to_owned() };
    let socket = host.join(CONTAINERD.trim_start_matches('/'));
    let Answers { held, silent, .. } = ask_at(&[EngineArg::All], None, &socket, &places);
    let found = meant::find(&held, text).map_err(|err| anyhow::anyhow!("{text:?} {err}"))?;
    let Some(mut found) = found else { return Ok(Err(silent)) };
    found.complete(&places);
    let note = format!("note: {text:?} is {found}");
    // The stream is closed.
    let _unheard = writeln!(std::io::stderr(), "{}", printable(&note));
    Ok(Ok(found))
}

/// The digest to which an artifact is attached, of the image that is called so.
pub(crate) fn subject(text: &str) -> anyhow::Result<Digest> {
    const WANTED: &str = "write the digest of its manifest or index, sha256: and 64 digits";
    match meant(text, Path::new("/"))? {
        Ok(image) => image.digests.first().copied().with_context(|| {
            let pattern = image.name.clone().or(image.id.map(|it| it.to_string())).unwrap_or_default();
            format!(
                "{image} was built or loaded here, and has no manifest's digest that an artifact could be attached to: demand it \
                 with a file in requirements.d with images = [{pattern:?}], or push the image and pull it"
            )
        }),
        Err(silent) => {
            let hex = text.rsplit_once('@').map_or(text, |(_, it)| it);
            let digest = hex.parse::<Digest>();
            digest.map_err(|err| {
                let asked = silent.iter().map(|it| format!("; {it}")).collect::<String>();
                match hex.starts_with("sha256:") {
                    true => anyhow::anyhow!("{err}, and no engine here has an image with that ID: {WANTED}{asked}"),
                    false => anyhow::anyhow!("no engine here has an image {text:?}: {WANTED}{asked}"),
                }
            })
        }
    }
}
