//! The man pages of hook and wrapper, which are written by hand, say what the programs say.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use oci_compat::policy::{KEYS, Policy};
use serde_json::Value;

use crate::command::{Ran, in_folder, ran};
use crate::runtimes::program::ours;

/// Options, or statuses, each with its meaning.
type Entries = Vec<(String, String)>;

/// What the wrapper has besides the hook's options.
const LINK: (&str, &str) = (
    "--oci-compat-link FILE",
    "the link to the low-level runtime that the configuration names (default: /var/lib/oci-compat/runtime)",
);

#[test]
fn the_hook_s_man_page_says_what_its_help_says() {
    let (options, statuses) = help();
    assert_eq!(entries("oci-compat-hook", "OPTIONS"), options);
    assert_eq!(entries("oci-compat-hook", "EXIT STATUS"), statuses);
}

#[test]
fn the_wrapper_s_man_page_says_the_same_of_the_same_options() {
    let (options, _) = help();
    let prefixed = |option: String| option.replacen("--", "--oci-compat-", 1);
    let mut wrapped: Entries =
        options.into_iter().map(|(option, meaning)| (prefixed(option), meaning)).collect();
    wrapped.push((LINK.0.to_owned(), LINK.1.to_owned()));
    assert_eq!(entries("oci-compat-runtime", "OPTIONS"), wrapped);
}

/// The tags of a page's paragraphs.
fn tags(page: &str) -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/man").join(page);
    let text = fs::read_to_string(file).expect("a man page").replace("\\-", "-");
    text.lines().filter_map(|it| it.strip_prefix(".B ")).map(str::to_owned).collect()
}

#[test]
fn the_page_of_the_configuration_has_every_key() {
    let tags = tags("oci-compat-config.5");
    let missing: Vec<_> = KEYS.iter().filter(|key| !tags.iter().any(|it| it == *key)).collect();
    assert_eq!(missing, Vec::<&&str>::new());
}

#[test]
fn the_page_of_specs_has_every_field_and_operator() {
    let schema = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/spec.schema.json"));
    let schema: Value = serde_json::from_str(&schema.expect("a schema")).expect("JSON");
    let tags = tags("oci-compat-spec.5");
    let mut names = Vec::new();
    for part in ["Set", "Rule", "Term", "Expression"] {
        let fields = schema.pointer(&format!("/definitions/own{part}/properties")).expect("fields");
        names.extend(fields.as_object().expect("fields").keys().cloned());
    }
    let operators = schema.pointer("/definitions/ownExpression/properties/op/enum").expect("operators");
    names
        .extend(operators.as_array().expect("a list").iter().filter_map(|it| it.as_str().map(str::to_owned)));
    names.retain(|it| !it.is_empty());
    let missing: Vec<_> = names.iter().filter(|name| !tags.contains(name)).collect();
    assert!(names.len() > 30 && missing.is_empty(), "{missing:?}");
}

/// What the examples of a page show, between `.nf` and `.fi`.
fn example(page: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/man").join(page);
    let text = fs::read_to_string(file).expect("a man page").replace("\\-", "-");
    let (_, examples) = text.split_once("\n.SH EXAMPLES\n").expect("examples");
    let (_, shown) = examples.split_once(".nf\n").expect("an example");
    shown.split_once("\n.fi\n").expect("its end").0.to_owned() + "\n"
}

#[test]
fn the_examples_of_the_pages_are_accepted() {
    let spec = oci_compat::spec::parse(example("oci-compat-spec.5").as_bytes()).expect("a spec");
    assert_eq!(oci_compat::author::lint::lint(&spec), []);
    let reading = Policy::default_policy().overlay(&example("oci-compat-config.5"), "config.toml");
    assert_eq!(reading.problems, []);
    let path = |page: &str, pointer: &str| {
        let shown: Value = serde_json::from_str(&example(page)).expect("JSON");
        shown.pointer(pointer).and_then(Value::as_str).expect("a path").to_owned()
    };
    let hook = path("oci-compat-hook.8", "/hooks/createRuntime/0/path");
    assert_eq!(hook, "/usr/local/libexec/oci/hooks.d/oci-compat-hook");
    let wrapper = path("oci-compat-runtime.8", "/runtimes/oci-compat/path");
    assert_eq!(wrapper, "/usr/local/bin/oci-compat-runtime");
}

/// Options and statuses as `oci-compat-hook --help` tells them.
fn help() -> (Entries, Entries) {
    let mut command = in_folder(&ours("oci-compat-hook"), Path::new("/"));
    let Ran { status, stdout, .. } = ran(command.arg("--help").stdin(Stdio::null()));
    assert_eq!(status, 0);
    let pair = |(name, meaning): (&str, &str)| (name.trim().to_owned(), meaning.trim().to_owned());
    let options = stdout.lines().filter(|it| it.starts_with("  --"));
    let options = options.map(|it| pair(it.trim_start().split_once("  ").expect("a meaning"))).collect();
    let statuses = stdout.lines().find_map(|it| it.strip_prefix("Exit status: ")).expect("statuses");
    let statuses = statuses.split("; ").map(|it| pair(it.split_once(' ').expect("a meaning"))).collect();
    (options, statuses)
}

/// The paragraphs of a section that have a tag.
fn entries(page: &str, section: &str) -> Entries {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/man").join(page).with_extension("8");
    let text = fs::read_to_string(file).expect("a man page").replace("\\-", "-");
    let (_, rest) = text.split_once(&format!(".SH {section}\n")).expect("a section");
    let section = rest.split(".SH ").next().expect("a section").split(".PP\n").next().expect("a paragraph");
    let tagged = section.split(".TP\n").skip(1).map(|it| {
        let (tag, meaning) = it.split_once('\n').expect("a meaning");
        let tag = tag.trim_start_matches(".BR ").trim_start_matches(".B ").replace('"', "");
        (tag.replace("  ", " "), meaning.trim_end().to_owned())
    });
    tagged.collect()
}
