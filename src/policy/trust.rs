//! The rules for artifacts in the store, `[trust]` in the configuration. They apply when artifacts are pulled. The hook and the
//! wrapper read only which images must have a signed spec, and an error in the rules breaks no check.

use std::path::{Path, PathBuf};

use crate::image::{Image, ImagePattern};
use crate::spec::Problem;

use super::load;
use super::syntax::{self, At, ConfigValue};
use super::value::{KeyValue, ValueResult, missing, unknown};
use super::waiver::pattern;

/// The rules of all files; a rule in a later file replaces one with the same pattern.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// In the order in which they were read.
    pub rules: Vec<TrustRule>,
}

/// What is demanded of the artifacts of some repositories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustRule {
    /// The repositories.
    pub pattern: ImagePattern,
    /// What is demanded.
    pub require: Require,
    /// Files with public keys (PEM); one must fit.
    pub keys: Vec<PathBuf>,
    /// Further repositories under whose names its artifacts may have been signed: where they were copied from.
    pub signed_as: Vec<ImagePattern>,
    /// A program, and its arguments, that verifies what we do not verify ourselves.
    pub verifier: Option<Vec<String>>,
    /// The age of an artifact, in days, from which on `pull` reports it.
    pub max_age_days: Option<u32>,
    /// File and line.
    pub from: String,
}

/// What is demanded of an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Require {
    /// Nothing.
    None,
    /// A signature that one of the keys, or the external verifier, accepts.
    Signature,
    /// The same, and that there is such an artifact for each image.
    SignedSpec,
}

impl Require {
    /// Whether an artifact has to be signed.
    pub fn wants_signature(self) -> bool {
        match self {
            Self::None => false,
            Self::Signature | Self::SignedSpec => true,
        }
    }
}

const REQUIRE: [(&str, Require); 3] =
    [("none", Require::None), ("signature", Require::Signature), ("signed-spec", Require::SignedSpec)];

/// The images that must have a signed spec: the only part of the rules of trust that the hook and the wrapper read. A broken
/// rule is ignored as far as it is broken; `oci-compat config check` and `pull` report it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpecDemands {
    rules: Vec<(ImagePattern, Require)>,
}

impl SpecDemands {
    /// Whether no image must have one.
    pub fn is_empty(&self) -> bool {
        self.rules.iter().all(|(_, it)| *it != Require::SignedSpec)
    }

    /// The pattern of the rule by which an image of this name, or of this repository, must have a signed spec.
    pub fn of(&self, name: &str) -> Option<&str> {
        let image = Image { names: vec![name.to_owned()], digests: Vec::new() };
        let fitting = self.rules.iter().filter(|(pattern, _)| pattern.matches(&image));
        let (pattern, require) = fitting.max_by_key(|(pattern, _)| pattern.specificity())?;
        (*require == Require::SignedSpec).then(|| pattern.text())
    }

    /// Takes over what a file says; a rule in a later file replaces one with the same pattern.
    pub(super) fn overlay(&mut self, value: At<ConfigValue>) {
        let ConfigValue::Table(rules) = value.value else { return };
        for (key, value) in rules {
            let (Ok(pattern), ConfigValue::Table(table)) = (repository("trust", key), value.value) else {
                continue;
            };
            let require = table.into_iter().find(|(key, _)| key.value == "require");
            let Some((_, value)) = require else { continue };
            let Ok(require) = (KeyValue { key: "require", value }).choice(&REQUIRE) else { continue };
            self.rules.retain(|(it, _)| it.text() != pattern.text());
            self.rules.push((pattern, require));
        }
    }
}

impl Trust {
    /// The rule for a repository, such as `docker.io/acme/upf`; `None` if there is none.
    ///
    /// The most specific pattern wins: the one with the longest text before its first wildcard, then the one with the
    /// most characters that are no wildcards.
    pub fn rule_for(&self, repository: &str) -> Option<&TrustRule> {
        let image = Image { names: vec![repository.to_owned()], digests: Vec::new() };
        let fitting = self.rules.iter().filter(|it| it.pattern.matches(&image));
        fitting.max_by_key(|it| it.pattern.specificity())
    }

