//! The accepted certificates: those of the authorities that the system trusts, and of those that the administrator put into
//! `certs.d` or named. Verification is never switched off.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use crate::os::file;

use super::RegistryProblem;
use super::settings::{RegistryEnvironment, Settings};
use super::url::{Scheme, UrlOrigin};

/// The largest file of certificates, in bytes: the bundle of all public authorities has 220 KiB.
const MAX_FILE: usize = 4 << 20;
/// The most files that are read of a folder.
const MAX_FILES: usize = 100;

/// The trust anchors for the TLS handshake with this origin.
pub(super) fn config(origin: &UrlOrigin, settings: &Settings) -> Result<TlsConfig, RegistryProblem> {
    let builder = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
    if origin.scheme == Scheme::Http {
        return Ok(builder.root_certs(RootCerts::from(Vec::new())).build());
    }
    let mut roots = system();
    for path in &settings.ca_files {
        roots.extend(authorities(path).map_err(RegistryProblem::Settings)?);
    }
    let mut client = None;
    for folder in folders(&settings.environment, origin) {
        let found = CertificateFolder::read(&folder).map_err(RegistryProblem::Settings)?;
        roots.extend(found.authorities);
        client = client.or(found.client);
    }
    Ok(builder.root_certs(RootCerts::from(roots)).client_cert(client).build())
}

/// Where `SSL_CERT_FILE` and `SSL_CERT_DIR` point to, else where this distribution keeps them.
fn system() -> Vec<Certificate<'static>> {
    let found = rustls_native_certs::load_native_certs();
    for err in &found.errors {
        log::warn!("certificates of authorities: {err}");
    }
    found.certs.iter().map(|it| Certificate::from_der(it).to_owned()).collect()
}

/// Docker's and Podman's folders for a registry. A host that a registry named has to look like one to be part of a path.
fn folders(environment: &RegistryEnvironment, origin: &UrlOrigin) -> Vec<PathBuf> {
    let plain = |it: char| it.is_ascii_alphanumeric() || "-_.:[]".contains(it);
    if !origin.host.chars().all(plain) || origin.host.starts_with('.') {
        return Vec::new();
    }
    let home = environment.path("HOME").map(|it| it.join(".config/containers/certs.d"));
    let etc = environment.etc().into_iter();
    let parents = etc.flat_map(|it| [it.join("docker/certs.d"), it.join("containers/certs.d")]).chain(home);
    let with_port = format!("{}:{}", origin.host, origin.port);
    parents.flat_map(|it| [it.join(&with_port), it.join(&origin.host)]).collect()
}

/// What stands in one folder of `certs.d` (containers-certs.d(5)): `*.crt` are authorities, `NAME.cert` with `NAME.key`
/// is who we are.
#[derive(Default)]
struct CertificateFolder {
    authorities: Vec<Certificate<'static>>,
    client: Option<ClientCert>,
}

impl CertificateFolder {
    fn read(folder: &Path) -> Result<Self, String> {
        let mut found = Self::default();
        for path in list(folder)? {
            match path.extension().and_then(|it| it.to_str()) {
                Some("crt") => found.authorities.extend(authorities(&path)?),
                Some("cert") => found.client = Some(client(&path)?),
                _ => {}
            }
        }
        Ok(found)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a folder of the administrator, not of the host that is checked"
)]
fn list(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |err: std::io::Error| format!("{} {}", folder.display(), file::explain_io(&err));
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        // Most registries have none.
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(err) => return Err(failed(err)),
    };
    let mut paths = Vec::new();
    for entry in entries.take(MAX_FILES) {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.sort();
    Ok(paths)
}

fn authorities(path: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let found: Vec<_> = items(path)?.into_iter().filter_map(as_certificate).collect();
    match found.is_empty() {
        true => Err(format!("{} holds no certificate in PEM", path.display())),
        false => Ok(found),
    }
}

fn client(path: &Path) -> Result<ClientCert, String> {
    let chain = authorities(path)?;
    let key_path = path.with_extension("key");
    let key = items(&key_path)?.into_iter().find_map(as_key);
    let key = key.ok_or_else(|| format!("{} holds no private key in PEM", key_path.display()))?;
    Ok(ClientCert::new_with_certs(&chain, key))
}

fn items(path: &Path) -> Result<Vec<PemItem<'static>>, String> {
    let bytes = file::read(path, MAX_FILE).map_err(|err| format!("{err:#}"))?;
    let bytes = bytes.ok_or_else(|| format!("{} is not there", path.display()))?;
    let items: Result<Vec<_>, _> = parse_pem(&bytes).collect();
    items.map_err(|_| format!("{} is not in PEM, as text between BEGIN and END lines", path.display()))
}

fn as_certificate(item: PemItem<'static>) -> Option<Certificate<'static>> {
    if let PemItem::Certificate(it) = item { Some(it) } else { None }
}

fn as_key(item: PemItem<'static>) -> Option<PrivateKey<'static>> {
    if let PemItem::PrivateKey(it) = item { Some(it) } else { None }
}
