//! The runtime wrapper: checks a container before its creation, and becomes the low-level runtime, which creates it. For every
//! other command it becomes the runtime at once. It starts no other program. Only a refusal keeps a container from starting.

mod words;
mod call;
mod runtime;
mod log;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::anyhow;

use crate::container::input::{Fault, State};
use crate::decide::gate::{self, Caller, Decision, DecisionContext, Guard, Successor};
use crate::os::file;
use crate::os::signals::{self, SavedSettings};
use crate::policy::{self, Action, Defaults, Mode, Situation};
use crate::words::moment;

use call::{CreatingCommand, Creation, RuntimeCall};
use runtime::RuntimeChoice;

pub use runtime::{LINK, NAME};

/// Engines tell refusals apart by their text only.
const REFUSED: u8 = 1;

/// Runs the wrapper of this process, with the words of its command line. Returns only if no runtime follows: with the exit
/// status.
pub fn main(mut words: impl Iterator<Item = OsString>) -> u8 {
    std::hint::black_box(crate::words::version::MARK);
    let called = words.next().unwrap_or_default();
    let words: Vec<_> = words.collect();
    if words.first().is_some_and(|it| it == "--oci-compat-version") {
        return tell_version();
    }
    let mut call = RuntimeCall::parse(words);
    let choice = RuntimeChoice::new(&called, path().as_deref(), call.link.as_deref());
    if choice.is_strict() {
        call.options.defaults = Defaults::Strict;
    }
    if let Some(creation) = call.creation.clone() {
        file::fill_standard_streams();
        // What a link leads to may change between the check and the start.
        if let Some(bundle) = &creation.bundle {
            call.rename_bundle(&file::without_links(bundle));
        }
        let creation = call.creation.as_ref().unwrap_or(&creation);
        if let Err(refusal) = check(creation, &call, &choice) {
            log::tell(&call.log, &refusal, &now());
            return REFUSED;
        }
    }
    follow(&call, &choice)
}

/// `--version` is the runtime's: engines ask it.
fn tell_version() -> u8 {
    // Who does not listen does not need it.
    let _unheard = writeln!(std::io::stdout(), "oci-compat-runtime {}", gate::VERSION);
    0
}

#[expect(clippy::disallowed_methods, reason = "an entry point has to know where programs are")]
fn path() -> Option<OsString> {
    std::env::var_os("PATH")
}

#[expect(
    clippy::disallowed_methods,
    reason = "the date, for people and for what expires; nothing waits for it"
)]
fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    moment::text((i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos()))
}

/// Becomes the runtime, or returns why that is not possible.
fn follow(call: &RuntimeCall, choice: &RuntimeChoice) -> u8 {
    let err = choice.become_runtime(&call.args);
    // A limit must not end us before that is said. There is nothing left to be restored.
    let _never_fails = SavedSettings::aside();
    log::tell(&call.log, &format!("oci-compat-runtime: {err:#}\n"), &now());
    REFUSED
}

/// Checks the container. An error is the message of its refusal. Otherwise everything that the check changed in this
/// process is restored, so that it can become the runtime.
fn check(creation: &Creation, call: &RuntimeCall, choice: &RuntimeChoice) -> Result<(), String> {
    // None of this is known to fail. Without signals there would be no deadline, and then rather no check.
    let Ok(kept) = SavedSettings::aside() else { return Ok(()) };
    let decision = decide(creation, call, choice, &kept);
    // A started container's stderr is its own as soon as an engine is in between: it is told what people ought to see.
    if decision.refused.is_none() && creation.command == CreatingCommand::Run {
        log::say(&decision.message);
    }
    match decision.refused {
        Some(_) => Err(decision.message),
        None => {
            // As above.
            let _never_fails = kept.restore();
            Ok(())
        }
    }
}

fn decide(creation: &Creation, call: &RuntimeCall, choice: &RuntimeChoice, kept: &SavedSettings) -> Decision {
    let defaults = call.options.defaults;
    let trouble = if defaults == Defaults::Strict { Action::Refuse } else { Action::Start };
    survive_panics(trouble, call, choice, kept);
    let (policy, broken) = policy::load_in_time(&call.options.config, defaults, call.options.deadline);
    survive_panics(policy.action(Situation::Trouble), call, choice, kept);
    let unsettled = match &broken {
        // What a broken configuration would have said is not known: the runtime remains the one that it was.
        Some(_) => None,
        None => choice.settle(&policy.runtimes).err().map(|err| format!("{err:#}")),
    };
    let complaint = call.complaint.clone().or(unsettled);
    let limits = kept.soft_limits();
    let setting = DecisionContext {
        caller: Caller::Wrapper { limits: &limits, runtime: Successor(&|| choice.successor()) },
        options: &call.options,
        policy: &policy,
        broken: broken.as_deref(),
        complaint: complaint.as_deref(),
        guard: Guard(&|action| survive_panics(action, call, choice, kept)),
    };
    // As in `check`.
    let _never_fails = signals::interrupt_after(setting.deadline());
    decide_under(creation, &setting)
}

fn decide_under(creation: &Creation, setting: &DecisionContext<'_>) -> Decision {
    let id = creation.id.to_string_lossy().into_owned();
    if creation.is_configured_elsewhere {
        let trouble =
            anyhow!("option --config names another file than the bundle's config.json: it was not looked at");
        return gate::decide_blindly(&id, &Fault::Host(trouble), setting);
    }
    let bundle = creation.bundle.as_deref().unwrap_or(Path::new("."));
    match std::path::absolute(bundle) {
        Ok(bundle) => decide_unchanged(State { id, bundle, process: None }, setting),
        Err(err) => {
            let trouble = anyhow!("the working directory {}", file::explain_io(&err));
            gate::decide_blindly(&id, &Fault::Host(trouble), setting)
        }
    }
}

/// A decision on what the runtime will find: a bundle that is another one by now, or has another configuration, is refused.
/// The folder's own change time does not count: engines put files of theirs into it meanwhile (conmon).
fn decide_unchanged(container: State, setting: &DecisionContext<'_>) -> Decision {
    let config = container.bundle.join("config.json");
    let look = || {
        let folder = file::stamp(&container.bundle).map(|(device, inode, ..)| (device, inode));
        (folder, file::stamp(&config))
    };
    let before = look();
    let decision = gate::decide(&container, setting);
    if setting.policy.mode == Mode::Off || decision.refused.is_some() || look() == before {
        return decision;
    }
    let bundle = container.bundle.display();
    let trouble = format!("the bundle {bundle} was changed while it was checked: make the container anew");
    // The change may be deliberate, and it concerns only this container.
    gate::decide_blindly(&container.id, &Fault::Container(anyhow!(trouble)), setting)
}

/// A defect of ours must not stop a container, unless policy wants trouble to do so.
#[expect(clippy::exit, reason = "there is nothing to go back to after a panic")]
fn survive_panics(trouble: Action, call: &RuntimeCall, choice: &RuntimeChoice, kept: &SavedSettings) {
    let (call, choice, kept) = (call.clone(), choice.clone(), kept.clone());
    std::panic::set_hook(Box::new(move |panic| {
        let message = gate::defect(panic.location(), trouble);
        let status = match trouble {
            Action::Refuse => {
                log::tell(&call.log, &message, &now());
                REFUSED
            }
            Action::Start => {
                log::say(&message);
                // As in `check`.
                let _never_fails = kept.restore();
                follow(&call, &choice)
            }
        };
        std::process::exit(i32::from(status));
    }));
}
