//! The command line.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::registry::RegistryOptions;
use clap::{ArgGroup, Parser, Subcommand, ValueEnum};
use oci_compat::{decide::gate, decide::requirements, policy};

use crate::install::{Install, Uninstall};
use crate::status::Status;

/// Where containerd listens, unless its configuration says otherwise.
pub(crate) const CONTAINERD: &str = "/run/containerd/containerd.sock";

/// Holds a host against what a container image demands of it, and says what is missing
#[derive(Debug, Parser)]
#[command(version = gate::VERSION, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Say on stderr what is read (-vv: every file)
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of all commands.
#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    /// The local store of compatibility artifacts
    #[arg(long, global = true, value_name = "DIR", default_value = requirements::STORE)]
    pub(crate) store: PathBuf,
    /// The configuration file
    #[arg(long, global = true, value_name = "FILE", default_value = policy::FILE)]
    pub(crate) config: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Check(Check),
    Probe(Probe),
    Lint(Lint),
    Convert(Convert),
    /// Say what a code, an exit status or a feature means, and what mends it
    Explain {
        /// A code such as module-not-loaded, an exit status such as 78, or a feature such as kernel.config
        name: String,
    },
    /// Show the last decision about a container, or about an image
    Why {
        /// The container's id, or how it starts; for a pod's, [NAMESPACE/]POD/CONTAINER; or an image, as its engine calls it;
        /// without it, the last decision of all
        #[arg(value_name = "CONTAINER | IMAGE")]
        container: Option<String>,
        /// Where the reports are [default: /run/oci-compat/reports, and before it a user's own]
        #[arg(long, value_name = "DIR")]
        reports: Option<PathBuf>,
        /// The file of decisions, for what has no report any more [default: as the configuration says]
        #[arg(long, value_name = "FILE")]
        decisions: Option<PathBuf>,
        /// How to show it
        #[arg(long, value_enum, default_value_t)]
        format: ReportFormat,
    },
    Attach(Attach),
    Pull(Pull),
    Show(Show),
    List(List),
    Remove(Remove),
    Log(Log),
    /// Keep the local store, in which the hook finds specs
    #[command(subcommand)]
    Store(Store),
    /// Look at the configuration of this host
    #[command(subcommand)]
    Config(Config),
    Install(Install),
    Uninstall(Uninstall),
    Status(Status),
    /// Print a shell's completions
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a folder
    Man {
        /// The folder
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

/// Hold a host against the requirements of an image, a bundle or a spec
///
/// Exit status: 0 compatible, 1 incompatible, 2 usage or trouble, 3 undecided
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("subject").required(true).multiple(true).args(["image", "bundle", "spec"])))]
pub(crate) struct Check {
    /// An image as its engine calls it: its name, its ID or the start of that, or the digest of its manifest or index; else
    /// the name of one that was pulled
    #[arg(value_name = "IMAGE", conflicts_with_all = ["bundle", "spec"])]
    pub(crate) image: Option<String>,
    /// The folder of an OCI bundle; with --spec, those have to hold as well as its own
    #[arg(long, value_name = "DIR")]
    pub(crate) bundle: Option<PathBuf>,
    /// A spec file, - for stdin; several have to hold together
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) spec: Vec<PathBuf>,
    /// Facts taken elsewhere: what `probe --format json` or `nfd export features` printed
    #[arg(long, value_name = "FILE", conflicts_with = "root")]
    pub(crate) facts: Option<PathBuf>,
    /// The root folder of the host
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub(crate) root: PathBuf,
    /// Only sets with one of these tags
    #[arg(long, value_name = "TAG", value_delimiter = ',')]
    pub(crate) tags: Vec<String>,
    /// How to show the report
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ReportFormat,
}

