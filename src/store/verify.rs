//! Reads every file of a store, and reports each that is damaged, missing, foreign, or writable by others. Repairs nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;

use super::compiled::{self, CompiledForm};
use super::durable::TEMPORARY;
use super::index::{INDEX_FILE, StoreIndex};
use super::manifest::StoredManifest;
use super::memory::IMAGES_FILE;
use super::names::{self, Names};
use super::write::{LAYOUT_FILE, LOCK_FILE};
use super::{
    BLOBS, COMPILED, Digest, MAX_COMPILED, MAX_EVIDENCE, MAX_MANIFEST, MAX_SPEC, NAMES, SUBJECTS, Store,
    StoredArtifact, Trouble, blob_path,
};

/// What a look at everything came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct VerifiedStore {
    /// How many images have artifacts.
    pub subjects: usize,
    /// How many artifacts are listed.
    pub artifacts: usize,
    /// How many blobs are whole that no list needs: `store gc` removes them.
    pub needless: usize,
    /// What a killed writer left behind, each a sentence: no look-up comes upon it, and the next writer or
    /// `store gc` takes it away.
    pub leftovers: BTreeSet<String>,
    /// Everything that is wrong, each a sentence that names the file and says what to do.
    pub flaws: BTreeSet<String>,
}

impl Store {
    /// Verifies every file of the store; `format` is the one in which compiled forms should be.
    pub fn verify(&self, format: u32) -> VerifiedStore {
        let mut look =
            StoreCheck { store: self, format, found: VerifiedStore::default(), whole: BTreeSet::new() };
        look.top();
        look.blobs();
        let listed = look.lists();
        look.index(&listed);
        look.compiled();
        look.found
    }
}

struct StoreCheck<'a> {
    store: &'a Store,
    format: u32,
    found: VerifiedStore,
    /// The blobs that are what their names say.
    whole: BTreeSet<Digest>,
}

