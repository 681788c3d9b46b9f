//! The images of a `pull`: those on the command line, those on stdin, and those of engines. Asks no registry.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use oci_compat::container::identity::engines::Answers;
use oci_compat::container::identity::held::{self, Held};
use oci_compat::image::Reference;
use oci_compat::supply::pull::WantedImage;
use oci_compat::words::text::printable;

use crate::args::PullArgs;
use crate::engines;

/// The old names of an image that is often tagged again are of no use.
const MAX_NAMES: usize = 20;

/// What a call is about.
#[derive(Debug, Default)]
pub(super) struct ImagesToPull {
    /// Each image once.
    pub(super) images: Vec<WantedImage>,
    /// Names of images that are from no registry.
    pub(super) local: Vec<String>,
    /// How many more there are that have no name.
    pub(super) nameless: BTreeSet<String>,
    /// Whether every engine has answered.
    pub(super) is_complete: bool,
}

/// Collects them. An engine that does not answer is reported, and does not stop the pull of other images.
pub(super) fn asked(args: &PullArgs) -> anyhow::Result<ImagesToPull> {
    let mut asked = ImagesToPull { is_complete: true, ..ImagesToPull::default() };
    for text in &args.images {
        if text == "-" {
            listed(&mut asked)?;
        } else {
            asked.images.push(text.parse::<Reference>()?.into());
        }
    }
    let silent = asked.engines(args);
    asked.is_complete = silent.is_empty();
    if !silent.is_empty() && asked.images.is_empty() && asked.local.is_empty() && asked.nameless.is_empty() {
        anyhow::bail!("asking which images there are: {}", silent.join("; "));
    }
    for err in silent {
        // A closed stream loses nothing: the exit status says it too.
        let _unheard =
            writeln!(std::io::stderr(), "error: asking which images there are: {}", printable(&err));
    }
    let mut seen = BTreeSet::new();
    asked.images.retain(|it| seen.insert(it.clone()));
    asked.local.sort_unstable();
    asked.local.dedup();
    Ok(asked)
}

/// One image a line on standard input.
fn listed(asked: &mut ImagesToPull) -> anyhow::Result<()> {
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

impl ImagesToPull {
    /// Asks the engines; what those say that do not answer. Of `all` engines those that are not there are passed over.
    fn engines(&mut self, args: &PullArgs) -> Vec<String> {
        let Answers { held: records, has_any, mut silent, absent } =
            engines::ask(&args.from_engine, args.engine_root.as_deref(), &args.engine_socket, Path::new("/"));
        held::held(records).into_iter().for_each(|it| self.add(it));
        if !has_any {
            silent.extend(absent);
        }
        silent
    }

    /// An engine's image, at the digests at which it holds it, whatever its tags stand for by now.
    fn add(&mut self, Held { names, digests, .. }: Held) {
        let Some(digest) = digests.first() else {
            match names.as_slice() {
                [id] if id.len() == 64 && id.bytes().all(|it| it.is_ascii_hexdigit()) => {
                    self.nameless.insert(id.clone());
                }
                names => self.local.push(names.join(", ")),
            }
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
        let names = images.iter().map(Reference::stored).collect();
        let image = images.into_iter().next();
        self.images.extend(image.map(|image| WantedImage { image, names, held: digests }));
    }
}
