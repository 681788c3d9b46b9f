//! Finds the image that a person names: by the name, the ID, the start of an ID, or the digest that its engine shows. For the
//! command line only; no container's start waits for it.

use std::fmt;
use std::path::Path;

use crate::image::{Image, Reference, Spelled};
use crate::store::Digest;

use super::content::ContentStore;
use super::images::{ImageEngine, ImageRecord};
use super::{EnginePlaces, docker};

/// The shortest start of an ID that is taken for one: `docker images` shows twelve digits.
const MIN_START: usize = 4;
/// Images that a message names.
const SHOWN: usize = 5;

/// An image that an engine keeps, as it was called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundImage {
    /// Whose it is.
    pub engine: ImageEngine,
    /// The name that it was called by, or its first one; `None` if it has none.
    pub name: Option<String>,
    /// Its names, and its digests with its ID.
    pub image: Image,
    /// The digests of its indexes and of its manifest: that by which it was pulled is the first. Empty if it was built or
    /// loaded here and its engine notes none.
    pub digests: Vec<Digest>,
    /// What the engine calls it without a name.
    pub id: Option<Digest>,
}

/// Several images are called so: the rest of a sentence that starts with what they were called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ambiguous(String);

impl fmt::Display for Ambiguous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Ambiguous {}

impl ImageEngine {
    /// As messages call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Containerd => "containerd",
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }
}

/// Whether a text may be an ID, or the start of one. The name of an image may look like that, too.
pub fn may_be_id(text: &str) -> bool {
    start_of_id(text).is_some()
}

/// Finds the image that is meant; `None` if no engine keeps one that is called so. The name of an image goes before the start
/// of an ID, as it does in Docker.
///
/// # Errors
///
/// If several images are called so.
pub fn find(records: &[ImageRecord], text: &str) -> Result<Option<FoundImage>, Ambiguous> {
    if let Some(digest) = digest(text) {
        let has = |it: &ImageRecord| it.all_digests().any(|it| it == digest);
        let found = match records.iter().any(has) {
            true => records.iter().filter(|it| has(it)).collect(),
            false => records.iter().filter(|it| it.ids.contains(&digest)).collect::<Vec<_>>(),
        };
        // The same image, in several engines or under several names.
        return Ok(best(found).map(|it| it.found_as(None, Some(digest))));
    }
    let names = called(text);
    for name in &names {
        let named: Vec<_> = records.iter().filter(|it| it.named(name).is_some()).collect();
        if !named.is_empty() {
            let taken = one(named, "stands for", "write the digest or the whole ID of one")?;
            return Ok(taken.map(|it| it.found_as(it.named(name), None)));
        }
    }
    let Some(start) = start_of_id(text) else { return Ok(None) };
    let is_start = |it: &&ImageRecord| it.ids.iter().any(|it| it.hex().starts_with(start));
    let found = records.iter().filter(is_start).collect();
    let taken = one(found, "is the start of", "write more of its digits")?;
    Ok(taken.map(|it| it.found_as(None, None)))
}

/// A whole digest, by itself or after a name.
fn digest(text: &str) -> Option<Digest> {
    let text = text.rsplit_once('@').map_or(text, |(_, it)| it);
    text.parse().ok().or_else(|| Digest::from_hex(text))
}

/// In full, what a text may be the name of: Podman gives what is built here a registry that no other engine knows.
fn called(text: &str) -> Vec<String> {
    let local = Spelled::of(text).registry.is_none().then(|| format!("localhost/{text}"));
    let full = |it: &str| it.parse::<Reference>().ok().map(|it| it.to_string());
    [Some(text.to_owned()), local].into_iter().flatten().filter_map(|it| full(&it)).collect()
}

fn start_of_id(text: &str) -> Option<&str> {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    let is_digit = |it: u8| matches!(it, b'0'..=b'9' | b'a'..=b'f');
    ((MIN_START..=64).contains(&hex.len()) && hex.bytes().all(is_digit)).then_some(hex)
}

/// Of the records of one image, one with a digest that registries know.
fn best(found: Vec<&ImageRecord>) -> Option<&ImageRecord> {
    let with_digest = found.iter().find(|it| it.all_digests().next().is_some()).copied();
    with_digest.or_else(|| found.first().copied())
}