/// Print facts of this host, where each was read, and what is unknown and why
#[derive(Debug, clap::Args)]
pub(crate) struct Probe {
    /// Features such as kernel.version; all if none is named
    #[arg(value_name = "FEATURE")]
    pub(crate) features: Vec<String>,
    /// The root folder of the host
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub(crate) root: PathBuf,
    /// The folder of an OCI bundle, for what it gives its container
    #[arg(long, value_name = "DIR")]
    pub(crate) bundle: Option<PathBuf>,
    /// List the features that can be probed, and what each means
    #[arg(long, conflicts_with_all = ["features", "bundle", "format"])]
    pub(crate) list: bool,
    /// How to show them
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: FactsFormat,
}

/// Check spec files as strictly as a compiler
///
/// Exit status: 0 no errors (there may be warnings), 1 errors, 2 usage or trouble
#[derive(Debug, clap::Args)]
pub(crate) struct Lint {
    /// Spec files, - for stdin
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Take warnings for errors
    #[arg(long)]
    pub(crate) deny_warnings: bool,
    /// How to show the findings
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ReportFormat,
}

/// Write a spec in Node Feature Discovery's language, and say on stderr what gets lost
///
/// Exit status: 0 nothing is lost, 1 something is, or the spec has errors, 2 usage or trouble
#[derive(Debug, clap::Args)]
pub(crate) struct Convert {
    /// A spec file, - for stdin
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The version to write
    #[arg(long, value_enum, value_name = "VERSION", default_value_t)]
    pub(crate) to: Version,
}

/// A version of the language of specs.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum Version {
    /// What Node Feature Discovery reads
    #[default]
    V1alpha1,
}

