//! Reads an artifact's manifest as far as a look-up needs it. Never reads a blob, and trusts that the bytes were verified.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Artifact, Digest, MAX_SPEC, SpecBlob, Trouble};
use crate::words::text::{cut, list, shorten};

/// The artifact type that Node Feature Discovery gives its image-compatibility specs.
pub const NFD_ARTIFACT_TYPE: &str = "application/vnd.nfd.image-compatibility.v1alpha1";
/// The media type of such a spec.
pub const NFD_SPEC_TYPE: &str = "application/vnd.nfd.image-compatibility.spec.v1alpha1+yaml";
/// The artifact type of a spec in our own language, which Node Feature Discovery would misread.
pub const OWN_ARTIFACT_TYPE: &str = "application/vnd.oci-compat.image-compatibility.v1";
/// The media type of such a spec.
pub const OWN_SPEC_TYPE: &str = "application/vnd.oci-compat.image-compatibility.spec.v1+yaml";
/// The artifact type of all proposals of the OCI image-compatibility working group.
pub const PROPOSED_ARTIFACT_TYPE: &str = "application/vnd.oci.image-compatibility.v1";
/// The media type of a spec in the format of any of these.
pub const PROPOSED_SPEC_TYPE: &str = "application/vnd.oci.image-compatibility.spec.v1+json";
/// Every artifact type that holds a compatibility spec: NFD's, ours, and the one of the OCI working group's proposals.
pub const ARTIFACT_TYPES: [&str; 3] = [NFD_ARTIFACT_TYPE, OWN_ARTIFACT_TYPE, PROPOSED_ARTIFACT_TYPE];
/// Every media type that such an artifact's one layer may have.
pub const SPEC_TYPES: [&str; 3] = [NFD_SPEC_TYPE, OWN_SPEC_TYPE, PROPOSED_SPEC_TYPE];

pub(super) const IMAGE_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The annotation that says when an artifact or image was made (image-spec 1.1, `annotations.md`), in RFC 3339.
pub const CREATED: &str = "org.opencontainers.image.created";
/// How the proposals and NFD's documents spell [`CREATED`].
const CREATED_MISSPELT: &str = "oci.opencontainers.image.created";

/// An image manifest (image-spec 1.1, `manifest.md`). An artifact has one too, without an image.
///
/// Digests are still texts here: a layout may hold images with digests that are none of our business.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoredManifest {
    media_type: Option<String>,
    artifact_type: Option<String>,
    pub(super) config: ManifestLink,
    layers: Vec<ManifestLink>,
    pub(super) subject: Option<ManifestLink>,
    annotations: Option<BTreeMap<String, String>>,
}

/// A descriptor.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ManifestLink {
    pub(super) media_type: String,
    pub(super) digest: String,
    pub(super) size: u64,
}

impl StoredManifest {
    /// Fails with the rest of a sentence that starts with the manifest.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes)
            .map_err(|err| format!("is not an image manifest ({})", json_reason(&err)))
    }

    /// What the artifact is for; the type of its configuration where it does not say (image-spec 1.1, `manifest.md`).
    pub(super) fn kind(&self) -> &str {
        self.artifact_type.as_deref().unwrap_or(&self.config.media_type)
    }

    /// The artifact that this manifest describes.
    ///
    /// # Errors
    ///
    /// [`Trouble::Unfit`] if it is no compatibility artifact, or one that breaks the rules.
    pub(super) fn into_artifact(self, manifest: Digest) -> Result<Artifact, Trouble> {
        self.judge(manifest).map_err(|reason| Trouble::Unfit { artifact: manifest, reason })
    }

    fn judge(self, manifest: Digest) -> Result<Artifact, String> {
        if self.media_type.as_deref().is_some_and(|it| it != IMAGE_MANIFEST) {
            let found = self.media_type.unwrap_or_default();
            return Err(format!("has media type {:?}, expected {IMAGE_MANIFEST:?}", shorten(&found)));
        }
        let artifact_type = one_of(&ARTIFACT_TYPES, self.kind(), "is of type")?;
        let [layer] = self.layers.as_slice() else {
            let found = self.layers.len();
            return Err(format!(
                "has {found} layers, a compatibility artifact has exactly 1: push its spec alone"
            ));
        };
        let media_type = one_of(&SPEC_TYPES, &layer.media_type, "has a layer of type")?;
        if layer.size > MAX_SPEC {
            return Err(format!(
                "has a spec of {} bytes, at most {MAX_SPEC} are read: make it smaller",
                layer.size
            ));
        }
        let subject = self.subject.as_ref().map(|it| digest(&it.digest, "subject")).transpose()?;
        let spec = SpecBlob { media_type, digest: digest(&layer.digest, "layer")?, size: layer.size };
        let created = self.annotations.as_ref().and_then(|it| created(|key| it.get(key))).cloned();
        Ok(Artifact { manifest, subject, artifact_type, created, spec })
    }
}