/// The one image that all these records are of.
fn one<'a>(
    found: Vec<&'a ImageRecord>,
    what: &str,
    remedy: &str,
) -> Result<Option<&'a ImageRecord>, Ambiguous> {
    let Some(first) = found.first() else { return Ok(None) };
    let is_same = |it: &&&ImageRecord| {
        it.ids.iter().any(|id| first.ids.contains(id)) || it.all_digests().any(|it| first.has(it))
    };
    let others: Vec<_> = found.iter().filter(|it| !is_same(it)).collect();
    if others.is_empty() {
        return Ok(best(found));
    }
    let mut all = vec![first.found_as(None, None).to_string()];
    all.extend(others.iter().map(|it| it.found_as(None, None).to_string()));
    let more = if all.len() > SHOWN { ", ..." } else { "" };
    let count = all.len();
    all.truncate(SHOWN);
    Err(Ambiguous(format!("{what} {count} images: {}{more}: {remedy}", all.join(", "))))
}

impl ImageRecord {
    /// The image of this record, with all its digests that can be known here.
    pub fn image_at(&self, places: &EnginePlaces) -> FoundImage {
        let mut found = self.found_as(None, None);
        found.complete(places);
        found
    }

    fn has(&self, digest: Digest) -> bool {
        self.all_digests().any(|it| it == digest)
    }

    /// The digests of its indexes and of its manifest; Docker notes them behind names.
    fn all_digests(&self) -> impl Iterator<Item = Digest> {
        let behind = self.names.iter().filter_map(|it| it.split_once('@')?.1.parse().ok());
        self.digests.iter().copied().chain(behind)
    }

    /// The name of it that is this one in full.
    fn named(&self, full: &str) -> Option<&String> {
        self.names.iter().find(|it| it.parse::<Reference>().is_ok_and(|it| it.to_string() == full))
    }

    /// Of several digests, one of the repository that it was called by goes first.
    fn found_as(&self, name: Option<&String>, called: Option<Digest>) -> FoundImage {
        let is_name = |it: &&String| it.parse::<Reference>().is_ok();
        let tagged = self.names.iter().filter(|it| !it.contains('@')).find(is_name);
        let name = name.or(tagged).or_else(|| self.names.iter().find(is_name));
        let mut digests: Vec<Digest> = called.filter(|it| self.has(*it)).into_iter().collect();
        let repository = name.map(|it| Spelled::of(it).repository());
        let of_name = self.names.iter().filter(|it| Some(Spelled::of(it).repository()) == repository);
        let of_name = of_name.filter_map(|it| it.split_once('@')?.1.parse().ok());
        for digest in of_name.chain(self.all_digests()) {
            if !digests.contains(&digest) {
                digests.push(digest);
            }
        }
        // An ID that is written is that one; CRI's is that of the configuration.
        let id = called.filter(|it| self.ids.contains(it)).or(self.ids.last().copied());
        let ids = self.ids.iter().filter(|it| !digests.contains(it));
        let image = Image {
            names: self.names.iter().filter(is_name).cloned().collect(),
            digests: digests.iter().chain(ids).copied().collect(),
        };
        FoundImage { engine: self.engine, name: name.cloned(), image, digests, id }
    }
}

impl FoundImage {
    /// Adds the digest of the manifest, where only that of an index is noted and containerd's content leads to it.
    pub fn complete(&mut self, places: &EnginePlaces) {
        let mut roots = vec![places.at("var/lib/containerd")];
        if self.engine == ImageEngine::Docker {
            roots.extend(docker::content(places));
        }
        let of = |root: &Path, digest: Digest| ContentStore::new(root).manifests(digest).unwrap_or_default();
        let mut found = Vec::new();
        for digest in &self.digests {
            found
                .extend(roots.iter().map(|it| of(it, *digest)).find(|it| !it.is_empty()).unwrap_or_default());
        }
        if found.iter().any(|it| Some(it.config) == self.id) {
            found.retain(|it| Some(it.config) == self.id);
        }
        // With several platforms, it is not known which one a container would run.
        let [manifest] = found.as_slice() else { return };
        for digest in &manifest.path {
            if !self.digests.contains(digest) {
                self.digests.push(*digest);
                self.image.digests.push(*digest);
            }
        }
    }
}

