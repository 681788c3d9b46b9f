//! containerd's `config.toml` of version 2 (1.x), 3 (2.x) and 4 (2.3), for its CRI plugin: one more runtime, and on request
//! the default one. <https://github.com/containerd/containerd/blob/main/docs/cri/config.md>

use anyhow::{anyhow, bail, ensure};
use toml_edit::{Array, DocumentMut, Item, Table, TableLike, value};

use super::{EngineEntry, EntryForm, FIRST, WRAPPER, is_program};
use crate::setup::engines::containerd::PLUGINS;

const DEFAULT: &str = "default_runtime_name";
const BINARY: &str = "BinaryName";
/// The runtime that containerd uses by default.
const BUILT_IN: &str = "runc";
/// By this line, our copy of it is known.
const REPEATED: &str = "# As built in, repeated by oci-compat: a list of runtimes replaces it.";
/// Which annotations of pods reach the bundle: none, unless they are named. A spec may come as one.
const ANNOTATIONS: &str = "pod_annotations";
const OURS: &str = "org.oci-compat.*";

/// What k3s and RKE2 make of their own settings, before anything is added.
const BASE: &str = "{{ template \"base\" . }}\n";
/// Around what is ours in a template.
const BEGIN: &str = "\n# Begin: written by `oci-compat install`, and removed by its --remove.\n";
const END: &str = "# End: oci-compat.\n";

pub(super) fn added(current: Option<&str>, entry: &EngineEntry) -> anyhow::Result<String> {
    match entry.form {
        // All generations read version 2.
        EntryForm::Own => added_to(current.unwrap_or("version = 2\n"), entry),
        EntryForm::DropIn(version) => {
            ensure!(
                current.is_none_or(|it| it.starts_with(FIRST)),
                "it is there already, and was not written by oci-compat: move it away"
            );
            let fresh = format!("{FIRST}version = {version}\n");
            added_to(current.unwrap_or(&fresh), entry)
        }
        EntryForm::Template(version) => {
            let text = without_ours(current.unwrap_or(BASE));
            ensure!(
                !text.contains(&format!("runtimes.{}]", entry.name)),
                "runtime {} is already there: choose another --runtime-name",
                entry.name
            );
            let block = added_to(&format!("version = {version}\n"), entry)?;
            let (_, block) = block.split_once('\n').unwrap_or_default();
            Ok(format!("{text}{BEGIN}{}{END}", block.trim_start_matches('\n')))
        }
    }
}

/// What is ours in a template, as TOML.
pub(super) fn ours(template: &str) -> Option<&str> {
    Some(template.split_once(BEGIN)?.1.split_once(END)?.0)
}

fn without_ours(template: &str) -> String {
    let ours = template.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    ours.map_or(template.to_owned(), |(before, after)| format!("{before}{after}"))
}

fn added_to(current: &str, entry: &EngineEntry) -> anyhow::Result<String> {
    let mut document = parse(current)?;
    let path = plugin(&document)?;
    let containerd = descend(document.as_table_mut(), &path)?;
    let model = model(containerd, entry);
    let runtimes = descend(containerd, &["runtimes"])?;
    match runtimes.get(&entry.name) {
        Some(there) if !is_ours(there) => {
            bail!(
                "runtime {} is already there, and runs another program: choose another --runtime-name",
                entry.name
            )
        }
        Some(_) => {}
        None => {
            // k3s and RKE2 list runc themselves.
            let alone = runtimes.is_empty() && entry.around.runtimes.is_empty();
            if alone && !matches!(entry.form, EntryForm::Template(_)) {
                runtimes.insert(BUILT_IN, Item::Table(built_in()));
            }
            runtimes.insert(&entry.name, Item::Table(fresh(model)));
        }
    }
    let runtime = descend(runtimes, &[&entry.name])?;
    set(descend(runtime, &["options"])?, BINARY, &entry.program);
    if entry.default {
        set(containerd, DEFAULT, &entry.name);
    }
    Ok(document.to_string())
}

