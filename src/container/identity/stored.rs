//! Where an engine keeps the parts of an image: its documents as blobs, and its layers as blobs or unpacked. For the command line
//! only; no container's start looks for it. Reads no layer.

use std::path::{Path, PathBuf};

use crate::os::file;
use crate::store::Digest;

use super::images::ImageEngine;
use super::named::FoundImage;
use super::{EnginePlaces, containerd, docker, storage};

/// The folder with containerd's content, below its own.
const CONTENT: &str = "io.containerd.content.v1.content";
/// As large as registries take.
const MAX_DOCUMENT: usize = 4 << 20;
/// overlayfs takes no more than some hundreds.
pub(super) const MAX_LAYERS: usize = 1024;

/// What an engine keeps of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredImage {
    /// An index or a manifest, and all that it leads to, in `blobs/sha256` of this folder. Parts may be missing.
    Blobs {
        /// The folder.
        folder: PathBuf,
        /// Of the index or manifest.
        digest: Digest,
    },
    /// Unpacked, one folder for each layer.
    Unpacked(UnpackedImage),
}

/// An image that a storage driver has unpacked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnpackedImage {
    /// The bytes of its configuration, verified.
    pub configuration: Vec<u8>,
    /// The bytes of the indexes and manifests that are known of it, verified.
    pub documents: Vec<Vec<u8>>,
    /// What each layer adds, the uppermost first; or one folder with all of it. Empty if it is not known where that is.
    pub folders: Vec<PathBuf>,
}

/// Where engines of a host keep images.
#[derive(Debug)]
pub struct ImageFolders<'a> {
    places: &'a EnginePlaces,
    /// The data folder of Docker or containers-storage, if it is not where it is configured.
    root: Option<&'a Path>,
    /// Folders with content of a containerd.
    contents: Vec<PathBuf>,
}

impl<'a> ImageFolders<'a> {
    /// Those of this host. The containerd at this socket says where its own is; one that does not answer is looked for where it
    /// is by default.
    pub fn new(places: &'a EnginePlaces, root: Option<&'a Path>, socket: &Path) -> Self {
        let named = containerd::content(socket).map(|it| match it.strip_prefix("/") {
            Ok(below) => places.root.join(below),
            Err(_) => it,
        });
        let docker = docker::content(places).map(|it| it.join(CONTENT));
        let usual = Some(places.at("var/lib/containerd").join(CONTENT));
        let mut contents = Vec::new();
        for folder in [named, docker, usual].into_iter().flatten() {
            if !contents.contains(&folder) {
                contents.push(folder);
            }
        }
        Self { places, root, contents }
    }

    /// What an engine keeps of an image; `None` if nothing is found.
    ///
    /// # Errors
    ///
    /// If an engine's files cannot be read.
    pub fn of(&self, image: &FoundImage) -> anyhow::Result<Option<StoredImage>> {
        let unpacked = match (image.engine, image.id) {
            (ImageEngine::Docker, Some(id)) => docker::unpacked(&id, self.root, self.places)?,
            (ImageEngine::Podman, Some(id)) => storage::unpacked(&id, self.root, self.places)?,
            (ImageEngine::Containerd, _) | (_, None) => None,
        };
        if let Some(mut unpacked) = unpacked {
            if unpacked.documents.is_empty() {
                // A document that cannot be read says nothing of the image, whose configuration is here.
                let read = |it: &Digest| verified(&self.blob(it)?.join(blob(it)), it).ok().flatten();
                unpacked.documents = image.digests.iter().filter_map(read).collect();
            }
            return Ok(Some(StoredImage::Unpacked(unpacked)));
        }
        let found = image.digests.iter().find_map(|it| Some((self.blob(it)?, *it)));
        Ok(found.map(|(folder, digest)| StoredImage::Blobs { folder: folder.to_owned(), digest }))
    }

    /// The folder that has a blob.
    fn blob(&self, digest: &Digest) -> Option<&PathBuf> {
        self.contents.iter().find(|it| matches!(it.join(blob(digest)).try_exists(), Ok(true)))
    }
}

