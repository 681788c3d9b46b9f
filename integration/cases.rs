//! Runs `oci-compat` on hosts and specs of every kind. A case is a folder of `integration/cases`, named by what it shows:
//!
//! - `command`: the arguments, on one line; the program runs in (a copy of) the folder;
//! - `host/`: files of a host, with `note.txt` on which kind of machine it is modelled on, and `host.links`: its empty folders (`path/`) and
//!   symbolic links (`path -> target`), one a line;
//! - whatever else the command names, such as `spec.yaml` (of many, a link to `node.yaml`) and `facts.json`;
//! - `expected` (stdout), `expected.stderr` if there is any, and `status`. `BLESS=1` writes these anew.

use std::fmt::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::{env, fs};

use oci_compat::eval::CODES;
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{Ran, oci_compat};
use crate::schemas::Schema;

/// A case, ready to be run.
struct Case {
    name: String,
    source: PathBuf,
    args: Vec<String>,
    folder: TempDir,
}

#[test]
fn every_case_ends_as_expected() {
    let mut wrong = String::new();
    for case in cases() {
        let ran = case.run(&case.args);
        if env::var_os("BLESS").is_some() {
            case.bless(&ran);
        } else if ran != case.expected() {
            let expected = case.expected();
            writeln!(wrong, "\n{}:\n{}instead of\n{}", case.name, shown(&ran), shown(&expected))
                .expect("a string");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_report_is_as_its_schema_says() {
    let schema = Schema::report();
    for case in cases() {
        let report = case.report(&case.args);
        assert_eq!(schema.complaint(&report), "", "{}: {report:#}", case.name);
    }
}

#[test]
fn facts_that_were_taken_say_what_the_host_itself_says() {
    let schema = Schema::facts();
    for case in cases().into_iter().filter(|it| it.args.iter().any(|arg| arg == "--root")) {
        let taken = case.run(&["probe", "--root", "host", "--format", "json"].map(str::to_owned));
        assert_eq!((taken.status, taken.stderr.as_str()), (0, ""), "{}", case.name);
        let facts = serde_json::from_str(&taken.stdout).expect("facts are JSON");
        assert_eq!(schema.complaint(&facts), "", "{}: {facts:#}", case.name);
        fs::write(case.folder.path().join("taken.json"), taken.stdout).expect("writing facts");
        let on_facts = case.args.iter().map(|it| match it.as_str() {
            "--root" => "--facts".to_owned(),
            "host" => "taken.json".to_owned(),
            other => other.to_owned(),
        });
        let report = case.report(&on_facts.collect::<Vec<_>>());
        assert_eq!(format!("{report:#}"), format!("{:#}", case.report(&case.args)), "{}", case.name);
    }
}

#[test]
fn facts_in_the_shape_of_nfd_have_no_more_than_nfd_knows() {
    let case = case("an-export-of-node-feature-discovery-serves-as-facts");
    let exported = fs::read(case.source.join("facts.json")).expect("facts");
    let exported: Value = serde_json::from_slice(&exported).expect("facts are JSON");
    let fields = exported.as_object().expect("an object").keys().collect::<Vec<_>>();
    assert_eq!(fields, ["attributes", "flags", "instances"]);
}

#[test]
fn the_cases_show_most_codes() {
    let shown: String = cases().iter().map(|it| it.expected().stdout).collect();
    let codes = CODES
        .iter()
        .filter(|(code, ..)| code.is_of_rules())
        .map(|(_, name, _)| *name)
        .chain(["spec-malformed"]);
    let never: Vec<_> = codes.filter(|it| *it != "met" && !shown.contains(&format!("[{it}]"))).collect();
    assert_eq!(never, Vec::<&str>::new());
}

fn cases() -> Vec<Case> {
    let entries = fs::read_dir(folder()).expect("the cases");
    let name = |it: fs::DirEntry| it.file_name().into_string().expect("a name of plain letters");
    let mut names: Vec<_> = entries.map(|it| name(it.expect("an entry"))).collect();
    names.sort_unstable();
    names.iter().map(|it| case(it)).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/cases")
}

fn case(name: &str) -> Case {
    let source = folder().join(name);
    let folder = tempfile::tempdir().expect("a temporary folder");
    copy(&source, folder.path());
    make_links(&source, &folder.path().join("host"));
    let command = fs::read_to_string(source.join("command")).expect(name);
    let args = command.split_whitespace().map(str::to_owned).collect();
    Case { name: name.to_owned(), source, args, folder }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            fs::create_dir(&target).expect("making a folder");
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("copying a file");
        }
    }
}

fn make_links(source: &Path, host: &Path) {
    let list = source.join("host.links");
    let lines = if list.is_file() { fs::read_to_string(list).expect("host.links") } else { String::new() };
    for line in lines.lines() {
        let (path, target) = line.split_once(" -> ").map_or((line, None), |(path, it)| (path, Some(it)));
        let path = host.join(path);
        match target {
            None => fs::create_dir_all(&path).expect(line),
            Some(target) => {
                fs::create_dir_all(path.parent().expect("a folder")).expect(line);
                symlink(target, &path).expect(line);
            }
        }
    }
}

impl Case {
    fn run(&self, args: &[String]) -> Ran {
        oci_compat(self.folder.path(), &args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The report as JSON, whatever form the case shows.
    fn report(&self, args: &[String]) -> Value {
        let mut args = args.to_vec();
        if !args.iter().any(|it| it == "--format") {
            args.extend(["--format", "json"].map(str::to_owned));
        }
        let ran = self.run(&args);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|err| panic!("{}: {err}: {ran:?}", self.name))
    }

    fn expected(&self) -> Ran {
        let read = |name: &str| fs::read_to_string(self.source.join(name)).expect(name);
        let is_silent = !self.source.join("expected.stderr").is_file();
        let stderr = if is_silent { String::new() } else { read("expected.stderr") };
        Ran { status: read("status").trim().parse().expect("a status"), stdout: read("expected"), stderr }
    }

    fn bless(&self, ran: &Ran) {
        let write = |name: &str, text: &str| fs::write(self.source.join(name), text).expect(name);
        write("status", &format!("{}\n", ran.status));
        write("expected", &ran.stdout);
        let stderr = self.source.join("expected.stderr");
        match ran.stderr.as_str() {
            "" if stderr.is_file() => fs::remove_file(stderr).expect("removing a file"),
            "" => {}
            text => write("expected.stderr", text),
        }
    }
}

fn shown(ran: &Ran) -> String {
    format!("{}{}status {}\n", ran.stdout, ran.stderr, ran.status)
}
