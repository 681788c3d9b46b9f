//! The file of an engine's configuration that takes an entry, and the places of our entries. Reads only.

mod users;
mod standing;
mod running;
mod podman;
pub mod live;

use anyhow::{anyhow, bail};

use crate::host::{Miss, Root};
use crate::setup::engines::{self, Effective, EffectiveValue, containerd, docker};
use crate::setup::install::{Engine, EngineEntry, EntryForm, Way};

pub use podman::{UserDropIn, user_drop_in, user_drop_ins};
pub use running::running;
pub use standing::{StandingEntry, standing};
pub use users::{PodmanUser, podman_users};

/// Our drop-in, and its name where others sort behind the first and would have the last word.
const DROP_IN: [&str; 2] = ["50-oci-compat", "zz-oci-compat"];

/// The folder that k0s watches.
const K0S_FOLDER: &str = "/etc/k0s/containerd.d";

/// An engine as it is installed: several bring a containerd of their own, each with files of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum System {
    /// <https://docs.docker.com/engine>
    Docker,
    /// <https://docs.podman.io>
    Podman,
    /// <https://cri-o.io>
    CriO,
    /// <https://containerd.io>
    Containerd,
    /// <https://docs.k3s.io/advanced>, Configuring containerd
    K3s,
    /// <https://docs.rke2.io/advanced>
    Rke2,
    /// <https://docs.k0sproject.io/stable/runtime>
    K0s,
    /// <https://microk8s.io/docs>
    MicroK8s,
}

/// Where an entry goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Spot {
    /// The file's path on the host.
    pub file: String,
    /// What sort of file it is.
    pub form: EntryForm,
    /// A file of ours that it takes the place of.
    pub replaces: Option<String>,
    /// The configuration as a whole.
    pub around: Effective,
}

impl System {
    /// All, in the order in which they are named to people.
    pub const ALL: [Self; 8] = [
        Self::Docker,
        Self::Podman,
        Self::CriO,
        Self::Containerd,
        Self::K3s,
        Self::Rke2,
        Self::K0s,
        Self::MicroK8s,
    ];

    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::CriO => "cri-o",
            Self::Containerd => "containerd",
            Self::K3s => "k3s",
            Self::Rke2 => "rke2",
            Self::K0s => "k0s",
            Self::MicroK8s => "microk8s",
        }
    }

    /// Whose configuration it has.
    pub fn engine(self) -> Engine {
        match self {
            Self::Docker => Engine::Docker,
            Self::Podman => Engine::Podman,
            Self::CriO => Engine::CriO,
            Self::Containerd | Self::K3s | Self::Rke2 | Self::K0s | Self::MicroK8s => Engine::Containerd,
        }
    }

    /// The file that containerd is started with, for those that have one.
    pub fn main(self) -> Option<&'static str> {
        match self {
            Self::Docker | Self::Podman | Self::CriO => None,
            Self::Containerd => Some("/etc/containerd/config.toml"),
            Self::K3s => Some("/var/lib/rancher/k3s/agent/etc/containerd/config.toml"),
            Self::Rke2 => Some("/var/lib/rancher/rke2/agent/etc/containerd/config.toml"),
            Self::K0s => Some("/etc/k0s/containerd.toml"),
            Self::MicroK8s => Some("/var/snap/microk8s/current/args/containerd-template.toml"),
        }
    }

    /// Of those that bring a containerd of their own: a folder or file that only they have.
    fn trace(self) -> Option<&'static str> {
        match self {
            Self::Docker | Self::Podman | Self::CriO | Self::Containerd => None,
            Self::K3s => Some("/var/lib/rancher/k3s/agent/etc/containerd"),
            Self::Rke2 => Some("/var/lib/rancher/rke2/agent/etc/containerd"),
            Self::K0s => Some("/etc/k0s/containerd.toml"),
            Self::MicroK8s => self.main(),
        }
    }

    /// What makes the engine read its configuration again.
    pub fn reread(self, entry: &EngineEntry, removed: bool) -> &'static str {
        match self {
            Self::Docker | Self::Podman | Self::CriO | Self::Containerd => entry.reread(removed),
            Self::K3s => "k3s reads it after: systemctl restart k3s (on an agent: k3s-agent)",
            Self::Rke2 => "rke2 reads it after: systemctl restart rke2-server (on an agent: rke2-agent)",
            Self::K0s => "k0s watches this folder, and tells its containerd",
            Self::MicroK8s => "microk8s reads it after: snap restart microk8s.daemon-containerd",
        }
    }

    /// The configuration as the engine reads it; `None` if there is no file of it.
    ///
    /// # Errors
    ///
    /// If a file cannot be read or parsed.
    pub fn effective(self, root: &Root) -> anyhow::Result<Option<Effective>> {
        match (self, self.main()) {
            (_, Some(main)) => containerd::read(root, main),
            (Self::Docker, _) => docker::read(root, docker::FILE),
            (Self::Podman, _) => engines::podman::read(root).map(Some),
            _ => engines::crio::read(root).map(Some),
        }
    }
}

