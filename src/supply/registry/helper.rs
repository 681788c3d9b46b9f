//! Docker's credential helpers: programs that the user's own file names, run for one registry in bounded time. Their output is
//! a secret, so no part of it gets into a message.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Deserialize;

use super::Secret;
use super::credentials::{Login, With};
use super::error::quoted;

/// A key store may have to be unlocked by a person.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest answer, in bytes.
const MAX_ANSWER: usize = 64 << 10;
/// How a helper says that it knows nothing; it fails at the same time.
const NOTHING: &str = "credentials not found";
/// The user name with which a helper marks an identity token.
const IDENTITY: &str = "<token>";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperAnswer {
    username: String,
    secret: String,
}

/// Asks `docker-credential-NAME get` about a server; `None` if it knows nothing. `path` is the `PATH` to look for it in.
pub(super) fn get(name: &str, server: &str, path: Option<&OsStr>) -> Result<Option<Login>, String> {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
    if !name.chars().all(is_plain) || name.is_empty() {
        return Err(format!("the credential helper {} is no name of a program", quoted(name)));
    }
    let program = format!("docker-credential-{name}");
    run(&program, server, path.unwrap_or_default())
        .map_err(|what| format!("the credential helper {program} {what}"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the user's own file names the program, and only the command line comes here"
)]
fn run(program: &str, server: &str, path: &OsStr) -> Result<Option<Login>, String> {
    let mut command = Command::new(program);
    command.arg("get").env("PATH", path).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|err| crate::os::file::explain_io(&err))?;
    let found = converse(&mut child, server);
    if found.is_err() {
        // It may have ended already.
        let _gone = child.kill();
    }
    let status = child.wait().map_err(|err| crate::os::file::explain_io(&err))?;
    let output = found?;
    if !status.success() {
        return match String::from_utf8_lossy(&output).contains(NOTHING) {
            true => Ok(None),
            false => Err(format!("failed: try \"echo {server} | {program} get\"")),
        };
    }
    let answer: HelperAnswer =
        serde_json::from_slice(&output).map_err(|_| "gave an answer that is not understood".to_owned())?;
    let secret = Secret::new(answer.secret);
    let with = match answer.username == IDENTITY {
        true => With::Identity(secret),
        false => With::Password { user: answer.username, password: secret },
    };
    Ok(Some(Login { with, from: program.to_owned() }))
}

/// Gives the server and takes the answer, to the end of its output.
fn converse(child: &mut Child, server: &str) -> Result<Vec<u8>, String> {
    let deadline = Instant::now() + PATIENCE;
    let mut input = child.stdin.take().ok_or("has no input")?;
    match input.write_all(format!("{server}\n").as_bytes()) {
        // A helper that does not read its input may still answer.
        Ok(()) | Err(_) => drop(input),
    }
    let mut output = child.stdout.take().ok_or("has no output")?;
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        ready(&output, deadline)?;
        match output.read(&mut chunk).map_err(|err| crate::os::file::explain_io(&err))? {
            0 => return Ok(bytes),
            count => bytes.extend(chunk.iter().take(count)),
        }
        if bytes.len() > MAX_ANSWER {
            return Err(format!("gave more than {MAX_ANSWER} bytes"));
        }
    }
}

fn ready(output: &ChildStdout, deadline: Instant) -> Result<(), String> {
    let left = deadline.saturating_duration_since(Instant::now());
    let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
    match poll(&mut [PollFd::new(output.as_fd(), PollFlags::POLLIN)], timeout) {
        Ok(0) => Err(format!("did not answer within {} s", PATIENCE.as_secs())),
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(errno) => Err(crate::os::file::explain(errno)),
    }
}
