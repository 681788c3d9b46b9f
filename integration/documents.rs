//! What the documents show is what the programs do: examples are parsed and run, and links lead somewhere.

use std::collections::BTreeSet;
use std::env;
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf, absolute};
use std::process::{Command, Stdio};

use oci_compat::outcome::report::problems;
use oci_compat::policy::own::{self, SpecSource};
use oci_compat::policy::trust::Trust;
use oci_compat::policy::{KEYS, Policy};
use oci_compat::{author::lint, spec};

const FENCE: &str = "```";
/// Under this name the messages of a malformed example stand in a document, unless it has `file=NAME`.
const SPEC: &str = "spec.yaml";

/// A fenced block of a document.
struct Block {
    /// What stands behind the opening fence: a language, then words such as `run` or `file=NAME`.
    info: Vec<String>,
    text: String,
    /// Document and line, for messages.
    place: String,
}

impl Block {
    fn is(&self, language: &str) -> bool {
        self.info.first().is_some_and(|it| it == language)
    }

    fn has(&self, word: &str) -> bool {
        self.info.iter().skip(1).any(|it| it == word)
    }

    fn file(&self) -> Option<&str> {
        self.info.iter().find_map(|it| it.strip_prefix("file="))
    }
}

#[test]
fn specs_in_documents_are_accepted_without_a_warning() {
    for block in all_blocks().iter().filter(|it| it.is("yaml") && it.text.starts_with("version: v1alpha1\n"))
    {
        if block.has("bad") {
            continue;
        }
        let spec = spec::parse(block.text.as_bytes()).unwrap_or_else(|err| panic!("{}: {err}", block.place));
        let mut warnings = lint::lint(&spec);
        warnings.retain(|it| it.level() == lint::RemarkLevel::Warning);
        assert_eq!(warnings, [], "{}", block.place);
    }
}

#[test]
fn malformed_specs_in_documents_get_the_messages_that_stand_below_them() {
    let blocks = all_blocks();
    for (index, block) in blocks.iter().enumerate().filter(|(_, it)| it.is("yaml") && it.has("bad")) {
        let below = blocks.get(index + 1).filter(|it| it.is("text"));
        let below = below.unwrap_or_else(|| panic!("{}: no text block follows", block.place));
        let malformed = spec::parse(block.text.as_bytes()).expect_err(&block.place);
        let mut messages = String::new();
        for it in problems(&malformed) {
            let name = block.file().unwrap_or(SPEC);
            writeln!(messages, "{name}:{}:{}: error: {}", it.line, it.column, it.message).expect("memory");
        }
        assert_eq!(messages, below.text, "{}", below.place);
    }
}

#[test]
fn configurations_in_documents_are_accepted() {
    for block in all_blocks().iter().filter(|it| it.is("toml") && !it.has("bad")) {
        if block.has("own") {
            let own = own::read(&block.text).unwrap_or_else(|err| panic!("{}: {err:?}", block.place));
            let SpecSource::Text(text) = own.source else { panic!("{}: no spec", block.place) };
            let spec = spec::parse(text.as_bytes()).unwrap_or_else(|err| panic!("{}: {err}", block.place));
            let mut warnings = lint::lint(&spec);
            warnings.retain(|it| it.level() == lint::RemarkLevel::Warning);
            assert_eq!(warnings, [], "{}", block.place);
            continue;
        }
        let reading = Policy::default_policy().overlay(&block.text, "config.toml");
        assert_eq!(reading.problems, [], "{}", block.place);
        assert_eq!(Trust::default().overlay(&block.text, "config.toml"), [], "{}", block.place);
    }
}

#[test]
fn the_example_configuration_has_every_key_with_its_default() {
    let text = read(&project().join("hooks/config.toml"));
    let is_key = |it: &&str| !it.is_empty() && !it.starts_with(' ');
    let lines: Vec<_> = text.lines().filter_map(|it| it.strip_prefix('#')).filter(is_key).collect();
    let mut policy = Policy::default_policy();
    let reading = policy.overlay(&lines.join("\n"), "config.toml");
    assert_eq!(reading.problems, []);
    assert_eq!(policy, Policy::default_policy());
    let keys: BTreeSet<_> = reading.keys.iter().map(|(key, _)| key.as_str()).collect();
    let lists = ["waiver", "prefer", "trust"];
    assert_eq!(keys, KEYS.into_iter().filter(|it| !lists.contains(it)).collect());
}

#[test]
fn the_exceptions_of_the_example_configuration_are_good_ones() {
    let text = read(&project().join("hooks/config.toml"));
    let lines: Vec<_> = text.lines().filter_map(|it| it.strip_prefix("#  ")).collect();
    let mut policy = Policy::default_policy();
    assert_eq!(policy.overlay(&lines.join("\n"), "config.toml").problems, []);
    assert_eq!((policy.waivers.len(), policy.preferences.len()), (1, 1));
    let mut trust = Trust::default();
    assert_eq!(trust.overlay(&lines.join("\n"), "config.toml"), []);
    assert_eq!(trust.rules.len(), 1);
}

