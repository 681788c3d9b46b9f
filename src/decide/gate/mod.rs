//! Decides on a container that is about to be created, for the hook and the wrapper: keeps the deadlines and what is proven, and
//! writes a report and a record. Writes nothing else, and never ends the process.

mod options;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::container::input::{Fault, State};
use crate::decide::pipeline::{self, Assessment, Host, Terms};
use crate::decide::requirements::{self, Collected};
use crate::host::{Inherited, Root};
use crate::os::file;
use crate::os::signals;
use crate::outcome::decisions::{self, Decided, Record, Targets};
use crate::outcome::report::{self, Pod, Report, Subject};
use crate::outcome::saved::{self, Recall};
use crate::policy::{Action, Mode, Policy, Sensitive, Situation};
use crate::words::moment;

use crate::words::text::printable;
pub use options::GateOptions;

/// The version of the programs, and the commit from which they are built.
pub const VERSION: &str = env!("OCI_COMPAT_VERSION");

/// The time that is always left to read facts, even after the deadline: a container's own demands are known although an engine
/// or a store did not answer. Twelve rules take less than a millisecond.
const READING: Duration = Duration::from_millis(500);
/// Beside the reports: where decisions that are made again are counted.
const REPEATS: &str = ".repeats";

/// The conditions of a decision.
#[derive(Debug)]
pub struct DecisionContext<'a> {
    /// Who asks.
    pub caller: Caller<'a>,
    /// Where to look, and where to write.
    pub options: &'a GateOptions,
    /// What is wanted.
    pub policy: &'a Policy,
    /// Why the configuration cannot be used: trouble of every container.
    pub broken: Option<&'a str>,
    /// Another message for administrators, reported with every decision.
    pub complaint: Option<&'a str>,
    /// Tells the caller what to do if a defect of ours ends the check.
    pub guard: Guard<'a>,
}

/// Takes the action for a defect of ours that ends the check from now on: what is proven by then must stay proven.
#[derive(Clone, Copy)]
pub struct Guard<'a>(pub &'a dyn Fn(Action));

impl fmt::Debug for Guard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard")
    }
}

/// Finds the low-level runtime that a wrapper becomes, as it is called.
#[derive(Clone, Copy)]
pub struct Successor<'a>(pub &'a dyn Fn() -> Option<PathBuf>);

impl fmt::Debug for Successor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Successor")
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub enum Caller<'a> {
    /// A runtime, of its hook.
    Hook,
    /// An engine, of what it takes for its runtime.
    Wrapper {
        /// The soft limits that this process has raised for itself, by their names, as the runtime will find them.
        limits: &'a [(&'static str, u64)],
        /// What this process becomes.
        runtime: Successor<'a>,
    },
}

/// The decision on a container, and the message about it.
#[derive(Debug)]
pub struct Decision {
    /// Why its creation is aborted; `None` if it goes on.
    pub refused: Option<Situation>,
    /// The message for the user: at most 1 KiB, the first line complete in itself. Empty if there is none.
    pub message: String,
    /// On everything that is not plainly compatible.
    pub report: Option<Report>,
}

impl Caller<'_> {
    /// As records call it.
    fn name(self) -> &'static str {
        match self {
            Self::Hook => "hook",
            Self::Wrapper { .. } => "runtime",
        }
    }

    /// Whether the runtime's name is that of one under which the container's processes run on this kernel. gVisor, Kata Containers
    /// and libkrun bring another one, which may start what this one does not.
    fn runs_on_this_kernel(self) -> bool {
        match self {
            Self::Hook => parent().is_some_and(|it| is_of_this_kernel(&it)),
            Self::Wrapper { runtime, .. } => (runtime.0)().is_some_and(|path| {
                let names = [file::without_links(&path), path];
                names
                    .iter()
                    .all(|it| it.file_name().is_some_and(|it| is_of_this_kernel(&it.to_string_lossy())))
            }),
        }
    }
}

/// The name of the process that started this one; `None` if that is not certain.
fn parent() -> Option<String> {
    name_of_process(Path::new(&format!("/proc/{}", nix::unistd::getppid())))
}

/// The name of the process whose folder of `/proc` this is; `None` if that is not certain.
fn name_of_process(folder: &Path) -> Option<String> {
    const MAX_LINE: usize = 65_536;
    // After an error it is not certain.
    let read = |name: &str| file::read(&folder.join(name), MAX_LINE).ok().flatten();
    let name = read("comm")?;
    let name = name.trim_ascii_end();
    // youki starts a copy of itself that has no path, and the kernel names it by the number of its descriptor.
    if !name.iter().all(u8::is_ascii_digit) {
        return Some(String::from_utf8_lossy(name).into_owned());
    }
    let line = read("cmdline")?;
    let program = Path::new(OsStr::from_bytes(line.split(|it| *it == 0).next()?)).file_name()?;
    Some(program.to_string_lossy().into_owned())
}

