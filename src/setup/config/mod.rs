//! The errors, the probable mistakes and the effective settings of a configuration, each with its place. For the command line:
//! the hook and the wrapper stop at the first error. Never changes anything.

mod doubts;
mod patterns;
mod settings;
mod text;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::decide::requirements;
use crate::policy::Survey;
use crate::spec::Place;
use crate::words::moment::Moment;
use crate::words::text::{printable, printable_path};

pub use patterns::{LocalImages, PatternReport};
pub use settings::{RequirementReport, Setting, TrustReport, WaiverInForce};
pub use text::text;

/// The name and version of the JSON document; fields are only ever added.
pub const SCHEMA: &str = "oci-compat.config/v1";

/// What else has to be known of the machine.
#[derive(Debug)]
pub struct KnownMachine<'a> {
    /// Folders in which runtimes are looked for.
    pub path: &'a [PathBuf],
    /// What time it is.
    pub now: Moment,
    /// The images that its engines hold; `None` if none was asked.
    pub images: Option<&'a LocalImages>,
}

/// A configuration, held up to the light. Text in it is escaped already.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The files that were read, in their order.
    pub files: Vec<String>,
    /// Whether the defaults hold, because of the errors; `mode` in the settings says whether they are carried out.
    pub broken: bool,
    /// What has to be mended.
    pub errors: Vec<Remark>,
    /// What is probably not meant.
    pub warnings: Vec<Remark>,
    /// Every key, its value, and where it was set.
    pub settings: Vec<Setting>,
    /// The exceptions, in the order in which they were read.
    pub waivers: Vec<WaiverInForce>,
    /// What is demanded of artifacts before they are stored.
    pub trust: Vec<TrustReport>,
    /// The files of the administrator's own requirements.
    pub requirements: Vec<RequirementReport>,
    /// How many images the engines of this host hold; absent if none was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<usize>,
    /// Why engines did not say which images they hold, each a sentence.
    pub silent: Vec<String>,
    /// Every pattern of images, in the order in which they were read, and which images of this host it fits.
    pub patterns: Vec<PatternReport>,
}

/// Something about a place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// The file, or the folder.
    pub file: String,
    /// From one; absent if it is about the whole file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// From one, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// One sentence.
    pub message: String,
}

/// Looks at a configuration, its drop-ins, and the requirements that it names.
pub fn inspect(path: &Path, machine: &KnownMachine<'_>) -> Inspection {
    let survey = Survey::of(path);
    let own = survey.policy.requirements.as_deref().map(requirements::survey).unwrap_or_default();
    let mut errors = errors(&survey, path);
    errors.extend(own.iter().flat_map(|it| &it.problems).map(|it| Remark::new(&it.file, it.at, &it.message)));
    let patterns = patterns::all(&survey, &own);
    let mut warnings = doubts::of(&survey, machine);
    warnings.extend(patterns.iter().filter_map(patterns::doubt));
    Inspection {
        schema: SCHEMA,
        files: survey.files.iter().map(|it| printable_path(&it.path)).collect(),
        broken: survey.is_broken,
        errors,
        warnings,
        settings: settings::of(&survey),
        waivers: survey.policy.waivers.iter().map(WaiverInForce::new).collect(),
        trust: survey.trust.rules.iter().map(TrustReport::new).collect(),
        requirements: own.iter().filter(|it| it.problems.is_empty()).map(RequirementReport::new).collect(),
        images: machine.images.map(|it| it.images.len()),
        silent: machine.images.iter().flat_map(|it| &it.silent).map(|it| printable(it)).collect(),
        patterns: patterns.iter().map(|it| it.report(machine.images)).collect(),
    }
}

fn errors(survey: &Survey, path: &Path) -> Vec<Remark> {
    let mut errors: Vec<_> = survey.trouble.iter().map(|it| Remark::new(path, None, it)).collect();
    for file in &survey.files {
        match &file.problems {
            Ok(problems) => {
                errors.extend(problems.iter().map(|it| Remark::new(&file.path, Some(it.at), &it.message)));
            }
            Err(trouble) => errors.push(Remark::new(&file.path, None, trouble)),
        }
    }
    errors
}

impl Remark {
    /// If the message starts with the file's name, the name is not repeated.
    fn new(file: &Path, at: Option<Place>, message: &str) -> Self {
        let file = file.display().to_string();
        let rest = message.strip_prefix(file.as_str()).and_then(|it| it.strip_prefix(' '));
        Self {
            line: at.map(|it| it.line),
            column: at.map(|it| it.column),
            message: printable(rest.unwrap_or(message)),
            file: printable(&file),
        }
    }
}
