//! `install containerd --verifier`: the program that containerd asks before it pulls an image.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use oci_compat::host::Root;
use oci_compat::os::file;
use oci_compat::setup::install::Engine;
use oci_compat::setup::install::verifier::{VERIFIER, bypasses, folder, is_script, script};
use oci_compat::setup::placement::System;

use crate::output::Output;

use super::{Install, below, difference, found, place, system_root};

/// A script has a few lines.
const MAX_FILE: usize = 64 << 10;
const SHELL: &str = "/bin/sh";

/// Places the verifier, or takes it out again.
pub(super) fn run(install: &Install, output: &mut Output) -> anyhow::Result<u8> {
    let named = install.engine.system().filter(|it| it.engine() == Engine::Containerd);
    let named = named.context("--verifier is for containerd, also as k3s, RKE2, k0s and MicroK8s have it")?;
    let root = system_root(&install.root)?;
    let system = found(named, &root)?;
    let around = system.effective(&root)?.unwrap_or_default();
    let file = below(&install.root, &Path::new(&folder(&around)).join(VERIFIER));
    if install.remove {
        output.print(&take_out(&file, install.print)?)?;
        return Ok(0);
    }
    let program = match &install.program {
        Some(program) => program.clone(),
        None => place::this()?,
    };
    for needed in [program.as_path(), Path::new(SHELL)] {
        place::must_run(&below(&install.root, needed))?;
    }
    let program = program.to_str().filter(|it| it.starts_with('/') && !it.contains('\n'));
    let program = program.context("the program's path is no absolute path that a script could have")?;
    for why in bypasses(&around) {
        writeln!(std::io::stderr(), "warning: {why}")?;
    }
    let new = script(program);
    let current = read(&file)?;
    if current.as_deref() == Some(new.as_str()) {
        output.print(&format!("{}: nothing to change\n", file.display()))?;
        return Ok(0);
    }
    ensure!(
        current.as_deref().is_none_or(is_script),
        "{} is there already, and is not ours: remove it first",
        file.display()
    );
    if install.print {
        output.print(&difference(&file, current.as_deref(), Some(&new)))?;
        return Ok(0);
    }
    place::program(&file, &new)?;
    output.print(&format!(
        "{}: written\n{} asks it from its next pull on (containerd 2.0 and later)\n",
        file.display(),
        system.name()
    ))?;
    Ok(0)
}

/// Every verifier of ours on a system, each once.
pub(super) fn standing(wanted: Option<System>, root: &Root, at: &Path) -> Vec<PathBuf> {
    let systems = System::ALL.into_iter().filter(|it| wanted.is_none_or(|wanted| wanted == *it));
    let mut found = Vec::new();
    for system in systems.filter(|it| it.engine() == Engine::Containerd) {
        let around = system.effective(root).ok().flatten().unwrap_or_default();
        let file = below(at, &Path::new(&folder(&around)).join(VERIFIER));
        let is_ours = read(&file).is_ok_and(|it| it.as_deref().is_some_and(is_script));
        if is_ours && !found.contains(&file) {
            found.push(file);
        }
    }
    found
}

/// Removes the verifier, or shows that. The folder stays: containerd lets every image through where it is empty.
pub(super) fn take_out(file: &Path, print: bool) -> anyhow::Result<String> {
    let current = read(file)?;
    if !current.as_deref().is_some_and(is_script) {
        return Ok(format!("{}: nothing to change\n", file.display()));
    }
    if print {
        return Ok(difference(file, current.as_deref(), None));
    }
    place::remove(file)?;
    Ok(format!("{}: removed\n", file.display()))
}

fn read(file: &Path) -> anyhow::Result<Option<String>> {
    if file.symlink_metadata().is_ok_and(|it| it.is_symlink()) {
        bail!("{} is a symbolic link, and not ours: remove it first", file.display());
    }
    let bytes = file::read(file, MAX_FILE)?;
    // What is no text is not ours.
    Ok(bytes.map(|it| String::from_utf8_lossy(&it).into_owned()))
}
