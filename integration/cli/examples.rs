//! The examples in the help of each command, and in the man pages, do what they say.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use super::help::COMMANDS;
use super::pull::{artifact, stocked};
use super::{SPEC, folder, log, prints, run, write};
use crate::command::{make_program, program, ran};

/// The examples in the order in which they are typed, each with its status, and with something that it prints or writes.
const RUN: &[(&str, i32, &str)] = &[
    ("oci-compat init", 0, "  kernel-module [NAME] "),
    ("oci-compat init kernel-module gtp5g -o first.yaml", 0, ""),
    ("oci-compat lint first.yaml", 0, "1 file: 0 errors, 0 warnings\n"),
    ("oci-compat check --spec first.yaml", 3, "undecided\n"),
    ("oci-compat check --spec upf.yaml", 0, "compatible\n"),
    ("oci-compat probe kernel.version", 0, "5.4.0-200-generic"),
    ("oci-compat probe --format json > node7.json", 0, "\"kernel.version\""),
    ("oci-compat check --spec upf.yaml --facts node7.json", 0, "compatible\n"),
    ("oci-compat lint upf.yaml", 0, "1 file: 0 errors, "),
    ("oci-compat lint --fix specs", 0, "1 fixed\n"),
    ("oci-compat lint --format sarif specs > lint.sarif", 0, "2.1.0"),
    ("oci-compat convert --to v1alpha1 upf.yaml > nfd.yaml", 0, "version: v1alpha1"),
    ("oci-compat test upf.test.yaml", 0, "1 host: 0 failed\n"),
    ("oci-compat test --format junit specs > junit.xml", 0, "<testsuites"),
    ("oci-compat explain module-not-loaded", 0, "modprobe"),
    ("oci-compat explain 78", 0, "refused"),
    ("oci-compat explain kernel.config", 0, "kernel.config (attributes)\n"),
    ("oci-compat explain upf.yaml", 0, "kernel"),
    ("oci-compat why", 0, "container upf-1\n"),
    ("oci-compat why upf-1", 0, "container upf-1\n"),
    ("oci-compat log --since 2h", 0, "no decisions\n"),
    ("oci-compat log --summary", 0, "3 decisions, on 2 images"),
    ("oci-compat attach registry.example/acme/upf:1 upf.yaml", 0, "attached artifact "),
    ("oci-compat pull registry.example/acme/upf:1", 0, "1 artifact stored\n"),
    ("oci-compat pull --from-engine all", 0, "0 images: "),
    ("oci-compat check registry.example/acme/upf:1", 0, "compatible: image "),
    ("oci-compat check registry.example/acme/upf:1 --remote", 0, "compatible: image "),
    ("oci-compat check --from-engine all", 0, ""),
    ("oci-compat select registry.example/acme/upf:1", 0, "sha256:"),
    ("oci-compat select index.json --facts node7.json", 0, "sha256:"),
    ("oci-compat show registry.example/acme/upf:1", 0, "kernel"),
    ("oci-compat show registry.example/acme/upf:1 --remote", 0, "kernel"),
    ("oci-compat list", 0, "no signature verified"),
    ("oci-compat list --format json registry.example/acme/upf:1", 0, "\"artifacts\""),
    ("oci-compat store add upf.yaml --subject \"$digest\"", 0, "added artifact "),
    ("oci-compat store export artifacts.tar", 0, ""),
    ("oci-compat store import artifacts.tar", 0, ""),
    ("oci-compat store add artifacts.tar", 0, "already there: artifact "),
    ("oci-compat store recompile", 0, " compiled\n"),
    ("oci-compat store gc --superseded", 0, ""),
    ("oci-compat store verify", 0, ""),
    ("oci-compat remove registry.example/acme/upf:1", 0, "removed"),
    ("oci-compat convert --to oci-compat/v1 preflight.yaml > new.yaml", 0, "version: "),
    ("oci-compat config check", 0, "mode"),
    ("oci-compat install docker --default", 0, "daemon.json"),
    ("oci-compat install containerd --print", 0, "containerd"),
    ("oci-compat install containerd --remove", 0, ""),
    ("oci-compat uninstall", 0, "daemon.json"),
    ("oci-compat status", 1, "not in force"),
    ("source <(oci-compat completions bash)", 0, ""),
    ("oci-compat man man1", 0, ""),
];

/// What keeps the examples off this host, by the words with which they begin.
const OPTIONS: &[(&str, &str)] = &[
    ("check registry.example/acme/upf:1 --remote", "--plain-http --config none --store store --root host"),
    ("check --spec upf.yaml --facts", ""),
    ("check", "--config none --store store --root host"),
    ("probe", "--root host"),
    ("why", "--reports reports --decisions d.jsonl"),
    ("log", "--file d.jsonl"),
    ("select index.json", "--config none --store store"),
    ("select", "--plain-http --config none --store store --root host"),
    ("attach", "--plain-http"),
    (
        "pull --from-engine",
        "--plain-http --config none --store store --engine-root host/var/lib/docker --engine-socket none",
    ),
    ("pull", "--plain-http --config none --store store"),
    ("show registry.example/acme/upf:1 --remote", "--plain-http --config none --store store"),
    ("config", "--config config.toml --no-images"),
    ("show", "--store store"),
    ("list", "--store store"),
    ("store", "--store store --config none"),
    ("remove", "--store store"),
    ("install", "--root root --program /usr/bin/oci-compat-runtime"),
    ("uninstall", "--root root"),
    ("status", "--root root"),
];

