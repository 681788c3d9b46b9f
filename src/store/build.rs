//! The blobs of one artifact: makes them for a bare spec, and groups those that came from elsewhere. Never touches a file, and
//! never looks into a spec.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use oci_spec::image::{Descriptor, MediaType, SCHEMA_VERSION};
use serde::Serialize;

use crate::words::moment::moment;

use super::manifest::{CREATED, IMAGE_MANIFEST, StoredManifest};
use super::{
    Artifact, Digest, MAX_MANIFEST, MAX_SPEC, NFD_ARTIFACT_TYPE, NFD_SPEC_TYPE, OWN_ARTIFACT_TYPE,
    OWN_SPEC_TYPE, PROPOSED_ARTIFACT_TYPE, PROPOSED_SPEC_TYPE, blob,
};

/// The configuration of an artifact that has none (image-spec 1.1, `manifest.md`, "Guidance for an Empty Descriptor").
pub(super) const EMPTY: &[u8] = b"{}";

/// Everything that an artifact is made of, byte for byte as it is named by digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// The manifest.
    pub manifest: Vec<u8>,
    /// The configuration that the manifest names: `{}` for nearly every artifact.
    pub config: Vec<u8>,
    /// The spec, which is the manifest's one layer.
    pub spec: Vec<u8>,
    /// `org.opencontainers.image.created` of the descriptor that led to the manifest; it goes before the manifest's own.
    pub created: Option<String>,
}

/// In whose language a spec is written: its artifact and its layer say so by their types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpecKind {
    /// Node Feature Discovery's.
    Nfd,
    /// Our own.
    Own,
    /// One of the OCI working group's proposals.
    Proposed,
}

impl SpecKind {
    /// Of the artifact, and of its layer.
    fn types(self) -> (&'static str, &'static str) {
        match self {
            Self::Nfd => (NFD_ARTIFACT_TYPE, NFD_SPEC_TYPE),
            Self::Own => (OWN_ARTIFACT_TYPE, OWN_SPEC_TYPE),
            Self::Proposed => (PROPOSED_ARTIFACT_TYPE, PROPOSED_SPEC_TYPE),
        }
    }
}

/// The image that an artifact is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactSubject {
    /// The digest of its manifest or index.
    pub digest: Digest,
    /// The media type of its manifest or index.
    pub media_type: String,
    /// The number of bytes of its manifest or index.
    pub size: u64,
}

impl ArtifactSubject {
    /// An image with only a known digest: taken for a manifest, with size 0.
    ///
    /// No engine and no registry in use holds a subject's size against the image; a client that copies the image along
    /// (`oras copy --recursive`) may.
    pub fn unseen(digest: Digest) -> Self {
        Self { digest, media_type: IMAGE_MANIFEST.to_owned(), size: 0 }
    }
}

/// An artifact's manifest, as the image-spec orders it; the same annotations give the same bytes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactManifest<'a> {
    schema_version: u32,
    media_type: &'static str,
    artifact_type: &'static str,
    config: Descriptor,
    layers: [Descriptor; 1],
    subject: Descriptor,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

/// Makes the artifact for a spec in NFD's format: the same bytes for the same input.
///
/// # Errors
///
/// If the spec is too large, or `created` is not RFC 3339.
pub fn pack(spec: &[u8], subject: &ArtifactSubject, created: Option<&str>) -> anyhow::Result<Package> {
    let created = created.map(|it| (CREATED.to_owned(), it.to_owned()));
    pack_annotated(spec, SpecKind::Nfd, subject, &created.into_iter().collect())
}

