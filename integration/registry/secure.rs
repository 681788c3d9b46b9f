//! TLS: whose certificates are accepted, and what is said of those that are not.

use std::fs;
use std::sync::Arc;

use oci_compat::supply::registry::{Client, IMAGE_MANIFEST, Settings};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::fake::{Fake, Play, manifest};
use super::server::{Reply, Server};
use super::{environment_below, fails, image, settings};

/// Everything in PEM.
pub(super) struct Files {
    pub(super) authority: String,
    pub(super) certificate: String,
    pub(super) key: String,
}

/// An authority, and a certificate of it for these names.
pub(super) fn files(names: &[&str]) -> Files {
    let (issuer, certificate, key) = issue(names, false);
    let (certificate, key) = (pem("CERTIFICATE", &certificate), pem("PRIVATE KEY", &key));
    Files { authority: pem("CERTIFICATE", &issuer), certificate, key }
}

/// An authority, in PEM, and a server's configuration with a certificate of it for these names.
fn authority(names: &[&str], is_expired: bool) -> (String, Arc<ServerConfig>) {
    let (issuer, certificate, key) = issue(names, is_expired);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key)))
        .expect("a configuration");
    (pem("CERTIFICATE", &issuer), Arc::new(config))
}

/// An authority's certificate, a server's, and the server's key.
fn issue(names: &[&str], is_expired: bool) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer =
        CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
    let names: Vec<_> = names.iter().map(|it| (*it).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    if is_expired {
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    }
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    (issuer.der().to_vec(), certificate.der().to_vec(), key.serialize_der())
}

fn pem(kind: &str, der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n"))
}

fn serving(tls: Arc<ServerConfig>) -> Server {
    let bytes = manifest("a/b", None, 1);
    Server::with_tls(tls, move |_| Reply::new(200).body(IMAGE_MANIFEST, bytes.clone()))
}

fn with_tls() -> Settings {
    Settings { plain_http: false, ..settings() }
}

#[test]
fn an_authority_is_trusted_if_the_administrator_says_so_in_any_of_three_places() {
    let (authority, tls) = authority(&["127.0.0.1"], false);
    let server = serving(tls);
    let image = image(&format!("{}/acme/upf:1", server.address));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let resolve = |settings: Settings| Client::new(settings).expect("settings").resolve(&image);
    for (place, of_docker) in [(server.address.to_string(), true), ("127.0.0.1".to_owned(), false)] {
        let etc = folder.path().join(format!("etc{of_docker}"));
        let certs = etc.join(if of_docker { "docker" } else { "containers" }).join("certs.d").join(place);
        fs::create_dir_all(&certs).expect("making a folder");
        fs::write(certs.join("ca.crt"), &authority).expect("writing a fixture");
        let environment = environment_below(&etc, &[]);
        resolve(Settings { environment, ..with_tls() }).expect("a manifest");
    }
    let file = folder.path().join("ca.pem");
    fs::write(&file, &authority).expect("writing a fixture");
    resolve(Settings { ca_files: vec![file], ..with_tls() }).expect("a manifest");
}

/// Whoever is on the way could answer there, and would see what the address tells.
#[test]
fn nothing_leads_from_https_to_http() {
    let open = Server::start(|_| Reply::new(200).body(IMAGE_MANIFEST, manifest("a/b", None, 1)));
    let place = format!("http://{}/v2/acme/upf/manifests/1", open.address);
    let (authority, tls) = authority(&["127.0.0.1"], false);
    let server = Server::with_tls(tls, move |_| Reply::new(307).header("Location", place.clone()));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("ca.pem");
    fs::write(&file, authority).expect("writing a fixture");
    let client = Client::new(Settings { ca_files: vec![file], ..with_tls() }).expect("settings");
    let outcome = client.resolve(&image(&format!("{}/acme/upf:1", server.address)));
    fails(
        outcome,
        &server.address.to_string(),
        &format!(
            "registry HOST: reading the manifest of HOST/acme/upf:1: it sends us to \
             \"http://{}/v2/acme/upf/manifests/1\", which is not protected by TLS, as the place that named it was",
            open.address
        ),
    );
    assert_eq!(open.connections(), 0);
}

