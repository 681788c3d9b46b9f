//! The OCI hook: the container's state on stdin, an exit status that lets its creation go on or stops it, and one
//! write to stderr. No network, no child process, nothing that an image named is run or opened.

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};

use crate::check;
use crate::host::{Facts, Root};
use crate::input::State;
use crate::policy::{self, Action, Mode, Policy, Situation};
use crate::report::{self, Report, Subject};
use crate::reports;
use crate::requirements::{self, Collected};
use crate::signals;
use crate::verdict::Verdict;

/// Go on.
pub const GO_ON: u8 = 0;

const USAGE: &str = "\
An OCI hook (createRuntime) that refuses a container whose image demands what this host lacks.
It reads the container's state on stdin, as OCI runtimes write it.

Usage: oci-compat-hook [--store DIR] [--config FILE] [--root DIR] [--reports DIR] [--deadline-ms N]

  --store DIR        the local store (/var/lib/oci-compat/store)
  --config FILE      the configuration (/etc/oci-compat/config.toml)
  --root DIR         the host's root folder (/)
  --reports DIR      where reports are written (/run/oci-compat/reports)
  --deadline-ms N    how long the check may take, in milliseconds (2000)

Exit status: 0 go on; 78 refused: incompatible; 79 refused: undecided; 80 refused: malformed spec; 81 refused: trouble
";

/// How the hook is called; the administrator writes this into the hook's configuration.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    store: PathBuf,
    config: PathBuf,
    root: PathBuf,
    reports: PathBuf,
    deadline: Option<Duration>,
}

/// What is done with a container, and what is said about it.
#[derive(Debug)]
struct Decision {
    status: u8,
    message: String,
}

/// Runs the hook of this process and returns its exit status.
pub fn main() -> u8 {
    guard_against_panics(GO_ON);
    match run(std::env::args_os().skip(1).collect()) {
        Ok(Decision { status, message }) => {
            say(&message);
            status
        }
        Err(err) => {
            say(&report::whole([report::warning(&format!("{err:#}"))]));
            GO_ON
        }
    }
}

/// One write: crun and youki show parts of several as they come.
fn say(message: &str) {
    if !message.is_empty() {
        // Nobody is there to hear it: that changes no decision.
        let _unheard = std::io::stderr().write_all(message.as_bytes());
    }
}

/// A defect of ours must not stop a container: a panic says so and goes on, or stops if policy wants it so.
#[expect(clippy::exit, reason = "a panic must not become the signal by which a runtime stops the container")]
fn guard_against_panics(status: u8) {
    std::panic::set_hook(Box::new(move |panic| {
        let place =
            panic.location().map_or_else(String::new, |it| format!(" at {}:{}", it.file(), it.line()));
        say(&format!("oci-compat: warning: a defect{place}; please report it [trouble]\n"));
        std::process::exit(i32::from(status));
    }));
}

fn run(args: Vec<OsString>) -> anyhow::Result<Decision> {
    signals::reset().map_err(|errno| anyhow!("resetting signals: {errno}"))?;
    let options = match Options::parse(args)? {
        Some(options) => options,
        None => {
            print(USAGE)?;
            return Ok(Decision { status: GO_ON, message: String::new() });
        }
    };
    let (policy, complaint) = policy::load(&options.config);
    guard_against_panics(status(&policy, Situation::Trouble));
    let deadline = options.deadline.unwrap_or(policy.deadline);
    signals::interrupt_after(deadline).map_err(|errno| anyhow!("setting a timer: {errno}"))?;
    let mut decision = decide(&options, &policy, deadline);
    if let Some(complaint) = complaint {
        let lines = decision.message.lines().map(str::to_owned);
        decision.message = report::whole(std::iter::once(report::warning(&complaint)).chain(lines));
    }
    Ok(decision)
}

/// Only for `--help`: a runtime reads nothing from a hook.
fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("writing to stdout")
}

fn decide(options: &Options, policy: &Policy, deadline: Duration) -> Decision {
    // The state is read whatever the policy: a runtime may take a broken pipe for a failure.
    let state = stdin().and_then(State::read);
    if policy.mode == Mode::Off {
        return Decision { status: GO_ON, message: String::new() };
    }
    match state {
        Ok(state) => decide_on(&state, options, policy, deadline),
        Err(err) => {
            let report = Report::trouble(Subject::default(), &format!("{err:#}"));
            conclude(report, &[Situation::Trouble], None, options, policy)
        }
    }
}

fn stdin() -> anyhow::Result<File> {
    let fd = std::io::stdin().as_fd().try_clone_to_owned().context("opening stdin")?;
    Ok(File::from(fd))
}

fn decide_on(state: &State, options: &Options, policy: &Policy, deadline: Duration) -> Decision {
    let mut collected = requirements::of_bundle(&state.bundle, &options.store, policy);
    if collected.requirements.is_empty() && collected.troubles.is_empty() {
        return Decision { status: GO_ON, message: String::new() };
    }
    collected.subject.container = Some(state.id.clone()).filter(|it| !it.is_empty());
    let (report, situations) = judge(collected, options, policy, deadline);
    conclude(report, &situations, Some(&state.id), options, policy)
}

