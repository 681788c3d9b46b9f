//! The configuration's files, and the settings that apply if they are broken. Never writes.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};

use crate::os::file::{self, Approach, Untrusted};

use super::{DEADLINE, Defaults, Mode, Policy, document};

/// Written by hand: a few KiB.
pub(super) const MAX_FILE: usize = 1 << 20;

/// Reads the configuration and its drop-ins, in the order of their names; later ones win. What is wrong with it is
/// returned, to be said aloud.
///
/// A broken configuration must not stop containers, nor silently let all of them start: then the defaults hold in audit
/// mode, whatever annotations say. One that others can write is ignored, and the defaults apply in full; otherwise a user who
/// can write it could switch every check off. A strict host checks in full in both cases, and the error is trouble.
pub fn load(path: &Path, defaults: Defaults) -> (Policy, Option<String>) {
    followed(Policy::beside(path, defaults), defaults, texts(path))
}

/// As [`load`], for callers with a deadline. Where the file system of the configuration may never answer, a process apart reads
/// it. A configuration that was not read within the deadline of the whole check is broken.
pub fn load_in_time(path: &Path, defaults: Defaults, deadline: Option<Duration>) -> (Policy, Option<String>) {
    let mut initial = Policy::beside(path, defaults);
    let texts = match file::approach(folder_of(path)) {
        Ok(Approach::Absent) => Ok(Vec::new()),
        Ok(Approach::Trusted) => all_texts(path),
        Ok(Approach::Far) => {
            let since = Instant::now();
            let texts = texts_apart(path, since + deadline.unwrap_or(DEADLINE));
            initial.spent = since.elapsed();
            texts
        }
        Err(err) => Err(err),
    };
    followed(initial, defaults, texts)
}

/// What a configuration with these texts comes to.
fn followed(
    initial: Policy,
    defaults: Defaults,
    texts: anyhow::Result<Vec<(PathBuf, String)>>,
) -> (Policy, Option<String>) {
    let mut policy = initial.clone();
    let Err(err) = texts.and_then(|it| overlay(&mut policy, it)) else { return (policy, None) };
    let is_broken = !err.is::<Untrusted>();
    let what = if is_broken { "is broken" } else { "is not followed" };
    let (follows, policy) = match defaults {
        Defaults::Strict => ("nothing starts (--strict)", initial),
        Defaults::Standard if is_broken => {
            let audit = Policy { mode: Mode::Audit, heeds_annotations: false, ..initial };
            ("nothing is refused (audit mode)", audit)
        }
        Defaults::Standard => ("the defaults hold", initial),
    };
    (policy, Some(format!("the configuration {what}, so that {follows}: {err:#}")))
}

fn overlay(policy: &mut Policy, texts: Vec<(PathBuf, String)>) -> anyhow::Result<()> {
    for (path, text) in texts {
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
    if is_in_a_folder(path)? { all_texts(path) } else { Ok(Vec::new()) }
}

/// As [`texts`], by a process apart.
fn texts_apart(path: &Path, until: Instant) -> anyhow::Result<Vec<(PathBuf, String)>> {
    // It works in another folder.
    let path = std::path::absolute(path)?;
    let look = || texts(&path).map_err(|err| (err.is::<Untrusted>(), format!("{err:#}")));
    let found = file::ask_apart(until, look).map_err(|it| anyhow!("{} {it}", folder_of(&path).display()))?;
    found.map_err(|(is_untrusted, told)| match is_untrusted {
        true => Untrusted::new(told).into(),
        false => anyhow!(told),
    })
}

fn all_texts(path: &Path) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let mut texts = Vec::new();
    for path in std::iter::once(path.to_owned()).chain(drop_ins(path)?) {
        texts.extend(text(&path)?.map(|it| (path, it)));
    }
    Ok(texts)
}

/// Whether the folder of a configuration exists. A user who can write to it can replace any file in it.
///
/// # Errors
///
/// If others can write to it.
pub(super) fn is_in_a_folder(config: &Path) -> anyhow::Result<bool> {
    file::is_trusted_folder(folder_of(config))
}

fn folder_of(config: &Path) -> &Path {
    config.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The text of a file of a configuration; `None` if it is not there.
pub(super) fn text(path: &Path) -> anyhow::Result<Option<String>> {
    let Some(bytes) = file::read_trusted(path, MAX_FILE)? else { return Ok(None) };
    let text = String::from_utf8(bytes).map_err(|_| anyhow!("{} is not UTF-8 text", path.display()))?;
    Ok(Some(text))
}

/// The drop-ins of a configuration, in the byte order of their names.
pub(super) fn drop_ins(config: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut folder = config.as_os_str().to_owned();
    folder.push(".d");
    let folder = Path::new(&folder);
    let Some(paths) = listed(folder)? else { return Ok(Vec::new()) };
    file::is_trusted_folder(folder)?;
    Ok(paths)
}

/// The files of a folder whose names end with `.toml`, in the byte order of their names; none if it is not there.
///
/// # Errors
///
/// If the folder cannot be listed.
pub fn toml_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    Ok(listed(folder)?.unwrap_or_default())
}

/// `None` if the folder is not there.
#[expect(clippy::disallowed_methods, reason = "the administrator's folder, not the host's under a root")]
fn listed(folder: &Path) -> anyhow::Result<Option<Vec<PathBuf>>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(err) if matches!(err.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
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
    Ok(Some(paths))
}