pub(super) fn cut(
    current: &str,
    before: Option<&str>,
    entry: &EngineEntry,
) -> anyhow::Result<Option<String>> {
    match entry.form {
        EntryForm::Own => cut_from(current, before, entry).map(Some),
        EntryForm::DropIn(_) => Ok((!current.starts_with(FIRST)).then(|| current.to_owned())),
        EntryForm::Template(_) => Ok(Some(without_ours(current)).filter(|it| it != BASE)),
    }
}

fn cut_from(current: &str, before: Option<&str>, entry: &EngineEntry) -> anyhow::Result<String> {
    let mut document = parse(current)?;
    let path = plugin(&document)?;
    if look(document.as_table(), &path).is_none() {
        return Ok(current.to_owned());
    }
    let containerd = descend(document.as_table_mut(), &path)?;
    let mut changed = false;
    if look(containerd, &["runtimes", &entry.name]).is_some_and(is_ours) {
        let runtimes = descend(containerd, &["runtimes"])?;
        runtimes.remove(&entry.name);
        if runtimes.get(BUILT_IN).and_then(Item::as_table).is_some_and(|it| prefix(it).contains(REPEATED)) {
            runtimes.remove(BUILT_IN);
        }
        changed = true;
    }
    if containerd.get(DEFAULT).and_then(Item::as_str) == Some(&entry.name) && changed {
        match before.map(|it| former_default(it, &path)).transpose()?.flatten() {
            Some(former) if former != entry.name => set(containerd, DEFAULT, &former),
            _ => {
                containerd.remove(DEFAULT);
            }
        }
    }
    Ok(if changed { document.to_string() } else { current.to_owned() })
}

fn parse(text: &str) -> anyhow::Result<DocumentMut> {
    text.parse().map_err(|err: toml_edit::TomlError| {
        let before = text.get(..err.span().map_or(0, |it| it.start)).unwrap_or_default();
        let column = before.chars().rev().take_while(|it| *it != '\n').count() + 1;
        anyhow!(
            "{}:{column}: {}",
            before.matches('\n').count() + 1,
            err.message().trim_end().replace('\n', "; ")
        )
    })
}

/// Where the CRI plugin's runtimes are: its name depends on the version of the file.
fn plugin(document: &DocumentMut) -> anyhow::Result<[&'static str; 3]> {
    let name = match document.get("version").map(|it| (it, it.as_integer())) {
        Some((_, Some(2))) => PLUGINS[0],
        Some((_, Some(3 | 4))) => PLUGINS[1],
        None | Some((_, Some(1))) => bail!(
            "it is of version 1, which has no `version` or says 1: `containerd config migrate` prints it as a newer one"
        ),
        Some((other, _)) => bail!("its version is {}: 2, 3 and 4 are known", other.to_string().trim()),
    };
    Ok(["plugins", name, "containerd"])
}

/// The table at a path; tables on the way that are not there are made, without headers of their own.
fn descend<'a>(from: &'a mut dyn TableLike, path: &[&str]) -> anyhow::Result<&'a mut dyn TableLike> {
    let mut table = from;
    for key in path {
        let item = table.entry(key).or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        });
        table = item.as_table_like_mut().ok_or_else(|| anyhow!("`{key}` is not a table"))?;
    }
    Ok(table)
}

fn look<'a>(from: &'a dyn TableLike, path: &[&str]) -> Option<&'a Item> {
    let (key, rest) = path.split_first()?;
    let item = from.get(key)?;
    if rest.is_empty() { Some(item) } else { look(item.as_table_like()?, rest) }
}

