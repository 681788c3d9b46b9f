//! A registry made of maps, which plays one with the referrers API or without, with logins, pages and filters.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use oci_compat::store::Digest;
use oci_compat::supply::registry::{IMAGE_INDEX, IMAGE_MANIFEST};
use serde_json::{Value, json};

use super::server::{Reply, Request, Server};

/// How a registry behaves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Play {
    /// Knows the referrers API, and says `OCI-Subject`.
    pub(crate) lists_referrers: bool,
    /// Filters referrers by their type, and says so.
    pub(crate) filters: bool,
    /// So many referrers stand on one page.
    pub(crate) page: Option<usize>,
    /// Wants this user and password.
    pub(crate) basic: Option<(&'static str, &'static str)>,
    /// Wants a token of this service; `TOKEN` is good for reading, and for writing too if it ends in `+push`.
    pub(crate) bearer: Option<String>,
}

/// What it holds.
#[derive(Debug, Default)]
pub(crate) struct Content {
    /// By repository and digest: media type and bytes.
    pub(crate) manifests: BTreeMap<(String, String), (String, Vec<u8>)>,
    /// By repository and tag: a digest.
    pub(crate) tags: BTreeMap<(String, String), String>,
    pub(crate) blobs: BTreeMap<(String, String), Vec<u8>>,
}

pub(crate) const TOKEN: &str = "t0ken-of-the-day";

/// A registry that runs, and its content.
pub(crate) struct Fake {
    pub(crate) server: Server,
    pub(crate) content: Arc<Mutex<Content>>,
}

impl Fake {
    pub(crate) fn start(play: Play) -> Self {
        Self::start_with(play, |_| None)
    }

    /// One that does something else for some requests.
    pub(crate) fn start_with(
        play: Play,
        special: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let content = Arc::new(Mutex::new(Content::default()));
        let shared = Arc::clone(&content);
        let server = Server::start(move |request| match special(request) {
            Some(reply) => reply,
            None => play.answer(request, &mut shared.lock().expect("no panic")),
        });
        Self { server, content }
    }

    /// Its name in an image's name.
    pub(crate) fn name(&self) -> String {
        self.server.address.to_string()
    }

    /// Puts a manifest into it, under a tag if there is one.
    pub(crate) fn put(&self, repository: &str, tag: Option<&str>, media_type: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        let mut content = self.content.lock().expect("no panic");
        let key = (repository.to_owned(), digest.to_string());
        content.manifests.insert(key, (media_type.to_owned(), bytes.to_vec()));
        if let Some(tag) = tag {
            content.tags.insert((repository.to_owned(), tag.to_owned()), digest.to_string());
        }
        digest
    }
}

/// An image manifest of some kind for some subject; `number` makes it another one.
pub(crate) fn manifest(artifact_type: &str, subject: Option<&Digest>, number: usize) -> Vec<u8> {
    let empty =
        json!({"mediaType": "application/vnd.oci.empty.v1+json", "digest": Digest::of(b"{}"), "size": 2});
    let mut manifest = json!({
        "schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "artifactType": artifact_type,
        "config": empty, "layers": [empty], "annotations": {"number": number.to_string()},
    });
    if let Some(subject) = subject {
        manifest["subject"] = json!({"mediaType": IMAGE_MANIFEST, "digest": subject, "size": 1});
    }
    manifest.to_string().into_bytes()
}

impl Play {
    fn answer(&self, request: &Request, content: &mut Content) -> Reply {
        if let Some(reply) = self.challenge(request) {
            return reply;
        }
        let path = request.path().strip_prefix("/v2/").unwrap_or_default().to_owned();
        let cut = |kind: &str| path.split_once(kind).map(|(name, rest)| (name.to_owned(), rest.to_owned()));
        if let Some((name, rest)) = cut("/manifests/") {
            return self.manifest(request, content, &name, &rest);
        }
        if let Some((name, _)) = cut("/blobs/uploads/") {
            return upload(request, content, &name);
        }
        if let Some((name, rest)) = cut("/blobs/") {
            return match content.blobs.get(&(name, rest)) {
                Some(bytes) => Reply::new(200).body("application/octet-stream", bytes.clone()),
                None => Reply::complaint(404, "BLOB_UNKNOWN", "blob unknown to registry"),
            };
        }
        match cut("/referrers/") {
            Some((name, subject)) if self.lists_referrers => {
                self.referrers(request, content, &name, &subject)
            }
            _ => Reply::new(404).body("text/plain", "404 page not found\n"),
        }
    }

