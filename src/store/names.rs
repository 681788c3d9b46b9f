//! The images that were fetched under a name: one small file for each name, for look-ups without a digest. It is made from
//! the lists of images, and may name an image that has no artifact any more. A name proves nothing about an image.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::durable::Put;
use super::manifest::json_reason;
use super::{Digest, MAX_LISTING, NAMES, Store, StoredArtifact, Trouble, Writer};
use crate::image::Reference;

/// A tag that is moved with each build leads to so many images at most: the last ones.
const MAX_IMAGES: usize = 200;

/// The file. Fields are only ever added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NamesFile {
    name: String,
    /// The last one first.
    images: Vec<NamedImage>,
}

/// An image that had a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedImage {
    /// The digest of its manifest or index.
    pub digest: Digest,
    /// When it was fetched under that name (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched: Option<String>,
}

/// The names of files, without the folder.
pub(super) fn file_of(name: &str) -> String {
    Digest::of(name.as_bytes()).hex()
}

/// By name, the images that have artifacts which were fetched under it.
pub(super) type Names = BTreeMap<String, Vec<NamedImage>>;

/// Adds what the artifacts of an image say.
pub(super) fn note(names: &mut Names, subject: &Digest, stored: &[StoredArtifact]) {
    for origin in stored.iter().filter_map(|it| it.origin.as_ref()) {
        for name in origin.names() {
            let image = NamedImage { digest: *subject, fetched: origin.fetched.clone() };
            merge(names.entry(name.to_owned()).or_default(), image);
        }
    }
}

/// Each image once, at the last moment; the last image first.
fn merge(images: &mut Vec<NamedImage>, image: NamedImage) {
    match images.iter_mut().find(|it| it.digest == image.digest) {
        Some(known) => known.fetched = image.fetched.max(known.fetched.take()),
        None => images.push(image),
    }
    images.sort_by(|one, other| (&other.fetched, one.digest).cmp(&(&one.fetched, other.digest)));
    images.truncate(MAX_IMAGES);
}

impl Store {
    /// The images that were fetched under a name, written in full as `docker.io/acme/upf:1`: the last one first.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    pub fn named(&self, name: &str) -> Result<Vec<NamedImage>, Trouble> {
        if !self.folder.holds(NAMES)? {
            return Ok(Vec::new());
        }
        let path = format!("{NAMES}/{}", file_of(name));
        let Some(bytes) = self.folder.read(&path, MAX_LISTING)? else { return Ok(Vec::new()) };
        let wrong = |reason| self.folder.damaged(&path, reason);
        let named: NamesFile = serde_json::from_slice(&bytes)
            .map_err(|err| wrong(format!("is not a list of images ({})", json_reason(&err))))?;
        match named.name == name {
            true => Ok(named.images),
            false => Err(wrong(format!("lists the images named {:?}, expected {name:?}", named.name))),
        }
    }

    /// The images that have artifacts which were fetched under a name, as it is written or in full. It looks at all that the
    /// store has.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn fetched_as(&self, name: &str) -> Result<Vec<NamedImage>, Trouble> {
        let full = name.parse::<Reference>().map_or_else(|_| name.to_owned(), |it| it.stored());
        let mut found = Vec::new();
        for digest in self.subjects()? {
            let origins: Vec<_> = self.stored(&digest)?.into_iter().filter_map(|it| it.origin).collect();
            let fitting = origins.iter().filter(|it| it.is_named(name) || it.is_named(&full));
            if let Some(fetched) = fitting.map(|it| it.fetched.clone()).max() {
                found.push(NamedImage { digest, fetched });
            }
        }
        Ok(found)
    }

    /// The index and the manifest of the image that was fetched last under a name: a tag may have been moved.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn fetched_last(&self, name: &str) -> Result<Vec<Digest>, Trouble> {
        let fetched = self.fetched_as(name)?;
        let last = fetched.iter().map(|it| it.fetched.clone()).max().flatten();
        Ok(fetched.into_iter().filter(|it| it.fetched == last).map(|it| it.digest).collect())
    }
}

impl Writer {
    /// The files that have to be written so that these names lead to these images too.
    pub(super) fn named(&self, names: Names) -> anyhow::Result<Vec<Put>> {
        let store = self.reader()?;
        let mut puts = Vec::new();
        for (name, fresh) in names {
            // A damaged one is rebuilt from what is known; `store gc` completes it.
            let before = store.named(&name).unwrap_or_default();
            let mut images = before.clone();
            fresh.into_iter().for_each(|it| merge(&mut images, it));
            if images != before {
                puts.push(put(name, images)?);
            }
        }
        Ok(puts)
    }
}

/// The file of a name.
pub(super) fn put(name: String, images: Vec<NamedImage>) -> anyhow::Result<Put> {
    let file = file_of(&name);
    let mut bytes = serde_json::to_vec(&NamesFile { name, images })?;
    bytes.push(b'\n');
    let put = Put { folder: NAMES, name: file, bytes };
    put.fits(MAX_LISTING)?;
    Ok(put)
}
