//! What the administrator wants done with a verdict. Every default is here, once.

mod syntax;
mod value;
mod log;
mod waiver;
mod preference;
mod document;
mod load;
mod implicit;
mod wishes;
mod survey;
pub mod own;
pub mod trust;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::eval::verdict::Verdict;
use crate::image::ImagePattern;
use crate::words::text::quoted;

pub use document::{KEYS, ReadPolicy};
pub use implicit::{Implied, Nvidia};
pub use load::{load, load_in_time, toml_files};
pub use log::{DECISIONS, LogSettings};
pub use preference::Preference;
pub use survey::{Survey, Surveyed};
pub use waiver::{Expiry, RuleName, Waiver};
pub use wishes::Heeded;

/// The configuration, unless another one is named; `config.toml.d/*.toml` beside it is read after it.
pub const FILE: &str = "/etc/oci-compat/config.toml";
/// The folder beside the configuration that holds the administrator's own requirements.
const REQUIREMENTS: &str = "requirements.d";

/// How long a whole check may take. A busy engine has to be waited for, and is: in a burst of containers on a small node it
/// answers after seconds. Half of the two minutes that the kubelet gives a runtime (`runtimeRequestTimeout`), the least of
/// all that engines give: Podman and CRI-O give 240 s, containerd and dockerd any time.
const DEADLINE: Duration = Duration::from_secs(60);

/// The result of a check, as far as the policy distinguishes results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "&str", try_from = "String")]
pub enum Situation {
    /// The image demands nothing.
    NoRequirements,
    /// There is a verdict.
    Judged(Verdict),
    /// The image's own spec cannot be read: it concerns only that image, and its author should learn of it.
    Malformed,
    /// The container brings what cannot be read: its state, its `config.json` or its annotations. It concerns that container
    /// only; otherwise a user who can set an annotation could turn its check off.
    Container,
    /// The administrator demands that the image has a signed spec, and none is known.
    SpecMissing,
    /// A failure of ours, or of the host: it must not stop the containers of a node.
    Trouble,
}

/// What is done with a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is created.
    Start,
    /// Its creation is aborted.
    Refuse,
}

/// Whether decisions are carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Yes.
    Enforce,
    /// No: they are made and reported, and nothing is ever refused.
    Audit,
    /// Nothing is even checked.
    Off,
}

/// What is done with the steps of an image's build. Each step runs in a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builds {
    /// They are checked like starts of the image that they begin with.
    Check,
    /// Nothing is demanded of their host.
    Skip,
}

/// Which specs may ask for values that only root may see: the start of a container reveals whether a value passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sensitive {
    /// All.
    Any,
    /// Those whose makers were verified, and the administrator's own.
    Verified,
}

/// The policy where the configuration sets nothing, or cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defaults {
    /// What could not be checked starts.
    Standard,
    /// It is refused: the caller of the hook or the wrapper says so.
    Strict,
}

/// What is wanted, in every situation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Whether decisions are carried out.
    pub mode: Mode,
    /// For hosts that lack something.
    pub incompatible: Action,
    /// For hosts that could not be asked.
    pub undecided: Action,
    /// For specs that cannot be read.
    pub malformed: Action,
    /// For containers that bring what cannot be read.
    pub container_trouble: Action,
    /// For failures of ours, or of the host.
    pub trouble: Action,
    /// Whether the annotation `org.oci-compat.image` may say which image a bundle is.
    pub image_annotation: bool,
    /// Which sets of a spec count; empty for all.
    pub tags: Vec<String>,
    /// How long a whole check may take.
    pub deadline: Duration,
    /// How much of that went by while the configuration was read, where its file system may never answer.
    pub spent: Duration,
    /// Exceptions, in the order in which they were read.
    pub waivers: Vec<Waiver>,
    /// Annotations of an index's entries that this host prefers.
    pub preferences: Vec<Preference>,
    /// The images whose containers may carry annotations that make a check less strict.
    pub may_waive: Vec<ImagePattern>,
    /// Whether annotations count at all; not while the configuration is broken, because nothing is refused then.
    pub heeds_annotations: bool,
    /// The folder of the administrator's own requirements; `None` if none are read.
    pub requirements: Option<PathBuf>,
    /// What is done with the steps of builds.
    pub builds: Builds,
    /// What is done with demands in the image's own program.
    pub program: Implied,
    /// What is done with what an image, or its index, says of the host that it is for.
    pub index: Implied,
    /// How what an image says of NVIDIA's driver is judged.
    pub nvidia: Nvidia,
    /// The low-level runtimes that the wrapper may become: names, looked for in `PATH`, or absolute paths. The first that
    /// is there counts.
    pub runtimes: Vec<PathBuf>,
    /// Whether the line that engines show may hold sensitive values of this host, such as serial numbers.
    pub disclose: bool,
    /// Which specs may ask for such values.
    pub sensitive: Sensitive,
    /// Whether the hook writes a refusal to the stderr of crun, which throws away what hooks print.
    pub crun_stderr: bool,
    /// Which images must have a signed spec.
    pub spec_demands: trust::SpecDemands,
    /// Where decisions are recorded.
    pub log: LogSettings,
}

