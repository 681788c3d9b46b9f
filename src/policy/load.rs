//! The configuration's files, and what holds if they are broken. Never writes.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};

use crate::file;

use super::{Mode, Policy, document};

/// Written by hand: a few KiB.
pub(super) const MAX_FILE: usize = 1 << 20;

/// Reads the configuration and its drop-ins, in the order of their names; later ones win.
///
/// A broken configuration must not stop containers, nor silently let all of them start: then the defaults hold in audit
/// mode, whatever annotations wish, and what is wrong is returned to be said aloud.
pub fn load(path: &Path) -> (Policy, Option<String>) {
    let mut policy = Policy::beside(path);
    match read(&mut policy, path) {
        Ok(()) => (policy, None),
        Err(err) => {
            let complaint =
                format!("the configuration is broken, so that nothing is refused (audit mode): {err:#}");
            let fallback = Policy { mode: Mode::Audit, heeds_annotations: false, ..Policy::beside(path) };
            (fallback, Some(complaint))
        }
    }
}

fn read(policy: &mut Policy, path: &Path) -> anyhow::Result<()> {
    for (path, text) in texts(path)? {
        let path = path.display().to_string();
        let problems = document::overlay(policy, &text, &path).problems;
        if let Some(first) = problems.first() {
            let more = match problems.len() {
                1 => String::new(),
                count => format!(" (+{} more: oci-compat config check)", count - 1),
            };
            bail!("{path}:{first}{more}");
        }
    }
    Ok(())
}

/// The files of a configuration that are there, in the order in which they are read, with their text.
pub(super) fn texts(path: &Path) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let mut texts = Vec::new();
    for path in std::iter::once(path.to_owned()).chain(drop_ins(path)?) {
        texts.extend(text(&path)?.map(|it| (path, it)));
    }
    Ok(texts)
}

/// The text of a file of a configuration; `None` if it is not there.
pub(super) fn text(path: &Path) -> anyhow::Result<Option<String>> {
    let Some(bytes) = file::read(path, MAX_FILE)? else { return Ok(None) };
    let text = String::from_utf8(bytes).map_err(|_| anyhow!("{} is not UTF-8 text", path.display()))?;
    Ok(Some(text))
}

/// The drop-ins of a configuration, in the byte order of their names.
pub(super) fn drop_ins(config: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut folder = config.as_os_str().to_owned();
    folder.push(".d");
    toml_files(Path::new(&folder))
}

/// The files of a folder whose names end with `.toml`, in the byte order of their names; none if it is not there.
///
/// # Errors
///
/// If the folder cannot be listed.
#[expect(clippy::disallowed_methods, reason = "the administrator's folder, not the host's under a root")]
pub fn toml_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(err) if matches!(err.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(err) => bail!("{} {}", folder.display(), file::explain_io(&err)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|err| anyhow!("{} {}", folder.display(), file::explain_io(&err)))?;
        let path = entry.path();
        if path.extension().is_some_and(|it| it == "toml") {
            paths.push(path);
        }
    }
    paths.sort_unstable();
    Ok(paths)
}
