//! The choice of the runtime, from folders with various programs.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// Folders `a`, `b`, ... of a `PATH`; programs are their own names.
struct RuntimeFixture(tempfile::TempDir);

impl RuntimeFixture {
    fn new(programs: &[&str]) -> Self {
        let machine = Self(tempfile::tempdir().expect("a temporary folder"));
        for program in programs {
            let path = machine.place(program);
            fs::create_dir_all(path.parent().expect("a parent")).expect("making a folder");
            fs::write(&path, program).expect("writing a program");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("making it executable");
        }
        machine
    }

    /// The same file under another name.
    fn link(self, program: &str, other: &str) -> Self {
        let other = self.place(other);
        fs::create_dir_all(other.parent().expect("a parent")).expect("making a folder");
        symlink(self.place(program), &other).expect("linking a program");
        self
    }

    fn place(&self, program: &str) -> PathBuf {
        self.0.path().join(program)
    }

    /// The wrapper at `own`, called as `called`, with the folders of `path`.
    fn choice(&self, own: &str, called: &str, path: &[&str]) -> RuntimeChoice {
        let (name, is_strict) = strictness(called.as_ref());
        RuntimeChoice {
            name,
            is_strict,
            folders: path.iter().map(|it| self.place(it)).collect(),
            link: self.place("var/runtime"),
            own: identity(&self.place(own)),
        }
    }

    /// The programs that would be tried, in turn.
    fn tried(&self, choice: &RuntimeChoice) -> Vec<String> {
        let names = choice.names();
        let there = choice.candidates(&names).filter(|it| is_program(it));
        there.map(|it| it.strip_prefix(self.0.path()).unwrap_or(&it).display().to_string()).collect()
    }

    fn settle(&self, choice: &RuntimeChoice, wanted: &[&str]) -> Result<(), String> {
        let wanted: Vec<_> = wanted
            .iter()
            .map(|it| PathBuf::from(it.replace("DIR", &self.place("").display().to_string())))
            .collect();
        choice
            .settle(&wanted)
            .map_err(|err| format!("{err:#}").replace(&self.place("").display().to_string(), "DIR/"))
    }
}

const NONE: [&str; 0] = [];

#[test]
fn the_first_name_that_is_anywhere_in_path_is_the_runtime() {
    let machine = RuntimeFixture::new(&["a/crun", "b/runc", "b/youki", "c/runc", "b/oci-compat-runtime"]);
    let choice = machine.choice("b/oci-compat-runtime", "oci-compat-runtime", &["a", "b", "c"]);
    assert_eq!(machine.tried(&choice), ["b/runc", "c/runc", "a/crun", "b/youki"]);
    let choice = machine.choice("b/oci-compat-runtime", "oci-compat-runtime", &["a"]);
    assert_eq!(machine.tried(&choice), ["a/crun"]);
    let choice = machine.choice("b/oci-compat-runtime", "oci-compat-runtime", &[]);
    assert_eq!(machine.tried(&choice), NONE);
}

#[test]
fn the_name_by_which_it_is_called_may_say_which() {
    let machine = RuntimeFixture::new(&["a/crun", "a/runc", "a/kata", "a/oci-compat-runtime"]);
    let check = |called: &str, expected: &[&str]| {
        let choice = machine.choice("a/oci-compat-runtime", called, &["a"]);
        assert_eq!(machine.tried(&choice), expected, "{called}");
    };
    check("oci-compat-runtime-crun", &["a/crun"]);
    check("oci-compat-runtime-kata", &["a/kata"]);
    check("oci-compat-runtime-youki", &NONE);
    check("oci-compat-runtime-", &["a/runc", "a/crun"]);
    check("crun", &["a/crun", "a/runc"]);
    check("kata", &["a/kata", "a/runc", "a/crun"]);
    check("compat", &["a/runc", "a/crun"]);
    check("", &["a/runc", "a/crun"]);
}

#[test]
fn the_name_by_which_it_is_called_may_say_that_it_is_strict() {
    let check = |called: &str, name: &str, is_strict: bool| {
        assert_eq!(strictness(called.as_ref()), (name.into(), is_strict), "{called}");
    };
    check("oci-compat-runtime", "oci-compat-runtime", false);
    check("oci-compat-runtime-crun", "oci-compat-runtime-crun", false);
    check("oci-compat-runtime-strict", "oci-compat-runtime", true);
    check("oci-compat-runtime-strict-crun", "oci-compat-runtime-crun", true);
    check("oci-compat-runtime-strictly", "oci-compat-runtime-strictly", false);
    check("oci-compat-runtime-crun-strict", "oci-compat-runtime-crun-strict", false);
    check("strict", "strict", false);
}

#[test]
fn it_never_becomes_itself() {
    let machine = RuntimeFixture::new(&["x/oci-compat-runtime", "c/runc"])
        .link("x/oci-compat-runtime", "a/runc")
        .link("a/runc", "b/crun");
    for called in ["runc", "crun", "oci-compat-runtime", "oci-compat-runtime-runc"] {
        let choice = machine.choice("x/oci-compat-runtime", called, &["a", "b", "c"]);
        assert_eq!(machine.tried(&choice), ["c/runc"], "{called}");
    }
    let alone = machine.choice("x/oci-compat-runtime", "runc", &["a", "b"]);
    assert_eq!(machine.tried(&alone), NONE);
}

