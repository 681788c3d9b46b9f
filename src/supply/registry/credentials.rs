//! The credentials for a registry: from the files of `docker login` and `podman login`, and from the programs that those files
//! name. Reads the files once; starts a program only if a file of the user names it.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::os::file;

use super::settings::{GivenLogin, RegistryEnvironment, Settings};
use super::{RegistryProblem, Secret, helper};

/// The largest file of credentials, in bytes.
const MAX_FILE: usize = 1 << 20;
const HUB: &str = "docker.io";
/// Under which key Docker keeps the Hub's credentials.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// What lets us in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) with: With,
    /// Which file or program it came from, for messages.
    pub(super) from: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum With {
    Password {
        user: String,
        password: Secret,
    },
    /// An OAuth2 refresh token, Docker's `identitytoken`.
    Identity(Secret),
    /// A bearer token as it is, Docker's `registrytoken`.
    Token(Secret),
}

/// The files that count, and what programs have answered.
#[derive(Debug)]
pub(super) struct Credentials {
    /// What the command line gives, before all files.
    given: Option<GivenLogin>,
    files: Vec<AuthFile>,
    /// The `PATH` to look for programs in.
    path: Option<OsString>,
    answers: Mutex<HashMap<(String, String), Option<Login>>>,
}

impl Credentials {
    /// Reads the files: the one that was named, or else all that are there of the usual ones.
    pub(super) fn read(settings: &Settings) -> Result<Self, RegistryProblem> {
        let named = settings.auth_file.clone().or_else(|| settings.environment.path("REGISTRY_AUTH_FILE"));
        let (paths, required) = match named {
            Some(path) => (vec![path], true),
            None => (usual(&settings.environment), false),
        };
        let mut files = Vec::new();
        for path in paths {
            match AuthFile::read(&path).map_err(RegistryProblem::Settings)? {
                Some(file) => files.push(file),
                None if required => {
                    return Err(RegistryProblem::Settings(format!("{} is not there", path.display())));
                }
                None => {}
            }
        }
        let path = settings.environment.variable("PATH").cloned();
        Ok(Self { given: settings.login.clone(), files, path, answers: Mutex::default() })
    }

