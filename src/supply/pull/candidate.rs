//! The artifacts among the referrers of an image, and the order in which they are looked at. Only data: asks no registry.

use std::cmp::Reverse;

use crate::store::{ARTIFACT_TYPES, Age, age, created};
use crate::supply::registry::{Descriptor, MANIFEST_TYPES};

/// An artifact that may be the one.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) descriptor: Descriptor,
    /// When it was made, as far as that is believed.
    pub(super) created: Option<String>,
    /// Its manifest, if that had to be read for its type.
    pub(super) manifest: Option<Vec<u8>>,
}

/// The facts on an artifact in a descriptor.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DescriptorType {
    /// It is one.
    Ours,
    /// Its manifest must be read.
    Nothing,
    /// It is something else.
    Other,
}

pub(super) fn described(descriptor: &Descriptor) -> DescriptorType {
    match descriptor.artifact_type.as_deref() {
        Some(kind) if ARTIFACT_TYPES.contains(&kind) => DescriptorType::Ours,
        Some(_) => DescriptorType::Other,
        None if MANIFEST_TYPES.contains(&descriptor.media_type.as_str()) => DescriptorType::Nothing,
        None => DescriptorType::Other,
    }
}

impl Candidate {
    /// The date of the descriptor, which is not signed.
    pub(super) fn dated(descriptor: Descriptor) -> Self {
        let annotations = descriptor.annotations.as_ref();
        let created = annotations.and_then(|it| created(|key| it.get(key))).cloned();
        Self { descriptor, created, manifest: None }
    }

    pub(super) fn age(&self) -> Age {
        age(self.created.as_deref(), self.descriptor.digest)
    }
}

/// Newest first; of equals the one with the lowest digest, so that every host chooses alike.
pub(super) fn newest_first(candidates: &mut [Candidate]) {
    candidates.sort_by_key(|it| Reverse(it.age()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{CREATED, Digest, NFD_ARTIFACT_TYPE};
    use crate::supply::registry::IMAGE_MANIFEST;

    fn descriptor(name: &str, kind: Option<&str>, created: &str) -> Descriptor {
        Descriptor {
            media_type: IMAGE_MANIFEST.to_owned(),
            digest: Digest::of(name.as_bytes()),
            size: 1,
            artifact_type: kind.map(str::to_owned),
            annotations: Some([(CREATED.to_owned(), created.to_owned())].into()),
            platform: None,
        }
    }

    #[test]
    fn the_newest_comes_first_and_what_has_no_date_last() {
        let dates =
            ["2026-01-01T00:00:00Z", "yesterday", "2026-01-01T02:00:00+01:00", "2026-01-01T00:30:00Z"];
        let mut all: Vec<_> = dates.map(|it| Candidate::dated(descriptor(it, None, it))).into();
        newest_first(&mut all);
        let found: Vec<_> = all.iter().filter_map(|it| it.created.as_deref()).collect();
        assert_eq!(found, [dates[2], dates[3], dates[0], dates[1]]);
    }

    #[test]
    fn of_equals_the_lowest_digest_comes_first() {
        let date = "2026-01-01T00:00:00Z";
        let mut all: Vec<_> = ["a", "b", "c"].map(|it| Candidate::dated(descriptor(it, None, date))).into();
        newest_first(&mut all);
        assert!(all.is_sorted_by_key(|it| it.descriptor.digest));
    }

    #[test]
    fn a_list_reports_which_of_it_are_artifacts_or_leaves_it_open() {
        let check =
            |descriptor: &Descriptor, expected: DescriptorType| assert_eq!(described(descriptor), expected);
        check(&descriptor("a", Some(NFD_ARTIFACT_TYPE), ""), DescriptorType::Ours);
        check(&descriptor("a", Some("application/spdx+json"), ""), DescriptorType::Other);
        check(&descriptor("a", None, ""), DescriptorType::Nothing);
        let layer = Descriptor { media_type: "text/plain".to_owned(), ..descriptor("a", None, "") };
        check(&layer, DescriptorType::Other);
    }
}