#[test]
fn the_hook_file_is_one_that_engines_accept() {
    let text = read(&project().join("hooks/oci-compat.json.in")).replace("@LIBEXECDIR@", "/usr/libexec");
    let expected = serde_json::json!({
        "version": "1.0.0",
        "hook": {
            "path": "/usr/libexec/oci-compat-hook",
            "args": ["oci-compat-hook"],
            "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
            "timeout": 100,
        },
        "when": {"always": true},
        "stages": ["createRuntime"],
    });
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).expect("JSON"), expected);
}

#[test]
fn commands_in_documents_print_what_stands_below_them() {
    for document in documents() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for block in blocks(&document) {
            if let Some(name) = block.file() {
                let path = folder.path().join(name);
                fs::create_dir_all(path.parent().expect("a folder")).expect("making a folder");
                fs::write(&path, &block.text).expect("writing an example");
                // Whatever the umask: what others can write is warned of.
                fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("changing an example");
            }
            if block.is("console") && block.has("run") {
                assert_eq!(session(&block.text, folder.path()), block.text, "{}", block.place);
            }
        }
    }
}

#[test]
fn links_in_documents_lead_to_files() {
    let mut dangling = Vec::new();
    for document in documents() {
        let text = read(&document);
        let folder = document.parent().expect("a folder");
        for target in text.split("](").skip(1).filter_map(|it| it.split(')').next()) {
            let file = target.split('#').next().unwrap_or("");
            if !file.is_empty() && !target.contains("://") && !folder.join(file).exists() {
                dangling.push(format!("{}: {target}", name(&document)));
            }
        }
    }
    assert_eq!(dangling, Vec::<String>::new());
}

/// What a terminal would show, if the commands of a session were typed in this folder.
fn session(text: &str, folder: &Path) -> String {
    let mut shown = String::new();
    let mut status = None;
    for typed in text.lines().filter_map(|it| it.strip_prefix("$ ")) {
        writeln!(shown, "$ {typed}").expect("memory");
        if typed == "echo $?" {
            writeln!(shown, "{}", status.expect("a command before it")).expect("memory");
            continue;
        }
        let args = typed.strip_prefix("oci-compat ").unwrap_or_else(|| panic!("{typed:?} is not ours"));
        let mut command = Command::new(program());
        command.args(args.split_whitespace()).current_dir(folder).env_clear().stdin(Stdio::null());
        let output = command.output().expect("running oci-compat");
        shown.push_str(&String::from_utf8_lossy(&output.stdout));
        shown.push_str(&String::from_utf8_lossy(&output.stderr));
        status = output.status.code();
    }
    shown
}

/// The program in the folder `OCI_COMPAT_BIN`, else the one built with this test.
fn program() -> PathBuf {
    let built = PathBuf::from(env!("CARGO_BIN_EXE_oci-compat"));
    let program = env::var_os("OCI_COMPAT_BIN").map_or(built, |it| Path::new(&it).join("oci-compat"));
    absolute(program).expect("an absolute path")
}

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn documents() -> Vec<PathBuf> {
    let docs = fs::read_dir(project().join("docs")).expect("docs");
    let docs = docs.map(|it| it.expect("an entry").path());
    let mut documents: Vec<_> = docs.filter(|it| it.extension().is_some_and(|it| it == "md")).collect();
    documents.extend(["README.md", "ARCHITECTURE.md"].map(|it| project().join(it)));
    documents.sort_unstable();
    documents
}

/// Blocks of all documents: place, language and text; without what administrators bring beside the configuration.
pub(crate) fn examples() -> Vec<(String, String, String)> {
    let blocks = all_blocks().into_iter().filter(|it| !it.has("own"));
    blocks.map(|it| (it.place, it.info.first().cloned().unwrap_or_default(), it.text)).collect()
}

fn all_blocks() -> Vec<Block> {
    documents().iter().flat_map(|it| blocks(it)).collect()
}

fn blocks(document: &Path) -> Vec<Block> {
    let text = read(document);
    let mut blocks = Vec::new();
    let mut lines = text.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let Some(info) = line.strip_prefix(FENCE) else { continue };
        let inside = lines.by_ref().map(|(it, _)| it).take_while(|it| *it != FENCE);
        blocks.push(Block {
            info: info.split_whitespace().map(str::to_owned).collect(),
            text: inside.flat_map(|it| [it, "\n"]).collect(),
            place: format!("{}:{number}", name(document)),
        });
    }
    blocks
}

fn name(document: &Path) -> String {
    document.strip_prefix(project()).unwrap_or(document).display().to_string()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}