/// The moment of making in a set of annotations, under its name or the misspelt one.
pub fn created<'a>(annotation: impl Fn(&str) -> Option<&'a String>) -> Option<&'a String> {
    annotation(CREATED).or_else(|| annotation(CREATED_MISSPELT))
}

/// The error of a JSON parser, without the names of Rust's types, cut to a length for a message.
pub(super) fn json_reason(err: &serde_json::Error) -> String {
    let text = err.to_string();
    let text = match text.split_once("expected struct ") {
        None => text,
        Some((before, rest)) => {
            let place = rest.find(" at line ").and_then(|it| rest.get(it..)).unwrap_or_default();
            format!("{before}expected an object{place}")
        }
    };
    cut(&text, 200).into_owned()
}

fn one_of(known: &[&str], found: &str, what: &str) -> Result<String, String> {
    match known.contains(&found) {
        true => Ok(found.to_owned()),
        false => Err(format!(
            "{what} {:?}, known are {}",
            shorten(found),
            list(known.iter().map(|it| (*it).to_owned()), "and")
        )),
    }
}

fn digest(text: &str, what: &str) -> Result<Digest, String> {
    text.parse().map_err(|err| format!("has a {what} that cannot be looked up: {err}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    /// A manifest with these parts; an empty one is left out.
    fn manifest(kind: &str, layers: &[&str], more: &str) -> String {
        let config = r#""config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": "sha256:1", "size": 2}"#;
        let kind = if kind.is_empty() { String::new() } else { format!("\"artifactType\": {kind:?},") };
        format!(r#"{{"schemaVersion": 2, {kind} {config}, "layers": [{}] {more}}}"#, layers.join(","))
    }

    fn layer(media_type: &str, size: u64) -> String {
        format!(r#"{{"mediaType": "{media_type}", "digest": "sha256:{HEX}", "size": {size}}}"#)
    }

    fn check(json: &str, expected: &str) {
        let found =
            StoredManifest::parse(json.as_bytes()).and_then(|it| it.judge(Digest::of(json.as_bytes())));
        let found = found.map_or_else(
            |reason| reason,
            |it| format!("{} {:?} {:?} {}", it.artifact_type, it.subject, it.created, it.spec.size),
        );
        assert_eq!(found, expected);
    }

    #[test]
    fn a_compatibility_artifact_is_read() {
        let spec = layer(NFD_SPEC_TYPE, 9);
        check(&manifest(NFD_ARTIFACT_TYPE, &[&spec], ""), &format!("{NFD_ARTIFACT_TYPE} None None 9"));
        let more = format!(r#", "subject": {{"mediaType": "x", "digest": "sha256:{HEX}", "size": 0}}"#);
        check(
            &manifest(NFD_ARTIFACT_TYPE, &[&spec], &more),
            &format!("{NFD_ARTIFACT_TYPE} Some(sha256:{HEX}) None 9"),
        );
        for key in [CREATED, CREATED_MISSPELT] {
            check(
                &manifest(NFD_ARTIFACT_TYPE, &[&spec], &format!(r#", "annotations": {{"{key}": "then"}}"#)),
                &format!("{NFD_ARTIFACT_TYPE} None Some(\"then\") 9"),
            );
        }
    }

    #[test]
    fn without_artifact_type_the_type_of_the_configuration_counts() {
        let spec = layer(NFD_SPEC_TYPE, 9);
        check(
            &manifest("", &[&spec], "").replace("application/vnd.oci.empty.v1+json", NFD_ARTIFACT_TYPE),
            &format!("{NFD_ARTIFACT_TYPE} None None 9"),
        );
        check(
            &manifest("", &[&spec], ""),
            "is of type \"application/vnd.oci.empty.v1+json\", known are \
             application/vnd.nfd.image-compatibility.v1alpha1, application/vnd.oci-compat.image-compatibility.v1 and application/vnd.oci.image-compatibility.v1",
        );
    }

    #[test]
    fn what_is_no_object_is_refused_without_the_name_of_a_type() {
        check(
            "7",
            "is not an image manifest (invalid type: integer `7`, expected an object at line 1 column 1)",
        );
        check("[]", "is not an image manifest (invalid length 0, expected an object at line 1 column 2)");
        let reason = |text: &str| json_reason(&crate::store::index::parse(text.as_bytes()).unwrap_err());
        assert_eq!(reason("\"x\""), "invalid type: string \"x\", expected an object at line 1 column 3");
        assert_eq!(
            reason("{\"schemaVersion\": 2, \"manifests\": [1]}"),
            "invalid type: integer `1`, expected an object at line 1 column 36"
        );
    }

    #[test]
    fn an_artifact_that_breaks_the_rules_is_refused_with_a_reason() {
        let spec = layer(NFD_SPEC_TYPE, 9);
        check(
            &manifest(NFD_ARTIFACT_TYPE, &[&spec, &spec], ""),
            "has 2 layers, a compatibility artifact has exactly 1: push its spec alone",
        );
        check(
            &manifest(NFD_ARTIFACT_TYPE, &[], ""),
            "has 0 layers, a compatibility artifact has exactly 1: push its spec alone",
        );
        check(
            &manifest(NFD_ARTIFACT_TYPE, &[&layer("text/plain", 9)], ""),
            "has a layer of type \"text/plain\", known are \
             application/vnd.nfd.image-compatibility.spec.v1alpha1+yaml, application/vnd.oci-compat.image-compatibility.spec.v1+yaml and \
             application/vnd.oci.image-compatibility.spec.v1+json",
        );
        check(
            &manifest(NFD_ARTIFACT_TYPE, &[&layer(NFD_SPEC_TYPE, MAX_SPEC + 1)], ""),
            "has a spec of 1048577 bytes, at most 1048576 are read: make it smaller",
        );
        check(
            &manifest(NFD_ARTIFACT_TYPE, &[&spec.replace("sha256:4", "sha256:X")], ""),
            &format!(
                "has a layer that cannot be looked up: digest \"sha256:X{}\" has digits other than 0-9 and a-f in lower case",
                &HEX[1..]
            ),
        );
        check(
            &manifest(
                NFD_ARTIFACT_TYPE,
                &[&spec],
                r#", "mediaType": "application/vnd.oci.image.index.v1+json""#,
            ),
            "has media type \"application/vnd.oci.image.index.v1+json\", \
             expected \"application/vnd.oci.image.manifest.v1+json\"",
        );
    }

    #[test]
    fn what_is_no_manifest_is_reported_to_be_none() {
        check("", "is not an image manifest (EOF while parsing a value at line 1 column 0)");
        check(
            r#"{"manifests": []}"#,
            "is not an image manifest (missing field `config` at line 1 column 17)",
        );
    }
}
