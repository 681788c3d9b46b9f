//! Facts as text for people: by domain, aligned, each with its source, and why others are unknown.

use std::collections::BTreeMap;

use oci_compat::host::{Fact, Facts, Feature, Instance};
use oci_compat::words::text::printable;

/// The longest line of names: what a terminal shows side by side.
const WIDTH: usize = 100;
/// Attributes by which people know a thing: they stand first.
const TITLES: [&str; 4] = ["name", "path", "target", "address"];

pub(crate) fn text(facts: &Facts) -> String {
    let mut text = String::new();
    let mut domain = None;
    for (name, fact) in facts.iter() {
        let own = name.split('.').next();
        if domain.is_some() && domain != own {
            text.push('\n');
        }
        domain = own;
        text.push_str(&of_feature(name, fact));
    }
    text
}

/// Which of many features are unknown or not fully known: their reasons stand far above.
pub(crate) fn doubts(facts: &Facts) -> String {
    let is_unknown = |it: &Fact| matches!(it, Fact::Unknown(_));
    let is_incomplete = |it: &Fact| matches!(it, Fact::Known(Feature { incomplete: Some(_), .. }, _));
    let listed = |title: &str, is_meant: &dyn Fn(&Fact) -> bool| {
        let names = wrapped(facts.iter().filter(|(_, fact)| is_meant(fact)).map(|(name, _)| name));
        if names.is_empty() { names } else { format!("\n{title}:\n{names}") }
    };
    listed("unknown", &is_unknown) + &listed("perhaps more", &is_incomplete)
}

fn of_feature(name: &str, fact: &Fact) -> String {
    match fact {
        Fact::Known(feature, read) => format!("{name} ({})\n{}", printable(read), elements(feature)),
        Fact::Absent(read) => format!("{name}: not on this host ({})\n", printable(read)),
        Fact::Unknown(unknown) => {
            let line = format!("{name}: unknown: {} {}", unknown.read, unknown.reason);
            printable(line.trim_end()) + "\n"
        }
    }
}

fn elements(feature: &Feature) -> String {
    let flags = feature.flags.iter().flatten();
    let mut text = wrapped(flags.map(String::as_str));
    if let Some(attributes) = &feature.attributes {
        text.push_str(&pairs(attributes));
    }
    text.push_str(&table(feature.instances.as_deref().unwrap_or_default()));
    match &feature.incomplete {
        None if text.is_empty() => "  (none)\n".to_owned(),
        None => text,
        Some(unknown) => {
            text + "  " + &printable(&format!("and perhaps more: {} {}", unknown.read, unknown.reason)) + "\n"
        }
    }
}

/// Names side by side.
fn wrapped<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let (mut text, mut line) = (String::new(), String::new());
    for name in names.map(printable) {
        if !line.is_empty() && line.len() + name.len() + 3 > WIDTH {
            text.push_str(&format!(" {line}\n"));
            line.clear();
        }
        line.push(' ');
        line.push_str(&name);
    }
    if !line.is_empty() {
        text.push_str(&format!(" {line}\n"));
    }
    text
}

/// A name and its value a line.
fn pairs(attributes: &BTreeMap<String, String>) -> String {
    let width = attributes.keys().map(|it| columns(&printable(it))).max().unwrap_or(0);
    let line = |(name, value): (&String, &String)| {
        format!("  {}  {}\n", padded(&printable(name), width), shown(value))
    };
    attributes.iter().map(line).collect()
}

/// An instance a line, its attributes under each other.
fn table(instances: &[Instance]) -> String {
    let mut widths: BTreeMap<_, usize> = BTreeMap::new();
    let labels: Vec<_> = instances.iter().map(label).collect();
    for (name, value) in instances.iter().flat_map(|it| &it.attributes) {
        let width = widths.entry((!TITLES.contains(&name.as_str()), name)).or_default();
        *width = columns(&cell(name, value)).max(*width);
    }
    let width = labels.iter().map(|it| columns(it)).max().unwrap_or(0);
    let line = |(instance, label): (&Instance, &String)| {
        let mut cells = vec![padded(label, width)];
        cells.retain(|it| !it.is_empty());
        cells.extend(widths.iter().map(|((_, name), width)| {
            let cell = instance.attributes.get(*name).map_or_else(String::new, |it| cell(name, it));
            padded(&cell, *width)
        }));
        format!("  {}\n", cells.join("  ").trim_end())
    };
    instances.iter().zip(&labels).map(line).collect()
}

/// What an instance is called where it was read; nothing if one of its attributes says it.
fn label(instance: &Instance) -> String {
    let read = instance.read.as_deref().unwrap_or_default();
    let name = read.rsplit('/').next().unwrap_or(read);
    let is_said = |it: &String| it == name || it == read || it.replace('-', "_") == name;
    if instance.attributes.values().any(is_said) { String::new() } else { printable(name) }
}

fn cell(name: &str, value: &str) -> String {
    format!("{}={}", printable(name), shown(value))
}

/// A value as it is; in quotes if it is empty or if it starts or ends with a space.
fn shown(value: &str) -> String {
    if value.is_empty() || value.trim() != value { format!("{value:?}") } else { printable(value) }
}

fn padded(text: &str, width: usize) -> String {
    format!("{text:width$}")
}

fn columns(text: &str) -> usize {
    text.chars().count()
}
