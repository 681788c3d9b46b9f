//! Docker's `daemon.json` (dockerd(8)).

use anyhow::anyhow;

use crate::host::Root;

use super::{ConfigFile, Effective, EffectiveValue, Runtime, string, text};

/// Its default path.
pub const FILE: &str = "/etc/docker/daemon.json";
/// The runtime type that calls a program such as runc.
const RUNC: &str = "io.containerd.runc.v2";

/// The configuration in this file; `None` if it is not there.
///
/// # Errors
///
/// If the file cannot be read or parsed.
pub fn read(root: &Root, path: &str) -> anyhow::Result<Option<Effective>> {
    let Some(text) = text(root, path)? else { return Ok(None) };
    // dockerd takes a byte order mark, and an empty file.
    let text = text.trim_start_matches('\u{feff}');
    let text = if text.trim().is_empty() { "{}" } else { text };
    let table: toml::Table = serde_json::from_str(text).map_err(|err| anyhow!("{path}: {err}"))?;
    let default = string(&table, "default-runtime").filter(|it| !it.is_empty());
    let default = default.map(|it| EffectiveValue { value: it.to_owned(), file: path.to_owned() });
    let mut effective = Effective { default, ..Effective::default() };
    for (name, table) in table.get("runtimes").and_then(|it| it.as_table()).into_iter().flatten() {
        let Some(table) = table.as_table() else { continue };
        let options = table.get("options").and_then(|it| it.as_table());
        let program = string(table, "path").or_else(|| options.and_then(|it| string(it, "BinaryName")));
        let runtime = Runtime {
            program: program.filter(|it| !it.is_empty()).map(str::to_owned),
            foreign: string(table, "runtimeType")
                .filter(|it| !it.is_empty() && *it != RUNC)
                .map(str::to_owned),
            table: table.clone(),
        };
        effective.runtimes.insert(name.clone(), runtime);
    }
    effective.files.push(ConfigFile { path: path.to_owned(), table });
    Ok(Some(effective))
}
