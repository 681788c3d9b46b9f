//! `why`: the last decision on a container, or on an image; from its report, or from the log of decisions.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use oci_compat::image::{Image, Reference};
use oci_compat::outcome::history::{self, Whose};
use oci_compat::outcome::report::{Pod, Report, Subject};
use oci_compat::outcome::saved;

use crate::args::ReportFormat;
use crate::output::Output;
use crate::{check, engines};

/// Where decisions are.
struct DecisionPlaces<'a> {
    folders: &'a [PathBuf],
    decisions: &'a [PathBuf],
}

/// The report, or what the log of decisions knows once that is gone. A container goes before an image that is called so.
pub(crate) fn run(
    wanted: Option<&str>,
    folders: &[PathBuf],
    decisions: &[PathBuf],
    format: ReportFormat,
    output: &mut Output,
) -> anyhow::Result<u8> {
    let places = DecisionPlaces { folders, decisions };
    let found = match wanted {
        None => places.search(Whose::All)?,
        Some(text) => places.find(text)?,
    };
    let named =
        |paths: &[PathBuf]| paths.iter().map(|it| it.display().to_string()).collect::<Vec<_>>().join(", ");
    let report = found.ok_or_else(|| {
        let about = wanted.map(|it| format!(" on a container or image {it:?}")).unwrap_or_default();
        anyhow!(
            "there is no report{about} in {}, and no decision in {}; only containers that were \
             refused, or started with a doubt, leave any",
            named(folders),
            named(decisions)
        )
    })?;
    check::show(&report, format, output)?;
    Ok(0)
}

impl DecisionPlaces<'_> {
    fn find(&self, text: &str) -> anyhow::Result<Option<Report>> {
        let may_be_container = Pod::may_be_meant(text) || saved::is_id(text);
        if may_be_container && let Some(report) = self.search(Whose::Container(text))? {
            return Ok(Some(report));
        }
        let image = match image(text)? {
            Some(image) => image,
            None if may_be_container => return Ok(None),
            None => bail!("{text:?} is no container id, and no name of an image"),
        };
        let fits = |it: &Subject| image.is_noted(it.image.as_deref(), it.digest.as_deref());
        self.search(Whose::Fitting(&fits))
    }

    fn search(&self, whose: Whose<'_>) -> anyhow::Result<Option<Report>> {
        // Of several places, the last one is the system's, which a user may not be allowed to see.
        let is_last = |at: usize, of: usize| of > 1 && at + 1 == of;
        let report = |folder: &PathBuf| match whose {
            Whose::All => saved::latest(folder),
            Whose::Container(prefix) => saved::read(folder, prefix),
            Whose::Fitting(fits) => saved::last(folder, fits),
        };
        let Self { folders, decisions } = self;
        let reports = folders.iter().enumerate().map(|(at, it)| (is_last(at, folders.len()), report(it)));
        let records = decisions
            .iter()
            .enumerate()
            .map(|(at, it)| (is_last(at, decisions.len()), history::last(it, whose)));
        let mut failed = None;
        for (is_the_system_s, found) in reports.chain(records) {
            match found {
                Ok(Some(report)) => return Ok(Some(report)),
                Ok(None) => {}
                Err(err) if is_the_system_s => failed = failed.or(Some(err)),
                Err(err) => return Err(err),
            }
        }
        failed.map_or(Ok(None), Err)
    }
}

/// The image that is called so: an engine's, or whatever has this digest or name. `None` for what may be neither.
fn image(text: &str) -> anyhow::Result<Option<Image>> {
    if let Ok(found) = engines::find(text, Path::new("/"))? {
        return Ok(Some(found.image));
    }
    let digest = text.rsplit_once('@').map_or(text, |(_, it)| it).parse();
    Ok(match digest {
        Ok(digest) => Some(Image { names: Vec::new(), digests: vec![digest] }),
        Err(_) if text.parse::<Reference>().is_ok() => {
            Some(Image { names: vec![text.to_owned()], digests: Vec::new() })
        }
        Err(_) => None,
    })
}
