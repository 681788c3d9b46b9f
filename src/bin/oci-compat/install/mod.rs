//! `install` and `uninstall`: add the hook or the wrapper to an engine's configuration, and remove it again. They never start,
//! stop or ask an engine.

mod features;
mod place;
mod uninstall;
mod user;
mod verifier;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::ValueEnum;
use oci_compat::host::Root;
use oci_compat::setup::engines::{Effective, containerd};
use oci_compat::setup::install::{Chain, Engine, EngineEntry, EntryForm, Way};
use oci_compat::setup::placement::{self, Spot, System};
use similar::TextDiff;

use crate::output::Output;
use place::EditedFile;

pub(crate) use uninstall::{Uninstall, run as uninstall};

/// Set up the check in an engine, or remove it
///
/// The old file is kept as FILE.before-oci-compat until --remove. If the engine reads a folder of files, or has its
/// configuration elsewhere (k3s, RKE2, k0s, MicroK8s), a new file is placed there. Also records the features of the
/// engine's low-level runtime (`RUNTIME features`) in /etc/oci-compat/runtimes.d.
#[derive(Debug, clap::Args)]
pub(crate) struct Install {
    /// The engine; runc includes crun and youki
    #[arg(value_enum)]
    engine: Name,
    /// Show what would change, but change nothing
    #[arg(long)]
    print: bool,
    /// Remove the entry
    #[arg(long)]
    remove: bool,
    /// Make it the default runtime; the wrapper then calls what the default runtime called before
    #[arg(long)]
    default: bool,
    /// Podman and CRI-O: use the runtime wrapper instead of the hook
    #[arg(long)]
    wrapper: bool,
    /// Refuse what cannot be checked, and everything while the configuration is unusable; kept until --remove
    #[arg(long, conflicts_with = "remove")]
    strict: bool,
    /// Podman: install the hook for the current user, in their own configuration
    #[arg(long, conflicts_with_all = ["file", "bundle", "wrapper", "runtime_class"])]
    user: bool,
    /// containerd: install only the verifier, which containerd asks before it pulls an image
    #[arg(long, conflicts_with_all = ["default", "strict", "user", "runtime_class", "wrapper", "file", "bundle"])]
    verifier: bool,
    /// The wrapper's name among the engine's runtimes
    #[arg(long, value_name = "NAME", default_value = oci_compat::setup::install::NAME)]
    runtime_name: String,
    /// The engine's configuration file, if not in the usual place
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The root folder of another system, such as an image that is being built
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// The hook or the wrapper, if not installed with this program; with --verifier, oci-compat itself
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// runc: the folder of the bundle
    #[arg(long, value_name = "DIR", required_if_eq("engine", "runc"), conflicts_with_all = ["root", "file"])]
    bundle: Option<PathBuf>,
    /// containerd and CRI-O: only print the RuntimeClass that selects the wrapper
    #[arg(long, conflicts_with_all = ["print", "remove", "default"])]
    runtime_class: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    Podman,
    CriO,
    Containerd,
    Docker,
    K3s,
    Rke2,
    K0s,
    #[value(name = "microk8s")]
    MicroK8s,
    Runc,
}

impl Name {
    /// `None` for bundles, which are no system's.
    fn system(self) -> Option<System> {
        match self {
            Self::Podman => Some(System::Podman),
            Self::CriO => Some(System::CriO),
            Self::Containerd => Some(System::Containerd),
            Self::Docker => Some(System::Docker),
            Self::K3s => Some(System::K3s),
            Self::Rke2 => Some(System::Rke2),
            Self::K0s => Some(System::K0s),
            Self::MicroK8s => Some(System::MicroK8s),
            Self::Runc => None,
        }
    }
}

/// The entry, and the file that takes it.
#[derive(Debug)]
struct InstallTarget {
    system: Option<System>,
    entry: EngineEntry,
    place: EditedFile,
    /// A file of ours that this one takes the place of.
    replaced: Option<EditedFile>,
}

