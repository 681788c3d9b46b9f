//! The configuration of engines, merged from all its files as the engine merges them. Never writes a file, and never runs or
//! asks an engine.

pub mod containerd;
pub mod docker;
pub mod podman;
pub mod crio;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use anyhow::{anyhow, bail};

use crate::host::{Miss, Root};

/// An engine's configuration, as far as it decides which program starts containers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Effective {
    /// Every file that is read, in the order in which it is; a later one wins.
    pub files: Vec<ConfigFile>,
    /// The runtime of containers that ask for none; `None` if no file names one.
    pub default: Option<EffectiveValue>,
    /// The runtimes by their names.
    pub runtimes: BTreeMap<String, Runtime>,
    /// The folders in which hook files are looked for, as far as a file names any; Podman and CRI-O only.
    pub hooks: Vec<String>,
    /// Why no container is ever started by one of these runtimes: the plugin that would read them is off.
    pub disabled: Option<EffectiveValue>,
}

/// A file of an engine's configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigFile {
    /// Its path on the host.
    pub path: String,
    /// What it says; a JSON file is shown as TOML would.
    pub table: toml::Table,
}

/// A value, and the file that has the last word on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveValue {
    /// The value.
    pub value: String,
    /// The file's path on the host.
    pub file: String,
}

/// A runtime among an engine's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Runtime {
    /// The program that makes the container, as the file names it; `None` if it is the engine's own choice.
    pub program: Option<String>,
    /// The sort of runtime (a containerd shim), if it is another one than runc's, which calls such a program.
    pub foreign: Option<String>,
    /// All its settings.
    pub table: toml::Table,
}

impl Effective {
    /// The runtime of containers that ask for none, by its name; `None` if it is not listed.
    pub fn default_runtime(&self) -> Option<(&str, &Runtime)> {
        let name = &self.default.as_ref()?.value;
        self.runtimes.get(name).map(|it| (name.as_str(), it))
    }
}

/// A text file; `None` if it is not there.
fn text(root: &Root, path: &str) -> anyhow::Result<Option<String>> {
    match root.read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => bail!("{path} is not text in UTF-8"),
        },
        Err(Miss::NotFound) => Ok(None),
        Err(Miss::Unreadable(unknown)) => Err(anyhow!("{path}: {}", unknown.reason)),
    }
}

fn toml(root: &Root, path: &str) -> anyhow::Result<Option<ConfigFile>> {
    let Some(text) = text(root, path)? else { return Ok(None) };
    let table = toml::from_str(&text).map_err(|err| {
        let before = text.get(..err.span().map_or(0, |it| it.start)).unwrap_or_default();
        let (line, column) = (
            before.matches('\n').count() + 1,
            before.rsplit('\n').next().unwrap_or_default().chars().count() + 1,
        );
        anyhow!("{path}: {line}:{column}: {}", err.message().trim_end().replace('\n', "; "))
    })?;
    Ok(Some(ConfigFile { path: path.to_owned(), table }))
}

/// The paths that match a pattern, in the order of their names; only its last part may have `*`.
fn expand(root: &Root, pattern: &str) -> anyhow::Result<Vec<String>> {
    let Some((folder, name)) = pattern.rsplit_once('/').filter(|(_, it)| it.contains('*')) else {
        return Ok(vec![pattern.to_owned()]);
    };
    match root.list(folder) {
        Ok(names) => Ok(names
            .iter()
            .filter(|it| fits(name, it) && !it.starts_with('.'))
            .map(|it| format!("{folder}/{it}"))
            .collect()),
        Err(Miss::NotFound) => Ok(Vec::new()),
        Err(Miss::Unreadable(unknown)) => Err(anyhow!("{folder}: {}", unknown.reason)),
    }
}

fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name
            .strip_prefix(start)
            .is_some_and(|tail| (0..=tail.len()).any(|it| tail.get(it..).is_some_and(|it| fits(rest, it)))),
    }
}

/// Puts one table over another: of what both have, `over` has the last word.
fn merge(under: &mut toml::Table, over: &toml::Table) {
    for (key, value) in over {
        match (under.get_mut(key), value) {
            (Some(toml::Value::Table(under)), toml::Value::Table(over)) => merge(under, over),
            _ => {
                under.insert(key.clone(), value.clone());
            }
        }
    }
}

/// The table at a path.
pub(crate) fn descend<'a>(table: &'a toml::Table, path: &[&str]) -> Option<&'a toml::Table> {
    path.iter().try_fold(table, |table, key| table.get(*key)?.as_table())
}

fn string<'a>(table: &'a toml::Table, key: &str) -> Option<&'a str> {
    table.get(key).and_then(toml::Value::as_str)
}

/// The last file that sets a text at a path.
pub(crate) fn last(files: &[ConfigFile], path: &[&str], key: &str) -> Option<EffectiveValue> {
    files.iter().rev().find_map(|file| {
        let value = string(descend(&file.table, path)?, key)?;
        Some(EffectiveValue { value: value.to_owned(), file: file.path.clone() })
    })
}
