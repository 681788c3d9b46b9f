//! Podman's configuration (containers.conf(5)): that of the distribution, of the administrator, and the drop-ins.

use crate::host::Root;

use super::{Effective, Runtime, descend, expand, last, merge, toml};

/// In the order in which they are read.
const FILES: [&str; 4] = [
    "/usr/share/containers/containers.conf",
    "/usr/share/containers/containers.conf.d/*.conf",
    "/etc/containers/containers.conf",
    "/etc/containers/containers.conf.d/*.conf",
];

/// Root's configuration. There may be no file at all.
///
/// # Errors
///
/// If a file cannot be read or parsed.
pub fn read(root: &Root) -> anyhow::Result<Effective> {
    let mut effective = Effective::default();
    let mut merged = toml::Table::new();
    for path in FILES.iter().map(|it| expand(root, it)).collect::<Result<Vec<_>, _>>()?.into_iter().flatten()
    {
        if let Some(file) = toml(root, &path)? {
            merge(&mut merged, &file.table);
            effective.files.push(file);
        }
    }
    effective.default = last(&effective.files, &["engine"], "runtime");
    let engine = descend(&merged, &["engine"]);
    for (name, paths) in engine.and_then(|it| descend(it, &["runtimes"])).into_iter().flatten() {
        let paths: Vec<_> = paths.as_array().into_iter().flatten().filter_map(|it| it.as_str()).collect();
        let there = paths.iter().find(|it| root.exists(it).unwrap_or(true)).or(paths.first());
        let program = there.map(|it| (*it).to_owned());
        effective.runtimes.insert(name.clone(), Runtime { program, ..Runtime::default() });
    }
    let hooks = engine.and_then(|it| it.get("hooks_dir")).and_then(|it| it.as_array()).into_iter().flatten();
    effective.hooks = hooks.filter_map(|it| it.as_str()).map(str::to_owned).collect();
    Ok(effective)
}

/// The folders for hooks that the configuration in a user's home names; `None` if it names none, so that the system's hold.
pub fn hooks_of(root: &Root, home: &str) -> Option<Vec<String>> {
    let folder = format!("{home}/.config/containers");
    let files = ["containers.conf", "containers.conf.d/*.conf"].map(|it| format!("{folder}/{it}"));
    // What of a user's own files cannot be read names nothing.
    let paths = files.iter().flat_map(|it| expand(root, it).unwrap_or_default());
    let tables = paths.filter_map(|it| toml(root, &it).ok().flatten());
    let named = tables.filter_map(|it| it.table.get("engine")?.get("hooks_dir")?.as_array().cloned());
    Some(named.last()?.iter().filter_map(|it| it.as_str()).map(str::to_owned).collect())
}
