//! Networks as they are: slow, busy, broken, redirected, with proxies and mirrors, and with IPv6.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use oci_compat::store::Digest;
use oci_compat::supply::registry::{Client, IMAGE_MANIFEST, Settings};

use super::fake::{Fake, Play, manifest};
use super::server::{Reply, Request, Server};
use super::transfers::of;
use super::{client, environment, fails, image, repository, settings};
use crate::runtimes::runtime::skip;

/// A registry with the image `acme/upf:1` that answers the first `failures` requests in another way.
fn failing_at_first(failures: usize, reply: Reply) -> Fake {
    let count = AtomicUsize::new(0);
    let fake = Fake::start_with(Play::default(), move |_| {
        (count.fetch_add(1, Ordering::SeqCst) < failures).then(|| reply.clone())
    });
    fake.put("acme/upf", Some("1"), IMAGE_MANIFEST, &manifest("a/b", None, 1));
    fake
}

fn check(failures: usize, reply: Reply, expected: Result<(), &str>) {
    let fake = failing_at_first(failures, reply);
    let outcome = client().resolve(&image(&format!("{}/acme/upf:1", fake.name())));
    match expected {
        Ok(()) => drop(outcome.expect("a manifest")),
        Err(expected) => {
            let doing = "registry HOST: reading the manifest of HOST/acme/upf:1: ";
            fails(outcome, &fake.name(), &format!("{doing}{expected}"));
        }
    }
}

#[test]
fn passing_trouble_is_tried_again_and_lasting_trouble_is_reported() {
    for status in [429, 500, 502, 503, 504] {
        check(2, Reply::new(status), Ok(()));
    }
    check(3, Reply::new(502), Err("it failed with status 502: try again later"));
    check(1, Reply::new(501), Err("it failed with status 501: try again later"));
    check(3, Reply::new(429), Err("it has had too many requests: try again later"));
    let cut = Reply { missing: 5, ..Reply::new(200).body(IMAGE_MANIFEST, manifest("a/b", None, 1)) };
    check(2, cut.clone(), Ok(()));
    check(3, cut, Err("HOST broke the connection off"));
}

#[test]
fn a_busy_registry_is_given_the_time_that_it_asks_for_but_not_for_ever() {
    let start = Instant::now();
    check(1, Reply::new(429).header("Retry-After", "1"), Ok(()));
    assert!(start.elapsed() >= Duration::from_secs(1));
    check(
        1,
        Reply::complaint(429, "TOOMANYREQUESTS", "pull rate limit").header("Retry-After", "3600"),
        Err("it has had too many requests (\"TOOMANYREQUESTS: pull rate limit\"): try again in 3600 s"),
    );
}

#[test]
fn an_answer_that_stops_or_never_ends_is_given_up() {
    let stops = Reply {
        pause: Duration::from_secs(2),
        ..Reply::new(200).body(IMAGE_MANIFEST, manifest("a/b", None, 1))
    };
    check(3, stops, Err("its next word took longer than 1 s: try again later"));
    // Never idle for long, but never done either.
    let drips = Reply {
        pause: Duration::from_millis(300),
        ..Reply::new(200).body(IMAGE_MANIFEST, manifest("a/b", None, 1))
    };
    let fake = failing_at_first(9, drips);
    let mut settings = settings();
    settings.limits.total = Duration::from_secs(1);
    let outcome =
        Client::new(settings).expect("settings").resolve(&image(&format!("{}/acme/upf:1", fake.name())));
    fails(
        outcome,
        &fake.name(),
        "registry HOST: reading the manifest of HOST/acme/upf:1: the whole request took longer than 1 s: try again later",
    );
}

#[test]
fn a_closed_port_and_an_unknown_name_are_reported() {
    let gone = Server::start(|_| Reply::new(200)).address.to_string();
    let gone = gone.replace("127.0.0.1", "127.0.0.2");
    fails(
        client().resolve(&image(&format!("{gone}/upf:1"))),
        &gone,
        "registry HOST: reading the manifest of HOST/upf:1: nothing listens at HOST: check its name, and that it runs",
    );
    fails(
        client().resolve(&image("no-such-host.invalid/upf:1")),
        "no-such-host.invalid",
        "registry HOST: reading the manifest of HOST/upf:1: the name \"HOST\" cannot be looked up: check it, and the DNS of \
         this machine",
    );
}

