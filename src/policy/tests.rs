//! Configurations, and the expected results.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use super::load::MAX_FILE;
use super::*;
use crate::image::Image;

/// The defaults, with what a configuration says taken over.
fn policy(text: &str) -> Policy {
    let mut policy = Policy::default_policy();
    assert_eq!(policy.overlay(text, "config.toml").problems, [], "{text:?}");
    policy
}

fn check(text: &str, situation: Situation, action: Action) {
    assert_eq!(policy(text).action(situation), action, "{text:?}, {situation:?}");
}

#[test]
fn the_defaults_are_those_of_the_documentation() {
    check("", Situation::NoRequirements, Action::Start);
    check("", Situation::Judged(Verdict::Compatible), Action::Start);
    check("", Situation::Judged(Verdict::Incompatible), Action::Refuse);
    check("", Situation::Judged(Verdict::Undecided), Action::Start);
    check("", Situation::Malformed, Action::Refuse);
    check("", Situation::Container, Action::Refuse);
    check("", Situation::Trouble, Action::Start);
}

#[test]
fn a_file_changes_what_it_names() {
    check("action.undecided = \"refuse\"", Situation::Judged(Verdict::Undecided), Action::Refuse);
    check("action.container_trouble = \"start\"", Situation::Container, Action::Start);
    check("[action]\ntrouble = \"refuse\"", Situation::Trouble, Action::Refuse);
    check("[action]\nincompatible = \"start\"", Situation::Judged(Verdict::Incompatible), Action::Start);
}

#[test]
fn audit_and_off_never_refuse() {
    for mode in ["audit", "off"] {
        let text = format!("mode = \"{mode}\"\naction.trouble = \"refuse\"");
        check(&text, Situation::Judged(Verdict::Incompatible), Action::Start);
        check(&text, Situation::Malformed, Action::Start);
        check(&text, Situation::Trouble, Action::Start);
    }
}

#[test]
fn what_audit_would_do_is_known() {
    let audit = policy("mode = \"audit\"");
    assert_eq!(audit.action(Situation::Malformed), Action::Start);
    assert_eq!(audit.intention(Situation::Malformed), Action::Refuse);
}

#[test]
fn every_key_is_taken_over() {
    let text = "mode = \"off\"\nimage_annotation = true\ntags = [\"gpu\"]\ndeadline_ms = 7\ndisclose = true\n\
                sensitive = \"verified\"\ncrun_stderr = true\nruntimes = [\"youki\", \"/opt/runc\"]\nrequirements = \"/r\"\nbuilds = \"check\"\n\
                may_waive.images = [\"acme/*\"]\nimplicit = {program = \"warn\", nvidia = \"strict\"}\n[log]\ndecisions = false\nmax_bytes = 65_536\nkeep = 0\njournal = false\n\
                syslog = false\n";
    let expected = Policy {
        mode: Mode::Off,
        image_annotation: true,
        tags: vec!["gpu".to_owned()],
        deadline: Duration::from_millis(7),
        disclose: true,
        sensitive: Sensitive::Verified,
        crun_stderr: true,
        runtimes: vec![PathBuf::from("youki"), PathBuf::from("/opt/runc")],
        requirements: Some(PathBuf::from("/r")),
        builds: Builds::Check,
        program: Implied::Warn,
        nvidia: Nvidia::Strict,
        may_waive: vec![ImagePattern::parse("acme/*").expect("a pattern")],
        log: LogSettings { decisions: None, max_bytes: 65_536, keep: 0, journal: false, syslog: false },
        ..Policy::default_policy()
    };
    assert_eq!(policy(text), expected);
    assert_eq!(policy("requirements = false").requirements, None);
}

/// All that is wrong with a configuration.
fn check_wrong(text: &str, expected: &[&str]) {
    let problems = Policy::default_policy().overlay(text, "config.toml").problems;
    assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), expected, "{text:?}");
}

