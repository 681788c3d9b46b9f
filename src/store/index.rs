//! `index.json` of the store: every artifact manifest that it holds, which is what makes it an OCI image layout for other
//! tools. No look-up of a starting container reads it.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use anyhow::{Context, anyhow};
use oci_spec::image::{Descriptor, ImageIndex, ImageIndexBuilder, MediaType, SCHEMA_VERSION};
use serde_json::Value;

use super::build::descriptor;
use super::durable::Put;
use super::folder::StoreFolder;
use super::manifest::json_reason;
use super::manifest::{CREATED, IMAGE_MANIFEST};
use super::reach::StoreAccess;
use super::{Artifact, Digest};

pub(super) const INDEX_FILE: &str = "index.json";
/// The largest `index.json` of a store, in bytes: room for some 300,000 artifacts.
pub(super) const MAX_INDEX: u64 = 128 << 20;

/// Parses an index of an image layout. Programs in Go write an empty list of manifests as `null`.
pub(super) fn parse(bytes: &[u8]) -> serde_json::Result<ImageIndex> {
    let error = match serde_json::from_slice(bytes) {
        Ok(index) => return Ok(index),
        Err(error) => error,
    };
    let mut value: Value = serde_json::from_slice(bytes)?;
    match value.get_mut("manifests") {
        Some(manifests) if manifests.is_null() => {
            *manifests = Value::Array(Vec::new());
            serde_json::from_value(value)
        }
        Some(_) | None => Err(error),
    }
}

/// The index, and the digests in it.
pub(super) struct StoreIndex {
    index: ImageIndex,
    manifests: Vec<Descriptor>,
    known: BTreeSet<String>,
}

impl StoreIndex {
    /// One without artifacts.
    pub(super) fn empty() -> anyhow::Result<Self> {
        let index = ImageIndexBuilder::default()
            .schema_version(SCHEMA_VERSION)
            .media_type(MediaType::ImageIndex)
            .manifests([])
            .build()
            .context("making an index")?;
        Ok(Self { index, manifests: Vec::new(), known: BTreeSet::new() })
    }

    /// Reads a store's; `None` if it has none.
    pub(super) fn read(store: &StoreFolder) -> anyhow::Result<Option<Self>> {
        Self::of(store.read(INDEX_FILE, MAX_INDEX)?, &store.full(INDEX_FILE))
    }

    /// The same for reading only.
    pub(super) fn look_up(store: &StoreAccess) -> anyhow::Result<Option<Self>> {
        Self::of(store.read(INDEX_FILE, MAX_INDEX)?, &store.full(INDEX_FILE))
    }

    fn of(bytes: Option<Vec<u8>>, path: &Path) -> anyhow::Result<Option<Self>> {
        let Some(bytes) = bytes else { return Ok(None) };
        let index = parse(&bytes).map_err(|err| {
            anyhow!(
                "{} is not an OCI index ({}): remove it, then run oci-compat store gc",
                path.display(),
                json_reason(&err)
            )
        })?;
        let manifests = index.manifests().clone();
        let known = manifests.iter().map(|it| it.digest().to_string()).collect();
        Ok(Some(Self { index, manifests, known }))
    }

    /// Adds a manifest of so many bytes; returns whether it was new.
    pub(super) fn add(&mut self, artifact: &Artifact, size: u64) -> anyhow::Result<bool> {
        if !self.known.insert(artifact.manifest.to_string()) {
            return Ok(false);
        }
        let mut entry = descriptor(IMAGE_MANIFEST, &artifact.manifest, size)?;
        entry.set_artifact_type(Some(MediaType::from(artifact.artifact_type.as_str())));
        let created = artifact.created.clone().map(|it| HashMap::from([(CREATED.to_owned(), it)]));
        entry.set_annotations(created);
        self.manifests.push(entry);
        Ok(true)
    }

    /// Leaves only these manifests; returns whether there were others.
    pub(super) fn retain(&mut self, manifests: &BTreeSet<Digest>) -> bool {
        let before = self.manifests.len();
        let is_kept =
            |it: &Descriptor| it.digest().as_ref().parse().is_ok_and(|it: Digest| manifests.contains(&it));
        self.manifests.retain(is_kept);
        self.manifests.len() < before
    }

    /// The digests of all manifests, as they are written.
    pub(super) fn digests(&self) -> impl Iterator<Item = &str> {
        self.manifests.iter().map(|it| it.digest().as_ref())
    }

    /// The file.
    pub(super) fn put(&self) -> anyhow::Result<Put> {
        let mut index = self.index.clone();
        index.set_manifests(self.manifests.clone());
        let mut bytes = serde_json::to_vec(&index)?;
        bytes.push(b'\n');
        let put = Put { folder: ".", name: INDEX_FILE.to_owned(), bytes };
        put.fits(MAX_INDEX)?;
        Ok(put)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_go_wrote_as_null_is_empty() {
        let count = |text: &str| parse(text.as_bytes()).map(|it| it.manifests().len());
        assert_eq!(count(r#"{"schemaVersion": 2, "manifests": null}"#).ok(), Some(0));
        assert_eq!(count(r#"{"schemaVersion": 2, "manifests": []}"#).ok(), Some(0));
        for text in [r#"{"schemaVersion": 2}"#, r#"{"schemaVersion": 2, "manifests": 1}"#, "[]", "null"] {
            assert!(count(text).is_err(), "{text}");
        }
    }
}
