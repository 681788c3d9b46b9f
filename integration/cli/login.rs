//! Logins of the command line: `--username`, `--password-stdin` and `--token-stdin`.

use oci_compat::supply::registry::IMAGE_MANIFEST;
use tempfile::TempDir;

use super::folder;
use crate::command::{Ran, fed};
use crate::registry::fake::{Fake, Play, TOKEN, manifest};
use crate::registry::server::{Reply, Server};

/// A registry with an image `acme/upf:1` that this user and password may read.
fn with_password() -> Fake {
    stocked(Play { basic: Some(("u", "p:w")), lists_referrers: true, ..Play::default() })
}

fn stocked(play: Play) -> Fake {
    let fake = Fake::start(play);
    fake.put("acme/upf", Some("1"), IMAGE_MANIFEST, &manifest("an/image", None, 1));
    fake
}

/// Runs a command line with this on stdin; `HOST` stands for the registry.
fn ran(folder: &TempDir, fake: &Fake, line: &str, input: &str) -> Ran {
    let line = line.replace("HOST", &fake.name());
    let ran = fed(folder.path(), &line.split(' ').collect::<Vec<_>>(), input.as_bytes());
    let text = |it: &str| it.replace(&fake.name(), "HOST");
    Ran { status: ran.status, stdout: text(&ran.stdout), stderr: text(&ran.stderr) }
}

#[test]
fn a_password_on_stdin_lets_every_command_in_that_speaks_to_a_registry() {
    let fake = with_password();
    let folder = folder();
    let check = |line: &str, stdout: &str, stderr: &str| {
        let line = format!("{line} --plain-http --username u --password-stdin");
        for input in ["p:w", "p:w\n", "p:w\r\n"] {
            let expected = Ran { status: 0, stdout: stdout.to_owned(), stderr: stderr.to_owned() };
            assert_eq!(ran(&folder, &fake, &line, input), expected, "{line} {input:?}");
        }
    };
    check("show HOST/acme/upf:1 --remote", "", "warn: nothing is attached to HOST/acme/upf:1\n");
    check("list HOST/acme/upf:1 --remote", "", "");
    let pulled =
        "HOST/acme/upf:1: no artifacts\n1 image: 0 artifacts new, 0 known, 1 without any, 0 with errors\n";
    check("pull HOST/acme/upf:1 --store store --config none", pulled, "");
    let line = "attach HOST/acme/upf:1 spec.yaml --plain-http --username u --password-stdin";
    assert_eq!(ran(&folder, &fake, line, "p:w").status, 0);
}

#[test]
fn a_token_on_stdin_is_sent_as_it_is() {
    let service = Server::start(|_| Reply::complaint(401, "UNAUTHORIZED", "who are you?"));
    let bearer = Some(format!("http://{}/token", service.address));
    let fake = stocked(Play { bearer, lists_referrers: true, ..Play::default() });
    let line = "list HOST/acme/upf:1 --remote --plain-http --token-stdin";
    let expected = Ran { status: 0, stdout: String::new(), stderr: String::new() };
    assert_eq!(ran(&folder(), &fake, line, &format!("{TOKEN}\n")), expected);
    assert!(service.lines().is_empty(), "no token service was asked: {:?}", service.lines());
}

#[test]
fn a_wrong_login_is_named_by_where_it_came_from_and_never_shown() {
    let fake = with_password();
    let line = "list HOST/acme/upf:1 --remote --plain-http --username u --password-stdin";
    let message = "error: registry HOST: reading the manifest of HOST/acme/upf:1: it does not take the credentials from the \
                   command line (\"UNAUTHORIZED: authentication required\"): log in to it again\n";
    let expected = Ran { status: 2, stdout: String::new(), stderr: message.to_owned() };
    assert_eq!(ran(&folder(), &fake, line, "hunter2"), expected);
}

#[test]
fn a_login_goes_to_the_one_registry_that_was_named() {
    let fake = with_password();
    let check = |line: &str, input: &str, message: &str| {
        let line = format!("{line} --plain-http");
        let expected = Ran { status: 2, stdout: String::new(), stderr: format!("error: {message}\n") };
        assert_eq!(ran(&folder(), &fake, &line, input), expected, "{line}");
    };
    check(
        "pull HOST/acme/upf:1 example.com/acme/smf:1 --username u --password-stdin",
        "p",
        "--password-stdin is for one registry, and the images are from HOST and example.com: name those of one registry",
    );
    check("list HOST/acme/upf:1 --remote --token-stdin", "", "--token-stdin: stdin is empty");
    check(
        "list HOST/acme/upf:1 --remote --token-stdin",
        "a b",
        "the token on stdin has characters that no token has",
    );
    check(
        "list HOST/acme/upf:1 --remote --username u:v --password-stdin",
        "p",
        "--username \"u:v\" has a colon, which no user of a registry has",
    );
    check(
        "pull - --token-stdin",
        "t",
        "stdin cannot hold both the list of images and a login: name the images on the command line",
    );
    check(
        "attach HOST/acme/upf:1 - --token-stdin",
        "t",
        "stdin cannot hold both the spec and a login: write the spec into a file",
    );
    assert!(fake.server.lines().is_empty(), "{:?}", fake.server.lines());
}
