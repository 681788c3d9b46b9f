//! `lint`: what is wrong with spec files, and what is probably not meant.

use std::path::Path;

use oci_compat::report::{ProblemReport, printable, problems};
use oci_compat::{lint, spec};
use serde::Serialize;

use crate::args::{Lint, ReportFormat};
use crate::check::read;
use crate::output::Output;

/// `--format json`; fields are only ever added.
#[derive(Serialize)]
struct Document {
    schema: &'static str,
    files: Vec<File>,
}

#[derive(Serialize)]
struct File {
    file: String,
    errors: Vec<ProblemReport>,
    warnings: Vec<ProblemReport>,
}

pub(crate) fn run(args: &Lint, output: &mut Output) -> anyhow::Result<u8> {
    let files = args.files.iter().map(|it| look_at(it)).collect::<Result<Vec<_>, _>>()?;
    let errors: usize = files.iter().map(|it| it.errors.len()).sum();
    let warnings: usize = files.iter().map(|it| it.warnings.len()).sum();
    match args.format {
        ReportFormat::Json => output.json(&Document { schema: "oci-compat.lint/v1", files })?,
        ReportFormat::Text => output.print(&text(&files, errors, warnings))?,
    }
    Ok(u8::from(errors > 0 || (args.deny_warnings && warnings > 0)))
}

fn look_at(path: &Path) -> anyhow::Result<File> {
    let (errors, warnings) = match spec::parse(&read(path)?) {
        Ok(spec) => (Vec::new(), lint::lint(&spec).iter().map(warning).collect()),
        Err(malformed) => (problems(&malformed), Vec::new()),
    };
    Ok(File { file: printable(&path.display().to_string()), errors, warnings })
}

fn warning(warning: &lint::Warning) -> ProblemReport {
    ProblemReport { line: warning.at.line, column: warning.at.column, message: printable(&warning.message) }
}

fn text(files: &[File], errors: usize, warnings: usize) -> String {
    let mut text = String::new();
    for File { file, errors, warnings } in files {
        let errors = errors.iter().map(|it| ("error", it));
        for (level, ProblemReport { line, column, message }) in
            errors.chain(warnings.iter().map(|it| ("warning", it)))
        {
            text.push_str(&format!("{file}:{line}:{column}: {level}: {message}\n"));
        }
    }
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let counts = format!("{}, {}", plural(errors, "error"), plural(warnings, "warning"));
    text.push_str(&format!("{}: {counts}\n", plural(files.len(), "file")));
    text
}