/// As messages name it: `docker's image nginx:1 (sha256:...)`.
impl fmt::Display for FoundImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = self.digests.first().or(self.id.as_ref()).map(Digest::to_string);
        let engine = self.engine.name();
        match (&self.name, digest) {
            (Some(name), Some(digest)) if !name.contains('@') => {
                write!(f, "{engine}'s image {name} ({digest})")
            }
            (Some(name), _) => write!(f, "{engine}'s image {name}"),
            (None, digest) => write!(f, "{engine}'s image {}", digest.unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::images;
    use super::*;
    use crate::testing::FakeHost;

    /// A digest of one digit, repeated.
    fn hex(digit: &str) -> String {
        digit.repeat(64)
    }

    /// A Docker with an image that was pulled, one that was built, and one that shares the start of its ID; a Podman with
    /// another one of the first name, and a built one.
    fn host() -> FakeHost {
        let repositories = format!(
            "{{\"Repositories\": {{\
             \"nginx\": {{\"nginx:1\": \"sha256:{a}\", \"nginx@sha256:{one}\": \"sha256:{a}\"}}, \
             \"built\": {{\"built:1\": \"sha256:{b}\"}}, \
             \"quay.io/x/y\": {{\"quay.io/x/y@sha256:{two}\": \"sha256:bbbb{c}\"}}}}}}",
            a = hex("a"),
            b = hex("b"),
            c = "c".repeat(60),
            one = hex("1"),
            two = hex("2"),
        );
        let images = format!(
            "[{{\"id\": \"{d}\", \"digest\": \"sha256:{three}\", \"names\": [\"docker.io/library/nginx:1\"], \
             \"big-data-digests\": {{\"manifest\": \"sha256:{four}\"}}}}, \
             {{\"id\": \"{e}\", \"digest\": \"sha256:{five}\", \"names\": [\"localhost/mine:1\", \"quay.io/x/mine:2\"]}}]",
            d = hex("d"),
            e = hex("e"),
            three = hex("3"),
            four = hex("4"),
            five = hex("5"),
        );
        FakeHost::new()
            .file("var/lib/docker/image/overlay2/repositories.json", repositories)
            .file("var/lib/containers/storage/overlay-images/images.json", images)
    }

    fn records(host: &FakeHost) -> Vec<ImageRecord> {
        let places = EnginePlaces { root: host.place("") };
        let docker = images::of_docker(None, &places).expect("images");
        [docker, images::of_storage(None, &places).expect("images")].concat()
    }

    /// What is taken for this text, with digests of one digit in place of whole ones.
    fn taken(text: &str) -> String {
        let short = |text: String| {
            ["1", "2", "3", "4", "5", "a", "b", "d", "e"]
                .iter()
                .fold(text, |it, digit| it.replace(&hex(digit), digit))
        };
        let text = text.replace("HEX", &"ab".repeat(32));
        match find(&records(&host()), &text) {
            Ok(Some(it)) => {
                let digests: Vec<_> = it.digests.iter().map(ToString::to_string).collect();
                short(format!("{it} {}", digests.join(" ")))
            }
            Ok(None) => "none".to_owned(),
            Err(err) => short(format!("{text} {err}")),
        }
    }

    #[test]
    fn an_image_is_found_by_all_that_its_engine_calls_it() {
        let nginx = "docker's image nginx:1 (sha256:1) sha256:1";
        assert_eq!(taken(&format!("sha256:{}", hex("a"))), nginx);
        assert_eq!(taken(&hex("a")), nginx);
        assert_eq!(taken("aaaaaaaaaaaa"), nginx);
        assert_eq!(taken("sha256:aaaa"), nginx);
        assert_eq!(taken(&format!("sha256:{}", hex("1"))), nginx);
        assert_eq!(taken(&format!("nginx@sha256:{}", hex("1"))), nginx);
        let built = "docker's image built:1 (sha256:b) ";
        assert_eq!(taken("built:1"), built);
        assert_eq!(taken("docker.io/library/built:1"), built);
        assert_eq!(taken(&hex("b")), built);
        let unnamed = "docker's image quay.io/x/y@sha256:2 sha256:2";
        assert_eq!(taken("bbbbc"), unnamed);
        assert_eq!(taken(&format!("sha256:{}", hex("2"))), unnamed);
        let mine = "podman's image localhost/mine:1 (sha256:5) sha256:5";
        assert_eq!(taken("mine:1"), mine);
        assert_eq!(taken("localhost/mine:1"), mine);
        assert_eq!(taken(&hex("e")), mine);
        assert_eq!(taken("quay.io/x/mine:2"), "podman's image quay.io/x/mine:2 (sha256:5) sha256:5");
        // Called by its manifest's digest, it is taken at that.
        let manifest = "podman's image docker.io/library/nginx:1 (sha256:4) sha256:4 sha256:3";
        assert_eq!(taken(&format!("sha256:{}", hex("4"))), manifest);
    }

    #[test]
    fn what_no_engine_calls_so_is_none() {
        let long = "a".repeat(65);
        for text in
            ["nginx", "nginx:2", "aaa", "ab12", "sha256:HEX", "HEX", "nginx@sha256:HEX", "AAAA", "", &long]
        {
            assert_eq!(taken(text), "none", "{text}");
        }
    }

    #[test]
    fn what_several_images_are_called_is_refused_with_all_of_them() {
        assert_eq!(
            taken("bbbb"),
            format!(
                "bbbb is the start of 2 images: docker's image built:1 (sha256:b), docker's image quay.io/x/y@sha256:2: \
                 write more of its digits"
            )
        );
        assert_eq!(
            taken("nginx:1"),
            "nginx:1 stands for 2 images: docker's image nginx:1 (sha256:1), podman's image docker.io/library/nginx:1 \
             (sha256:3): write the digest or the whole ID of one"
        );
    }

    #[test]
    fn the_same_image_in_several_engines_is_one() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let one = Digest::of(b"index");
        let id = Digest::of(b"config");
        let record = |engine, name: &[&str], digests: &[Digest]| ImageRecord {
            engine,
            ids: vec![id],
            names: names(name),
            digests: digests.to_vec(),
            is_of_registry: true,
        };
        let records = [
            record(ImageEngine::Docker, &["upf:1"], &[]),
            record(ImageEngine::Podman, &["docker.io/library/upf:1"], &[one]),
        ];
        let found = find(&records, "upf:1").expect("one image").expect("an image");
        assert_eq!((found.engine, found.digests), (ImageEngine::Podman, vec![one]));
    }

    /// dockerd notes the digest of the index; an artifact may be attached to the manifest.
    #[test]
    fn the_manifest_behind_an_index_is_found_in_containerd_s_content() {
        let config = Digest::of(b"config");
        let manifest = |config: Digest| format!("{{\"config\": {{\"digest\": \"{config}\"}}}}");
        let (own, other) = (manifest(config), manifest(Digest::of(b"other")));
        let digests = [own.as_bytes(), other.as_bytes()].map(Digest::of);
        let index = format!(
            "{{\"manifests\": [{{\"digest\": \"{}\"}}, {{\"digest\": \"{}\"}}]}}",
            digests[1], digests[0]
        );
        let named = Digest::of(index.as_bytes());
        let mut host = FakeHost::new();
        for blob in [&own, &other, &index] {
            let hex = Digest::of(blob.as_bytes()).hex();
            host = host.file(
                &format!(
                    "var/lib/docker/containerd/daemon/io.containerd.content.v1.content/blobs/sha256/{hex}"
                ),
                blob,
            );
        }
        let record = ImageRecord {
            engine: ImageEngine::Docker,
            ids: vec![config],
            names: vec!["upf:1".to_owned(), format!("upf@{named}")],
            digests: Vec::new(),
            is_of_registry: true,
        };
        let mut found = find(&[record], "upf:1").expect("one image").expect("an image");
        assert_eq!(found.digests, [named]);
        found.complete(&EnginePlaces { root: host.place("") });
        assert_eq!(found.digests, [named, digests[0]]);
        assert_eq!(found.image.digests, [named, config, digests[0]]);
    }
}
