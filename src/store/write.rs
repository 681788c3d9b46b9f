//! Adds artifacts to the store, one writer at a time. Never changes what a reader is reading: every file appears whole, and
//! the list by which a look-up finds an artifact appears last.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use anyhow::{Context, anyhow, bail, ensure};
use nix::errno::Errno;
use nix::fcntl::{self, Flock, FlockArg, OFlag};
use nix::sys::stat::Mode;
use oci_spec::image::OciLayout;

use super::compiled::{self, CompiledForm, MAX_BODY};
use super::durable::{self, Put};
use super::folder::StoreFolder;
use super::index::{INDEX_FILE, StoreIndex};
use super::listing::{self, ImageListing};
use super::lookup::compiled_path;
use super::manifest::json_reason;
use super::names::{self, Names};
use super::trouble::reason;
use super::{
    Artifact, ArtifactOrigin, BLOBS, COMPILED, Digest, MAX_COMPILED, MAX_EVIDENCE, MAX_LISTING, Package,
    SUBJECTS, Store, StoredArtifact,
};

pub(super) const LAYOUT_FILE: &str = "oci-layout";
pub(super) const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
pub(super) const LOCK_FILE: &str = ".lock";

/// The store with its lock held: no other writer is at work until this is dropped.
#[derive(Debug)]
pub struct Writer {
    pub(super) folder: StoreFolder,
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
    /// Where it came from, if it was fetched.
    pub origin: Option<ArtifactOrigin>,
    /// What the signature of `origin` was verified with.
    pub evidence: Option<Vec<u8>>,
}

impl Addition {
    /// An addition of an artifact that did not come from a registry.
    pub fn of_file(subject: Digest, package: Package, compiled: Option<Compiled>) -> Self {
        Self { subject, package, compiled, origin: None, evidence: None }
    }
}

/// The compiled form of a spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// Which version of the program can load it.
    pub format: u32,
    /// The form itself; its content does not matter here.
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

