//! How registries are reached: the options of every command that speaks to one.

use std::path::PathBuf;

use nix::unistd::geteuid;
use oci_compat::registry::{Client, Environment, Settings};

/// How to reach registries
#[derive(Debug, clap::Args)]
pub(crate) struct RegistryOptions {
    /// Speak HTTP without TLS
    #[arg(long)]
    pub(crate) plain_http: bool,
    /// The file with credentials, instead of Docker's and Podman's
    #[arg(long, value_name = "FILE")]
    pub(crate) authfile: Option<PathBuf>,
    /// Certificates of authorities to trust besides the system's (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Vec<PathBuf>,
    /// A token service that may have the credentials of a registry of another domain
    #[arg(long, value_name = "HOST")]
    pub(crate) token_service: Vec<String>,
}

impl RegistryOptions {
    /// A client for all registries that the command names.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        let environment = Environment::new(std::env::vars_os(), geteuid().as_raw());
        let settings = Settings {
            plain_http: self.plain_http,
            auth_file: self.authfile.clone(),
            ca_files: self.ca_file.clone(),
            token_services: self.token_service.clone(),
            environment,
            ..Settings::default()
        };
        Ok(Client::new(settings)?)
    }
}
