//! Asks the engines of a host for their images. For the command line only; no container's start waits for it.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use crate::store::Digest;

use super::EnginePlaces;
use super::images::{self, Absent, ImageEngine, ImageRecord};
use super::named::{self, FoundImage};

/// The images of some engines.
#[derive(Debug, Default)]
pub struct Answers {
    /// All images of those that answered.
    pub records: Vec<ImageRecord>,
    /// Whether any engine answered.
    pub has_any: bool,
    /// Why the others did not, each a sentence.
    pub silent: Vec<String>,
    /// Of engines that may be missing, those that are not there, each a sentence.
    pub absent: Vec<String>,
}

/// An engine that is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskedEngine {
    /// The engine.
    pub engine: ImageEngine,
    /// Whether it may be missing: one that a person names has to be there.
    pub is_optional: bool,
}

/// All engines. Each may be missing.
pub const ALL: [AskedEngine; 3] = [
    AskedEngine { engine: ImageEngine::Containerd, is_optional: true },
    AskedEngine { engine: ImageEngine::Docker, is_optional: true },
    AskedEngine { engine: ImageEngine::Podman, is_optional: true },
];

/// Asks these engines. `root` is the data folder of Docker or Podman, if it is not in its usual place; `socket` is
/// containerd's.
pub fn ask(engines: &[AskedEngine], root: Option<&Path>, socket: &Path, places: &EnginePlaces) -> Answers {
    let mut answers = Answers::default();
    for AskedEngine { engine, is_optional } in engines {
        let images = match engine {
            ImageEngine::Containerd => images::of_containerd(socket),
            ImageEngine::Docker => images::of_docker(root, places),
            ImageEngine::Podman => images::of_storage(root, places),
        };
        match images {
            Ok(all) => {
                answers.has_any = true;
                answers.records.extend(all);
            }
            Err(err) if *is_optional && err.is::<Absent>() => answers.absent.push(format!("{err:#}")),
            Err(err) => answers.silent.push(format!("{err:#}")),
        }
    }
    answers
}

/// A socket of the host in this folder.
pub fn socket_below(host: &Path, socket: &Path) -> PathBuf {
    match host == Path::new("/") {
        true => socket.to_owned(),
        false => host.join(socket.strip_prefix("/").unwrap_or(socket)),
    }
}

/// The image that an engine keeps under this text, whichever engine it is; or why some engines did not answer, each a sentence.
///
/// # Errors
///
/// If several images are called so.
pub fn image(
    text: &str,
    socket: &Path,
    places: &EnginePlaces,
) -> anyhow::Result<Result<FoundImage, Vec<String>>> {
    let Answers { records, silent, .. } = ask(&ALL, None, socket, places);
    let found = named::find(&records, text).map_err(|err| anyhow!("{text:?} {err}"))?;
    let Some(mut found) = found else { return Ok(Err(silent)) };
    found.complete(places);
    Ok(Ok(found))
}

