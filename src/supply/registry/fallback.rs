//! The index under the fallback tag, which clients maintain if the registry does not list referrers itself (distribution-spec
//! 1.1, "Pushing manifests with subject"). Registries have no locks: the index is read again after writing, and written again
//! if another writer came in between. Entries of others stay as they are.

use serde_json::{Map, Value, json};
use ureq::http::{Method, header};

use crate::image::Repository;
use crate::store::Digest;

use super::MAX_MANIFEST;
use super::client::{Client, RegistryRequest};
use super::descriptor::{Descriptor, IMAGE_INDEX};
use super::endpoint::{Endpoint, RepositoryAccess};
use super::error::{RegistryError, RegistryProblem};
use super::manifests::verified;
use super::referrers::fallback_tag;

/// How often a change is tried against others who change the same index.
const TRIES: u32 = 8;

/// What is done to the list.
#[derive(Debug, Clone, Copy)]
enum Change<'a> {
    Add(&'a Descriptor),
    Remove(&'a Digest),
}

/// The index as it is, and how to say which version that was.
struct Current {
    fields: Map<String, Value>,
    manifests: Vec<Value>,
    etag: Option<String>,
}

impl Client {
    /// Lists a manifest in the fallback index of its subject, unless it is listed already. `referrer` has to carry the
    /// manifest's `artifactType` and annotations, because that is what readers choose by.
    ///
    /// Most registries take the last of several writers at their word. Therefore each reads again, after a pause in which
    /// others may finish, what has become of its own, and writes it anew if it is gone. Where a registry offers an `ETag`, it
    /// refuses the later one itself. Threads of one process wait for each other.
    ///
    /// # Errors
    ///
    /// [`RegistryProblem::Contended`] if others kept changing the index.
    pub fn add_to_fallback(
        &self,
        repository: &Repository,
        subject: &Digest,
        referrer: &Descriptor,
    ) -> Result<(), RegistryError> {
        self.change(repository, subject, Change::Add(referrer))
    }

    /// Takes a manifest off the fallback index of its subject. An index that is not there has nothing to take off.
    ///
    /// # Errors
    ///
    /// [`RegistryProblem::Contended`] if others kept changing the index.
    pub fn remove_from_fallback(
        &self,
        repository: &Repository,
        subject: &Digest,
        referrer: &Digest,
    ) -> Result<(), RegistryError> {
        self.change(repository, subject, Change::Remove(referrer))
    }

    fn change(
        &self,
        repository: &Repository,
        subject: &Digest,
        change: Change<'_>,
    ) -> Result<(), RegistryError> {
        let tag = fallback_tag(subject);
        let attempt = || {
            let _alone = self.writing();
            let home = self.home(repository)?;
            for round in 0..TRIES {
                let mut current = self.current(&home, &tag)?;
                if !change.apply(&mut current.manifests)? {
                    return Ok(());
                }
                self.write(&home, &tag, current)?;
                // Another writer may have read before we wrote, and writes now. What has stayed is seen in the next round.
                self.pause(round, change.digest());
            }
            let mut current = self.current(&home, &tag)?;
            match change.apply(&mut current.manifests)? {
                false => Ok(()),
                true => Err(RegistryProblem::Contended { tries: TRIES }),
            }
        };
        attempt().map_err(|problem| {
            RegistryError::at(
                repository,
                format!("changing the list of referrers {repository}:{tag}"),
                problem,
            )
        })
    }

    fn current(&self, home: &Endpoint, tag: &str) -> Result<Current, RegistryProblem> {
        let answer = match self.document_at(home, tag) {
            Ok(answer) => answer,
            Err(RegistryProblem::Absent { .. }) => {
                return Ok(Current { fields: Map::new(), manifests: Vec::new(), etag: None });
            }
            Err(problem) => return Err(problem),
        };
        let etag = answer.header("etag").map(str::to_owned);
        let found = verified(answer, None)?;
        if found.media_type != IMAGE_INDEX {
            return Err(RegistryProblem::OtherType {
                announced: IMAGE_INDEX.to_owned(),
                found: found.media_type,
            });
        }
        let malformed = || RegistryProblem::Malformed("the list is no image index".to_owned());
        let mut fields: Map<String, Value> = serde_json::from_slice(&found.bytes).map_err(|_| malformed())?;
        match fields.remove("manifests") {
            Some(Value::Array(manifests)) => Ok(Current { fields, manifests, etag }),
            _ => Err(malformed()),
        }
    }

    fn write(&self, home: &Endpoint, tag: &str, current: Current) -> Result<(), RegistryProblem> {
        let Current { mut fields, manifests, etag } = current;
        let is_new = fields.is_empty();
        fields.insert("schemaVersion".to_owned(), json!(2));
        fields.insert("mediaType".to_owned(), json!(IMAGE_INDEX));
        fields.insert("manifests".to_owned(), Value::Array(manifests));
        let bytes = Value::Object(fields).to_string();
        if u64::try_from(bytes.len()).is_ok_and(|it| it > MAX_MANIFEST) {
            return Err(RegistryProblem::TooLarge { limit: MAX_MANIFEST });
        }
        let mut wanted = RegistryRequest::get(home, &format!("manifests/{tag}"), MAX_MANIFEST)
            .sending(Method::PUT, RepositoryAccess::Push, Some(bytes.as_bytes()))
            .with(header::CONTENT_TYPE, IMAGE_INDEX);
        wanted = match etag {
            Some(etag) => wanted.with(header::IF_MATCH, etag),
            None if is_new => wanted.with(header::IF_NONE_MATCH, "*"),
            None => wanted,
        };
        match self.ask(home, wanted) {
            // Precondition Failed, or Conflict: another writer was faster, so the next round reads again.
            Ok(_) | Err(RegistryProblem::Refused { status: 409 | 412, .. }) => Ok(()),
            Err(problem) => Err(problem),
        }
    }
}

impl Change<'_> {
    fn digest(&self) -> &Digest {
        match self {
            Self::Add(referrer) => &referrer.digest,
            Self::Remove(digest) => digest,
        }
    }

    /// Changes the list; `false` if it was so already.
    fn apply(self, manifests: &mut Vec<Value>) -> Result<bool, RegistryProblem> {
        let digest = self.digest().to_string();
        let is_it = |it: &Value| it.get("digest").and_then(Value::as_str) == Some(&digest);
        let before = manifests.len();
        match self {
            Self::Add(_) if manifests.iter().any(is_it) => return Ok(false),
            Self::Add(referrer) => {
                let entry = serde_json::to_value(referrer)
                    .map_err(|err| RegistryProblem::Malformed(err.to_string()))?;
                manifests.push(entry);
            }
            Self::Remove(_) => manifests.retain(|it| !is_it(it)),
        }
        Ok(manifests.len() != before)
    }
}
