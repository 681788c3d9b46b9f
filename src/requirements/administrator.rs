//! The administrator's own requirements, from files of a folder that only root can write. What is wrong with a file is
//! trouble of ours, not of an image.

use std::path::{Path, PathBuf};

use crate::check::Requirement;
use crate::file;
use crate::policy::own::{self, Own, Source};
use crate::policy::{Image, ImagePattern, toml_files};
use crate::report::Origin;
use crate::spec::{self, Spec};

/// Written by hand; a spec has at most 1 MiB.
const MAX_FILE: usize = 2 << 20;

/// A file of the folder, and what it says.
#[derive(Debug)]
pub(super) struct OwnFile {
    path: PathBuf,
    own: Own,
}

/// Reads the files of the folder, and what is wrong with them; nothing if there is no such folder.
pub(super) fn files(folder: &Path) -> (Vec<OwnFile>, Vec<String>) {
    let paths = match trusted(folder) {
        Ok(paths) => paths,
        Err(err) => return (Vec::new(), vec![format!("the requirements cannot be used: {err:#}")]),
    };
    let (mut files, mut troubles) = (Vec::new(), Vec::new());
    for path in paths {
        match read(&path) {
            Ok(own) => files.push(OwnFile { path, own }),
            Err(err) => troubles.push(format!("requirements {err}")),
        }
    }
    (files, troubles)
}

fn trusted(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if file::is_trusted_folder(folder)? { toml_files(folder) } else { Ok(Vec::new()) }
}

fn read(path: &Path) -> Result<Own, String> {
    let text = text(path)?;
    own::read(&text).map_err(|problems| {
        let first = problems.first().map(ToString::to_string).unwrap_or_default();
        format!("{}:{first}{}", path.display(), more(problems.len()))
    })
}

fn text(path: &Path) -> Result<String, String> {
    let bytes = file::read_trusted(path, MAX_FILE).map_err(|err| format!("{err:#}"))?;
    let bytes = bytes.ok_or_else(|| format!("{} is not there", path.display()))?;
    String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8 text", path.display()))
}

fn more(count: usize) -> String {
    match count {
        0 | 1 => String::new(),
        count => format!(" (+{} more: oci-compat config check)", count - 1),
    }
}

impl OwnFile {
    /// The patterns of the images that it is for.
    pub(super) fn images(&self) -> &[ImagePattern] {
        &self.own.images
    }

    /// Whether it is for this image.
    pub(super) fn is_for(&self, image: &Image) -> bool {
        self.images().iter().any(|it| it.matches(image))
    }

    /// As messages call it.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// What it demands.
    pub(super) fn requirement(&self) -> Result<Requirement, String> {
        let spec = self.spec()?;
        Ok(Requirement { origin: Origin::Administrator(self.name()), spec: Ok(spec) })
    }

    fn spec(&self) -> Result<Spec, String> {
        let (text, name) = match &self.own.source {
            Source::Text(text) => (text.clone(), format!("{}: its spec", self.name())),
            Source::File(name) => {
                let path = self.path.with_file_name(name);
                (
                    text(&path).map_err(|it| format!("requirements {}: {it}", self.name()))?,
                    path.display().to_string(),
                )
            }
        };
        spec::parse(text.as_bytes()).map_err(|err| format!("requirements {name} is malformed, at {err}"))
    }
}
