//! Completions: scripts for shells, and what they ask: how the words that are typed may go on.

mod candidates;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, Command};
use clap_complete::Shell;

use crate::args::{Args, CommonArgs};
use crate::output::Output;
use candidates::CompletedWord;

const BASH: &str = include_str!("oci-compat.bash");
const ZSH: &str = include_str!("oci-compat.zsh");
const FISH: &str = include_str!("oci-compat.fish");

/// Prints the script of a shell. Those of bash, zsh and fish ask [`run`]; the others know commands and options only.
pub(crate) fn script(shell: Shell, output: &mut Output) -> anyhow::Result<u8> {
    let scripts = [(Shell::Bash, BASH), (Shell::Zsh, ZSH), (Shell::Fish, FISH)];
    let ours = scripts.into_iter().find(|(it, _)| *it == shell).map(|(_, script)| script);
    if let Some(script) = ours {
        output.print(script)?;
        return Ok(0);
    }
    // It panics where it cannot write, as to a reader that has seen enough.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::described(), "oci-compat", &mut script);
    output.print(&String::from_utf8(script)?)?;
    Ok(0)
}

/// Prints a line for each way in which the last of these words may go on: the word, a tab, and what it means. `:files` and
/// `:folders` stand for names of files, which shells complete best.
pub(crate) fn run(words: &[OsString], common: &CommonArgs, output: &mut Output) -> anyhow::Result<u8> {
    let words: Vec<_> = words.iter().map(|it| it.to_string_lossy().into_owned()).collect();
    let (last, before) = match words.split_last() {
        Some((last, before)) => (last.as_str(), before),
        None => ("", [].as_slice()),
    };
    let root = Args::described();
    let typed = typed(&root, before);
    let store = typed.store.clone().unwrap_or_else(|| common.store.clone());
    let mut text = String::new();
    for CompletedWord { word, meaning } in ways(&typed, last, &candidates::ImagePlaces { store: &store }) {
        let meaning: String = meaning.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
        text.push_str(&format!("{word}\t{meaning}\n"));
    }
    output.print(&text)?;
    Ok(0)
}

/// What the words before the last one say.
struct TypedLine<'a> {
    command: &'a Command,
    /// The option whose value comes next.
    option: Option<&'a Arg>,
    /// How many values without an option there are.
    positional: usize,
    /// Whether options have ended.
    is_literal: bool,
    store: Option<PathBuf>,
}

fn typed<'a>(root: &'a Command, words: &[String]) -> TypedLine<'a> {
    let mut typed = TypedLine { command: root, option: None, positional: 0, is_literal: false, store: None };
    for word in words {
        if let Some(option) = typed.option.take() {
            if option.get_id() == "store" {
                typed.store = Some(PathBuf::from(word));
            }
        } else if typed.is_literal {
            typed.positional += 1;
        } else if word == "--" {
            typed.is_literal = true;
        } else if word.starts_with('-') && word.len() > 1 {
            typed.option = option(typed.command, word).filter(|it| takes_value(it));
            typed.store = word.strip_prefix("--store=").map(PathBuf::from).or(typed.store);
        } else if let Some(command) = typed.command.find_subcommand(word) {
            (typed.command, typed.positional) = (command, 0);
        } else {
            typed.positional += 1;
        }
    }
    typed
}

/// The option that a word names, if its value is not in the same word.
fn option<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    match word.strip_prefix("--") {
        Some(long) => command.get_arguments().find(|it| it.get_long() == Some(long)),
        None => {
            let short = word.chars().last()?;
            command.get_arguments().find(|it| it.get_short() == Some(short))
        }
    }
}

fn takes_value(option: &Arg) -> bool {
    option.get_action().takes_values()
}

fn ways(typed: &TypedLine<'_>, last: &str, places: &candidates::ImagePlaces<'_>) -> Vec<CompletedWord> {
    // Names of files where nothing else fits.
    let starting = |start: &str, found: Vec<CompletedWord>| {
        let (files, words): (Vec<_>, Vec<_>) = found.into_iter().partition(|it| it.word.starts_with(':'));
        let words: Vec<_> = words.into_iter().filter(|it| it.word.starts_with(start)).collect();
        if words.is_empty() { files } else { words }
    };
    if let Some(option) = typed.option {
        return starting(last, candidates::values(option, places));
    }
    if !typed.is_literal && last.starts_with('-') {
        let Some((name, value)) = last.split_once('=') else {
            return starting(last, candidates::options(typed.command));
        };
        let Some(option) = option(typed.command, name).filter(|it| takes_value(it)) else {
            return Vec::new();
        };
        // Shells have no way to complete a file in the middle of a word.
        let mut found = starting(value, candidates::values(option, places));
        found.retain(|it| !it.word.starts_with(':'));
        found.iter_mut().for_each(|it| it.word.insert_str(0, &format!("{name}=")));
        return found;
    }
    let mut found = match typed.positional {
        0 => candidates::commands(typed.command),
        _ => Vec::new(),
    };
    let positionals: Vec<_> = typed.command.get_positionals().collect();
    let takes_more = |it: &&Arg| it.get_num_args().is_some_and(|it| it.max_values() > 1);
    let next = positionals.get(typed.positional).or(positionals.last().filter(|it| takes_more(it)));
    found.extend(next.into_iter().flat_map(|it| candidates::values(it, places)));
    starting(last, found)
}
