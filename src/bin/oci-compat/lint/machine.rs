//! What `lint` says to programs: JSON, SARIF 2.1.0 (OASIS), and the commands that GitHub's runners read from the output.

use std::collections::BTreeSet;

use oci_compat::author::lint::{LintCode, LintRemark, RemarkLevel, SpecText};
use oci_compat::spec::Place;
use oci_compat::words::text::printable;
use serde::Serialize;
use serde_json::{Value, json};

use super::LintedFile;

/// `--format json`; fields are only ever added.
#[derive(Serialize)]
pub(super) struct LintDocument {
    schema: &'static str,
    files: Vec<FileRemarks>,
}

#[derive(Serialize)]
struct FileRemarks {
    file: String,
    errors: Vec<RemarkDocument>,
    warnings: Vec<RemarkDocument>,
    notes: Vec<RemarkDocument>,
    fixed: usize,
}

#[derive(Serialize)]
struct RemarkDocument {
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    code: &'static str,
    message: String,
    can_fix: bool,
}

pub(super) fn json(files: &[LintedFile]) -> LintDocument {
    let files = files.iter().map(|file| {
        let source = SpecText::new(&file.text);
        let of = |level| {
            file.remarks.iter().filter(|it| it.level() == level).map(|it| document(it, &source)).collect()
        };
        FileRemarks {
            file: file.name.clone(),
            errors: of(RemarkLevel::Error),
            warnings: of(RemarkLevel::Warning),
            notes: of(RemarkLevel::Note),
            fixed: file.fixed,
        }
    });
    LintDocument { schema: "oci-compat.lint/v1", files: files.collect() }
}

fn document(remark: &LintRemark, source: &SpecText<'_>) -> RemarkDocument {
    let (start, end) = places(remark, source);
    RemarkDocument {
        line: start.line,
        column: start.column,
        end_line: end.line,
        end_column: end.column,
        code: remark.code.info().name,
        message: printable(&remark.sentence()),
        can_fix: remark.can_fix(),
    }
}

/// Where it starts, and the place behind it.
fn places(remark: &LintRemark, source: &SpecText<'_>) -> (Place, Place) {
    let span = source.span(remark);
    (source.place(span.start), source.place(span.end))
}

pub(super) fn sarif(files: &[LintedFile]) -> Value {
    let codes: BTreeSet<LintCode> = files.iter().flat_map(|it| &it.remarks).map(|it| it.code).collect();
    let rule = |code: &LintCode| {
        let info = code.info();
        json!({
            "id": info.name,
            "shortDescription": {"text": info.meaning},
            "help": {"text": format!("oci-compat explain {}", info.name)},
            "defaultConfiguration": {"level": info.level.word()},
        })
    };
    let results: Vec<_> = files.iter().flat_map(results).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "oci-compat",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": codes.iter().map(rule).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn results(file: &LintedFile) -> Vec<Value> {
    let source = SpecText::new(&file.text);
    let result = |remark: &LintRemark| {
        let (start, end) = places(remark, &source);
        json!({
            "ruleId": remark.code.info().name,
            "level": remark.level().word(),
            "message": {"text": printable(&remark.sentence())},
            "locations": [{"physicalLocation": {
                "artifactLocation": {"uri": address(&file.name)},
                "region": {
                    "startLine": start.line, "startColumn": start.column, "endLine": end.line, "endColumn": end.column,
                },
            }}],
        })
    };
    file.remarks.iter().map(result).collect()
}

/// A path as a relative address: what has a meaning in addresses is escaped (RFC 3986).
fn address(path: &str) -> String {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"-._~/".contains(&it);
    path.bytes()
        .map(|it| if is_plain(it) { char::from(it).to_string() } else { format!("%{it:02X}") })
        .collect()
}

pub(super) fn github(files: &[LintedFile]) -> String {
    let mut text = String::new();
    for file in files {
        let source = SpecText::new(&file.text);
        for remark in &file.remarks {
            let (start, end) = places(remark, &source);
            let command = match remark.level() {
                RemarkLevel::Error => "error",
                RemarkLevel::Warning => "warning",
                RemarkLevel::Note => "notice",
            };
            let (name, code) = (property(&file.name), remark.code.info().name);
            let Place { line, column } = start;
            let message = data(&printable(&remark.sentence()));
            text.push_str(&format!(
                "::{command} file={name},line={line},endLine={},col={column},endColumn={},title={code}::{message}\n",
                end.line, end.column
            ));
        }
    }
    text
}

/// Text as the runner reads it: it undoes this.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