#[test]
fn a_blob_may_lie_elsewhere_and_credentials_stay_at_home() {
    let storage = Server::start(|_| Reply::new(200).body("application/octet-stream", "some rules"));
    let place = format!("http://{}/bucket/x?X-Signature=s3cret", storage.address);
    let fake = Fake::start_with(Play { basic: Some(("u", "p")), ..Play::default() }, move |it| {
        let is_let_in = it.header("authorization").is_some();
        (is_let_in && it.path().contains("/blobs/"))
            .then(|| Reply::new(307).header("Location", place.clone()))
    });
    let folder = tempfile::tempdir().expect("a temporary folder");
    let client = super::logins::client(&folder, &fake.name(), "u:p");
    let repository = repository(&format!("{}/acme/upf", fake.name()));
    assert_eq!(client.blob(&repository, &of(b"some rules"), 99).expect("a blob"), b"some rules");
    let seen = storage.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].header("authorization"), None);
}

#[test]
fn a_login_that_another_host_wants_is_not_ours_to_give() {
    let storage = Server::start(|_| Reply::new(401).header("WWW-Authenticate", "Basic realm=\"give me\""));
    let place = format!("http://{}/x", storage.address);
    let fake = Fake::start_with(Play { basic: Some(("u", "p")), ..Play::default() }, move |it| {
        it.header("authorization").map(|_| Reply::new(302).header("Location", place.clone()))
    });
    let folder = tempfile::tempdir().expect("a temporary folder");
    let client = super::logins::client(&folder, &fake.name(), "u:p");
    fails(
        client.resolve(&image(&format!("{}/acme/upf:1", fake.name()))),
        &fake.name(),
        "registry HOST: reading the manifest of HOST/acme/upf:1: it answered with status 401",
    );
    assert!(storage.seen().iter().all(|it| it.header("authorization").is_none()));
}

#[test]
fn redirects_end() {
    let count = AtomicUsize::new(0);
    let fake = Fake::start_with(Play::default(), move |_| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        Some(Reply::new(302).header("Location", format!("/v2/again/{number}")))
    });
    fails(
        client().resolve(&image(&format!("{}/acme/upf:1", fake.name()))),
        &fake.name(),
        "registry HOST: reading the manifest of HOST/acme/upf:1: it sends us to \"http://HOST/v2/again/5\", which is \
         redirect number 6: they never end",
    );
}

#[test]
fn a_registry_at_an_ipv6_address_is_reached() {
    let bytes = manifest("a/b", None, 1);
    let answer = move |_: &Request| Reply::new(200).body(IMAGE_MANIFEST, bytes.clone());
    let server = match Server::listen("[::1]:0", None, answer) {
        Ok(server) => server,
        Err(err) => return skip("IPv6", &format!("this machine has none: {err}")),
    };
    let found = client().resolve(&image(&format!("{}/acme/upf:1", server.address))).expect("a manifest");
    assert_eq!(found.media_type, IMAGE_MANIFEST);
    assert_eq!(server.seen()[0].header("host"), Some(server.address.to_string().as_str()));
}

/// A proxy that answers what is asked of `registry.example` itself: after `CONNECT`, the same connection goes on.
fn proxy(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
    Server::start(move |it| if it.method == "CONNECT" { Reply::new(200) } else { answer(it) })
}

fn through(proxy: &Server, login: &str) -> Client {
    let address = format!("http://{login}{}", proxy.address);
    let environment = environment(&[("HTTP_PROXY", &address), ("NO_PROXY", "direct.example")]);
    Client::new(Settings { environment, ..settings() }).expect("settings")
}

#[test]
fn a_proxy_is_used_and_gets_our_credentials() {
    let bytes = manifest("a/b", None, 1);
    let proxy = proxy(move |_| Reply::new(200).body(IMAGE_MANIFEST, bytes.clone()));
    through(&proxy, "u:p@").resolve(&image("registry.example/upf:1")).expect("a manifest");
    let seen = proxy.seen();
    assert_eq!(proxy.lines(), ["CONNECT registry.example:80", "GET /v2/upf/manifests/1"]);
    let who = format!("Basic {}", super::fake::base64("u:p"));
    assert_eq!(
        (seen[0].header("proxy-authorization"), seen[1].header("proxy-authorization")),
        (Some(who.as_str()), None)
    );
}

