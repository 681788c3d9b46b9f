//! The list of one image's artifacts, as it is kept under `subjects/`, and which of them count. Never touches a file.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use crate::words::moment::{Moment, moment};

use super::manifest::json_reason;
use super::{Artifact, ArtifactOrigin, Digest, MAX_SPEC, SpecBlob, StoredArtifact};

/// What a list says of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ImageListing {
    /// Its artifacts, one entry for each repository that has one, in the order in which they were added.
    pub(super) stored: Vec<StoredArtifact>,
    /// The repositories from which it was pulled while a rule of trust demanded that the image has a signed spec.
    pub(super) demanding: Vec<String>,
}

/// The file. Fields are only ever added, so unknown ones are skipped.
#[derive(Serialize, Deserialize)]
struct Listing {
    subject: Digest,
    artifacts: Vec<ArtifactEntry>,
    #[serde(default, rename = "signedSpecDemandedBy", skip_serializing_if = "Vec::is_empty")]
    demanding: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactEntry {
    manifest: Digest,
    artifact_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    spec: SpecDescriptor,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<ArtifactOrigin>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpecDescriptor {
    media_type: String,
    digest: Digest,
    size: u64,
}

/// Reads the list of this subject; fails with the rest of a sentence that starts with the file.
pub(super) fn parse(bytes: &[u8], subject: &Digest) -> Result<ImageListing, String> {
    let Listing { subject: found, artifacts, demanding } = serde_json::from_slice(bytes)
        .map_err(|err| format!("is not a list of artifacts ({})", json_reason(&err)))?;
    if found != *subject {
        return Err(format!("lists the artifacts of {found}, expected those of {subject}"));
    }
    let stored = artifacts.into_iter().map(|it| stored(it, subject)).collect::<Result<_, _>>()?;
    Ok(ImageListing { stored, demanding })
}

fn stored(entry: ArtifactEntry, subject: &Digest) -> Result<StoredArtifact, String> {
    let ArtifactEntry {
        manifest,
        artifact_type,
        created,
        spec: SpecDescriptor { media_type, digest, size },
        origin,
    } = entry;
    if size > MAX_SPEC {
        return Err(format!("lists a spec of {size} bytes, at most {MAX_SPEC} are read"));
    }
    let spec = SpecBlob { media_type, digest, size };
    let artifact = Artifact { manifest, subject: Some(*subject), artifact_type, created, spec };
    Ok(StoredArtifact { artifact, origin })
}

/// Writes the list of this subject.
pub(super) fn compose(subject: &Digest, list: &ImageListing) -> serde_json::Result<Vec<u8>> {
    let artifacts = list.stored.iter().map(entry).collect();
    let demanding = list.demanding.clone();
    let mut bytes = serde_json::to_vec(&Listing { subject: *subject, artifacts, demanding })?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn entry(stored: &StoredArtifact) -> ArtifactEntry {
    let Artifact { manifest, subject: _, artifact_type, created, spec } = stored.artifact.clone();
    let SpecBlob { media_type, digest, size } = spec;
    let spec = SpecDescriptor { media_type, digest, size };
    ArtifactEntry { manifest, artifact_type, created, spec, origin: stored.origin.clone() }
}

/// Which artifacts of an image count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArtifactStanding {
    /// All of them have to hold; ordered by type, what is verified first. Each once.
    pub counting: Vec<StoredArtifact>,
    /// Unverified artifacts, which do not count because the image has a verified one.
    pub aside: Vec<StoredArtifact>,
    /// The repositories from which the image was pulled while a rule of trust demanded that it has a signed spec.
    pub demanding: Vec<String>,
}

/// Which artifacts count of an image that has these lists, one for each of its digests.
///
/// Of one type and from one repository, the newest does; one that is not verified takes no verified one's place. Where there
/// is a verified one, those of repositories that are not verified do not count. What the administrator added from a file
/// always does.
pub(super) fn standing(lists: Vec<ImageListing>) -> ArtifactStanding {
    let mut standing = ArtifactStanding::default();
    let mut all = Vec::new();
    for ImageListing { stored, demanding } in lists {
        all.extend(newest(stored));
        standing.demanding.extend(demanding);
    }
    all.sort_by(|one, other| {
        let key = |it: &StoredArtifact| (it.artifact.artifact_type.clone(), Reverse(it.is_verified()));
        key(one).cmp(&key(other)).then_with(|| one.source().cmp(&other.source()))
    });
    let has_verified = all.iter().any(StoredArtifact::is_verified);
    for stored in all {
        let counts = !has_verified || stored.is_verified() || stored.source().is_none();
        if standing.counting.iter().any(|it| it.artifact.manifest == stored.artifact.manifest) {
            continue;
        }
        if counts { standing.counting.push(stored) } else { standing.aside.push(stored) }
    }
    standing
}

/// Those that nothing from the same repository supersedes: of each type the newest, and beside it the newest of those that
/// are verified.
pub(super) fn newest(stored: Vec<StoredArtifact>) -> Vec<StoredArtifact> {
    let mut aged: Vec<_> = stored.into_iter().map(|it| (it.artifact.age(), it)).collect();
    aged.sort_by(|(one_age, one), (other_age, other)| {
        let groups = one.artifact.artifact_type.cmp(&other.artifact.artifact_type);
        groups.then_with(|| one.source().cmp(&other.source())).then_with(|| other_age.cmp(one_age))
    });
    let mut winners: Vec<StoredArtifact> = Vec::new();
    for (_, stored) in aged {
        let of_group = |it: &&StoredArtifact| {
            it.artifact.artifact_type == stored.artifact.artifact_type && it.source() == stored.source()
        };
        // The newest of a group came first.
        match winners.last().filter(of_group) {
            None => winners.push(stored),
            Some(newer) if stored.is_verified() && !newer.is_verified() => winners.push(stored),
            Some(_) => {}
        }
    }
    winners
}

/// Which of two artifacts counts: the greater one.
pub type Age = (Option<Moment>, Reverse<Digest>);

/// When an artifact with this manifest was made, as `newest` looks at it.
pub fn age(created: Option<&str>, manifest: Digest) -> Age {
    (created.and_then(moment), Reverse(manifest))
}

impl Artifact {
    /// Of two artifacts of one type, the one with the greater age counts.
    pub fn age(&self) -> Age {
        age(self.created.as_deref(), self.manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Signature, VerifiedBy};

    fn made(name: &str, artifact_type: &str, created: &str) -> Artifact {
        Artifact {
            manifest: Digest::of(name.as_bytes()),
            subject: Some(Digest::of(b"image")),
            artifact_type: artifact_type.to_owned(),
            created: Some(created.to_owned()).filter(|it| !it.is_empty()),
            spec: SpecBlob { media_type: "text".to_owned(), digest: Digest::of(b"spec"), size: 4 },
        }
    }

    /// Which of these (name, type, created) win, whatever their order.
    fn check(artifacts: &[(&str, &str, &str)], winners: &[&str]) {
        let expected: Vec<_> = winners.iter().map(|it| Digest::of(it.as_bytes())).collect();
        let mut all: Vec<_> =
            artifacts.iter().map(|(name, kind, created)| made(name, kind, created)).collect();
        for _ in 0..2 {
            let own = newest(all.iter().cloned().map(stored).collect());
            let found: Vec<_> = own.into_iter().map(|it| it.artifact.manifest).collect();
            assert_eq!(found, expected);
            all.reverse();
        }
    }

    #[test]
    fn the_newest_of_each_type_wins() {
        check(&[], &[]);
        check(&[("a", "t", "2025-01-01T00:00:00Z"), ("b", "t", "2024-01-01T00:00:00Z")], &["a"]);
        check(&[("a", "t", "2025-01-01T00:00:00Z"), ("b", "u", "2024-01-01T00:00:00Z")], &["a", "b"]);
        check(&[("a", "t", "2025-01-01T00:30:00Z"), ("b", "t", "2025-01-01T01:00:00+01:00")], &["a"]);
    }

    #[test]
    fn a_missing_or_unreadable_date_is_the_oldest() {
        check(&[("a", "t", ""), ("b", "t", "1971-01-01T00:00:00Z")], &["b"]);
        check(&[("a", "t", "9999"), ("b", "t", "1969-01-01T00:00:00Z")], &["b"]);
    }

    #[test]
    fn of_equals_the_lowest_digest_wins() {
        let lowest = if Digest::of(b"a") < Digest::of(b"b") { "a" } else { "b" };
        check(&[("a", "t", ""), ("b", "t", "")], &[lowest]);
        check(&[("a", "t", "2025-01-01T00:00:00Z"), ("b", "t", "2025-01-01T01:00:00+01:00")], &[lowest]);
    }

    fn stored(artifact: Artifact) -> StoredArtifact {
        StoredArtifact { artifact, origin: None }
    }

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let subject = Digest::of(b"image");
        let artifacts = [made("a", "t", "then"), made("b", "u", "")];
        let list = ImageListing { stored: artifacts.map(stored).to_vec(), demanding: Vec::new() };
        let bytes = compose(&subject, &list).unwrap();
        assert_eq!(parse(&bytes, &subject), Ok(list));
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            format!(
                "{{\"subject\":\"{subject}\",\"artifacts\":[\
                 {{\"manifest\":\"{a}\",\"artifactType\":\"t\",\"created\":\"then\",\"spec\":\
                 {{\"mediaType\":\"text\",\"digest\":\"{spec}\",\"size\":4}}}},\
                 {{\"manifest\":\"{b}\",\"artifactType\":\"u\",\"spec\":\
                 {{\"mediaType\":\"text\",\"digest\":\"{spec}\",\"size\":4}}}}]}}\n",
                a = Digest::of(b"a"),
                b = Digest::of(b"b"),
                spec = Digest::of(b"spec"),
            )
        );
    }

    #[test]
    fn where_an_artifact_came_from_is_kept_beside_it() {
        let subject = Digest::of(b"image");
        let (key, evidence) = (Digest::of(b"key"), Digest::of(b"evidence"));
        let origin = ArtifactOrigin {
            repository: Some("r/a".to_owned()),
            image: Some("r/a:1".to_owned()),
            fetched: Some("then".to_owned()),
            rule: Some("r/*".to_owned()),
            signature: Some(Signature { key, evidence, by: VerifiedBy::Verifier }),
            ..ArtifactOrigin::default()
        };
        let all = vec![StoredArtifact { artifact: made("a", "t", ""), origin: Some(origin) }];
        let list = ImageListing { stored: all, demanding: vec!["r/a".to_owned()] };
        let bytes = compose(&subject, &list).unwrap();
        assert_eq!(parse(&bytes, &subject), Ok(list));
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            format!(
                "{{\"subject\":\"{subject}\",\"artifacts\":[{{\"manifest\":\"{a}\",\"artifactType\":\"t\",\"spec\":\
                 {{\"mediaType\":\"text\",\"digest\":\"{spec}\",\"size\":4}},\"origin\":{{\"repository\":\"r/a\",\
                 \"image\":\"r/a:1\",\"fetched\":\"then\",\"rule\":\"r/*\",\"signature\":{{\"key\":\"{key}\",\
                 \"evidence\":\"{evidence}\",\"by\":\"verifier\"}}}}}}],\"signedSpecDemandedBy\":[\"r/a\"]}}\n",
                a = Digest::of(b"a"),
                spec = Digest::of(b"spec"),
            )
        );
    }

