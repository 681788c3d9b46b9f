//! Judges every image of this host's engines.

use std::path::Path;

use crate::container::identity::EnginePlaces;
use crate::container::identity::images::ImageRecord;
use crate::container::identity::named::FoundImage;
use crate::container::identity::stored::ImageFolders;
use crate::decide::pipeline::{self, Host, Terms};
use crate::decide::requirements::{self, Collected};
use crate::policy::Policy;
use crate::store::Digest;

use super::local::{ImageScope, LocalImage};
use super::table::{ImageRow, ImageTable};

/// The images of a host's engines.
#[derive(Debug)]
pub struct ImagesHere<'a> {
    /// All that are known.
    pub records: &'a [ImageRecord],
    /// Why not all are known, each a sentence.
    pub unread: &'a [String],
    /// Where engines keep what is not in their records.
    pub places: &'a EnginePlaces,
    /// Where engines keep images.
    pub folders: ImageFolders<'a>,
}

impl ImagesHere<'_> {
    /// Judges all of them by what the store has for each, by what the administrator demands, and by what they demand themselves.
    pub fn judge(
        &self,
        store: &Path,
        policy: &Policy,
        scope: &ImageScope,
        host: &Host<'_>,
        terms: &Terms<'_>,
    ) -> ImageTable {
        let row = |record: &ImageRecord| {
            let found = record.image_at(self.places);
            let digest = found.digests.first().or(found.id.as_ref()).map(Digest::to_string);
            let mut collected = requirements::of_image(&found.digests, found.image.clone(), store, policy);
            add_own(&mut collected, &found, &self.folders, policy, scope, host);
            let demands = !collected.is_empty();
            let assessed = pipeline::assess(collected, host, terms);
            ImageRow::new(record.engine.name(), &record.names, digest, demands, assessed)
        };
        ImageTable::new(self.records.iter().map(row).collect(), self.unread)
    }
}

/// Adds what an image that an engine keeps demands by itself.
pub fn add_own(
    collected: &mut Collected,
    found: &FoundImage,
    folders: &ImageFolders<'_>,
    policy: &Policy,
    scope: &ImageScope,
    host: &Host<'_>,
) {
    match LocalImage::of_engine(found, folders, scope, host) {
        Ok(Some(image)) => image.add_to(collected, scope, policy, host),
        Ok(None) if scope.program => {
            let engine = found.engine.name();
            collected.notes.push(format!(
                "nothing is known of the image's program: {engine} keeps its layers where they are not found"
            ));
        }
        Ok(None) => {}
        Err(err) => collected.troubles.push(format!("{err:#}")),
    }
}
