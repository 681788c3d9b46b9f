//! The administrator's program that verifies other signatures, such as `cosign` or `notation`. Only the configuration names it.
//! Its arguments are passed one by one and never through a shell, and its time is limited.

use std::ffi::OsString;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::image::Repository;
use crate::os::file;
use crate::store::Digest;

/// How long a verifier may take: it asks registries and transparency logs.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);
/// The part of its messages that is read, in bytes.
const MAX_WORDS: u64 = 4 << 10;

/// What it gets of the caller's environment: where the user's own files are, and the way to registries.
const HANDED_ON: [&str; 14] = [
    "HOME",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "DOCKER_CONFIG",
    "REGISTRY_AUTH_FILE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "NO_PROXY",
    "no_proxy",
];

#[expect(clippy::disallowed_methods, reason = "only the command line verifies; the names are fixed")]
fn handed_on(name: &'static str) -> Option<(&'static str, OsString)> {
    std::env::var_os(name).map(|it| (name, it))
}

/// A command line with placeholders.
#[derive(Debug, Clone, Copy)]
pub struct VerifierCommand<'a> {
    words: &'a [String],
    patience: Duration,
}

impl<'a> VerifierCommand<'a> {
    /// `{image}` stands for the artifact as a name with a digest, `{digest}` for only its digest.
    pub fn new(words: &'a [String]) -> Self {
        Self { words, patience: PATIENCE }
    }

    /// One that may take no longer than this.
    pub fn within(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// One that may take no longer than this, nor than it may already.
    pub fn within_all(self, patience: Duration) -> Self {
        Self { patience: patience.min(self.patience), ..self }
    }

    /// Stands for it where otherwise a key's digest would.
    pub fn digest(&self) -> Digest {
        Digest::of(json!(self.words).to_string().as_bytes())
    }

    /// What is recorded of its word: no other machine can verify it again.
    pub fn evidence(&self, manifest: &Digest) -> Vec<u8> {
        let evidence = json!({"schema": "oci-compat.verifier/v1", "verifier": self.words, "manifest": manifest.to_string()});
        evidence.to_string().into_bytes()
    }

    /// Asks it about an artifact's manifest: its status 0 means that all is well.
    ///
    /// # Errors
    ///
    /// Its output, as the rest of a sentence that starts with the artifact.
    #[expect(
        clippy::disallowed_methods,
        reason = "a program that the administrator's configuration names; and its words are read beside"
    )]
    pub fn verify(&self, repository: &Repository, manifest: &Digest) -> Result<(), String> {
        let words = filled(self.words, repository, manifest);
        let Some((program, arguments)) = words.split_first() else {
            return Err("cannot be verified: the verifier has no program".to_owned());
        };
        let mut command = Command::new(program);
        // Other variables of the user, `PATH` included, must not choose the verifier's programs.
        command.env_clear().env("PATH", file::PATH).envs(HANDED_ON.iter().filter_map(|it| handed_on(it)));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|err| {
            format!("cannot be verified: the verifier {program:?} {}", file::explain_io(&err))
        })?;
        // Read beside, so that a verifier with much to say is not kept waiting; what it leaves open behind it is not
        // waited for.
        let (send, said) = std::sync::mpsc::channel();
        if let Some(stderr) = child.stderr.take() {
            thread::spawn(move || send.send(read(stderr)));
        }
        match wait(&mut child, self.patience) {
            Ok(Some(status)) if status.success() => Ok(()),
            Ok(Some(status)) if status.code().is_none() => {
                Err(format!("cannot be verified: {program:?} was ended ({status})"))
            }
            Ok(Some(status)) => {
                let said = said.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
                Err(format!("is not accepted by {program:?} ({status}{})", words_of(&said)))
            }
            Ok(None) => Err(format!(
                "cannot be verified: {program:?} took longer than {} s",
                self.patience.as_secs_f32()
            )),
            Err(err) => {
                Err(format!("cannot be verified: waiting for {program:?}: it {}", file::explain_io(&err)))
            }
        }
    }
}

