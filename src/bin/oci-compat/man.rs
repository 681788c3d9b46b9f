//! `man`: a page for each command, from the same texts as its help.

use std::fs;
use std::io;
use std::path::Path;

use clap::Command;
use clap::builder::Resettable;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::args::manual::{SEE_ALSO, examples, files};
use crate::args::{Args, STATUS};

/// Writes the pages into a folder.
pub(crate) fn write(folder: &Path) -> io::Result<()> {
    pages(&Args::described(), "", folder)
}

fn pages(command: &Command, path: &str, folder: &Path) -> io::Result<()> {
    for child in command.get_subcommands().filter(|it| !it.is_hide_set() && it.get_name() != "help") {
        let path = format!("{path} {}", child.get_name());
        pages(child, path.trim_start(), folder)?;
    }
    let page = page(command, path)?;
    let name = command.get_display_name().unwrap_or("oci-compat");
    fs::write(folder.join(format!("{name}.1")), page)
}

fn page(command: &Command, path: &str) -> io::Result<Vec<u8>> {
    let about = command.get_long_about().map(ToString::to_string).unwrap_or_default();
    let (about, statuses) = about.split_once(STATUS).unwrap_or((&about, ""));
    // Both have sections of their own here.
    let plain = without_help(command.clone())
        .long_about(about.trim_end().to_owned())
        .after_long_help(Resettable::Reset);
    let mut page = Vec::new();
    Man::new(plain).source("oci-compat").manual("oci-compat").render(&mut page)?;
    let mut more = Roff::new();
    if !statuses.is_empty() {
        section(&mut more, "EXIT STATUS", parts(statuses).into_iter());
    }
    section(&mut more, "FILES", files(path).into_iter());
    section(&mut more, "EXAMPLES", examples(path).iter().copied());
    let others: Vec<_> =
        SEE_ALSO.into_iter().filter(|it| *it != "oci-compat(1)" || !path.is_empty()).collect();
    more.control("SH", ["SEE ALSO"]).text([roman(others.join(", "))]);
    page.extend(more.to_roff().into_bytes());
    Ok(page)
}

/// A command whose page does not list `help`, which has no page.
fn without_help(command: Command) -> Command {
    command.mut_subcommands(|it| if it.get_name() == "help" { it.hide(true) } else { it })
}

/// A section of names with their meaning, if there are any.
fn section<'a>(page: &mut Roff, title: &str, entries: impl Iterator<Item = (&'a str, &'a str)>) {
    for (index, (name, meaning)) in entries.enumerate() {
        if index == 0 {
            page.control("SH", [title]);
        }
        page.control("TP", []).text([bold(name)]).text([roman(meaning)]);
    }
}

/// Each status with its meaning, from `0 success, 2 usage or trouble`.
fn parts(statuses: &str) -> Vec<(&str, &str)> {
    let mut parts = Vec::new();
    let mut rest = statuses;
    while let Some((status, meaning)) = rest.split_once(' ') {
        let is_next = |at: &usize| {
            meaning.get(at + 2..).is_some_and(|it| it.starts_with(|it: char| it.is_ascii_digit()))
        };
        let end = meaning.match_indices(", ").map(|(at, _)| at).find(is_next);
        parts.push((status, meaning.get(..end.unwrap_or(meaning.len())).unwrap_or(meaning)));
        rest = end.and_then(|it| meaning.get(it + 2..)).unwrap_or_default();
    }
    parts
}