/// What all commands show in their help.
fn shown() -> BTreeSet<String> {
    let folder = folder();
    let mut shown = BTreeSet::new();
    for command in COMMANDS {
        shown.extend(examples(&run(&folder, &format!("{command} --help")).stdout));
    }
    shown
}

/// The lines to type that a help shows.
fn examples(help: &str) -> Vec<String> {
    let examples = help.split_once("\nExamples:\n").map_or("", |(_, examples)| examples);
    examples.lines().filter(|it| !it.starts_with("      ")).map(|it| it.trim().to_owned()).collect()
}

#[test]
fn every_example_of_the_help_works() {
    let typed: BTreeSet<_> = RUN.iter().map(|(line, ..)| (*line).to_owned()).collect();
    assert_eq!(shown(), typed);
    let (fake, image) = stocked();
    artifact(&fake, &image, SPEC, "2026-02-01T00:00:00Z");
    let folder = stage();
    let bin = program().parent().expect("a folder").display().to_string();
    let mut wrong = Vec::new();
    for (line, status, expected) in RUN {
        let mut bash = Command::new("bash");
        bash.env_clear().env("PATH", format!("{bin}:/usr/bin:/bin")).env("digest", image.to_string());
        let typed = apart(line).replace("registry.example", &fake.name());
        let done = ran(bash.current_dir(folder.path()).args(["--norc", "-c", &typed]));
        let written = line
            .split_once(" > ")
            .map(|(_, file)| fs::read_to_string(folder.path().join(file)).expect("what was written"));
        let found = format!("{}{}", done.stdout, written.unwrap_or_default());
        if done.status != *status || !found.contains(expected) {
            wrong.push(format!("{typed}: {done:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_man_page_has_the_examples_of_the_help() {
    let folder = folder();
    fs::create_dir(folder.path().join("man1")).expect("a folder");
    prints(&folder, "man man1", 0, "");
    for command in COMMANDS {
        let name = format!("oci-compat {command}").trim_end().replace(' ', "-");
        let page = fs::read_to_string(folder.path().join(format!("man1/{name}.1"))).expect("a page");
        let page = page.replace("\\-", "-");
        let examples = examples(&run(&folder, &format!("{command} --help")).stdout);
        let written = page.split_once("\n.SH EXAMPLES\n").map_or("", |(_, written)| written);
        let written: Vec<_> =
            written.lines().filter_map(|it| it.strip_prefix("\\fB")?.strip_suffix("\\fR")).collect();
        assert_eq!(written, examples, "{name}");
        assert!(page.contains("\n.SH \"SEE ALSO\"\n"), "{name}: {page}");
        assert_eq!(
            page.contains("\n.SH \"EXIT STATUS\"\n"),
            !["store", "config"].contains(command),
            "{name}"
        );
        assert!(!page.contains("oci-compat-help"), "{name}");
    }
}

/// A line with the options that keep it off this host.
fn apart(line: &str) -> String {
    let (call, rest) =
        line.split_once(" > ").map_or((line, String::new()), |(call, file)| (call, format!(" > {file}")));
    let words = call.trim_start_matches("oci-compat ");
    let options =
        OPTIONS.iter().find(|(start, _)| words.starts_with(start)).map_or("", |(_, options)| options);
    format!("{call} {options}{rest}")
}

/// A folder with all files that examples name.
fn stage() -> TempDir {
    let folder = folder();
    let test = "hosts: [{name: it, with: {kernel.version: {major: 5}}, verdict: compatible}]\n";
    for (path, text) in [
        ("upf.yaml", SPEC),
        ("upf.test.yaml", test),
        ("specs/upf.yaml", &SPEC.replace("op: In", "op: in")),
        ("specs/upf.test.yaml", test),
        ("preflight.yaml", PREFLIGHT),
        ("d.jsonl", log::DECISIONS),
        ("config.toml", "mode = \"audit\"\n"),
        ("root/etc/docker/daemon.json", "{}\n"),
        ("root/etc/containerd/config.toml", "version = 2\n"),
        ("root/usr/bin/dockerd", ""),
        ("host/proc/sys/kernel/arch", "x86_64\n"),
        ("host/var/lib/docker/image/overlay2/repositories.json", "{\"Repositories\": {}}"),
    ] {
        write(&folder, path, text);
    }
    make_program(&folder.path().join("root/usr/bin/oci-compat-runtime"), b"");
    let report = json!({"schema": "oci-compat.report/v1", "verdict": "incompatible", "action": "refuse",
        "subject": {"container": "upf-1"}, "specs": [],
        "reasons": [{"code": "module-not-loaded", "message": "kernel module gtp5g is not loaded"}]});
    write(&folder, "reports/upf-1.json", &report.to_string());
    fs::create_dir(folder.path().join("man1")).expect("a folder");
    write(&folder, "index.json", INDEX);
    folder
}

const PREFLIGHT: &str = "apiVersion: troubleshoot.sh/v1beta2
kind: HostPreflight
metadata: {name: upf}
spec:
  analyzers:
  - hostOS:
      outcomes:
      - pass: {when: \"kernel >= 5.4\", message: it is new enough}
      - fail: {message: the kernel is too old}
";
const INDEX: &str = r#"{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
    {"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 2, "platform": {"os": "linux", "architecture": "amd64"},
     "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}]}"#;
