//! `status`: whether the gate is in force, in each engine of this host.

use std::path::{Path, PathBuf};

use oci_compat::host::Root;
use oci_compat::setup::status::{self, GateState, StatusPlaces};
use oci_compat::{outcome::decisions, policy};

use crate::args::{CommonArgs, StatusFormat};
use crate::config::decisions;
use crate::output::Output;

/// Show whether each engine of this host checks its containers
///
/// Looks at what engines read and run now, and asks dockerd for its runtimes. Run it as root: other users do not see
/// everything.
///
/// Exit status: 0 the check is in force everywhere, 1 it is not, 2 usage or trouble
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    /// The root folder of the host
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// The file of decisions [default: from the configuration]
    #[arg(long, value_name = "FILE")]
    decisions: Option<PathBuf>,
    /// containerd's socket
    #[arg(long, value_name = "FILE", default_value = "/run/containerd/containerd.sock")]
    socket: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: StatusFormat,
}

pub(crate) fn run(args: &StatusArgs, common: &CommonArgs, output: &mut Output) -> anyhow::Result<u8> {
    let is_live = args.root == Path::new("/");
    let root = if is_live { Root::live() } else { Root::at(&args.root)? };
    let below = |path: &Path| {
        if is_live { path.to_owned() } else { args.root.join(path.strip_prefix("/").unwrap_or(path)) }
    };
    let config = below(&common.config);
    let decisions = match &args.decisions {
        Some(named) => named.clone(),
        None => {
            below(decisions(None, &config).first().map_or(Path::new(policy::DECISIONS), PathBuf::as_path))
        }
    };
    let places = StatusPlaces {
        root: &root,
        config: &config,
        store: &below(&common.store),
        decisions: &decisions,
        socket: &below(&args.socket),
        now: decisions::now(),
    };
    let status = status::status(&places);
    match args.format {
        StatusFormat::Text => output.print(&status::text(&status))?,
        StatusFormat::Json => output.json(&status)?,
    }
    Ok(match status.state {
        GateState::InForce => 0,
        GateState::NotInForce => 1,
        GateState::Trouble => 2,
    })
}
