//! All our entries, found by the program that they call.

use toml::{Table, Value};

use crate::host::Root;
use crate::setup::engines::{Effective, containerd, podman};
use crate::setup::install::{self, Engine, EngineEntry, EntryForm, Way, is_ours};

use super::{DROP_IN, System, distributions};

/// An entry of ours in an engine's configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct StandingEntry {
    /// Whose configuration it is.
    pub system: System,
    /// The file's path on the host.
    pub file: String,
    /// The entry as it is there.
    pub entry: EngineEntry,
}

/// All entries of ours on a host, and what could not be read.
pub fn standing(root: &Root) -> (Vec<StandingEntry>, Vec<String>) {
    let (mut found, mut unread) = (Vec::new(), Vec::new());
    let distributions = distributions(root);
    for system in System::ALL {
        if system.trace().is_some() && !distributions.contains(&system) {
            continue;
        }
        match system.effective(root) {
            Ok(effective) => found.extend(of(system, &effective.unwrap_or_default(), root)),
            Err(err) => unread.push(format!("{}: {err:#}", system.name())),
        }
    }
    (found, unread)
}

fn of(system: System, effective: &Effective, root: &Root) -> Vec<StandingEntry> {
    let mut found: Vec<_> = match system.engine() {
        Engine::Podman | Engine::CriO => hooks(system, effective, root),
        Engine::Docker | Engine::Containerd | Engine::Runc => Vec::new(),
    };
    let mut tables: Vec<(String, EntryForm, Table)> = Vec::new();
    for file in &effective.files {
        // k3s and RKE2 write their main file themselves.
        if templates(system).is_empty() || Some(file.path.as_str()) != system.main() {
            tables.push((file.path.clone(), form(&file.path), file.table.clone()));
        }
    }
    for (path, form) in unlisted(system, root) {
        let Ok(text) = root.read_text(&path) else { continue };
        let text = if matches!(form, EntryForm::Template(_)) {
            install::ours_in_template(&text)
        } else {
            Some(&*text)
        };
        let table = text.and_then(|it| toml::from_str(it).ok()).unwrap_or_default();
        if tables.iter().all(|it| it.0 != path) {
            tables.push((path, form, table));
        }
    }
    for (file, form, table) in tables {
        for (name, program) in wrappers(system.engine(), &table) {
            let default = effective.default.as_ref().is_some_and(|it| it.value == name);
            let entry = EngineEntry { name, default, form, program, ..plain(system, Way::Wrapper) };
            found.push(StandingEntry { system, file: file.clone(), entry });
        }
    }
    found
}

fn plain(system: System, way: Way) -> EngineEntry {
    EngineEntry {
        engine: system.engine(),
        way,
        program: String::new(),
        name: install::NAME.to_owned(),
        default: false,
        strict: false,
        form: EntryForm::Own,
        around: Effective::default(),
    }
}

/// The runtimes in a file that call the wrapper: their names and programs.
fn wrappers(engine: Engine, table: &Table) -> Vec<(String, String)> {
    let paths: Vec<Vec<&str>> = match engine {
        Engine::Docker => vec![vec!["runtimes"]],
        Engine::Podman => vec![vec!["engine", "runtimes"]],
        Engine::CriO => vec![vec!["crio", "runtime", "runtimes"]],
        Engine::Containerd => {
            containerd::PLUGINS.iter().map(|it| vec!["plugins", *it, "containerd", "runtimes"]).collect()
        }
        Engine::Runc => Vec::new(),
    };
    let listed =
        paths.iter().filter_map(|path| path.iter().try_fold(table, |table, key| table.get(*key)?.as_table()));
    let mut found = Vec::new();
    for (name, runtime) in listed.flatten() {
        let options = runtime.get("options").and_then(|it| it.get("BinaryName"));
        let programs = [runtime.get("path"), runtime.get("runtime_path"), options, runtime.get(0)];
        let mut programs = programs.into_iter().flatten().filter_map(Value::as_str);
        let program = programs.find(|it| is_ours(it, Way::Wrapper));
        found.extend(program.map(|it| (name.clone(), it.to_owned())));
    }
    found
}

fn form(file: &str) -> EntryForm {
    let name = file.rsplit('/').next().unwrap_or_default();
    let is_drop_in = DROP_IN.iter().any(|it| name == format!("{it}.toml"));
    if is_drop_in { EntryForm::DropIn(3) } else { EntryForm::Own }
}

/// Files that the merged configuration does not name: the templates from which k3s and RKE2 make theirs, the folder that k0s
/// watches, and what other files of Podman's hide.
fn unlisted(system: System, root: &Root) -> Vec<(String, EntryForm)> {
    if system == System::Podman {
        return podman::candidates(root).into_iter().map(|it| (it, EntryForm::Own)).collect();
    }
    if system != System::K0s {
        return templates(system);
    }
    let file = |it: &&str| (format!("{}/{it}.toml", super::K0S_FOLDER), EntryForm::DropIn(3));
    DROP_IN.iter().map(file).collect()
}

fn templates(system: System) -> Vec<(String, EntryForm)> {
    match (system, system.main()) {
        (System::K3s | System::Rke2, Some(main)) => vec![
            (format!("{main}.tmpl"), EntryForm::Template(2)),
            (main.replace("config.toml", "config-v3.toml.tmpl"), EntryForm::Template(3)),
        ],
        _ => Vec::new(),
    }
}

/// The hook files, in the folders that are configured, else in those where both engines look without a word.
fn hooks(system: System, effective: &Effective, root: &Root) -> Vec<StandingEntry> {
    let entry = plain(system, Way::Hook);
    let name = entry.place().rsplit('/').next().unwrap_or_default();
    let standard = podman::HOOKS.into_iter().filter(|_| effective.hooks.is_empty());
    let mut found = Vec::new();
    for folder in effective.hooks.iter().map(String::as_str).chain(standard) {
        let file = format!("{folder}/{name}");
        // What is not there, or cannot be read, calls nothing of ours that we could take out.
        let Ok(text) = root.read_text(&file) else { continue };
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let program = parsed.pointer("/hook/path").and_then(serde_json::Value::as_str).unwrap_or_default();
        if is_ours(program, Way::Hook) {
            let entry = EngineEntry { program: program.to_owned(), ..entry.clone() };
            found.push(StandingEntry { system, file, entry });
        }
    }
    found
}
