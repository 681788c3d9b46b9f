//! Whether an engine's containers are checked: its entries, whether those work, and whether the running daemon has read them.

use std::os::unix::fs::MetadataExt;

use crate::host::{Miss, Root};
use crate::os::file::PATH;
use crate::policy::Policy;
use crate::setup::engines::Effective;
use crate::setup::engines::podman::Rules;
use crate::setup::install::{Engine, Way, is_ours, verifier};
use crate::setup::placement::live::{self, Daemon, Docker};
use crate::setup::placement::{self, StandingEntry, System, podman_users};
use crate::words::moment;
use crate::words::text::printable;

use super::podman::{self, Versions};
use super::{Coverage, EngineStatus, StatusPlaces, VerifierStatus, WayStatus, program};

/// The engines that are here, and what of their configuration could not be read.
pub(super) fn engines(places: &StatusPlaces<'_>, policy: &Policy) -> (Vec<EngineStatus>, Vec<String>) {
    let root = places.root;
    let (standing, unread) = placement::standing(root);
    let distributions = placement::distributions(root);
    let mut found = Vec::new();
    for system in System::ALL {
        let own: Vec<_> = standing.iter().filter(|it| it.system == system).collect();
        let daemon = live::daemon(system, root);
        let here = match system {
            System::Docker => has(root, "dockerd"),
            System::Podman => has(root, "podman"),
            System::CriO => has(root, "crio"),
            System::Containerd => has(root, "containerd"),
            System::K3s | System::Rke2 | System::K0s | System::MicroK8s => distributions.contains(&system),
        };
        // Podman and CRI-O read the same hook file.
        if !here && daemon.is_none() && own.iter().all(|it| it.entry.way == Way::Hook) {
            continue;
        }
        // What cannot be read is among the unread.
        let effective = system.effective(root).ok().flatten().unwrap_or_default();
        let versions = Versions::of(system, root);
        let seen = EngineView { system, own, daemon, effective, versions, root, policy };
        found.push(seen.status());
        if system == System::Podman {
            found.extend(rootless(&seen));
        }
    }
    (found, unread.iter().map(|it| printable(it)).collect())
}

fn has(root: &Root, program: &str) -> bool {
    PATH.split(':').any(|it| root.exists(&format!("{it}/{program}")).unwrap_or(false))
}

/// All that is seen of one engine.
struct EngineView<'a> {
    system: System,
    own: Vec<&'a StandingEntry>,
    daemon: Option<Daemon>,
    effective: Effective,
    /// Podman's configuration by the rules of each version.
    versions: Versions,
    root: &'a Root,
    policy: &'a Policy,
}

impl EngineView<'_> {
    fn status(&self) -> EngineStatus {
        let docker = if self.system == System::Docker && self.daemon.is_some() {
            live::docker(self.root)
        } else {
            None
        };
        let ways: Vec<_> = self.own.iter().map(|it| self.way(it, docker.as_ref())).collect();
        let mut notes = self.notes(&ways);
        let verifier = self.verifier();
        notes.extend(verifier.iter().flat_map(VerifierStatus::notes));
        let mut coverage = coverage(&ways);
        if let Some(disabled) = &self.effective.disabled {
            notes.push(format!(
                "{}: disabled_plugins names {:?}, so that it starts nothing for Kubernetes",
                disabled.file, disabled.value
            ));
            coverage = Coverage::NotUsed;
        } else if self.system == System::Containerd && ways.is_empty() && !self.has_kubelet() {
            notes
                .push("there is no kubelet here; ctr and nerdctl name the wrapper with each call".to_owned());
            coverage = Coverage::NotUsed;
        }
        if let Some(docker) = docker.filter(|_| ways.is_empty())
            && docker.runtimes.iter().any(|(_, it)| is_ours(it, Way::Wrapper))
        {
            notes.push(
                "dockerd still has the wrapper, which its configuration has not: systemctl restart docker"
                    .to_owned(),
            );
        }
        EngineStatus {
            engine: self.system.name().to_owned(),
            user: None,
            coverage,
            ways,
            running_since: self.daemon.map(|it| time(it.started)),
            verifier,
            notes,
        }
    }

    fn way(&self, standing: &StandingEntry, docker: Option<&Docker>) -> WayStatus {
        let entry = &standing.entry;
        let is_hook = entry.way == Way::Hook;
        let changed = self.root.open(&standing.file).and_then(|it| {
            let found = it.metadata();
            found
                .map(|it| u64::try_from(it.mtime()).unwrap_or_default())
                .map_err(|_| crate::host::Miss::NotFound)
        });
        let looked = program::look(self.root, &entry.program);
        let unread = || {
            self.versions
                .problem(standing)
                .or_else(|| self.unread(standing, docker, changed.as_ref().ok().copied()))
        };
        WayStatus {
            way: if is_hook { "hook" } else { "wrapper" },
            file: printable(&standing.file),
            since: changed.as_ref().ok().map(|it| time(*it)),
            runtime: (!is_hook).then(|| printable(&entry.name)),
            default: is_hook || entry.default && self.versions.doubt(&entry.name).is_none(),
            program: printable(&entry.program),
            version: looked.as_ref().ok().cloned().flatten(),
            problem: looked.err().or_else(unread).map(|it| printable(&it)),
        }
    }

    /// Why the daemon does not know the entry yet. A hook file is read with each container.
    fn unread(
        &self,
        standing: &StandingEntry,
        docker: Option<&Docker>,
        changed: Option<u64>,
    ) -> Option<String> {
        let entry = &standing.entry;
        let daemon = self.daemon.filter(|_| entry.way == Way::Wrapper)?;
        let reread = self.system.reread(entry, false);
        let stale = match docker {
            Some(docker) => {
                let listed =
                    docker.runtimes.iter().any(|(name, it)| *name == entry.name && is_ours(it, Way::Wrapper));
                !listed || entry.default && docker.default != entry.name
            }
            None => changed.is_some_and(|it| it > daemon.started),
        };
        stale.then(|| format!("{} was written, and is not read yet: {reread}", standing.file))
    }

    fn notes(&self, ways: &[WayStatus]) -> Vec<String> {
        let mut notes = Vec::new();
        notes.extend(self.own.iter().find_map(|it| self.versions.doubt(&it.entry.name)));
        let has_way = |name: &str| ways.iter().any(|it| it.way == name);
        if has_way("hook") && has_way("wrapper") {
            notes.push(
                "by hook and by wrapper: what asks for the wrapper is checked twice, and one is enough"
                    .to_owned(),
            );
        }
        if has_way("hook") && has(self.root, "crun") && !self.policy.crun_stderr {
            notes.push(
                "crun_stderr is false: under crun, of a refusal the user sees the number alone".to_owned(),
            );
        }
        let others = self.effective.runtimes.iter().filter(|(name, it)| {
            !it.program.as_deref().is_some_and(|it| is_ours(it, Way::Wrapper))
                && !["runc", "crun"].contains(&name.as_str())
        });
        let others: Vec<_> = others.map(|(name, _)| printable(name)).collect();
        if has_way("wrapper") && !has_way("hook") && !others.is_empty() {
            notes.push(format!("not checked, if a container asks for it: {}", others.join(", ")));
        }
        notes
    }

    /// The image verifier, if it is installed.
    fn verifier(&self) -> Option<VerifierStatus> {
        if self.system.engine() != Engine::Containerd {
            return None;
        }
        let file = format!("{}/{}", verifier::folder(&self.effective), verifier::VERIFIER);
        let (program, problem) = match self.root.read_text(&file) {
            Ok(text) => {
                let program = verifier::called(&text)?;
                let look = |it: &str| program::look(self.root, it).err();
                let problem = look(&file).or_else(|| look(&program));
                (Some(program), problem)
            }
            Err(Miss::NotFound) => return None,
            Err(Miss::Unreadable(unknown)) => (None, Some(unknown.reason)),
        };
        Some(VerifierStatus {
            file: printable(&file),
            program: program.as_deref().map(printable),
            problem: problem.as_deref().map(printable),
            bypasses: verifier::bypasses(&self.effective).iter().map(|it| printable(it)).collect(),
        })
    }

    fn has_kubelet(&self) -> bool {
        has(self.root, "kubelet") || self.root.exists("/var/lib/kubelet").unwrap_or(false)
    }
}

