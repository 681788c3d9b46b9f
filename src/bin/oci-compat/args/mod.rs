//! The command line.

pub(crate) mod manual;
mod artifacts;
mod described;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use crate::registry::RegistryOptions;
use clap::{ArgGroup, Parser, Subcommand};
use oci_compat::supply::attach::Platform;
use oci_compat::{decide::gate, decide::requirements, policy};

use crate::install::{Install, Uninstall};
use crate::status::StatusArgs;

pub(crate) use artifacts::{Attach, ListArgs, PullArgs, Remove, Show, StoreCommand};
pub(crate) use described::STATUS;
pub(crate) use values::{
    CheckFormat, ConfigFormat, EngineArg, FactsFormat, LintFormat, LogAction, LogVerdict, ReportFormat,
    Seconds, SpecVersion, StatusFormat, TestFormat,
};

/// Where containerd listens, unless its configuration says otherwise.
pub(crate) const CONTAINERD: &str = "/run/containerd/containerd.sock";

/// Checks whether a host has what a container image needs, and says what is missing
///
/// Exit status: 0 success, 2 usage or trouble; the help of a command says what else it exits with
#[derive(Debug, Parser)]
#[command(version = gate::VERSION, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: CommonArgs,
    /// Print to stderr what is read (-vv: every file)
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of all commands.
#[derive(Debug, clap::Args)]
pub(crate) struct CommonArgs {
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
    Probe(ProbeArgs),
    Lint(LintArgs),
    Convert(Convert),
    Init(Init),
    Test(TestArgs),
    /// Explain a code, an exit status or a feature, or what a spec demands
    Explain {
        /// A code such as module-not-loaded, an exit status such as 78, a feature such as kernel.config, or a spec file (- for
        /// stdin)
        #[arg(value_name = "CODE | LINT-CODE | STATUS | FEATURE | SPEC")]
        name: String,
    },
    /// Show the last decision about a container, or about an image
    Why {
        /// A container's id or the start of it; [NAMESPACE/]POD/CONTAINER for a pod's; or an image, as its engine calls it; if
        /// left out, the last decision
        #[arg(value_name = "CONTAINER | IMAGE")]
        container: Option<String>,
        /// The folder of reports [default: a user's own, then /run/oci-compat/reports]
        #[arg(long, value_name = "DIR")]
        reports: Option<PathBuf>,
        /// The file of decisions, used when the report is gone [default: from the configuration]
        #[arg(long, value_name = "FILE")]
        decisions: Option<PathBuf>,
        /// Output format
        #[arg(long, value_enum, default_value_t)]
        format: ReportFormat,
    },
    Select(Select),
    Attach(Attach),
    Pull(PullArgs),
    Show(Show),
    List(ListArgs),
    Remove(Remove),
    Log(LogArgs),
    /// Manage the local store, where the hook looks for specs
    #[command(subcommand)]
    Store(StoreCommand),
    /// Inspect the configuration of this host
    #[command(subcommand)]
    Config(ConfigCommand),
    Install(Install),
    Uninstall(Uninstall),
    Status(StatusArgs),
    Verifier(VerifierArgs),
    /// Print shell completions
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Say how a line may go on, to the scripts of `completions`
    #[command(name = "__complete", hide = true)]
    Complete {
        /// The words after the program's name; the last one is being typed
        #[arg(last = true)]
        words: Vec<OsString>,
    },
    /// Write the man pages to a folder
    Man {
        /// The folder
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

/// Check a host against the requirements of an image, a bundle or a spec
///
/// With --from-engine: every image of this host, in a table, the worst first. The worst image decides the exit status.
///
/// Exit status: 0 compatible, 1 incompatible, 2 usage or trouble, 3 undecided
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("subject").required(true).multiple(true).args(["image", "bundle", "spec", "from_engine"])))]
pub(crate) struct Check {
    /// An image as its engine calls it: its name, its ID or the start of it, or the digest of its manifest or index; or the
    /// name that it was pulled under; or oci:FOLDER[:TAG], oci-archive:FILE[:TAG]; with --remote, a name in a registry
    #[arg(value_name = "IMAGE", conflicts_with_all = ["bundle", "spec"])]
    pub(crate) image: Option<String>,
    /// Ask the registry instead of this host: what is attached to the image there, and for which platforms it is
    #[arg(long, requires = "image")]
    pub(crate) remote: bool,
    /// With --remote, store what a pull would store, and nothing otherwise
    #[arg(long, requires = "remote")]
    pub(crate) keep: bool,
    /// Of an image for several platforms, take that for this one [default: this machine's]
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", requires = "image")]
    pub(crate) platform: Option<Platform>,
    /// With --remote, read the header of the image's program too, in as many of its layers as that takes
    #[arg(long, conflicts_with_all = ["bundle", "spec"])]
    pub(crate) program: bool,
    /// Do not read the header of the programs of images on this host
    #[arg(long, conflicts_with_all = ["program", "remote", "bundle", "spec"])]
    pub(crate) no_program: bool,
    /// Judge images for containers that are given all GPUs: what their environment says of NVIDIA's driver counts then
    #[arg(long, conflicts_with_all = ["bundle", "spec"])]
    pub(crate) gpus: bool,
    /// Every image that this engine holds
    #[arg(long, value_enum, value_name = "ENGINE", conflicts_with_all = ["image", "bundle", "spec"])]
    pub(crate) from_engine: Vec<EngineArg>,
    /// The engine's folder [default: as it is configured, else /var/lib/docker, /var/lib/containers/storage]
    #[arg(long, value_name = "DIR", requires = "from_engine")]
    pub(crate) engine_root: Option<PathBuf>,
    /// containerd's socket
    #[arg(long, value_name = "FILE", requires = "from_engine", default_value = CONTAINERD)]
    pub(crate) engine_socket: PathBuf,
    /// The folder of an OCI bundle; with --spec, those specs must hold too
    #[arg(long, value_name = "DIR")]
    pub(crate) bundle: Option<PathBuf>,
    /// A spec file, or - for stdin; several must all hold
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) spec: Vec<PathBuf>,
    /// Facts of another host: output of `probe --format json` or `nfd export features`
    #[arg(long, value_name = "FILE", conflicts_with = "root")]
    pub(crate) facts: Option<PathBuf>,
    /// The root folder of the host
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub(crate) root: PathBuf,
    /// Use only sets with one of these tags
    #[arg(long, value_name = "TAG", value_delimiter = ',')]
    pub(crate) tags: Vec<String>,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: CheckFormat,
    #[command(flatten)]
    pub(crate) registry: RegistryOptions,
}

