//! The program that the wrapper must become so that only the check is new: that of the previous default runtime.

use anyhow::bail;

use super::{Engine, EngineEntry, WRAPPER, Way, is_program};
use crate::os::file::PATH;
use crate::setup::engines::Runtime;

/// The names under which runc is an engine's own choice; the wrapper finds it by itself.
const RUNC: [&str; 2] = ["runc", "io.containerd.runc.v2"];

/// Links by which the wrapper becomes another program than runc (`docs/wrapper.md`, Which low-level runtime).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The path of the wrapper's further name, which ends with that of the other program.
    pub wrapper: String,
    /// The other program's name.
    pub name: String,
    /// Its absolute path, if the engine's configuration names one.
    pub path: Option<String>,
}

impl EngineEntry {
    /// Sees to it that the wrapper becomes what the engine's default runtime has called so far; says which links this takes.
    ///
    /// # Errors
    ///
    /// If the default runtime calls no such program, and the entry is to be the default one.
    pub fn chain(&mut self) -> anyhow::Result<Option<Chain>> {
        if self.way == Way::Hook {
            return Ok(None);
        }
        if let Some(suffix) = self.standing_suffix() {
            self.program.push_str(&suffix);
            return Ok(None);
        }
        let Some((name, path)) = self.former_program()? else { return Ok(None) };
        self.program.push('-');
        self.program.push_str(&name);
        Ok(Some(Chain { wrapper: self.program.clone(), name, path }))
    }

    /// The runtime of containers that asked for none before this entry was there, if it is listed.
    pub(super) fn former(&self) -> Option<(&str, &Runtime)> {
        self.around.default_runtime().filter(|(name, it)| *name != self.name && it.foreign.is_none())
    }

    /// What follows the wrapper's name in an entry that is there already.
    fn standing_suffix(&self) -> Option<String> {
        let there = self.around.runtimes.get(&self.name)?.program.as_deref()?;
        let name = there.rsplit('/').next()?;
        let mut suffix = name.strip_prefix(WRAPPER).filter(|it| it.starts_with('-'))?;
        if self.strict {
            suffix = suffix.strip_prefix("-strict").unwrap_or(suffix);
        }
        (!self.program.ends_with(suffix)).then(|| suffix.to_owned())
    }

    /// The program of the former default runtime, by its name, and its path; `None` if that is runc.
    fn former_program(&self) -> anyhow::Result<Option<(String, Option<String>)>> {
        let Some(default) = &self.around.default else { return Ok(None) };
        let name = default.value.as_str();
        let is_runc = RUNC.contains(&name) || name == self.name || name.starts_with('$');
        let program = match self.around.runtimes.get(name) {
            Some(Runtime { foreign: Some(kind), .. }) => return self.no_program(name, kind),
            Some(runtime) => match &runtime.program {
                Some(program) => program.as_str(),
                // Podman and CRI-O look for a program of the runtime's name.
                None if matches!(self.engine, Engine::Podman | Engine::CriO) => name,
                None => return Ok(None),
            },
            None if is_runc => return Ok(None),
            None if matches!(self.engine, Engine::Podman | Engine::CriO) => name,
            None => return self.no_program(name, "not among its runtimes"),
        };
        let (folder, file) = program.rsplit_once('/').unwrap_or(("", program));
        if is_program(program, WRAPPER)
            || (RUNC.contains(&file) && (folder.is_empty() || PATH.split(':').any(|it| it == folder)))
        {
            return Ok(None);
        }
        let path = (!folder.is_empty()).then(|| program.to_owned());
        Ok(Some((file.to_owned(), path)))
    }

    fn no_program(&self, name: &str, kind: &str) -> anyhow::Result<Option<(String, Option<String>)>> {
        if !self.default {
            return Ok(None);
        }
        let instead = match self.engine {
            Engine::Docker => "`docker run --runtime`",
            Engine::Podman => "`podman --runtime`",
            Engine::Containerd | Engine::CriO | Engine::Runc => "a RuntimeClass",
        };
        bail!(
            "the default runtime {name} is {kind}, and calls no program such as runc, in whose place the wrapper could stand: \
             leave --default out, and have containers ask for {} by {instead}",
            self.name
        )
    }
}
