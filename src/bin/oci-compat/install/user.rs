//! `install podman --user`: the hook in the configuration of the user who calls, which rootless Podman reads.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use oci_compat::setup::install::{Engine, Entry, UserHooks, Way};

use super::{Install, below, difference, place::Place};
use crate::output::Output;

/// Where containers.conf(5) says what holds for all users, the last one wins.
const SYSTEM: [&str; 2] = ["/usr/share/containers/containers.conf", "/etc/containers/containers.conf"];

pub(super) fn run(install: &Install, entry: &Entry, output: &mut Output) -> anyhow::Result<u8> {
    ensure!(
        (entry.engine, entry.way) == (Engine::Podman, Way::Hook),
        "--user is about Podman's hook: no other engine has users' own, and a wrapper is named by --runtime"
    );
    let folder = configuration()?;
    let hooks = folder.join("oci/hooks.d");
    let hook = file(install, &hooks.join("oci-compat.json"))?;
    let drop_in = file(install, &folder.join("containers.conf.d/50-oci-compat.conf"))?;
    let mut listed = UserHooks::new(&hooks)?;
    for path in configurations(&folder, &install.root)? {
        let text = Place::at(&path, &install.root)?.current;
        listed.read(&text.unwrap_or_default()).with_context(|| path.display().to_string())?;
    }
    let new_hook = entry.added(hook.current.as_deref()).with_context(|| hook.file.display().to_string())?;
    let new_drop_in =
        listed.added(drop_in.current.as_deref()).with_context(|| drop_in.file.display().to_string())?;
    // Podman refuses to start anything where a folder for hooks is not there: that comes first, and goes last.
    let mut changes = [(hook, new_hook), (drop_in, new_drop_in)];
    if install.remove {
        changes.reverse();
    }
    for (place, new) in &changes {
        change(install, place, new, output)?;
    }
    if !install.print {
        output.print(&format!("{}\n", entry.reread(install.remove)))?;
    }
    Ok(0)
}

fn file(install: &Install, path: &Path) -> anyhow::Result<Place> {
    Place::at(&below(&install.root, path), &install.root)
}

#[expect(clippy::disallowed_methods, reason = "a user's own configuration stands nowhere else")]
fn configuration() -> anyhow::Result<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|it| it.is_absolute());
    let folder = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")));
    Ok(folder
        .context("neither XDG_CONFIG_HOME nor HOME says where your configuration is")?
        .join("containers"))
}

/// What Podman reads besides our drop-in, in its order.
fn configurations(folder: &Path, root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files: Vec<_> = SYSTEM.map(|it| below(root, Path::new(it))).into();
    files.extend(drop_ins(&below(root, Path::new("/etc/containers/containers.conf.d")))?);
    let own = below(root, folder);
    files.push(own.join("containers.conf"));
    files.extend(drop_ins(&own.join("containers.conf.d"))?);
    files.retain(|it| !it.ends_with("containers.conf.d/50-oci-compat.conf"));
    Ok(files)
}

#[expect(clippy::disallowed_methods, reason = "an engine's own folder, not the host's under a root")]
fn drop_ins(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(err) => bail!("{} {}", folder.display(), oci_compat::os::file::explain_io(&err)),
    };
    let mut files: Vec<_> = entries.filter_map(|it| Some(it.ok()?.path())).collect();
    files.retain(|it| it.extension().is_some_and(|it| it == "conf"));
    files.sort_unstable();
    Ok(files)
}

fn change(install: &Install, place: &Place, new: &str, output: &mut Output) -> anyhow::Result<()> {
    let (file, current) = (place.file.display(), place.current.as_deref());
    let new = (!install.remove).then_some(new);
    if new == current {
        return output.print(&format!("{file}: nothing to change\n"));
    }
    if install.print {
        return output.print(&difference(&place.file, current, new));
    }
    match new {
        Some(new) => place.write(new)?,
        None => place.restore(None)?,
    }
    output.print(&format!("{file}: {}\n", if install.remove { "removed" } else { "written" }))
}