#[test]
fn what_is_wrong_with_a_value_is_reported_with_its_place() {
    check_wrong(
        "mode = \"strict\"",
        &["1:8: mode is \"strict\", has to be \"enforce\" or \"audit\" or \"off\""],
    );
    check_wrong("mode = true", &["1:8: mode is true, has to be \"enforce\" or \"audit\" or \"off\""]);
    check_wrong(
        "action.trouble = \"stop\"",
        &["1:18: action.trouble is \"stop\", has to be \"refuse\" or \"start\""],
    );
    check_wrong("action = 1", &["1:10: action is 1, has to be a table"]);
    let milliseconds = "has to be a whole number of milliseconds from 1 to 240000";
    for (value, shown) in [("\"2s\"", "\"2s\""), ("0", "0"), ("-1", "-1"), ("0.5", "a fraction")] {
        check_wrong(
            &format!("deadline_ms = {value}"),
            &[&format!("1:15: deadline_ms is {shown}, {milliseconds}")],
        );
    }
    check_wrong("tags = [\"a\", 1]", &["1:14: an item of tags is 1, has to be text in quotes"]);
    check_wrong("tags = \"a\"", &["1:8: tags is \"a\", has to be a list of texts, such as [\"a\", \"b\"]"]);
    check_wrong(
        "requirements = \"r\"",
        &["1:16: requirements is \"r\", has to be an absolute path in quotes"],
    );
    check_wrong(
        "log.decisions = true",
        &["1:17: log.decisions is true, has to be an absolute path in quotes, or false for none"],
    );
    check_wrong(
        "runtimes = [\"./runc\"]",
        &["1:13: an item of runtimes is \"./runc\", has to be a name or an absolute path"],
    );
    check_wrong(
        "runtimes = []",
        &["1:12: runtimes is an empty list, has to name a low-level runtime, such as \"runc\""],
    );
    check_wrong(
        "may_waive.images = [\"a b\"]",
        &["1:21: may_waive.images: the pattern \"a b\" has ' ', which no image name has"],
    );
}

#[test]
fn an_unknown_key_is_reported_with_the_nearest_one() {
    check_wrong("\nmod = \"audit\"", &["2:1: there is no key mod; did you mean mode?"]);
    check_wrong(
        "[action]\nincompatable = 1",
        &["2:1: there is no key action.incompatable; did you mean action.incompatible?"],
    );
    check_wrong(
        "undecided = \"refuse\"",
        &["1:1: there is no key undecided; did you mean action.undecided?"],
    );
    check_wrong(
        "x = 1",
        &[
            "1:1: there is no key x; there are mode, action.incompatible, action.undecided, action.malformed, action.container_trouble, action.trouble, \
           image_annotation, may_waive.images, tags, deadline_ms, disclose, sensitive, crun_stderr, runtimes, requirements, builds, \
           implicit.program, implicit.index, implicit.nvidia, log.decisions, log.max_bytes, log.keep, log.journal, log.syslog, waiver, prefer, trust",
        ],
    );
}

#[test]
fn all_that_is_wrong_is_reported_and_the_rest_is_read() {
    check_wrong(
        "modes = 1\nmode = \"x\"\ndeadline_ms = 0",
        &[
            "1:1: there is no key modes; did you mean mode?",
            "2:8: mode is \"x\", has to be \"enforce\" or \"audit\" or \"off\"",
            "3:15: deadline_ms is 0, has to be a whole number of milliseconds from 1 to 240000",
        ],
    );
    check_wrong(
        "mode = \ndeadline_ms = 0",
        &[
            "1:8: string values must be quoted, expected literal string",
            "2:15: deadline_ms is 0, has to be a whole number of milliseconds from 1 to 240000",
        ],
    );
}

#[test]
fn waivers_add_up_and_say_where_they_come_from() {
    let text = "[[waiver]]\nrule = \"gtp5g*\"\nimage = \"docker.io/acme/upf:1.*\"\nreason = \"old driver\"\n\
                expires = \"2031-12-31\"\n\n[[waiver]]\ncode = \"module-not-loaded\"\nimage = \"*\"\nreason = \"lab\"\n\
                expires = \"never\"\n";
    let mut policy = policy(text);
    assert_eq!(policy.overlay(text, "b.toml").problems, []);
    let told: Vec<_> =
        policy.waivers.iter().map(|it| format!("{} {} {}", it.from, it.image.text(), it.until())).collect();
    assert_eq!(
        told,
        [
            "config.toml:1 docker.io/acme/upf:1.* until 2031-12-31",
            "config.toml:7 * without end",
            "b.toml:1 docker.io/acme/upf:1.* until 2031-12-31",
            "b.toml:7 * without end",
        ]
    );
}

