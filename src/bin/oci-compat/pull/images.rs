//! The images of a `pull`: those on the command line, those on stdin, and those of engines. Asks no registry.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use oci_compat::container::identity::engines::Answers;
use oci_compat::container::identity::images;
use oci_compat::supply::pull::ImagesToPull;
use oci_compat::words::text::printable;

use crate::args::PullArgs;
use crate::engines;

/// Collects them, and whether every engine has answered. One that does not answer is reported, and does not stop the pull of
/// other images.
pub(super) fn collect(args: &PullArgs) -> anyhow::Result<(ImagesToPull, bool)> {
    let mut images = ImagesToPull::default();
    for text in &args.images {
        if text == "-" {
            let bytes = crate::check::read(Path::new("-"))?;
            images.add_list(std::str::from_utf8(&bytes).context("reading stdin")?)?;
        } else {
            images.add(text)?;
        }
    }
    let errors = add_of_engines(args, &mut images);
    if !errors.is_empty() && images.count() == 0 {
        bail!("asking which images there are: {}", errors.join("; "));
    }
    for err in &errors {
        // A closed stream loses nothing: the exit status has it too.
        let _closed = writeln!(std::io::stderr(), "error: asking which images there are: {}", printable(err));
    }
    images.dedup();
    Ok((images, errors.is_empty()))
}

/// Asks the engines; returns the errors of those that do not answer. Of `all` engines, those that are not there are passed over.
fn add_of_engines(args: &PullArgs, images: &mut ImagesToPull) -> Vec<String> {
    let Answers { records, has_any, mut silent, absent } =
        engines::ask(&args.from_engine, args.engine_root.as_deref(), &args.engine_socket, Path::new("/"));
    images::by_repository(records).into_iter().for_each(|it| images.add_of_engine(&it.names, it.digests));
    if !has_any {
        silent.extend(absent);
    }
    silent
}