    /// Reads the rules of the configuration and its drop-ins.
    ///
    /// # Errors
    ///
    /// All errors in them, and the files that could not be read: `pull` must not go on with fewer rules than there are.
    pub fn load(path: &Path) -> Result<Self, Vec<String>> {
        let mut trust = Self::default();
        let mut problems = Vec::new();
        for (path, text) in load::texts(path).map_err(|err| vec![format!("{err:#}")])? {
            let said = trust.overlay(&text, &path.display().to_string());
            problems.extend(said.iter().map(|it| format!("{}:{it}", path.display())));
        }
        if problems.is_empty() { Ok(trust) } else { Err(problems) }
    }

    /// Adds the rules of a file, and returns all its errors.
    pub fn overlay(&mut self, text: &str, file: &str) -> Vec<Problem> {
        const NEEDED: &str = "a table of repositories, such as [trust.\"docker.io/acme/*\"]";
        let (table, mut problems) = syntax::parse(text);
        let Some((_, value)) = table.into_iter().find(|(key, _)| key.value == "trust") else {
            return problems;
        };
        match (KeyValue { key: "trust", value }).table(NEEDED) {
            Ok(rules) => {
                for (key, value) in rules {
                    self.take(key, value, file, &mut problems);
                }
            }
            Err(problem) => problems.push(problem),
        }
        problems
    }

    fn take(&mut self, key: At<String>, value: At<ConfigValue>, file: &str, problems: &mut Vec<Problem>) {
        match rule(key, value, file) {
            Ok(rule) => {
                self.rules.retain(|it| it.pattern.text() != rule.pattern.text());
                self.rules.push(rule);
            }
            Err(wrong) => problems.extend(wrong),
        }
    }
}

const KEYS: [&str; 5] = ["require", "keys", "signed_as", "verifier", "max_age_days"];
/// A hundred years.
const MAX_DAYS: u64 = 36_525;

fn rule(key: At<String>, value: At<ConfigValue>, file: &str) -> Result<TrustRule, Vec<Problem>> {
    let at = key.at;
    let from = format!("{file}:{}", at.line);
    let pattern = repository("trust", key).map_err(|it| vec![it])?;
    let name = format!("trust.{:?}", pattern.text());
    let table = (KeyValue { key: &name, value }).table("a table").map_err(|it| vec![it])?;
    let mut rule = TrustRule {
        pattern,
        require: Require::None,
        keys: Vec::new(),
        signed_as: Vec::new(),
        verifier: None,
        max_age_days: None,
        from,
    };
    let mut problems = Vec::new();
    let says_what = table.iter().any(|(it, _)| it.value == "require");
    for (key, value) in table {
        problems.extend(rule.take(&key, value).err());
    }
    if !says_what {
        problems.push(missing(at, &name, "require", "\"none\", \"signature\" or \"signed-spec\""));
    }
    if problems.is_empty() && rule.require.wants_signature() && !rule.can_verify() {
        problems.push(missing(at, &name, "keys", "files with public keys; or verifier, a program"));
    }
    if problems.is_empty() { Ok(rule) } else { Err(problems) }
}

/// A rule of trust is for all tags: a user who may push may also move them.
fn repository(place: &str, text: At<String>) -> ValueResult<ImagePattern> {
    let at = text.at;
    let pattern = pattern(place, text)?;
    if pattern.is_repository() {
        return Ok(pattern);
    }
    let message = format!(
        "{place}: the pattern {:?} names a tag or digest, has to be one of repositories",
        pattern.text()
    );
    Err(Problem { at, message })
}

impl TrustRule {
    fn can_verify(&self) -> bool {
        !self.keys.is_empty() || self.verifier.is_some()
    }

    fn take(&mut self, key: &At<String>, value: At<ConfigValue>) -> ValueResult<()> {
        let entry = KeyValue { key: &key.value, value };
        match key.value.as_str() {
            "require" => self.require = entry.choice(&REQUIRE)?,
            "max_age_days" => {
                self.max_age_days = u32::try_from(entry.number(1..=MAX_DAYS, "days")?).ok();
            }
            "keys" => self.keys = entry.texts()?.into_iter().map(absolute).collect::<Result<_, _>>()?,
            "signed_as" => {
                let patterns = entry.texts()?.into_iter().map(|it| repository("signed_as", it));
                self.signed_as = patterns.collect::<Result<_, _>>()?;
            }
            "verifier" => self.verifier = Some(command(entry)?),
            _ => return Err(unknown(key.at, &key.value, &KEYS)),
        }
        Ok(())
    }
}

