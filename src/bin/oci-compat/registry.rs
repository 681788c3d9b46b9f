//! Access to registries: the options of every command that uses one.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use nix::unistd::geteuid;
use oci_compat::image::Repository;
use oci_compat::os::file;
use oci_compat::supply::registry::{Client, GivenLogin, RegistryEnvironment, Secret, Settings};

/// No password and no token is larger, in bytes.
const MAX_SECRET: usize = 64 << 10;

/// Access to registries
#[derive(Debug, clap::Args)]
pub(crate) struct RegistryOptions {
    /// Use HTTP without TLS
    #[arg(long)]
    pub(crate) plain_http: bool,
    /// Read credentials from this file, instead of Docker's and Podman's
    #[arg(long, value_name = "FILE")]
    pub(crate) authfile: Option<PathBuf>,
    /// Log in as this user, with the password from stdin
    #[arg(long, value_name = "NAME", requires = "password_stdin")]
    pub(crate) username: Option<String>,
    /// Read the password of --username from stdin
    #[arg(long, requires = "username")]
    pub(crate) password_stdin: bool,
    /// Log in with a bearer token from stdin, sent to the registry unchanged
    #[arg(long, conflicts_with_all = ["username", "password_stdin"])]
    pub(crate) token_stdin: bool,
    /// Trust these certificate authorities too (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Vec<PathBuf>,
    /// Send credentials also to this token service of another domain
    #[arg(long, value_name = "HOST")]
    pub(crate) token_service: Vec<String>,
}

impl RegistryOptions {
    /// A client for all registries that the command names: those of these repositories.
    pub(crate) fn client<'a>(
        &self,
        repositories: impl IntoIterator<Item = &'a Repository>,
    ) -> anyhow::Result<Client> {
        let environment = RegistryEnvironment::new(std::env::vars_os(), geteuid().as_raw());
        let settings = Settings {
            plain_http: self.plain_http,
            auth_file: self.authfile.clone(),
            login: self.login(repositories)?,
            ca_files: self.ca_file.clone(),
            token_services: self.token_service.clone(),
            environment,
            ..Settings::default()
        };
        Ok(Client::new(settings)?)
    }

    /// Whether stdin holds a password or a token, and so nothing else.
    pub(crate) fn takes_stdin(&self) -> bool {
        self.password_stdin || self.token_stdin
    }

    /// Fails if the command reads something else from stdin, too.
    pub(crate) fn leave_stdin(&self, what: &str, remedy: &str) -> anyhow::Result<()> {
        ensure!(!self.takes_stdin(), "stdin cannot hold both {what} and a login: {remedy}");
        Ok(())
    }

    /// The login on stdin. A password is shown to the one registry that it was typed for.
    fn login<'a>(
        &self,
        repositories: impl IntoIterator<Item = &'a Repository>,
    ) -> anyhow::Result<Option<GivenLogin>> {
        if !self.takes_stdin() {
            return Ok(None);
        }
        let option = if self.token_stdin { "--token-stdin" } else { "--password-stdin" };
        let registries: BTreeSet<_> = repositories.into_iter().map(Repository::registry).collect();
        let mut registries = registries.into_iter();
        let registry = match (registries.next(), registries.next()) {
            (Some(registry), None) => registry,
            (Some(one), Some(other)) => bail!(
                "{option} is for one registry, and the images are from {one} and {other}: name those of one registry"
            ),
            (None, _) => bail!("{option} is for one registry, and no image of any is named"),
        };
        let secret = secret(option)?;
        Ok(Some(match &self.username {
            Some(user) => {
                ensure!(
                    !user.contains(':'),
                    "--username {user:?} has a colon, which no user of a registry has"
                );
                GivenLogin::password(registry, user, Secret::new(secret))
            }
            None => {
                let is_plain = secret.bytes().all(|it| it.is_ascii_graphic());
                ensure!(is_plain, "the token on stdin has characters that no token has");
                GivenLogin::token(registry, Secret::new(secret))
            }
        }))
    }
}

/// What stdin holds, without the end of its line. No message repeats it.
fn secret(option: &str) -> anyhow::Result<String> {
    let bytes = file::read_all(std::io::stdin().take(u64::MAX), MAX_SECRET).context("reading stdin")?;
    let text =
        String::from_utf8(bytes).ok().with_context(|| format!("{option}: what stdin holds is not UTF-8"))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    ensure!(!text.is_empty(), "{option}: stdin is empty");
    Ok(text.to_owned())
}
