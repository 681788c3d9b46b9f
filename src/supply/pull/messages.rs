//! Messages about the artifacts of a pull.

use std::fmt;

use crate::store::{Artifact, Digest, MAX_MANIFEST};

/// When an artifact was made, as its author says.
pub(super) fn date(artifact: &Artifact) -> String {
    artifact.created.as_ref().map_or("no date".to_owned(), |it| format!("date {it:?}"))
}

/// A newer artifact of the store is replaced by an older one.
pub(super) fn rolled_back(subject: &Digest, taken: &Artifact, newer: &Artifact) -> String {
    format!(
        "artifact {} with {} for {} takes the place of {} with {}, which the store had: --force",
        taken.manifest,
        date(taken),
        subject,
        newer.manifest,
        date(newer)
    )
}

/// The store's artifact stays, although the registry offers another one.
pub(super) fn older(subject: &Digest, offered: &Artifact, newer: &Artifact) -> String {
    if newer.age() < offered.age() {
        return format!(
            "the registry offers artifact {} with {} for {}, which nobody demands to be signed, the store has {} with {}, whose \
             signature was verified: kept; --force takes the other one",
            offered.manifest,
            date(offered),
            subject,
            newer.manifest,
            date(newer)
        );
    }
    format!(
        "the registry offers artifact {} with {} for {}, the store has the newer {} with {}: kept; --force takes the older one",
        offered.manifest,
        date(offered),
        subject,
        newer.manifest,
        date(newer)
    )
}

/// A manifest that is not read.
#[derive(Debug)]
pub(super) struct Oversized {
    pub(super) digest: Digest,
    pub(super) size: u64,
}

impl fmt::Display for Oversized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "artifact {} has a manifest of {} bytes, at most {MAX_MANIFEST} are read",
            self.digest, self.size
        )
    }
}

impl std::error::Error for Oversized {}
