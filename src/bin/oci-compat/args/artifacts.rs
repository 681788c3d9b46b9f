//! The arguments of the commands that move artifacts: to registries, into the store, and out of it.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Subcommand;

use super::{CONTAINERD, EngineArg, ReportFormat, Seconds};
use crate::registry::RegistryOptions;

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Add the artifacts of an OCI layout, or a spec file, for an image
    Add {
        /// LAYOUT[:TAG], an OCI image layout with artifacts (a folder or a .tar file), or a spec file
        #[arg(value_name = "LAYOUT[:TAG] | SPEC")]
        source: OsString,
        /// The digest of the image's manifest or index, or what an engine of this host calls the image; not needed if the
        /// artifacts in a layout name their image
        #[arg(long, value_name = "IMAGE")]
        subject: Option<String>,
        /// The date of the spec (RFC 3339); of several artifacts of an image, the newest counts
        #[arg(long, value_name = "TIME")]
        created: Option<String>,
    },
    /// Compile stored specs again, after an update of this program
    Recompile,
    /// Remove files that belong to no image, and rebuild a lost index
    Gc {
        /// Also remove artifacts that a newer one of the same image and type replaced
        #[arg(long)]
        superseded: bool,
    },
    /// Find files that are damaged, missing, foreign, or writable by others
    ///
    /// Exit status: 0 the store is whole, 1 it is not, 2 usage or trouble
    Verify,
    /// Write the whole store to a tar file, which is also an OCI archive
    Export {
        /// The file, or - for stdout
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Add the artifacts of an exported store; nothing is added if any of it is damaged
    Import {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// Attach a spec to an existing image
///
/// The image is a name in a registry, oci:FOLDER[:TAG], or oci-archive:FILE[:TAG]. The image itself is not changed.
#[derive(Debug, clap::Args)]
pub(crate) struct Attach {
    /// The image
    #[arg(value_name = "IMAGE")]
    pub(crate) image: String,
    /// The spec file, or - for stdin
    #[arg(value_name = "SPEC")]
    pub(crate) spec: PathBuf,
    /// Attach to the image of this platform instead of the index
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", conflicts_with = "all_platforms")]
    pub(crate) platform: Option<String>,
    /// Attach to the image of each platform instead of the index
    #[arg(long)]
    pub(crate) all_platforms: bool,
    /// Remove earlier artifacts of the same type
    #[arg(long)]
    pub(crate) replace: bool,
    /// Show what would be pushed, but push nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Add an annotation to the artifact
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) annotation: Vec<String>,
    /// The artifact's date (RFC 3339) [default: SOURCE_DATE_EPOCH, else now]; of several artifacts, the newest counts
    #[arg(long, value_name = "TIME")]
    pub(crate) created: Option<String>,
    #[command(flatten)]
    pub(crate) registry: RegistryOptions,
}

/// Pull the artifacts of images into the local store, where the hook finds them
///
/// Pulls no images. The newest artifact of an image, and of its index, is stored if it is valid and has the signature
/// that the configuration requires. If something cannot be fetched, the store keeps what it has.
///
/// Exit status: 0 success, 1 something was refused or could not be fetched, 2 usage or trouble
#[derive(Debug, clap::Args)]
pub(crate) struct PullArgs {
    /// The images; - reads a list from stdin, one per line
    #[arg(value_name = "IMAGE", required_unless_present = "from_engine")]
    pub(crate) images: Vec<String>,
    /// All images of this engine, at their digests there
    #[arg(long, value_enum, value_name = "ENGINE")]
    pub(crate) from_engine: Vec<EngineArg>,
    /// The engine's data folder [default: from its configuration, else /var/lib/docker, /var/lib/containers/storage]
    #[arg(long, value_name = "DIR", requires = "from_engine")]
    pub(crate) engine_root: Option<PathBuf>,
    /// containerd's socket
    #[arg(long, value_name = "FILE", requires = "from_engine", default_value = CONTAINERD)]
    pub(crate) engine_socket: PathBuf,
    /// Pull the artifacts of all platforms of an image, not only this host's
    #[arg(long)]
    pub(crate) all_platforms: bool,
    /// Take what the registry has, even if the store has something newer
    #[arg(long)]
    pub(crate) force: bool,
    /// The number of images to pull at once, each over one connection
    #[arg(long, value_name = "N", default_value = "16")]
    pub(crate) jobs: NonZeroUsize,
    /// The time limit for one image
    #[arg(long, value_name = "SECONDS", default_value = "300")]
    pub(crate) image_timeout: Seconds,
    /// The time limit for all images together
    #[arg(long, value_name = "SECONDS", default_value = "3000")]
    pub(crate) timeout: Seconds,
    #[command(flatten)]
    pub(crate) registry: RegistryOptions,
}

/// Show what is attached to an image, its author, and its demands in words
///
/// The image is a digest, the name that it was pulled under, oci:FOLDER[:TAG], or oci-archive:FILE[:TAG]; with --remote,
/// a name in a registry.
///
/// Exit status: 0 success, 1 something was refused or could not be fetched (--remote), 2 usage or trouble
#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    /// The image
    #[arg(value_name = "IMAGE")]
    pub(crate) image: String,
    /// Show what a pull would fetch from the registry, but store nothing
    #[arg(long)]
    pub(crate) remote: bool,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ReportFormat,
    #[command(flatten)]
    pub(crate) registry: RegistryOptions,
}

/// List the artifacts in the local store
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// List only this image: its digest, or the name that it was pulled under
    #[arg(value_name = "IMAGE")]
    pub(crate) image: Option<String>,
    /// Output format
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
    /// The image's digest, or the name that it was pulled under
    #[arg(value_name = "IMAGE")]
    pub(crate) image: String,
    /// Remove only the artifact with this digest
    #[arg(long, value_name = "DIGEST")]
    pub(crate) artifact: Option<String>,
}
