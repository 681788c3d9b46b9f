//! `install podman --user`: the hook in the current user's own configuration, which rootless Podman reads.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use nix::unistd::geteuid;
use oci_compat::setup::install::{Engine, EngineEntry, UserHooks, Way};
use oci_compat::setup::placement::{UserDropIn, user_drop_in, user_drop_ins};

use super::{Install, below, difference, place::EditedFile, system_root};
use crate::output::Output;

pub(super) fn run(install: &Install, entry: &EngineEntry, output: &mut Output) -> anyhow::Result<u8> {
    ensure!(
        (entry.engine, entry.way) == (Engine::Podman, Way::Hook),
        "--user is about Podman's hook: no other engine has users' own, and a wrapper is named by --runtime"
    );
    let folder = configuration()?;
    let folder = folder.to_str().with_context(|| format!("{} is no text", folder.display()))?;
    let hooks = format!("{folder}/oci/hooks.d");
    let hook = file(install, &format!("{hooks}/oci-compat.json"))?;
    let new_hook = entry.added(hook.current.as_deref()).with_context(|| hook.file.display().to_string())?;
    let (root, uid) = (system_root(&install.root)?, geteuid().to_string());
    // Podman starts nothing if a folder for hooks is missing: the hook comes before the drop-in that names its folder, and
    // goes after it.
    if install.remove {
        for path in user_drop_ins(&root, &uid, folder) {
            remove(install, &file(install, &path)?, output)?;
        }
        remove(install, &hook, output)?;
    } else {
        let UserDropIn { file: path, replaces, listed } = user_drop_in(&root, &uid, folder, &hooks)?;
        let drop_in = file(install, &path)?;
        let new = UserHooks::new(&hooks, listed).added(drop_in.current.as_deref());
        let new = new.with_context(|| drop_in.file.display().to_string())?;
        write(install, &hook, &new_hook, output)?;
        write(install, &drop_in, &new, output)?;
        for path in replaces {
            discard(install, &file(install, &path)?, output)?;
        }
    }
    if !install.print {
        output.print(&format!("{}\n", entry.reread(install.remove)))?;
    }
    Ok(0)
}

fn file(install: &Install, path: &str) -> anyhow::Result<EditedFile> {
    EditedFile::at(&below(&install.root, Path::new(path)), &install.root)
}

#[expect(clippy::disallowed_methods, reason = "a user's own configuration stands nowhere else")]
fn configuration() -> anyhow::Result<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|it| it.is_absolute());
    let folder = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")));
    Ok(folder
        .context("neither XDG_CONFIG_HOME nor HOME says where your configuration is")?
        .join("containers"))
}

fn write(install: &Install, place: &EditedFile, new: &str, output: &mut Output) -> anyhow::Result<()> {
    let (file, current) = (place.file.display(), place.current.as_deref());
    if Some(new) == current {
        return output.print(&format!("{file}: nothing to change\n"));
    }
    if install.print {
        return output.print(&difference(&place.file, current, Some(new)));
    }
    place.write(new)?;
    output.print(&format!("{file}: written\n"))
}

/// Removes a file, and the folders that were made for it.
fn remove(install: &Install, place: &EditedFile, output: &mut Output) -> anyhow::Result<()> {
    let file = place.file.display();
    if place.current.is_none() {
        return output.print(&format!("{file}: nothing to change\n"));
    }
    if !install.print {
        place.restore(None)?;
    }
    removed(install, place, output)
}

/// Removes an earlier file; its folder stays for the one that replaces it.
fn discard(install: &Install, place: &EditedFile, output: &mut Output) -> anyhow::Result<()> {
    if !install.print {
        place.discard()?;
    }
    removed(install, place, output)
}

fn removed(install: &Install, place: &EditedFile, output: &mut Output) -> anyhow::Result<()> {
    output.print(&match install.print {
        true => difference(&place.file, place.current.as_deref(), None),
        false => format!("{}: removed\n", place.file.display()),
    })
}
