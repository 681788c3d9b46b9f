//! The entries in an engine's configuration that have its containers checked: text made from text. Never reads or writes a
//! file, and never runs anything.

mod json;
mod docker;
mod containerd;
mod bundle;
mod hook;
mod dropin;
mod chain;
mod table;
pub mod verifier;

use anyhow::{Context, ensure};

use crate::setup::engines::Effective;

pub use chain::Chain;
pub use dropin::UserHooks;

/// The name under which engines know the wrapper, unless another one is chosen.
pub const NAME: &str = "oci-compat";
/// How the wrapper's file is called, wherever it is, perhaps with `-NAME` behind it: by it an earlier entry is known for
/// ours.
const WRAPPER: &str = "oci-compat-runtime";
/// The hook's option on strict hosts.
const STRICT: &str = "--strict";
/// The same for the hook.
const HOOK: &str = "oci-compat-hook";

/// Who starts containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// <https://docs.podman.io>
    Podman,
    /// <https://cri-o.io>
    CriO,
    /// <https://containerd.io>, also below Kubernetes.
    Containerd,
    /// <https://docs.docker.com/engine>
    Docker,
    /// A bundle of the runtime specification, for runc, crun or youki called by hand.
    Runc,
}

/// Which of the two programs an engine calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The hook, on every container.
    Hook,
    /// The wrapper, in place of the low-level runtime.
    Wrapper,
}

/// The first line of drop-ins: by it, a file is known for ours.
const FIRST: &str = "# Written by `oci-compat install`, and removed by its --remove: changes are lost.\n";

/// What sort of file takes the entry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EntryForm {
    /// The engine's own file, or one that is ours because of its place.
    #[default]
    Own,
    /// A file of ours that containerd imports, of this version.
    DropIn(i64),
    /// The template from which k3s and RKE2 make a file of this version.
    Template(i64),
}

/// The entry for an engine's configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineEntry {
    /// Whose configuration it is.
    pub engine: Engine,
    /// What it calls. containerd and Docker know no hooks, a bundle no wrapper.
    pub way: Way,
    /// The absolute path of the hook or of the wrapper, as the engine sees it.
    pub program: String,
    /// The wrapper's name among the engine's runtimes.
    pub name: String,
    /// Whether the wrapper is for every container that asks for no other runtime.
    pub default: bool,
    /// Whether what could not be checked is refused: the hook by an option, the wrapper by its name.
    pub strict: bool,
    /// What sort of file takes it; only containerd has several.
    pub form: EntryForm,
    /// The engine's configuration as a whole, without this entry.
    pub around: Effective,
}

impl EngineEntry {
    /// The configuration with the entry; `current` is the present text, `None` if there is no such file.
    /// Everything else in it stays as it is, byte for byte.
    ///
    /// # Errors
    ///
    /// Why the configuration cannot take the entry: it cannot be parsed, is of another version, or has another entry of
    /// the same name.
    pub fn added(&self, current: Option<&str>) -> anyhow::Result<String> {
        self.possible()?;
        let text = match (self.engine, self.way) {
            (Engine::Docker, _) => docker::added(current, self),
            (Engine::Containerd, _) => containerd::added(current, self),
            (Engine::Runc, _) => bundle::added(current, self),
            (Engine::Podman | Engine::CriO, Way::Hook) => hook::added(current, self),
            (Engine::Podman | Engine::CriO, Way::Wrapper) => dropin::added(current, self),
        }?;
        self.verify(current.unwrap_or_default(), &text)
            .context("checking the new text; this is a defect of ours")?;
        Ok(text)
    }