#[test]
fn a_proxy_that_refuses_is_named_without_its_password() {
    let proxy = Server::start(|_| Reply::new(407));
    fails(
        through(&proxy, "u:hunter2@").resolve(&image("registry.example/upf:1")),
        "",
        "registry registry.example: reading the manifest of registry.example/upf:1: the proxy does not connect to \
         registry.example:80 (\"proxy server responded 407/407\")",
    );
}

#[test]
fn a_registry_elsewhere_may_not_redirect_to_this_machine() {
    let target = Server::start(|_| Reply::new(200).body(IMAGE_MANIFEST, manifest("a/b", None, 1)));
    for (host, why) in [
        (target.address.to_string(), "is this machine itself: a registry elsewhere has nothing there"),
        (
            format!("localhost:{}", target.address.port()),
            "is this machine itself: a registry elsewhere has nothing there",
        ),
        (
            "169.254.169.254".to_owned(),
            "is where clouds keep secrets of this machine: no registry has anything there",
        ),
    ] {
        let place = format!("http://{host}/latest/meta-data/?x=1");
        let proxy = proxy(move |_| Reply::new(302).header("Location", place.clone()));
        fails(
            through(&proxy, "").resolve(&image("registry.example/upf:1")),
            &host,
            &format!(
                "registry registry.example: reading the manifest of registry.example/upf:1: it sends us to \
                 \"http://HOST/latest/meta-data/?...\", which {why}"
            ),
        );
    }
    assert_eq!(target.connections(), 0);
}

#[test]
fn mirrors_are_asked_first_and_the_registry_has_the_last_word() {
    let (mirror, origin) =
        (Fake::start(Play::default()), Fake::start(Play { lists_referrers: true, ..Play::default() }));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let conf = folder.path().join("registries.conf");
    let text = format!(
        "[[registry]]\nprefix = \"hub.example\"\nlocation = \"{}/hub\"\ninsecure = true\n\
         [[registry.mirror]]\nlocation = \"{}/cache\"\ninsecure = true\n\
         [[registry]]\nprefix = \"evil.example\"\nblocked = true\n",
        origin.name(),
        mirror.name()
    );
    fs::write(&conf, text).expect("writing a fixture");
    let environment = environment(&[("CONTAINERS_REGISTRIES_CONF", conf.to_str().expect("text"))]);
    let client = Client::new(Settings { environment, plain_http: false, ..settings() }).expect("settings");
    let subject = Digest::of(b"image");
    let artifact = manifest("a/b", Some(&subject), 1);
    mirror.put("cache/upf", Some("1"), IMAGE_MANIFEST, &artifact);
    origin.put("hub/smf", Some("1"), IMAGE_MANIFEST, &artifact);
    client.resolve(&image("hub.example/upf:1")).expect("from the mirror");
    assert_eq!(origin.server.connections(), 0);
    client.resolve(&image("hub.example/smf:1")).expect("from the registry");
    let found = client.referrers(&repository("hub.example/smf"), &subject, Some("a/b")).expect("a list");
    assert_eq!(found.descriptors.len(), 1, "the mirror's empty list is not the last word");
    client.push_blob(&repository("hub.example/smf"), b"x").expect("pushed");
    assert!(mirror.server.lines().iter().all(|it| !it.contains("uploads")));
    fails(
        client.resolve(&image("evil.example/upf:1")),
        "",
        "registry evil.example: reading the manifest of evil.example/upf:1: registries.conf blocks it",
    );
}

#[test]
fn a_list_that_only_a_mirror_could_give_is_not_known_to_be_empty() {
    let mirror = Fake::start(Play { lists_referrers: true, ..Play::default() });
    let origin = Server::start(|_| Reply::new(503)).address.to_string();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let conf = folder.path().join("registries.conf");
    let text = format!(
        "[[registry]]\nlocation = \"{origin}\"\ninsecure = true\n[[registry.mirror]]\nlocation = \"{}\"\ninsecure = true\n",
        mirror.name()
    );
    fs::write(&conf, text).expect("writing a fixture");
    let environment = environment(&[("CONTAINERS_REGISTRIES_CONF", conf.to_str().expect("text"))]);
    let client = Client::new(Settings { environment, ..settings() }).expect("settings");
    let subject = Digest::of(b"image");
    fails(
        client.referrers(&repository(&format!("{origin}/acme/upf")), &subject, None),
        &origin,
        &format!(
            "registry HOST: listing referrers of {subject} in HOST/acme/upf: nothing listens at HOST: check its name, and \
             that it runs"
        ),
    );
    assert_eq!(mirror.server.lines().len(), 1);
}