impl VerifierStatus {
    /// What an operator should know of it, each a sentence.
    fn notes(&self) -> Vec<String> {
        let file = &self.file;
        let told = match &self.problem {
            Some(why) if self.program.is_none() => {
                format!("whether {file} judges images before they are pulled is not known: it {why}")
            }
            Some(why) => format!("{file} judges no image before it is pulled: {why}"),
            None => format!("{file} judges images before they are pulled (containerd 2.0 and later)"),
        };
        std::iter::once(told).chain(self.bypasses.clone()).collect()
    }
}

/// The best of what works.
fn coverage(ways: &[WayStatus]) -> Coverage {
    let working: Vec<_> = ways.iter().filter(|it| it.problem.is_none()).collect();
    match working.as_slice() {
        [] => Coverage::None,
        some if some.iter().any(|it| it.default) => Coverage::All,
        _ => Coverage::Asked,
    }
}

/// Podman as other users than root have it: it reads no hooks folder, unless a configuration names one.
fn rootless(seen: &EngineView<'_>) -> Vec<EngineStatus> {
    let mut found = Vec::new();
    for user in podman_users(seen.root) {
        let by_version = Rules::ALL.map(|it| (it, user.hooks(seen.root, it)));
        let mut ways: Vec<WayStatus> = Vec::new();
        for folder in by_version.iter().flat_map(|it| &it.1) {
            let file = format!("{folder}/oci-compat.json");
            let Some(way) = hook(seen.root, &file).filter(|it| ways.iter().all(|old| old.file != it.file))
            else {
                continue;
            };
            let problem = podman::unlisted(&by_version, folder);
            ways.push(WayStatus { problem: way.problem.or(problem.map(|it| printable(&it))), ..way });
        }
        found.push(EngineStatus {
            engine: System::Podman.name().to_owned(),
            user: Some(printable(&user.name)),
            coverage: coverage(&ways),
            ways,
            running_since: None,
            verifier: None,
            notes: Vec::new(),
        });
    }
    found
}

fn hook(root: &Root, file: &str) -> Option<WayStatus> {
    let text = root.read_text(file).ok()?;
    let parsed: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let program = parsed
        .pointer("/hook/path")
        .and_then(serde_json::Value::as_str)
        .filter(|it| is_ours(it, Way::Hook))?;
    let looked = program::look(root, program);
    Some(WayStatus {
        way: "hook",
        file: printable(file),
        since: None,
        runtime: None,
        default: true,
        program: printable(program),
        version: looked.as_ref().ok().cloned().flatten(),
        problem: looked.err().map(|it| printable(&it)),
    })
}

fn time(seconds: u64) -> String {
    moment::text((i64::try_from(seconds).unwrap_or(i64::MAX), 0))
}