#[test]
fn a_waiver_says_which_rules_of_which_images_until_when_and_why() {
    let wrong = |expires: &str| {
        format!("[[waiver]]\nrule = \"*\"\nimage = \"*\"\nreason = \"r\"\nexpires = {expires}")
    };
    check_wrong(
        "[[waiver]]\nimages = \"*\"",
        &[
            "1:1: a waiver needs rule: the name of a rule, * for all; or its id; or code, such as code = \"module-not-loaded\"",
            "1:1: a waiver needs image: a pattern of images, \"*\" for all",
            "1:1: a waiver needs reason: why it was granted, for whoever meets it later",
            "1:1: a waiver needs expires: a date such as \"2031-12-31\", or \"never\"",
            "2:1: there is no key images; did you mean image?",
        ],
    );
    let moment = "a date such as \"2031-12-31\", a moment such as \"2031-12-31T12:00:00Z\", or \"never\"";
    check_wrong(&wrong("\"soon\""), &[&format!("5:11: expires is \"soon\", has to be {moment}")]);
    check_wrong(&wrong("\"2031-02-29\""), &[&format!("5:11: expires is \"2031-02-29\", has to be {moment}")]);
    check_wrong(&wrong("12:00:00"), &[&format!("5:11: expires is the moment 12:00:00, has to be {moment}")]);
    check_wrong(&wrong("2031-12-31"), &[]);
    check_wrong(&wrong("\"2031-12-31T12:00:00+01:00\""), &[]);
    check_wrong(
        "waiver = 1",
        &["1:10: waiver is 1, has to be a list of tables, each under a line [[waiver]]"],
    );
    check_wrong(
        "[waiver]",
        &["1:1: waiver is a table, has to be a list of tables, each under a line [[waiver]]"],
    );
}

#[test]
fn a_waiver_holds_through_its_last_day_in_utc() {
    let text = "[[waiver]]\nrule = \"*\"\nimage = \"*\"\nreason = \"r\"\nexpires = \"1970-01-01\"";
    let policy = policy(text);
    let is_over = |now| policy.waivers.iter().any(|it| it.is_over(|| now));
    assert_eq!([is_over((86_399, 999)), is_over((86_400, 0))], [false, true]);
}

#[test]
fn a_waiver_of_a_code_is_for_rules_that_fail_with_nothing_else() {
    let text = "[[waiver]]\ncode = \"a\"\nimage = \"acme/upf\"\nreason = \"r\"\nexpires = \"never\"";
    let policy = policy(text);
    let waiver = policy.waivers.first().expect("a waiver");
    let image = Image { names: vec!["docker.io/acme/upf:1".to_owned()], digests: Vec::new() };
    assert!(waiver.concerns(RuleName { name: "any", id: "" }, ["a", "a"]));
    assert!(!waiver.concerns(RuleName { name: "any", id: "" }, ["a", "b"]));
    assert_eq!([&image, &Image::default()].map(|it| waiver.image.matches(it)), [true, false]);
}

#[test]
fn trust_is_left_to_pulling() {
    check_wrong("[trust.x]\nrequire = 1\nnonsense = 2", &[]);
}

/// What comes of a configuration and drop-ins, with the folder taken out, after `change`.
fn loaded_after(
    files: &[(&str, &[u8])],
    defaults: Defaults,
    change: impl Fn(&Path),
) -> (Policy, Option<String>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let etc = folder.path().join("etc");
    for (name, text) in files {
        let path = etc.join(name);
        let parent = path.parent().expect("a parent");
        fs::create_dir_all(parent).expect("making a folder");
        // Whatever the umask.
        fs::set_permissions(parent, Permissions::from_mode(0o755)).expect("changing a fixture");
        fs::write(&path, text).expect("writing a fixture");
        fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("changing a fixture");
    }
    change(&etc);
    let (mut policy, complaint) = load(&etc.join("config.toml"), defaults);
    assert_eq!(policy.requirements, Some(etc.join("requirements.d")));
    policy.requirements = Policy::default_policy().requirements;
    (policy, complaint.map(|it| it.replace(&etc.display().to_string(), "ETC")))
}