    #[test]
    fn a_list_of_an_older_release_has_the_repository_in_the_image_s_name() {
        let subject = Digest::of(b"image");
        let check = |origin: &str, expected: (Option<&str>, bool)| {
            let text = format!(
                "{{\"subject\":\"{subject}\",\"artifacts\":[{{\"manifest\":\"{subject}\",\"artifactType\":\"t\",\"spec\":\
                 {{\"mediaType\":\"text\",\"digest\":\"{subject}\",\"size\":4}}{origin}}}]}}"
            );
            let list = parse(text.as_bytes(), &subject).unwrap();
            let stored = &list.stored[0];
            assert_eq!((stored.source(), stored.is_verified()), expected, "{origin}");
        };
        check("", (None, false));
        check(",\"origin\":{}", (Some(""), false));
        check(",\"origin\":{\"image\":\"r:5000/a:1\"}", (Some("r:5000/a"), false));
        let signed = format!(
            ",\"origin\":{{\"image\":\"r:5000/a@{subject}\",\"signature\":{{\"key\":\"{subject}\",\"evidence\":\"{subject}\"}}}}"
        );
        check(&signed, (Some("r:5000/a"), true));
    }

    /// What stands of one image: (name, repository, whether it was verified, date), and what stands aside; whatever the
    /// order.
    fn check_standing(artifacts: &[(&str, Option<&str>, bool, &str)], counting: &[&str], aside: &[&str]) {
        let made = |(name, repository, is_verified, created): &(&str, Option<&str>, bool, &str)| {
            let (key, evidence) = (Digest::of(b"key"), Digest::of(b"evidence"));
            let origin = repository.map(|it| ArtifactOrigin {
                repository: Some(it.to_owned()),
                signature: is_verified.then_some(Signature { key, evidence, by: VerifiedBy::Key }),
                ..ArtifactOrigin::default()
            });
            StoredArtifact { artifact: made(name, "t", created), origin }
        };
        let mut all: Vec<_> = artifacts.iter().map(made).collect();
        let digests = |names: &[&str]| names.iter().map(|it| Digest::of(it.as_bytes())).collect::<Vec<_>>();
        let found = |all: &[StoredArtifact]| all.iter().map(|it| it.artifact.manifest).collect::<Vec<_>>();
        for _ in 0..2 {
            let together = standing(vec![ImageListing { stored: all.clone(), demanding: Vec::new() }]);
            assert_eq!(found(&together.counting), digests(counting));
            assert_eq!(found(&together.aside), digests(aside));
            all.reverse();
        }
    }

