//! What the administrator wrote about registries in registries.conf (containers-registries.conf(5), version 2): other
//! places for the same images. Reads the keys for the location of content; searches and short names are not used.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::image::Repository;
use crate::os::file;

use super::RegistryProblem;
use super::endpoint::TagOrDigest;
use super::settings::RegistryEnvironment;

/// The largest file, in bytes.
const MAX_FILE: usize = 1 << 20;
/// The most files that are read of a folder.
const MAX_FILES: usize = 100;

/// All entries, those of later files in the place of earlier ones with the same prefix.
#[derive(Debug, Clone, Default)]
pub(super) struct Rewrites(Vec<RegistryEntry>);

/// A repository at the place where it is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RepositoryPlace {
    pub(super) repository: Repository,
    pub(super) is_insecure: bool,
    pub(super) is_mirror: bool,
}

/// `short-name-mode`, `unqualified-search-registries` and others may stand beside it.
#[derive(Deserialize)]
#[serde(expecting = "a table")]
struct RegistriesConf {
    #[serde(default)]
    registry: Vec<RegistryEntry>,
    /// The one key that marks version 1.
    registries: Option<toml::Table>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[serde(expecting = "a table")]
struct RegistryEntry {
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    location: String,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    blocked: bool,
    #[serde(default)]
    mirror_by_digest_only: bool,
    #[serde(default)]
    mirror: Vec<Mirror>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[serde(expecting = "a table")]
struct Mirror {
    location: String,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    pull_from_mirror: MirrorPulls,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum MirrorPulls {
    #[default]
    All,
    DigestOnly,
    TagOnly,
}

impl Rewrites {
    /// Reads the file that counts and those of its folder.
    pub(super) fn read(environment: &RegistryEnvironment) -> Result<Self, RegistryProblem> {
        let mut all = Self::default();
        for path in files(environment).map_err(RegistryProblem::Settings)? {
            let bytes =
                file::read(&path, MAX_FILE).map_err(|err| RegistryProblem::Settings(format!("{err:#}")))?;
            let Some(bytes) = bytes else { continue };
            let text = String::from_utf8_lossy(&bytes);
            all.add(&text)
                .map_err(|what| RegistryProblem::Settings(format!("{}: {what}", path.display())))?;
        }
        Ok(all)
    }

    pub(super) fn add(&mut self, text: &str) -> Result<(), String> {
        let content: RegistriesConf = toml::from_str(text).map_err(|err| err.message().to_owned())?;
        if content.registries.is_some() {
            return Err("it is of version 1, [registries.*]: write it anew with [[registry]]".to_owned());
        }
        for mut entry in content.registry {
            if entry.prefix.is_empty() {
                entry.prefix.clone_from(&entry.location);
            }
            if entry.prefix.is_empty() {
                return Err("a [[registry]] has neither prefix nor location".to_owned());
            }
            // Only a host may have capital letters, and none count there.
            entry.prefix.make_ascii_lowercase();
            self.0.retain(|it| it.prefix != entry.prefix);
            self.0.push(entry);
        }
        Ok(())
    }