/// Say whether containerd may pull an image onto this host, as its image verifier
///
/// containerd calls it, by the script that `install containerd --verifier` places.
///
/// Exit status: 1 the image cannot run here, with the reason on stdout; anything else lets it through
#[derive(Debug, clap::Args)]
pub(crate) struct VerifierArgs {
    /// What containerd says: -name NAME -digest DIGEST -stdin-media-type TYPE
    #[arg(value_name = "WORD", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) words: Vec<OsString>,
}

/// Choose the image of an index that fits a host best
///
/// Judges every entry and ranks them: those that fit first, then by score, then the more specific label, then their order. Prints
/// the digest of the best one to stdout, and all of them with their reasons to stderr.
///
/// Exit status: 0 an entry fits, 1 none does, 2 usage or trouble, 3 the best one is undecided
#[derive(Debug, clap::Args)]
pub(crate) struct Select {
    /// A name in a registry, oci:FOLDER[:TAG], oci-archive:FILE[:TAG], or a .json file that holds an index, or - for stdin
    #[arg(value_name = "IMAGE", required = true)]
    pub(crate) images: Vec<String>,
    /// Judge the entries by these facts, as `probe --format json` prints them
    #[arg(long, value_name = "FILE")]
    pub(crate) facts: Option<PathBuf>,
    /// The root folder of the host
    #[arg(long, value_name = "DIR", default_value = "/", conflicts_with = "facts")]
    pub(crate) root: PathBuf,
    /// Use only compatibility sets with one of these tags
    #[arg(long, value_name = "TAG", value_delimiter = ',')]
    pub(crate) tags: Vec<String>,
    /// Judge for a container that is given all GPUs: what an image's environment says of NVIDIA's driver counts then
    #[arg(long)]
    pub(crate) gpus: bool,
    /// Read the headers of the images' programs too, in as many of their layers as that takes
    #[arg(long)]
    pub(crate) program: bool,
    /// Output format; docs/select.schema.json describes the JSON
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ReportFormat,
    #[command(flatten)]
    pub(crate) registry: RegistryOptions,
}

/// Print the facts of this host with their sources, and what is unknown and why
#[derive(Debug, clap::Args)]
pub(crate) struct ProbeArgs {
    /// Features such as kernel.version [default: all]
    #[arg(value_name = "FEATURE")]
    pub(crate) features: Vec<String>,
    /// The root folder of the host
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub(crate) root: PathBuf,
    /// The folder of an OCI bundle, for the features bundle.*
    #[arg(long, value_name = "DIR")]
    pub(crate) bundle: Option<PathBuf>,
    /// List the features that can be probed, with their meaning
    #[arg(long, conflicts_with_all = ["features", "bundle", "format"])]
    pub(crate) list: bool,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: FactsFormat,
}

