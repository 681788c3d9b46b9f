//! `list` and `remove`: the images in the store, and their artifacts.

use std::path::Path;

use anyhow::Context;
use oci_compat::image::Reference;
use oci_compat::store::{Digest, Removal, Store};
use oci_compat::supply::list::{self, ListDocument, ListedImage};

use crate::args::{ListArgs, Remove, ReportFormat};
use crate::engines;
use crate::output::Output;

/// Prints what the store has, for all images or for one, or what a registry has for one.
pub(crate) fn list(command: &ListArgs, store: &Path, output: &mut Output) -> anyhow::Result<u8> {
    let images = match (&command.image, Store::open(store)?) {
        (Some(image), _) if command.remote => in_registry(image, command)?,
        (_, None) => Vec::new(),
        (None, Some(store)) => list::in_store(&store, &store.subjects()?)?,
        (Some(image), Some(store)) => {
            list::in_store(&store, &store.subjects_of(image, || engines::digests(image))?)?
        }
    };
    if command.format == ReportFormat::Json {
        output.json(&ListDocument::from(images))?;
        return Ok(0);
    }
    for image in &images {
        output.print(&image.text())?;
    }
    if images.is_empty() && !command.remote {
        let whose = command.image.as_ref().map_or("any image".to_owned(), |it| format!("image {it:?}"));
        log::warn!("the store {} has no artifact for {whose}", store.display());
    }
    Ok(0)
}

fn in_registry(image: &str, command: &ListArgs) -> anyhow::Result<Vec<ListedImage>> {
    let image: Reference = image.parse()?;
    list::in_registry(&command.registry.client([image.repository()])?, &image)
}

/// Takes the artifacts of an image out of the store, and the files that nothing needs then.
pub(crate) fn remove(command: &Remove, store: &Path, output: &mut Output) -> anyhow::Result<u8> {
    let artifact = command
        .artifact
        .as_deref()
        .map(|it| it.parse::<Digest>().with_context(|| format!("--artifact {it:?}")))
        .transpose()?;
    let removal = Removal { image: &command.image, artifact };
    removal.run(
        store,
        || engines::digests(&command.image),
        |subject, artifact| output.print(&format!("removed artifact {artifact} of image {subject}\n")),
    )?;
    Ok(0)
}
