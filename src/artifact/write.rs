//! Adds artifacts to the store, one writer at a time. Never changes what a reader is reading: every file appears whole, and
//! the list by which a look-up finds an artifact appears last.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use anyhow::{Context, anyhow, bail, ensure};
use nix::errno::Errno;
use nix::fcntl::{self, Flock, FlockArg, OFlag};
use nix::sys::stat::Mode;
use oci_spec::image::{ImageIndex, ImageIndexBuilder, MediaType, OciLayout, SCHEMA_VERSION};

use super::build::descriptor;
use super::compiled::{self, Form, MAX_BODY};
use super::durable::{self, Put};
use super::folder::Folder;
use super::manifest::{CREATED, IMAGE_MANIFEST};
use super::store::compiled_path;
use super::trouble::reason;
use super::{
    Artifact, BLOBS, COMPILED, Digest, MAX_COMPILED, MAX_LISTING, Package, SUBJECTS, Store, listing,
};

const LAYOUT_FILE: &str = "oci-layout";
const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
const INDEX_FILE: &str = "index.json";
/// No `index.json` of a store is larger, in bytes: room for some 40,000 artifacts.
const MAX_INDEX: u64 = 16 << 20;
const LOCK_FILE: &str = ".lock";

/// The store with its lock held: no other writer is at work until this is dropped.
#[derive(Debug)]
pub struct Writer {
    folder: Folder,
    serial: u32,
    _lock: Flock<File>,
}

/// An artifact to be stored for an image.
#[derive(Debug)]
pub struct Addition {
    /// The digest of the image's manifest or index; it has to be the manifest's own subject, if that names one.
    pub subject: Digest,
    /// The artifact's blobs.
    pub package: Package,
    /// The spec in a form that loads faster, if the caller has one.
    pub compiled: Option<Compiled>,
}

/// The compiled form of a spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// Which version of the program can load it.
    pub format: u32,
    /// The form itself, which nobody here looks into.
    pub body: Vec<u8>,
}

/// What came of an addition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The artifact as look-ups find it now.
    pub artifact: Artifact,
    /// Whether anything had to be written.
    pub changed: bool,
}

/// What came of compiling all specs anew.
#[derive(Debug)]
pub struct Recompiled {
    /// How many compiled forms were written.
    pub written: usize,
    /// The specs that could not be compiled, or that the store could not give; they are read as they are.
    pub failed: Vec<(Digest, anyhow::Error)>,
}

impl Writer {
    /// Opens the store in this folder, makes it where there is none, and waits until no other writer is at work.
    ///
    /// # Errors
    ///
    /// If the folder holds something else than a store, could have been written by somebody other than root and this
    /// user, or cannot be written.
    pub fn open(dir: &Path) -> anyhow::Result<Self> {
        durable::make_store(dir)?;
        let folder = Folder::open(dir)?.with_context(|| format!("{} is gone: try again", dir.display()))?;
        refuse_foreign(&folder)?;
        let lock = lock(&folder)?;
        durable::sweep(&folder)?;
        let mut writer = Self { folder, serial: 0, _lock: lock };
        writer.lay_out()?;
        Ok(writer)
    }

    /// Stores an artifact, so that look-ups by its subject find it. Adding it once more changes nothing, save that it
    /// mends what is damaged.
    ///
    /// # Errors
    ///
    /// If the blobs do not belong together, or cannot be written. Look-ups then find what they found before.
    pub fn add(&mut self, addition: &Addition) -> anyhow::Result<Added> {
        let artifact = addition.package.artifact(&addition.subject)?;
        let puts = self.plan(addition, &artifact)?;
        for put in &puts {
            self.put(put)?;
        }
        Ok(Added { artifact, changed: !puts.is_empty() })
    }

    /// Compiles every spec of the store whose compiled form is missing, broken, or not in this format. `compile` gets
    /// media type and bytes.
    ///
    /// # Errors
    ///
    /// If the store's index cannot be read, or the store cannot be written. A spec that fails is in the result.
    pub fn recompile(
        &mut self,
        format: u32,
        mut compile: impl FnMut(&str, &[u8]) -> anyhow::Result<Vec<u8>>,
    ) -> anyhow::Result<Recompiled> {
        let store = self.reader()?;
        let mut result = Recompiled { written: 0, failed: Vec::new() };
        for entry in self.index()?.manifests() {
            let manifest: Digest = entry.digest().as_ref().parse()?;
            let put = store
                .by_manifest(&manifest)
                .map_err(anyhow::Error::from)
                .and_then(|it| {
                    it.with_context(|| format!("artifact {manifest} is not in the store: add it again"))
                })
                .and_then(|it| self.compiled_anew(&store, &it, format, &mut compile));
            match put {
                Ok(None) => {}
                Ok(Some(put)) => {
                    self.put(&put)?;
                    result.written += 1;
                }
                Err(err) => result.failed.push((manifest, err)),
            }
        }
        Ok(result)
    }