/// Check spec files for errors and probable mistakes
///
/// `oci-compat explain CODE` describes each code that it prints.
///
/// Exit status: 0 no errors (there may be warnings), 1 errors, 2 usage or trouble
#[derive(Debug, clap::Args)]
pub(crate) struct LintArgs {
    /// Spec files, folders, patterns such as 'specs/**/*.yaml', or - for stdin; of a folder, all specs below it
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Correct what is certain: quotes, names, case and units; everything else stays as it is, to the byte
    #[arg(long)]
    pub(crate) fix: bool,
    /// Treat warnings as errors
    #[arg(long)]
    pub(crate) deny_warnings: bool,
    /// Print errors only, without a summary
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: LintFormat,
}

/// Write a first spec with comments
///
/// Without a kind, it lists all kinds: what images often need.
#[derive(Debug, clap::Args)]
pub(crate) struct Init {
    /// What the image needs, such as kernel-module
    #[arg(value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// A name, version or number for it, such as gtp5g
    #[arg(value_name = "VALUE")]
    pub(crate) value: Option<String>,
    /// The file to write, which must not exist yet [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Test specs against hosts
///
/// A host is a document of facts, with the verdict that is expected of it: docs/test.md describes the files.
///
/// Exit status: 0 all as expected, 1 some not, 2 usage or trouble
#[derive(Debug, clap::Args)]
pub(crate) struct TestArgs {
    /// Test files, or folders with files that end in .test.yaml
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: TestFormat,
}

/// Convert a spec, or a document of another tool, to v1alpha1 or oci-compat/v1
///
/// v1alpha1 is Node Feature Discovery's language. Takes specs in any format, NodeFeatureRule, NodeFeatureGroup,
/// HostPreflight, the configuration of an image, and lines NVIDIA_REQUIRE_...=.... Prints to stderr what gets lost.
///
/// Exit status: 0 nothing was lost, 1 something was lost, or the spec has errors, 2 usage or trouble
#[derive(Debug, clap::Args)]
pub(crate) struct Convert {
    /// The file, or - for stdin
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The version to write
    #[arg(long, value_enum, value_name = "VERSION", default_value_t)]
    pub(crate) to: SpecVersion,
}

/// List containers that were refused or started with a doubt, and count them by cause
///
/// Exit status: 0, even if there are none, 2 usage or trouble
#[derive(Debug, clap::Args)]
pub(crate) struct LogArgs {
    /// Only decisions since TIME: 90m, 2h, 7d, 2026-08-01 (UTC), or 2026-08-01T10:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only decisions before TIME
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Only images with this ID, or with this text in their name or digest; with * or ?, a pattern of the whole name
    #[arg(long, value_name = "PATTERN")]
    pub(crate) image: Option<String>,
    /// Only decisions with this code, such as module-not-loaded
    #[arg(long, value_name = "CODE")]
    pub(crate) code: Option<String>,
    /// Only containers whose ids start with this, or [NAMESPACE/]POD/CONTAINER
    #[arg(long, value_name = "ID")]
    pub(crate) container: Option<String>,
    /// Only decisions with this verdict
    #[arg(long, value_enum)]
    pub(crate) verdict: Option<LogVerdict>,
    /// Only decisions with this action
    #[arg(long, value_enum, default_value_t)]
    pub(crate) action: LogAction,
    /// Show only the last N
    #[arg(short = 'n', long, value_name = "N", conflicts_with = "summary")]
    pub(crate) last: Option<usize>,
    /// Show only the counts
    #[arg(long)]
    pub(crate) summary: bool,
    /// The file of decisions; its rotated files are read too [default: from the configuration]
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Output format; JSON: one line for each, as it was written (docs/decision.schema.json)
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ReportFormat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    Check(ConfigCheck),
}

/// Report all errors of the configuration, then the settings in effect and the files they come from
///
/// Also lists the images of this host that each image pattern matches.
///
/// Exit status: 0 no errors (there may be warnings), 1 errors, 2 usage or trouble
#[derive(Debug, clap::Args)]
pub(crate) struct ConfigCheck {
    /// Do not ask engines for their images
    #[arg(long)]
    pub(crate) no_images: bool,
    /// The engine's data folder [default: from its configuration, else /var/lib/docker, /var/lib/containers/storage]
    #[arg(long, value_name = "DIR", conflicts_with = "no_images")]
    pub(crate) engine_root: Option<PathBuf>,
    /// containerd's socket
    #[arg(long, value_name = "FILE", default_value = CONTAINERD)]
    pub(crate) engine_socket: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ConfigFormat,
}