/// Those with a containerd of their own that are on this host.
pub fn distributions(root: &Root) -> Vec<System> {
    let here = |it: &System| it.trace().is_some_and(|it| root.exists(it) == Ok(true));
    System::ALL.into_iter().filter(here).collect()
}

/// Where an entry goes; its own form and surroundings do not count yet.
///
/// # Errors
///
/// If no file of this engine can take it, or another one has the last word: what to do about it.
pub fn spot(system: System, entry: &EngineEntry, root: &Root) -> anyhow::Result<Spot> {
    let effective = system.effective(root)?;
    match system {
        System::Docker => Ok(own(entry.place(), effective.unwrap_or_default())),
        System::Podman | System::CriO => {
            let around = effective.unwrap_or_default();
            if entry.way == Way::Hook {
                return Ok(own(entry.place(), around));
            }
            if system == System::Podman {
                return podman::spot(entry, root, around);
            }
            let (folder, _) = entry.place().rsplit_once('/').unwrap_or_default();
            Ok(own(&drop_in(folder, "conf", entry, &around), around))
        }
        System::Containerd | System::MicroK8s => {
            let main = system.main().unwrap_or_default();
            effective.map_or_else(|| Ok(own(main, Effective::default())), |it| imported(main, entry, it))
        }
        System::K3s | System::Rke2 => {
            let main = system.main().unwrap_or_default();
            let Some(around) = effective else {
                bail!("{main} is not there yet: start {} once, which writes it", system.name());
            };
            templated(system, main, entry, around)
        }
        System::K0s => k0s(entry, effective, root),
    }
}

fn own(file: &str, around: Effective) -> Spot {
    Spot { file: file.to_owned(), form: EntryForm::Own, replaces: None, around }
}

/// Where containerd imports a folder, a file of ours there; else the file that has the last word.
fn imported(main: &str, entry: &EngineEntry, around: Effective) -> anyhow::Result<Spot> {
    let version = version(&around, main);
    let stands = around.runtimes.contains_key(&entry.name);
    let folder = folder(&around);
    if let Some(folder) = folder.filter(|_| version > 2) {
        let file = drop_in(&folder, "toml", entry, &around);
        // An earlier entry stays where it is.
        if !stands || is_listed(&around, &file) {
            overruled(&file, entry, &around)?;
            return Ok(Spot { file, form: EntryForm::DropIn(version), replaces: None, around });
        }
    }
    // Of version 2, containerd 1 takes the CRI plugin's settings from the last file that has any, and from it alone.
    let last = around.files.iter().rev().find(|it| {
        let plugins = it.table.get("plugins").and_then(|it| it.as_table());
        let has = containerd::PLUGINS.iter().filter_map(|it| plugins?.get(*it)?.as_table());
        has.into_iter().any(|it| version <= 2 || has_default(it) && entry.default)
    });
    let file = last.map_or(main, |it| it.path.as_str()).to_owned();
    Ok(Spot { file, form: EntryForm::Own, replaces: None, around })
}

fn has_default(plugin: &toml::Table) -> bool {
    plugin.get("containerd").and_then(|it| it.get("default_runtime_name")).is_some()
}

