//! A whole store in one tar file, for machines without a network: an OCI image layout with the lists of the store beside
//! it. The same store gives the same bytes. Never believes an archive: its content is verified like a pulled artifact.

use std::collections::BTreeSet;
use std::io::Write;

use anyhow::{Context, anyhow, bail, ensure};
use tar::{Builder, EntryType, Header};

use super::index::{INDEX_FILE, StoreIndex};
use super::listing;
use super::manifest::StoredManifest;
use super::write::{LAYOUT, LAYOUT_FILE};
use super::{
    Archive, ArtifactOrigin, Digest, MAX_EVIDENCE, MAX_LISTING, MAX_MANIFEST, MAX_SPEC, Package, Parts,
    SUBJECTS, Store, StoredArtifact, blob_path,
};

/// One artifact that an archive brings, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The image that it is about.
    pub subject: Digest,
    /// Its blobs.
    pub package: Package,
    /// Where the other store had it from.
    pub origin: Option<ArtifactOrigin>,
    /// What its signature was verified with there.
    pub evidence: Option<Vec<u8>>,
}

impl Store {
    /// Writes every artifact that some image has into a tar archive; returns how many there are.
    ///
    /// # Errors
    ///
    /// If a file of the store is damaged, or the archive cannot be written.
    pub fn export(&self, archive: impl Write) -> anyhow::Result<usize> {
        let mut archive = Builder::new(archive);
        let (mut lists, mut blobs, mut manifests) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        for subject in self.subjects()? {
            let list = self.list(&subject)?;
            for it in &list.stored {
                manifests.insert(it.artifact.manifest);
                blobs.extend(self.blobs_of(it)?);
            }
            lists.push((subject, listing::compose(&subject, &list)?));
        }
        append(&mut archive, LAYOUT_FILE, LAYOUT)?;
        let mut index = StoreIndex::look_up(&self.folder)?
            .context("the store has no index.json: oci-compat store gc makes it anew")?;
        index.retain(&manifests);
        append(&mut archive, INDEX_FILE, &index.put()?.bytes)?;
        for (digest, most) in blobs {
            append(&mut archive, &blob_path(&digest), &self.blob(&digest, most)?)?;
        }
        for (subject, list) in lists {
            append(&mut archive, &format!("{SUBJECTS}/{}", subject.hex()), &list)?;
        }
        archive.into_inner().and_then(|mut it| it.flush()).map_err(unwritten)?;
        Ok(manifests.len())
    }

    /// An artifact of this store with all its blobs, and the evidence of its signature.
    ///
    /// # Errors
    ///
    /// If a blob is damaged or missing.
    pub fn package(&self, stored: &StoredArtifact) -> anyhow::Result<(Package, Option<Vec<u8>>)> {
        let artifact = &stored.artifact;
        let manifest = self.blob(&artifact.manifest, MAX_MANIFEST)?;
        let (config, _) = Parts::read(&manifest)?.config;
        let config = self.blob(&config, MAX_MANIFEST)?;
        let spec = self.blob(&artifact.spec.digest, MAX_SPEC)?;
        let signature = stored.origin.as_ref().and_then(|it| it.signature.as_ref());
        let evidence = signature.map(|it| self.blob(&it.evidence, MAX_EVIDENCE)).transpose()?;
        Ok((Package { manifest, config, spec, created: artifact.created.clone() }, evidence))
    }

    /// Every blob of an artifact, with the most bytes that it may have.
    fn blobs_of(&self, stored: &StoredArtifact) -> anyhow::Result<Vec<(Digest, u64)>> {
        let artifact = &stored.artifact;
        let bytes = self.blob(&artifact.manifest, MAX_MANIFEST)?;
        let document =
            StoredManifest::parse(&bytes).map_err(|it| anyhow!("artifact {} {it}", artifact.manifest))?;
        let config: Digest = document.config.digest.parse()?;
        let signature = stored.origin.as_ref().and_then(|it| it.signature.as_ref());
        let mut blobs =
            vec![(artifact.manifest, MAX_MANIFEST), (artifact.spec.digest, MAX_SPEC), (config, MAX_MANIFEST)];
        blobs.extend(signature.map(|it| (it.evidence, MAX_EVIDENCE)));
        Ok(blobs)
    }
}

/// A header with only name and size, so that the same store gives the same bytes.
fn append(archive: &mut Builder<impl Write>, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_size(u64::try_from(bytes.len())?);
    archive.append_data(&mut header, name, bytes).map_err(unwritten)
}

fn unwritten(err: std::io::Error) -> anyhow::Error {
    anyhow::Error::from(err).context("writing the archive")
}

impl Archive {
    /// The images that have artifacts in a store's archive.
    ///
    /// # Errors
    ///
    /// If it is the archive of something else.
    pub fn subjects(&self) -> anyhow::Result<Vec<Digest>> {
        let mut subjects = Vec::new();
        for name in self.names(SUBJECTS) {
            let subject = Digest::from_hex(name);
            subjects.push(subject.with_context(|| {
                format!("archive {}: {SUBJECTS}/{name:?} is named after no digest", self.path().display())
            })?);
        }
        if subjects.is_empty() && self.read(LAYOUT_FILE, 1 << 10)?.is_none() {
            bail!(
                "{} is not the archive of a store: make one with oci-compat store export",
                self.path().display()
            );
        }
        Ok(subjects)
    }

    /// The artifacts of an image, every blob verified.
    ///
    /// # Errors
    ///
    /// If one is damaged, missing, or about another image.
    pub fn artifacts(&self, subject: &Digest) -> anyhow::Result<Vec<Incoming>> {
        let path = format!("{SUBJECTS}/{}", subject.hex());
        let bytes = self.read(&path, MAX_LISTING)?.with_context(|| self.lacks(&path))?;
        let list = listing::parse(&bytes, subject)
            .map_err(|it| anyhow!("{} {it}", self.path().join(&path).display()))?;
        list.stored.into_iter().map(|it| self.incoming(subject, it)).collect()
    }

    fn incoming(
        &self,
        subject: &Digest,
        StoredArtifact { artifact, origin }: StoredArtifact,
    ) -> anyhow::Result<Incoming> {
        let manifest = self.blob(&artifact.manifest, MAX_MANIFEST)?;
        let document =
            StoredManifest::parse(&manifest).map_err(|it| anyhow!("artifact {} {it}", artifact.manifest))?;
        let config = self.blob(&document.config.digest.parse()?, MAX_MANIFEST)?;
        let spec = self.blob(&artifact.spec.digest, MAX_SPEC)?;
        let signature = origin.as_ref().and_then(|it| it.signature.as_ref());
        let evidence = signature.map(|it| self.blob(&it.evidence, MAX_EVIDENCE)).transpose()?;
        let package = Package { manifest, config, spec, created: artifact.created.clone() };
        let own = package.artifact(subject)?;
        ensure!(
            own == artifact,
            "archive {}: the list of {subject} tells of artifact {} something else than its manifest",
            self.path().display(),
            artifact.manifest
        );
        Ok(Incoming { subject: *subject, package, origin, evidence })
    }

    fn blob(&self, digest: &Digest, most: u64) -> anyhow::Result<Vec<u8>> {
        let path = blob_path(digest);
        let bytes = self.read(&path, most)?.with_context(|| self.lacks(&path))?;
        super::blob::verify_digest(&bytes, digest)
            .map_err(|it| anyhow!("{} {it}: export the store anew", self.path().join(&path).display()))?;
        Ok(bytes)
    }

    fn lacks(&self, name: &str) -> String {
        format!("archive {} lacks {name}: export the store anew", self.path().display())
    }
}
