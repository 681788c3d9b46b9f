//! Blobs: read and compared with their descriptor, and pushed in one piece.

use ureq::http::{Method, header};

use crate::image::Repository;
use crate::store::Digest;

use super::MAX_MANIFEST;
use super::client::{Client, RegistryRequest};
use super::descriptor::Descriptor;
use super::endpoint::{Endpoint, RepositoryAccess, TagOrDigest};
use super::error::{RegistryError, RegistryProblem};
use super::transport::{Stream, misdirected};

impl Client {
    /// The bytes of a descriptor, compared with its size and digest. At most `limit` bytes are read.
    ///
    /// # Errors
    ///
    /// [`RegistryProblem::TooLarge`], [`RegistryProblem::TooSmall`] and [`RegistryProblem::OtherDigest`] tell apart how the bytes differ from their
    /// descriptor.
    pub fn blob(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        limit: u64,
    ) -> Result<Vec<u8>, RegistryError> {
        let read = || match descriptor.size > limit {
            true => Err(RegistryProblem::TooLarge { limit }),
            false => self.pull(repository, TagOrDigest::Digest, |it| self.blob_at(it, descriptor)),
        };
        let doing = || format!("reading blob {} of {repository}", descriptor.digest);
        read().map_err(|problem| RegistryError::at(repository, doing(), problem))
    }

    /// The bytes of a descriptor as they come. They are not compared with it: what reads them does that.
    ///
    /// # Errors
    ///
    /// If the registry does not begin to send them. What happens later, the reader says.
    pub fn stream(&self, repository: &Repository, descriptor: &Descriptor) -> Result<Stream, RegistryError> {
        let open = |endpoint: &Endpoint| {
            let wanted =
                RegistryRequest::get(endpoint, &format!("blobs/{}", descriptor.digest), descriptor.size);
            self.ask(endpoint, RegistryRequest { streams: true, ..wanted })
        };
        let doing = || format!("reading blob {} of {repository}", descriptor.digest);
        let answer = self.pull(repository, TagOrDigest::Digest, open);
        answer
            .and_then(|it| self.streamed(it))
            .map_err(|problem| RegistryError::at(repository, doing(), problem))
    }

    /// Pushes a blob, unless it is there already.
    ///
    /// # Errors
    ///
    /// If the registry did not take it.
    pub fn push_blob(&self, repository: &Repository, bytes: &[u8]) -> Result<Digest, RegistryError> {
        let digest = Digest::of(bytes);
        let push = || {
            let home = self.home(repository)?;
            match self.has_blob(&home, &digest)? {
                true => Ok(digest),
                false => self.upload(&home, &digest, bytes).map(|()| digest),
            }
        };
        push().map_err(|problem| {
            RegistryError::at(repository, format!("pushing blob {digest} to {repository}"), problem)
        })
    }

    fn blob_at(&self, endpoint: &Endpoint, descriptor: &Descriptor) -> Result<Vec<u8>, RegistryProblem> {
        let wanted = RegistryRequest::get(endpoint, &format!("blobs/{}", descriptor.digest), descriptor.size);
        let bytes = self.ask(endpoint, wanted)?.body;
        let found = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if found < descriptor.size {
            return Err(RegistryProblem::TooSmall { expected: descriptor.size, found });
        }
        let found = Digest::of(&bytes);
        match found == descriptor.digest {
            true => Ok(bytes),
            false => Err(RegistryProblem::OtherDigest { expected: descriptor.digest, found }),
        }
    }

    fn has_blob(&self, endpoint: &Endpoint, digest: &Digest) -> Result<bool, RegistryProblem> {
        let wanted = RegistryRequest::get(endpoint, &format!("blobs/{digest}"), 0).sending(
            Method::HEAD,
            RepositoryAccess::Push,
            None,
        );
        match self.ask(endpoint, wanted) {
            Ok(_) => Ok(true),
            Err(RegistryProblem::Absent { .. }) => Ok(false),
            Err(problem) => Err(problem),
        }
    }

    /// Opens an upload and sends everything to the place that the registry names for it (distribution-spec 1.1, "POST then
    /// PUT"): the form that every registry knows. That place may be another host, which then gets no credentials.
    fn upload(&self, home: &Endpoint, digest: &Digest, bytes: &[u8]) -> Result<(), RegistryProblem> {
        let open = RegistryRequest::get(home, "blobs/uploads/", MAX_MANIFEST).sending(
            Method::POST,
            RepositoryAccess::Push,
            Some(b""),
        );
        let opened = self.ask(home, open)?;
        let location = opened.header("location");
        let location = location
            .ok_or_else(|| RegistryProblem::Malformed("it names no place for the upload".to_owned()))?;
        let url = opened.url.join(location).map_err(|why| misdirected(location, &why))?;
        let url = url.with_parameter("digest", &digest.to_string());
        let send = RegistryRequest { url, ..RegistryRequest::get(home, "", MAX_MANIFEST) };
        let send = send.sending(Method::PUT, RepositoryAccess::Push, Some(bytes));
        self.ask(home, send.with(header::CONTENT_TYPE, "application/octet-stream")).map(drop)
    }
}