fn loaded(files: &[(&str, &[u8])]) -> (Policy, Option<String>) {
    loaded_after(files, Defaults::Standard, |_| {})
}

fn strict_policy() -> Policy {
    Policy { undecided: Action::Refuse, trouble: Action::Refuse, ..Policy::default_policy() }
}

/// A user who can write it could switch every check off, so neither `off` nor `audit` in it counts.
#[test]
fn a_configuration_that_others_can_write_is_not_followed() {
    let off = b"mode = \"off\"";
    let check = |name: &str, mode: u32, what: &str| {
        let files: [(&str, &[u8]); 2] = [("config.toml", b"tags = [\"a\"]"), ("config.toml.d/1.toml", off)];
        let change = |etc: &Path| {
            fs::set_permissions(etc.join(name), Permissions::from_mode(mode)).expect("changing a fixture");
        };
        let place = Path::new("ETC").join(name).display().to_string();
        let place = place.trim_end_matches('/');
        let complaint = |follows: &str| {
            Some(format!(
                "the configuration is not followed, so that {follows}: {place} has mode {mode:04o}, only its owner may \
                 write to it: chmod go-w {place}"
            ))
        };
        let standard = loaded_after(&files, Defaults::Standard, change);
        assert_eq!(standard, (Policy::default_policy(), complaint("the defaults hold")), "{what}");
        let strict = loaded_after(&files, Defaults::Strict, change);
        assert_eq!(strict, (strict_policy(), complaint("nothing starts (--strict)")), "{what}");
    };
    check("config.toml", 0o666, "the file");
    check("config.toml.d/1.toml", 0o664, "a drop-in");
    check("config.toml.d", 0o777, "the folder of drop-ins");
    check("", 0o1777, "the folder of the configuration");
}

#[test]
fn without_a_configuration_a_strict_host_refuses_what_could_not_be_checked() {
    let strict = |files: &[(&str, &[u8])]| loaded_after(files, Defaults::Strict, |_| {});
    assert_eq!(strict(&[]), (strict_policy(), None));
    let said: (&str, &[u8]) = ("config.toml", b"action.undecided = \"start\"");
    assert_eq!(strict(&[said]), (Policy { undecided: Action::Start, ..strict_policy() }, None));
    let complaint = "the configuration is broken, so that nothing starts (--strict): ETC/config.toml:1:1: there is no key \
                     mod; did you mean mode?";
    assert_eq!(strict(&[("config.toml", b"mod = 1")]), (strict_policy(), Some(complaint.to_owned())));
}

#[test]
fn without_any_file_the_defaults_hold() {
    assert_eq!(loaded(&[]), (Policy::default_policy(), None));
    assert_eq!(loaded(&[("config.toml.d", b"no folder")]), (Policy::default_policy(), None));
}

#[test]
fn drop_ins_come_after_the_file_in_the_order_of_their_names() {
    let (policy, complaint) = loaded(&[
        ("config.toml", b"deadline_ms = 1\ntags = [\"a\"]\nimage_annotation = true"),
        ("config.toml.d/20.toml", b"deadline_ms = 20\n[action]\ntrouble = \"refuse\""),
        ("config.toml.d/10.toml", b"deadline_ms = 10\nmode = \"audit\""),
        ("config.toml.d/30.toml.off", b"deadline_ms = 30"),
    ]);
    let expected = Policy {
        mode: Mode::Audit,
        trouble: Action::Refuse,
        image_annotation: true,
        tags: vec!["a".to_owned()],
        deadline: Duration::from_millis(20),
        ..Policy::default_policy()
    };
    assert_eq!((policy, complaint), (expected, None));
}