/// Whether a runtime of this name is known to leave it to the kernel to run programs. Of all others nothing is known.
fn is_of_this_kernel(name: &str) -> bool {
    const KNOWN: [&str; 3] = ["runc", "crun", "youki"];
    // runc renames some of its processes: `runc:[1:CHILD]`.
    let is_known =
        |it: &&str| name.strip_prefix(*it).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
    KNOWN.iter().any(is_known)
}

impl DecisionContext<'_> {
    /// How long a whole check may take from now on.
    pub fn deadline(&self) -> Duration {
        self.options.deadline.unwrap_or(self.policy.deadline).saturating_sub(self.policy.spent)
    }

    /// Facts that are read by then count. Some time to read them is left, however long collecting the requirements took.
    fn reading_until(&self) -> Instant {
        self.until().max(Instant::now() + READING)
    }

    /// Before anything is looked at that the container has written: should it lead to a defect of ours, the container is
    /// refused if it is known by now that it does not fit, and else as one that brings what cannot be read.
    fn guard_what_is_proven(&self, known: &[Situation]) {
        let mut all = known.iter().chain([&Situation::Container]);
        let is_refused = all.any(|it| self.policy.action(*it) == Action::Refuse);
        (self.guard.0)(if is_refused { Action::Refuse } else { Action::Start });
    }

    /// The end of the check. The process's timer knows it, so that a start without requirements, which never asks, need
    /// not look at the clock when it begins: that costs two pages.
    fn until(&self) -> Instant {
        Instant::now() + signals::left().unwrap_or_else(|| self.deadline())
    }
}

/// Decides on a container by what its bundle demands of this host.
pub fn decide(container: &State, setting: &DecisionContext<'_>) -> Decision {
    let decision = match setting.policy.mode {
        Mode::Off => Decision::go_on(),
        Mode::Enforce | Mode::Audit => examine(container, setting),
    };
    decision.complaining(setting)
}

/// Decides on an unknown container, with perhaps only its id; the fault says why it is unknown.
pub fn decide_blindly(id: &str, fault: &Fault, setting: &DecisionContext<'_>) -> Decision {
    let decision = match setting.policy.mode {
        Mode::Off => Decision::go_on(),
        Mode::Enforce | Mode::Audit => {
            let subject = Subject { container: some(id), ..Subject::default() };
            let broken: Vec<_> = setting.broken.into_iter().map(str::to_owned).collect();
            conclude(Assessment::blind(subject, fault, &broken), setting)
        }
    };
    decision.complaining(setting)
}

/// The message about a panic at this place in our code, and about the decision on the container.
pub fn defect(place: Option<&Location<'_>>, action: Action) -> String {
    let place = place.map_or_else(String::new, |it| format!(" at {}:{}", it.file(), it.line()));
    let opening = match action {
        Action::Refuse => "refused",
        Action::Start => "warning",
    };
    format!("oci-compat: {opening}: a defect{place}; please report it [trouble]\n")
}

/// Under what the policy has become for this container.
fn examine(container: &State, setting: &DecisionContext<'_>) -> Decision {
    let mut collected = {
        let until = || setting.until();
        let memory = |names: &[String], pod: Option<&Pod>| recall(&container.id, pod, names, setting);
        requirements::of_bundle(&container.bundle, &setting.options.store, setting.policy, &until, &memory)
    };
    if collected.has_program() && !setting.caller.runs_on_this_kernel() {
        collected.forget_program();
    }
    if !collected.is_sandbox {
        collected.troubles.extend(setting.broken.map(str::to_owned));
    }
    if collected.is_empty() {
        return Decision::go_on();
    }
    collected.subject.container = some(&container.id);
    let inherited = match setting.caller {
        Caller::Hook => container.process.map(Inherited::OfProcess),
        Caller::Wrapper { limits, .. } => Some(Inherited::OfRuntime(limits.to_vec())),
    };
    collected.bundle = collected.bundle.map(|it| it.inheriting(inherited));
    let heeded = collected.policy.take();
    let setting = DecisionContext { policy: heeded.as_ref().unwrap_or(setting.policy), ..*setting };
    conclude(assess(collected, &setting), &setting)
}

/// What was noted of the container's image before.
fn recall(id: &str, pod: Option<&Pod>, names: &[String], setting: &DecisionContext<'_>) -> Option<Subject> {
    let (reports, decisions) = (folder(setting), targets(setting).decisions);
    let (reports, decisions) = (reports.as_deref(), decisions.as_deref());
    Recall { reports, decisions, container: id, pod, names }.subject()
}

/// Where reports are.
fn folder(setting: &DecisionContext<'_>) -> Option<PathBuf> {
    setting.options.reports.clone().or_else(|| saved::folders().into_iter().next())
}

fn some(id: &str) -> Option<String> {
    Some(id).filter(|it| !it.is_empty()).map(str::to_owned)
}

