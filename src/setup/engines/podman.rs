//! Podman's configuration (containers.conf(5)): that of the distribution, of the administrator and of the caller, and the
//! drop-ins. Its versions read different files in different orders, and the version is not known without running Podman.

use std::collections::BTreeMap;

use crate::host::Root;

use super::{Effective, Runtime, descend, last, merge, toml};

/// The distribution's, and the administrator's folder.
const FOLDERS: [&str; 2] = ["/usr/share/containers", "/etc/containers"];
/// Where Podman looks for hooks if no file names a folder. Podman 4 reads only the first.
pub const HOOKS: [&str; 2] = ["/usr/share/containers/oci/hooks.d", "/etc/containers/oci/hooks.d"];
/// The folder of root's own configuration.
pub const OF_ROOT: &str = "/root/.config/containers";

/// A version of Podman, by whose rules files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// The main files, and the administrator's drop-ins (containers/common 0.49, pkg/config/config.go).
    Four,
    /// As 4, then root's own files too (containers/common 0.60, pkg/config/new.go).
    Five,
    /// The first main file, then the drop-ins of all folders by their names (container-libs, storage/pkg/configfile/parse.go).
    Six,
}

/// Who calls Podman.
#[derive(Debug, Clone, Copy)]
pub enum PodmanCaller<'a> {
    /// Root.
    Root,
    /// A user without root.
    User {
        /// Their number.
        uid: &'a str,
        /// The folder of their own configuration, `~/.config/containers`.
        own: &'a str,
    },
}

impl<'a> PodmanCaller<'a> {
    /// The folder of their own configuration.
    fn own(self) -> &'a str {
        match self {
            Self::Root => OF_ROOT,
            Self::User { own, .. } => own,
        }
    }

    /// The folders of drop-ins that Podman 6 reads, the caller's own last.
    fn folders(self) -> Vec<String> {
        let mut folders = Vec::new();
        for folder in FOLDERS {
            folders.push(format!("{folder}/containers.conf.d"));
            match self {
                Self::Root => folders.push(format!("{folder}/containers.rootful.conf.d")),
                Self::User { uid, .. } => {
                    folders.push(format!("{folder}/containers.rootless.conf.d"));
                    folders.push(format!("{folder}/containers.rootless.conf.d/{uid}"));
                }
            }
        }
        folders
    }
}

impl Rules {
    /// All versions.
    pub const ALL: [Self; 3] = [Self::Four, Self::Five, Self::Six];

    /// Some versions, as people write them.
    pub fn names(some: &[Self]) -> String {
        let numbers: Vec<_> = some.iter().map(|it| it.number()).collect();
        match numbers.as_slice() {
            [] => "Podman".to_owned(),
            [one] => format!("Podman {one}"),
            [before @ .., last] => format!("Podman {} and {last}", before.join(", ")),
        }
    }

    fn number(self) -> &'static str {
        match self {
            Self::Four => "4",
            Self::Five => "5",
            Self::Six => "6",
        }
    }
}

/// Root's configuration, as any version reads it: all their files, runtimes and folders for hooks. The older version has the
/// last word on the default runtime. There may be no file at all.
///
/// # Errors
///
/// If a file cannot be read or parsed.
pub fn read(root: &Root) -> anyhow::Result<Effective> {
    let mut all = Effective::default();
    let mut standard = false;
    for rules in Rules::ALL {
        let one = read_by(root, rules)?;
        for file in one.files {
            if !all.files.contains(&file) {
                all.files.push(file);
            }
        }
        all.default = all.default.or(one.default);
        for (name, runtime) in one.runtimes {
            all.runtimes.entry(name).or_insert(runtime);
        }
        standard |= one.hooks.is_empty();
        all.hooks.extend(one.hooks);
    }
    if standard && !all.hooks.is_empty() {
        all.hooks.extend(HOOKS.map(str::to_owned));
    }
    let mut seen = Vec::new();
    all.hooks.retain(|it| {
        !seen.contains(it) && {
            seen.push(it.clone());
            true
        }
    });
    Ok(all)
}

/// Root's configuration by the rules of one version.
///
/// # Errors
///
/// If a file cannot be read or parsed.
pub fn read_by(root: &Root, rules: Rules) -> anyhow::Result<Effective> {
    let mut effective = Effective::default();
    for path in files(root, rules, PodmanCaller::Root)? {
        effective.files.extend(toml(root, &path)?);
    }
    let mut merged = toml::Table::new();
    effective.files.iter().for_each(|it| merge(&mut merged, &it.table));
    effective.default = last(&effective.files, &["engine"], "runtime");
    let engine = descend(&merged, &["engine"]);
    for (name, paths) in engine.and_then(|it| descend(it, &["runtimes"])).into_iter().flatten() {
        let paths: Vec<_> = paths.as_array().into_iter().flatten().filter_map(|it| it.as_str()).collect();
        let there = paths.iter().find(|it| root.exists(it).unwrap_or(true)).or(paths.first());
        let program = there.map(|it| (*it).to_owned());
        effective.runtimes.insert(name.clone(), Runtime { program, ..Runtime::default() });
    }
    effective.hooks = hooks(effective.files.iter().map(|it| &it.table));
    Ok(effective)
}

/// The folders for hooks that a user's Podman has by the rules of one version. What cannot be read names none.
pub fn hooks_by(root: &Root, rules: Rules, uid: &str, home: &str) -> Vec<String> {
    let own = format!("{home}/.config/containers");
    let paths = files(root, rules, PodmanCaller::User { uid, own: &own }).unwrap_or_default();
    hooks(readable(root, &paths).iter())
}

