//! What `lint` says to people: each remark with an excerpt of its file, or on one line.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use oci_compat::author::lint::{LintRemark, RemarkLevel, SpecText};
use oci_compat::outcome::report::Style;
use oci_compat::words::text::{counted, printable};

use super::LintedFile;

/// This much of a long line before and after what is pointed at, in bytes.
const AROUND: usize = 200;

/// Each remark with its line, and carets below it.
pub(super) fn excerpts(files: &[LintedFile], style: Style, is_quiet: bool) -> String {
    let renderer = match style {
        Style::Colour => Renderer::styled(),
        Style::Plain => Renderer::plain(),
    };
    let mut text = String::new();
    for file in files {
        let source = SpecText::new(&file.text);
        for remark in &file.remarks {
            text.push_str(&excerpt(file, &source, remark, &renderer));
            text.push_str("\n\n");
        }
    }
    text + &summary(files, is_quiet)
}

fn excerpt(file: &LintedFile, source: &SpecText<'_>, remark: &LintRemark, renderer: &Renderer) -> String {
    let span = source.span(remark);
    let at = source.place(span.start);
    let (line, range, is_whole) = window(source, at.line, span);
    let level = match remark.level() {
        RemarkLevel::Error => Level::ERROR,
        RemarkLevel::Warning => Level::WARNING,
        RemarkLevel::Note => Level::NOTE,
    };
    let (message, help) = (printable(&remark.message), remark.help.as_deref().map(printable));
    let annotation = AnnotationKind::Primary.span(range);
    let snippet = Snippet::source(line).line_start(at.line).annotation(annotation);
    let title = level.primary_title(message).id(remark.code.info().name);
    // Where the line is cut or escaped, its columns are not those of the file.
    let group = match is_whole {
        true => title.element(snippet.path(file.name.as_str())),
        false => title
            .element(Origin::path(file.name.as_str()).line(at.line).char_column(at.column))
            .element(snippet),
    };
    match help {
        Some(help) => renderer.render(&[group.element(Level::HELP.message(help))]),
        None => renderer.render(&[group]),
    }
}

/// A line without what a terminal would act on, what to point at in it, and whether it is all as it is written.
fn window(source: &SpecText<'_>, number: usize, span: Range<usize>) -> (String, Range<usize>, bool) {
    let (start, line) = source.line(number);
    let from = span.start.saturating_sub(start).min(line.len());
    let to = span.end.saturating_sub(start).clamp(from, line.len());
    let first = (from.saturating_sub(AROUND)..=from).find(|it| line.is_char_boundary(*it)).unwrap_or(0);
    let last = (to..line.len().min(to + AROUND)).rev().find(|it| line.is_char_boundary(*it));
    let last = last.filter(|_| to + AROUND < line.len()).unwrap_or(line.len());
    let safe = |range: Range<usize>| {
        let text = line.get(range).unwrap_or_default();
        text.split('\t').map(printable).collect::<Vec<_>>().join(" ")
    };
    let (before, marked, after) = (safe(first..from), safe(from..to), safe(to..last));
    let range = before.len()..before.len() + marked.len().max(1);
    let shown = format!("{before}{marked}{after}");
    let is_whole = shown == line;
    (shown, range, is_whole)
}

/// Each remark on a line of its own.
pub(super) fn short(files: &[LintedFile], is_quiet: bool) -> String {
    let mut text = String::new();
    for file in files {
        let source = SpecText::new(&file.text);
        for remark in &file.remarks {
            let (at, info) = (source.place(source.span(remark).start), remark.code.info());
            let (name, level, code) = (&file.name, info.level.word(), info.name);
            text.push_str(&format!("{name}:{at}: {level}[{code}]: {}\n", printable(&remark.sentence())));
        }
    }
    text + &summary(files, is_quiet)
}

fn summary(files: &[LintedFile], is_quiet: bool) -> String {
    if is_quiet {
        return String::new();
    }
    let count = |level| files.iter().map(|it| it.count(level)).sum();
    let (errors, warnings) = (count(RemarkLevel::Error), count(RemarkLevel::Warning));
    let mut text = format!(
        "{}: {}, {}",
        counted(files.len(), "file"),
        counted(errors, "error"),
        counted(warnings, "warning")
    );
    match count(RemarkLevel::Note) {
        0 => {}
        notes => text.push_str(&format!(", {}", counted(notes, "note"))),
    }
    match files.iter().map(|it| it.fixed).sum::<usize>() {
        0 => {}
        fixed => text.push_str(&format!(", {fixed} fixed")),
    }
    text.push('\n');
    text
}