/// List what was refused or started with a doubt, and sum it up by its causes
///
/// Exit status: 0, also if there are none, 2 usage or trouble
#[derive(Debug, clap::Args)]
pub(crate) struct Log {
    /// Made since then: 90m, 2h, 7d, 2026-08-01 (UTC), or 2026-08-01T10:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Made before then
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// On an image with this in its name or digest, or the one with this ID; with * or ?, a pattern of the whole
    #[arg(long, value_name = "PATTERN")]
    pub(crate) image: Option<String>,
    /// With this code among its reasons, such as module-not-loaded
    #[arg(long, value_name = "CODE")]
    pub(crate) code: Option<String>,
    /// On the containers whose ids start so, or on a pod's: [NAMESPACE/]POD/CONTAINER
    #[arg(long, value_name = "ID")]
    pub(crate) container: Option<String>,
    /// With this verdict
    #[arg(long, value_enum)]
    pub(crate) verdict: Option<LogVerdict>,
    /// What became of the container
    #[arg(long, value_enum, default_value_t)]
    pub(crate) action: LogAction,
    /// Only the last N
    #[arg(short = 'n', long, value_name = "N", conflicts_with = "summary")]
    pub(crate) last: Option<usize>,
    /// Only the sums
    #[arg(long)]
    pub(crate) summary: bool,
    /// The file of decisions; those that it was rotated into are read too [default: as the configuration says]
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// How to show them; JSON: a line for each, as it was written (docs/decision.schema.json)
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ReportFormat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Store {
    /// Add the artifacts of an OCI layout, or a spec file, for an image
    Add {
        /// LAYOUT[:TAG], an OCI image layout that holds artifacts, a folder or a .tar file; or a spec file
        #[arg(value_name = "LAYOUT[:TAG] | SPEC")]
        source: OsString,
        /// The digest of the image's manifest or index, or what an engine of this host calls the image; artifacts in a layout
        /// may name it themselves
        #[arg(long, value_name = "IMAGE")]
        subject: Option<String>,
        /// When the spec was made (RFC 3339); of several artifacts of an image the newest counts
        #[arg(long, value_name = "TIME")]
        created: Option<String>,
    },
    /// Compile stored specs anew, as after an update of this program
    Recompile,
    /// Remove every file that belongs to no image, and make the index anew if it is lost
    Gc {
        /// Also remove artifacts than which the same image has a newer one of the same type
        #[arg(long)]
        superseded: bool,
    },
    /// Look for every file that is damaged, missing, foreign, or open to others
    ///
    /// Exit status: 0 the store is whole, 1 it is not, 2 usage or trouble
    Verify,
    /// Write the whole store into a tar file, which is an OCI archive too
    Export {
        /// The file, - for stdout
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Take over the artifacts of a store that was exported elsewhere; nothing if any of it is damaged
    Import {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// Attach a spec to an image that is there already
///
/// The image is a name in a registry, oci:FOLDER[:TAG], or oci-archive:FILE[:TAG]. The image stays as it is.
#[derive(Debug, clap::Args)]
pub(crate) struct Attach {
    /// The image
    #[arg(value_name = "IMAGE")]
    pub(crate) image: String,
    /// The spec file, - for stdin
    #[arg(value_name = "SPEC")]
    pub(crate) spec: PathBuf,
    /// Attach to the image of this platform, and not to the index
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", conflicts_with = "all_platforms")]
    pub(crate) platform: Option<String>,
    /// Attach to the image of each platform, and not to the index
    #[arg(long)]
    pub(crate) all_platforms: bool,
    /// Remove the artifacts of the same type that were attached before
    #[arg(long)]
    pub(crate) replace: bool,
    /// Show what would be pushed, and push nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Add an annotation to the artifact
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) annotation: Vec<String>,
    /// When it was made (RFC 3339), instead of now or SOURCE_DATE_EPOCH; of several artifacts the newest counts
    #[arg(long, value_name = "TIME")]
    pub(crate) created: Option<String>,
    #[command(flatten)]
    pub(crate) registry: RegistryOptions,
}

/// Fetch the artifacts of images into the local store, where the hook finds them
///
/// Fetches no image. The newest artifact of an image, and of its index, is stored if it is whole and, where the
/// configuration demands it, signed. What cannot be fetched stays as it was.
///
/// Exit status: 0 all is well, 1 something was refused or could not be fetched, 2 usage or trouble
#[derive(Debug, clap::Args)]
pub(crate) struct Pull {
    /// The images; - for a list on stdin, one a line
    #[arg(value_name = "IMAGE", required_unless_present = "from_engine")]
    pub(crate) images: Vec<String>,
    /// All images that this engine holds, at the digests at which it holds them
    #[arg(long, value_enum, value_name = "ENGINE")]
    pub(crate) from_engine: Vec<Engine>,
    /// The engine's folder [default: as it is configured, else /var/lib/docker, /var/lib/containers/storage]
    #[arg(long, value_name = "DIR", requires = "from_engine")]
    pub(crate) engine_root: Option<PathBuf>,
    /// containerd's socket
    #[arg(long, value_name = "FILE", requires = "from_engine", default_value = CONTAINERD)]
    pub(crate) engine_socket: PathBuf,
    /// Of images for several platforms, those for all; else for this host's
    #[arg(long)]
    pub(crate) all_platforms: bool,
    /// Take what the registry has, also if the store has something newer
    #[arg(long)]
    pub(crate) force: bool,
    /// Fetch for so many images at once, each over one connection
    #[arg(long, value_name = "N", default_value = "16")]
    pub(crate) jobs: NonZeroUsize,
    /// How long all that belongs to one image may take
    #[arg(long, value_name = "SECONDS", default_value = "300")]
    pub(crate) image_timeout: Seconds,
    /// How long all images together may take
    #[arg(long, value_name = "SECONDS", default_value = "3000")]
    pub(crate) timeout: Seconds,
    #[command(flatten)]
    pub(crate) registry: RegistryOptions,
}

/// Whole seconds, from one to a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seconds(u32);

impl Seconds {
    pub(crate) const IMAGE: Self = Self(300);
    pub(crate) const ALL: Self = Self(3000);
}

impl From<Seconds> for Duration {
    fn from(seconds: Seconds) -> Self {
        Self::from_secs(seconds.0.into())
    }
}

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(seconds @ 1..=86_400) => Ok(Self(seconds)),
            _ => Err("has to be a number of seconds from 1 to 86400".to_owned()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// Each of them that is on this host
    All,
    /// All its namespaces: Kubernetes' images, ctr's, nerdctl's, and Docker's where it keeps them in containerd
    Containerd,
    /// Images in Docker's own drivers
    Docker,
    /// Podman's, and CRI-O's
    Podman,
}

/// Show what is attached to an image, by whom, and what it demands, in words
///
/// The image is a digest, the name under which it was pulled, oci:FOLDER[:TAG], or oci-archive:FILE[:TAG]; with --remote a
/// name in a registry.
///
/// Exit status: 0 all is well, 1 something was refused or could not be fetched (--remote), 2 usage or trouble
#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    /// The image
    #[arg(value_name = "IMAGE")]
    pub(crate) image: String,
    /// Show what a pull would fetch from the registry, and store nothing
    #[arg(long)]
    pub(crate) remote: bool,
    /// How to show it
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ReportFormat,
    #[command(flatten)]
    pub(crate) registry: RegistryOptions,
}

/// List the artifacts in the local store
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Only those of this image: its digest, or the name under which it was pulled
    #[arg(value_name = "IMAGE")]
    pub(crate) image: Option<String>,
    /// How to show them
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ReportFormat,
    /// List what the registry has for the image
    #[arg(long, requires = "image")]
    pub(crate) remote: bool,
    #[command(flatten)]
    pub(crate) registry: RegistryOptions,
}

/// Remove the artifacts of an image from the local store
#[derive(Debug, clap::Args)]
pub(crate) struct Remove {
    /// The image's digest, or the name under which it was pulled
    #[arg(value_name = "IMAGE")]
    pub(crate) image: String,
    /// Only the artifact with this digest
    #[arg(long, value_name = "DIGEST")]
    pub(crate) artifact: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    Check(ConfigCheck),
}

/// Say everything that is wrong with the configuration, then what is in force and which file says so
///
/// With it, which images of this host each pattern of images fits.
///
/// Exit status: 0 nothing is wrong (there may be warnings), 1 something is, 2 usage or trouble
#[derive(Debug, clap::Args)]
pub(crate) struct ConfigCheck {
    /// Ask no engine which images it holds
    #[arg(long)]
    pub(crate) no_images: bool,
    /// The engine's folder [default: as it is configured, else /var/lib/docker, /var/lib/containers/storage]
    #[arg(long, value_name = "DIR", conflicts_with = "no_images")]
    pub(crate) engine_root: Option<PathBuf>,
    /// containerd's socket
    #[arg(long, value_name = "FILE", default_value = CONTAINERD)]
    pub(crate) engine_socket: PathBuf,
    /// How to show it
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ConfigFormat,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConfigFormat {
    /// For people
    #[default]
    Text,
    /// For programs; docs/policy.md describes it
    Json,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusFormat {
    /// For people
    #[default]
    Text,
    /// For programs; docs/status.schema.json describes it
    Json,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people
    #[default]
    Text,
    /// For programs; docs/report.schema.json describes it
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogVerdict {
    /// The host lacks something
    Incompatible,
    /// The host could not be asked, or something went wrong
    Undecided,
}

impl LogVerdict {
    /// As records call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Incompatible => "incompatible",
            Self::Undecided => "undecided",
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogAction {
    /// Whatever it was
    #[default]
    All,
    /// It was refused
    Refused,
    /// It would have been refused, but for the mode "audit"
    WouldRefuse,
    /// It was started with a doubt
    Started,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum FactsFormat {
    /// For people
    #[default]
    Text,
    /// For programs, and for `check --facts`
    Json,
    /// What Node Feature Discovery knows, in its own shape
    Nfd,
}
