//! Whether an entry of ours takes effect in each version of Podman: they read their configuration by different rules, and the
//! version is not known. An entry is in force only if it takes effect in all of them.

use crate::host::Root;
use crate::setup::engines::Effective;
use crate::setup::engines::podman::{HOOKS, Rules, read_by};
use crate::setup::install::{Way, is_ours};
use crate::setup::placement::{StandingEntry, System};
use crate::words::text::printable;

/// Podman's configuration by the rules of each version; none for other engines, and where it cannot be read.
pub(super) struct Versions(Vec<(Rules, Effective)>);

impl Versions {
    pub(super) fn of(system: System, root: &Root) -> Self {
        let all = Rules::ALL.into_iter().filter(|_| system == System::Podman);
        Self(all.filter_map(|it| Some((it, read_by(root, it).ok()?))).collect())
    }

    /// Why some version does not take an entry.
    pub(super) fn problem(&self, standing: &StandingEntry) -> Option<String> {
        let StandingEntry { file, entry, .. } = standing;
        if entry.way == Way::Hook {
            let folders = |it: &Effective| match it.hooks.as_slice() {
                [] => HOOKS.map(str::to_owned).to_vec(),
                named => named.to_vec(),
            };
            let by_version: Vec<_> = self.0.iter().map(|(rules, it)| (*rules, folders(it))).collect();
            return unlisted(&by_version, file.rsplit_once('/')?.0);
        }
        let unread = self.which(|it| it.files.iter().all(|it| it.path != *file));
        if let Some(versions) = unread {
            return Some(format!("{file} is not read by {versions}"));
        }
        let other = self.which(|it| {
            let program = it.runtimes.get(&entry.name).and_then(|it| it.program.as_deref());
            !program.is_some_and(|it| is_ours(it, Way::Wrapper))
        });
        other.map(|versions| format!("the runtime {} of {versions} is another program", entry.name))
    }

    /// Why a runtime that is the default one in some version is not in another one.
    pub(super) fn doubt(&self, name: &str) -> Option<String> {
        let is_default = |it: &Effective| it.default.as_ref().is_some_and(|it| it.value == name);
        if !self.0.iter().any(|it| is_default(&it.1)) {
            return None;
        }
        let versions = self.which(|it| !is_default(it))?;
        let (_, other) = self.0.iter().find(|it| !is_default(&it.1))?;
        let instead = match &other.default {
            Some(it) => format!("{} by {}", it.value, it.file),
            None => "its own choice".to_owned(),
        };
        Some(printable(&format!(
            "the default runtime of {versions} is {instead}, not {name}: oci-compat install podman --wrapper --default"
        )))
    }

    fn which(&self, lacks: impl Fn(&Effective) -> bool) -> Option<String> {
        let some: Vec<_> = self.0.iter().filter(|it| lacks(&it.1)).map(|it| it.0).collect();
        (!some.is_empty()).then(|| Rules::names(&some))
    }
}

/// Why hooks in a folder are not called by some version.
pub(super) fn unlisted(by_version: &[(Rules, Vec<String>)], folder: &str) -> Option<String> {
    let without: Vec<_> =
        by_version.iter().filter(|it| it.1.iter().all(|it| it != folder)).map(|it| it.0).collect();
    (!without.is_empty()).then(|| {
        format!("hooks in {folder} are not read by {}: hooks_dir names other folders", Rules::names(&without))
    })
}