/// k3s and RKE2 rewrite containerd's configuration on each start. So the entry goes into a folder that they import, or into a
/// template.
fn templated(system: System, main: &str, entry: &EngineEntry, around: Effective) -> anyhow::Result<Spot> {
    let version = version(&around, main);
    if let Some(folder) = folder(&around) {
        let file = drop_in(&folder, "toml", entry, &around);
        overruled(&file, entry, &around)?;
        return Ok(Spot { file, form: EntryForm::DropIn(version), replaces: None, around });
    }
    if entry.default {
        let name = system.name();
        bail!(
            "{name} names the default runtime itself: leave --default out, and write `default-runtime: {}` into \
             /etc/rancher/{name}/config.yaml",
            entry.name
        );
    }
    let file = match version {
        2 => format!("{main}.tmpl"),
        _ => main.replace("config.toml", &format!("config-v{version}.toml.tmpl")),
    };
    Ok(Spot { file, form: EntryForm::Template(version), replaces: None, around })
}

/// k0s imports a folder into the file that it manages; a file without its mark is the administrator's.
fn k0s(entry: &EngineEntry, effective: Option<Effective>, root: &Root) -> anyhow::Result<Spot> {
    let main = System::K0s.main().unwrap_or_default();
    let Some(around) = effective else {
        bail!("{main} is not there yet: start k0s once, which writes it");
    };
    let text = root.read_text(main).map_err(|miss| match miss {
        Miss::NotFound => anyhow!("{main} is gone"),
        Miss::Unreadable(unknown) => anyhow!("{main}: {}", unknown.reason),
    })?;
    if !text.starts_with("# k0s_managed=true") {
        return imported(main, entry, around);
    }
    let form = EntryForm::DropIn(version(&around, main));
    Ok(Spot { file: drop_in(K0S_FOLDER, "toml", entry, &around), form, replaces: None, around })
}

/// The version of the main file: no other may be newer.
fn version(around: &Effective, main: &str) -> i64 {
    let main = around.files.iter().find(|it| it.path == main);
    main.and_then(|it| it.table.get("version")).and_then(|it| it.as_integer()).unwrap_or(1)
}

/// The first folder whose files are imported.
fn folder(around: &Effective) -> Option<String> {
    let patterns = around.files.iter().flat_map(|it| containerd::imports(&it.table, &it.path));
    let mut folders = patterns.filter_map(|it| it.strip_suffix("/*.toml").map(str::to_owned));
    folders.find(|it| !it.contains('*'))
}

/// The path of our drop-in: behind those that would overrule it.
fn drop_in(folder: &str, extension: &str, entry: &EngineEntry, around: &Effective) -> String {
    let [early, late] = DROP_IN.map(|it| format!("{folder}/{it}.{extension}"));
    let is_later = |it: &EffectiveValue| {
        it.file.starts_with(&format!("{folder}/")) && it.file > early && it.file != late
    };
    let overruled = entry.default && around.default.as_ref().is_some_and(is_later);
    match (is_listed(around, &early), is_listed(around, &late)) {
        (_, true) => late,
        (false, false) if overruled => late,
        _ => early,
    }
}

fn is_listed(around: &Effective, path: &str) -> bool {
    around.files.iter().any(|it| it.path == path)
}

/// A file that is read behind the folder's has the last word whatever the name of ours.
fn overruled(file: &str, entry: &EngineEntry, around: &Effective) -> anyhow::Result<()> {
    let Some(default) = around.default.as_ref().filter(|it| entry.default && it.value != entry.name) else {
        return Ok(());
    };
    let (folder, _) = file.rsplit_once('/').unwrap_or_default();
    let place = |it: &str| around.files.iter().position(|file| file.path == it);
    let in_folder = |path: &str| path.rsplit_once('/').is_some_and(|it| it.0 == folder);
    let last = around.files.iter().rposition(|it| in_folder(&it.path)).unwrap_or(0);
    if !in_folder(&default.file) && place(&default.file).is_some_and(|it| it > last) {
        bail!(
            "{} is read behind it, and makes {} the default runtime: take `default_runtime_name` out there first",
            default.file,
            default.value
        );
    }
    Ok(())
}
