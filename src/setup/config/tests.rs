//! Configurations in temporary folders, and all messages about them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::image::Image;

/// 2032-01-01.
const NOW: Moment = (1_956_528_000, 0);

/// The inspection of these files of a folder, and its text with the folder taken out.
fn inspected(files: &[(&str, &str)]) -> (Inspection, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let name = folder.path().display().to_string();
    for (file, content) in files {
        let path = folder.path().join(file);
        let parent = path.parent().expect("a parent");
        fs::create_dir_all(parent).expect("making a fixture");
        fs::set_permissions(parent, Permissions::from_mode(0o755)).expect("changing a fixture");
        fs::write(&path, content.replace("DIR", &name)).expect("writing a fixture");
        let mode = if file.starts_with("bin/") { 0o755 } else { 0o644 };
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("changing a fixture");
    }
    let path = [folder.path().join("bin")];
    let inspection =
        inspect(&folder.path().join("config.toml"), &KnownMachine { path: &path, now: NOW, images: None });
    let text = text(&inspection).replace(&name, "DIR");
    (inspection, text)
}

/// The lines of the text above what is in force.
fn check(files: &[(&str, &str)], expected: &[&str]) {
    let (_, text) = inspected(files);
    let remarks: Vec<_> = text.lines().take_while(|it| !it.starts_with("in force")).collect();
    assert_eq!(remarks, expected, "{files:?}");
}

