//! The engines that options name, and the images that people name.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use oci_compat::container::identity::EnginePlaces;
use oci_compat::container::identity::engines::{self, ALL, Answers, AskedEngine};
use oci_compat::container::identity::images::ImageEngine;
use oci_compat::container::identity::named::FoundImage;
use oci_compat::container::identity::stored::ImageFolders;
use oci_compat::store::Digest;
use oci_compat::words::text::printable;

use crate::args::{CONTAINERD, EngineArg};

/// Asks these engines of the host in this folder.
pub(crate) fn ask(engines: &[EngineArg], root: Option<&Path>, socket: &Path, host: &Path) -> Answers {
    let asked: Vec<_> = engines.iter().flat_map(|it| it.engines()).collect();
    let places = EnginePlaces { root: host.to_owned() };
    engines::ask(&asked, root, &engines::socket_below(host, socket), &places)
}

impl EngineArg {
    fn engines(self) -> Vec<AskedEngine> {
        let named = |engine| vec![AskedEngine { engine, is_optional: false }];
        match self {
            Self::All => ALL.to_vec(),
            Self::Containerd => named(ImageEngine::Containerd),
            Self::Docker => named(ImageEngine::Docker),
            Self::Podman => named(ImageEngine::Podman),
        }
    }
}

/// Where engines of the host in this folder keep images.
pub(crate) fn folders<'a>(
    places: &'a EnginePlaces,
    root: Option<&'a Path>,
    socket: &Path,
) -> ImageFolders<'a> {
    ImageFolders::new(places, root, &engines::socket_below(&places.root, socket))
}

/// As [`engines::image`], of the host in this folder. The chosen image is printed to stderr.
pub(crate) fn find(text: &str, host: &Path) -> anyhow::Result<Result<FoundImage, Vec<String>>> {
    let socket = engines::socket_below(host, Path::new(CONTAINERD));
    let found = engines::image(text, &socket, &EnginePlaces { root: host.to_owned() })?;
    if let Ok(found) = &found {
        let note = format!("note: {text:?} is {found}");
        // The stream is closed.
        let _unheard = writeln!(std::io::stderr(), "{}", printable(&note));
    }
    Ok(found)
}

/// The digests at which an engine of this host keeps the image that a person means; none if no engine knows it.
pub(crate) fn digests(text: &str) -> anyhow::Result<Vec<Digest>> {
    Ok(find(text, Path::new("/"))?.map_or_else(|_silent| Vec::new(), |it| it.digests))
}

/// The digest to which an artifact is attached, as `--subject` names it.
pub(crate) fn subject(text: &str) -> anyhow::Result<Digest> {
    let found = find(text, Path::new("/")).and_then(|it| engines::subject(text, it));
    found.with_context(|| format!("--subject {text:?}"))
}