/// The runtime that containers had without us: its settings, such as the driver of control groups, hold for ours as well.
/// One that calls no program such as runc is no model.
fn model(containerd: &dyn TableLike, entry: &EngineEntry) -> Option<Table> {
    let named = entry.around.default.as_ref().map(|it| it.value.as_str());
    let named = named.or_else(|| containerd.get(DEFAULT).and_then(Item::as_str));
    for name in named.into_iter().chain([BUILT_IN]) {
        let around = entry.around.runtimes.get(name);
        if name == entry.name || around.is_some_and(|it| it.foreign.is_some()) {
            continue;
        }
        let here = look(containerd, &["runtimes", name]).and_then(|item| {
            let inline = || item.as_inline_table().cloned().map(toml_edit::InlineTable::into_table);
            item.as_table().cloned().or_else(inline)
        });
        // As it is written, unless other files may have more to say.
        let whole = entry.around.files.len() <= 1;
        match (here, around) {
            (Some(here), _) if whole => return Some(here),
            (_, Some(around)) => {
                return Some(super::table::table(&around.table));
            }
            (here @ Some(_), None) => return here,
            (None, None) => {}
        }
    }
    None
}

/// The runtime that containerd has without a word: it is gone, and with it all of CRI, once another one is listed.
fn built_in() -> Table {
    let mut table = Table::new();
    table.insert("runtime_type", value("io.containerd.runc.v2"));
    table.decor_mut().set_prefix(format!("\n{REPEATED}\n"));
    table
}

fn fresh(model: Option<Table>) -> Table {
    let mut runtime = model.unwrap_or_else(|| {
        let mut table = built_in();
        table.insert("options", Item::Table(Table::new()));
        table
    });
    runtime.set_implicit(false);
    let annotations = runtime.entry(ANNOTATIONS).or_insert_with(|| value(Array::new()));
    if let Some(annotations) = annotations.as_array_mut()
        && !annotations.iter().any(|it| it.as_str() == Some(OURS))
    {
        annotations.push(OURS);
    }
    plain(&mut runtime);
    runtime
}

/// A copy without the comments, which belong to the original, and without its place in the file.
fn plain(table: &mut Table) {
    table.set_position(None);
    let blank_line = format!("\n{}", blank(Some(prefix(table))));
    table.decor_mut().set_prefix(blank_line);
    let keys: Vec<_> = table.iter().map(|(key, _)| key.to_owned()).collect();
    for key in keys {
        if let Some(mut key) = table.key_mut(&key) {
            let blank = blank(key.leaf_decor().prefix().and_then(|it| it.as_str()));
            key.leaf_decor_mut().set_prefix(blank);
        }
        match table.get_mut(&key) {
            Some(Item::Table(table)) => plain(table),
            Some(Item::Value(value)) => value.decor_mut().set_suffix(""),
            _ => {}
        }
    }
}

fn prefix(table: &Table) -> &str {
    table.decor().prefix().and_then(|it| it.as_str()).unwrap_or_default()
}

/// The text before the last line's first word.
fn blank(prefix: Option<&str>) -> String {
    prefix.unwrap_or_default().rsplit('\n').next().unwrap_or_default().to_owned()
}

/// Sets a text and keeps what stands around it.
fn set(table: &mut dyn TableLike, key: &str, text: &str) {
    let mut new = toml_edit::Value::from(text);
    if let Some(old) = table.get(key).and_then(Item::as_value) {
        if old.as_str() == Some(text) {
            return;
        }
        *new.decor_mut() = old.decor().clone();
    }
    match table.get_mut(key) {
        Some(item) => *item = Item::Value(new),
        None => {
            table.insert(key, Item::Value(new));
        }
    }
}

fn is_ours(runtime: &Item) -> bool {
    let binary = runtime.as_table_like().and_then(|it| look(it, &["options", BINARY])).and_then(Item::as_str);
    binary.is_some_and(|it| is_program(it, WRAPPER))
}

fn former_default(before: &str, path: &[&str]) -> anyhow::Result<Option<String>> {
    let document = parse(before)?;
    let item = look(document.as_table(), path).and_then(|it| it.as_table_like()?.get(DEFAULT)?.as_str());
    Ok(item.map(str::to_owned))
}
