//! Where a stored artifact came from, and what was verified of it: for people, and in the JSON of `list` and `show`.

use serde::Serialize;

use crate::words::text::printable;

use super::origin::{StoredArtifact, VerifiedBy};

/// From where an artifact is, and what was verified of it.
#[derive(Debug, Default, Serialize)]
pub struct ArtifactSource {
    /// The repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    repository: Option<String>,
    /// The digest of the public key.
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_by: Option<String>,
    /// The digest of the verifier's command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_by: Option<String>,
    /// The pattern of the rule of trust that held.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
}

/// What `list` and `show` print of every artifact.
#[derive(Debug, Serialize)]
pub struct ArtifactSummary {
    /// The digest of its manifest.
    pub digest: String,
    /// Its artifact type.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was made, as its author says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// When it was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fetched: Option<String>,
    /// Where it is from.
    #[serde(flatten)]
    pub source: ArtifactSource,
}

impl From<StoredArtifact> for ArtifactSummary {
    fn from(stored: StoredArtifact) -> Self {
        let source = ArtifactSource::from(&stored);
        let StoredArtifact { artifact, origin } = stored;
        Self {
            digest: artifact.manifest.to_string(),
            kind: artifact.artifact_type,
            created: artifact.created,
            fetched: origin.and_then(|it| it.fetched),
            source,
        }
    }
}

impl From<&StoredArtifact> for ArtifactSource {
    fn from(stored: &StoredArtifact) -> Self {
        let repository = stored.source().filter(|it| !it.is_empty()).map(str::to_owned);
        let Some(origin) = &stored.origin else { return Self { repository, ..Self::default() } };
        let by =
            |by: VerifiedBy| origin.signature.as_ref().filter(|it| it.by == by).map(|it| it.key.to_string());
        let (signed_by, accepted_by) = (by(VerifiedBy::Key), by(VerifiedBy::Verifier));
        Self { repository, signed_by, accepted_by, rule: origin.rule.clone() }
    }
}

impl ArtifactSource {
    /// What was verified, in words.
    pub fn verified(&self) -> String {
        match (&self.signed_by, &self.accepted_by) {
            (Some(key), _) => format!("signed by key {key}"),
            (None, Some(key)) => format!("accepted by verifier {key}"),
            (None, None) => "no signature verified".to_owned(),
        }
    }

    /// As [`ArtifactSource::verified`], after the word "signed".
    pub fn signed(&self) -> String {
        match (&self.signed_by, &self.accepted_by) {
            (Some(key), _) => format!("with key {key}"),
            (None, Some(key)) => format!("as verifier {key} says"),
            (None, None) => "no signature was verified".to_owned(),
        }
    }

    /// From where, in words; `None` if it is not known.
    pub fn place(&self) -> Option<String> {
        Some(printable(self.repository.as_ref()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &ArtifactSource, verified: &str, signed: &str) {
        assert_eq!((source.verified().as_str(), source.signed().as_str()), (verified, signed));
    }

    #[test]
    fn what_was_verified_is_in_words() {
        let key = || Some("sha256:12".to_owned());
        check(&ArtifactSource::default(), "no signature verified", "no signature was verified");
        let by_key = ArtifactSource { signed_by: key(), ..ArtifactSource::default() };
        check(&by_key, "signed by key sha256:12", "with key sha256:12");
        let accepted = ArtifactSource { accepted_by: key(), ..ArtifactSource::default() };
        check(&accepted, "accepted by verifier sha256:12", "as verifier sha256:12 says");
    }

    #[test]
    fn the_text_of_strangers_is_escaped() {
        let source =
            ArtifactSource { repository: Some("acme\u{1b}/upf".to_owned()), ..ArtifactSource::default() };
        assert_eq!(source.place().as_deref(), Some("acme\\u{1b}/upf"));
        assert_eq!(ArtifactSource::default().place(), None);
    }
}
