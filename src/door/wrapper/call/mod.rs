//! Parses a call of the runtime: its command and its container. A call that is not understood is passed on.

#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::words::{self, GivenOption, Grammar};
use crate::decide::gate::GateOptions;

/// The options before the command (runc(8), crun(1), `youki --help`).
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

/// The options after `create`, `run` and `restore`; runc and youki also take options after the id.
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

/// Commands that have no container's id behind them. As the value of an option that is not known they are more likely:
/// `--verbosity info create c1`.
const WITHOUT_ID: [&[u8]; 8] =
    [b"completion", b"features", b"help", b"info", b"init", b"list", b"mounts", b"spec"];

/// Options that have a value in some runtimes (runc, crun) and none in others (runsc).
const DOUBTFUL: [&[u8]; 1] = [b"rootless"];

/// With one of these, no container is created.
const QUESTIONS: [&[u8]; 7] = [b"help", b"h", b"?", b"usage", b"version", b"v", b"V"];

/// The prefix of our own options: the hook's options with this prefix, before the command. The runtime does not see them.
const OURS: &[u8] = b"oci-compat-";

/// A call, behind the program's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RuntimeCall {
    /// What the runtime gets.
    pub(super) args: Vec<OsString>,
    /// Where the caller looks for errors.
    pub(super) log: RuntimeLog,
    /// The container that is to be made, if one is.
    pub(super) creation: Option<Creation>,
    /// Our own options.
    pub(super) options: GateOptions,
    /// Our own as well: the link that names the runtime.
    pub(super) link: Option<PathBuf>,
    /// What is wrong with our own options.
    pub(super) complaint: Option<String>,
}

/// The runtime's log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RuntimeLog {
    /// `None` for stderr.
    pub(super) file: Option<PathBuf>,
    /// Whether its lines are JSON objects.
    pub(super) is_json: bool,
}

/// A container that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Creation {
    /// How.
    pub(super) command: CreatingCommand,
    /// The container's id.
    pub(super) id: OsString,
    /// The bundle's folder as it is named; `None` for the working directory.
    pub(super) bundle: Option<PathBuf>,
    /// The place among [`RuntimeCall::args`] of the word that ends with the bundle's name.
    pub(super) bundle_at: Option<usize>,
    /// Whether another file than the bundle's `config.json` is its configuration (crun's `--config`).
    pub(super) is_configured_elsewhere: bool,
}

/// The commands that make containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CreatingCommand {
    /// To be started later: engines do that.
    Create,
    /// And started at once: people do that.
    Run,
    /// From a checkpoint.
    Restore,
}

impl RuntimeCall {
    /// Reads the words behind the program's name. Whatever they are, there is something to pass on.
    pub(super) fn parse(words: Vec<OsString>) -> Self {
        let found = words::read(&words, &GLOBAL);
        let mut call = Self {
            args: Vec::new(),
            log: RuntimeLog::default(),
            creation: None,
            options: GateOptions::standard(),
            link: None,
            complaint: None,
        };
        let mut is_question = false;
        let mut dropped = Vec::new();
        for GivenOption { name, value, words } in found.options {
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
        let likely = found.plain.first().copied();
        if !is_question {
            let creation = |at: usize| Creation::parse(&words, at);
            call.creation = likely.and_then(creation).or_else(|| creation(second_reading(&words, likely)?));
        }
        if let Some(at) = call.creation.as_mut().and_then(|it| it.bundle_at.as_mut()) {
            *at -= dropped.iter().filter(|it| *it < at).count();
        }
        let kept = words.into_iter().enumerate().filter(|(at, _)| !dropped.contains(at));
        call.args = kept.map(|(_, word)| word).collect();
        call
    }

    /// Names the bundle by another path to it; all other words stay as they are.
    pub(super) fn rename_bundle(&mut self, path: &Path) {
        let Some(creation) = &mut self.creation else { return };
        let named = creation.bundle_at.and_then(|it| self.args.get_mut(it)).zip(creation.bundle.as_ref());
        if let Some((word, bundle)) = named
            && bundle != path
            && let Some(start) = word.as_bytes().strip_suffix(bundle.as_os_str().as_bytes())
        {
            *word = [OsStr::from_bytes(start), path.as_os_str()].into_iter().collect();
            creation.bundle = Some(path.to_owned());
        }
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

/// Where the command is if options are read otherwise than likely, in case of doubt: some runtimes' flags are options
/// with a value in others. Only what makes a container is looked for there, and what ends one is never taken for a value.
fn second_reading(words: &[OsString], likely: Option<usize>) -> Option<usize> {
    let before = words::read(words, &GLOBAL).options;
    let is_creation = |it: usize| words.get(it).is_some_and(|it| CreatingCommand::of(it).is_some());
    let command = likely.and_then(|it| words.get(it)).map_or(&b""[..], |it| it.as_bytes());
    if let Some(doubtful) = before.iter().position(|it| DOUBTFUL.contains(&it.name)) {
        let (_, behind) = before.split_at(doubtful + 1);
        let is_sure = likely.is_some_and(|it| words.len() > it + 1)
            && GLOBAL.ends.iter().any(|it| it.as_bytes() == command)
            && behind.iter().all(|it| words::is_known(it.name, &GLOBAL));
        let taken = before.get(doubtful).filter(|it| it.words.len() == 2).map(|it| it.words.end - 1);
        return taken.filter(|it| !is_sure && is_creation(*it));
    }
    let (likely, last) = (likely?, before.last()?);
    let is_value = WITHOUT_ID.contains(&command)
        && last.words.end == likely
        && last.value.is_none()
        && !words::is_known(last.name, &GLOBAL);
    let rest = words.get(likely + 1..).filter(|_| is_value)?;
    let next = words::read(rest, &GLOBAL).plain.first().map(|it| likely + 1 + it)?;
    Some(next).filter(|it| is_creation(*it))
}

impl CreatingCommand {
    /// `None` for a command that makes no container.
    fn of(word: &OsStr) -> Option<Self> {
        match word.as_bytes() {
            b"create" => Some(Self::Create),
            b"run" => Some(Self::Run),
            b"restore" => Some(Self::Restore),
            _ => None,
        }
    }
}

impl Creation {
    /// `None` for every other command, and if there is no id: then the runtime has something to say.
    fn parse(words: &[OsString], at: usize) -> Option<Self> {
        let (command, rest) = words.get(at..)?.split_first()?;
        let command = CreatingCommand::of(command)?;
        let found = words::read(rest, &CREATION);
        // An option that is not known may have had a value: the id comes last.
        let id = rest.get(*found.plain.last()?)?.clone();
        let mut creation =
            Self { command, id, bundle: None, bundle_at: None, is_configured_elsewhere: false };
        for GivenOption { name, value, words } in found.options {
            match name {
                b"bundle" | b"b" => {
                    creation.bundle = value.filter(|it| !it.is_empty()).map(PathBuf::from);
                    creation.bundle_at = creation.bundle.as_ref().map(|_| at + words.end);
                }
                b"config" | b"f" => creation.is_configured_elsewhere = true,
                _ if QUESTIONS.contains(&name) => return None,
                _ => {}
            }
        }
        Some(creation)
    }
}
