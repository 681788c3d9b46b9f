//! Whether the gate is in force in each engine of a host, by what the engine reads and runs now. Changes nothing. Only dockerd
//! is asked, and no other daemon.

mod engine;
mod podman;
mod program;
mod rest;
mod text;
#[cfg(test)]
mod tests;

use std::path::Path;

use serde::Serialize;

use crate::host::Root;
use crate::policy::{Mode, Survey};
use crate::words::moment::{self, Moment};

pub use text::text;

/// The name and version of the JSON document; fields are only ever added.
pub const SCHEMA: &str = "oci-compat.status/v1";

/// What is looked at.
#[derive(Debug)]
pub struct StatusPlaces<'a> {
    /// The host.
    pub root: &'a Root,
    /// The configuration of the gate.
    pub config: &'a Path,
    /// The store.
    pub store: &'a Path,
    /// The file of decisions.
    pub decisions: &'a Path,
    /// containerd's socket.
    pub socket: &'a Path,
    /// What time it is.
    pub now: Moment,
}

/// Whether the gate is in force on a host. Text of strangers is escaped already.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GateStatus {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// When this was looked at: RFC 3339, UTC.
    pub taken: String,
    /// The version of the program that has looked.
    pub version: &'static str,
    /// What it comes to.
    pub state: GateState,
    /// What keeps it from being in force, and what could not be found out.
    pub problems: Vec<String>,
    /// The engines that are here.
    pub engines: Vec<EngineStatus>,
    /// Records of what runtimes can do that are older than the runtime, each a sentence.
    pub runtimes: Vec<String>,
    /// The configuration of the gate.
    pub configuration: GatePart,
    /// The store.
    pub store: GatePart,
    /// The images that engines hold.
    pub images: EngineImages,
    /// The last decisions, the newest first.
    pub decisions: Vec<ShownDecision>,
}

/// What a status comes to; the worst counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateState {
    /// Every container of every engine here is checked, and refused if it does not fit.
    InForce,
    /// Some containers start unchecked, or none is refused.
    NotInForce,
    /// That could not be found out, or the gate itself does not work.
    Trouble,
}

/// Which containers of an engine are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Coverage {
    /// All that ask for no other runtime.
    All,
    /// Those that ask for the wrapper.
    Asked,
    /// None.
    None,
    /// The engine starts none by itself.
    NotUsed,
}

/// An engine of the host, or Podman as one of its users has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EngineStatus {
    /// Its name, as `oci-compat install` takes it.
    pub engine: String,
    /// The user, where it is not root's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Which of its containers are checked.
    pub coverage: Coverage,
    /// How: none, by the hook, by the wrapper, or by both.
    pub ways: Vec<WayStatus>,
    /// When its daemon started; absent if none runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running_since: Option<String>,
    /// containerd's image verifier of ours; absent if it is not installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verifier: Option<VerifierStatus>,
    /// What an operator should know, each a sentence.
    pub notes: Vec<String>,
}

/// The program of ours that containerd asks before it pulls an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifierStatus {
    /// The script in containerd's folder of verifiers.
    pub file: String,
    /// The program that it calls; absent if it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// Why it judges no image; without `program`, why that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Why containerd does not ask it, for all pulls or for those of Kubernetes, each a sentence.
    pub bypasses: Vec<String>,
}

/// One of our entries in an engine's configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WayStatus {
    /// `hook` or `wrapper`.
    pub way: &'static str,
    /// The file that has the entry.
    pub file: String,
    /// When that file changed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The wrapper's name among the runtimes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// Whether containers that ask for no runtime come to it.
    pub default: bool,
    /// The program that it calls.
    pub program: String,
    /// The version of that program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Why it does not work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Something that the gate needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GatePart {
    /// Where it is.
    pub path: String,
    /// Whether the user of this process can use it.
    pub usable: bool,
    /// What it says or has, or what is wrong with it.
    pub detail: String,
}

/// Images that engines hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct EngineImages {
    /// The names of the images with demands, in the store or by the administrator.
    pub demanding: Vec<String>,
    /// The number of images without demands.
    pub free: usize,
    /// Why not all are known.
    pub unread: Vec<String>,
}

/// A decision, from the file of decisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownDecision {
    /// RFC 3339, UTC.
    pub time: String,
    /// Whose Podman it was about, where it is not root's; a stranger's text, escaped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The message.
    pub message: String,
}

/// Looks at a host.
pub fn status(places: &StatusPlaces<'_>) -> GateStatus {
    let survey = Survey::of(places.config);
    let mut problems = Vec::new();
    let mut state = GateState::InForce;
    let mut worsen = |to: GateState, why: String| {
        state = state.max(to);
        problems.push(why);
    };
    let (engines, unread) = engine::engines(places, &survey.policy);
    for why in unread {
        worsen(GateState::Trouble, why);
    }
    if engines.iter().all(|it| it.coverage == Coverage::NotUsed) {
        worsen(GateState::NotInForce, "no engine was found here".to_owned());
    }
    for engine in &engines {
        if let Some(why) = engine.lack() {
            worsen(GateState::NotInForce, why);
        }
    }
    let configuration = rest::configuration(&survey, places.config);
    if !configuration.usable {
        worsen(GateState::Trouble, format!("{}: {}", configuration.path, configuration.detail));
    } else if survey.policy.mode != Mode::Enforce {
        worsen(GateState::NotInForce, format!("{}: {}", configuration.path, configuration.detail));
    }
    let (store, subjects) = rest::store(places.store);
    if !store.usable {
        worsen(GateState::Trouble, format!("{}: {}", store.path, store.detail));
    }
    GateStatus {
        schema: SCHEMA,
        taken: moment::text(places.now),
        version: env!("CARGO_PKG_VERSION"),
        state,
        problems,
        engines,
        runtimes: rest::runtimes(places.root),
        configuration,
        store,
        images: rest::images(places, &subjects, &rest::demanded(&survey.policy)),
        decisions: rest::decisions(places.decisions, places.root),
    }
}

impl EngineStatus {
    /// Its name, with that of its user.
    fn whose(&self) -> String {
        self.user.as_ref().map_or_else(|| self.engine.clone(), |user| format!("{} of {user}", self.engine))
    }

    /// What is not checked; `None` if everything is.
    fn lack(&self) -> Option<String> {
        let whose = self.whose();
        let runtime = self.ways.iter().find_map(|it| it.runtime.as_deref()).unwrap_or_default();
        match self.coverage {
            Coverage::All | Coverage::NotUsed => None,
            Coverage::Asked => {
                Some(format!("{whose}: only containers that ask for the runtime {runtime} are checked"))
            }
            Coverage::None => Some(match self.ways.iter().find_map(|it| it.problem.as_ref()) {
                Some(why) => format!("{whose}: {why}"),
                None => format!("{whose}: no container is checked"),
            }),
        }
    }
}
