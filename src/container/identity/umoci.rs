//! Bundles that umoci unpacked.

use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

use super::{Identity, ResolverInput, UnknownImage};
use crate::container::input;
use crate::os::file;

/// Some KiB: a descriptor for each step from the layout's index to the manifest.
const MAX_META: usize = 1 << 20;

/// The part of `umoci.json` that leads to the manifest (umoci, `bundle.go`, `Meta.From`).
#[derive(Deserialize)]
struct Meta {
    from_descriptor_path: DescriptorPath,
}

#[derive(Deserialize)]
struct DescriptorPath {
    descriptor_walk: Vec<UmociDescriptor>,
}

#[derive(Deserialize)]
struct UmociDescriptor {
    digest: String,
}

/// Reads `umoci.json` beside the `config.json`; a bundle without it was made by another, unknown tool.
pub(super) fn resolve(asked: &ResolverInput<'_>, identity: &mut Identity) -> Result<(), UnknownImage> {
    let walk = walk(asked.folder)?;
    let Some(walk) = walk else {
        let why = "the bundle is of no engine that is known, and has no umoci.json";
        return Err(UnknownImage::Untold(why.to_owned()));
    };
    let mut wrong = None;
    for digest in walk {
        match digest.parse() {
            Ok(digest) => identity.digests.push(digest),
            Err(err) => wrong = Some(UnknownImage::Unfit(format!("umoci.json: {err}"))),
        }
    }
    wrong.map_or(Ok(()), Err)
}

/// It is in the bundle, so an error in it is the bundle's.
fn walk(folder: &Path) -> Result<Option<Vec<String>>, UnknownImage> {
    let path = folder.join("umoci.json");
    let unfit = |err: anyhow::Error| UnknownImage::Unfit(format!("{err:#}"));
    let file = match file::stream(&path) {
        Ok(Some(file)) => file,
        Ok(None) => return Ok(None),
        Err(err) if err.is::<file::Irregular>() => return Err(unfit(err)),
        Err(err) => return Err(UnknownImage::Unanswered(format!("{err:#}"))),
    };
    let reading = || format!("reading {}", path.display());
    let bytes = file::read_all(file, MAX_META).with_context(reading).map_err(unfit)?;
    let meta: Meta = input::object(&bytes).with_context(reading).map_err(unfit)?;
    Ok(Some(meta.from_descriptor_path.descriptor_walk.into_iter().map(|it| it.digest).collect()))
}
