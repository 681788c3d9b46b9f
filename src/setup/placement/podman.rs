//! Which of Podman's drop-ins is ours: the one that has the last word in every version of Podman.

use anyhow::bail;

use crate::host::Root;
use crate::setup::engines::{Effective, podman};
use crate::setup::install::{Entry, Form};

use super::{DROP_IN, Spot};

/// Where the wrapper's entry goes. Podman 6 compares the names of the drop-ins of all folders.
///
/// # Errors
///
/// If another file has the last word on the default runtime in some version of Podman.
pub(super) fn spot(entry: &Entry, root: &Root, around: Effective) -> anyhow::Result<Spot> {
    let (folder, _) = entry.place().rsplit_once('/').unwrap_or_default();
    let [early, late] = DROP_IN.map(|it| format!("{it}.conf"));
    let others: Vec<_> = podman::candidates(root).into_iter().filter_map(|it| drop_in(&it)).collect();
    let there = |name: &str| root.exists(&format!("{folder}/{name}")).unwrap_or(false);
    let file =
        if there(&late) || others.iter().any(|it| *it > early && *it != late) { &late } else { &early };
    for other in around.files.iter().filter(|_| entry.default) {
        // Podman 5 reads root's own files last, whatever their names.
        let later =
            other.path.starts_with(podman::OF_ROOT) || drop_in(&other.path).is_some_and(|it| it > *file);
        let default = other.table.get("engine").and_then(|it| it.get("runtime")).and_then(|it| it.as_str());
        if let Some(name) = default.filter(|it| later && *it != entry.name) {
            bail!(
                "{} is read behind {folder}/{file} by some version of Podman, and makes {name} the default runtime: take \
                 `runtime` out there first",
                other.path
            );
        }
    }
    let replaces = (*file == late && there(&early)).then(|| format!("{folder}/{early}"));
    Ok(Spot { file: format!("{folder}/{file}"), form: Form::Own, replaces, around })
}

/// The name of a drop-in; `None` for a main file.
fn drop_in(path: &str) -> Option<String> {
    path.rsplit_once('/').filter(|it| it.0.ends_with(".conf.d")).map(|it| it.1.to_owned())
}