    /// The files that have to be written, in an order in which any first few of them leave every look-up as it was.
    pub(super) fn plan(&self, addition: &Addition, artifact: &Artifact) -> anyhow::Result<Vec<Put>> {
        let Package { manifest, config, spec, created: _ } = &addition.package;
        let mut puts: Vec<Put> = [config, spec, manifest].map(|it| blob(it)).into();
        if let Some(compiled) = &addition.compiled {
            puts.push(compiled_put(&artifact.spec.digest, compiled)?);
        }
        puts.retain(|it| !self.is_there(it));
        puts.extend(self.indexed(artifact, manifest)?);
        puts.extend(self.listed(artifact)?);
        Ok(puts)
    }

    /// Whether a reader would find just this content; what is damaged or exposed is not there.
    fn is_there(&self, put: &Put) -> bool {
        let most = u64::try_from(put.bytes.len()).unwrap_or(u64::MAX);
        match self.folder.read(&put.path(), most) {
            Ok(found) => found.as_ref() == Some(&put.bytes),
            Err(trouble) => {
                log::debug!("writing anew: {trouble}");
                false
            }
        }
    }

    /// `index.json` with this artifact, unless it is in there.
    fn indexed(&self, artifact: &Artifact, manifest: &[u8]) -> anyhow::Result<Option<Put>> {
        let mut index = self.index()?;
        let mut entry = descriptor(IMAGE_MANIFEST, &artifact.manifest, u64::try_from(manifest.len())?)?;
        if index.manifests().iter().any(|it| it.digest() == entry.digest()) {
            return Ok(None);
        }
        entry.set_artifact_type(Some(MediaType::from(artifact.artifact_type.as_str())));
        let created = artifact.created.clone().map(|it| HashMap::from([(CREATED.to_owned(), it)]));
        entry.set_annotations(created);
        let mut manifests = index.manifests().clone();
        manifests.push(entry);
        index.set_manifests(manifests);
        index_put(&index).map(Some)
    }

    /// The list of the artifact's subject with this artifact, unless it is in there just so.
    fn listed(&self, artifact: &Artifact) -> anyhow::Result<Option<Put>> {
        let subject =
            artifact.subject.with_context(|| format!("artifact {} has no subject", artifact.manifest))?;
        let mut artifacts = self.reader()?.all_artifacts(&subject)?;
        match artifacts.iter_mut().find(|it| it.manifest == artifact.manifest) {
            Some(found) if found == artifact => return Ok(None),
            Some(found) => artifact.clone_into(found),
            None => artifacts.push(artifact.clone()),
        }
        let put =
            Put { folder: SUBJECTS, name: subject.hex(), bytes: listing::compose(&subject, artifacts)? };
        fits(&put, MAX_LISTING)?;
        Ok(Some(put))
    }

    fn compiled_anew(
        &self,
        store: &Store,
        artifact: &Artifact,
        format: u32,
        compile: &mut impl FnMut(&str, &[u8]) -> anyhow::Result<Vec<u8>>,
    ) -> anyhow::Result<Option<Put>> {
        let spec = &artifact.spec.digest;
        if let Ok(Some(bytes)) = self.folder.read(&compiled_path(spec), MAX_COMPILED)
            && let Form::Body(_) = compiled::parse(bytes, spec, format)
        {
            return Ok(None); // Whatever else was found is replaced, also what could not be read.
        }
        let body = compile(&artifact.spec.media_type, &store.source(artifact)?)?;
        compiled_put(spec, &Compiled { format, body }).map(Some)
    }

    fn reader(&self) -> anyhow::Result<Store> {
        let path = self.folder.path();
        Store::open(path)?.with_context(|| format!("{} is gone: add the artifact again", path.display()))
    }

    fn index(&self) -> anyhow::Result<ImageIndex> {
        let path = self.folder.full(INDEX_FILE);
        let bytes = self.folder.read(INDEX_FILE, MAX_INDEX)?;
        let bytes =
            bytes.with_context(|| format!("{} is not there: add the artifact again", path.display()))?;
        serde_json::from_slice(&bytes)
            .map_err(|err| anyhow!("{} is not an OCI index ({err})", path.display()))
    }