const DEFAULTS: &str = "  mode = \"enforce\"
  action.incompatible = \"refuse\"
  action.undecided = \"start\"
  action.malformed = \"refuse\"
  action.container_trouble = \"refuse\"
  action.trouble = \"start\"
  image_annotation = false
  may_waive.images = []
  tags = []
  deadline_ms = 60000
  disclose = false
  sensitive = \"any\"
  crun_stderr = true
  runtimes = [\"runc\",\"crun\"]
  requirements = \"DIR/requirements.d\"
  builds = \"skip\"
  implicit.program = \"refuse\"
  implicit.index = \"refuse\"
  implicit.nvidia = \"sensible\"
  log.decisions = \"/var/log/oci-compat/decisions.jsonl\"
  log.max_bytes = 10485760
  log.keep = 4
  log.journal = true
  log.syslog = true
";

#[test]
fn without_any_file_the_defaults_are_in_force() {
    let (inspection, text) = inspected(&[]);
    assert_eq!(text, format!("0 files: 0 errors, 0 warnings\nin force: the defaults\n{DEFAULTS}"));
    assert!(!inspection.broken);
}

#[test]
fn what_is_in_force_is_reported_with_the_file_that_says_so() {
    let waiver = "[[waiver]]\nrule = \"a\"\ncode = \"cpu-model\"\nimage = \"acme/upf\"\nreason = \"lab\"\nexpires = \"2033-01-01\"\n";
    let trust = "[trust.\"docker.io/*\"]\nrequire = \"signature\"\nkeys = [\"DIR/key.pub\"]\nverifier = [\"DIR/bin/cosign\", \"{image}\"]\n";
    let (_, text) = inspected(&[
        ("config.toml", &format!("mode = \"audit\"\n{waiver}")),
        ("config.toml.d/1.toml", &format!("mode = \"enforce\"\ntags = [\"gpu\"]\n{trust}")),
        (
            "requirements.d/1.toml",
            "images = [\"acme/*\", \"*\"]\nspec = \"{version: v1alpha1, compatibilities: []}\"",
        ),
        ("key.pub", "-----BEGIN PUBLIC KEY-----\n"),
        ("bin/cosign", ""),
    ]);
    let expected = DEFAULTS
        .replace("mode = \"enforce\"\n", "mode = \"enforce\"  DIR/config.toml.d/1.toml:1\n")
        .replace("tags = []\n", "tags = [\"gpu\"]    DIR/config.toml.d/1.toml:2\n");
    let lists = "  waiver for rule a, code cpu-model of image acme/upf, until 2033-01-01: lab (DIR/config.toml:2)\n  \
                 trust in docker.io/*: signature, keys DIR/key.pub, verifier DIR/bin/cosign {image} (DIR/config.toml.d/1.toml:3)\n  \
                 requirements for acme/*, * (DIR/requirements.d/1.toml)\n";
    assert_eq!(text, format!("2 files: 0 errors, 0 warnings\nin force\n{expected}{lists}"));
}

#[test]
fn every_error_of_every_file_is_reported_and_the_defaults_hold_in_audit_mode() {
    let (inspection, text) = inspected(&[
        ("config.toml", "mode = \"strict\"\ntags = 1\n"),
        ("config.toml.d/1.toml", "deadline_ms = 0\n[trust.x]\n"),
        ("requirements.d/1.toml", "images = [\"*\"]\nspec = \"{}\"\nspec_fil = \"x\""),
        ("requirements.d/2.toml", "images = [\"*\"]\nspec_file = \"2.yaml\""),
        ("requirements.d/2.yaml", "version: v1alpha1\n"),
        ("requirements.d/3.toml", "images = [\"*\"]\nspec = \"version: v1alpha1\""),
    ]);
    let errors = "DIR/config.toml:1:8: error: mode is \"strict\", has to be \"enforce\" or \"audit\" or \"off\"
DIR/config.toml:2:8: error: tags is 1, has to be a list of texts, such as [\"a\", \"b\"]
DIR/config.toml.d/1.toml:1:15: error: deadline_ms is 0, has to be a whole number of milliseconds from 1 to 240000
DIR/config.toml.d/1.toml:2:8: error: trust.\"x\" needs require: \"none\", \"signature\" or \"signed-spec\"
DIR/requirements.d/1.toml:3:1: error: there is no key spec_fil; did you mean spec_file?
DIR/requirements.d/2.yaml:1:1: error: a spec needs `compatibilities`, the list of alternatives
DIR/requirements.d/3.toml: error: its spec, at 1:1: a spec needs `compatibilities`, the list of alternatives
2 files: 7 errors, 0 warnings
in force, because of the errors: the defaults, in audit mode
";
    assert_eq!(text, format!("{errors}{}", DEFAULTS.replace("enforce", "audit")));
    assert!(inspection.broken);
}

#[test]
fn an_error_in_what_only_pull_reads_breaks_no_check() {
    let (inspection, _) = inspected(&[("config.toml", "tags = [\"a\"]\n[trust]\nx = 1\n")]);
    assert_eq!((inspection.broken, inspection.errors.len()), (false, 1));
    check(
        &[("config.toml", "mode = \n")],
        &[
            "DIR/config.toml:1:8: error: string values must be quoted, expected literal string",
            "1 file: 1 error, 0 warnings",
        ],
    );
}

#[test]
fn waivers_that_expired_or_match_nothing_or_everything_are_reported() {
    let waiver = |what: &str, expires: &str| {
        format!("[[waiver]]\n{what}\nimage = \"*\"\nreason = \"r\"\nexpires = \"{expires}\"\n")
    };
    let config = [
        waiver("rule = \"a\"", "2031-12-31"),
        waiver("rule = \"*\"", "never"),
        waiver("code = \"modul-not-loaded\"", "never"),
        waiver("rule = \"a\"", "2032-01-01"),
    ];
    check(
        &[("config.toml", &config.concat())],
        &[
            "DIR/config.toml:1:1: warning: the waiver held until 2031-12-31: renew or remove it",
            "DIR/config.toml:6:1: warning: the waiver is for every rule of every image: mode = \"audit\" says that better",
            "DIR/config.toml:11:1: warning: the waiver is for nothing: no rule fails with code \"modul-not-loaded\"; did you \
         mean module-not-loaded?",
            "1 file: 0 errors, 3 warnings",
        ],
    );
}

#[test]
fn files_that_are_named_and_not_there_are_reported() {
    let trust = "[trust.x]\nrequire = \"signature\"\nkeys = [\"DIR/gone.pub\", \"DIR/odd.pub\"]\nverifier = [\"DIR/gone\", \"{digest}\"]\n";
    check(
        &[("config.toml", trust), ("odd.pub", "x")],
        &[
            "DIR/config.toml:1:1: warning: key DIR/gone.pub is not there",
            "DIR/config.toml:1:1: warning: key DIR/odd.pub holds no public key in PEM: -----BEGIN PUBLIC KEY-----",
            "DIR/config.toml:1:1: warning: verifier DIR/gone is no program that can be run",
            "1 file: 0 errors, 3 warnings",
        ],
    );
    check(
        &[(
            "config.toml",
            "requirements = \"DIR/gone\"\nruntimes = [\"a\", \"DIR/bin/b\"]\ndeadline_ms = 100000",
        )],
        &[
            "DIR/config.toml:3:1: warning: a check may take 100000 ms, and runtimes end the hook after the timeout of its hook \
         file, 100 s as delivered: raise that, too",
            "DIR/config.toml:2:1: warning: none of the runtimes a, DIR/bin/b is there, and so the wrapper can become none",
            "DIR/config.toml:1:1: warning: DIR/gone is not there, so that nothing is demanded",
            "1 file: 0 errors, 3 warnings",
        ],
    );
    check(
        &[("config.toml", "runtimes = [\"a\", \"b\"]\n"), ("bin/b", "")],
        &["1 file: 0 errors, 0 warnings"],
    );
}

#[test]
fn a_file_that_others_can_write_is_reported() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("config.toml");
    fs::write(&path, "mode = \"audit\"").expect("writing a fixture");
    fs::set_permissions(&path, Permissions::from_mode(0o666)).expect("changing a fixture");
    let inspection = inspect(&path, &KnownMachine { path: &[], now: NOW, images: None });
    let name = path.display();
    let message = format!("has mode 0666, only its owner may write to it: chmod go-w {name}");
    assert_eq!(inspection.errors, [Remark::new(&path, None, &message)]);
    let told = text(&inspection);
    assert!(
        told.contains("\nin force, because of the errors: the defaults\n  mode = \"enforce\"\n"),
        "{told}"
    );
}

#[test]
fn a_folder_that_cannot_be_used_is_reported() {
    check(
        &[("requirements.d", "no folder")],
        &["DIR/requirements.d: error: is not a folder", "0 files: 1 error, 0 warnings"],
    );
    check(
        &[("config.toml/x", "")],
        &["DIR/config.toml: error: is not a regular file", "1 file: 1 error, 0 warnings"],
    );
}

#[test]
fn a_pattern_that_can_match_nothing_is_reported_with_its_place() {
    let waiver = "[[waiver]]\nrule = \"a\"\nimage = \"acme/upf:.1\"\nreason = \"lab\"\nexpires = \"never\"\n";
    check(
        &[
            (
                "config.toml",
                &format!(
                    "may_waive.images = [\"43fb6e399d5a\"]\n{waiver}[trust.\"quay.io/Acme/*\"]\nrequire = \"none\"\n"
                ),
            ),
            (
                "requirements.d/1.toml",
                "images = [\"quay.io\"]\nspec = \"{version: v1alpha1, compatibilities: []}\"",
            ),
        ],
        &[
            "DIR/config.toml:1:11: warning: the pattern \"43fb6e399d5a\" is read as docker.io/library/43fb6e399d5a: name an image by \
             sha256: and all digits of its ID, or of its manifest's digest",
            "DIR/config.toml:2:1: warning: the pattern \"acme/upf:.1\" can match nothing: \".1\" is no tag: up to 128 of a-z, A-Z, \
             0-9, '_', '.' and '-', neither '.' nor '-' first",
            "DIR/config.toml:7:1: warning: the pattern \"quay.io/Acme/*\" can match nothing: \"Acme/*\" has upper-case letters, \
             which a repository never has",
            "DIR/requirements.d/1.toml: warning: the pattern \"quay.io\" is read as docker.io/library/quay.io: for all of a registry \
             write quay.io/*",
            "1 file: 0 errors, 4 warnings",
        ],
    );
}

#[test]
fn each_pattern_is_reported_with_the_images_that_it_fits() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("config.toml");
    let written = "may_waive.images = [\"docker.io/nginx\", \"quay.io/*\", \"*\", \"sha256:DIGEST\", \"docker.io/acme/upf:1\"]";
    let hex = "a".repeat(64);
    fs::write(&path, written.replace("DIGEST", &hex)).expect("writing a fixture");
    fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("changing a fixture");
    let image = |names: &[&str]| Image {
        names: names.iter().map(|it| (*it).to_owned()).collect(),
        digests: Vec::new(),
    };
    let mut images = vec![image(&["nginx:1"]), image(&["acme/upf:2", "acme/upf:1"])];
    images[1].digests.push(format!("sha256:{hex}").parse().expect("a digest"));
    let told = |images: Vec<Image>, silent: &[&str]| {
        let silent = silent.iter().map(|it| (*it).to_owned()).collect();
        let local = LocalImages { images, silent };
        let page = text(&inspect(&path, &KnownMachine { path: &[], now: NOW, images: Some(&local) }));
        let from =
            page.find("log.syslog").and_then(|it| Some(it + page[it..].find('\n')? + 1)).expect("settings");
        page[from..].replace(&folder.path().display().to_string(), "DIR")
    };
    let expected = "2 images on this host
  docker.io/nginx fits 1: nginx:1 (DIR/config.toml:1)
  quay.io/* fits none (DIR/config.toml:1)
  * fits 2: nginx:1, acme/upf:2 (DIR/config.toml:1)
  sha256:DIGEST fits 1: acme/upf:2 (DIR/config.toml:1)
  docker.io/acme/upf:1 fits 1: acme/upf:1 (DIR/config.toml:1)
";
    assert_eq!(told(images.clone(), &[]), expected.replace("DIGEST", &hex));
    images.extend((0..5).map(|it| image(&[&format!("quay.io/x:{it}")])));
    let many = told(images, &["containerd does not answer"]);
    assert!(many.starts_with(
        "not all images of this host are known: containerd does not answer\n7 images on this host\n"
    ));
    assert!(many.contains(
        "  * fits 7: nginx:1, acme/upf:2, quay.io/x:0, quay.io/x:1, quay.io/x:2, 2 more (DIR/config.toml:1)\n"
    ));
    assert_eq!(told(Vec::new(), &[]), "0 images on this host\n");
}
