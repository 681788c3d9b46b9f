//! The OCI hook: it reads the container's state from stdin, lets the creation continue or stops it by its exit status, and
//! writes to stderr once. It uses no network, and neither runs nor opens anything that an image names. It starts a child
//! process only for files on a file system that may never answer.

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;

use anyhow::{Context, anyhow, bail};

use crate::container::input::{Fault, State};
use crate::decide::gate::{self, Caller, Decision, DecisionContext, GateOptions, Guard};
use crate::door::crun;
use crate::eval::verdict::Verdict;
use crate::os::file;
use crate::os::signals;
use crate::outcome::report;
use crate::policy::{self, Action, Situation};

/// Go on.
pub const GO_ON: u8 = 0;

const USAGE: &str = "\
An OCI hook (createRuntime) that refuses a container whose image demands what this host lacks.
It reads the container's state on stdin, as OCI runtimes write it.

Usage: oci-compat-hook [--store DIR] [--config FILE] [--root DIR] [--reports DIR] [--decisions FILE]
                       [--journal SOCKET] [--syslog SOCKET] [--deadline-ms N] [--strict]
       oci-compat-hook --version

  --store DIR        the local store (default: /var/lib/oci-compat/store)
  --config FILE      the configuration (default: /etc/oci-compat/config.toml)
  --root DIR         the host's root folder (default: /)
  --reports DIR      the folder of reports (default: /run/oci-compat/reports; for users below $XDG_RUNTIME_DIR)
  --decisions FILE   the file of decisions (default: from the configuration, else /var/log/oci-compat/decisions.jsonl)
  --journal SOCKET   the socket of journald (default: /run/systemd/journal/socket)
  --syslog SOCKET    the socket of syslog (default: /dev/log)
  --deadline-ms N    the time limit of the check in milliseconds (default: 60000)
  --strict           refuse what cannot be checked, and everything while the configuration is unusable

Exit status: 0 the container starts; 78 refused: incompatible; 79 refused: undecided; 80 refused: malformed spec or container trouble; 81 refused: trouble; 82 refused: no signed spec
";

/// Runs the hook of this process, with the words of its command line, and returns its exit status.
pub fn main(words: impl Iterator<Item = OsString>) -> u8 {
    std::hint::black_box(crate::words::version::MARK);
    let args: Vec<_> = words.skip(1).collect();
    let trouble = if args.iter().any(|it| it == "--strict") { Action::Refuse } else { Action::Start };
    guard_against_panics(trouble);
    file::fill_standard_streams();
    match run(args) {
        Ok(Some(decision)) => {
            say(&decision.message);
            decision.refused.map_or(GO_ON, status)
        }
        Ok(None) => GO_ON,
        Err(err) if trouble == Action::Refuse => {
            say(&report::whole([report::refusal(&format!("{err:#} [trouble]"))]));
            status(Situation::Trouble)
        }
        Err(err) => {
            say(&report::whole([report::warning(&format!("{err:#}"))]));
            GO_ON
        }
    }
}

/// One write: crun and youki show parts of several as they come, and what the standard library tries again, no deadline
/// would end.
fn say(message: &str) {
    if !message.is_empty() {
        // A closed stream changes no decision.
        let _unheard = nix::unistd::write(std::io::stderr(), message.as_bytes());
    }
}

/// A defect of ours must not stop a container: a panic says so and goes on, or stops if policy wants it so.
#[expect(clippy::exit, reason = "a panic must not become the signal by which a runtime stops the container")]
fn guard_against_panics(trouble: Action) {
    std::panic::set_hook(Box::new(move |panic| {
        say(&gate::defect(panic.location(), trouble));
        let status = match trouble {
            Action::Refuse => status(Situation::Trouble),
            Action::Start => GO_ON,
        };
        std::process::exit(i32::from(status));
    }));
}

/// `None` if there is nothing to decide, as with `--help`.
fn run(args: Vec<OsString>) -> anyhow::Result<Option<Decision>> {
    signals::reset().map_err(|errno| anyhow!("resetting signals: {errno}"))?;
    if args.first().is_some_and(|it| it == "--version" || it == "-V") {
        print(&format!("oci-compat-hook {}\n", gate::VERSION))?;
        return Ok(None);
    }
    let Some(options) = parse(args)? else {
        print(USAGE)?;
        return Ok(None);
    };
    let (policy, broken) = policy::load_in_time(&options.config, options.defaults, options.deadline);
    guard_against_panics(policy.action(Situation::Trouble));
    let setting = DecisionContext {
        caller: Caller::Hook,
        options: &options,
        policy: &policy,
        broken: broken.as_deref(),
        complaint: None,
        guard: Guard(&guard_against_panics),
    };
    signals::interrupt_after(setting.deadline()).map_err(|errno| anyhow!("setting a timer: {errno}"))?;
    // The state is read whatever the policy: a runtime may take a broken pipe for a failure.
    let decision = match stdin().map_err(Fault::Host).and_then(State::read) {
        Ok(state) => gate::decide(&state, &setting),
        Err(fault) => gate::decide_blindly("", &fault, &setting),
    };
    if policy.crun_stderr && decision.refused.is_some() {
        // The user sees less, and the decision is the same.
        let _unheard = crun::tell(&decision.message);
    }
    Ok(Some(decision))
}

/// Only for `--help` and `--version`: a runtime reads nothing from a hook.
fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("writing to stdout")
}

fn stdin() -> anyhow::Result<File> {
    let fd = std::io::stdin().as_fd().try_clone_to_owned().context("opening stdin")?;
    Ok(File::from(fd))
}

/// Under crun the status is all that a user sees, so each kind of refusal has its own.
fn status(refused: Situation) -> u8 {
    match refused {
        Situation::NoRequirements | Situation::Judged(Verdict::Compatible) => GO_ON,
        Situation::Judged(Verdict::Incompatible) => 78,
        Situation::Judged(Verdict::Undecided) => 79,
        Situation::Malformed | Situation::Container => 80,
        Situation::Trouble => 81,
        Situation::SpecMissing => 82,
    }
}

/// `None` if help is asked for.
fn parse(args: Vec<OsString>) -> anyhow::Result<Option<GateOptions>> {
    let mut options = GateOptions::standard();
    let mut args = args.into_iter();
    while let Some(name) = args.next() {
        if matches!(name.to_str(), Some("--help" | "-h")) {
            return Ok(None);
        }
        let plain = name.to_str().and_then(|it| it.strip_prefix("--")).unwrap_or("");
        let value = || args.next().with_context(|| format!("option {name:?} needs a value"));
        if !options.set(plain, value)? {
            bail!("there is no option {name:?}; see oci-compat-hook --help");
        }
    }
    Ok(Some(options))
}
