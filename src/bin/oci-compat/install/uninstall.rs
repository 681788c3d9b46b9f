//! `uninstall`: removes all our entries from the engines' configuration, and reports what still needs the programs.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use oci_compat::host::Root;
use oci_compat::setup::install::{Way, is_ours};
use oci_compat::setup::placement::{self, StandingEntry, System, live};
use oci_compat::words::text::printable;

use crate::output::Output;

use super::{EditedFile, below, features, system_root, take_out, verifier};
use oci_compat::words::text::counted;

/// Remove every entry from the engines' configuration, whatever its name
///
/// The programs stay: containers that were created with the wrapper need it to stop.
///
/// Exit status: 0 nothing needs the programs any more, 1 an engine or a running container does, 2 usage or trouble
#[derive(Debug, clap::Args)]
pub(crate) struct Uninstall {
    /// The engine
    #[arg(value_enum, default_value_t)]
    engine: Which,
    /// Show what would change, but change nothing
    #[arg(long)]
    print: bool,
    /// The root folder of another system
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Which {
    #[default]
    All,
    Podman,
    CriO,
    Containerd,
    Docker,
    K3s,
    Rke2,
    K0s,
    #[value(name = "microk8s")]
    MicroK8s,
}

impl Which {
    fn system(self) -> Option<System> {
        match self {
            Self::All => None,
            Self::Podman => Some(System::Podman),
            Self::CriO => Some(System::CriO),
            Self::Containerd => Some(System::Containerd),
            Self::Docker => Some(System::Docker),
            Self::K3s => Some(System::K3s),
            Self::Rke2 => Some(System::Rke2),
            Self::K0s => Some(System::K0s),
            Self::MicroK8s => Some(System::MicroK8s),
        }
    }
}

pub(crate) fn run(uninstall: &Uninstall, output: &mut Output) -> anyhow::Result<u8> {
    let wanted = uninstall.engine.system();
    let root = system_root(&uninstall.root)?;
    let (standing, unread) = placement::standing(&root);
    let mut status = 0;
    for err in
        unread.iter().filter(|it| wanted.is_none_or(|wanted| it.starts_with(&format!("{}:", wanted.name()))))
    {
        // An engine whose configuration cannot be read may still call us.
        complain(&format!("warning: {err}; it may still have an entry"))?;
        status = 1;
    }
    let standing: Vec<_> =
        standing.into_iter().filter(|it| wanted.is_none_or(|wanted| it.system == wanted)).collect();
    let verifiers = verifier::standing(wanted, &root, &uninstall.root);
    for file in &verifiers {
        output.print(&verifier::take_out(file, uninstall.print)?)?;
    }
    if standing.is_empty() && verifiers.is_empty() {
        output.print("no engine here has an entry\n")?;
    }
    let mut rereads: Vec<(System, &str)> = Vec::new();
    let mut files: Vec<PathBuf> = Vec::new();
    for StandingEntry { system, file, entry } in &standing {
        let file = below(&uninstall.root, Path::new(file));
        // Podman and CRI-O read the same hook file; of a file with two entries, the second cannot be shown by itself.
        if files.contains(&file) && (uninstall.print || entry.way == Way::Hook) {
            continue;
        }
        let place = EditedFile::at(&file, &uninstall.root)?;
        let done = take_out(&place, entry, uninstall.print)?;
        output.print(&done)?;
        files.push(file);
        let reread = system.reread(entry, true);
        if !rereads.contains(&(*system, reread)) {
            rereads.push((*system, reread));
        }
    }
    features::forget(&uninstall.root, &files, uninstall.print, output)?;
    if !uninstall.print {
        for (_, reread) in &rereads {
            output.print(&format!("{reread}\n"))?;
        }
        let removed: Vec<_> =
            standing.iter().filter(|it| it.entry.way == Way::Wrapper).map(|it| it.system).collect();
        for system in System::ALL.into_iter().filter(|it| still_has(*it, removed.contains(it), &root)) {
            let name = system.name();
            complain(&format!(
                "warning: the {name} that runs has not forgotten it: until it has, the programs have to stay"
            ))?;
            status = 1;
        }
    }
    if wanted.is_none_or(|it| it == System::Podman) {
        for user in placement::podman_users(&root) {
            for file in user.entries(&root) {
                // The system's own was just taken out, or shown.
                if files.contains(&below(&uninstall.root, Path::new(&file))) {
                    continue;
                }
                let name = &user.name;
                complain(&printable(&format!(
                    "warning: podman of {name} has the hook by {file}, which is that user's: as {name}, oci-compat install podman \
                     --user --remove; until then the programs have to stay"
                )))?;
                status = 1;
            }
        }
    }
    let needing = placement::running(&root);
    if !needing.is_empty() {
        let ids = needing.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if needing.len() > 5 { ", ..." } else { "" };
        let subject = counted(needing.len(), "container");
        let (run, them) = if needing.len() == 1 { ("runs", "it") } else { ("run", "them") };
        complain(&format!(
            "warning: {subject} made with the wrapper still {run}: {ids}{more}; end {them} before the programs go, which stop \
             {them}"
        ))?;
        status = 1;
    }
    Ok(status)
}

/// Whether the daemon that runs here still calls the wrapper. dockerd tells; of others that is known only when the entry has
/// just been removed.
fn still_has(system: System, removed: bool, root: &Root) -> bool {
    let runs = || live::daemon(system, root).is_some();
    match (system, live::docker(root).filter(|_| system == System::Docker)) {
        (_, Some(docker)) => docker.runtimes.iter().any(|(_, it)| is_ours(it, Way::Wrapper)),
        _ => removed && runs(),
    }
}

fn complain(text: &str) -> anyhow::Result<()> {
    use std::io::Write;

    Ok(writeln!(std::io::stderr(), "{text}")?)
}
