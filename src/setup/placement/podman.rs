//! Which of Podman's drop-ins is ours: the one that is read last by every version of Podman.

use anyhow::bail;

use crate::host::Root;
use crate::setup::engines::podman::PodmanCaller;
use crate::setup::engines::{Effective, podman};
use crate::setup::install::{EngineEntry, EntryForm, UserHooks};

use super::{DROP_IN, Spot};

/// Where the wrapper's entry goes. Podman 6 compares the names of the drop-ins of all folders.
///
/// # Errors
///
/// If another file has the last word on the default runtime in some version of Podman.
pub(super) fn spot(entry: &EngineEntry, root: &Root, around: Effective) -> anyhow::Result<Spot> {
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
    Ok(Spot { file: format!("{folder}/{file}"), form: EntryForm::Own, replaces, around })
}

/// A user's drop-in with the folders for hooks. Of drop-ins with the same name Podman 6 reads only one, so the names differ
/// from those of the wrapper's.
const USER: [&str; 2] = ["50-oci-compat.hooks.conf", "zz-oci-compat.hooks.conf"];

/// A drop-in with the folders for hooks in a user's own configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserDropIn {
    /// The file's path on the host.
    pub file: String,
    /// Earlier drop-ins of ours, under other names.
    pub replaces: Vec<String>,
    /// The folders for hooks that other files name.
    pub listed: Vec<String>,
}

/// Where the drop-in of a user goes. The names of all folders' drop-ins count, as for root.
///
/// # Errors
///
/// If a file cannot be read or parsed, or if one that some version reads later does not name the folder `hooks`.
pub fn user_drop_in(root: &Root, uid: &str, own: &str, hooks: &str) -> anyhow::Result<UserDropIn> {
    let caller = PodmanCaller::User { uid, own };
    let [early, late] = USER;
    let place = |name: &str| format!("{own}/containers.conf.d/{name}");
    let ours = user_drop_ins(root, uid, own);
    let mut others = podman::drop_ins_of(root, caller);
    others.retain(|it| !ours.contains(it));
    let name = if ours.contains(&place(late)) || !later(&others, early).is_empty() { late } else { early };
    let file = place(name);
    for other in later(&others, name) {
        if podman::hooks_in(root, other)?.is_some_and(|it| it.iter().all(|it| it != hooks)) {
            bail!(
                "{other} is read after {file} by some version of Podman, and names other folders for hooks: add {hooks} to its \
                 hooks_dir first, or take hooks_dir out there"
            );
        }
    }
    let listed = podman::hooks_beside(root, caller, &ours)?;
    let replaces = ours.into_iter().filter(|it| *it != file).collect();
    Ok(UserDropIn { file, replaces, listed })
}

/// The drop-ins of ours with folders for hooks in a user's own configuration.
pub fn user_drop_ins(root: &Root, uid: &str, own: &str) -> Vec<String> {
    let folder = format!("{own}/containers.conf.d/");
    let mut all = podman::drop_ins_of(root, PodmanCaller::User { uid, own });
    all.retain(|it| it.starts_with(&folder) && root.read_text(it).is_ok_and(|it| UserHooks::wrote(&it)));
    all
}

/// The drop-ins whose names are later than this one.
fn later<'a>(paths: &'a [String], name: &str) -> Vec<&'a String> {
    paths.iter().filter(|it| it.rsplit('/').next().is_some_and(|it| it > name)).collect()
}

/// The name of a drop-in; `None` for a main file.
fn drop_in(path: &str) -> Option<String> {
    path.rsplit_once('/').filter(|it| it.0.ends_with(".conf.d")).map(|it| it.1.to_owned())
}