/// As [`pack`], with annotations of its author's.
///
/// # Errors
///
/// If the spec is too large, or `org.opencontainers.image.created` among them is not RFC 3339.
pub fn pack_annotated(
    spec: &[u8],
    kind: SpecKind,
    subject: &ArtifactSubject,
    annotations: &BTreeMap<String, String>,
) -> anyhow::Result<Package> {
    let layer = descriptor(kind.types().1, &Digest::of(spec), u64::try_from(spec.len())?)?;
    ensure!(layer.size() <= MAX_SPEC, "spec has {} bytes, at most {MAX_SPEC} are read", spec.len());
    if let Some(created) = annotations.get(CREATED) {
        ensure!(
            moment(created).is_some(),
            "created {created:?} is not a date such as \"2025-06-01T12:00:00Z\" (RFC 3339)"
        );
    }
    let document = ArtifactManifest {
        schema_version: SCHEMA_VERSION,
        media_type: IMAGE_MANIFEST,
        artifact_type: kind.types().0,
        config: descriptor(MediaType::EmptyJSON.as_ref(), &Digest::of(EMPTY), 2)?,
        layers: [layer],
        subject: descriptor(&subject.media_type, &subject.digest, subject.size)?,
        annotations,
    };
    let manifest = serde_json::to_vec(&document).context("making an artifact manifest")?;
    Ok(Package { manifest, config: EMPTY.to_vec(), spec: spec.to_vec(), created: None })
}

/// A descriptor as the image-spec's types have it.
pub(super) fn descriptor(media_type: &str, digest: &Digest, size: u64) -> anyhow::Result<Descriptor> {
    let digest: oci_spec::image::Digest = digest.to_string().parse()?;
    Ok(Descriptor::new(MediaType::from(media_type), size, digest))
}

/// What an artifact's manifest names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// The artifact, with the subject that the manifest names.
    pub artifact: Artifact,
    /// The digest and the size of its configuration.
    pub config: (Digest, u64),
}

impl Parts {
    /// Reads a manifest whose digest was verified.
    ///
    /// # Errors
    ///
    /// If it is none of a compatibility artifact, or breaks the rules of one.
    pub fn read(manifest: &[u8]) -> anyhow::Result<Self> {
        let name = Digest::of(manifest);
        let document =
            StoredManifest::parse(manifest).map_err(|it| anyhow::anyhow!("artifact {name} {it}"))?;
        let config = (document.config.digest.parse()?, document.config.size);
        Ok(Self { artifact: document.into_artifact(name)?, config })
    }

    /// The configuration, if it is the one that nearly every artifact has.
    pub fn empty_config(&self) -> Option<Vec<u8>> {
        (self.config.0 == Digest::of(EMPTY)).then(|| EMPTY.to_vec())
    }
}