#[test]
fn what_is_wrong_with_a_certificate_and_what_to_do_is_reported() {
    let check = |names: &[&str], is_expired: bool, is_known: bool, expected: &str| {
        let (authority, tls) = authority(names, is_expired);
        let server = serving(tls);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("ca.pem");
        fs::write(&file, authority).expect("writing a fixture");
        let ca_files = if is_known { vec![file] } else { Vec::new() };
        let client = Client::new(Settings { ca_files, ..with_tls() }).expect("settings");
        let outcome = client.resolve(&image(&format!("{}/acme/upf:1", server.address)));
        let doing = "registry HOST: reading the manifest of HOST/acme/upf:1: ";
        fails(outcome, &server.address.to_string(), &format!("{doing}{expected}"));
        assert_eq!(server.connections(), 1, "trying again would bring nothing else");
    };
    check(
        &["127.0.0.1"],
        false,
        false,
        "nobody whom this machine trusts has signed its certificate: put the authority's certificate into \
         /etc/docker/certs.d/HOST/ca.crt, or name it with --ca-file",
    );
    check(
        &["other.example"],
        false,
        true,
        "its certificate is for another host than \"127.0.0.1\": name the registry as its certificate does",
    );
    check(
        &["127.0.0.1"],
        true,
        true,
        "its certificate has expired: have it renewed, or set this machine's clock",
    );
}

#[test]
fn a_registry_that_speaks_the_other_language_is_recognised() {
    let plain = Fake::start(Play::default());
    fails(
        Client::new(with_tls()).expect("settings").resolve(&image(&format!("{}/upf:1", plain.name()))),
        &plain.name(),
        "registry HOST: reading the manifest of HOST/upf:1: it does not speak TLS: if it is meant to speak plain HTTP, say \
         --plain-http",
    );
    let go = Fake::start_with(Play::default(), |_| {
        Some(Reply::new(400).body("text/plain", "Client sent an HTTP request to an HTTPS server.\n"))
    });
    fails(
        super::client().resolve(&image(&format!("{}/upf:1", go.name()))),
        &go.name(),
        "registry HOST: reading the manifest of HOST/upf:1: it speaks TLS: leave out --plain-http",
    );
}

#[test]
fn no_redirect_leads_from_tls_to_plain_http() {
    let (authority, tls) = authority(&["127.0.0.1"], false);
    let plain = Fake::start(Play::default());
    let place = format!("http://{}/x", plain.name());
    let server = Server::with_tls(tls, move |_| Reply::new(302).header("Location", place.clone()));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("ca.pem");
    fs::write(&file, authority).expect("writing a fixture");
    let client = Client::new(Settings { ca_files: vec![file], ..with_tls() }).expect("settings");
    fails(
        client.resolve(&image(&format!("{}/upf:1", server.address))),
        &server.address.to_string(),
        &format!(
            "registry HOST: reading the manifest of HOST/upf:1: it sends us to \"http://{}/x\", which is not protected by \
             TLS, as the place that named it was",
            plain.name()
        ),
    );
    assert_eq!(plain.server.connections(), 0);
}

#[test]
fn a_file_of_authorities_that_holds_none_is_an_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("ca.pem");
    fs::write(&file, "hello\n").expect("writing a fixture");
    let client = Client::new(Settings { ca_files: vec![file.clone()], ..with_tls() }).expect("settings");
    fails(
        client.resolve(&image("127.0.0.1:1/upf:1")),
        &file.display().to_string(),
        "registry 127.0.0.1:1: reading the manifest of 127.0.0.1:1/upf:1: HOST holds no certificate in PEM",
    );
}
