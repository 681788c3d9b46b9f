use super::*;

fn entry(engine: Engine, way: Way) -> EngineEntry {
    let program = match way {
        Way::Hook => "/usr/libexec/oci/hooks.d/oci-compat-hook",
        Way::Wrapper => "/usr/bin/oci-compat-runtime",
    };
    EngineEntry {
        engine,
        way,
        program: program.to_owned(),
        name: NAME.to_owned(),
        default: false,
        strict: false,
        form: EntryForm::Own,
        around: Effective::default(),
    }
}

fn docker() -> EngineEntry {
    entry(Engine::Docker, Way::Wrapper)
}

fn containerd() -> EngineEntry {
    entry(Engine::Containerd, Way::Wrapper)
}

fn default(entry: EngineEntry) -> EngineEntry {
    EngineEntry { default: true, ..entry }
}

/// What is added makes `after` of `before`, once; without it, all is as it was.
fn check(entry: &EngineEntry, before: Option<&str>, after: &str) {
    let added = entry.added(before).expect("a text that can take it");
    assert_eq!(added, after);
    assert_eq!(entry.added(Some(&added)).expect("a text that has it"), after, "twice");
    assert_eq!(entry.removed(&added, before).expect("a text that has it").as_deref(), before);
}

/// If the file was changed since, only our entry is removed.
fn check_cut(entry: &EngineEntry, changed: &str, before: Option<&str>, after: &str) {
    assert_eq!(entry.removed(changed, before).expect("a text").as_deref(), Some(after));
    assert_eq!(entry.removed(after, before).expect("a text").as_deref(), Some(after), "twice");
}

fn check_error(entry: &EngineEntry, current: Option<&str>, message: &str) {
    let err = entry.added(current).expect_err("a text that cannot take it");
    assert_eq!(format!("{err:#}"), message);
}

#[test]
fn docker_without_a_configuration_gets_one() {
    let after = r#"{
  "runtimes": {
    "oci-compat": {
      "path": "/usr/bin/oci-compat-runtime"
    }
  }
}
"#;
    check(&docker(), None, after);
    check(&docker(), Some("{}\n"), after);
    check(&docker(), Some("{\n}\n"), after);
    assert_eq!(docker().added(Some("")).expect("as dockerd takes it"), after);
    assert_eq!(docker().added(Some("\u{feff}{}\n")).expect("as dockerd takes it"), after);
}