    fn challenge(&self, request: &Request) -> Option<Reply> {
        let authorization = request.header("authorization");
        let unauthorized = |challenge: String| {
            Some(
                Reply::complaint(401, "UNAUTHORIZED", "authentication required")
                    .header("WWW-Authenticate", challenge),
            )
        };
        if let Some((user, password)) = self.basic {
            let wanted = format!("Basic {}", base64(&format!("{user}:{password}")));
            return match authorization == Some(&wanted) {
                true => None,
                false => unauthorized("Basic realm=\"a realm\"".to_owned()),
            };
        }
        let service = self.bearer.as_ref()?;
        let name =
            request.path().strip_prefix("/v2/")?.split("/manifests/").next()?.split("/blobs/").next()?;
        let name = name.split("/referrers/").next()?;
        let (actions, suffices) = match request.method.as_str() {
            "GET" | "HEAD" => {
                ("pull", authorization.is_some_and(|it| it.starts_with(&format!("Bearer {TOKEN}"))))
            }
            _ => ("pull,push", authorization == Some(&format!("Bearer {TOKEN}+push"))),
        };
        match suffices {
            true => None,
            false => unauthorized(format!(
                "Bearer realm=\"{service}\",service=\"fake\",scope=\"repository:{name}:{actions}\""
            )),
        }
    }

    fn manifest(&self, request: &Request, content: &mut Content, name: &str, target: &str) -> Reply {
        let digest = match target.starts_with("sha256:") {
            true => target.to_owned(),
            false => content.tags.get(&(name.to_owned(), target.to_owned())).cloned().unwrap_or_default(),
        };
        let key = (name.to_owned(), digest.clone());
        match request.method.as_str() {
            "GET" | "HEAD" => match content.manifests.get(&key) {
                Some((media_type, bytes)) => {
                    let reply = Reply::new(200)
                        .body(media_type, bytes.clone())
                        .header("ETag", format!("\"{digest}\""));
                    reply.header("Docker-Content-Digest", digest)
                }
                None => Reply::complaint(404, "MANIFEST_UNKNOWN", "manifest unknown"),
            },
            "PUT" => self.take(request, content, name, target),
            "DELETE" => match content.manifests.remove(&key) {
                Some(_) => Reply::new(202),
                None => Reply::complaint(404, "MANIFEST_UNKNOWN", "manifest unknown"),
            },
            _ => Reply::complaint(405, "UNSUPPORTED", "The operation is unsupported."),
        }
    }

    fn take(&self, request: &Request, content: &mut Content, name: &str, target: &str) -> Reply {
        let digest = Digest::of(&request.body).to_string();
        let tag = (name.to_owned(), target.to_owned());
        if let Some(wanted) = request.header("if-match") {
            let current = content.tags.get(&tag).map(|it| format!("\"{it}\""));
            if current.as_deref() != Some(wanted) {
                return Reply::complaint(412, "PRECONDITION_FAILED", "somebody was faster");
            }
        }
        if request.header("if-none-match") == Some("*") && content.tags.contains_key(&tag) {
            return Reply::complaint(412, "PRECONDITION_FAILED", "somebody was faster");
        }
        let media_type = request.header("content-type").unwrap_or_default().to_owned();
        content.manifests.insert((name.to_owned(), digest.clone()), (media_type, request.body.clone()));
        if !target.starts_with("sha256:") {
            content.tags.insert(tag, digest.clone());
        }
        let reply = Reply::new(201).header("Docker-Content-Digest", digest);
        let document: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        match document["subject"]["digest"].as_str() {
            Some(subject) if self.lists_referrers => reply.header("OCI-Subject", subject),
            _ => reply,
        }
    }

    fn referrers(&self, request: &Request, content: &Content, name: &str, subject: &str) -> Reply {
        let wanted = request.parameter("artifactType").filter(|_| self.filters);
        let mut all = Vec::new();
        for ((repository, digest), (media_type, bytes)) in &content.manifests {
            let document: Value = serde_json::from_slice(bytes).unwrap_or_default();
            let kind = document["artifactType"].as_str().or(document["config"]["mediaType"].as_str());
            let kind = kind.unwrap_or_default();
            if repository != name
                || document["subject"]["digest"] != subject
                || wanted.as_ref().is_some_and(|it| it != kind)
            {
                continue;
            }
            all.push(json!({
                "mediaType": media_type, "digest": digest, "size": bytes.len(), "artifactType": kind,
                "annotations": document["annotations"],
            }));
        }
        let start = request.parameter("n").and_then(|it| it.parse().ok()).unwrap_or(0);
        let size = self.page.unwrap_or(usize::MAX);
        let page: Vec<_> = all.iter().skip(start).take(size).collect();
        let index = json!({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": page});
        let mut reply = Reply::new(200).body(IMAGE_INDEX, index.to_string());
        if wanted.is_some() {
            reply = reply.header("OCI-Filters-Applied", "artifactType");
        }
        match start + page.len() < all.len() {
            false => reply,
            true => reply.header("Link", format!("<{}?n={}>; rel=\"next\"", request.path(), start + size)),
        }
    }
}

fn upload(request: &Request, content: &mut Content, name: &str) -> Reply {
    if request.method == "POST" {
        return Reply::new(202).header("Location", format!("/v2/{name}/blobs/uploads/1?state=x"));
    }
    let digest = request.parameter("digest").unwrap_or_default();
    if Digest::of(&request.body).to_string() != digest {
        return Reply::complaint(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    }
    content.blobs.insert((name.to_owned(), digest), request.body.clone());
    Reply::new(201)
}

/// As `Basic` wants it.
pub(crate) fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}
