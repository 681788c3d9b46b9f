//! `explain`: something is said of every code and of every feature.

use oci_compat::eval::CODES;
use oci_compat::host::FEATURES;
use oci_compat::spec;

use super::{fails, folder, prints, run, write};

#[test]
fn every_code_is_explained() {
    let folder = folder();
    for (_, code, meaning) in &CODES {
        prints(&folder, &format!("explain {code}"), 0, &format!("{code}\n  {meaning}\n"));
    }
    let trouble = "The check itself could not be made or finished. By default the container starts.";
    prints(&folder, "explain trouble", 0, &format!("trouble\n  {trouble}\n"));
    assert_eq!(run(&folder, "explain spec-malformed").status, 0);
}

#[test]
fn the_hook_s_statuses_are_explained() {
    let next = "`oci-compat why` shows the last decision on this host, `oci-compat log` all of them.";
    for (status, meaning) in [
        ("78", "its image demands what this host lacks."),
        ("79", "a fact of this host is unknown, and the policy says so."),
        ("80", "a spec that belongs to it is malformed."),
        ("81", "the check itself could not be made, and the policy says so."),
    ] {
        let said = format!("{status}\n  The hook refused the container: {meaning}\n  {next}\n");
        prints(&folder(), &format!("explain {status}"), 0, &said);
    }
}

#[test]
fn every_feature_is_explained_with_an_example_that_is_a_spec() {
    let folder = folder();
    for info in FEATURES {
        let ran = run(&folder, &format!("explain {}", info.name));
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{}", info.name);
        for text in [info.meaning, info.read, info.absent, info.since] {
            assert!(ran.stdout.contains(text), "{text:?} in {}", ran.stdout);
        }
        let (_, example) = ran.stdout.split_once("  in a spec:\n").expect("an example");
        let spec = format!("version: v1alpha1\ncompatibilities:\n- rules:\n  - matchFeatures:\n{example}");
        let problems = spec::parse(spec.as_bytes()).map_err(|err| format!("{err}: {spec}"));
        assert_eq!(problems.map(|it| it.sets.len()), Ok(1));
    }
}

#[test]
fn a_feature_is_found_whatever_the_case_of_its_letters() {
    let expected = "kernel.loadedmodule (flags)
  the kernel modules that are loaded, without built-in ones; the kernel names them with `_`, and rules may write `-`
  read from: /proc/modules
  known to Node Feature Discovery
  not there: not loaded now; the whole feature is absent if the kernel was built without modules
  since: always
  in a spec:
    - feature: kernel.loadedmodule
      matchExpressions:
        gtp5g: {op: Exists}
";
    prints(&folder(), "explain Kernel.LoadedModule", 0, expected);
}

#[test]
fn of_an_unknown_name_the_nearest_is_suggested() {
    let folder = folder();
    let nothing = |name: &str| format!("there is no code and no feature {name:?}");
    let check = |wrong: &str, right: &str| {
        fails(&folder, &format!("explain {wrong}"), &format!("{}; did you mean {right}?", nothing(wrong)));
    };
    check("module-not-loadd", "module-not-loaded");
    check("kernel.confg", "kernel.config");
    let ran = run(&folder, "explain zzz");
    let expected = format!("error: {}; there are met, fact-unknown,", nothing("zzz"));
    assert!(ran.status == 2 && ran.stderr.starts_with(&expected), "{ran:?}");
}

#[test]
fn a_spec_in_any_format_is_explained_in_words() {
    let folder = folder();
    let own = "spec.yaml, a spec of v1alpha1\n  rule kernel\n    kernel version major: 5\n";
    prints(&folder, "explain spec.yaml", 0, own);
    write(
        &folder,
        "h.json",
        r#"{"compatibilities": [{"oci.kernel.versions": "[5.0, 6)", "oci.compatibility-score": 9},
            {"oci.kernel.selinux": "false", "description": "any other"}]}"#,
    );
    prints(
        &folder,
        "explain h.json",
        0,
        "h.json, a spec of proposal H of the OCI working group\none of these has to fit:\nset (weight 9)\n  rule oci.kernel.versions \
         [5.0, 6)\n    kernel: 5.0 or newer\n    kernel: older than 6\nset (weight 0): any other\n  rule oci.kernel.selinux false\n    \
         kernel.selinux enabled: false\n",
    );
    write(&folder, "bad.json", r#"{"compatibilities": {"nfd": {"memory-nuna": true}}}"#);
    fails(
        &folder,
        "explain bad.json",
        "the spec bad.json is malformed; `oci-compat lint` shows all errors: 1:30: Node Feature Discovery makes no label \
         \"memory-nuna\"; did you mean `memory-numa`?",
    );
    fails(&folder, "explain ./none.json", "./none.json is not there");
}