fn assess(mut collected: Collected, setting: &DecisionContext<'_>) -> Assessment {
    let root = match root(setting) {
        Ok(root) => Some(root),
        // Another root's facts would be another host's.
        Err(err) => {
            collected.troubles.push(format!("{err:#}"));
            None
        }
    };
    let policy = setting.policy;
    let terms = Terms {
        tags: &policy.tags,
        waivers: &policy.waivers,
        withholds: policy.sensitive == Sensitive::Verified,
        until: &|| setting.until(),
        proven: &|known| setting.guard_what_is_proven(known),
        lists_compatible: false,
    };
    let assessment = pipeline::assess(collected, &root.as_ref().map_or(Host::Unreadable, Host::Root), &terms);
    let Assessment { verdict, situations, report } = assessment;
    let report = if policy.disclose { report.disclosed() } else { report };
    Assessment { verdict, situations, report }
}

/// The host, which is read until the deadline.
fn root(setting: &DecisionContext<'_>) -> anyhow::Result<Root> {
    let mut root = Root::at(&setting.options.root)?;
    root.set_deadline(setting.reading_until());
    if let Some(folder) = setting.options.memory().filter(|_| root.is_live()) {
        root.remember_in(folder);
    }
    Ok(root)
}

/// Applies the policy, and leaves a report on everything that is not plainly compatible: the one place where a decision
/// is made.
fn conclude(assessment: Assessment, setting: &DecisionContext<'_>) -> Decision {
    if assessment.is_plain() {
        return Decision::go_on();
    }
    let policy = setting.policy;
    let ruling = assessment.under(policy);
    let gravest = assessment.gravest();
    let at = decisions::now();
    let mut report = assessment.report;
    report.action = Some(ruling.action());
    report.time = Some(moment::text(at));
    let recorded = report::message(&report, ruling.opening);
    let message = match setting.broken.filter(|_| ruling.refused.is_none()) {
        Some(broken) => after_warning(broken, &report, ruling.opening),
        None => recorded.clone(),
    };
    let decided = Decided {
        at,
        program: setting.caller.name(),
        mode: policy.mode,
        situation: gravest,
        intention: ruling.intention,
        message: &recorded,
    };
    let warnings = keep(&report, &decided, setting);
    let warnings = warnings.iter().map(|it| report::warning(it));
    let message = report::whole(message.lines().map(str::to_owned).chain(warnings));
    Decision { refused: ruling.refused, message, report: Some(report) }
}

/// The message on a container that starts under a broken configuration: that comes first, and once.
fn after_warning(broken: &str, report: &Report, opening: &str) -> String {
    let mut rest = report.clone();
    rest.reasons.retain(|it| it.message != printable(broken));
    let is_all = rest.reasons.is_empty() && rest.waivers.is_empty();
    let message = if is_all { String::new() } else { report::message(&rest, opening) };
    report::whole(std::iter::once(report::warning(broken)).chain(message.lines().map(str::to_owned)))
}

/// Leaves the report and the records, and returns what went wrong: that changes no decision.
fn keep(report: &Report, decided: &Decided<'_>, setting: &DecisionContext<'_>) -> Vec<String> {
    let id = report.subject.container.as_deref();
    let folder = folder(setting);
    let targets = Targets { repeats: folder.as_ref().map(|it| it.join(REPEATS)), ..targets(setting) };
    let write = || {
        let written = id.zip(folder.as_ref()).map(|(id, folder)| saved::write(folder, id, report));
        let unwritten = written.and_then(Result::err).map(|err| format!("{err:#}"));
        unwritten.into_iter().chain(decisions::write(&targets, &Record::new(report, decided))).collect()
    };
    let mut places = [folder.as_ref(), targets.decisions.as_ref()].into_iter().flatten();
    let warnings: Vec<_> = match places.find(|it| !file::is_near(it)) {
        None => write(),
        Some(far) => file::ask_apart(setting.reading_until(), write)
            .unwrap_or_else(|silence| vec![format!("{} {silence}", far.display())]),
    };
    warnings.iter().map(|it| report.subject.nameless(it)).collect()
}

fn targets(setting: &DecisionContext<'_>) -> Targets {
    let GateOptions { decisions, journal, syslog, .. } = setting.options;
    Targets::new(&setting.policy.log, decisions.as_deref(), journal, syslog)
}

impl Decision {
    fn go_on() -> Self {
        Self { refused: None, message: String::new(), report: None }
    }

    fn complaining(mut self, setting: &DecisionContext<'_>) -> Self {
        if let Some(broken) = setting.broken {
            let untold = decisions::shout(&targets(setting), broken);
            let warnings = untold.as_deref().map(report::warning);
            self.message = report::whole(self.message.lines().map(str::to_owned).chain(warnings));
        }
        if let Some(complaint) = setting.complaint {
            // Runtimes discard messages about a container that starts; every other decision has to be in a log.
            let untold = decisions::shout(&targets(setting), complaint);
            let warnings = std::iter::once(complaint).chain(untold.as_deref()).map(report::warning);
            self.message = report::whole(warnings.chain(self.message.lines().map(str::to_owned)));
        }
        self
    }
}
