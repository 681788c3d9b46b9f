//! Which images `pull` is asked to fetch for: those that are named, those on stdin, and those that engines hold. Asks no
//! registry.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use oci_compat::identity::Places;
use oci_compat::identity::held::{self, Held};
use oci_compat::pull::{Wanted, name};
use oci_compat::registry::Reference;
use oci_compat::report::printable;

use crate::args::{Engine, Pull};

/// An image that is tagged anew all the time has no use for its old names.
const MAX_NAMES: usize = 20;

/// What a call is about.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Each image once.
    pub(super) images: Vec<Wanted>,
    /// Names of images that are from no registry.
    pub(super) local: Vec<String>,
    /// Whether every engine has answered.
    pub(super) is_complete: bool,
}

/// Collects them. An engine that does not answer is told of, and keeps nobody from fetching what is known otherwise.
pub(super) fn asked(args: &Pull) -> anyhow::Result<Asked> {
    let mut asked = Asked { is_complete: true, ..Asked::default() };
    for text in &args.images {
        if text == "-" {
            listed(&mut asked)?;
        } else {
            asked.images.push(text.parse::<Reference>()?.into());
        }
    }
    let mut silent = Vec::new();
    for engine in &args.from_engine {
        match held(args, *engine) {
            Ok(all) => all.into_iter().for_each(|it| asked.add(it)),
            Err(err) => silent.push(err),
        }
    }
    asked.is_complete = silent.is_empty();
    if silent.len() == args.from_engine.len() && asked.images.is_empty() {
        let all: Vec<_> = silent.iter().map(|it| format!("{it:#}")).collect();
        anyhow::bail!("asking which images there are: {}", all.join("; "));
    }
    for err in silent {
        let told = format!("asking which images there are: {err:#}");
        // Nobody is there to hear it: the status says it too.
        let _unheard = writeln!(std::io::stderr(), "error: {}", printable(&told));
    }
    let mut seen = BTreeSet::new();
    asked.images.retain(|it| seen.insert(it.clone()));
    asked.local.sort_unstable();
    asked.local.dedup();
    Ok(asked)
}

/// One image a line on standard input.
fn listed(asked: &mut Asked) -> anyhow::Result<()> {
    let bytes = crate::check::read(Path::new("-"))?;
    let text = std::str::from_utf8(&bytes).context("reading stdin")?;
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if !line.is_empty() && !line.starts_with('#') {
            let image = line.parse::<Reference>().with_context(|| format!("stdin, line {number}"))?;
            asked.images.push(image.into());
        }
    }
    Ok(())
}

fn held(args: &Pull, engine: Engine) -> anyhow::Result<Vec<Held>> {
    let (root, places) = (args.engine_root.as_deref(), Places::live());
    match engine {
        Engine::Containerd => held::of_containerd(&args.engine_socket)
            .map_err(|it| anyhow::anyhow!("{it}: start it, or name its socket with --engine-socket")),
        Engine::Docker => held::of_docker(root, &places),
        Engine::Podman => held::of_storage(root, &places),
    }
}

impl Asked {
    /// An engine's image, at the digests at which it holds it, whatever its tags stand for by now.
    fn add(&mut self, Held { names, digests }: Held) {
        let Some(digest) = digests.first() else {
            self.local.push(names.join(", "));
            return;
        };
        let parse = |name: &String| match format!("{name}@{digest}").parse::<Reference>() {
            Ok(image) => Some(image),
            Err(err) => {
                log::warn!("passing over the name of an image: {err}");
                None
            }
        };
        let images: Vec<_> = names.iter().take(MAX_NAMES).filter_map(parse).collect();
        let names = images.iter().map(name).collect();
        let image = images.into_iter().next();
        self.images.extend(image.map(|image| Wanted { image, names, held: digests }));
    }
}