    const OLD: &str = "2025-01-01T00:00:00Z";
    const NEW: &str = "2025-02-01T00:00:00Z";

    #[test]
    fn only_what_is_of_the_same_repository_and_verified_at_least_as_well_supersedes() {
        let (acme, evil) = (Some("r/acme"), Some("r/evil"));
        check_standing(&[("a", acme, false, OLD), ("b", acme, false, NEW)], &["b"], &[]);
        check_standing(&[("a", acme, false, OLD), ("b", acme, true, NEW)], &["b"], &[]);
        check_standing(&[("a", acme, true, OLD), ("b", acme, false, NEW)], &["a"], &["b"]);
        check_standing(&[("a", acme, true, OLD), ("b", acme, true, NEW)], &["b"], &[]);
        check_standing(&[("a", acme, false, OLD), ("b", evil, false, NEW)], &["a", "b"], &[]);
        check_standing(&[("a", acme, true, OLD), ("b", evil, false, NEW)], &["a"], &["b"]);
        check_standing(&[("a", acme, true, OLD), ("b", evil, true, NEW)], &["a", "b"], &[]);
    }

    #[test]
    fn the_administrators_own_always_counts_and_is_superseded_only_by_another_of_theirs() {
        let acme = Some("r/acme");
        check_standing(&[("a", None, false, OLD), ("b", None, false, NEW)], &["b"], &[]);
        check_standing(&[("a", None, false, OLD), ("b", acme, false, NEW)], &["a", "b"], &[]);
        check_standing(&[("a", None, false, OLD), ("b", acme, true, NEW)], &["b", "a"], &[]);
    }

