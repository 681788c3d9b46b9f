//! The help of every command, held against `integration/help`. `BLESS=1` writes it anew.

use std::path::Path;
use std::{env, fs};

use super::{folder, run};

pub(super) const COMMANDS: &[&str] = &[
    "",
    "check",
    "probe",
    "lint",
    "convert",
    "init",
    "test",
    "explain",
    "why",
    "select",
    "attach",
    "pull",
    "show",
    "list",
    "remove",
    "log",
    "uninstall",
    "status",
    "verifier",
    "install",
    "store",
    "store add",
    "store recompile",
    "store gc",
    "store verify",
    "store export",
    "store import",
    "config",
    "config check",
    "completions",
    "man",
];

#[test]
fn the_help_of_every_command_is_as_it_was() {
    let folder = folder();
    for command in COMMANDS {
        let ran = run(&folder, &format!("{command} --help"));
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{command}");
        let name = format!("oci-compat {command}").trim_end().replace(' ', "-");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("integration/help/{name}.txt"));
        if env::var_os("BLESS").is_some() {
            fs::write(&path, &ran.stdout).expect("writing help");
        }
        assert_eq!(ran.stdout, fs::read_to_string(&path).expect("help"), "{command}");
    }
}

#[test]
fn no_command_is_without_its_help() {
    let help = run(&folder(), "--help").stdout;
    let commands = help.lines().skip_while(|it| *it != "Commands:").skip(1).take_while(|it| !it.is_empty());
    let names: Vec<_> = commands.filter_map(|it| it.split_whitespace().next()).collect();
    let missing: Vec<_> = names.iter().filter(|it| **it != "help" && !COMMANDS.contains(it)).collect();
    assert!(!names.is_empty() && missing.is_empty(), "{missing:?}");
}

#[test]
fn every_command_reports_the_version() {
    let version = oci_compat::decide::gate::VERSION;
    let (number, commit) = version.split_once(' ').expect("a commit");
    assert_eq!(number, env!("CARGO_PKG_VERSION"));
    assert!(commit.starts_with("(commit ") && commit.ends_with(')'), "{commit}");
    assert_eq!(run(&folder(), "--version").stdout, format!("oci-compat {version}\n"));
    let told = |program: &str, option: &str| {
        let path = crate::runtimes::program::ours(program);
        let output = std::process::Command::new(path).arg(option).stdin(std::process::Stdio::null()).output();
        String::from_utf8(output.expect("running it").stdout).expect("text")
    };
    assert_eq!(told("oci-compat-hook", "--version"), format!("oci-compat-hook {version}\n"));
    assert_eq!(told("oci-compat-runtime", "--oci-compat-version"), format!("oci-compat-runtime {version}\n"));
}