impl Package {
    /// The artifact that these blobs are, for this subject.
    ///
    /// # Errors
    ///
    /// If the manifest is no compatibility artifact, is about another image, or does not name these blobs.
    pub fn artifact(&self, subject: &Digest) -> anyhow::Result<Artifact> {
        let name = Digest::of(&self.manifest);
        if u64::try_from(self.manifest.len())? > MAX_MANIFEST {
            bail!(
                "manifest {name} has {} bytes, at most {MAX_MANIFEST} are read: move annotations elsewhere",
                self.manifest.len()
            );
        }
        let manifest =
            StoredManifest::parse(&self.manifest).map_err(|it| anyhow::anyhow!("artifact {name} {it}"))?;
        let config: Digest = manifest.config.digest.parse()?;
        blob::verify(&self.config, &config, manifest.config.size)
            .map_err(|it| anyhow::anyhow!("the configuration of artifact {name} {it}: fetch it again"))?;
        let mut artifact = manifest.into_artifact(name)?;
        blob::verify(&self.spec, &artifact.spec.digest, artifact.spec.size)
            .map_err(|it| anyhow::anyhow!("the spec of artifact {name} {it}: fetch it again"))?;
        match artifact.subject.replace(*subject) {
            Some(own) if own != *subject => bail!(
                "artifact {name} is about {own}, it was to be stored for {subject}: \
                 leave --subject away, or attach the spec to {subject}"
            ),
            Some(_) | None => {}
        }
        artifact.created = self.created.clone().or(artifact.created);
        Ok(artifact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed() -> Package {
        let subject = ArtifactSubject::unseen(Digest::of(b"image"));
        pack(b"version: v1alpha1\n", &subject, Some("2025-06-01T12:00:00Z")).unwrap()
    }

    fn check(package: &Package, expected: &str) {
        let err = package.artifact(&Digest::of(b"image")).unwrap_err();
        assert_eq!(format!("{err:#}"), expected);
    }

    #[test]
    fn a_spec_becomes_an_artifact_as_nfd_makes_it() {
        let package = packed();
        let expected = format!(
            "{{\"schemaVersion\":2,\
             \"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\
             \"artifactType\":\"application/vnd.nfd.image-compatibility.v1alpha1\",\
             \"config\":{{\"mediaType\":\"application/vnd.oci.empty.v1+json\",\"digest\":\"{}\",\"size\":2}},\
             \"layers\":[{{\"mediaType\":\"application/vnd.nfd.image-compatibility.spec.v1alpha1+yaml\",\
             \"digest\":\"{}\",\"size\":18}}],\
             \"subject\":{{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"{}\",\"size\":0}},\
             \"annotations\":{{\"org.opencontainers.image.created\":\"2025-06-01T12:00:00Z\"}}}}",
            Digest::of(b"{}"),
            Digest::of(b"version: v1alpha1\n"),
            Digest::of(b"image"),
        );
        assert_eq!(String::from_utf8(package.manifest.clone()).unwrap(), expected);
        let artifact = package.artifact(&Digest::of(b"image")).unwrap();
        assert_eq!(artifact.manifest, Digest::of(&package.manifest));
        assert_eq!(artifact.created.as_deref(), Some("2025-06-01T12:00:00Z"));
        assert_eq!(artifact.spec.size, 18);
    }

    #[test]
    fn the_date_of_the_descriptor_goes_before_the_manifests() {
        let package = Package { created: Some("2026-01-01T00:00:00Z".to_owned()), ..packed() };
        let artifact = package.artifact(&Digest::of(b"image")).unwrap();
        assert_eq!(artifact.created.as_deref(), Some("2026-01-01T00:00:00Z"));
    }

    #[test]
    fn what_cannot_be_packed_is_refused() {
        let subject = ArtifactSubject::unseen(Digest::of(b"image"));
        let err = pack(b"", &subject, Some("today")).unwrap_err();
        assert_eq!(
            err.to_string(),
            "created \"today\" is not a date such as \"2025-06-01T12:00:00Z\" (RFC 3339)"
        );
        let err = pack(&vec![b' '; (1 << 20) + 1], &subject, None).unwrap_err();
        assert_eq!(err.to_string(), "spec has 1048577 bytes, at most 1048576 are read");
    }

    #[test]
    fn blobs_that_do_not_belong_together_are_refused() {
        let package = packed();
        let name = Digest::of(&package.manifest);
        let (spec, image) = (Digest::of(b"version: v1alpha1\n"), Digest::of(b"image"));
        check(
            &Package { spec: b"version: v1alpha2\n".to_vec(), ..package.clone() },
            &format!(
                "the spec of artifact {name} has digest {}, expected {spec}: fetch it again",
                Digest::of(b"version: v1alpha2\n")
            ),
        );
        check(
            &Package { config: b"{ }".to_vec(), ..package.clone() },
            &format!("the configuration of artifact {name} has 3 bytes, expected 2: fetch it again"),
        );
        let other = Digest::of(b"other");
        let err = package.artifact(&other).unwrap_err();
        assert_eq!(
            err.to_string(),
            format!(
                "artifact {name} is about {image}, it was to be stored for {other}: \
                 leave --subject away, or attach the spec to {other}"
            )
        );
        let huge = [&package.manifest[..], &vec![b' '; 1 << 20]].concat();
        check(
            &Package { manifest: huge.clone(), ..package },
            &format!(
                "manifest {} has {} bytes, at most 1048576 are read: move annotations elsewhere",
                Digest::of(&huge),
                huge.len()
            ),
        );
    }
}
