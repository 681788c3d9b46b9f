//! containerd's configuration: the main file, then what it imports, then what that imports
//! (containerd, `cmd/containerd/server/config/config.go`, LoadConfig).

use std::collections::{BTreeSet, VecDeque};

use crate::host::Root;

use super::{Effective, EffectiveValue, Runtime, descend, expand, last, merge, string, toml};

/// The CRI plugin's settings of runtimes, in files of version 2, and of version 3 and later.
pub const PLUGINS: [&str; 2] = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime"];
/// The runtime type that calls a program such as runc; every other one is a world of its own.
const RUNC: &str = "io.containerd.runc.v2";
/// Under these names `disabled_plugins` switches it off: of version 1, 2 and 3.
const NAMES: [&str; 3] = ["cri", PLUGINS[0], PLUGINS[1]];

/// The configuration that starts with this file; `None` if it is not there.
///
/// # Errors
///
/// If a file cannot be read or parsed.
pub fn read(root: &Root, main: &str) -> anyhow::Result<Option<Effective>> {
    let mut effective = Effective::default();
    let mut pending = VecDeque::from([main.to_owned()]);
    let mut seen = BTreeSet::new();
    while let Some(path) = pending.pop_front() {
        if !seen.insert(path.clone()) {
            continue;
        }
        // A file that is named, and not there, keeps containerd from starting; that is not ours to say.
        let Some(file) = toml(root, &path)? else { continue };
        for pattern in imports(&file.table, &path) {
            pending.extend(expand(root, &pattern)?);
        }
        effective.files.push(file);
    }
    if effective.files.is_empty() {
        return Ok(None);
    }
    for plugin in PLUGINS {
        let path = ["plugins", plugin, "containerd"];
        effective.default = last(&effective.files, &path, "default_runtime_name").or(effective.default);
    }
    effective.disabled = disabled(&effective);
    let merged = merged(&effective);
    for (name, table) in merged.get("runtimes").and_then(|it| it.as_table()).into_iter().flatten() {
        let Some(table) = table.as_table() else { continue };
        let program =
            table.get("options").and_then(|it| it.as_table()).and_then(|it| string(it, "BinaryName"));
        let foreign = string(table, "runtime_type").filter(|it| *it != RUNC && is_type(it));
        let runtime = Runtime {
            program: program.filter(|it| !it.is_empty()).map(str::to_owned),
            foreign: foreign.map(str::to_owned),
            table: table.clone(),
        };
        effective.runtimes.insert(name.clone(), runtime);
    }
    Ok(Some(effective))
}

/// The files or patterns that a file imports; a relative one is beside it.
pub fn imports(table: &toml::Table, path: &str) -> Vec<String> {
    let listed = table.get("imports").and_then(|it| it.as_array()).into_iter().flatten();
    let folder = path.rsplit_once('/').map_or("", |it| it.0);
    let absolute =
        |it: &str| clean(&if it.starts_with('/') { it.to_owned() } else { format!("{folder}/{it}") });
    listed.filter_map(|it| it.as_str()).map(absolute).collect()
}

/// The path without `.` and `..`, as containerd cleans it.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// What all files together say about runtimes.
fn merged(effective: &Effective) -> toml::Table {
    let mut merged = toml::Table::new();
    for file in &effective.files {
        for plugin in PLUGINS {
            if let Some(table) = descend(&file.table, &["plugins", plugin, "containerd"]) {
                merge(&mut merged, table);
            }
        }
    }
    merged
}

/// containerd joins the lists of all files.
fn disabled(effective: &Effective) -> Option<EffectiveValue> {
    effective.files.iter().find_map(|file| {
        let listed = file.table.get("disabled_plugins")?.as_array()?;
        let name = listed.iter().filter_map(|it| it.as_str()).find(|it| NAMES.contains(it))?;
        Some(EffectiveValue { value: name.to_owned(), file: file.path.clone() })
    })
}

/// MicroK8s' template has `${RUNTIME_TYPE}` in place of runc's.
fn is_type(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('$')
}