/// The digest to which artifacts of an image are attached. `found` is the answer of [`image`] for this text; without an image,
/// the text has to be a digest, or to end in one.
///
/// # Errors
///
/// If there is no such digest.
pub fn subject(text: &str, found: Result<FoundImage, Vec<String>>) -> anyhow::Result<Digest> {
    const WANTED: &str = "write the digest of its manifest or index, sha256: and 64 digits";
    let silent = match found {
        Ok(image) => {
            return image.digests.first().copied().with_context(|| {
                let pattern = image.name.clone().or(image.id.map(|it| it.to_string())).unwrap_or_default();
                format!(
                    "{image} was built or loaded here, and has no manifest's digest that an artifact could be attached to: demand \
                     it with a file in requirements.d with images = [{pattern:?}], or push the image and pull it"
                )
            });
        }
        Err(silent) => silent,
    };
    let hex = text.rsplit_once('@').map_or(text, |(_, it)| it);
    hex.parse::<Digest>().map_err(|err| {
        let asked = silent.iter().map(|it| format!("; {it}")).collect::<String>();
        match hex.starts_with("sha256:") {
            true => anyhow!("{err}, and no engine here has an image with that ID: {WANTED}{asked}"),
            false => anyhow!("no engine here has an image {text:?}: {WANTED}{asked}"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Image;

    fn places(host: &tempfile::TempDir) -> EnginePlaces {
        EnginePlaces { root: host.path().to_owned() }
    }

    #[test]
    fn an_engine_may_be_missing_unless_it_is_named() {
        let host = tempfile::tempdir().expect("a temporary folder");
        let socket = socket_below(host.path(), Path::new("/run/containerd/containerd.sock"));
        let answers = ask(&ALL, None, &socket, &places(&host));
        assert_eq!((answers.records, answers.has_any, answers.silent), (Vec::new(), false, Vec::new()));
        let containerd = format!(
            "containerd at {} is not there: start it, or name its socket with --engine-socket",
            socket.display()
        );
        assert_eq!((answers.absent.len(), answers.absent.first()), (3, Some(&containerd)));
        let named = AskedEngine { engine: ImageEngine::Containerd, is_optional: false };
        let answers = ask(&[named], None, &socket, &places(&host));
        assert_eq!((answers.absent, answers.silent), (Vec::new(), vec![containerd]));
    }

    #[test]
    fn a_socket_is_that_of_the_host() {
        let below = |host: &str| socket_below(Path::new(host), Path::new("/run/x.sock"));
        assert_eq!(below("/"), Path::new("/run/x.sock"));
        assert_eq!(below("/mnt/host"), Path::new("/mnt/host/run/x.sock"));
    }

    #[test]
    fn an_image_that_no_engine_has_is_not_an_error() {
        let host = tempfile::tempdir().expect("a temporary folder");
        let found = image("acme/upf:1", &host.path().join("none.sock"), &places(&host)).expect("an answer");
        assert_eq!(found, Err(Vec::new()));
    }

    #[test]
    fn the_subject_is_the_first_digest_of_the_image() {
        let digest = Digest::of(b"image");
        let meant = |digests: Vec<Digest>, name: Option<&str>| FoundImage {
            engine: ImageEngine::Docker,
            name: name.map(str::to_owned),
            image: Image::default(),
            digests,
            id: Some(Digest::of(b"id")),
        };
        let check = |found: FoundImage, expected: Result<Digest, String>| {
            assert_eq!(subject("acme/upf:1", Ok(found)).map_err(|err| err.to_string()), expected);
        };
        check(meant(vec![digest, Digest::of(b"other")], None), Ok(digest));
        let refused = |image: &str, pattern: &str| {
            format!(
                "docker's image {image} was built or loaded here, and has no manifest's digest that an artifact could be attached \
                 to: demand it with a file in requirements.d with images = [\"{pattern}\"], or push the image and pull it"
            )
        };
        let id = Digest::of(b"id").to_string();
        check(meant(Vec::new(), Some("upf:1")), Err(refused(&format!("upf:1 ({id})"), "upf:1")));
        check(meant(Vec::new(), None), Err(refused(&id, &id)));
    }

    #[test]
    fn a_subject_that_no_engine_has_is_a_digest() {
        let digest = Digest::of(b"image");
        let silent = || Err(vec!["docker does not answer".to_owned()]);
        let check = |text: &str, expected: Result<Digest, &str>| {
            let found = subject(text, silent()).map_err(|err| err.to_string());
            assert_eq!(found, expected.map_err(str::to_owned), "{text}");
        };
        check(&digest.to_string(), Ok(digest));
        check(&format!("acme/upf:1@{digest}"), Ok(digest));
        check(
            "sha256:12",
            Err(
                "digest \"sha256:12\" has 2 digits, expected 64, and no engine here has an image with that ID: write the digest of \
                 its manifest or index, sha256: and 64 digits; docker does not answer",
            ),
        );
        check(
            "acme/upf:1",
            Err(
                "no engine here has an image \"acme/upf:1\": write the digest of its manifest or index, sha256: and 64 digits; \
                 docker does not answer",
            ),
        );
    }
}
