//! What a container brings that runtimes accept, and that must not turn its check off: long annotations, and a `config.json`
//! that some of them read in another way than others. What a runtime does with it is its own affair; a container that does
//! not fit never runs.

use std::fs;
use std::path::Path;

use super::bundle::{Bundle, SPEC};
use super::hook::{Hook, INCOMPATIBLE};
use super::host::{Host, MET, UNMET};
use super::program::run;
use super::runtime::Runtime;
use super::started::{assert_started, under, under_each_runtime};
use super::wrapper::Wrapper;

under_each_runtime! {
    a_long_annotation_hides_nothing_and_costs_no_start,
    an_odd_configuration_is_no_way_around,
    a_container_is_checked_alike_however_it_is_made,
}

/// runc writes each `<` into the state as six bytes.
fn a_long_annotation_hides_nothing_and_costs_no_start(runtime: Runtime) {
    let long = || {
        Bundle::with_a_shell()
            .annotate("org.example.angular", &"<".repeat(180_000))
            .annotate("org.example.long", &"x".repeat(1_100_000))
    };
    let hook = Hook::on(Host::plain());
    let fitting = long().annotate(SPEC, MET).hook(&hook).written();
    assert_started(&runtime.run(&fitting), &fitting);
    let unfit = long().annotate(SPEC, UNMET).hook(&hook).written();
    let outcome = runtime.run(&unfit);
    assert!(!outcome.status.success() && !unfit.ran(), "{outcome:?}");
    let status = format!("{INCOMPATIBLE}");
    assert!(outcome.stderr.contains(&status), "{outcome:?}");
}

/// A whole `config.json`, with something in front of it, in it or behind it. runc 1.1 runs one with fields twice or in another
/// case, or with something behind its object; crun 1.8 one with fields twice or with comments; youki 0.7 one with fields in
/// another case, which it passes over; all three one with deep lists or half a surrogate. The rest no runtime takes.
fn odd(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let first = |field: &str| text.replacen('{', &format!("{{{field},"), 1).into_bytes();
    let last = |field: &str| {
        format!("{},{field}}}", text.trim_end().strip_suffix('}').expect("an object")).into_bytes()
    };
    let annotations = format!("{{\"{SPEC}\": {MET:?}}}");
    vec![
        ("annotations twice", first(&format!("\"annotations\": {annotations}"))),
        ("annotations twice, the other way round", last(&format!("\"annotations\": {annotations}"))),
        ("no annotations behind them", last("\"annotations\": null")),
        ("annotations in another case", last(&format!("\"Annotations\": {annotations}"))),
        ("an escaped key", last("\"\\u0061nnotations\": {}")),
        ("a process in another case", last("\"PROCESS\": {}")),
        ("linux twice", last("\"linux\": {}")),
        ("a second object", [text, "{}"].concat().into_bytes()),
        ("garbage behind it", [text, "]"].concat().into_bytes()),
        ("a mark of its byte order", ["\u{feff}", text].concat().into_bytes()),
        ("a comment", text.replacen('{', "{/* \" */", 1).into_bytes()),
        ("a comment behind it", [text, "// \n"].concat().into_bytes()),
        ("a key that is no text", [&first("\"\u{1}\": 1")[..]].concat()),
        ("half a surrogate", last("\"x\": \"\\ud800\"")),
        (
            "half a surrogate in an annotation",
            text.replacen(SPEC, "\\ud800\": \"\\ud800\", \"org.oci-compat.spec", 1).into_bytes(),
        ),
        ("deep lists", last(&format!("\"x\": {}{}", "[".repeat(5000), "]".repeat(5000)))),
        ("not a number", last("\"x\": NaN")),
    ]
}

fn an_odd_configuration_is_no_way_around(runtime: Runtime) {
    let (hook, wrapper) = (Hook::on(Host::plain()), Wrapper::beside(Hook::on(Host::plain())));
    for own in [&hook, &wrapper.hook] {
        let folder = own.config().with_file_name("requirements.d");
        fs::create_dir(&folder).expect("making a folder");
        fs::write(folder.join("own.toml"), format!("images = [\"*\"]\nspec = \'\'\'{UNMET}\'\'\'\n"))
            .expect("writing");
    }
    let count = odd("{}").len();
    for index in 0..count {
        let bundle = || Bundle::with_a_shell().annotate(SPEC, MET);
        let hooked = bundle().hook(&hook).written();
        let what = rewrite(&hooked.path(), index);
        let outcome = runtime.run(&hooked);
        assert!(!outcome.status.success() && !hooked.ran(), "{what}: {outcome:?}");
        let wrapped = bundle().written();
        rewrite(&wrapped.path(), index);
        let outcome = runtime.run_by(&wrapped, &|| wrapper.before(runtime, &wrapped));
        assert!(!outcome.status.success() && !wrapped.ran(), "{what}: {outcome:?}");
        assert!(outcome.stderr.starts_with("oci-compat: refused: "), "{what}: {outcome:?}");
    }
}

fn rewrite(bundle: &Path, index: usize) -> &'static str {
    let path = bundle.join("config.json");
    let text = fs::read_to_string(&path).expect("reading config.json");
    let (what, bytes) = odd(&text).swap_remove(index);
    fs::write(path, bytes).expect("writing config.json");
    what
}

/// `restore` needs no checkpoint to be refused.
fn a_container_is_checked_alike_however_it_is_made(runtime: Runtime) {
    let wrapper = Wrapper::beside(Hook::on(Host::plain()));
    let bundle = Bundle::with_a_shell().annotate(SPEC, UNMET).written();
    let mut said = Vec::new();
    for command in ["create", "run", "restore"] {
        let mut call = wrapper.before(runtime, &bundle);
        let outcome = run(call.args([command, "--bundle"]).arg(bundle.path()).arg(bundle.id()));
        assert_eq!(outcome.status.code(), Some(1), "{command}: {outcome:?}");
        said.push(outcome.stderr);
    }
    assert!(said.iter().all(|it| it.starts_with("oci-compat: refused: ") && *it == said[0]), "{said:?}");
    for command in ["start", "exec", "kill", "delete", "state", "ps"] {
        let mut call = wrapper.before(runtime, &bundle);
        let outcome = run(call.args([command, bundle.id()]));
        assert!(!outcome.stderr.contains("oci-compat: "), "{command}: {outcome:?}");
    }
}