/// The folders for hooks that files other than `ours` name, by the rules of any version: each once.
///
/// # Errors
///
/// If a file cannot be read or parsed.
pub fn hooks_beside(root: &Root, caller: PodmanCaller<'_>, ours: &[String]) -> anyhow::Result<Vec<String>> {
    let mut all = Vec::new();
    for rules in Rules::ALL {
        let mut tables = Vec::new();
        for path in files(root, rules, caller)?.iter().filter(|it| !ours.contains(it)) {
            tables.extend(toml(root, path)?.map(|it| it.table));
        }
        for folder in hooks(tables.iter()) {
            if !all.contains(&folder) {
                all.push(folder);
            }
        }
    }
    Ok(all)
}

/// The folders for hooks that a file names in place of others; `None` if it names none, adds to others, or is not there.
///
/// # Errors
///
/// If it cannot be read or parsed.
pub fn hooks_in(root: &Root, path: &str) -> anyhow::Result<Option<Vec<String>>> {
    let listed = toml(root, path)?.and_then(|it| HooksDirs::of(&it.table));
    Ok(listed.filter(|it| it.append != Some(true)).map(|it| it.folders))
}

/// The folders for hooks that the configuration in a user's home names.
pub fn hooks_of(root: &Root, home: &str) -> Vec<String> {
    let own = format!("{home}/.config/containers");
    let mut paths = vec![format!("{own}/containers.conf")];
    paths.extend(drop_ins(root, &format!("{own}/containers.conf.d")).unwrap_or_default());
    // What of a user's own files cannot be read names nothing.
    hooks(readable(root, &paths).iter())
}

/// The content of the files that can be read.
fn readable(root: &Root, paths: &[String]) -> Vec<toml::Table> {
    paths.iter().filter_map(|it| Some(toml(root, it).ok().flatten()?.table)).collect()
}

/// `hooks_dir` in a file.
struct HooksDirs {
    folders: Vec<String>,
    /// `{append = true}` or `{append = false}` in the list, since Podman 5.
    append: Option<bool>,
}

impl HooksDirs {
    fn of(table: &toml::Table) -> Option<Self> {
        let list = descend(table, &["engine"])?.get("hooks_dir")?.as_array()?;
        let folders = list.iter().filter_map(|it| it.as_str()).map(str::to_owned).collect();
        let append = list.iter().rev().find_map(|it| it.get("append")?.as_bool());
        Some(Self { folders, append })
    }
}

/// The folders for hooks after these files. A list replaces those before it, unless it or an earlier one says `append`, which
/// holds until it is taken back (containers.conf(5); containers/common, `internal/attributedstring/slice.go`).
fn hooks<'a>(tables: impl Iterator<Item = &'a toml::Table>) -> Vec<String> {
    let (mut folders, mut appends) = (Vec::new(), false);
    for listed in tables.filter_map(HooksDirs::of) {
        appends = listed.append.unwrap_or(appends);
        if !appends {
            folders.clear();
        }
        folders.extend(listed.folders);
    }
    folders
}

/// The files that are read, in this order.
fn files(root: &Root, rules: Rules, caller: PodmanCaller<'_>) -> anyhow::Result<Vec<String>> {
    let main = |folder: &str| format!("{folder}/containers.conf");
    let [usr, etc] = FOLDERS;
    let own = caller.own();
    if rules == Rules::Six {
        let there = |it: &String| root.exists(it).unwrap_or(true);
        let mut files: Vec<_> = [own, etc, usr].map(main).into_iter().find(there).into_iter().collect();
        files.extend(by_name(root, caller)?);
        return Ok(files);
    }
    let mut files = vec![main(usr), main(etc)];
    files.extend(drop_ins(root, &format!("{etc}/containers.conf.d"))?);
    if matches!(caller, PodmanCaller::User { .. }) || rules == Rules::Five {
        files.push(main(own));
        files.extend(drop_ins(root, &format!("{own}/containers.conf.d")).unwrap_or_default());
    }
    Ok(files)
}

/// Podman 6: the drop-ins of all folders in the order of their names; of one name, the last folder's. It passes over links.
fn by_name(root: &Root, caller: PodmanCaller<'_>) -> anyhow::Result<Vec<String>> {
    let mut paths = Vec::new();
    for folder in caller.folders() {
        paths.extend(drop_ins(root, &folder)?);
    }
    paths.extend(drop_ins(root, &format!("{}/containers.conf.d", caller.own())).unwrap_or_default());
    paths.retain(|it| root.link_name(it).is_err());
    let named = paths.into_iter().map(|it| (it.rsplit('/').next().unwrap_or_default().to_owned(), it));
    Ok(named.collect::<BTreeMap<_, _>>().into_values().collect())
}

/// The drop-ins that some version reads for a user, or would if no other file hid them.
pub fn drop_ins_of(root: &Root, caller: PodmanCaller<'_>) -> Vec<String> {
    let folders = caller.folders().into_iter().chain([format!("{}/containers.conf.d", caller.own())]);
    // What cannot be read is an error of the configuration as a whole.
    folders.flat_map(|it| drop_ins(root, &it).unwrap_or_default()).collect()
}

/// The files that some version reads for root, or would if no other file hid them.
pub fn candidates(root: &Root) -> Vec<String> {
    let mut found = Vec::new();
    for folder in FOLDERS.into_iter().chain([OF_ROOT]) {
        found.push(format!("{folder}/containers.conf"));
        for drop_in in ["containers.conf.d", "containers.rootful.conf.d"] {
            // What cannot be read is an error of the configuration as a whole.
            found.extend(drop_ins(root, &format!("{folder}/{drop_in}")).unwrap_or_default());
        }
    }
    found
}

fn drop_ins(root: &Root, folder: &str) -> anyhow::Result<Vec<String>> {
    super::expand(root, &format!("{folder}/*.conf"))
}
