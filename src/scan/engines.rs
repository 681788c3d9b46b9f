//! Judges every image of this host's engines.

use std::path::Path;

use crate::container::identity::EnginePlaces;
use crate::container::identity::images::ImageRecord;
use crate::decide::pipeline::{self, Host, Terms};
use crate::decide::requirements;
use crate::policy::Policy;
use crate::store::Digest;

use super::table::{ImageRow, ImageTable};

/// Judges all of them by what the store has for each, and by what the administrator demands. `unread` says why not all are known.
pub fn judge(
    records: &[ImageRecord],
    unread: &[String],
    store: &Path,
    policy: &Policy,
    places: &EnginePlaces,
    host: &Host<'_>,
    terms: &Terms<'_>,
) -> ImageTable {
    let row = |record: &ImageRecord| {
        let meant = record.image_at(places);
        let digest = meant.digests.first().or(meant.id.as_ref()).map(Digest::to_string);
        let collected = requirements::of_image(&meant.digests, meant.image, store, policy);
        let demands = !collected.is_empty();
        let assessed = pipeline::assess(collected, host, terms);
        ImageRow::new(record.engine.name(), &record.names, digest, demands, assessed)
    };
    ImageTable::new(records.iter().map(row).collect(), unread)
}
