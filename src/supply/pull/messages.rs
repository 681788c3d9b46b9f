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
            "the store keeps artifact {} with {} for {}, because its signature was verified; nothing was verified of the \
             registry's newer artifact {} with {}: add a rule of trust for the repository, or take it with --force",
            newer.manifest,
            date(newer),
            subject,
            offered.manifest,
            date(offered)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{NFD_ARTIFACT_TYPE, NFD_SPEC_TYPE, SpecBlob};

    fn artifact(name: &str, created: Option<&str>) -> Artifact {
        let digest = Digest::of(name.as_bytes());
        Artifact {
            manifest: digest,
            subject: None,
            artifact_type: NFD_ARTIFACT_TYPE.to_owned(),
            created: created.map(str::to_owned),
            spec: SpecBlob { media_type: NFD_SPEC_TYPE.to_owned(), digest, size: 1 },
        }
    }

    #[test]
    fn an_artifact_that_is_not_taken_is_reported_with_the_reason_and_a_remedy() {
        let image = Digest::of(b"image");
        let check = |offered: Option<&str>, kept: Option<&str>, expected: &str| {
            let (offered, kept) = (artifact("offered", offered), artifact("kept", kept));
            let said = [(image, "IMAGE"), (offered.manifest, "OFFERED"), (kept.manifest, "KEPT")]
                .into_iter()
                .fold(older(&image, &offered, &kept), |it, (digest, name)| {
                    it.replace(&digest.to_string(), name)
                });
            assert_eq!(said, expected);
        };
        check(
            Some("2026-01-01T00:00:00Z"),
            Some("2025-01-01T00:00:00Z"),
            "the store keeps artifact KEPT with date \"2025-01-01T00:00:00Z\" for IMAGE, because its signature was verified; nothing \
             was verified of the registry's newer artifact OFFERED with date \"2026-01-01T00:00:00Z\": add a rule of trust for the \
             repository, or take it with --force",
        );
        check(
            None,
            Some("2025-01-01T00:00:00Z"),
            "the registry offers artifact OFFERED with no date for IMAGE, the store has the newer KEPT with date \
             \"2025-01-01T00:00:00Z\": kept; --force takes the older one",
        );
    }
}