fn absolute(text: At<String>) -> ValueResult<PathBuf> {
    let At { at, value } = text;
    KeyValue { key: "an item of keys", value: At { at, value: ConfigValue::Text(value) } }.path()
}

/// The program by its whole path: nothing is looked for in `PATH` on behalf of a configuration.
fn command(entry: KeyValue<'_>) -> ValueResult<Vec<String>> {
    const NEEDED: &str = "a list that starts with a program's absolute path, such as [\"/usr/bin/cosign\", \"verify\", \"{image}\"]";
    let at = entry.value.at;
    let words: Vec<_> = entry.texts()?.into_iter().map(|it| it.value).collect();
    match words.first() {
        Some(program) if program.starts_with('/') => {}
        _ => return Err(Problem { at, message: format!("verifier has to be {NEEDED}") }),
    }
    match words.iter().skip(1).any(|it| it.contains("{image}") || it.contains("{digest}")) {
        true => Ok(words),
        // It would say yes or no to everything.
        false => {
            let message = "verifier is not told what to verify: give it {image} or {digest}".to_owned();
            Err(Problem { at, message })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust(text: &str) -> Trust {
        let mut trust = Trust::default();
        assert_eq!(trust.overlay(text, "config.toml"), []);
        trust
    }

    #[test]
    fn rules_name_demands_and_repositories() {
        let trust = trust(
            "mode = \"audit\"\n[trust.\"docker.io/acme/*\"]\nrequire = \"signature\"\nkeys = [\"/k.pub\"]\n\
             signed_as = [\"vendor.example/*\"]\nverifier = [\"/usr/bin/cosign\", \"verify\", \"{image}\"]\n[trust.\"*\"]\nrequire = \"none\"\n",
        );
        let expected = TrustRule {
            pattern: ImagePattern::parse("docker.io/acme/*").expect("a pattern"),
            require: Require::Signature,
            keys: vec![PathBuf::from("/k.pub")],
            signed_as: vec![ImagePattern::parse("vendor.example/*").expect("a pattern")],
            verifier: Some(vec!["/usr/bin/cosign".to_owned(), "verify".to_owned(), "{image}".to_owned()]),
            max_age_days: None,
            from: "config.toml:2".to_owned(),
        };
        assert_eq!(trust.rule_for("docker.io/acme/upf"), Some(&expected));
        assert_eq!(trust.rule_for("quay.io/acme/upf").map(|it| it.require), Some(Require::None));
        assert_eq!(Trust::default().rule_for("quay.io/acme/upf"), None);
    }

    #[test]
    fn a_rule_holds_however_its_repository_is_written() {
        let trust = trust("[trust.\"docker.io/nginx\"]\nrequire = \"signature\"\nkeys = [\"/k.pub\"]");
        let demands = |it: &str| trust.rule_for(it).map(|it| it.require);
        assert_eq!(demands("docker.io/library/nginx"), Some(Require::Signature));
        assert_eq!(demands("docker.io/acme/nginx"), None);
    }

    #[test]
    fn the_most_specific_pattern_wins() {
        let rule = |it: &str| format!("[trust.\"{it}\"]\nrequire = \"none\"\n");
        let all =
            ["*", "*/upf", "docker.io/*", "docker.io/acme/*", "docker.io/acme/*f", "docker.io/acme/upf"];
        let trust = trust(&all.map(rule).concat());
        let check = |repository: &str, expected: &str| {
            let found = trust.rule_for(repository).map(|it| it.pattern.text());
            assert_eq!(found, Some(expected), "{repository}");
        };
        check("docker.io/acme/upf", "docker.io/acme/upf");
        check("acme/upf", "docker.io/acme/upf");
        check("docker.io/acme/smf", "docker.io/acme/*f");
        check("docker.io/acme/x", "docker.io/acme/*");
        check("docker.io/x/y", "docker.io/*");
        check("quay.io/x/upf", "*/upf");
        check("quay.io/x/y", "*");
    }

    #[test]
    fn a_later_file_replaces_the_rule_with_the_same_pattern() {
        let mut trust = trust("[trust.x]\nrequire = \"none\"");
        assert_eq!(trust.overlay("[trust.x]\nrequire = \"signature\"\nkeys = [\"/k\"]", "b.toml"), []);
        let from: Vec<_> = trust.rules.iter().map(|it| it.from.as_str()).collect();
        assert_eq!(from, ["b.toml:1"]);
    }

    #[test]
    fn which_images_must_have_a_signed_spec_is_known_whatever_else_is_wrong_with_a_rule() {
        let demands = |text: &str, name: &str| {
            let (table, _) = syntax::parse(text);
            let mut demands = SpecDemands::default();
            table.into_iter().for_each(|(_, value)| demands.overlay(value));
            assert_eq!(demands.is_empty(), !text.contains("signed-spec"), "{text:?}");
            demands.of(name).map(str::to_owned)
        };
        let acme = "[trust.\"docker.io/acme/*\"]\nrequire = \"signed-spec\"\n";
        let pattern = Some("docker.io/acme/*".to_owned());
        assert_eq!(demands(acme, "docker.io/acme/upf:1"), pattern);
        assert_eq!(demands(acme, "acme/upf"), pattern);
        assert_eq!(demands(acme, "quay.io/acme/upf:1"), None);
        assert_eq!(demands(&format!("{acme}keys = 1\nkey = 2\n"), "acme/upf"), pattern);
        let narrower = format!("{acme}[trust.\"docker.io/acme/upf\"]\nrequire = \"none\"\n");
        assert_eq!(demands(&narrower, "acme/upf:1"), None);
        assert_eq!(demands(&narrower, "acme/smf:1"), pattern);
        assert_eq!(demands("trust = 1", "acme/upf"), None);
        assert_eq!(demands("[trust.\"x:1\"]\nrequire = \"none\"", "x:1"), None);
    }

    fn check(text: &str, expected: &[&str]) {
        let problems = Trust::default().overlay(text, "config.toml");
        assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), expected, "{text:?}");
    }

    #[test]
    fn what_is_wrong_with_a_rule_is_reported_with_its_place() {
        check(
            "trust = 1",
            &["1:9: trust is 1, has to be a table of repositories, such as [trust.\"docker.io/acme/*\"]"],
        );
        check("[trust.x]", &["1:8: trust.\"x\" needs require: \"none\", \"signature\" or \"signed-spec\""]);
        check("[trust]\nx = 1", &["2:5: trust.\"x\" is 1, has to be a table"]);
        check(
            "[trust.x]\nrequire = \"none\"\nsigned_as = [\"y:1\"]",
            &["3:14: signed_as: the pattern \"y:1\" names a tag or digest, has to be one of repositories"],
        );
        check(
            "[trust.x]\nrequire = \"signature\"",
            &["1:8: trust.\"x\" needs keys: files with public keys; or verifier, a program"],
        );
        check(
            "[trust.\"x:1\"]\nrequire = \"none\"",
            &["1:8: trust: the pattern \"x:1\" names a tag or digest, has to be one of repositories"],
        );
        check(
            "[trust.x]\nrequire = \"some\"\nkeys = [\"k.pub\"]\nverifier = [\"cosign\"]\nkey = 1",
            &[
                "5:1: there is no key key; did you mean keys?",
                "3:9: an item of keys is \"k.pub\", has to be an absolute path in quotes",
                "2:11: require is \"some\", has to be \"none\" or \"signature\" or \"signed-spec\"",
                "4:12: verifier has to be a list that starts with a program's absolute path, such as \
                 [\"/usr/bin/cosign\", \"verify\", \"{image}\"]",
            ],
        );
        check(
            "[trust.x]\nrequire = \"signed-spec\"\nmax_age_days = 0",
            &["3:16: max_age_days is 0, has to be a whole number of days from 1 to 36525"],
        );
        check(
            "[trust.x]\nrequire = \"signature\"\nverifier = [\"/bin/{image}\", \"image\"]",
            &["3:12: verifier is not told what to verify: give it {image} or {digest}"],
        );
    }
}
