//! The patterns of images in a configuration: the images of this host that each matches, and patterns that can match none.

use std::path::Path;

use serde::Serialize;

use crate::decide::requirements::SurveyedOwn;
use crate::image::{Image, ImagePattern};
use crate::policy::Survey;
use crate::spec::Place;
use crate::words::text::printable;

use super::Remark;
use super::doubts::place;

/// What the engines of this host hold.
#[derive(Debug, Default)]
pub struct LocalImages {
    /// Each image once for each repository that it has a name of.
    pub images: Vec<Image>,
    /// Why engines did not say, each a sentence.
    pub silent: Vec<String>,
}

/// A pattern, and the images that it fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PatternReport {
    /// As it was written.
    pub pattern: String,
    /// What it is for: `may_waive`, `waiver`, `trust` or `requirements`.
    pub of: &'static str,
    /// Where it stands: a file, and the line where that is known.
    pub from: String,
    /// The images of this host that it fits, each by one of its names; absent if no engine was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fits: Option<Vec<String>>,
}

/// A pattern at its place.
pub(super) struct PlacedPattern<'a> {
    pattern: &'a ImagePattern,
    of: &'static str,
    file: String,
    at: Option<Place>,
}

/// All patterns of a configuration, in the order in which they are reported.
pub(super) fn all<'a>(survey: &'a Survey, own: &'a [SurveyedOwn]) -> Vec<PlacedPattern<'a>> {
    let named = |file: &Path| file.display().to_string();
    let said = survey.keys.get("may_waive.images");
    let (file, at) = said.map(|(file, at)| (named(file), Some(*at))).unwrap_or_default();
    let may_waive = survey.policy.may_waive.iter();
    let mut all: Vec<_> =
        may_waive.map(|pattern| PlacedPattern { pattern, of: "may_waive", file: file.clone(), at }).collect();
    let placed = |pattern, of, from: &str| {
        let (file, at) = place(from);
        PlacedPattern { pattern, of, file: file.to_owned(), at }
    };
    all.extend(survey.policy.waivers.iter().map(|it| placed(&it.image, "waiver", &it.from)));
    all.extend(survey.trust.rules.iter().map(|it| placed(&it.pattern, "trust", &it.from)));
    for file in own {
        let whole =
            |pattern| PlacedPattern { pattern, of: "requirements", file: named(&file.path), at: None };
        all.extend(file.images.iter().map(whole));
    }
    all
}

/// What is probably not meant.
pub(super) fn doubt(placed: &PlacedPattern<'_>) -> Option<Remark> {
    let doubt = placed.pattern.doubt()?;
    let message = format!("the pattern {:?} {doubt}", placed.pattern.text());
    Some(Remark::new(Path::new(&placed.file), placed.at, &message))
}

impl PlacedPattern<'_> {
    pub(super) fn report(&self, images: Option<&LocalImages>) -> PatternReport {
        let from = match self.at {
            Some(at) => format!("{}:{}", self.file, at.line),
            None => self.file.clone(),
        };
        let fits = images.map(|it| it.images.iter().filter_map(|it| self.name(it)).collect());
        PatternReport { pattern: printable(self.pattern.text()), of: self.of, from: printable(&from), fits }
    }

    /// A name of an image that the pattern fits; the first, where it fits by a digest.
    fn name(&self, image: &Image) -> Option<String> {
        let fits = |names: &[String]| {
            self.pattern.matches(&Image { names: names.to_vec(), digests: image.digests.clone() })
        };
        let by_name = image.names.iter().find(|it| fits(std::slice::from_ref(it)));
        let found = by_name.or_else(|| image.names.first().filter(|_| fits(&image.names)))?;
        Some(printable(found))
    }
}