/// The report, and every situation that the bundle is in, the gravest first.
fn judge(
    collected: Collected,
    options: &Options,
    policy: &Policy,
    deadline: Duration,
) -> (Report, Vec<Situation>) {
    let Collected { subject, requirements, mut troubles, notes } = collected;
    let facts = match Root::at(&options.root) {
        Ok(root) => {
            // What came before is bounded by the timer, and a look at the clock costs a start without requirements two
            // pages.
            root.set_deadline(Instant::now() + deadline);
            check::gather(&requirements, &policy.tags, &root)
        }
        // Another root's facts would be another host's.
        Err(err) => {
            troubles.push(format!("{err:#}"));
            Facts::default()
        }
    };
    let checked = check::judge(&requirements, &policy.tags, &facts);
    let verdict = Verdict::of(checked.iter().filter_map(|it| it.result.as_ref().ok()).map(|it| it.outcome));
    let is_malformed = checked.iter().any(|it| it.result.is_err());
    let situations = [
        (verdict == Verdict::Incompatible).then_some(Situation::Judged(verdict)),
        is_malformed.then_some(Situation::Malformed),
        (!troubles.is_empty()).then_some(Situation::Trouble),
        (verdict != Verdict::Incompatible).then_some(Situation::Judged(verdict)),
    ];
    let is_fine = verdict == Verdict::Compatible && !is_malformed && troubles.is_empty();
    let report = Report::new(subject, if is_fine { &[] } else { &checked }).with(&troubles, &notes);
    (report, situations.into_iter().flatten().collect())
}

/// Applies the policy, and leaves a report on everything that is not plainly compatible.
fn conclude(
    mut report: Report,
    situations: &[Situation],
    id: Option<&str>,
    options: &Options,
    policy: &Policy,
) -> Decision {
    let gravest = situations.first().copied().unwrap_or(Situation::NoRequirements);
    if matches!(gravest, Situation::NoRequirements | Situation::Judged(Verdict::Compatible)) {
        return Decision { status: GO_ON, message: String::new() };
    }
    let refused = situations.iter().copied().find(|it| policy.action(*it) == Action::Refuse);
    report.action = Some(if refused.is_some() { "refuse" } else { "start" }.to_owned());
    let unwritten =
        id.filter(|it| !it.is_empty()).and_then(|id| reports::write(&options.reports, id, &report).err());
    let mut message = report::message(&report, opening(situations, gravest, policy));
    if let Some(err) = unwritten {
        let lines = message.lines().map(str::to_owned);
        message = report::whole(lines.chain([report::warning(&format!("{err:#}"))]));
    }
    Decision { status: refused.map_or(GO_ON, |it| status(policy, it)), message }
}

/// How the message starts.
fn opening(situations: &[Situation], gravest: Situation, policy: &Policy) -> &'static str {
    let is_refusal = situations.iter().any(|it| policy.intention(*it) == Action::Refuse);
    match (is_refusal, policy.mode, gravest) {
        (true, Mode::Enforce, _) => "refused",
        (true, Mode::Audit | Mode::Off, _) => "warning: would be refused",
        (false, _, Situation::Judged(Verdict::Incompatible)) => "warning: started though incompatible",
        (false, _, Situation::Malformed | Situation::Trouble) => "warning: started unchecked",
        (false, _, Situation::Judged(_) | Situation::NoRequirements) => "warning: started undecided",
    }
}

/// Under crun the status is all that a user sees, so each kind of refusal has its own.
fn status(policy: &Policy, situation: Situation) -> u8 {
    match (policy.action(situation), situation) {
        (Action::Start, _) | (_, Situation::NoRequirements | Situation::Judged(Verdict::Compatible)) => GO_ON,
        (Action::Refuse, Situation::Judged(Verdict::Incompatible)) => 78,
        (Action::Refuse, Situation::Judged(Verdict::Undecided)) => 79,
        (Action::Refuse, Situation::Malformed) => 80,
        (Action::Refuse, Situation::Trouble) => 81,
    }
}

impl Options {
    /// `None` if help is asked for.
    fn parse(args: Vec<OsString>) -> anyhow::Result<Option<Self>> {
        let mut options = Self {
            store: PathBuf::from(requirements::STORE),
            config: PathBuf::from(policy::FILE),
            root: PathBuf::from("/"),
            reports: PathBuf::from(reports::FOLDER),
            deadline: None,
        };
        let mut args = args.into_iter();
        while let Some(name) = args.next() {
            let mut value = || args.next().with_context(|| format!("option {name:?} needs a value"));
            match name.to_str() {
                Some("--store") => options.store = value()?.into(),
                Some("--config") => options.config = value()?.into(),
                Some("--root") => options.root = value()?.into(),
                Some("--reports") => options.reports = value()?.into(),
                Some("--deadline-ms") => options.deadline = Some(milliseconds(&value()?)?),
                Some("--help" | "-h") => return Ok(None),
                _ => bail!("there is no option {name:?}; see oci-compat-hook --help"),
            }
        }
        Ok(Some(options))
    }
}

fn milliseconds(text: &OsString) -> anyhow::Result<Duration> {
    let number = text.to_str().and_then(|it| it.parse().ok()).filter(|it| *it > 0);
    number
        .map(Duration::from_millis)
        .with_context(|| format!("--deadline-ms needs a number of milliseconds, not {text:?}"))
}
