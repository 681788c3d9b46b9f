//! Logging in: passwords, tokens, files and helpers; and that no secret gets out.

use std::fs;
use std::sync::{Arc, Mutex};

use oci_compat::store::Digest;
use oci_compat::supply::registry::{Client, IMAGE_MANIFEST, Settings};
use tempfile::TempDir;

use super::fake::{Fake, Play, TOKEN, base64, manifest};
use super::server::{Reply, Request, Server};
use super::{environment, fails, image, repository, settings};
use crate::command::make_program;

/// A client with one login, `user:password`, for a registry.
pub(super) fn client(folder: &TempDir, registry: &str, login: &str) -> Client {
    with_file(folder, &format!(r#"{{"auths": {{"{registry}": {{"auth": "{}"}}}}}}"#, base64(login)))
}

/// Programs are looked for in the folder, and then where they usually are.
fn with_file(folder: &TempDir, content: &str) -> Client {
    let path = folder.path().join("auth.json");
    fs::write(&path, content).expect("writing a fixture");
    let programs = format!("{}:/usr/bin:/bin", folder.path().display());
    let environment = environment(&[("PATH", &programs)]);
    Client::new(Settings { auth_file: Some(path), environment, ..settings() }).expect("settings")
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[test]
fn a_password_lets_us_in() {
    let fake = Fake::start(Play { basic: Some(("u", "p:w")), ..Play::default() });
    fake.put("acme/upf", Some("1"), IMAGE_MANIFEST, &manifest("a/b", None, 1));
    let image = image(&format!("{}/acme/upf:1", fake.name()));
    let folder = folder();
    let client = client(&folder, &fake.name(), "u:p:w");
    client.resolve(&image).expect("a manifest");
    client.resolve(&image).expect("a manifest");
    assert_eq!(fake.server.seen().len(), 3, "the second time it is sent along at once");
}

#[test]
fn without_a_login_and_with_a_wrong_one_the_remedy_is_shown() {
    let fake = Fake::start(Play { basic: Some(("u", "p")), ..Play::default() });
    let image = image(&format!("{}/acme/upf:1", fake.name()));
    fails(
        super::client().resolve(&image),
        &fake.name(),
        "registry HOST: reading the manifest of HOST/acme/upf:1: it wants a login: log in with docker login or podman login, \
         or name a file with --authfile",
    );
    let folder = folder();
    let outcome = client(&folder, &fake.name(), "u:wr0ng").resolve(&image);
    let place = folder.path().display();
    fails(
        outcome,
        &fake.name(),
        &format!(
            "registry HOST: reading the manifest of HOST/acme/upf:1: it does not take the credentials from {place}/auth.json \
             (\"UNAUTHORIZED: authentication required\"): log in to it again"
        ),
    );
}

/// A token service that gives a token to whom `grant` says.
fn service(grant: impl Fn(&Request) -> Option<String> + Send + Sync + 'static) -> Server {
    Server::start(move |request| match grant(request) {
        Some(token) => {
            Reply::new(200).body("application/json", format!(r#"{{"token": "{token}", "expires_in": 300}}"#))
        }
        None => Reply::complaint(401, "UNAUTHORIZED", "who are you?"),
    })
}

#[test]
fn a_token_is_fetched_once_for_each_repository_and_wish() {
    let service = service(|it| {
        let is_known = it.header("authorization") == Some(&format!("Basic {}", base64("u:p")));
        let push = it.parameter("scope").is_some_and(|it| it.ends_with(":pull,push"));
        is_known.then(|| if push { format!("{TOKEN}+push") } else { TOKEN.to_owned() })
    });
    let bearer = Some(format!("http://{}/token", service.address));
    let fake = Fake::start(Play { bearer, ..Play::default() });
    fake.put("acme/upf", Some("1"), IMAGE_MANIFEST, &manifest("a/b", None, 1));
    let folder = folder();
    let client = client(&folder, &fake.name(), "u:p");
    let image = image(&format!("{}/acme/upf:1", fake.name()));
    for _ in 0..3 {
        client.resolve(&image).expect("a manifest");
    }
    client.push_blob(image.repository(), b"x").expect("pushed");
    assert_eq!(
        service.lines(),
        [
            "GET /token?service=fake&scope=repository%3Aacme%2Fupf%3Apull",
            "GET /token?service=fake&scope=repository%3Aacme%2Fupf%3Apull%2Cpush"
        ]
    );
}

#[test]
fn a_token_service_of_another_domain_gets_no_password_unless_it_was_named() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let service = service(move |it| {
        noted.lock().expect("no panic").push(it.header("authorization").is_some());
        Some(TOKEN.to_owned())
    });
    // The same machine by another name: as if it were of another owner.
    let bearer = Some(format!("http://localhost:{}/token", service.address.port()));
    let fake = Fake::start(Play { bearer, ..Play::default() });
    fake.put("acme/upf", Some("1"), IMAGE_MANIFEST, &manifest("a/b", None, 1));
    let image = image(&format!("{}/acme/upf:1", fake.name()));
    let folder = folder();
    client(&folder, &fake.name(), "u:p").resolve(&image).expect("a manifest");
    let settings = Settings {
        auth_file: Some(folder.path().join("auth.json")),
        token_services: vec!["localhost".to_owned()],
        environment: environment(&[]),
        ..settings()
    };
    Client::new(settings).expect("settings").resolve(&image).expect("a manifest");
    assert_eq!(*seen.lock().expect("no panic"), [false, true]);
}

#[test]
fn a_token_that_has_ended_is_replaced() {
    let count = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&count);
    let service = service(move |_| {
        let mut count = counted.lock().expect("no panic");
        *count += 1;
        Some(format!("{TOKEN}.{count}"))
    });
    let realm = format!("http://{}/token", service.address);
    let good = Arc::clone(&count);
    // Each token is good for one request.
    let used = Mutex::new(0);
    let fake = Fake::start_with(Play::default(), move |it| {
        let expected = format!("Bearer {TOKEN}.{}", good.lock().expect("no panic"));
        let mut used = used.lock().expect("no panic");
        let number = *good.lock().expect("no panic");
        if it.header("authorization") == Some(&expected) && *used < number {
            *used = number;
            return None;
        }
        Some(Reply::new(401).header("WWW-Authenticate", format!("Bearer realm=\"{realm}\"")))
    });
    fake.put("acme/upf", Some("1"), IMAGE_MANIFEST, &manifest("a/b", None, 1));
    let client = super::client();
    for _ in 0..3 {
        client.resolve(&image(&format!("{}/acme/upf:1", fake.name()))).expect("a manifest");
    }
    assert_eq!(*count.lock().expect("no panic"), 3);
}

#[test]
fn an_identity_token_is_exchanged_by_post() {
    let service = service(|it| {
        let body = String::from_utf8_lossy(&it.body).into_owned();
        let wanted = "grant_type=refresh_token&service=fake&client_id=oci-compat&scope=repository%3Aacme%2Fupf%3Apull\
                      &refresh_token=r3fresh%2F";
        (it.method == "POST" && body == wanted).then(|| TOKEN.to_owned())
    });
    let bearer = Some(format!("http://{}/token", service.address));
    let fake = Fake::start(Play { bearer, ..Play::default() });
    fake.put("acme/upf", Some("1"), IMAGE_MANIFEST, &manifest("a/b", None, 1));
    let folder = folder();
    let file = format!(r#"{{"auths": {{"{}": {{"identitytoken": "r3fresh/"}}}}}}"#, fake.name());
    with_file(&folder, &file).resolve(&image(&format!("{}/acme/upf:1", fake.name()))).expect("a manifest");
}

#[test]
fn a_token_service_that_has_nothing_does_not_mean_that_the_image_is_not_there() {
    let service = Server::start(|_| Reply::new(404));
    let bearer = Some(format!("http://{}/token", service.address));
    let fake = Fake::start(Play { bearer, ..Play::default() });
    let (client, repository) = (super::client(), repository(&format!("{}/acme/upf", fake.name())));
    let err = client.referrers(&repository, &Digest::of(b"x"), None).expect_err("no token");
    assert!(!err.is_absent());
    fails(
        Err::<(), _>(err.to_string().replace(&service.address.to_string(), "SERVICE")),
        &fake.name(),
        &format!(
            "registry HOST: listing referrers of {} in HOST/acme/upf: asking http://SERVICE for a token: it is not there",
            Digest::of(b"x")
        ),
    );
}

#[test]
fn a_helper_that_the_file_names_is_asked_once() {
    let fake = Fake::start(Play { basic: Some(("h", "hunter2")), ..Play::default() });
    fake.put("acme/upf", Some("1"), IMAGE_MANIFEST, &manifest("a/b", None, 1));
    let folder = folder();
    let program = folder.path().join("docker-credential-test");
    let asked = folder.path().join("asked");
    let script = format!(
        "#!/bin/sh\nread server; echo \"$1 $server\" >> {}\necho '{{\"ServerURL\":\"x\",\"Username\":\"h\",\"Secret\":\"hunter2\"}}'\n",
        asked.display()
    );
    make_program(&program, script.as_bytes());
    let client = with_file(&folder, r#"{"credsStore": "test"}"#);
    let image = image(&format!("{}/acme/upf:1", fake.name()));
    client.resolve(&image).expect("a manifest");
    client.resolve(&image).expect("a manifest");
    assert_eq!(fs::read_to_string(asked).expect("it was asked"), format!("get {}\n", fake.name()));
}

#[test]
fn a_helper_that_is_not_there_or_has_a_strange_name_is_an_error() {
    let fake = Fake::start(Play { basic: Some(("h", "p")), ..Play::default() });
    let check = |name: &str, expected: &str| {
        let folder = folder();
        let outcome = with_file(&folder, &format!(r#"{{"credsStore": "{name}"}}"#))
            .resolve(&image(&format!("{}/acme/upf:1", fake.name())));
        let doing = "registry HOST: reading the manifest of HOST/acme/upf:1: the credential helper ";
        fails(outcome, &fake.name(), &format!("{doing}{expected}"));
    };
    check("nobody-has-this", "docker-credential-nobody-has-this is not there");
    check("../../bin/sh", "\"../../bin/sh\" is no name of a program");
}

#[test]
fn no_secret_gets_into_a_message_or_into_what_a_debugger_sees() {
    let service = service(|_| None);
    let bearer = Some(format!("http://{}/token", service.address));
    let fake = Fake::start(Play { bearer, ..Play::default() });
    let folder = folder();
    let client = client(&folder, &fake.name(), "u:hunter2");
    let err = client.resolve(&image(&format!("{}/acme/upf:1", fake.name()))).expect_err("not let in");
    let shown = format!("{err} {err:?} {client:?}");
    for secret in ["hunter2", &base64("u:hunter2")] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
