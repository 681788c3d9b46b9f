//! The list of one image's artifacts, as it is kept under `subjects/`, and which of them count. Never touches a file.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use crate::moment::{Moment, moment};

use super::manifest::json_reason;
use super::{Artifact, Digest, Kept, MAX_SPEC, Origin, SpecBlob};

/// The file. Fields are only ever added, so unknown ones are skipped.
#[derive(Serialize, Deserialize)]
struct Listing {
    subject: Digest,
    artifacts: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    manifest: Digest,
    artifact_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    spec: Spec,
}

/// As [`Listing`], with what look-ups have no use for.
#[derive(Serialize, Deserialize)]
struct WholeListing {
    subject: Digest,
    artifacts: Vec<WholeEntry>,
}

#[derive(Serialize, Deserialize)]
struct WholeEntry {
    #[serde(flatten)]
    entry: Entry,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<Origin>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    media_type: String,
    digest: Digest,
    size: u64,
}

/// Reads the list of this subject; fails with the rest of a sentence that starts with the file.
pub(super) fn parse(bytes: &[u8], subject: &Digest) -> Result<Vec<Artifact>, String> {
    let listing: Listing = json(bytes)?;
    is_of(listing.subject, subject)?;
    listing.artifacts.into_iter().map(|it| artifact(it, subject)).collect()
}

/// As [`parse`], with where each artifact came from.
pub(super) fn parse_whole(bytes: &[u8], subject: &Digest) -> Result<Vec<Kept>, String> {
    let listing: WholeListing = json(bytes)?;
    is_of(listing.subject, subject)?;
    let kept = |WholeEntry { entry, origin }| Ok(Kept { artifact: artifact(entry, subject)?, origin });
    listing.artifacts.into_iter().map(kept).collect()
}

fn json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|err| format!("is not a list of artifacts ({})", json_reason(&err)))
}

fn is_of(found: Digest, subject: &Digest) -> Result<(), String> {
    match found == *subject {
        true => Ok(()),
        false => Err(format!("lists the artifacts of {found}, expected those of {subject}")),
    }
}

fn artifact(entry: Entry, subject: &Digest) -> Result<Artifact, String> {
    let Entry { manifest, artifact_type, created, spec: Spec { media_type, digest, size } } = entry;
    if size > MAX_SPEC {
        return Err(format!("lists a spec of {size} bytes, at most {MAX_SPEC} are read"));
    }
    let spec = SpecBlob { media_type, digest, size };
    Ok(Artifact { manifest, subject: Some(*subject), artifact_type, created, spec })
}

/// Writes the list of this subject.
pub(super) fn compose(subject: &Digest, kept: &[Kept]) -> serde_json::Result<Vec<u8>> {
    let artifacts = kept.iter().map(entry).collect();
    let mut bytes = serde_json::to_vec(&WholeListing { subject: *subject, artifacts })?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn entry(kept: &Kept) -> WholeEntry {
    let Artifact { manifest, subject: _, artifact_type, created, spec } = kept.artifact.clone();
    let SpecBlob { media_type, digest, size } = spec;
    let entry = Entry { manifest, artifact_type, created, spec: Spec { media_type, digest, size } };
    WholeEntry { entry, origin: kept.origin.clone() }
}

/// Of each type the newest; one without a readable date is older than all others, and of equals the one with the lowest
/// digest counts, so that every host chooses alike.
pub(super) fn newest(artifacts: Vec<Artifact>) -> Vec<Artifact> {
    let mut winners: Vec<Artifact> = Vec::new();
    for artifact in artifacts {
        match winners.iter_mut().find(|it| it.artifact_type == artifact.artifact_type) {
            None => winners.push(artifact),
            Some(winner) if winner.age() < artifact.age() => *winner = artifact,
            Some(_) => {}
        }
    }
    winners.sort_unstable_by(|one, other| one.artifact_type.cmp(&other.artifact_type));
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
    use crate::artifact::Signature;

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
            let found: Vec<_> = newest(all.clone()).into_iter().map(|it| it.manifest).collect();
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

    fn kept(artifact: Artifact) -> Kept {
        Kept { artifact, origin: None }
    }

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let subject = Digest::of(b"image");
        let artifacts = [made("a", "t", "then"), made("b", "u", "")];
        let bytes = compose(&subject, &artifacts.clone().map(kept)).unwrap();
        assert_eq!(parse(&bytes, &subject), Ok(artifacts.to_vec()));
        assert_eq!(parse_whole(&bytes, &subject), Ok(artifacts.map(kept).to_vec()));
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
        let signature = Signature { key: Digest::of(b"key"), evidence: Digest::of(b"evidence") };
        let origin = Origin {
            image: Some("r/a:1".to_owned()),
            fetched: Some("then".to_owned()),
            signature: Some(signature),
            ..Origin::default()
        };
        let all = [Kept { artifact: made("a", "t", ""), origin: Some(origin) }];
        let bytes = compose(&subject, &all).unwrap();
        assert_eq!(parse_whole(&bytes, &subject), Ok(all.to_vec()));
        assert_eq!(parse(&bytes, &subject), Ok(vec![made("a", "t", "")]));
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            format!(
                "{{\"subject\":\"{subject}\",\"artifacts\":[{{\"manifest\":\"{a}\",\"artifactType\":\"t\",\"spec\":\
                 {{\"mediaType\":\"text\",\"digest\":\"{spec}\",\"size\":4}},\"origin\":{{\"image\":\"r/a:1\",\
                 \"fetched\":\"then\",\"signature\":{{\"key\":\"{key}\",\"evidence\":\"{evidence}\"}}}}}}]}}\n",
                a = Digest::of(b"a"),
                spec = Digest::of(b"spec"),
                key = Digest::of(b"key"),
                evidence = Digest::of(b"evidence"),
            )
        );
    }

    #[test]
    fn a_list_that_cannot_be_this_subjects_is_refused() {
        let subject = Digest::of(b"image");
        let other = Digest::of(b"other");
        let bytes = compose(&other, &[]).unwrap();
        assert_eq!(
            parse(&bytes, &subject),
            Err(format!("lists the artifacts of {other}, expected those of {subject}"))
        );
        let mut huge = made("a", "t", "");
        huge.spec.size = MAX_SPEC + 1;
        let bytes = compose(&subject, &[kept(huge)]).unwrap();
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
