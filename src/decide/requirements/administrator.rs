//! The administrator's own requirements, from files of a folder that only root can write. What is wrong with a file is
//! trouble of ours, not of an image.

use std::path::{Path, PathBuf};

use anyhow::anyhow;

use crate::container::identity::CheckDeadline;
use crate::decide::check::Requirement;
use crate::image::{Image, ImagePattern};
use crate::os::file::{self, Approach};
use crate::outcome::report::SpecOrigin;
use crate::policy::own::{self, Own, SpecSource};
use crate::policy::toml_files;
use crate::spec::{self, Place, Problem, Spec};

/// Written by hand; a spec has at most 1 MiB.
const MAX_FILE: usize = 2 << 20;

/// A file of the folder, and its content.
#[derive(Debug)]
pub(super) struct OwnFile {
    path: PathBuf,
    own: Own,
    /// Whether its file system may never answer.
    is_far: bool,
}

/// A file of the folder, with everything that is wrong with it.
#[derive(Debug)]
pub struct SurveyedOwn {
    /// Where it is; the folder itself, if that cannot be used.
    pub path: PathBuf,
    /// The patterns of the images that it is for.
    pub images: Vec<ImagePattern>,
    /// In the order of the file.
    pub problems: Vec<OwnProblem>,
}

/// One thing that is wrong with the administrator's own requirements.
#[derive(Debug, PartialEq, Eq)]
pub struct OwnProblem {
    /// The file: of the folder, or the spec that it names.
    pub file: PathBuf,
    /// Where; none if it is about the whole file.
    pub at: Option<Place>,
    /// One sentence.
    pub message: String,
}

/// Looks at all files of the folder, for those who write them.
pub fn survey(folder: &Path) -> Vec<SurveyedOwn> {
    match trusted(folder) {
        Ok(paths) => paths.into_iter().map(SurveyedOwn::of).collect(),
        Err(err) => {
            let problem = OwnProblem { file: folder.to_owned(), at: None, message: format!("{err:#}") };
            vec![SurveyedOwn { path: folder.to_owned(), images: Vec::new(), problems: vec![problem] }]
        }
    }
}

impl SurveyedOwn {
    fn of(path: PathBuf) -> Self {
        let whole = |file: &Path, message: String| OwnProblem { file: file.to_owned(), at: None, message };
        let (images, problems) = match text(&path).map(|it| own::read(&it)) {
            Err(trouble) => (Vec::new(), vec![whole(&path, trouble)]),
            Ok(Err(problems)) => {
                let problem =
                    |it: Problem| OwnProblem { file: path.clone(), at: Some(it.at), message: it.message };
                (Vec::new(), problems.into_iter().map(problem).collect())
            }
            Ok(Ok(own)) => (own.images, Self::spec_problems(&path, &own.source)),
        };
        Self { path, images, problems }
    }

    fn spec_problems(path: &Path, source: &SpecSource) -> Vec<OwnProblem> {
        let (file, text) = match source {
            SpecSource::Text(text) => (path.to_owned(), Ok(text.clone())),
            SpecSource::File(name) => (path.with_file_name(name), text(&path.with_file_name(name))),
        };
        let text = match text {
            Ok(text) => text,
            Err(message) => return vec![OwnProblem { file: path.to_owned(), at: None, message }],
        };
        let problem = |it: &Problem| match source {
            // Where a text starts in a file, its quotes decide.
            SpecSource::Text(_) => {
                let message = format!("its spec, at {it}");
                OwnProblem { file: file.clone(), at: None, message }
            }
            SpecSource::File(_) => {
                OwnProblem { file: file.clone(), at: Some(it.at), message: it.message.clone() }
            }
        };
        spec::parse(text.as_bytes()).err().map(|it| it.iter().map(problem).collect()).unwrap_or_default()
    }
}

/// Reads the files of the folder, and their errors; nothing if there is no such folder.
/// Where its file system may never answer, a process apart reads them.
pub(super) fn files(folder: &Path, until: CheckDeadline<'_>) -> (Vec<OwnFile>, Vec<String>) {
    let (paths, is_far) = match trusted_until(folder, until) {
        Ok(found) => found,
        Err(err) => return (Vec::new(), vec![format!("the requirements cannot be used: {err:#}")]),
    };
    let (mut files, mut troubles) = (Vec::new(), Vec::new());
    for path in paths {
        match read(&path, is_far.then_some(until)) {
            Ok(own) => files.push(OwnFile { path, own, is_far }),
            Err(err) => troubles.push(format!("requirements {err}")),
        }
    }
    (files, troubles)
}

fn trusted(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if file::is_trusted_folder(folder)? { toml_files(folder) } else { Ok(Vec::new()) }
}

/// And whether it is far.
fn trusted_until(folder: &Path, until: CheckDeadline<'_>) -> anyhow::Result<(Vec<PathBuf>, bool)> {
    match file::approach(folder)? {
        Approach::Absent => Ok((Vec::new(), false)),
        Approach::Trusted => Ok((toml_files(folder)?, false)),
        Approach::Far => {
            let look = || trusted(folder).map_err(|err| format!("{err:#}"));
            let found = file::ask_apart(until(), look).map_err(|it| anyhow!("{} {it}", folder.display()))?;
            Ok((found.map_err(anyhow::Error::msg)?, true))
        }
    }
}

/// As [`text`], in a process apart until then if a moment is named.
fn text_until(path: &Path, until: Option<CheckDeadline<'_>>) -> Result<String, String> {
    let Some(until) = until else { return text(path) };
    file::ask_apart(until(), || text(path)).map_err(|it| format!("{} {it}", path.display()))?
}

fn read(path: &Path, until: Option<CheckDeadline<'_>>) -> Result<Own, String> {
    let text = text_until(path, until)?;
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
    pub(super) fn requirement(&self, until: CheckDeadline<'_>) -> Result<Requirement, String> {
        let spec = self.spec(self.is_far.then_some(until))?;
        Ok(Requirement { origin: SpecOrigin::Administrator(self.name()), spec: Ok(spec) })
    }

    fn spec(&self, until: Option<CheckDeadline<'_>>) -> Result<Spec, String> {
        let (text, name) = match &self.own.source {
            SpecSource::Text(text) => (text.clone(), format!("{}: its spec", self.name())),
            SpecSource::File(name) => {
                let path = self.path.with_file_name(name);
                (
                    text_until(&path, until).map_err(|it| format!("requirements {}: {it}", self.name()))?,
                    path.display().to_string(),
                )
            }
        };
        spec::parse(text.as_bytes()).map_err(|err| format!("requirements {name} is malformed, at {err}"))
    }
}