impl Policy {
    /// What holds without any configuration.
    pub fn default_policy() -> Self {
        Self {
            mode: Mode::Enforce,
            incompatible: Action::Refuse,
            undecided: Action::Start,
            malformed: Action::Refuse,
            container_trouble: Action::Refuse,
            trouble: Action::Start,
            image_annotation: false,
            tags: Vec::new(),
            deadline: DEADLINE,
            spent: Duration::ZERO,
            waivers: Vec::new(),
            preferences: Vec::new(),
            may_waive: Vec::new(),
            heeds_annotations: true,
            requirements: Some(PathBuf::from("/etc/oci-compat").join(REQUIREMENTS)),
            builds: Builds::Skip,
            program: Implied::Refuse,
            index: Implied::Refuse,
            nvidia: Nvidia::Sensible,
            runtimes: ["runc", "crun"].map(PathBuf::from).to_vec(),
            disclose: false,
            sensitive: Sensitive::Any,
            crun_stderr: true,
            spec_demands: trust::SpecDemands::default(),
            log: LogSettings::defaults(),
        }
    }

    /// As [`Self::default_policy`], for a configuration in another place.
    fn beside(path: &Path, defaults: Defaults) -> Self {
        let requirements = path.parent().map(|it| it.join(REQUIREMENTS));
        let standard = Self { requirements, ..Self::default_policy() };
        match defaults {
            Defaults::Standard => standard,
            Defaults::Strict => Self { undecided: Action::Refuse, trouble: Action::Refuse, ..standard },
        }
    }

    /// What is done in a situation.
    pub fn action(&self, situation: Situation) -> Action {
        match self.mode {
            Mode::Enforce => self.intention(situation),
            Mode::Audit | Mode::Off => Action::Start,
        }
    }

    /// What would be done in a situation if decisions were carried out.
    pub fn intention(&self, situation: Situation) -> Action {
        match situation {
            Situation::NoRequirements | Situation::Judged(Verdict::Compatible) => Action::Start,
            Situation::Judged(Verdict::Incompatible) => self.incompatible,
            Situation::Judged(Verdict::Undecided) => self.undecided,
            Situation::Malformed => self.malformed,
            Situation::Container => self.container_trouble,
            // Who does not want that does not demand a spec.
            Situation::SpecMissing => Action::Refuse,
            Situation::Trouble => self.trouble,
        }
    }

    /// Takes over what a configuration file says; what it does not say, or says wrongly, stays as it is. `file` is its
    /// name, for messages.
    pub fn overlay(&mut self, text: &str, file: &str) -> ReadPolicy {
        document::overlay(self, text, file)
    }
}

impl Situation {
    /// As records write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoRequirements => "no-requirements",
            Self::Judged(verdict) => verdict.name(),
            Self::Malformed => "malformed",
            Self::Container => "container-trouble",
            Self::SpecMissing => "spec-missing",
            Self::Trouble => "trouble",
        }
    }
}

impl From<Situation> for &'static str {
    fn from(situation: Situation) -> Self {
        situation.name()
    }
}

impl TryFrom<String> for Situation {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let verdicts = [Verdict::Compatible, Verdict::Undecided, Verdict::Incompatible].map(Self::Judged);
        let others =
            [Self::NoRequirements, Self::Malformed, Self::Container, Self::SpecMissing, Self::Trouble];
        let found = verdicts.into_iter().chain(others).find(|it| it.name() == name);
        found.ok_or_else(|| format!("there is no situation {}", quoted(&name)))
    }
}

impl Action {
    /// As configurations and reports write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Refuse => "refuse",
        }
    }
}

impl Builds {
    /// As configurations write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Skip => "skip",
        }
    }
}

impl Sensitive {
    /// As configurations write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Verified => "verified",
        }
    }
}

impl Mode {
    /// As configurations write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Audit => "audit",
            Self::Off => "off",
        }
    }
}
