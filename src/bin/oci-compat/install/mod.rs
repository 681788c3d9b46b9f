//! `install`: puts the hook or the wrapper into an engine's configuration, and takes it out again. Never starts, stops or
//! asks an engine.

mod place;
mod user;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::ValueEnum;
use oci_compat::install::{Engine, Entry, Way};
use similar::TextDiff;

use crate::output::Output;
use place::Place;

/// Have an engine check its containers, or no longer
///
/// What was in the file before is kept beside it, as FILE.before-oci-compat, until --remove.
#[derive(Debug, clap::Args)]
pub(crate) struct Install {
    /// The engine; runc stands for crun and youki as well
    #[arg(value_enum)]
    engine: Name,
    /// Only show what would change
    #[arg(long)]
    print: bool,
    /// Take out what was put in
    #[arg(long)]
    remove: bool,
    /// For every container that asks for no other runtime
    #[arg(long)]
    default: bool,
    /// Podman and CRI-O: the runtime wrapper in place of the hook
    #[arg(long)]
    wrapper: bool,
    /// Podman: the hook for the user who calls, in their own configuration
    #[arg(long, conflicts_with_all = ["file", "bundle", "wrapper", "runtime_class"])]
    user: bool,
    /// The wrapper's name among the engine's runtimes
    #[arg(long, value_name = "NAME", default_value = oci_compat::install::NAME)]
    runtime_name: String,
    /// The engine's configuration, if it is not where engines look
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The root folder of another system, such as an image that is being built
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// The hook or the wrapper, if it is not where this program was installed with it
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// runc: the folder of the bundle
    #[arg(long, value_name = "DIR", required_if_eq("engine", "runc"), conflicts_with_all = ["root", "file"])]
    bundle: Option<PathBuf>,
    /// containerd and CRI-O: only print the RuntimeClass by which pods ask for the wrapper
    #[arg(long, conflicts_with_all = ["print", "remove", "default"])]
    runtime_class: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    Podman,
    CriO,
    Containerd,
    Docker,
    Runc,
}

pub(crate) fn run(install: &Install, output: &mut Output) -> anyhow::Result<u8> {
    let entry = entry(install)?;
    if install.runtime_class {
        output.print(&entry.runtime_class())?;
        return Ok(0);
    }
    if install.user {
        return user::run(install, &entry, output);
    }
    let file = file(install, &entry);
    let place = Place::at(&file, &install.root)?;
    let new = wanted(install, &entry, &place).with_context(|| file.display().to_string())?;
    if new == place.current {
        output.print(&format!("{}: nothing to change\n", file.display()))?;
    } else if install.print {
        output.print(&difference(&file, place.current.as_deref(), new.as_deref()))?;
    } else {
        let done = carry_out(install, &entry, &place, new.as_deref())?;
        output.print(&format!("{done}\n{}\n", entry.reread(install.remove)))?;
        if let (Some(file), false) = (&install.file, install.remove) {
            output.print(&unlisted(&entry, file))?;
        }
    }
    Ok(0)
}

fn entry(install: &Install) -> anyhow::Result<Entry> {
    let engine = match install.engine {
        Name::Podman => Engine::Podman,
        Name::CriO => Engine::CriO,
        Name::Containerd => Engine::Containerd,
        Name::Docker => Engine::Docker,
        Name::Runc => Engine::Runc,
    };
    let way = match engine {
        Engine::Docker | Engine::Containerd => Way::Wrapper,
        Engine::Podman | Engine::CriO if install.wrapper || install.runtime_class => Way::Wrapper,
        Engine::Podman | Engine::CriO | Engine::Runc => Way::Hook,
    };
    if install.default && way == Way::Hook {
        bail!("--default is about the wrapper; the hook is for every container anyway");
    }
    let program = match &install.program {
        Some(program) => program.clone(),
        None => place::installed(way)?,
    };
    let Some(path) = program.to_str() else {
        bail!("{} is no text, as it would have to be in a configuration", program.display());
    };
    // An engine that does not find it starts nothing any more.
    if !install.remove && !install.runtime_class {
        place::must_run(&below(&install.root, &program))?;
    }
    let name = install.runtime_name.clone();
    Ok(Entry { engine, way, program: path.to_owned(), name, default: install.default })
}

/// What else it takes before anybody reads a hook file elsewhere.
fn unlisted(entry: &Entry, file: &Path) -> String {
    let usual = Path::new(entry.place()).parent();
    let folder = file.parent().unwrap_or(Path::new("/"));
    let (table, engine) = match (entry.way, entry.engine) {
        (Way::Hook, Engine::Podman) => ("engine", "containers.conf(5)"),
        (Way::Hook, Engine::CriO) => ("crio.runtime", "crio.conf(5)"),
        _ => return String::new(),
    };
    if usual == Some(folder) {
        return String::new();
    }
    format!(
        "it reads only the folders that {engine} names: [{table}] hooks_dir = [{:?}]\n",
        folder.display().to_string()
    )
}

fn file(install: &Install, entry: &Entry) -> PathBuf {
    match (&install.bundle, &install.file) {
        (Some(bundle), _) => bundle.join(entry.place()),
        (None, Some(file)) => below(&install.root, file),
        (None, None) => below(&install.root, Path::new(entry.place())),
    }
}

/// `--root /` leaves a path as it is, so that a relative one stays one.
fn below(root: &Path, path: &Path) -> PathBuf {
    if root == Path::new("/") { path.to_owned() } else { root.join(path.strip_prefix("/").unwrap_or(path)) }
}

fn wanted(install: &Install, entry: &Entry, place: &Place) -> anyhow::Result<Option<String>> {
    let current = place.current.as_deref();
    match (install.remove, current) {
        (false, _) => entry.added(current).map(Some),
        (true, Some(current)) => entry.removed(current, place.before.as_deref()),
        (true, None) => Ok(None),
    }
}

/// Does it, and says so.
fn carry_out(install: &Install, entry: &Entry, place: &Place, new: Option<&str>) -> anyhow::Result<String> {
    let file = place.file.display();
    if install.remove {
        place.restore(new)?;
        return Ok(match new {
            Some(_) => format!("{file}: the entry is removed"),
            None => format!("{file}: removed"),
        });
    }
    // An earlier entry of ours means that the copy beside it is from before.
    let first = match &place.current {
        Some(current) => !entry.stands_in(current)?,
        None => false,
    };
    let mut done = format!("{file}: written");
    if first {
        done.push_str(&format!("; what was there before is {}", place.keep()?.display()));
    }
    place.write(new.unwrap_or_default())?;
    Ok(done)
}

fn difference(file: &Path, old: Option<&str>, new: Option<&str>) -> String {
    let name = |text: Option<&str>| text.map_or("/dev/null".to_owned(), |_| file.display().to_string());
    let diff = TextDiff::from_lines(old.unwrap_or_default(), new.unwrap_or_default());
    diff.unified_diff().header(&name(old), &name(new)).to_string()
}