    /// Where a repository is to be looked for, in this order; the last one is no mirror. Mirrors are only for pulling.
    pub(super) fn places(
        &self,
        repository: &Repository,
        pull: Option<TagOrDigest>,
    ) -> Result<Vec<RepositoryPlace>, RegistryProblem> {
        let repository = repository.as_host();
        let name = repository.to_string();
        let matching = self.0.iter().filter_map(|it| Some((it, matched(&it.prefix, &name)?)));
        let Some((entry, length)) = matching.max_by_key(|(_, length)| *length) else {
            return Ok(vec![RepositoryPlace { repository, is_insecure: false, is_mirror: false }]);
        };
        if entry.blocked {
            return Err(RegistryProblem::Blocked);
        }
        let rest = name.get(length..).unwrap_or_default();
        let mut places = Vec::new();
        for mirror in entry.mirror.iter().filter(|it| pull.is_some_and(|by| entry.uses(it, by))) {
            places.push(place(&mirror.location, rest, mirror.insecure, true)?);
        }
        places.push(match entry.location.is_empty() {
            true => RepositoryPlace { repository, is_insecure: entry.insecure, is_mirror: false },
            false => place(&entry.location, rest, entry.insecure, false)?,
        });
        Ok(places)
    }
}

impl RegistryEntry {
    fn uses(&self, mirror: &Mirror, by: TagOrDigest) -> bool {
        match (mirror.pull_from_mirror, by) {
            (MirrorPulls::TagOnly, TagOrDigest::Digest) | (MirrorPulls::DigestOnly, TagOrDigest::Tag) => {
                false
            }
            (MirrorPulls::All, TagOrDigest::Tag) => !self.mirror_by_digest_only,
            (MirrorPulls::TagOnly, TagOrDigest::Tag)
            | (MirrorPulls::DigestOnly | MirrorPulls::All, TagOrDigest::Digest) => true,
        }
    }
}

fn place(
    location: &str,
    rest: &str,
    is_insecure: bool,
    is_mirror: bool,
) -> Result<RepositoryPlace, RegistryProblem> {
    let repository = Repository::written(&format!("{location}{rest}"))
        .map_err(|err| RegistryProblem::Settings(format!("registries.conf: location: {err}")))?;
    Ok(RepositoryPlace { repository: repository.as_host(), is_insecure, is_mirror })
}

/// How much of a name a prefix covers: all of it, or up to a slash. `*.example.com` covers each host below.
fn matched(prefix: &str, name: &str) -> Option<usize> {
    if let Some(domain) = prefix.strip_prefix('*') {
        let host = name.split('/').next()?;
        return host.ends_with(domain).then_some(host.len());
    }
    let rest = name.strip_prefix(prefix)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(prefix.len())
}

/// `$CONTAINERS_REGISTRIES_CONF`, else the user's, else the system's; then the folders `registries.conf.d` beside the latter.
fn files(environment: &RegistryEnvironment) -> Result<Vec<PathBuf>, String> {
    let system = environment.etc().map(|it| it.join("containers/registries.conf"));
    let user = environment.path("HOME").map(|it| it.join(".config/containers/registries.conf"));
    if let Some(named) = environment.path("CONTAINERS_REGISTRIES_CONF") {
        return Ok(vec![named]);
    }
    let mut all: Vec<_> = system.iter().chain(&user).cloned().collect();
    if let Some(user) = user.filter(|it| file::read(it, MAX_FILE).is_ok_and(|it| it.is_some())) {
        all = vec![user];
    }
    let folders = environment.etc().map(|it| it.join("containers/registries.conf.d"));
    let of_user = environment.path("HOME").map(|it| it.join(".config/containers/registries.conf.d"));
    for folder in folders.into_iter().chain(of_user) {
        all.extend(list(&folder)?);
    }
    Ok(all)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a folder of the administrator, not of the host that is checked"
)]
fn list(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |err: std::io::Error| format!("{} {}", folder.display(), file::explain_io(&err));
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(err) => return Err(failed(err)),
    };
    let mut paths = Vec::new();
    for entry in entries.take(MAX_FILES) {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|it| it == "conf") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
unqualified-search-registries = ["docker.io"]
short-name-mode = "enforcing"
[[registry]]
prefix = "docker.io"
location = "docker.io"
[[registry.mirror]]
location = "cache.example:5000/hub"
insecure = true
[[registry.mirror]]
location = "late.example"
pull-from-mirror = "digest-only"
[[registry]]
prefix = "docker.io/acme"
location = "quay.io/acme-of-old"
mirror-by-digest-only = true
[[registry.mirror]]
location = "mirror.example/acme"
[[registry]]
location = "evil.example"
blocked = true
[[registry]]
prefix = "*.corp.example"
insecure = true
"#;

    fn check(name: &str, pull: Option<TagOrDigest>, expected: &[&str]) {
        let mut rewrites = Rewrites::default();
        rewrites.add(FILE).expect("a configuration");
        let shown = |it: &RepositoryPlace| {
            let marks = [(it.is_mirror, " mirror"), (it.is_insecure, " insecure")];
            let marks: String = marks.iter().filter(|(is_set, _)| *is_set).map(|(_, mark)| *mark).collect();
            format!("{}{marks}", it.repository)
        };
        let found = match rewrites.places(&name.parse().expect("a repository"), pull) {
            Ok(places) => places.iter().map(shown).collect(),
            Err(problem) => vec![problem.to_string()],
        };
        assert_eq!(found, expected, "{name}");
    }

    #[test]
    fn mirrors_come_first_and_are_only_for_pulling() {
        let cache = "cache.example:5000/hub/library/debian mirror insecure";
        check("debian", Some(TagOrDigest::Tag), &[cache, "docker.io/library/debian"]);
        check(
            "debian",
            Some(TagOrDigest::Digest),
            &[cache, "late.example/library/debian mirror", "docker.io/library/debian"],
        );
        check("debian", None, &["docker.io/library/debian"]);
    }

    #[test]
    fn the_longest_prefix_counts_and_ends_at_a_slash() {
        check("acme/upf", Some(TagOrDigest::Tag), &["quay.io/acme-of-old/upf"]);
        check(
            "acme/upf",
            Some(TagOrDigest::Digest),
            &["mirror.example/acme/upf mirror", "quay.io/acme-of-old/upf"],
        );
        check("acme2/upf", None, &["docker.io/acme2/upf"]);
        check("a.corp.example/upf", Some(TagOrDigest::Tag), &["a.corp.example/upf insecure"]);
        check("corp.example/upf", Some(TagOrDigest::Tag), &["corp.example/upf"]);
    }

    #[test]
    fn a_blocked_registry_is_not_asked() {
        check("evil.example/upf", Some(TagOrDigest::Tag), &["registries.conf blocks it"]);
        check("evil.example/upf", None, &["registries.conf blocks it"]);
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        let check = |text: &str, expected: &str| {
            assert_eq!(Rewrites::default().add(text), Err(expected.to_owned()));
        };
        check(
            "[registries.search]\nregistries = []",
            "it is of version 1, [registries.*]: write it anew with [[registry]]",
        );
        check("[[registry]]\ninsecure = true", "a [[registry]] has neither prefix nor location");
        check("[[registry]]\nlocation = 1", "invalid type: integer `1`, expected a string");
    }
}
