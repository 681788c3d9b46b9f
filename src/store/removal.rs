//! The images of the store that a person names, and the removal of their artifacts.

use std::path::Path;

use anyhow::bail;

use super::{Digest, Store, StoredArtifact, Writer};

impl Store {
    /// The images with artifacts that a person names: by digest, or by the name under which they were fetched. If there are
    /// none, `ask_engine` has the digests at which an engine keeps an image of that name.
    ///
    /// # Errors
    ///
    /// If the store cannot be read, or the engine gives an error.
    pub fn subjects_of(
        &self,
        image: &str,
        ask_engine: impl FnOnce() -> anyhow::Result<Vec<Digest>>,
    ) -> anyhow::Result<Vec<Digest>> {
        let named = match image.parse::<Digest>() {
            Ok(subject) => vec![subject],
            Err(_) => self.fetched_as(image)?.into_iter().map(|it| it.digest).collect(),
        };
        let found = self.with_artifacts(named)?;
        if found.is_empty() { self.with_artifacts(ask_engine()?) } else { Ok(found) }
    }

    fn with_artifacts(&self, images: Vec<Digest>) -> anyhow::Result<Vec<Digest>> {
        let mut found = Vec::new();
        for image in images {
            if !self.stored(&image)?.is_empty() {
                found.push(image);
            }
        }
        Ok(found)
    }
}

/// Which artifacts to remove.
#[derive(Debug)]
pub struct Removal<'a> {
    /// The image, as a person names it.
    pub image: &'a str,
    /// Only this one of its artifacts; `None` for all.
    pub artifact: Option<Digest>,
}

impl Removal<'_> {
    /// Removes the artifacts from the store in this folder, and the files that nothing needs then. `report` gets the image and
    /// each artifact that is removed.
    ///
    /// # Errors
    ///
    /// If there is no such artifact, or the store cannot be read or written.
    pub fn run(
        &self,
        folder: &Path,
        ask_engine: impl FnOnce() -> anyhow::Result<Vec<Digest>>,
        mut report: impl FnMut(&Digest, &Digest) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let subjects = match Store::open(folder)? {
            None => Vec::new(),
            Some(store) => store.subjects_of(self.image, ask_engine)?,
        };
        let is_meant = |it: &StoredArtifact| self.artifact.is_none_or(|only| only == it.artifact.manifest);
        let mut is_removed = false;
        if !subjects.is_empty() {
            let mut writer = Writer::open(folder)?;
            for subject in &subjects {
                for removed in writer.remove(subject, is_meant)? {
                    is_removed = true;
                    report(subject, &removed.artifact.manifest)?;
                }
            }
            writer.sweep(false)?;
        }
        if !is_removed {
            let which = self.artifact.map_or("no artifact".to_owned(), |it| format!("no artifact {it}"));
            bail!(
                "the store {} has {which} for image {:?}: oci-compat list shows what there is",
                folder.display(),
                self.image
            );
        }
        Ok(())
    }
}