/// The result of compiling all specs again.
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
        let folder =
            StoreFolder::open(dir)?.with_context(|| format!("{} is gone: try again", dir.display()))?;
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
        let mut added = self.add_all(std::slice::from_ref(addition))?;
        added.pop().context("nothing was added")
    }

    /// As [`Writer::add`], for many at once: all the files of one kind are synced together.
    ///
    /// # Errors
    ///
    /// As [`Writer::add`]; some of them may be stored then, each of them whole.
    pub fn add_all(&mut self, additions: &[Addition]) -> anyhow::Result<Vec<Added>> {
        let Plan { stages, added } = self.plan(additions)?;
        for puts in &stages {
            self.put_all(puts)?;
        }
        Ok(added)
    }

    /// Notes that these images were pulled from a repository whose images must have a signed spec.
    ///
    /// # Errors
    ///
    /// If an image's list cannot be read, or the store cannot be written.
    pub fn demand(&mut self, images: &[(Digest, String)]) -> anyhow::Result<()> {
        let store = self.reader()?;
        let mut lists = BTreeMap::new();
        for (subject, repository) in images {
            if !lists.contains_key(subject) {
                lists.insert(*subject, store.list(subject)?);
            }
            if let Some(list) = lists.get_mut(subject)
                && !list.demanding.contains(repository)
            {
                list.demanding.push(repository.clone());
            }
        }
        let mut puts = Vec::new();
        for (subject, list) in &lists {
            puts.push(listing_put(subject, list)?);
        }
        self.put_all(&puts)
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
        for manifest in self.index()?.digests() {
            let manifest: Digest = manifest.parse()?;
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
    pub(super) fn plan(&self, additions: &[Addition]) -> anyhow::Result<Plan> {
        let (mut blobs, mut seen, mut added) = (Vec::new(), BTreeSet::new(), Vec::new());
        let mut lists = BTreeMap::<_, Vec<_>>::new();
        for addition in additions {
            let artifact = addition.package.artifact(&addition.subject)?;
            let mut puts = parts(addition, &artifact)?;
            puts.retain(|it| !self.is_there(it));
            added.push(Added { artifact: artifact.clone(), changed: !puts.is_empty() });
            blobs.extend(puts.into_iter().filter(|it| seen.insert(it.path())));
            lists
                .entry(addition.subject)
                .or_default()
                .push(StoredArtifact { artifact, origin: addition.origin.clone() });
        }
        let (index, mut fresh) = self.indexed(additions, &added)?;
        let (mut listings, mut names) = (Vec::new(), Names::new());
        for (subject, stored) in lists {
            names::note(&mut names, &subject, &stored);
            listings.extend(self.listed(&subject, stored, &mut fresh)?);
        }
        for it in &mut added {
            it.changed |= fresh.contains(&it.artifact.manifest);
        }
        let names = self.named(names)?;
        Ok(Plan { stages: [blobs, index.into_iter().collect(), names, listings], added })
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

    /// `index.json` with these artifacts, unless all are in there, and those that were not.
    fn indexed(
        &self,
        additions: &[Addition],
        added: &[Added],
    ) -> anyhow::Result<(Option<Put>, BTreeSet<Digest>)> {
        let mut index = self.index()?;
        let mut fresh = BTreeSet::new();
        for (Addition { package, .. }, Added { artifact, .. }) in additions.iter().zip(added) {
            if index.add(artifact, u64::try_from(package.manifest.len())?)? {
                fresh.insert(artifact.manifest);
            }
        }
        let put = if fresh.is_empty() { None } else { Some(index.put()?) };
        Ok((put, fresh))
    }

    /// The list of a subject with these artifacts, unless they are in there just so; `fresh` gets those that were not.
    fn listed(
        &self,
        subject: &Digest,
        additions: Vec<StoredArtifact>,
        fresh: &mut BTreeSet<Digest>,
    ) -> anyhow::Result<Option<Put>> {
        let mut list = self.reader()?.list(subject)?;
        let before = list.clone();
        for addition in additions {
            let manifest = addition.artifact.manifest;
            let same = |it: &&mut StoredArtifact| {
                it.artifact.manifest == manifest && it.source() == addition.source()
            };
            match list.stored.iter_mut().find(same) {
                None => {
                    fresh.insert(manifest);
                    list.stored.push(addition);
                }
                Some(found) => {
                    let old = found.clone();
                    found.update(addition);
                    if *found != old {
                        fresh.insert(manifest);
                    }
                }
            }
        }
        if list == before {
            return Ok(None);
        }
        listing_put(subject, &list).map(Some)
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
            && let CompiledForm::Body(_) = compiled::parse(bytes, spec, format)
        {
            return Ok(None); // Whatever else was found is replaced, also what could not be read.
        }
        let body = compile(&artifact.spec.media_type, &store.source(artifact)?)?;
        compiled_put(spec, &Compiled { format, body }).map(Some)
    }

    pub(super) fn reader(&self) -> anyhow::Result<Store> {
        let path = self.folder.path();
        Store::open(path)?.with_context(|| format!("{} is gone: add the artifact again", path.display()))
    }

    pub(super) fn index(&self) -> anyhow::Result<StoreIndex> {
        StoreIndex::read(&self.folder)?.with_context(|| {
            format!("{} is not there: add the artifact again", self.folder.full(INDEX_FILE).display())
        })
    }

    /// The two files that make a folder an OCI image layout.
    fn lay_out(&mut self) -> anyhow::Result<()> {
        match self.folder.read(LAYOUT_FILE, 1 << 10)? {
            Some(bytes) => check_version(&bytes, &self.folder.full(LAYOUT_FILE))?,
            None => {
                self.put(&Put { folder: ".", name: LAYOUT_FILE.to_owned(), bytes: LAYOUT.to_vec() })?;
            }
        }
        if StoreIndex::read(&self.folder)?.is_none() {
            self.put(&StoreIndex::empty()?.put()?)?;
        }
        Ok(())
    }

    pub(super) fn put_all(&mut self, puts: &[Put]) -> anyhow::Result<()> {
        durable::put_all(&self.folder, puts, &mut self.serial)
    }

    pub(super) fn put(&mut self, put: &Put) -> anyhow::Result<()> {
        self.put_all(std::slice::from_ref(put))
    }
}

/// What an addition comes to.
pub(super) struct Plan {
    /// Blobs, then the index, then the names, then the lists: each needs only what comes before, and a name that leads to no
    /// list leads to nothing.
    pub(super) stages: [Vec<Put>; 4],
    added: Vec<Added>,
}

/// The files of an addition that are stored under their own digests.
fn parts(addition: &Addition, artifact: &Artifact) -> anyhow::Result<Vec<Put>> {
    let Package { manifest, config, spec, created: _ } = &addition.package;
    let mut puts: Vec<Put> = [config, spec, manifest].map(|it| blob(it)).into();
    if let Some(compiled) = &addition.compiled {
        puts.push(compiled_put(&artifact.spec.digest, compiled)?);
    }
    let signature = addition.origin.as_ref().and_then(|it| it.signature.as_ref());
    match (signature, &addition.evidence) {
        (None, None) => {}
        (Some(signature), Some(evidence)) if signature.evidence == Digest::of(evidence) => {
            let put = blob(evidence);
            put.fits(MAX_EVIDENCE)?;
            puts.push(put);
        }
        _ => bail!("the signature of artifact {} came without what it was verified with", artifact.manifest),
    }
    Ok(puts)
}

pub(super) fn listing_put(subject: &Digest, list: &ImageListing) -> anyhow::Result<Put> {
    let put = Put { folder: SUBJECTS, name: subject.hex(), bytes: listing::compose(subject, list)? };
    put.fits(MAX_LISTING)?;
    Ok(put)
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

fn check_version(bytes: &[u8], path: &Path) -> anyhow::Result<()> {
    let layout: OciLayout = serde_json::from_slice(bytes).map_err(|err| {
        anyhow!("{} is not an OCI layout's ({}): remove it", path.display(), json_reason(&err))
    })?;
    let version = layout.image_layout_version();
    ensure!(version == "1.0.0", "{} has version {version:?}, expected \"1.0.0\"", path.display());
    Ok(())
}

/// `oci-compat --store /etc` must not start a store among other files.
#[expect(clippy::disallowed_methods, reason = "the store's own folder, which an administrator named")]
fn refuse_foreign(folder: &StoreFolder) -> anyhow::Result<()> {
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

fn lock(folder: &StoreFolder) -> anyhow::Result<Flock<File>> {
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