fn filled(words: &[String], repository: &Repository, manifest: &Digest) -> Vec<String> {
    let image = repository.at(*manifest).to_string();
    let fill = |it: &String| it.replace("{image}", &image).replace("{digest}", &manifest.to_string());
    words.iter().map(fill).collect()
}

/// `None` if it had to be ended.
fn wait(child: &mut Child, patience: Duration) -> std::io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(PAUSE);
    }
}

/// The first part of its output is kept; the rest is discarded, so that it can end.
fn read(mut stream: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Whatever was read until an error is worth telling.
    let _cut = stream.by_ref().take(MAX_WORDS).read_to_end(&mut bytes);
    let _cut = std::io::copy(&mut stream, &mut std::io::sink());
    bytes
}

fn words_of(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    match said.lines().rev().find(|it| !it.trim().is_empty()) {
        None => String::new(),
        Some(line) => format!(": {:?}", line.trim().chars().take(300).collect::<String>()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|it| (*it).to_owned()).collect()
    }

    #[test]
    fn each_word_stays_one_word_whatever_is_filled_in() {
        let manifest = Digest::of(b"manifest");
        let repository = "quay.io/acme/upf".parse().unwrap();
        let found =
            filled(&words(&["/v", "--of={image}", "{digest}", "$(id) {other}"]), &repository, &manifest);
        let image = format!("--of=quay.io/acme/upf@{manifest}");
        assert_eq!(found, words(&["/v", &image, &manifest.to_string(), "$(id) {other}"]));
    }

    #[test]
    fn what_is_filled_in_is_never_an_option() {
        let manifest = Digest::of(b"manifest");
        for name in ["-v", "--key=/x", "--key=/x/upf", "-v.example/upf", "-v:5000/upf", "-/upf", "[-v]/upf"] {
            assert!(name.parse::<Repository>().is_err(), "{name}");
        }
        for name in
            ["upf", "acme/upf", "localhost/upf", "1.2.3.4:5000/upf", "[::1]:5000/upf", "a-b.example/upf"]
        {
            let repository = name.parse().unwrap();
            for word in filled(&words(&["{image}", "{digest}"]), &repository, &manifest) {
                assert!(!word.starts_with('-'), "{word}");
            }
        }
    }

    #[test]
    fn a_verifier_that_takes_too_long_is_ended() {
        let words = words(&["/bin/sleep", "60"]);
        let verifier = VerifierCommand::new(&words).within(Duration::from_millis(50));
        let found = verifier.verify(&"quay.io/acme/upf".parse().unwrap(), &Digest::of(b"manifest"));
        assert_eq!(found, Err("cannot be verified: \"/bin/sleep\" took longer than 0.05 s".to_owned()));
    }

    /// What a verifier comes to that is this shell script.
    fn run(script: &str) -> Result<(), String> {
        let words = words(&["/bin/sh", "-c", script]);
        VerifierCommand::new(&words).verify(&"quay.io/acme/upf".parse().unwrap(), &Digest::of(b"manifest"))
    }

    #[test]
    fn a_killed_verifier_accepts_nothing() {
        let expected = "cannot be verified: \"/bin/sh\" was ended (signal: 9 (SIGKILL))";
        assert_eq!(run("echo fine >&2; kill -KILL $$"), Err(expected.to_owned()));
    }

    #[test]
    fn a_verifier_gets_a_fixed_environment() {
        // Cargo sets these for its tests.
        assert!(handed_on("CARGO_MANIFEST_DIR").is_some());
        let look = "test -z \"$CARGO_MANIFEST_DIR$LD_LIBRARY_PATH\" || { env >&2; exit 1; }";
        assert_eq!(run(look), Ok(()));
        assert_eq!(run(&format!("test \"$PATH\" = {}", file::PATH)), Ok(()));
        if let Some((_, home)) = handed_on("HOME") {
            assert_eq!(run(&format!("test \"$HOME\" = '{}'", home.display())), Ok(()));
        }
    }

    #[test]
    fn the_last_line_of_its_output_is_reported() {
        assert_eq!(words_of(b"one\n\x1b[1mtwo\n\n"), ": \"\\u{1b}[1mtwo\"");
        assert_eq!(words_of(b"\n"), "");
    }
}