pub(crate) fn run(install: &Install, config: &Path, output: &mut Output) -> anyhow::Result<u8> {
    if install.verifier {
        return verifier::run(install, output);
    }
    let mut entry = entry(install)?;
    if install.runtime_class {
        output.print(&entry.runtime_class())?;
        return Ok(0);
    }
    if install.user {
        return user::run(install, &entry, output);
    }
    let (system, file, replaced) = located(install, &mut entry)?;
    if install.remove {
        return remove(install, system, entry, &file, output);
    }
    let chain = entry.chain().with_context(|| file.display().to_string())?;
    let place = EditedFile::at(&file, &install.root)?;
    let replaced = replaced.map(|it| EditedFile::at(&it, &install.root)).transpose()?;
    let target = InstallTarget { system, entry, place, replaced };
    note(&target)?;
    let written = add(install, &target, chain.as_ref(), output)?;
    if let Some(replaced) = &target.replaced {
        let done = take_out(replaced, &target.entry, install.print)?;
        // A file of that name which is not ours stays.
        output.print(if done.ends_with(": nothing to change\n") { "" } else { &done })?;
    }
    if let (Some(file), true) = (&install.file, written) {
        output.print(&unlisted(&target.entry, file))?;
    }
    features::record(install, &target.entry, chain.as_ref(), config, output)?;
    Ok(0)
}

fn entry(install: &Install) -> anyhow::Result<EngineEntry> {
    let engine = install.engine.system().map_or(Engine::Runc, System::engine);
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
    // An engine that does not find it starts nothing any more, or everything.
    if !install.remove && !install.runtime_class {
        place::must_run(&below(&install.root, &program))?;
    }
    // Engines such as containerd pass no options on, but accept any name.
    let strict_name = if install.strict && way == Way::Wrapper { "-strict" } else { "" };
    Ok(EngineEntry {
        engine,
        way,
        program: format!("{path}{strict_name}"),
        name: install.runtime_name.clone(),
        default: install.default,
        strict: install.strict,
        form: EntryForm::Own,
        around: Effective::default(),
    })
}

