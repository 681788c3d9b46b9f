//! Debian's `docker-registry`, which has no referrers API: plain, and with TLS and a password.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use oci_compat::store::Digest;
use oci_compat::supply::registry::{
    Client, Descriptor, IMAGE_MANIFEST, ReferrersPlace, RegistryLimits, Settings,
};
use tempfile::TempDir;

use super::fake::{base64, manifest};
use super::{fails, image, repository, settings};
use crate::runtimes::runtime::skip;

const KIND: &str = "application/vnd.nfd.image-compatibility.v1alpha1";

/// A registry that runs until it is dropped.
pub(crate) struct Real {
    pub(crate) name: String,
    child: Child,
    folder: TempDir,
}

impl Drop for Real {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Real {
    /// `None`, and aloud, where it is not installed.
    pub(crate) fn start(more: impl Fn(&Path) -> String) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        let config = folder.path().join("config.yml");
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage:\n  delete: {{enabled: true}}\n  filesystem: {{rootdirectory: {}}}\n\
             http:\n  addr: 127.0.0.1:{port}\n{}",
            folder.path().join("data").display(),
            more(folder.path())
        );
        fs::write(&config, text).expect("writing a fixture");
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(&config).stdout(Stdio::null()).stderr(Stdio::null());
        match command.spawn() {
            Ok(child) => Some(Self { name: format!("127.0.0.1:{port}"), child, folder }),
            Err(err) => {
                skip("docker-registry", &format!("{err} (run integration/setup test)"));
                None
            }
        }
    }
}

/// Time for a registry to start.
pub(crate) fn patient() -> Settings {
    let limits =
        RegistryLimits { tries: 100, first_pause: Duration::from_millis(100), ..RegistryLimits::default() };
    let limits = RegistryLimits {
        longest_pause: Duration::from_millis(100),
        total: Duration::from_secs(10),
        ..limits
    };
    Settings { limits, ..settings() }
}

/// An artifact's whole life at a registry without the referrers API.
fn lives(client: &Client, name: &str) {
    let repository = repository(&format!("{name}/acme/upf"));
    let config = client.push_blob(&repository, b"{}").expect("pushed");
    assert_eq!(config, Digest::of(b"{}"));
    let bytes = manifest("an/image", None, 1);
    let subject =
        client.push_manifest(&repository, Some("1"), IMAGE_MANIFEST, &bytes).expect("pushed").digest;
    assert_eq!(client.look(&image(&format!("{repository}:1"))).expect("a digest"), subject);
    assert_eq!(client.referrers(&repository, &subject, Some(KIND)).expect("a list").descriptors, []);

    let artifacts: Vec<_> = (0..3).map(|it| manifest(KIND, Some(&subject), it)).collect();
    thread::scope(|scope| {
        for bytes in &artifacts {
            scope.spawn(|| attach(client, &repository, &subject, bytes));
        }
    });
    let found = client.referrers(&repository, &subject, Some(KIND)).expect("a list");
    assert_eq!((found.descriptors.len(), found.found), (artifacts.len(), ReferrersPlace::Fallback));
    for descriptor in &found.descriptors {
        let artifact = client.manifest(&repository, &descriptor.digest).expect("a manifest");
        assert!(artifacts.contains(&artifact.bytes));
        client.remove_from_fallback(&repository, &subject, &descriptor.digest).expect("taken off");
        client.delete_manifest(&repository, &descriptor.digest).expect("deleted");
    }
    assert_eq!(client.referrers(&repository, &subject, Some(KIND)).expect("a list").descriptors, []);
}

fn attach(client: &Client, repository: &oci_compat::image::Repository, subject: &Digest, bytes: &[u8]) {
    let pushed = client.push_manifest(repository, None, IMAGE_MANIFEST, bytes).expect("pushed");
    assert!(!pushed.lists_referrers);
    let descriptor = Descriptor {
        media_type: IMAGE_MANIFEST.to_owned(),
        digest: pushed.digest,
        size: bytes.len() as u64,
        artifact_type: Some(KIND.to_owned()),
        annotations: None,
        platform: None,
    };
    client.add_to_fallback(repository, subject, &descriptor).expect("listed");
}

#[test]
fn an_artifact_lives_at_a_real_registry() {
    let Some(real) = Real::start(|_| String::new()) else { return };
    lives(&Client::new(patient()).expect("settings"), &real.name);
    let missing = image(&format!("{}/acme/smf:1", real.name));
    let outcome = Client::new(patient()).expect("settings").resolve(&missing);
    assert!(outcome.as_ref().is_err_and(oci_compat::supply::registry::RegistryError::is_absent));
    fails(
        outcome,
        &real.name,
        "registry HOST: reading the manifest of HOST/acme/smf:1: it is not there (\"MANIFEST_UNKNOWN: manifest unknown\")",
    );
}

#[test]
fn an_artifact_lives_at_a_real_registry_with_tls_and_a_password() {
    let htpasswd = Command::new("htpasswd").args(["-Bbn", "u", "pw"]).output();
    let Ok(htpasswd) = htpasswd else {
        return skip("htpasswd", "not installed (run integration/setup test)");
    };
    let authority = super::secure::files(&["127.0.0.1"]);
    let Some(real) = Real::start(|folder| {
        fs::write(folder.join("htpasswd"), &htpasswd.stdout).expect("writing a fixture");
        fs::write(folder.join("cert.pem"), &authority.certificate).expect("writing a fixture");
        fs::write(folder.join("key.pem"), &authority.key).expect("writing a fixture");
        let folder = folder.display();
        format!(
            "  tls: {{certificate: {folder}/cert.pem, key: {folder}/key.pem}}\nauth:\n  htpasswd: {{realm: r, path: {folder}/htpasswd}}\n"
        )
    }) else {
        return;
    };
    let (ca, auth) = (real.folder.path().join("ca.pem"), real.folder.path().join("auth.json"));
    fs::write(&ca, &authority.authority).expect("writing a fixture");
    let login = |password: &str| {
        let entry = base64(&format!("u:{password}"));
        fs::write(&auth, format!(r#"{{"auths": {{"{}": {{"auth": "{entry}"}}}}}}"#, real.name))
            .expect("writing");
        let (ca_files, auth_file) = (vec![ca.clone()], Some(auth.clone()));
        Client::new(Settings { plain_http: false, ca_files, auth_file, ..patient() }).expect("settings")
    };
    lives(&login("pw"), &real.name);
    fails(
        login("other").resolve(&image(&format!("{}/acme/upf:1", real.name))),
        &real.name,
        &format!(
            "registry HOST: reading the manifest of HOST/acme/upf:1: it does not take the credentials from {} \
             (\"UNAUTHORIZED: authentication required\"): log in to it again",
            auth.display()
        ),
    );
}
