//! The engines of this host: which images they hold.

use std::path::Path;

use oci_compat::identity::Places;
use oci_compat::identity::held::{self, Absent, Held};

use crate::args::Engine;

/// What came of asking.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// All images of those that answered.
    pub(crate) held: Vec<Held>,
    /// Whether any engine answered.
    pub(crate) has_any: bool,
    /// Why the others did not, each a sentence.
    pub(crate) silent: Vec<String>,
    /// Of `all` engines, those that are not there, each a sentence.
    pub(crate) absent: Vec<String>,
}

/// Asks these engines; `root` is the folder, and `socket` the socket of those that have one.
pub(crate) fn ask(engines: &[Engine], root: Option<&Path>, socket: &Path) -> Answers {
    let mut answers = Answers::default();
    for (engine, is_optional) in engines.iter().flat_map(|it| named(*it)) {
        match held(engine, root, socket) {
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
enum Named {
    Containerd,
    Docker,
    Podman,
}

/// The engines that are meant, and whether each may be missing.
fn named(engine: Engine) -> Vec<(Named, bool)> {
    match engine {
        Engine::All => [Named::Containerd, Named::Docker, Named::Podman].map(|it| (it, true)).to_vec(),
        Engine::Containerd => vec![(Named::Containerd, false)],
        Engine::Docker => vec![(Named::Docker, false)],
        Engine::Podman => vec![(Named::Podman, false)],
    }
}

fn held(engine: Named, root: Option<&Path>, socket: &Path) -> anyhow::Result<Vec<Held>> {
    let places = Places::live();
    match engine {
        Named::Containerd => held::of_containerd(socket),
        Named::Docker => held::of_docker(root, &places),
        Named::Podman => held::of_storage(root, &places),
    }
}
