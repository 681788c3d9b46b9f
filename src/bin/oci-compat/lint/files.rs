//! The files that `lint` is given: files, the specs in folders, and patterns.

use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail};
use oci_compat::words::glob::Glob;

use crate::check::read;

/// More files are a mistake, such as `/`.
const MOST: usize = 10_000;
const DEEPEST: usize = 32;
/// The endings of specs in folders.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// What an argument stands for, sorted.
pub(crate) fn find(given: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let text = given.to_string_lossy();
    let mut found = Vec::new();
    if is_folder(given) {
        walk(given, DEEPEST, &mut found)?;
        found.retain(|it| is_spec(it));
        if found.is_empty() {
            bail!(
                "{} has no spec: no file that ends in .yaml, .yml or .json with `compatibilities`",
                given.display()
            );
        }
    } else if text.contains(['*', '?']) && fs::symlink_metadata(given).is_err() {
        let is_fixed = |it: &Component<'_>| !it.as_os_str().to_string_lossy().contains(['*', '?']);
        let start: PathBuf = given.components().take_while(is_fixed).collect();
        let folder = if start.as_os_str().is_empty() { Path::new(".") } else { &start };
        walk(folder, DEEPEST, &mut found)?;
        let parts =
            |it: &Path| it.components().map(|it| it.as_os_str().to_string_lossy().into_owned()).collect();
        let pattern: Vec<String> = parts(given.strip_prefix(&start).unwrap_or(given));
        found.retain(|it| fits(&pattern, &parts(it.strip_prefix(folder).unwrap_or(it))));
        if found.is_empty() {
            bail!("no file fits {}", given.display());
        }
        if start.as_os_str().is_empty() {
            found.iter_mut().for_each(|it| *it = it.strip_prefix(".").unwrap_or(it).to_owned());
        }
    } else {
        found.push(given.to_owned());
    }
    found.sort();
    Ok(found)
}

/// A file, or all files below a folder whose names end so.
pub(crate) fn below(given: &Path, ending: &str) -> anyhow::Result<Vec<PathBuf>> {
    if !is_folder(given) {
        return Ok(vec![given.to_owned()]);
    }
    let mut found = Vec::new();
    walk(given, DEEPEST, &mut found)?;
    found.retain(|it| it.file_name().is_some_and(|it| it.to_string_lossy().ends_with(ending)));
    if found.is_empty() {
        bail!("{} has no file that ends in {ending}", given.display());
    }
    found.sort();
    Ok(found)
}

fn is_folder(path: &Path) -> bool {
    path != Path::new("-")
        && fs::canonicalize(path).and_then(fs::symlink_metadata).is_ok_and(|it| it.is_dir())
}

/// All regular files below a folder. Links lead elsewhere or in circles, and are left out.
#[expect(clippy::disallowed_methods, reason = "a folder that a person named")]
fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let reading = || format!("listing {}", folder.display());
    for entry in fs::read_dir(folder).with_context(reading)? {
        let entry = entry.with_context(reading)?;
        let kind = entry.file_type().with_context(reading)?;
        if kind.is_dir() && depth > 0 && entry.file_name() != ".git" {
            walk(&entry.path(), depth - 1, found)?;
        } else if kind.is_file() {
            found.push(entry.path());
        }
        if MOST < found.len() {
            bail!("{} has more than {MOST} files: name a smaller folder", folder.display());
        }
    }
    Ok(())
}

/// Whether a file is meant to be a spec; one that cannot be read is, so that this is reported.
fn is_spec(path: &Path) -> bool {
    let ending = path.extension().map(|it| it.to_string_lossy().to_lowercase());
    if !ending.is_some_and(|it| ENDINGS.contains(&it.as_str())) {
        return false;
    }
    let Ok(bytes) = read(path) else { return true };
    String::from_utf8_lossy(&bytes).lines().any(|it| {
        let name = it.trim_start().trim_start_matches(['{', '"', '\'', ' ']);
        name.starts_with("compatibilities")
    })
}

/// Whether the parts of a path fit those of a pattern, where `**` stands for any number of folders.
fn fits(pattern: &[String], parts: &[String]) -> bool {
    match (pattern.split_first(), parts.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "**" => {
            fits(rest, parts) || parts.split_first().is_some_and(|(_, parts)| fits(pattern, parts))
        }
        (Some((first, pattern)), Some((part, parts))) => {
            Glob::new(first).matches(part) && fits(pattern, parts)
        }
        _ => false,
    }
}
