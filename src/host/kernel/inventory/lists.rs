//! The lists that modules are named in. Each adds what no list before it has.

use std::cell::LazyCell;

use super::super::modules::configured;
use super::{FOLDER, MODULES, Module, Modules, Sought, available, underscored};
use crate::host::{Probing, Unknown};

pub(super) const LOADED: &str = "loaded";
pub(super) const BUILTIN: &str = "builtin";
pub(super) const AVAILABLE: &str = "available";
/// On disk, but the kernel loads no more modules until the next boot.
pub(super) const LOCKED: &str = "locked";
/// Once 1, it stays so (`Documentation/admin-guide/sysctl/kernel.rst`).
const DISABLED: &str = "/proc/sys/kernel/modules_disabled";

/// A kernel that was built without modules has no list of those loaded.
pub(super) fn add_loaded(
    probing: &Probing<'_>,
    sought: &Sought<'_>,
    modules: &mut Modules,
) -> Result<(), Unknown> {
    let text = probing.modules().map_err(Unknown::clone)?.unwrap_or_default();
    for (name, taint) in text.lines().filter_map(loaded).filter(|(name, _)| sought.has(name)) {
        let module = Module { state: Some(LOADED), taint, read: MODULES.to_owned(), ..Module::default() };
        modules.insert(name.to_owned(), module);
    }
    Ok(())
}

/// Name and taint of a line such as `gtp5g 143360 0 - Live 0x0 (OE)` (`m_show` in `kernel/module/procfs.c`): the letters
/// of `Documentation/admin-guide/tainted-kernels.rst`, with `+` or `-` while the module comes or goes.
fn loaded(line: &str) -> Option<(&str, Option<String>)> {
    let mut words = line.split_ascii_whitespace();
    let name = words.next()?;
    let letters: String = words.nth(5).unwrap_or_default().chars().filter(char::is_ascii_uppercase).collect();
    Some((name, (!letters.is_empty()).then_some(letters)))
}

/// Those in `modules.builtin` (`Documentation/kbuild/kbuild.rst`); without it those that sysfs shows, which are not all.
pub(super) fn add_builtin(
    probing: &Probing<'_>,
    sought: &Sought<'_>,
    modules: &mut Modules,
) -> Result<(), Unknown> {
    let (text, read) = match list(probing, "modules.builtin") {
        Ok(found) => found,
        Err(unknown) => {
            add_shown(probing, sought, modules)?;
            add_configured(probing, sought, modules);
            return if sought.are_all_in(modules) { Ok(()) } else { Err(unknown) };
        }
    };
    for line in text.lines() {
        add(sought, modules, line, || Module {
            state: Some(BUILTIN),
            read: read.clone(),
            ..Module::default()
        });
    }
    Ok(())
}

/// What has a folder in sysfs and is not loaded is built in.
fn add_shown(probing: &Probing<'_>, sought: &Sought<'_>, modules: &mut Modules) -> Result<(), Unknown> {
    // A module that is loaded has one as well.
    probing.modules().map_err(Unknown::clone)?;
    let names = probing.list(FOLDER)?.unwrap_or_default();
    for name in names.into_iter().filter(|it| sought.has(it)) {
        let read = format!("{FOLDER}/{name}");
        modules.entry(name).or_insert_with(|| Module { state: Some(BUILTIN), read, ..Module::default() });
    }
    Ok(())
}

/// Well-known modules that the kernel's configuration has built in.
fn add_configured(probing: &Probing<'_>, sought: &Sought<'_>, modules: &mut Modules) {
    let is_open = |it: &str| sought.has(it) && !modules.contains_key(it);
    for (name, _) in configured(probing, is_open).into_iter().filter(|(_, is_built_in)| *is_built_in) {
        let read = "the kernel's configuration".to_owned();
        let module = Module { state: Some(BUILTIN), read, ..Module::default() };
        modules.insert(name.to_owned(), module);
    }
}

/// Those in `modules.dep` (depmod(8)), and the paths of those that are loaded.
pub(super) fn add_available(
    probing: &Probing<'_>,
    sought: &Sought<'_>,
    modules: &mut Modules,
) -> Result<(), Unknown> {
    let state = match probing.modules() {
        // Built without modules: it can load none.
        Ok(None) => return Ok(()),
        Ok(Some(_)) => Some(AVAILABLE),
        // It may be loaded already.
        Err(_) => None,
    };
    let (text, read) = list(probing, "modules.dep")?;
    let folder = read.strip_suffix("/modules.dep").unwrap_or(&read);
    let is_locked = LazyCell::new(|| matches!(probing.text(DISABLED), Ok(Some(it)) if it.trim() == "1"));
    for line in text.lines() {
        let new = || Module {
            state: if state.is_some() && *is_locked { Some(LOCKED) } else { state },
            read: read.clone(),
            ..Module::default()
        };
        if let Some(module) = add(sought, modules, line, new)
            && module.state != Some(BUILTIN)
        {
            module.path = path(folder, line);
        }
    }
    Ok(())
}

/// A list of modules for the running kernel, and where it is.
fn list(probing: &Probing<'_>, name: &str) -> Result<(String, String), Unknown> {
    let release = probing.release().map_err(Unknown::clone)?;
    available::read(probing.root, release, name)
}

/// The module that a line names, if it is sought; as a new one if no list before has it.
fn add<'m>(
    sought: &Sought<'_>,
    modules: &'m mut Modules,
    line: &str,
    new: impl FnOnce() -> Module,
) -> Option<&'m mut Module> {
    let file = available::module(line)?;
    let name = underscored(file);
    if !sought.has(&name) {
        return None;
    }
    let module = modules.entry(name.into_owned()).or_insert_with(new);
    if file.contains('-') {
        module.spelling = Some(file.to_owned());
    }
    Some(module)
}

/// Mostly relative to the folder of the list.
fn path(folder: &str, line: &str) -> Option<String> {
    let (path, _) = line.split_once(':')?;
    Some(if path.starts_with('/') { path.to_owned() } else { format!("{folder}/{path}") })
}
