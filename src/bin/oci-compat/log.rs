//! `log`, and the half of `why` that survives a reboot: both read the file of decisions.

use std::collections::VecDeque;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use oci_compat::container::identity;
use oci_compat::image::{Image, Reference};
use oci_compat::outcome::decisions;
use oci_compat::outcome::history::{
    self, DecisionFilter, DecisionOutcome, HistoryCounts, HistoryEntry, Summary, when,
};
use oci_compat::words::text::{printable, printable_path};

use crate::args::{LogAction, LogArgs, ReportFormat};
use crate::config::decisions;
use crate::engines;
use crate::output::Output;

pub(crate) fn run(args: &LogArgs, config: &Path, output: &mut Output) -> anyhow::Result<u8> {
    let paths = decisions(args.file.as_deref(), config);
    let is_there = |it: &&PathBuf| it.symlink_metadata().is_ok();
    let path = paths.iter().find(is_there).or(paths.last()).context("there is no file of decisions")?;
    let filter = filter(args)?;
    let mut counter = Summary::counter();
    let mut last = VecDeque::new();
    let found = history::read(path, |entry| {
        if !filter.accepts(&entry) {
            return Ok(());
        }
        counter.add(&entry);
        if args.summary {
            return Ok(());
        }
        let row = row(&entry, args.format);
        let Some(count) = args.last else { return Ok(writeln!(output.writer(), "{row}")?) };
        if last.len() == count {
            last.pop_front();
        }
        last.push_back(row);
        Ok(())
    })?;
    for row in last {
        writeln!(output.writer(), "{row}")?;
    }
    sum_up(&counter.summary(), args, output)?;
    complain(found, path, args)?;
    Ok(0)
}

/// What is empty for want of a file, and what could not be read, is no data.
fn complain(found: HistoryCounts, path: &Path, args: &LogArgs) -> anyhow::Result<()> {
    let path = printable_path(path);
    match found {
        HistoryCounts { files: 0, .. } if args.file.is_some() => bail!("{path} is not there"),
        HistoryCounts { files: 0, .. } => {
            writeln!(std::io::stderr(), "note: {path} is not there: nothing was ever recorded on this host")?;
        }
        HistoryCounts { skipped: 0, .. } => {}
        HistoryCounts { skipped, .. } => {
            let lines = if skipped == 1 { "line is" } else { "lines are" };
            writeln!(std::io::stderr(), "warning: {path}: {skipped} {lines} torn, or no decision of ours")?;
        }
    }
    Ok(())
}

fn filter(args: &LogArgs) -> anyhow::Result<DecisionFilter> {
    let now = decisions::now();
    let moment = |it: &Option<String>| it.as_deref().map(|it| when(it, now)).transpose();
    Ok(DecisionFilter {
        since: moment(&args.since)?,
        until: moment(&args.until)?,
        image: args.image.clone(),
        known_image: args.image.as_deref().map(known_image).transpose()?.flatten(),
        code: args.code.clone(),
        container: args.container.clone(),
        verdict: args.verdict.map(|it| it.verdict()),
        outcome: match args.action {
            LogAction::All => None,
            LogAction::Refused => Some(DecisionOutcome::Refused),
            LogAction::WouldRefuse => Some(DecisionOutcome::WouldBeRefused),
            LogAction::Started => Some(DecisionOutcome::Started),
        },
    })
}

/// An engine is asked only for what may be an ID of its own; decisions have names, and digests.
fn known_image(text: &str) -> anyhow::Result<Option<Image>> {
    if identity::named::may_be_id(text) {
        return Ok(engines::find(text, Path::new("/"))?.ok().map(|it| it.image));
    }
    let is_name = text.parse::<Reference>().is_ok();
    Ok(is_name.then(|| Image { names: vec![text.to_owned()], digests: Vec::new() }))
}

fn row(entry: &HistoryEntry<'_>, format: ReportFormat) -> String {
    match format {
        ReportFormat::Text => entry.record.text(),
        ReportFormat::Json => entry.line.to_owned(),
    }
}

/// Behind a list for people too: there it stands where they look first, above the prompt.
fn sum_up(summary: &Summary, args: &LogArgs, output: &mut Output) -> anyhow::Result<()> {
    match (args.format, args.summary) {
        (ReportFormat::Json, true) => return output.json(summary),
        (ReportFormat::Json, false) => {}
        (ReportFormat::Text, _) => {
            let blank = if args.summary || summary.decisions == 0 { "" } else { "\n" };
            write!(output.writer(), "{blank}{}", printable_lines(&summary.text()))?;
        }
    }
    Ok(output.writer().flush()?)
}

/// The file may have come from elsewhere.
fn printable_lines(text: &str) -> String {
    text.lines().flat_map(|it| [printable(it), "\n".to_owned()]).collect()
}
