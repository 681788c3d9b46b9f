//! Removes artifacts from the store, and files that are no longer needed. Look-ups never find a missing file: the list that
//! leads to a file is removed before the file.

use std::collections::{BTreeMap, BTreeSet};

use super::durable;
use super::listing::{self, ImageListing};
use super::manifest::StoredManifest;
use super::names::{self, Names};
use super::write::listing_put;
use super::{
    Artifact, BLOBS, COMPILED, Digest, MAX_MANIFEST, NAMES, SUBJECTS, Store, StoredArtifact, Trouble, Writer,
};

/// What was taken out as nothing needs it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// How many artifacts were listed and are not any more.
    pub artifacts: usize,
    /// How many files are gone.
    pub files: usize,
    /// How many bytes they had.
    pub bytes: u64,
}

impl Writer {
    /// Takes those artifacts of an image out that are meant; their files go with [`Writer::sweep`]. The result says which
    /// there were.
    ///
    /// # Errors
    ///
    /// If the image's list cannot be read, or the store cannot be written.
    pub fn remove(
        &mut self,
        subject: &Digest,
        is_meant: impl Fn(&StoredArtifact) -> bool,
    ) -> anyhow::Result<Vec<StoredArtifact>> {
        let mut list = self.reader()?.list(subject)?;
        let (gone, left): (Vec<_>, Vec<_>) = list.stored.into_iter().partition(|it| is_meant(it));
        if !gone.is_empty() {
            list.stored = left;
            self.put_list(subject, &list)?;
        }
        Ok(gone)
    }

    /// Removes every file that no list needs; `is_superseded_too` also removes artifacts if there is a newer one
    /// of the same image and type.
    ///
    /// # Errors
    ///
    /// If a list or the index cannot be read, or the store cannot be written. Look-ups find what they found before.
    pub fn sweep(&mut self, is_superseded_too: bool) -> anyhow::Result<Swept> {
        let store = self.reader()?;
        let mut swept = Swept::default();
        let mut needed = Needed::default();
        for subject in store.subjects()? {
            let mut list = store.list(&subject)?;
            if is_superseded_too {
                let before = list.stored.len();
                retain_newest(&mut list.stored);
                if list.stored.len() < before {
                    self.put_list(&subject, &list)?;
                    swept.artifacts += before - list.stored.len();
                }
            }
            names::note(&mut needed.names, &subject, &list.stored);
            list.stored.into_iter().for_each(|it| needed.note(&store, it));
        }
        self.reindex(&needed)?;
        self.rename(&store, std::mem::take(&mut needed.names), &mut swept)?;
        self.sweep_folder(BLOBS, &needed.blobs, &mut swept)?;
        self.sweep_folder(COMPILED, &needed.specs, &mut swept)?;
        Ok(swept)
    }

    /// Replaces a subject's list; an empty one is no file.
    fn put_list(&mut self, subject: &Digest, list: &ImageListing) -> anyhow::Result<()> {
        match *list == ImageListing::default() {
            true => durable::remove(&self.folder, SUBJECTS, &[subject.hex()]),
            false => self.put(&listing_put(subject, list)?),
        }
    }

    /// `index.json` with what the lists have, and nothing else.
    fn reindex(&mut self, needed: &Needed) -> anyhow::Result<()> {
        let mut index = self.index()?;
        let mut has_changed = index.retain(&needed.artifacts.keys().copied().collect());
        for (artifact, size) in needed.artifacts.values() {
            has_changed |= index.add(artifact, *size)?;
        }
        if has_changed { self.put(&index.put()?) } else { Ok(()) }
    }

    /// The files of names as the lists have them, and no others.
    fn rename(&mut self, store: &Store, names: Names, swept: &mut Swept) -> anyhow::Result<()> {
        let files = names.keys().map(|it| Digest::of(it.as_bytes())).collect();
        let mut puts = Vec::new();
        for (name, images) in names {
            if store.named(&name).ok().as_ref() != Some(&images) {
                puts.push(names::put(name, images)?);
            }
        }
        self.put_all(&puts)?;
        self.sweep_folder(NAMES, &files, swept)
    }

    fn sweep_folder(&self, name: &str, needed: &BTreeSet<Digest>, swept: &mut Swept) -> anyhow::Result<()> {
        let mut needless = Vec::new();
        for file in self.folder.names(name)? {
            // Other names are not ours; `verify` reports them.
            let Some(digest) = file.to_str().ok().and_then(Digest::from_hex) else { continue };
            if !needed.contains(&digest) {
                swept.bytes += self.folder.size(&format!("{name}/{}", digest.hex()))?;
                swept.files += 1;
                needless.push(digest.hex());
            }
        }
        if needless.is_empty() { Ok(()) } else { durable::remove(&self.folder, name, &needless) }
    }
}

/// In the order in which they were added.
fn retain_newest(stored: &mut Vec<StoredArtifact>) {
    let newest = listing::newest(stored.clone());
    stored.retain(|it| newest.contains(it));
}

/// Everything that some list leads to.
#[derive(Default)]
struct Needed {
    /// By manifest: what is listed, and the number of the manifest's bytes.
    artifacts: BTreeMap<Digest, (Artifact, u64)>,
    specs: BTreeSet<Digest>,
    blobs: BTreeSet<Digest>,
    names: Names,
}

impl Needed {
    fn note(&mut self, store: &Store, stored: StoredArtifact) {
        let StoredArtifact { artifact, origin } = stored;
        self.specs.insert(artifact.spec.digest);
        self.blobs.extend([artifact.manifest, artifact.spec.digest]);
        self.blobs.extend(origin.and_then(|it| it.signature).map(|it| it.evidence));
        match manifest(store, &artifact.manifest) {
            Ok((document, size)) => {
                // Digests of other algorithms name no file here.
                self.blobs.extend(document.config.digest.parse::<Digest>());
                self.artifacts.insert(artifact.manifest, (artifact, size));
            }
            // Adding the artifact again also adds its configuration.
            Err(trouble) => log::warn!("{trouble}"),
        }
    }
}

fn manifest(store: &Store, digest: &Digest) -> Result<(StoredManifest, u64), Trouble> {
    let bytes = store.blob(digest, MAX_MANIFEST)?;
    let document =
        StoredManifest::parse(&bytes).map_err(|reason| Trouble::Unfit { artifact: *digest, reason })?;
    Ok((document, u64::try_from(bytes.len()).unwrap_or(u64::MAX)))
}
