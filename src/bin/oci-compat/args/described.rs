//! The command line with what its declarations do not say: examples, exit statuses, and which options a command ignores.

use clap::CommandFactory;

use super::{Args, manual};

/// How the paragraph of a command's exit statuses begins.
pub(crate) const STATUS: &str = "Exit status: ";

impl Args {
    /// The command line for parsing, help, man pages and completions.
    pub(crate) fn described() -> clap::Command {
        let mut command = with_texts(Self::command(), "");
        // This gives each command the options of all commands.
        command.build();
        with_own_options(command, "")
    }
}

/// The options of all commands that a command ignores. Its help does not show them, but a script may name them.
pub(super) fn ignored(command: &str) -> &'static [&'static str] {
    match command {
        "probe" | "lint" | "convert" | "init" | "test" | "explain" | "attach" | "uninstall"
        | "completions" | "man" => &["store", "config"],
        "why" | "log" | "install" | "config" | "config check" => &["store"],
        "list" | "remove" | "store add" | "store recompile" | "store gc" | "store verify"
        | "store export" => &["config"],
        _ => &[],
    }
}

/// Calls `change` for the commands of a command, with their words.
fn each(
    command: clap::Command,
    path: &str,
    change: fn(clap::Command, &str) -> clap::Command,
) -> clap::Command {
    command.mut_subcommands(|it| {
        let path = format!("{path} {}", it.get_name());
        if it.get_name() == "help" { it } else { change(it, path.trim_start()) }
    })
}

/// A command, and its own commands, with all exit statuses and with examples.
fn with_texts(command: clap::Command, path: &str) -> clap::Command {
    let mut command = command;
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    if !command.has_subcommands() && !about.contains(STATUS) {
        command = command.long_about(format!("{about}\n\n{}", manual::STATUSES));
    }
    let examples = manual::examples(path);
    if !examples.is_empty() {
        let lines = examples.iter().map(|(line, what)| format!("\n  {line}\n      {what}"));
        command = command.after_long_help(format!("Examples:{}", lines.collect::<String>()));
    }
    each(command, path, with_texts)
}

/// A command, and its own commands, without the options that they ignore.
fn with_own_options(command: clap::Command, path: &str) -> clap::Command {
    let hidden = ignored(path);
    let command = command.mut_args(|it| {
        let is_hidden = hidden.contains(&it.get_id().as_str());
        if is_hidden { it.hide(true) } else { it }
    });
    each(command, path, with_own_options)
}