/// What else is needed for an engine to read a hook file in another folder.
fn unlisted(entry: &EngineEntry, file: &Path) -> String {
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

/// Whose file takes the entry, which one, and which file of ours that replaces.
type Located = (Option<System>, PathBuf, Option<PathBuf>);

/// Which file takes the entry; the entry learns what sort of file it is, and what stands around it.
fn located(install: &Install, entry: &mut EngineEntry) -> anyhow::Result<Located> {
    let Some(named) = install.engine.system() else {
        let bundle = install.bundle.as_deref().unwrap_or(Path::new("."));
        return Ok((None, bundle.join(entry.place()), None));
    };
    let root = system_root(&install.root)?;
    let (system, spot) = match &install.file {
        Some(file) => (named, named_file(file, entry, install, &root)?),
        None => {
            let system = found(named, &root)?;
            (system, placement::spot(system, entry, &root).or_else(|err| lenient(install, entry, err))?)
        }
    };
    let file = install.file.clone().unwrap_or_else(|| PathBuf::from(&spot.file));
    entry.form = spot.form;
    entry.around = spot.around;
    let replaced = spot.replaces.map(|it| below(&install.root, Path::new(&it)));
    Ok((Some(system), below(&install.root, &file), replaced))
}

/// What cannot be read hinders no removal: the file itself says what is wrong with it.
fn lenient(install: &Install, entry: &EngineEntry, err: anyhow::Error) -> anyhow::Result<Spot> {
    match install.remove {
        true => Ok(Spot {
            file: entry.place().to_owned(),
            form: EntryForm::Own,
            replaces: None,
            around: Effective::default(),
        }),
        false => Err(err),
    }
}

fn system_root(path: &Path) -> anyhow::Result<Root> {
    if path == Path::new("/") { Ok(Root::live()) } else { Root::at(path) }
}

/// Who says containerd may mean the one that a distribution of Kubernetes brings along.
fn found(named: System, root: &Root) -> anyhow::Result<System> {
    let others = placement::distributions(root);
    if named != System::Containerd || others.is_empty() {
        return Ok(named);
    }
    let names = others.iter().map(|it| it.name()).collect::<Vec<_>>().join(", ");
    let plain = named.main().is_some_and(|it| root.exists(it).unwrap_or(true));
    match others.as_slice() {
        [one] if !plain => Ok(*one),
        _ if plain => {
            let note = format!(
                "note: {names} has a containerd of its own here, which does not read this file: oci-compat install {names}"
            );
            writeln!(std::io::stderr(), "{note}")?;
            Ok(named)
        }
        _ => bail!("several engines here have a containerd of their own: name one of {names}"),
    }
}

/// A file that was named is taken as it is; only what a template is named after is known.
fn named_file(file: &Path, entry: &EngineEntry, install: &Install, root: &Root) -> anyhow::Result<Spot> {
    let own = |around| Spot { file: String::new(), form: EntryForm::Own, replaces: None, around };
    let absolute = match install.root == Path::new("/") {
        true => std::path::absolute(file)?,
        false => Path::new("/").join(file),
    };
    let path = absolute.to_str().with_context(|| format!("{} is no text", file.display()))?;
    let name = path.rsplit('/').next().unwrap_or_default();
    Ok(match entry.engine {
        Engine::Containerd if name.ends_with(".tmpl") => {
            let version = if name.contains("-v3") { 3 } else { 2 };
            let rendered = path.replace(name, "config.toml");
            // It may be somewhere else than the file that is made from it.
            let around = containerd::read(root, &rendered)?.unwrap_or_default();
            Spot { form: EntryForm::Template(version), ..own(around) }
        }
        // What cannot be parsed, the entry itself says better.
        Engine::Containerd => own(containerd::read(root, path).ok().flatten().unwrap_or_default()),
        Engine::Docker => {
            own(oci_compat::setup::engines::docker::read(root, path).ok().flatten().unwrap_or_default())
        }
        Engine::Podman | Engine::CriO | Engine::Runc => own(Effective::default()),
    })
}

/// `--root /` leaves a path as it is, so that a relative one stays one.
fn below(root: &Path, path: &Path) -> PathBuf {
    if root == Path::new("/") { path.to_owned() } else { root.join(path.strip_prefix("/").unwrap_or(path)) }
}

/// Prints why the engine will not read the entry.
fn note(target: &InstallTarget) -> anyhow::Result<()> {
    let Some(disabled) = &target.entry.around.disabled else { return Ok(()) };
    let name = &disabled.value;
    writeln!(
        std::io::stderr(),
        "warning: {}: disabled_plugins names {name:?}: containerd starts nothing for Kubernetes here, and reads no such entry; \
         for Docker: oci-compat install docker",
        disabled.file
    )?;
    Ok(())
}

/// Writes the entry, or shows that; whether it was written.
fn add(
    install: &Install,
    target: &InstallTarget,
    chain: Option<&Chain>,
    output: &mut Output,
) -> anyhow::Result<bool> {
    let InstallTarget { system, entry, place, .. } = target;
    let file = place.file.display();
    let current = place.current.as_deref();
    let new = entry.added(current).with_context(|| file.to_string())?;
    let mut links = chain.map(|it| links(it, &install.root)).unwrap_or_default();
    if entry.strict && entry.way == Way::Wrapper {
        let link = below(&install.root, Path::new(&entry.program));
        links.retain(|(other, _)| *other != link);
        links.insert(0, (link, oci_compat::door::wrapper::NAME.to_owned()));
    }
    if install.print {
        for (link, to) in &links {
            writeln!(std::io::stderr(), "note: with it comes the link {} to {to}", link.display())?;
        }
    }
    if Some(new.as_str()) == current {
        output.print(&format!("{file}: nothing to change\n"))?;
        return Ok(false);
    }
    if install.print {
        output.print(&difference(&place.file, current, Some(&new)))?;
        return Ok(false);
    }
    let mut done = String::new();
    for (link, to) in &links {
        place::link(link, to)?;
        done.push_str(&format!("{}: a link to {to}\n", link.display()));
    }
    // An earlier entry of ours means that the copy beside it is from before.
    let first = match current {
        Some(current) => !entry.stands_in(current)?,
        None => false,
    };
    let kept = match first {
        true => format!("; what was there before is {}", place.keep()?.display()),
        false => String::new(),
    };
    place.write(&new)?;
    let reread = system.map_or_else(|| entry.reread(false), |it| it.reread(entry, false));
    output.print(&format!("{done}{file}: written{kept}\n{reread}\n"))?;
    Ok(true)
}

/// The wrapper under a further name, and where it finds the program of that name if it is not in `PATH`.
fn links(chain: &Chain, root: &Path) -> Vec<(PathBuf, String)> {
    let name = Path::new(&chain.wrapper).file_name().and_then(|it| it.to_str()).unwrap_or_default();
    let plain = name.strip_suffix(&format!("-{}", chain.name)).unwrap_or(name);
    let mut links = vec![(below(root, Path::new(&chain.wrapper)), plain.to_owned())];
    if let Some(path) = &chain.path {
        let link = format!("{}-{}", oci_compat::door::wrapper::LINK, chain.name);
        links.push((below(root, Path::new(&link)), path.clone()));
    }
    links
}

/// Takes the entry out wherever one of its name stands.
fn remove(
    install: &Install,
    system: Option<System>,
    entry: EngineEntry,
    file: &Path,
    output: &mut Output,
) -> anyhow::Result<u8> {
    let standing = match (system, &install.file) {
        (Some(system), None) => {
            let (all, _) = placement::standing(&system_root(&install.root)?);
            let same = |it: &placement::StandingEntry| {
                it.system == system && it.entry.way == entry.way && it.entry.name == entry.name
            };
            all.into_iter()
                .filter(same)
                .map(|it| (below(&install.root, Path::new(&it.file)), it.entry))
                .collect()
        }
        _ => Vec::new(),
    };
    let standing = if standing.is_empty() { vec![(file.to_owned(), entry)] } else { standing };
    let files: Vec<_> = standing.iter().map(|(file, _)| file.clone()).collect();
    for (file, entry) in standing {
        let place = EditedFile::at(&file, &install.root)?;
        let done = take_out(&place, &entry, install.print)?;
        let changed = !install.print && !done.ends_with("nothing to change\n");
        let reread = system.map_or_else(|| entry.reread(true), |it| it.reread(&entry, true));
        output.print(&if changed { format!("{done}{reread}\n") } else { done })?;
    }
    if system.is_some() {
        features::forget(&install.root, &files, install.print, output)?;
    }
    Ok(0)
}

/// Takes an entry out of a file, or shows that; says what was done.
fn take_out(place: &EditedFile, entry: &EngineEntry, print: bool) -> anyhow::Result<String> {
    let file = place.file.display();
    let current = place.current.as_deref();
    let new = match current {
        Some(current) => entry.removed(current, place.before.as_deref()).with_context(|| file.to_string())?,
        None => None,
    };
    if new.as_deref() == current {
        return Ok(format!("{file}: nothing to change\n"));
    }
    if print {
        return Ok(difference(&place.file, current, new.as_deref()));
    }
    place.restore(new.as_deref())?;
    Ok(match new {
        Some(_) => format!("{file}: the entry is removed\n"),
        None => format!("{file}: removed\n"),
    })
}

fn difference(file: &Path, old: Option<&str>, new: Option<&str>) -> String {
    let name = |text: Option<&str>| text.map_or("/dev/null".to_owned(), |_| file.display().to_string());
    let diff = TextDiff::from_lines(old.unwrap_or_default(), new.unwrap_or_default());
    diff.unified_diff().header(&name(old), &name(new)).to_string()
}
