//! Bundles that umoci unpacked.

use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

use super::{Asked, Identity, Unknown};
use crate::file;
use crate::input;

/// Some KiB: a descriptor for each step from the layout's index to the manifest.
const MAX_META: usize = 1 << 20;

/// The part of `umoci.json` that tells the way to the manifest (umoci, `bundle.go`, `Meta.From`).
#[derive(Deserialize)]
struct Meta {
    from_descriptor_path: DescriptorPath,
}

#[derive(Deserialize)]
struct DescriptorPath {
    descriptor_walk: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
}

/// Reads `umoci.json` beside the `config.json`; a bundle without it was made by somebody else, of whom nothing is known.
pub(super) fn resolve(asked: &Asked<'_>, identity: &mut Identity) -> Result<(), Unknown> {
    let walk = walk(asked.folder).map_err(|err| Unknown::Unanswered(format!("{err:#}")))?;
    let Some(walk) = walk else {
        let why = "the bundle is of no engine that is known, and has no umoci.json";
        return Err(Unknown::Untold(why.to_owned()));
    };
    let mut wrong = None;
    for digest in walk {
        match digest.parse() {
            Ok(digest) => identity.digests.push(digest),
            Err(err) => wrong = Some(Unknown::Unanswered(format!("umoci.json: {err}"))),
        }
    }
    wrong.map_or(Ok(()), Err)
}

fn walk(folder: &Path) -> anyhow::Result<Option<Vec<String>>> {
    let path = folder.join("umoci.json");
    let Some(bytes) = file::read(&path, MAX_META)? else { return Ok(None) };
    let meta: Meta = input::object(&bytes).with_context(|| format!("reading {}", path.display()))?;
    Ok(Some(meta.from_descriptor_path.descriptor_walk.into_iter().map(|it| it.digest).collect()))
}