fn blob(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// The bytes of a document of an image; `None` if it is not there.
pub(super) fn verified(path: &Path, digest: &Digest) -> anyhow::Result<Option<Vec<u8>>> {
    let Some(bytes) = file::read(path, MAX_DOCUMENT)? else { return Ok(None) };
    match Digest::of(&bytes) {
        found if found == *digest => Ok(Some(bytes)),
        found => anyhow::bail!("{} has digest {found}", path.display()),
    }
}

/// The name of a layer as storage drivers make them: it becomes a part of a path.
pub(super) fn is_layer_name(name: &str) -> bool {
    (1..=128).contains(&name.len()) && name.bytes().all(|it| it.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::json;

    use super::super::images;
    use super::*;
    use crate::testing::FakeHost;

    fn stored(host: &FakeHost, engine: ImageEngine) -> anyhow::Result<Option<StoredImage>> {
        let places = EnginePlaces { root: host.place("") };
        let places_of = ImageFolders::new(&places, None, &host.place("no.sock"));
        let records = match engine {
            ImageEngine::Docker => images::of_docker(None, &places),
            ImageEngine::Podman | ImageEngine::Containerd => images::of_storage(None, &places),
        };
        places_of.of(&records.expect("images")[0].image_at(&places))
    }

    fn configuration(layers: &[&str]) -> (Digest, String) {
        let layers: Vec<_> = layers.iter().map(|it| Digest::of(it.as_bytes())).collect();
        let text = json!({"rootfs": {"type": "layers", "diff_ids": layers}}).to_string();
        (Digest::of(text.as_bytes()), text)
    }

    const DOCKER: &str = "var/lib/docker";

    fn docker(driver: &str, cache: &str) -> (FakeHost, String) {
        let (id, text) = configuration(&["low", "high"]);
        let low = Digest::of(b"low");
        let high = Digest::of(format!("{low} {}", Digest::of(b"high")).as_bytes());
        let at = format!("{DOCKER}/image/{driver}");
        let repositories = json!({"Repositories": {"upf": {"upf:1": id}}}).to_string();
        let host = FakeHost::new()
            .file(&format!("{at}/repositories.json"), repositories)
            .file(&format!("{at}/imagedb/content/sha256/{}", id.hex()), &text)
            .file(&format!("{at}/layerdb/sha256/{}/cache-id", low.hex()), "aa11")
            .file(&format!("{at}/layerdb/sha256/{}/cache-id", high.hex()), cache);
        (host, text)
    }

    #[test]
    fn docker_keeps_a_folder_for_each_layer() {
        let check = |driver: &str, cache: &str, expected: &[&str]| {
            let (host, text) = docker(driver, cache);
            let folders = expected.iter().map(|it| host.place(&format!("{DOCKER}/{it}"))).collect();
            let expected = UnpackedImage { configuration: text.into_bytes(), documents: Vec::new(), folders };
            assert_eq!(
                stored(&host, ImageEngine::Docker).expect("an answer"),
                Some(StoredImage::Unpacked(expected))
            );
        };
        check("overlay2", "bb22\n", &["overlay2/bb22/diff", "overlay2/aa11/diff"]);
        check("vfs", "bb22", &["vfs/dir/bb22"]);
        check("zfs", "bb22", &[]);
        // It becomes no path.
        check("overlay2", "../x", &[]);
        check("overlay2", "", &[]);
    }

    #[test]
    fn what_is_not_what_its_name_says_is_an_error() {
        let (host, _) = docker("overlay2", "bb22");
        let (id, _) = configuration(&["low", "high"]);
        let path = format!("{DOCKER}/image/overlay2/imagedb/content/sha256/{}", id.hex());
        let host = host.file(&path, "{}");
        let expected = format!("{} has digest {}", host.place(&path).display(), Digest::of(b"{}"));
        assert_eq!(stored(&host, ImageEngine::Docker).expect_err("an error").to_string(), expected);
    }

    const STORAGE: &str = "var/lib/containers/storage";

    fn storage(driver: &str, layers: &str) -> (FakeHost, String, String) {
        let (id, text) = configuration(&["low", "high"]);
        let (key, index) = (format!("sha256:{}", id.hex()), "{\"manifests\": []}".to_owned());
        let of_index = format!("manifest-{}", Digest::of(index.as_bytes()));
        let images = json!([{"id": id.hex(), "digest": Digest::of(index.as_bytes()), "names": ["quay.io/acme/upf:1"],
            "layer": "bb22", "big-data-digests": {of_index.as_str(): Digest::of(index.as_bytes())}}]);
        let at = format!("{STORAGE}/{driver}-images");
        let named = |it: &str| format!("{at}/{}/={}", id.hex(), STANDARD.encode(it));
        let host = FakeHost::new()
            .file(&format!("{at}/images.json"), images.to_string())
            .file(&named(&key), &text)
            .file(&named(&of_index), &index)
            .file(&format!("{STORAGE}/{driver}-layers/layers.json"), layers);
        (host, text, index)
    }

    #[test]
    fn containers_storage_keeps_a_folder_for_each_layer() {
        let check = |driver: &str, layers: &str, expected: &[&str]| {
            let (host, text, index) = storage(driver, layers);
            let folders = expected.iter().map(|it| host.place(&format!("{STORAGE}/{it}"))).collect();
            let expected = UnpackedImage {
                configuration: text.into_bytes(),
                documents: vec![index.into_bytes()],
                folders,
            };
            assert_eq!(
                stored(&host, ImageEngine::Podman).expect("an answer"),
                Some(StoredImage::Unpacked(expected))
            );
        };
        let both = r#"[{"id": "aa11"}, {"id": "bb22", "parent": "aa11"}]"#;
        check("overlay", both, &["overlay/bb22/diff", "overlay/aa11/diff"]);
        check("vfs", both, &["vfs/dir/bb22"]);
        check("zfs", both, &[]);
        check("overlay", "[]", &[]);
        check("overlay", r#"[{"id": "bb22", "parent": "gone"}]"#, &[]);
        check("overlay", r#"[{"id": "bb22", "parent": "bb22"}]"#, &[]);
        check("overlay", r#"[{"id": "bb22", "parent": "../x"}, {"id": "../x"}]"#, &[]);
    }

    #[test]
    fn layers_that_are_no_plain_folders_are_not_looked_into() {
        let (host, ..) = storage("overlay", r#"[{"id": "bb22"}]"#);
        let host = host.file(&format!("{STORAGE}/overlay/bb22/composefs-data/composefs.blob"), "");
        let Some(StoredImage::Unpacked(found)) = stored(&host, ImageEngine::Podman).expect("an answer")
        else {
            panic!("nothing was found")
        };
        assert_eq!(found.folders, Vec::<PathBuf>::new());
    }

    #[test]
    fn what_lies_in_containerd_s_content_is_found_there() {
        let digest = Digest::of(b"{}");
        let images = json!([{"id": "1", "digest": digest, "names": ["quay.io/acme/upf:1"]}]);
        let host = FakeHost::new()
            .file(&format!("{STORAGE}/overlay-images/images.json"), images.to_string())
            .file(&format!("var/lib/containerd/{CONTENT}/{}", blob(&digest)), "{}");
        let folder = host.place(&format!("var/lib/containerd/{CONTENT}"));
        assert_eq!(
            stored(&host, ImageEngine::Podman).expect("an answer"),
            Some(StoredImage::Blobs { folder, digest })
        );
    }
}