impl StoreCheck<'_> {
    fn top(&mut self) {
        const KNOWN: [&str; 8] =
            [LAYOUT_FILE, INDEX_FILE, IMAGES_FILE, LOCK_FILE, "blobs", SUBJECTS, NAMES, COMPILED];
        for name in self.files(".") {
            if !KNOWN.iter().any(|it| it.as_bytes() == name.to_bytes()) {
                self.foreign(".", &name);
            }
        }
        for name in self.files("blobs") {
            if name.to_bytes() != b"sha256" {
                self.foreign("blobs", &name);
            }
        }
        let layout = self.note(self.store.folder.read(LAYOUT_FILE, 1 << 10)).flatten();
        if layout.is_none() && !self.store.is_empty() {
            let path = self.store.folder.full(LAYOUT_FILE);
            self.flaw(format!("{} is not there: oci-compat store gc makes it anew", path.display()));
        }
        for folder in ["blobs", BLOBS, SUBJECTS, NAMES, COMPILED] {
            let held = self.store.folder.holds(folder);
            self.note(held);
        }
    }

    fn blobs(&mut self) {
        let most = [MAX_MANIFEST, MAX_SPEC, MAX_EVIDENCE].into_iter().max().unwrap_or(MAX_MANIFEST);
        for digest in self.digests(BLOBS) {
            if self.note(self.store.blob(&digest, most)).is_some() {
                self.whole.insert(digest);
            }
        }
    }

    /// Every artifact that is in some list.
    fn lists(&mut self) -> BTreeSet<Digest> {
        let mut listed = BTreeSet::new();
        let (mut needed, mut names) = (BTreeSet::new(), Names::new());
        for subject in self.digests(SUBJECTS) {
            let stored = self.note(self.store.stored(&subject)).unwrap_or_default();
            self.found.subjects += 1;
            // One that several repositories have is listed once for each.
            let own: BTreeSet<_> = stored.iter().map(|it| it.artifact.manifest).collect();
            self.found.artifacts += own.len();
            names::note(&mut names, &subject, &stored);
            for it in stored {
                listed.insert(it.artifact.manifest);
                needed.extend(self.artifact(&it));
            }
        }
        self.found.needless = self.whole.difference(&needed).count();
        self.names_lead_to(names);
        listed
    }

    /// Whether every name that some list has leads there; one that leads nowhere does no harm.
    fn names_lead_to(&mut self, names: Names) {
        self.digests(NAMES);
        for (name, images) in names {
            let Some(found) = self.note(self.store.named(&name)) else { continue };
            if !images.iter().all(|it| found.iter().any(|found| found.digest == it.digest)) {
                let path = self.store.folder.full(&format!("{NAMES}/{}", names::file_of(&name)));
                let told = "does not lead to all images of the name";
                self.flaw(format!("{} {told} {name:?}: oci-compat store gc makes it anew", path.display()));
            }
        }
    }

    /// Holds what a list says of an artifact against the artifact's own manifest; the blobs that it needs.
    fn artifact(&mut self, stored: &StoredArtifact) -> Vec<Digest> {
        let artifact = &stored.artifact;
        let evidence = stored.origin.as_ref().and_then(|it| it.signature.as_ref()).map(|it| it.evidence);
        let mut needed: Vec<_> =
            [artifact.manifest, artifact.spec.digest].into_iter().chain(evidence).collect();
        if let Some(config) = self.compared_with_manifest(stored) {
            needed.push(config);
        }
        for digest in &needed {
            if !self.whole.contains(digest) && !self.is_there(digest) {
                let reason = format!("is not there, artifact {} needs it", artifact.manifest);
                let missing = self.store.folder.damaged(&blob_path(digest), reason);
                self.flaw(missing.to_string());
            }
        }
        needed
    }

    /// The digest of the configuration, if the manifest could be read.
    fn compared_with_manifest(&mut self, stored: &StoredArtifact) -> Option<Digest> {
        let artifact = &stored.artifact;
        if !self.whole.contains(&artifact.manifest) {
            return None; // Told already.
        }
        let bytes = self.note(self.store.blob(&artifact.manifest, MAX_MANIFEST))?;
        let document = StoredManifest::parse(&bytes)
            .map_err(|reason| Trouble::Unfit { artifact: artifact.manifest, reason });
        let document = self.note(document)?;
        let config = document.config.digest.parse().ok();
        let own = self.note(document.into_artifact(artifact.manifest))?;
        let subject = own.subject.or(artifact.subject);
        if (subject, &own.spec, &own.artifact_type)
            != (artifact.subject, &artifact.spec, &artifact.artifact_type)
        {
            let subject = artifact.subject.map_or_else(String::new, |it| it.hex());
            let path = format!("{SUBJECTS}/{subject}");
            let reason = format!("tells of artifact {} something else than its manifest", artifact.manifest);
            self.flaw(self.store.folder.damaged(&path, reason).to_string());
        }
        config
    }

    /// A broken blob was already reported.
    fn is_there(&self, digest: &Digest) -> bool {
        self.store.folder.size(&blob_path(digest)).is_ok()
    }

    fn index(&mut self, listed: &BTreeSet<Digest>) {
        let index = match StoreIndex::look_up(&self.store.folder) {
            Ok(Some(index)) => index,
            Ok(None) if listed.is_empty() => return, // A writer was killed before it had begun.
            Ok(None) => {
                let path = self.store.folder.full(INDEX_FILE);
                return self
                    .flaw(format!("{} is not there: oci-compat store gc makes it anew", path.display()));
            }
            Err(err) => return self.flaw(format!("{err:#}")),
        };
        let mut indexed: BTreeMap<&str, bool> = index.digests().map(|it| (it, false)).collect();
        for digest in listed {
            match indexed.get_mut(digest.to_string().as_str()) {
                Some(is_listed) => *is_listed = true,
                None => self.flaw(format!(
                    "{} lacks artifact {digest}: oci-compat store gc adds it",
                    self.store.folder.full(INDEX_FILE).display()
                )),
            }
        }
        for (digest, _) in indexed.into_iter().filter(|(_, is_listed)| !is_listed) {
            self.found.leftovers.insert(format!(
                "{} has artifact {digest:?}, which belongs to no image: oci-compat store gc takes it out",
                self.store.folder.full(INDEX_FILE).display()
            ));
        }
    }

    fn compiled(&mut self) {
        for digest in self.digests(COMPILED) {
            let path = format!("{COMPILED}/{}", digest.hex());
            let Some(bytes) = self.note(self.store.folder.read(&path, MAX_COMPILED)).flatten() else {
                continue;
            };
            match compiled::parse(bytes, &digest, self.format) {
                CompiledForm::Body(_) => {}
                CompiledForm::OtherFormat(other) => self.flaw(format!(
                    "{} is compiled in format {other}, this program reads {}: oci-compat store recompile",
                    self.store.folder.full(&path).display(),
                    self.format
                )),
                CompiledForm::Torn(reason) => self.flaw(format!(
                    "{} {reason}: oci-compat store recompile",
                    self.store.folder.full(&path).display()
                )),
            }
        }
    }

    /// The digests that name files in a folder; anything else there is foreign.
    fn digests(&mut self, folder: &str) -> Vec<Digest> {
        let mut digests = Vec::new();
        for name in self.files(folder) {
            match name.to_str().ok().and_then(Digest::from_hex) {
                Some(digest) => digests.push(digest),
                None => self.foreign(folder, &name),
            }
        }
        digests
    }

    fn files(&mut self, folder: &str) -> Vec<std::ffi::CString> {
        self.note(self.store.folder.names(folder)).unwrap_or_default()
    }

    fn foreign(&mut self, folder: &str, name: &CStr) {
        let place = self.store.folder.full(folder);
        let path = if folder == "." { self.store.folder.path() } else { place.as_path() };
        let path = format!("{}/{}", path.display(), name.to_string_lossy());
        match name.to_bytes().starts_with(TEMPORARY.as_bytes()) {
            true => {
                self.found.leftovers.insert(format!(
                    "{path} is unfinished: unless a writer is at work, the next one removes it"
                ));
            }
            false => self.flaw(format!("{path} is no file of a store: move it elsewhere")),
        }
    }

    fn note<T>(&mut self, result: Result<T, Trouble>) -> Option<T> {
        result.map_err(|trouble| self.flaw(trouble.to_string())).ok()
    }

    fn flaw(&mut self, sentence: String) {
        self.found.flaws.insert(sentence);
    }
}