#[test]
fn docker_may_have_the_wrapper_under_the_name_of_a_runtime() {
    let program = "/usr/bin/oci-compat-runtime-crun".to_owned();
    let after = r#"{"a": 1, "runtimes": {"oci-compat":{"path":"/usr/bin/oci-compat-runtime-crun"}}}"#;
    check(&EngineEntry { program, ..docker() }, Some(r#"{"a": 1}"#), after);
}

#[test]
fn docker_keeps_what_it_has_as_it_is_written() {
    let before = "{\n\t\"log-driver\":   \"journald\",\n\t\"runtimes\": {\n\t\t\"kata\": {\"path\": \"/usr/bin/kata\", \"x\": 1e3}\n\t}\n}";
    let after = "{\n\t\"log-driver\":   \"journald\",\n\t\"runtimes\": {\n\t\t\"kata\": {\"path\": \"/usr/bin/kata\", \"x\": 1e3},\n\t\t\"oci-compat\": {\n\t\t\t\"path\": \"/usr/bin/oci-compat-runtime\"\n\t\t}\n\t}\n}";
    check(&docker(), Some(before), after);
}

#[test]
fn docker_on_one_line_stays_on_one_line() {
    check(
        &default(docker()),
        Some(r#"{"hosts": ["a, b", "}"], "runtimes": {}}"#),
        r#"{"hosts": ["a, b", "}"], "runtimes": {"oci-compat": {"path":"/usr/bin/oci-compat-runtime"}}, "default-runtime": "oci-compat"}"#,
    );
}

#[test]
fn docker_gets_another_default_and_its_own_back() {
    let before = "{\n    \"default-runtime\": \"runc\",\n    \"debug\": true\n}\n";
    let after = "{\n    \"default-runtime\": \"oci-compat\",\n    \"debug\": true,\n    \"runtimes\": {\n        \"oci-compat\": {\n            \"path\": \"/usr/bin/oci-compat-runtime\"\n        }\n    }\n}\n";
    check(&default(docker()), Some(before), after);
    check_cut(
        &docker(),
        &after.replace("true", "false"),
        Some(before),
        "{\n    \"default-runtime\": \"runc\",\n    \"debug\": false\n}\n",
    );
    check_cut(&docker(), &after.replace("true", "false"), None, "{\n    \"debug\": false\n}\n");
}

#[test]
fn docker_s_other_runtimes_stay() {
    let changed =
        r#"{"runtimes": {"oci-compat": {"path": "/opt/oci-compat-runtime"}, "kata": {"path": "/k"}}}"#;
    check_cut(&docker(), changed, None, r#"{"runtimes": {"kata": {"path": "/k"}}}"#);
    let changed =
        r#"{"runtimes": {"kata": {"path": "/k"}, "oci-compat": {"path": "/opt/oci-compat-runtime"}}}"#;
    check_cut(&docker(), changed, None, r#"{"runtimes": {"kata": {"path": "/k"}}}"#);
    check_cut(
        &docker(),
        r#"{"runtimes": {"oci-compat": {"path": "/k"}}}"#,
        None,
        r#"{"runtimes": {"oci-compat": {"path": "/k"}}}"#,
    );
}

#[test]
fn docker_says_what_is_wrong_with_its_configuration() {
    check_error(&docker(), Some("{\n  \"a\": 1,\n}\n"), "3:1: trailing comma");
    check_error(&docker(), Some("{\"a\": 1"), "1:7: EOF while parsing an object");
    check_error(&docker(), Some("[]"), "1:1: it is not an object, `{...}`");
    check_error(&docker(), Some("{\"runtimes\": 5}"), "5 is not an object or array");
    check_error(
        &docker(),
        Some(r#"{"runtimes": {"oci-compat": {"path": "/usr/bin/kata"}}}"#),
        r#"runtime oci-compat is already there, and is {"path":"/usr/bin/kata"}: choose another --runtime-name"#,
    );
    check_error(
        &EngineEntry { name: "runc".to_owned(), ..docker() },
        None,
        "docker keeps the name runc for itself: choose another --runtime-name",
    );
}

#[test]
fn containerd_without_a_configuration_gets_one_of_version_2() {
    check(
        &default(containerd()),
        None,
        r#"version = 2

[plugins."io.containerd.grpc.v1.cri".containerd]
default_runtime_name = "oci-compat"

# As built in, repeated by oci-compat: a list of runtimes replaces it.
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.oci-compat]
runtime_type = "io.containerd.runc.v2"
pod_annotations = ["org.oci-compat.*"]

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.oci-compat.options]
BinaryName = "/usr/bin/oci-compat-runtime"
"#,
    );
}

/// As `containerd config default` of 1.7 begins and ends, and as administrators change it.
const VERSION_2: &str = r#"version = 2 # do not change

[plugins]

  [plugins."io.containerd.grpc.v1.cri"]
    sandbox_image = "registry.k8s.io/pause:3.8"

    [plugins."io.containerd.grpc.v1.cri".containerd]
      # The one for all.
      default_runtime_name = "runc" # see above

      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes]

        # Made by kubeadm.
        [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
          base_runtime_spec = ""
          pod_annotations = ["com.example.*"] # ours
          runtime_type = "io.containerd.runc.v2"

          [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
            BinaryName = ""
            # The kubelet has it too.
            SystemdCgroup = true

  [plugins."io.containerd.internal.v1.opt"]
    path = "/opt/containerd"
"#;

const ADDED_TO_VERSION_2: &str = r#"
        [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.oci-compat]
          base_runtime_spec = ""
          pod_annotations = ["com.example.*", "org.oci-compat.*"]
          runtime_type = "io.containerd.runc.v2"

          [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.oci-compat.options]
            BinaryName = "/usr/bin/oci-compat-runtime"
            SystemdCgroup = true
"#;

#[test]
fn containerd_takes_over_the_settings_of_its_default_runtime() {
    let (head, tail) = VERSION_2.split_once("\n  [plugins.\"io.containerd.internal").expect("a tail");
    let after = format!("{head}{ADDED_TO_VERSION_2}\n  [plugins.\"io.containerd.internal{tail}");
    check(&containerd(), Some(VERSION_2), &after);
    let after = after.replace("name = \"runc\"", "name = \"oci-compat\"");
    check(&default(containerd()), Some(VERSION_2), &after);
    let changed = after.replace("3.8", "3.9");
    check_cut(&containerd(), &changed, Some(VERSION_2), &VERSION_2.replace("3.8", "3.9"));
}

#[test]
fn containerd_s_versions_3_and_4_have_another_plugin() {
    for version in [3, 4] {
        check_version(version);
    }
}

fn check_version(version: i64) {
    let before = format!("version = {version}\nimports = ['/etc/containerd/conf.d/*.toml']\n");
    let after = format!(
        "{before}{}",
        r#"
# As built in, repeated by oci-compat: a list of runtimes replaces it.
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.oci-compat]
runtime_type = "io.containerd.runc.v2"
pod_annotations = ["org.oci-compat.*"]

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.oci-compat.options]
BinaryName = "/usr/bin/oci-compat-runtime"
"#
    );
    check(&containerd(), Some(&before), &after);
}

#[test]
fn containerd_says_what_is_wrong_with_its_configuration() {
    let old = "it is of version 1, which has no `version` or says 1: `containerd config migrate` prints it as a newer one";
    check_error(&containerd(), Some(""), old);
    check_error(&containerd(), Some("version = 1\n"), old);
    check_error(&containerd(), Some("version = 5\n"), "its version is 5: 2, 3 and 4 are known");
    check_error(&containerd(), Some("version = \"2\"\n"), "its version is \"2\": 2, 3 and 4 are known");
    check_error(&containerd(), Some("version = 2\nplugins = 5\n"), "`plugins` is not a table");
    check_error(&containerd(), Some("version = 2\n[plugins\n"), "2:9: unclosed table, expected `]`");
    let other = "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.oci-compat]\n";
    check_error(
        &containerd(),
        Some(other),
        "runtime oci-compat is already there, and runs another program: choose another --runtime-name",
    );
}

#[test]
fn a_bundle_gets_the_hook_as_its_last() {
    let hook = entry(Engine::Runc, Way::Hook);
    let ours = r#"{"args":["oci-compat-hook"],"env":["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],"path":"/usr/libexec/oci/hooks.d/oci-compat-hook","timeout":100}"#;
    check(
        &hook,
        Some(r#"{"ociVersion":"1.0.2","hooks":{"createRuntime":[{"path":"/bin/a"}]}}"#),
        &format!(r#"{{"ociVersion":"1.0.2","hooks":{{"createRuntime":[{{"path":"/bin/a"}}, {ours}]}}}}"#),
    );
    check(
        &hook,
        Some(r#"{"ociVersion":"1.0.2"}"#),
        &format!(r#"{{"ociVersion":"1.0.2", "hooks": {{"createRuntime":[{ours}]}}}}"#),
    );
    check_error(&hook, None, "there is no config.json: `umoci unpack` or `runc spec` makes one");
}

#[test]
fn the_hook_file_is_written_and_removed_as_a_whole() {
    for engine in [Engine::Podman, Engine::CriO] {
        let hook = entry(engine, Way::Hook);
        let text = TEMPLATE_FILLED;
        check(&hook, None, text);
        let moved = text.replace("/usr/libexec", "/usr/local/libexec");
        assert_eq!(hook.added(Some(&moved)).expect("an earlier one of ours"), text);
        let other = "{\"hook\": {\"path\": \"/bin/x\"}}";
        check_error(&hook, Some(other), "it is there already, and calls \"/bin/x\" and not oci-compat-hook");
        check_cut(&hook, other, None, other);
    }
}

const TEMPLATE_FILLED: &str = r#"{
  "version": "1.0.0",
  "hook": {
    "path": "/usr/libexec/oci/hooks.d/oci-compat-hook",
    "args": ["oci-compat-hook"],
    "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
    "timeout": 100
  },
  "when": {"always": true},
  "stages": ["createRuntime"]
}
"#;

#[test]
fn podman_and_cri_o_get_the_wrapper_by_a_drop_in() {
    let first = "# Written by `oci-compat install`, and removed by its --remove: changes are lost.\n";
    let podman = default(entry(Engine::Podman, Way::Wrapper));
    let text = r#"[engine]
runtime = "oci-compat"
runtime_supports_json = ["crun", "runc", "kata", "runsc", "youki", "krun", "ocijail", "oci-compat"]

[engine.runtimes]
oci-compat = ["/usr/bin/oci-compat-runtime"]
"#;
    check(&podman, None, &format!("{first}{text}"));
    let cri_o = entry(Engine::CriO, Way::Wrapper);
    let text = r#"[crio.runtime.runtimes.oci-compat]
runtime_path = "/usr/bin/oci-compat-runtime"
runtime_type = "oci"
"#;
    check(&cri_o, None, &format!("{first}{text}"));
    check_error(
        &cri_o,
        Some("[crio]\n"),
        "it is there already, and was not written by oci-compat: move it away",
    );
}

#[test]
fn what_no_engine_could_take_is_an_error() {
    let hooked = entry(Engine::Docker, Way::Hook);
    check_error(&hooked, None, "docker does not know hooks");
    let wrapped = entry(Engine::Runc, Way::Wrapper);
    check_error(&wrapped, None, "runc does not know a wrapper in its bundles");
    let relative = EngineEntry { program: "oci-compat-runtime".to_owned(), ..docker() };
    check_error(&relative, None, "\"oci-compat-runtime\" is not an absolute path: engines take no other");
    let renamed = EngineEntry { program: "/opt/checked-runc".to_owned(), ..docker() };
    check_error(
        &renamed,
        None,
        "\"/opt/checked-runc\" is not called oci-compat-runtime or oci-compat-runtime-..., by which its entry is found \
         again: make a link",
    );
    for name in ["", "a.b", "Big", "-a"] {
        let named = EngineEntry { name: name.to_owned(), ..docker() };
        let message = format!(
            "{name:?} is no name for a runtime: small letters, digits and - within, such as oci-compat"
        );
        check_error(&named, None, &message);
    }
}

#[test]
fn pods_ask_for_the_wrapper_by_a_runtime_class() {
    assert_eq!(
        containerd().runtime_class(),
        "apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata:\n  name: oci-compat\nhandler: oci-compat\n"
    );
}
