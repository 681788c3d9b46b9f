//! CRI-O's configuration (crio.conf(5), crio.conf.d(5)): the file, then the drop-ins in the order of their names.

use crate::host::Root;

use super::{Effective, Runtime, descend, expand, last, merge, string, toml};

const FILES: [&str; 2] = ["/etc/crio/crio.conf", "/etc/crio/crio.conf.d/*"];
/// A virtual machine is no program of runc's kind.
const VM: &str = "vm";

/// The configuration. There may be no file at all.
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
    effective.default = last(&effective.files, &["crio", "runtime"], "default_runtime");
    let runtime = descend(&merged, &["crio", "runtime"]);
    for (name, table) in runtime.and_then(|it| descend(it, &["runtimes"])).into_iter().flatten() {
        let Some(table) = table.as_table() else { continue };
        let runtime = Runtime {
            program: string(table, "runtime_path").filter(|it| !it.is_empty()).map(str::to_owned),
            foreign: string(table, "runtime_type").filter(|it| *it == VM).map(str::to_owned),
            table: table.clone(),
        };
        effective.runtimes.insert(name.clone(), runtime);
    }
    let hooks = runtime.and_then(|it| it.get("hooks_dir")).and_then(|it| it.as_array()).into_iter().flatten();
    effective.hooks = hooks.filter_map(|it| it.as_str()).map(str::to_owned).collect();
    Ok(effective)
}
