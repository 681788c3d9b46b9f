//! What a call asks of the runtime: which command, and of which container. What is not understood is passed on.

#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use anyhow::anyhow;

use super::words::{self, Given, Grammar};
use crate::gate::Options;

/// What stands before the command (runc(8), crun(1), `youki --help`).
const GLOBAL: Grammar = Grammar {
    valued: &[
        "log",
        "log-format",
        "log-level",
        "root",
        "criu",
        "rootless",
        "cgroup-manager",
        "oci-compat-store",
        "oci-compat-config",
        "oci-compat-root",
        "oci-compat-reports",
        "oci-compat-decisions",
        "oci-compat-journal",
        "oci-compat-syslog",
        "oci-compat-deadline-ms",
        "oci-compat-link",
    ],
    valued_letters: b"lr",
    flags: &["debug", "systemd-cgroup", "systemd-log", "help", "version", "usage", "oci-compat-strict"],
    flag_letters: b"shvV?",
    ends: &[
        "checkpoint",
        "checkpointt",
        "completion",
        "create",
        "delete",
        "events",
        "exec",
        "features",
        "help",
        "info",
        "init",
        "kill",
        "list",
        "mounts",
        "pause",
        "ps",
        "restore",
        "resume",
        "run",
        "spec",
        "start",
        "state",
        "update",
    ],
};

/// What stands behind `create`, `run` and `restore`; runc and youki take options behind the id as well.
const CREATION: Grammar = Grammar {
    valued: &[
        "bundle",
        "config",
        "console-socket",
        "pidfd-socket",
        "pid-file",
        "preserve-fds",
        "image-path",
        "work-path",
        "parent-path",
        "manage-cgroups-mode",
        "empty-ns",
        "lsm-profile",
        "lsm-mount-context",
    ],
    valued_letters: b"bfcp",
    flags: &[
        "no-pivot",
        "no-new-keyring",
        "no-subreaper",
        "detach",
        "keep",
        "tcp-established",
        "ext-unix-sk",
        "shell-job",
        "file-locks",
        "auto-dedup",
        "lazy-pages",
        "help",
        "usage",
    ],
    flag_letters: b"dh?",
    ends: &[],
};

/// Whoever asks for one of these wants no container.
const QUESTIONS: [&[u8]; 7] = [b"help", b"h", b"?", b"usage", b"version", b"v", b"V"];

/// What our own options begin with: with it, those of the hook stand before the command. The runtime doesn't see them.
const OURS: &[u8] = b"oci-compat-";

/// A call, behind the program's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    /// What the runtime gets.
    pub(super) args: Vec<OsString>,
    /// Where whoever calls looks for errors.
    pub(super) log: Log,
    /// The container that is to be made, if one is.
    pub(super) creation: Option<Creation>,
    /// Our own options.
    pub(super) options: Options,
    /// Our own as well: the link that names the runtime.
    pub(super) link: Option<PathBuf>,
    /// What is wrong with our own options.
    pub(super) complaint: Option<String>,
}

/// The runtime's log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Log {
    /// `None` for stderr.
    pub(super) file: Option<PathBuf>,
    /// Whether its lines are JSON objects.
    pub(super) is_json: bool,
}

/// A container that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Creation {
    /// How.
    pub(super) command: Command,
    /// The container's id.
    pub(super) id: OsString,
    /// The bundle's folder as it is named; `None` for the working directory.
    pub(super) bundle: Option<PathBuf>,
    /// Whether another file than the bundle's `config.json` is its configuration (crun's `--config`).
    pub(super) is_configured_elsewhere: bool,
}

/// The commands that make containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    /// To be started later: engines do that.
    Create,
    /// And started at once: people do that.
    Run,
    /// From a checkpoint.
    Restore,
}

impl Call {
    /// Reads the words behind the program's name. Whatever they are, there is something to pass on.
    pub(super) fn parse(words: Vec<OsString>) -> Self {
        let found = words::read(&words, &GLOBAL);
        let mut call = Self {
            args: Vec::new(),
            log: Log::default(),
            creation: None,
            options: Options::standard(),
            link: None,
            complaint: None,
        };
        let mut is_question = false;
        let mut dropped = Vec::new();
        for Given { name, value, words } in found.options {
            match (name.strip_prefix(OURS), name) {
                (Some(name), _) => {
                    call.complaint =
                        call.set(name, value).err().map(|err| format!("{err:#}")).or(call.complaint);
                    dropped.extend(words);
                }
                (None, b"log" | b"l") => call.log.file = value.filter(|it| !it.is_empty()).map(PathBuf::from),
                (None, b"log-format") => call.log.is_json = value.is_some_and(|it| it == "json"),
                (None, _) => is_question |= QUESTIONS.contains(&name),
            }
        }
        if let Some((command, rest)) = found.plain.first().and_then(|it| words.get(*it..)?.split_first())
            && !is_question
        {
            call.creation = Creation::parse(command, rest);
        }
        let kept = words.into_iter().enumerate().filter(|(at, _)| !dropped.contains(at));
        call.args = kept.map(|(_, word)| word).collect();
        call
    }

    fn set(&mut self, name: &[u8], value: Option<&OsStr>) -> anyhow::Result<()> {
        let name = String::from_utf8_lossy(name);
        let value = || value.ok_or_else(|| anyhow!("option --oci-compat-{name} needs a value"));
        if name == "link" {
            self.link = Some(value()?.into());
        } else if !self.options.set(&name, value)? {
            return Err(anyhow!("there is no option --oci-compat-{name}"));
        }
        Ok(())
    }
}

impl Creation {
    /// `None` for every other command, and if there is no id: then the runtime has something to say.
    fn parse(command: &OsStr, words: &[OsString]) -> Option<Self> {
        let command = match command.as_bytes() {
            b"create" => Command::Create,
            b"run" => Command::Run,
            b"restore" => Command::Restore,
            _ => return None,
        };
        let found = words::read(words, &CREATION);
        // An option that is not known may have had a value: the id comes last.
        let id = words.get(*found.plain.last()?)?.clone();
        let mut creation = Self { command, id, bundle: None, is_configured_elsewhere: false };
        for Given { name, value, .. } in found.options {
            match name {
                b"bundle" | b"b" => creation.bundle = value.filter(|it| !it.is_empty()).map(PathBuf::from),
                b"config" | b"f" => creation.is_configured_elsewhere = true,
                _ if QUESTIONS.contains(&name) => return None,
                _ => {}
            }
        }
        Some(creation)
    }
}