    /// The configuration without the entry; `None` if the file has no other purpose. `before` is what stood there when the
    /// entry was added, if that was kept: it is the answer if nothing else has changed since.
    ///
    /// # Errors
    ///
    /// If the configuration cannot be parsed.
    pub fn removed(&self, current: &str, before: Option<&str>) -> anyhow::Result<Option<String>> {
        // What the wrapper becomes is as it was when the entry was added.
        for default in [self.default, !self.default] {
            let entry = Self { default, ..self.clone() };
            // What cannot be added to is not how it came about.
            if entry.added(before).is_ok_and(|it| it == current) && Some(current) != before {
                return Ok(before.map(str::to_owned));
            }
        }
        self.cut(current, before)
    }

    /// Whether the configuration has an entry of ours.
    ///
    /// # Errors
    ///
    /// If the configuration cannot be parsed.
    pub fn stands_in(&self, current: &str) -> anyhow::Result<bool> {
        Ok(self.cut(current, None)?.as_deref() != Some(current))
    }

    /// The file that the engine reads, or the drop-in that is ours alone; for a bundle its name there. Of the two folders
    /// for hooks, Podman 4 and CRI-O read only that below `/usr` unless `hooks_dir` of their configuration says otherwise.
    pub fn place(&self) -> &'static str {
        match (self.engine, self.way) {
            (Engine::Docker, _) => "/etc/docker/daemon.json",
            (Engine::Containerd, _) => "/etc/containerd/config.toml",
            (Engine::Runc, _) => "config.json",
            (Engine::Podman | Engine::CriO, Way::Hook) => "/usr/share/containers/oci/hooks.d/oci-compat.json",
            (Engine::Podman, Way::Wrapper) => "/etc/containers/containers.conf.d/50-oci-compat.conf",
            (Engine::CriO, Way::Wrapper) => "/etc/crio/crio.conf.d/50-oci-compat.conf",
        }
    }

    /// What makes the engine read its configuration again, as a command where it takes one.
    /// `removed` says that the entry has just been taken out.
    pub fn reread(&self, removed: bool) -> &'static str {
        match (self.engine, self.way) {
            // On a reload, dockerd takes over what is set, and nothing else.
            (Engine::Docker, _) if removed => "docker forgets it after: systemctl restart docker",
            (Engine::Docker, _) => "docker reads it after: systemctl reload docker",
            (Engine::Containerd, _) => {
                "containerd reads it after: systemctl restart containerd (containers go on)"
            }
            (Engine::Runc, _) => "the bundle's next container reads it",
            (Engine::Podman, _) => "podman reads it on its next call",
            (Engine::CriO, Way::Hook) => "cri-o watches this folder: the next container has it",
            // On a reload, CRI-O neither takes over a new runtime nor forgets an old one (tried with 1.36).
            (Engine::CriO, Way::Wrapper) if removed => {
                "cri-o forgets it after: systemctl restart crio (containers go on)"
            }
            (Engine::CriO, Way::Wrapper) => "cri-o reads it after: systemctl restart crio (containers go on)",
        }
    }

    /// The RuntimeClass by which pods ask for the wrapper, as YAML for `kubectl apply -f -`
    /// (Kubernetes, Runtime Class: `handler` is the name of the runtime in the engine's configuration).
    pub fn runtime_class(&self) -> String {
        let name = &self.name;
        format!(
            "apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata:\n  name: {name}\nhandler: {name}\n"
        )
    }

    fn possible(&self) -> anyhow::Result<()> {
        let hook = self.way == Way::Hook;
        let knows = match self.engine {
            Engine::Docker | Engine::Containerd => !hook,
            Engine::Runc => hook,
            Engine::Podman | Engine::CriO => true,
        };
        let way = if hook { "hooks" } else { "a wrapper in its bundles" };
        ensure!(knows, "{} does not know {way}", self.engine.name());
        ensure!(
            self.program.starts_with('/'),
            "{:?} is not an absolute path: engines take no other",
            self.program
        );
        let name = if hook { HOOK } else { WRAPPER };
        ensure!(
            is_program(&self.program, name),
            "{:?} is not called {name} or {name}-..., by which its entry is found again: make a link",
            self.program
        );
        // A RuntimeClass's handler is a DNS label, and TOML and JSON take that as it is (Kubernetes, RuntimeClass).
        let plain = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-';
        let label = self.name.chars().all(plain) && !self.name.starts_with('-') && !self.name.ends_with('-');
        ensure!(
            label && !self.name.is_empty(),
            "{:?} is no name for a runtime: small letters, digits and - within, such as {NAME}",
            self.name
        );
        Ok(())
    }

    /// The text without our entry; `None` if the whole file is ours.
    fn cut(&self, current: &str, before: Option<&str>) -> anyhow::Result<Option<String>> {
        match (self.engine, self.way) {
            (Engine::Docker, _) => docker::cut(current, before, self).map(Some),
            (Engine::Containerd, _) => containerd::cut(current, before, self),
            (Engine::Runc, _) => bundle::cut(current).map(Some),
            (Engine::Podman | Engine::CriO, Way::Hook) => Ok(hook::cut(current)),
            (Engine::Podman | Engine::CriO, Way::Wrapper) => Ok(dropin::cut(current)),
        }
    }

    /// The new text can be parsed, has the entry, and says nothing else than the old one did.
    fn verify(&self, before: &str, after: &str) -> anyhow::Result<()> {
        ensure!(self.stands_in(after)?, "the entry is not in it");
        match self.engine {
            Engine::Docker | Engine::Runc => {
                let old = if before.trim().is_empty() { "{}" } else { before };
                let value = |text: &str| -> anyhow::Result<serde_json::Value> {
                    Ok(serde_json::from_str(&self.cut(text, Some(old))?.unwrap_or_default())?)
                };
                ensure!(filled_json(value(old)?) == filled_json(value(after)?), "something else has changed");
            }
            Engine::Containerd if before.is_empty() || self.form != EntryForm::Own => {}
            Engine::Containerd => {
                let value = |text: &str| -> anyhow::Result<toml::Value> {
                    let text = self.cut(text, Some(before))?.unwrap_or_default();
                    Ok(toml::Value::Table(toml::from_str(&text)?))
                };
                ensure!(
                    filled_toml(value(before)?) == filled_toml(value(after)?),
                    "something else has changed"
                );
            }
            Engine::Podman | Engine::CriO => {}
        }
        Ok(())
    }
}