    #[test]
    fn what_several_repositories_have_counts_once() {
        let (acme, evil) = (Some("r/acme"), Some("r/evil"));
        check_standing(&[("a", acme, true, OLD), ("a", evil, false, OLD)], &["a"], &[]);
        check_standing(&[("a", acme, false, OLD), ("a", evil, false, OLD)], &["a"], &[]);
    }

    #[test]
    fn what_is_verified_of_an_index_counts_before_what_is_not_of_its_image() {
        let verified = ArtifactOrigin {
            repository: Some("r/acme".to_owned()),
            signature: Some(Signature {
                key: Digest::of(b"k"),
                evidence: Digest::of(b"e"),
                by: VerifiedBy::Key,
            }),
            ..ArtifactOrigin::default()
        };
        let strange = ArtifactOrigin { repository: Some("r/evil".to_owned()), ..ArtifactOrigin::default() };
        let list = |name, origin| ImageListing {
            stored: vec![StoredArtifact { artifact: made(name, "t", OLD), origin: Some(origin) }],
            demanding: Vec::new(),
        };
        let found = standing(vec![list("image", strange), list("index", verified)]);
        let names = |all: &[StoredArtifact]| all.iter().map(|it| it.artifact.manifest).collect::<Vec<_>>();
        assert_eq!(names(&found.counting), [Digest::of(b"index")]);
        assert_eq!(names(&found.aside), [Digest::of(b"image")]);
    }

    #[test]
    fn a_list_that_cannot_be_this_subjects_is_refused() {
        let subject = Digest::of(b"image");
        let other = Digest::of(b"other");
        let bytes = compose(&other, &ImageListing::default()).unwrap();
        assert_eq!(
            parse(&bytes, &subject),
            Err(format!("lists the artifacts of {other}, expected those of {subject}"))
        );
        let mut huge = made("a", "t", "");
        huge.spec.size = MAX_SPEC + 1;
        let list = ImageListing { stored: vec![stored(huge)], demanding: Vec::new() };
        let bytes = compose(&subject, &list).unwrap();
        assert_eq!(
            parse(&bytes, &subject),
            Err("lists a spec of 1048577 bytes, at most 1048576 are read".to_owned())
        );
        assert_eq!(
            parse(&bytes[..40], &subject),
            Err("is not a list of artifacts (EOF while parsing a string at line 1 column 40)".to_owned())
        );
    }
}