#[test]
fn two_of_them_in_a_runtimes_place_never_become_each_other_for_ever() {
    let machine = RuntimeFixture::new(&["a/runc", "b/runc", "b/crun", "c/runc"]);
    let path = ["a", "b", "c"];
    assert_eq!(machine.tried(&machine.choice("a/runc", "runc", &path)), ["b/runc", "c/runc", "b/crun"]);
    assert_eq!(machine.tried(&machine.choice("b/runc", "runc", &path)), ["c/runc"]);
    assert_eq!(machine.tried(&machine.choice("c/runc", "runc", &path)), NONE);
}

#[test]
fn folders_that_depend_on_the_working_directory_are_passed_over() {
    let choice = |path: Option<&str>| RuntimeChoice::new("runc".as_ref(), path.map(OsStr::new), None);
    let folders =
        |path| choice(path).folders.iter().map(|it| it.display().to_string()).collect::<Vec<_>>().join(":");
    assert_eq!(folders(None), file::PATH);
    assert_eq!(folders(Some("")), file::PATH);
    assert_eq!(folders(Some(":/a::.:b:../c:/d/e")), format!("/a:/d/e:{}", file::PATH));
}

#[test]
fn the_configuration_is_settled_by_a_link() {
    let machine = RuntimeFixture::new(&["a/runc", "b/crun", "c/kata", "a/oci-compat-runtime"]);
    let choice = machine.choice("a/oci-compat-runtime", "oci-compat-runtime", &["a", "b"]);
    let check = |wanted: &[&str], expected: &[&str]| {
        assert_eq!(machine.settle(&choice, wanted), Ok(()), "{wanted:?}");
        assert_eq!(machine.tried(&choice), expected, "{wanted:?}");
    };
    check(&["runc", "crun"], &["a/runc", "b/crun"]);
    assert!(!machine.place("var").exists(), "what holds anyway needs no link");
    check(&["crun", "runc"], &["b/crun", "a/runc", "b/crun"]);
    check(&["crun", "runc"], &["b/crun", "a/runc", "b/crun"]);
    check(&["kata", "crun"], &["b/crun", "a/runc", "b/crun"]);
    check(&["DIRc/kata"], &["c/kata", "a/runc", "b/crun"]);
    assert_eq!(fs::read_dir(machine.place("var")).expect("a folder").count(), 1);
    check(&["runc", "crun"], &["a/runc", "b/crun"]);
    assert_eq!(fs::read_dir(machine.place("var")).expect("a folder").count(), 0);
    assert!(unlink(&machine.place("var/runtime")).is_ok(), "another wrapper was faster");
}

#[test]
fn what_cannot_be_settled_leaves_all_as_it_is() {
    let machine = RuntimeFixture::new(&["a/runc", "b/crun", "a/oci-compat-runtime", "var"]);
    let choice = machine.choice("a/oci-compat-runtime", "oci-compat-runtime", &["a", "b"]);
    let opening = "runtimes in the configuration is not heeded:";
    assert_eq!(
        machine.settle(&choice, &["crun"]),
        Err(format!("{opening} link DIR/var/runtime is there already"))
    );
    assert_eq!(
        machine.settle(&choice, &["kata", "DIRx"]),
        Err(format!("{opening} there is no kata, no DIR/x"))
    );
    assert_eq!(
        machine.settle(&choice, &["DIRa/oci-compat-runtime"]),
        Err(format!("{opening} there is no DIR/a/oci-compat-runtime"))
    );
    assert_eq!(machine.tried(&choice), ["a/runc", "b/crun"]);
    let named = machine.choice("a/oci-compat-runtime", "oci-compat-runtime-runc", &["a", "b"]);
    assert_eq!(machine.settle(&named, &["crun"]), Ok(()), "a name says more than the configuration");
}

#[test]
fn a_link_that_leads_nowhere_or_back_is_passed_over() {
    let machine =
        RuntimeFixture::new(&["a/runc", "a/oci-compat-runtime"]).link("a/oci-compat-runtime", "var/runtime");
    let choice = machine.choice("a/oci-compat-runtime", "oci-compat-runtime", &["a"]);
    assert_eq!(machine.tried(&choice), ["a/runc"]);
    for target in ["relative", "/nowhere/at/all"] {
        fs::remove_file(machine.place("var/runtime")).expect("removing a link");
        symlink(target, machine.place("var/runtime")).expect("linking");
        assert_eq!(machine.tried(&choice), ["a/runc"], "{target}");
    }
}

#[test]
fn a_link_of_its_own_leads_a_named_wrapper_to_a_program_outside_of_path() {
    let machine = RuntimeFixture::new(&["own/oci-compat-runtime", "opt/nvidia", "bin/nvidia", "bin/runc"])
        .link("opt/nvidia", "var/runtime-nvidia");
    let named = machine.choice("own/oci-compat-runtime", "oci-compat-runtime-nvidia", &["bin"]);
    assert_eq!(machine.tried(&named), ["opt/nvidia", "bin/nvidia"]);
    let plain = machine.choice("own/oci-compat-runtime", "oci-compat-runtime", &["bin"]);
    assert_eq!(machine.tried(&plain), ["bin/runc"]);
    let other = machine.choice("own/oci-compat-runtime", "oci-compat-runtime-crun", &["bin"]);
    assert_eq!(machine.tried(&other), [] as [&str; 0]);
}
