//! `lint`: errors and probable mistakes in spec files, and corrections of those that are certain.

pub(crate) mod files;
mod fixing;
mod machine;
mod text;

use oci_compat::author::lint::fix;
use oci_compat::author::lint::{self, LintRemark, RemarkLevel, SpecText};
use oci_compat::words::text::printable_path;

use crate::TROUBLE;
use crate::args::{LintArgs, LintFormat};
use crate::check::read;
use crate::output::Output;

/// A file with what was found in it, in its order.
struct LintedFile {
    /// As it was given, or found in a folder; printable.
    name: String,
    text: String,
    remarks: Vec<LintRemark>,
    /// How many corrections were made.
    fixed: usize,
}

impl LintedFile {
    fn count(&self, level: RemarkLevel) -> usize {
        self.remarks.iter().filter(|it| it.level() == level).count()
    }
}

pub(crate) fn run(args: &LintArgs, output: &mut Output) -> anyhow::Result<u8> {
    let (mut files, mut is_unread) = (Vec::new(), false);
    let mut failed = |err: anyhow::Error| {
        log::error!("{err:#}");
        is_unread = true;
    };
    for given in &args.files {
        let found = match files::find(given) {
            Ok(found) => found,
            // The others are looked at all the same.
            Err(err) => {
                failed(err);
                continue;
            }
        };
        for path in found {
            match look_at(&path, args) {
                Ok(file) => files.push(file),
                Err(err) => failed(err),
            }
        }
    }
    if args.quiet {
        files
            .iter_mut()
            .for_each(|it| it.remarks.retain(|it| it.level() == RemarkLevel::Error || args.fails(it)));
    }
    match args.format {
        LintFormat::Text => output.print(&text::excerpts(&files, output.style, args.quiet))?,
        LintFormat::Short => output.print(&text::short(&files, args.quiet))?,
        LintFormat::Json => output.json(&machine::json(&files))?,
        LintFormat::Sarif => output.json(&machine::sarif(&files))?,
        LintFormat::Github => output.print(&machine::github(&files))?,
    }
    Ok(match is_unread {
        true => TROUBLE,
        false => u8::from(files.iter().flat_map(|it| &it.remarks).any(|it| args.fails(it))),
    })
}

impl LintArgs {
    /// Whether a remark makes the command fail.
    fn fails(&self, remark: &LintRemark) -> bool {
        match remark.level() {
            RemarkLevel::Error => true,
            RemarkLevel::Warning => self.deny_warnings,
            RemarkLevel::Note => false,
        }
    }
}

fn look_at(path: &std::path::Path, args: &LintArgs) -> anyhow::Result<LintedFile> {
    let name = printable_path(path);
    let bytes = read(path)?;
    let (mut text, is_utf8) = match String::from_utf8(bytes.clone()) {
        Ok(text) => (text, true),
        Err(_) => (String::from_utf8_lossy(&bytes).into_owned(), false),
    };
    let mut fixed = 0;
    if args.fix && is_utf8 {
        let corrected = fix::fix(&text);
        if corrected.count > 0 {
            fixing::write(path, &corrected.text)?;
            (text, fixed) = (corrected.text, corrected.count);
        }
    }
    let bytes = if is_utf8 { text.as_bytes() } else { &bytes };
    let remarks = lint::check(bytes, &SpecText::new(&text));
    Ok(LintedFile { name, text, remarks, fixed })
}