    /// The two files that make a folder an OCI image layout.
    fn lay_out(&mut self) -> anyhow::Result<()> {
        match self.folder.read(LAYOUT_FILE, 1 << 10)? {
            Some(bytes) => check_version(&bytes, &self.folder.full(LAYOUT_FILE))?,
            None => {
                self.put(&Put { folder: ".", name: LAYOUT_FILE.to_owned(), bytes: LAYOUT.to_vec() })?;
            }
        }
        if self.folder.read(INDEX_FILE, MAX_INDEX)?.is_none() {
            let empty = ImageIndexBuilder::default()
                .schema_version(SCHEMA_VERSION)
                .media_type(MediaType::ImageIndex)
                .manifests([])
                .build()
                .context("making an index")?;
            self.put(&index_put(&empty)?)?;
        }
        Ok(())
    }

    pub(super) fn put(&mut self, put: &Put) -> anyhow::Result<()> {
        self.serial += 1;
        durable::put(&self.folder, put, self.serial)
    }
}

fn blob(bytes: &[u8]) -> Put {
    Put { folder: BLOBS, name: Digest::of(bytes).hex(), bytes: bytes.to_vec() }
}

fn compiled_put(spec: &Digest, compiled: &Compiled) -> anyhow::Result<Put> {
    let found = compiled.body.len();
    if u64::try_from(found)? > MAX_BODY {
        bail!("the compiled form of spec {spec} has {found} bytes, at most {MAX_BODY} are read");
    }
    let bytes = compiled::compose(spec, compiled.format, &compiled.body)?;
    Ok(Put { folder: COMPILED, name: spec.hex(), bytes })
}

fn index_put(index: &ImageIndex) -> anyhow::Result<Put> {
    let mut bytes = serde_json::to_vec(index)?;
    bytes.push(b'\n');
    let put = Put { folder: ".", name: INDEX_FILE.to_owned(), bytes };
    fits(&put, MAX_INDEX)?;
    Ok(put)
}

/// What could not be read back is not written.
fn fits(put: &Put, most: u64) -> anyhow::Result<()> {
    let size = put.bytes.len();
    ensure!(u64::try_from(size)? <= most, "{} would have {size} bytes, at most {most} are read", put.path());
    Ok(())
}

fn check_version(bytes: &[u8], path: &Path) -> anyhow::Result<()> {
    let layout: OciLayout = serde_json::from_slice(bytes)
        .map_err(|err| anyhow!("{} is not an OCI layout's ({err}): remove it", path.display()))?;
    let version = layout.image_layout_version();
    ensure!(version == "1.0.0", "{} has version {version:?}, expected \"1.0.0\"", path.display());
    Ok(())
}

/// Nobody wants `oci-compat --store /etc` to start a store among other things.
#[expect(clippy::disallowed_methods, reason = "the store's own folder, which an administrator named")]
fn refuse_foreign(folder: &Folder) -> anyhow::Result<()> {
    let path = folder.path();
    if folder.read(LAYOUT_FILE, 1 << 10)?.is_some() {
        return Ok(());
    }
    let wrong = |err: std::io::Error| anyhow!("{} {}", path.display(), super::trouble::io_reason(&err));
    for entry in std::fs::read_dir(path).map_err(wrong)? {
        let name = entry.map_err(wrong)?.file_name();
        ensure!(
            name.as_encoded_bytes().starts_with(b"."),
            "{} is not a store: it has {name:?} and no {LAYOUT_FILE:?}; name a new or an empty folder with --store",
            path.display()
        );
    }
    Ok(())
}

fn lock(folder: &Folder) -> anyhow::Result<Flock<File>> {
    let path = folder.full(LOCK_FILE);
    let wrong = |errno| anyhow!("{} {}", path.display(), reason(errno));
    let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let fd = fcntl::openat(folder.fd(), LOCK_FILE, flags, Mode::S_IRUSR | Mode::S_IWUSR)
        .map_err(wrong)
        .context("locking the store")?;
    match Flock::lock(File::from(fd), FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(lock),
        Err((file, Errno::EWOULDBLOCK)) => {
            log::info!("waiting for another writer of {}", folder.path().display());
            Flock::lock(file, FlockArg::LockExclusive)
                .map_err(|(_, errno)| wrong(errno))
                .context("locking the store")
        }
        Err((_, errno)) => Err(wrong(errno)).context("locking the store"),
    }
}