#[test]
fn a_broken_file_refuses_no_container_and_is_reported() {
    let check = |files: &[(&str, &[u8])], expected: &str| {
        let (policy, complaint) = loaded(files);
        let fallback = Policy { mode: Mode::Audit, heeds_annotations: false, ..Policy::default_policy() };
        assert_eq!(policy, fallback);
        let opening = "the configuration is broken, so that nothing is refused (audit mode): ";
        assert_eq!(complaint, Some(format!("{opening}{expected}")));
    };
    let unknown = "there is no key mod; did you mean mode?";
    check(&[("config.toml", b"mod = 1")], &format!("ETC/config.toml:1:1: {unknown}"));
    check(
        &[("config.toml", b"action.trouble = \"refuse\""), ("config.toml.d/1.toml", b"\n mod = 1\ntags = 1")],
        &format!("ETC/config.toml.d/1.toml:2:2: {unknown} (+1 more: oci-compat config check)"),
    );
    check(&[("config.toml", b"\xff")], "ETC/config.toml is not UTF-8 text");
    check(&[("config.toml/x", b"")], "ETC/config.toml is not a regular file");
    check(
        &[("config.toml", &vec![b' '; MAX_FILE + 1])],
        "reading ETC/config.toml: it is larger than 1048576 bytes",
    );
}

#[test]
fn a_waiver_of_an_id_is_for_rules_with_that_id() {
    let text = "[[waiver]]\nid = \"driver-*\"\nimage = \"*\"\nreason = \"r\"\nexpires = \"never\"";
    let policy = policy(text);
    let waiver = policy.waivers.first().expect("a waiver");
    let concerns = |id| waiver.concerns(RuleName { name: "driver-1", id }, ["a"]);
    assert_eq!(["driver-1", "drive", ""].map(concerns), [true, false, false]);
}

#[test]
fn a_situation_comes_back_from_its_name() {
    let verdicts = [Verdict::Compatible, Verdict::Undecided, Verdict::Incompatible].map(Situation::Judged);
    let others = [
        Situation::NoRequirements,
        Situation::Malformed,
        Situation::Container,
        Situation::SpecMissing,
        Situation::Trouble,
    ];
    for situation in verdicts.into_iter().chain(others) {
        let json = serde_json::to_string(&situation).expect("JSON");
        assert_eq!(json, format!("{:?}", situation.name()));
        assert_eq!(serde_json::from_str::<Situation>(&json).expect("a situation"), situation);
    }
    let err = serde_json::from_str::<Situation>("\"odd\"").expect_err("no situation");
    assert_eq!(err.to_string(), "there is no situation \"odd\"");
}

#[test]
fn choices_are_named_as_configurations_write_them() {
    let check = |key: &str, names: &[&str], name: fn(&Policy) -> &'static str| {
        for written in names {
            let mut policy = Policy::default_policy();
            assert_eq!(policy.overlay(&format!("{key} = \"{written}\""), "config.toml").problems, []);
            assert_eq!(name(&policy), *written, "{key}");
        }
    };
    check("implicit.program", &["refuse", "warn", "off"], |it| it.program.name());
    check("implicit.index", &["refuse", "warn", "off"], |it| it.index.name());
    check("implicit.nvidia", &["sensible", "strict", "off"], |it| it.nvidia.name());
    check("sensitive", &["any", "verified"], |it| it.sensitive.name());
    check("mode", &["enforce", "audit", "off"], |it| it.mode.name());
}

#[test]
fn a_waiver_with_an_error_waives_nothing() {
    let whole = "[[waiver]]\nid = \"r\"\nimage = \"*\"\nreason = \"lab\"\nexpires = \"never\"\n";
    let waivers = |text: &str| {
        let mut policy = Policy::default_policy();
        let count = policy.overlay(text, "config.toml").problems.len();
        (policy.waivers, count)
    };
    let (read, problems) = waivers(whole);
    assert_eq!((read.len(), problems), (1, 0));
    let concerns = |id: &str| read[0].concerns(RuleName { id, name: "rule" }, ["module-not-loaded"]);
    assert_eq!(["r", "other", ""].map(concerns), [true, false, false]);
    let (read, problems) = waivers(&format!("{whole}more = 1\n"));
    assert_eq!((read.len(), problems), (0, 1));
}