impl Engine {
    /// As its users write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Podman => "podman",
            Self::CriO => "cri-o",
            Self::Containerd => "containerd",
            Self::Docker => "docker",
            Self::Runc => "runc",
        }
    }
}

/// A value without what is empty: what held nothing but our entry goes with it.
fn filled_json(value: serde_json::Value) -> Option<serde_json::Value> {
    let serde_json::Value::Object(members) = value else { return Some(value) };
    let members = members.into_iter().filter_map(|(key, it)| Some((key, filled_json(it)?)));
    Some(members.collect::<serde_json::Map<_, _>>()).filter(|it| !it.is_empty()).map(Into::into)
}

/// The same of TOML.
fn filled_toml(value: toml::Value) -> Option<toml::Value> {
    let toml::Value::Table(members) = value else { return Some(value) };
    let members = members.into_iter().filter_map(|(key, it)| Some((key, filled_toml(it)?)));
    Some(members.collect::<toml::Table>()).filter(|it| !it.is_empty()).map(Into::into)
}

/// Whether a path is that of one of our programs, in whatever folder. A link with the name of a low-level runtime behind
/// the wrapper's is the wrapper as well.
fn is_program(path: &str, program: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.strip_prefix(program).is_some_and(|it| it.is_empty() || it.starts_with('-'))
}

/// What is ours in a template of k3s or RKE2, as TOML; `None` if nothing is.
pub fn ours_in_template(text: &str) -> Option<&str> {
    containerd::ours(text)
}

/// Whether a path is that of the hook or the wrapper, in whatever folder.
pub fn is_ours(path: &str, way: Way) -> bool {
    is_program(path, if way == Way::Hook { HOOK } else { WRAPPER })
}

#[cfg(test)]
mod tests;