    /// What lets us into a repository: what was given for its registry, or else the first file that knows, and in it the most
    /// specific entry.
    pub(super) fn find(&self, registry: &str, path: &str) -> Result<Option<Login>, RegistryProblem> {
        if let Some(given) = self.given.as_ref().filter(|it| it.registry == registry) {
            return Ok(Some(Login { with: given.with.clone(), from: "the command line".to_owned() }));
        }
        for file in &self.files {
            let found = match file.helper(registry) {
                Some(helper) => self.ask(helper, registry)?.or_else(|| file.entry(registry, path)),
                None => file.entry(registry, path),
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn ask(&self, helper: &str, registry: &str) -> Result<Option<Login>, RegistryProblem> {
        let server = if registry == HUB { HUB_KEY } else { registry };
        let key = (helper.to_owned(), server.to_owned());
        // Held while the program runs, so that many threads start it once.
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = answers.get(&key) {
            return Ok(known.clone());
        }
        let answer = helper::get(helper, server, self.path.as_deref()).map_err(RegistryProblem::Settings)?;
        answers.insert(key, answer.clone());
        Ok(answer)
    }
}

/// Where Podman and Docker keep credentials (containers-auth.json(5)); Podman's come first, as there.
fn usual(environment: &RegistryEnvironment) -> Vec<PathBuf> {
    let runtime = match environment.path("XDG_RUNTIME_DIR") {
        Some(folder) => folder.join("containers/auth.json"),
        None => PathBuf::from(format!("/run/containers/{}/auth.json", environment.uid())),
    };
    let home = environment.path("HOME");
    let config = environment.path("XDG_CONFIG_HOME").or_else(|| Some(home.as_ref()?.join(".config")));
    let docker = environment.path("DOCKER_CONFIG").or_else(|| Some(home.as_ref()?.join(".docker")));
    let config = config.map(|it| it.join("containers/auth.json"));
    let docker = docker.map(|it| it.join("config.json"));
    environment.etc().map(|_| runtime).into_iter().chain(config).chain(docker).collect()
}

/// One file. It has no derived `Debug`: it is full of secrets.
struct AuthFile {
    path: PathBuf,
    content: CredentialsDocument,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(expecting = "an object")]
struct CredentialsDocument {
    #[serde(default)]
    auths: BTreeMap<String, AuthEntry>,
    creds_store: Option<String>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct AuthEntry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

impl std::fmt::Debug for AuthFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl AuthFile {
    fn read(path: &Path) -> Result<Option<Self>, String> {
        let Some(bytes) = file::read(path, MAX_FILE).map_err(|err| format!("{err:#}"))? else {
            return Ok(None);
        };
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        // The parser's own words may quote what is in the file.
        let content = serde_json::from_slice(&bytes).map_err(|err| {
            format!(
                "{} is no file of credentials, see line {} column {}: log in anew, or mend it",
                path.display(),
                err.line(),
                err.column()
            )
        })?;
        Ok(Some(Self { path: path.to_owned(), content }))
    }

    /// The program to ask for a registry.
    fn helper(&self, registry: &str) -> Option<&str> {
        let of_registry = self.content.cred_helpers.iter().find(|(key, _)| normal(key) == registry);
        let helper = of_registry.map(|(_, helper)| helper).or(self.content.creds_store.as_ref())?;
        Some(helper).filter(|it| !it.is_empty()).map(String::as_str)
    }

    /// The entry for the repository, for one of the paths that lead to it, or for the registry.
    fn entry(&self, registry: &str, path: &str) -> Option<Login> {
        let mut scope = format!("{registry}/{path}");
        loop {
            let named = self.content.auths.iter().filter(|(key, _)| normal(key) == scope);
            if let Some(with) = named.filter_map(|(_, entry)| entry.with()).next() {
                return Some(Login { with, from: self.path.display().to_string() });
            }
            scope.truncate(scope.rfind('/')?);
        }
    }
}

impl AuthEntry {
    fn with(&self) -> Option<With> {
        let given = |it: &Option<String>| it.clone().filter(|it| !it.is_empty());
        if let Some(token) = given(&self.identitytoken) {
            return Some(With::Identity(Secret::new(token)));
        }
        if let Some(token) = given(&self.registrytoken) {
            return Some(With::Token(Secret::new(token)));
        }
        if let (Some(user), Some(password)) = (given(&self.username), given(&self.password)) {
            return Some(With::Password { user, password: Secret::new(password) });
        }
        let text = given(&self.auth)?;
        // An unreadable entry counts as none: the registry then asks for a login.
        let decoded = String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()?;
        let (user, password) = decoded.split_once(':')?;
        Some(With::Password { user: user.to_owned(), password: Secret::new(password.trim_end_matches('\0')) })
    }
}

/// A key of a file as a registry with or without a path. Old keys are URLs; their host counts.
fn normal(key: &str) -> String {
    let (rest, is_url) = match key.split_once("://") {
        Some((_, rest)) => (rest, true),
        None => (key, false),
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.to_ascii_lowercase();
    let is_hub = matches!(host.as_str(), "index.docker.io" | "registry-1.docker.io");
    let host = if is_hub { HUB.to_owned() } else { host };
    let path = path.trim_end_matches('/');
    match is_url || is_hub || path.is_empty() || path == "v1" || path == "v2" {
        true => host,
        false => format!("{host}/{path}"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// What `find` says with this as the one file that was named.
    fn check(file: &str, registry: &str, path: &str, expected: &str) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = folder.path().join("auth.json");
        fs::write(&place, file).expect("writing a fixture");
        let settings = Settings { auth_file: Some(place), ..Settings::default() };
        let found = Credentials::read(&settings).and_then(|it| it.find(registry, path));
        let found = match found {
            Ok(None) => "nobody".to_owned(),
            Ok(Some(login)) => match login.with {
                With::Password { user, password } => format!("{user} with {}", password.reveal()),
                With::Identity(token) => format!("identity {}", token.reveal()),
                With::Token(token) => format!("token {}", token.reveal()),
            },
            Err(problem) => problem.to_string().replace(&folder.path().display().to_string(), "DIR"),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn the_most_specific_entry_counts() {
        // a:1, b:2, c:3:4
        let file = r#"{"auths": {"quay.io": {"auth": "YToxAA=="}, "quay.io/acme": {"auth": "Yjoy"},
            "quay.io/acme/upf": {"auth": "YzozOjQ="}, "quay.io/empty": {}}}"#;
        check(file, "quay.io", "acme/upf", "c with 3:4");
        check(file, "quay.io", "acme/smf", "b with 2");
        check(file, "quay.io", "acme2/upf", "a with 1");
        check(file, "quay.io", "empty/upf", "a with 1");
        check(file, "quay.io:5000", "acme/upf", "nobody");
        check(file, "evil.example", "quay.io/acme", "nobody");
    }

    #[test]
    fn keys_that_are_urls_are_understood() {
        let file = r#"{"auths": {"https://index.docker.io/v1/": {"identitytoken": "t"},
            "https://Registry.example:5000/v2/": {"username": "u", "password": "p"}, "[::1]:5000": {"registrytoken": "r"}}}"#;
        check(file, "docker.io", "library/debian", "identity t");
        check(file, "registry.example:5000", "a", "u with p");
        check(file, "[::1]:5000", "a/b", "token r");
    }

    #[test]
    fn an_unreadable_entry_is_none_and_an_unreadable_file_an_error_without_its_content() {
        check(r#"{"auths": {"quay.io": {"auth": "%%%"}}}"#, "quay.io", "a", "nobody");
        check("", "quay.io", "a", "DIR/auth.json is not there");
        check(
            r#"{"auths": "hunter2"}"#,
            "quay.io",
            "a",
            "DIR/auth.json is no file of credentials, see line 1 column 19: log in anew, or mend it",
        );
    }

    #[test]
    fn podmans_files_come_before_dockers() {
        let environment = RegistryEnvironment::new([("HOME".into(), "/h".into())], 7);
        let shown = |it: &RegistryEnvironment| {
            usual(it).iter().map(|it| it.display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(
            shown(&environment),
            ["/run/containers/7/auth.json", "/h/.config/containers/auth.json", "/h/.docker/config.json"]
        );
        let variables = [("XDG_RUNTIME_DIR", "/r"), ("XDG_CONFIG_HOME", "/c"), ("DOCKER_CONFIG", "/d")];
        let environment =
            RegistryEnvironment::new(variables.map(|(name, value)| (name.into(), value.into())), 7);
        assert_eq!(
            shown(&environment),
            ["/r/containers/auth.json", "/c/containers/auth.json", "/d/config.json"]
        );
    }
}
