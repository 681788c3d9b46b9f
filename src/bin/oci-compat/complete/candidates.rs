//! What may be typed: commands, options, and the values of those.

use std::collections::BTreeMap;
use std::path::Path;

use clap::builder::StyledStr;
use clap::{Arg, Command};
use oci_compat::author::draft::DRAFTS;
use oci_compat::author::lint::LINT_CODES;
use oci_compat::container::identity::images::by_repository;
use oci_compat::eval::CODES;
use oci_compat::host::FEATURES;
use oci_compat::store::Store;

use crate::args::{CONTAINERD, EngineArg};
use crate::{engines, explain};

/// A word, and what it means.
pub(super) struct CompletedWord {
    pub(super) word: String,
    pub(super) meaning: String,
}

/// Where names of images are looked for.
pub(super) struct ImagePlaces<'a> {
    pub(super) store: &'a Path,
}

fn candidate(word: impl Into<String>, meaning: Option<&StyledStr>) -> CompletedWord {
    let meaning = meaning.map(ToString::to_string).unwrap_or_default();
    CompletedWord { word: word.into(), meaning: meaning.lines().next().unwrap_or_default().to_owned() }
}

pub(super) fn commands(command: &Command) -> Vec<CompletedWord> {
    let shown = command.get_subcommands().filter(|it| !it.is_hide_set());
    shown.map(|it| candidate(it.get_name(), it.get_about())).collect()
}

pub(super) fn options(command: &Command) -> Vec<CompletedWord> {
    let shown = command.get_arguments().filter(|it| !it.is_hide_set() && !it.is_positional());
    let longs = shown.filter_map(|it| Some(candidate(format!("--{}", it.get_long()?), it.get_help())));
    longs.collect()
}

/// What an option or a positional argument may be.
pub(super) fn values(arg: &Arg, places: &ImagePlaces<'_>) -> Vec<CompletedWord> {
    let possible = arg.get_possible_values();
    if !possible.is_empty() {
        let shown = possible.iter().filter(|it| !it.is_hide_set());
        return shown.map(|it| candidate(it.get_name(), it.get_help())).collect();
    }
    let names = arg.get_value_names().unwrap_or_default();
    names.iter().flat_map(|it| it.split(" | ")).flat_map(|it| named(it, places)).collect()
}

/// What the name of a value in the help stands for.
fn named(name: &str, places: &ImagePlaces<'_>) -> Vec<CompletedWord> {
    let plain =
        |word: &str, meaning: &str| CompletedWord { word: word.to_owned(), meaning: meaning.to_owned() };
    match name {
        "FILE" | "SPEC" | "LAYOUT[:TAG]" => vec![plain(":files", "")],
        "DIR" => vec![plain(":folders", "")],
        "IMAGE" => images(places),
        "CODE" => CODES.iter().map(|(_, name, meaning)| plain(name, meaning)).collect(),
        "LINT-CODE" => LINT_CODES.iter().map(|it| plain(it.name, it.meaning)).collect(),
        "STATUS" => explain::STATUSES.iter().map(|(name, meaning)| plain(name, meaning)).collect(),
        "KIND" => DRAFTS.iter().map(|it| plain(it.name, it.about)).collect(),
        "FEATURE" => FEATURES.iter().map(|it| plain(it.name, it.meaning)).collect(),
        _ => Vec::new(),
    }
}

/// The images of this host's engines and of the store. A user who may not read them gets none.
fn images(places: &ImagePlaces<'_>) -> Vec<CompletedWord> {
    let mut found = BTreeMap::new();
    let answers = engines::ask(&[EngineArg::All], None, Path::new(CONTAINERD), Path::new("/"));
    for image in by_repository(answers.records) {
        found.extend(image.names.into_iter().map(|it| (it, "an image of this host")));
    }
    for name in stored(places.store) {
        found.insert(name, "an image in the store");
    }
    found.into_iter().map(|(word, meaning)| CompletedWord { word, meaning: meaning.to_owned() }).collect()
}

/// The names of the images in a store. One that cannot be read completes nothing.
fn stored(store: &Path) -> Vec<String> {
    let Ok(Some(store)) = Store::open(store) else { return Vec::new() };
    let subjects = store.subjects().unwrap_or_default();
    let stored = subjects.iter().flat_map(|it| store.stored(it).unwrap_or_default());
    let origins = stored.filter_map(|it| it.origin);
    origins.flat_map(|it| it.names().map(str::to_owned).collect::<Vec<_>>()).collect()
}
