//! `lint`: errors and probable mistakes in spec files.

use std::path::Path;

use oci_compat::author::lint::{self, RemarkLevel};
use oci_compat::outcome::report::{ProblemReport, problems};
use oci_compat::spec::formats::{self, Understood};
use serde::Serialize;

use crate::TROUBLE;
use crate::args::{LintArgs, ReportFormat};
use crate::check::read;
use crate::output::Output;
use oci_compat::words::text::counted;
use oci_compat::words::text::{printable, printable_path};

/// `--format json`; fields are only ever added.
#[derive(Serialize)]
struct LintDocument {
    schema: &'static str,
    files: Vec<LintedFile>,
}

#[derive(Serialize)]
struct LintedFile {
    file: String,
    errors: Vec<ProblemReport>,
    warnings: Vec<ProblemReport>,
    notes: Vec<ProblemReport>,
}

pub(crate) fn run(args: &LintArgs, output: &mut Output) -> anyhow::Result<u8> {
    let (mut files, mut is_unread) = (Vec::new(), false);
    for path in &args.files {
        match look_at(path) {
            Ok(file) => files.push(file),
            // The others are looked at all the same.
            Err(err) => {
                log::error!("{err:#}");
                is_unread = true;
            }
        }
    }
    let errors: usize = files.iter().map(|it| it.errors.len()).sum();
    let warnings: usize = files.iter().map(|it| it.warnings.len()).sum();
    match args.format {
        ReportFormat::Json => output.json(&LintDocument { schema: "oci-compat.lint/v1", files })?,
        ReportFormat::Text => output.print(&text(&files, errors, warnings))?,
    }
    Ok(match is_unread {
        true => TROUBLE,
        false => u8::from(errors > 0 || (args.deny_warnings && warnings > 0)),
    })
}

fn look_at(path: &Path) -> anyhow::Result<LintedFile> {
    let file = printable_path(path);
    let Understood { spec, malformed, losses } = formats::understand(&read(path)?);
    let remarks = match (&spec, &malformed) {
        (Some(spec), None) => lint::lint(spec),
        (Some(spec), Some(_)) => lint::lint_partly(spec),
        (None, _) => Vec::new(),
    };
    let of = |level| remarks.iter().filter(|it| it.level == level).map(remark).collect();
    let (warnings, mut notes): (_, Vec<ProblemReport>) = (of(RemarkLevel::Warning), of(RemarkLevel::Note));
    notes.extend(losses.iter().map(|it| ProblemReport {
        line: it.at.line,
        column: it.at.column,
        message: printable(&it.message),
    }));
    Ok(LintedFile { file, errors: malformed.as_ref().map(problems).unwrap_or_default(), warnings, notes })
}

fn remark(remark: &lint::Warning) -> ProblemReport {
    ProblemReport { line: remark.at.line, column: remark.at.column, message: printable(&remark.message) }
}

fn text(files: &[LintedFile], errors: usize, warnings: usize) -> String {
    let mut text = String::new();
    for LintedFile { file, errors, warnings, notes } in files {
        let errors = errors.iter().map(|it| ("error", it));
        let remarks = warnings.iter().map(|it| ("warning", it)).chain(notes.iter().map(|it| ("note", it)));
        let mut lines: Vec<_> = errors.chain(remarks).collect();
        lines.sort_by_key(|(_, it)| (it.line, it.column));
        for (level, ProblemReport { line, column, message }) in lines {
            text.push_str(&format!("{file}:{line}:{column}: {level}: {message}\n"));
        }
    }
    let notes = match files.iter().map(|it| it.notes.len()).sum() {
        0 => String::new(),
        count => format!(", {}", counted(count, "note")),
    };
    let counts = format!("{}, {}{notes}", counted(errors, "error"), counted(warnings, "warning"));
    text.push_str(&format!("{}: {counts}\n", counted(files.len(), "file")));
    text
}
