//! Runs `oci-compat` as its users do: with arguments, in a folder, and without the environment of whoever runs the tests.

use std::env;
use std::fs::File;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf, absolute};
use std::process::{Command, Output, Stdio};

use crate::schemas;

/// What the program did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The program: the one in the folder `OCI_COMPAT_BIN`, else the one built with this test.
pub(crate) fn program() -> PathBuf {
    let built = PathBuf::from(env!("CARGO_BIN_EXE_oci-compat"));
    let program = env::var_os("OCI_COMPAT_BIN").map_or(built, |it| Path::new(&it).join("oci-compat"));
    absolute(program).expect("an absolute path")
}

/// Runs the program in a folder, with nothing on its standard input.
pub(crate) fn oci_compat(folder: &Path, args: &[&str]) -> Ran {
    fed(folder, args, b"")
}

/// Runs the program in a folder, with `input` on its standard input.
pub(crate) fn fed(folder: &Path, args: &[&str], input: &[u8]) -> Ran {
    ran(in_folder(&program(), folder).args(args).stdin(holding(input)))
}

/// A command that sees none of our environment.
pub(crate) fn in_folder(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).env_clear().env("PATH", "/usr/bin:/bin");
    command
}

/// Runs a command to its end.
pub(crate) fn ran(command: &mut Command) -> Ran {
    let Output { status, stdout, stderr } =
        command.output().unwrap_or_else(|err| panic!("starting {command:?}: {err}"));
    let text = |it| String::from_utf8(it).expect("output is text");
    let status = status.code().unwrap_or_else(|| panic!("{command:?} was killed: {status}"));
    let (stdout, stderr) = (text(stdout), text(stderr));
    schemas::hold(&stdout);
    Ran { status, stdout, stderr }
}

/// Makes a program of this content. By another process: a file that one of our threads had open for writing, another one's
/// child still has, until it becomes another program, and who would start the file meanwhile is told that it is busy.
pub(crate) fn make_program(path: &Path, content: &[u8]) {
    let mut install = Command::new("install");
    let status = install.args(["-m", "0755", "/dev/stdin"]).arg(path).stdin(holding(content)).status();
    assert!(status.expect("running install").success(), "making {}", path.display());
}

/// Makes a copy of a program, likewise.
pub(crate) fn copy_program(from: &Path, to: &Path) {
    let status = Command::new("install").args(["-m", "0755"]).args([from, to]).status();
    assert!(status.expect("running install").success(), "copying {}", from.display());
}

/// A file, and not a pipe: nobody has to fill it while the program runs.
fn holding(input: &[u8]) -> Stdio {
    let mut file: File = tempfile::tempfile().expect("a temporary file");
    file.write_all(input).expect("writing");
    file.rewind().expect("rewinding");
    file.into()
}
