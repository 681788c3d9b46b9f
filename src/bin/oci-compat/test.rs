//! `test`: specs against documents of facts.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use oci_compat::author::trial::{Said, TestFile, Tried};
use oci_compat::spec;
use oci_compat::words::text::{counted, printable, printable_path};

use crate::TROUBLE;
use crate::args::{TestArgs, TestFormat};
use crate::check::read;
use crate::lint::files;
use crate::output::Output;

const ENDING: &str = ".test.yaml";

/// A test file with what came of it.
struct TriedFile {
    name: String,
    tried: anyhow::Result<Vec<Tried>>,
}

pub(crate) fn run(args: &TestArgs, output: &mut Output) -> anyhow::Result<u8> {
    let mut files = Vec::new();
    for given in &args.files {
        for path in files::below(given, ENDING)? {
            files.push(TriedFile { name: printable_path(&path), tried: try_file(&path) });
        }
    }
    match args.format {
        TestFormat::Text => output.print(&text(&files))?,
        TestFormat::Junit => output.print(&junit(&files))?,
    }
    for file in &files {
        if let Err(err) = &file.tried {
            log::error!("{}: {err:#}", file.name);
        }
    }
    let all = files.iter().filter_map(|it| it.tried.as_ref().ok()).flatten();
    Ok(match files.iter().any(|it| it.tried.is_err()) {
        true => TROUBLE,
        false => u8::from(all.into_iter().any(|it| !it.is_as_expected())),
    })
}

fn try_file(path: &Path) -> anyhow::Result<Vec<Tried>> {
    let bytes = read(path)?;
    let test = TestFile::read(std::str::from_utf8(&bytes).context("is not UTF-8 text")?)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let file = match &test.spec {
        Some(name) => folder.join(name),
        None => spec_beside(path)?,
    };
    let spec = spec::formats::parse(&read(&file)?).with_context(|| format!("the spec {}", file.display()))?;
    test.hosts.iter().map(|it| it.judge(&spec, |name| read(&folder.join(name)))).collect()
}

/// The spec that a test file is named after.
fn spec_beside(path: &Path) -> anyhow::Result<PathBuf> {
    let name = path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
    match name.strip_suffix(ENDING) {
        Some(stem) => Ok(path.with_file_name(format!("{stem}.yaml"))),
        None => bail!("names no `spec`, and is not called NAME{ENDING}"),
    }
}

fn text(files: &[TriedFile]) -> String {
    let mut text = String::new();
    for TriedFile { name, tried } in files {
        let Ok(tried) = tried else { continue };
        text.push_str(&format!("{name}\n"));
        for it in tried {
            let word = if it.is_as_expected() { "ok  " } else { "FAIL" };
            text.push_str(&format!("  {word}  {}\n", printable(&it.name)));
            if !it.is_as_expected() {
                text.push_str(&difference(it));
            }
        }
    }
    let all = || files.iter().filter_map(|it| it.tried.as_ref().ok()).flatten();
    let failed = all().filter(|it| !it.is_as_expected()).count();
    text + &format!("{}: {failed} failed\n", counted(all().count(), "host"))
}

/// What was expected and what was found, and why.
fn difference(tried: &Tried) -> String {
    let (expected, found) = (line(&tried.expected), line(&tried.found));
    let mut text = format!("        - {expected}\n        + {found}\n");
    for reason in &tried.reasons {
        text.push_str(&format!("          {}\n", printable(reason)));
    }
    text
}

/// A verdict with its codes.
fn line(said: &Said) -> String {
    let codes: Vec<_> = said.codes.iter().map(String::as_str).collect();
    format!("{} {}", said.verdict, codes.join(" ")).trim_end().to_owned()
}

fn junit(files: &[TriedFile]) -> String {
    let mut xml =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"oci-compat test\">\n".to_owned();
    for TriedFile { name, tried } in files {
        let name = escaped(name);
        let (count, failures, errors) = match tried {
            Ok(tried) => (tried.len(), tried.iter().filter(|it| !it.is_as_expected()).count(), 0),
            Err(_) => (1, 0, 1),
        };
        xml.push_str(&format!(
            "  <testsuite name=\"{name}\" tests=\"{count}\" failures=\"{failures}\" errors=\"{errors}\">\n"
        ));
        match tried {
            Ok(tried) => xml.extend(tried.iter().map(|it| case(&name, it))),
            Err(err) => xml.push_str(&format!(
                "    <testcase classname=\"{name}\" name=\"reading it\"><error message=\"{}\"/></testcase>\n",
                escaped(&printable(&format!("{err:#}")))
            )),
        }
        xml.push_str("  </testsuite>\n");
    }
    xml + "</testsuites>\n"
}

fn case(file: &str, tried: &Tried) -> String {
    let open = format!("    <testcase classname=\"{file}\" name=\"{}\"", escaped(&printable(&tried.name)));
    if tried.is_as_expected() {
        return format!("{open}/>\n");
    }
    let message = format!("expected {}, found {}", line(&tried.expected), line(&tried.found));
    let text = escaped(&difference(tried));
    format!("{open}>\n      <failure message=\"{message}\">\n{text}</failure>\n    </testcase>\n")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
