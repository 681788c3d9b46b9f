use std::fs;

use super::*;

fn state(text: &[u8]) -> Result<(String, String), String> {
    let state = State::read(text).map_err(|err| err.to_string())?;
    Ok((state.id, state.bundle.display().to_string()))
}

fn check_state(text: &str, expected: Result<(&str, &str), &str>) {
    let expected = expected.map(|(id, bundle)| (id.to_owned(), bundle.to_owned())).map_err(str::to_owned);
    assert_eq!(state(text.as_bytes()), expected, "{text:?}");
}

#[test]
fn the_states_of_runtimes_are_read() {
    // After the order and the spelling of runc, crun and youki; written by hand.
    check_state(
        r#"{"ociVersion":"1.0.2-dev","id":"c1","status":"creating","pid":4711,"bundle":"/run/b","annotations":{"a":"b"}}"#,
        Ok(("c1", "/run/b")),
    );
    check_state(
        "{ \"ociVersion\": \"1.0\", \"id\": \"c1\", \"pid\": 9, \"root\": \"/run/b/rootfs\", \"bundle\": \"/run/b\", \
             \"status\": \"created\" }\n",
        Ok(("c1", "/run/b")),
    );
    check_state(
        r#"{"ociVersion":"v1.0.2","id":"c1","status":"creating","pid":9,"bundle":"/run/b","annotations":null,"new":[1]}"#,
        Ok(("c1", "/run/b")),
    );
}

#[test]
fn the_process_of_a_container_is_read_where_it_is_one() {
    let check = |pid: &str, expected: Option<u32>| {
        let state = State::read(format!(r#"{{"bundle": "/b"{pid}}}"#).as_bytes()).map(|it| it.process);
        assert_eq!(state.map_err(|it| it.to_string()), Ok(expected), "{pid}");
    };
    check(r#", "pid": 4711"#, Some(4711));
    for pid in [
        "",
        r#", "pid": 0"#,
        r#", "pid": -1"#,
        r#", "pid": 4294967296"#,
        r#", "pid": "1""#,
        r#", "pid": null"#,
    ] {
        check(pid, None);
    }
}

#[test]
fn a_state_without_an_id_is_good_and_without_a_bundle_is_not() {
    check_state(r#"{"bundle": "/b"}"#, Ok(("", "/b")));
    let refused =
        |it| Err(format!("the OCI state on stdin has bundle {it:?}, which is not an absolute path"));
    assert_eq!(state(b"{}"), refused(""));
    assert_eq!(state(br#"{"bundle": "run/b"}"#), refused("run/b"));
    check_state(
        r#"{"bundle": 1}"#,
        Err(
            "reading the OCI state from stdin: it is not as in the runtime specification: invalid type: integer `1`, expected a string",
        ),
    );
}

#[test]
fn what_is_no_state_is_reported() {
    let reading = "reading the OCI state from stdin: ";
    let none = "stdin holds no JSON object; an OCI runtime writes the container's state there";
    for text in ["", "\n", "[]", "\"x\"", "null"] {
        check_state(text, Err(none));
    }
    check_state("{", Err(&format!("{reading}it is not JSON: it ends too early")));
    check_state(r#"{"id": "", "id": ""}"#, Err(&format!("{reading}it has id twice")));
    let large = std::io::Read::take(std::io::repeat(b' '), 400 << 20);
    let fault = State::read(std::io::Read::chain(&b"{"[..], large)).expect_err("no state");
    assert_eq!(fault.to_string(), format!("{reading}it is larger than 402653184 bytes"));
}

/// What annotations may do to a state is the container's fault, all else the runtime's.
#[test]
fn a_fault_of_the_state_is_the_container_s_or_the_host_s() {
    let check = |text: &str, expected: &str| {
        let whose = match State::read(text.as_bytes()) {
            Ok(_) => "no fault",
            Err(Fault::Container(_)) => "the container's",
            Err(Fault::Host(_)) => "the host's",
        };
        assert_eq!(whose, expected, "{text}");
    };
    for text in
        ["", "null", "{}", r#"{"bundle": "b"}"#, r#"{"bundle": 1}"#, r#"{"id": null, "bundle": "/b"}"#]
    {
        check(text, "the host's");
    }
    check("{", "the container's");
    check(r#"{"annotations": {"a": "b"}, "bundle": "/b"} {}"#, "the container's");
    let large =
        format!("{{\"annotations\": {{\"a\": \"{}\"}}, \"bundle\": \"/b\"}}", "\\u003c".repeat(1 << 20));
    check(&large, "no fault");
}

#[test]
fn stdin_is_read_to_its_end_even_if_it_is_too_large() {
    for text in [b"{]".to_vec(), b"[".to_vec()] {
        let large = [text, vec![b' '; 1 << 20]].concat();
        let mut stdin = &large[..];
        assert!(State::read(&mut stdin).is_err());
        assert_eq!(stdin.len(), 0);
    }
}

fn folder(file: &str, text: impl AsRef<[u8]>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join(file), text).expect("writing a fixture");
    folder
}

fn bundle(text: impl AsRef<[u8]>) -> Result<Bundle, String> {
    let folder = folder("config.json", text);
    let said = |err: Fault| err.to_string().replace(&folder.path().display().to_string(), "BUNDLE");
    let bundle = Bundle::read(folder.path()).map_err(said)?;
    Ok(bundle)
}

#[test]
fn annotations_of_ours_are_read_and_all_else_is_passed_over() {
    for text in [
        "{}",
        r#"{"annotations": null}"#,
        r#"{"annotations": {}}"#,
        r#"{"annotations": {"a": 1, "b": null}, "ociVersion": 5, "process": [], "linux": null, "hooks": {"x": {}}}"#,
        r#"{"annotations": {"org.oci-compat.spec": null}}"#,
    ] {
        let found = bundle(text).map(|it| Bundle { config: Vec::new(), process: Process::default(), ..it });
        assert_eq!(found, Ok(Bundle::default()), "{text}");
    }
    let text = r#"{"annotations": {"org.oci-compat.spec": "{}", "x": "y", "org.oci-compat.artifact": "sha256:1",
                       "org.oci-compat.image": "", "org.oci-compat.mode": "a", "org.oci-compat.incompatible": "b",
                       "org.oci-compat.undecided": "c", "org.oci-compat.malformed": "d", "org.oci-compat.trouble": "e",
                       "org.oci-compat.waive": "f"}}"#;
    let some = |it: &str| Some(it.to_owned());
    let expected = Bundle {
        inline: Some("{}".to_owned()),
        artifact: Some("sha256:1".to_owned()),
        image: Some(String::new()),
        wishes: Wishes {
            mode: some("a"),
            incompatible: some("b"),
            undecided: some("c"),
            malformed: some("d"),
            trouble: some("e"),
            waive: some("f"),
        },
        ..Bundle::default()
    };
    assert_eq!(
        bundle(text).map(|it| Bundle { config: Vec::new(), process: Process::default(), ..it }),
        Ok(expected)
    );
}

#[test]
fn every_annotation_that_is_looked_at_gets_through() {
    for name in ANNOTATIONS {
        let told = bundle(serde_json::json!({"annotations": {name: 5}}).to_string());
        assert!(told.is_err_and(|it| it.ends_with("invalid type: integer `5`, expected a string")), "{name}");
    }
}

#[test]
fn a_large_bundle_is_read_and_what_rules_may_ask_of_it_is_kept() {
    let large = "x".repeat(5 << 20);
    let config = serde_json::json!({
        "annotations": {"x": large, "org.oci-compat.spec": "{}"},
        "hooks": {"createRuntime": [{"path": large}]},
        "process": {"args": [large], "commandLine": large, "env": [large], "rlimits": []},
        "linux": {"namespaces": []},
    });
    let bundle = bundle(config.to_string()).expect("a bundle");
    assert_eq!(bundle.inline.as_deref(), Some("{}"));
    let kept: serde_json::Value = serde_json::from_slice(&bundle.config).expect("JSON");
    let expected = serde_json::json!({
        "annotations": {"org.oci-compat.spec": "{}"},
        "process": {"args": [null], "env": [], "rlimits": []},
        "hooks": [],
        "linux": {"namespaces": []},
    });
    assert_eq!(kept, expected);
}

#[test]
fn of_the_process_its_program_is_read_and_some_of_its_variables() {
    let some = |it: &str| Some(it.to_owned());
    let process = |text: &str| bundle(text).map(|it| it.process);
    let text = r#"{"process": {"args": ["sh", "-c", "x"], "cwd": "/srv", "env": ["PATH=/bin:/usr/bin", "TOKEN=x",
                       "NVIDIA_REQUIRE_CUDA=cuda>=12", "CUDA_VERSION=12.4"]}, "annotations": {"run.oci.handler": "wasm"}}"#;
    let env = ["PATH=/bin:/usr/bin", "NVIDIA_REQUIRE_CUDA=cuda>=12", "CUDA_VERSION=12.4"];
    let expected = Process {
        program: some("sh"),
        behind: None,
        cwd: some("/srv"),
        env: Some(env.map(str::to_owned).to_vec()),
        handler: some("wasm"),
    };
    assert_eq!(process(text), Ok(expected));
    let empty = Process { env: Some(Vec::new()), ..Process::default() };
    assert_eq!(process(r#"{"process": {}}"#), Ok(empty.clone()));
    assert_eq!(process(r#"{"process": {"args": [], "env": []}}"#), Ok(empty));
    let behind = |args: &str| {
        process(&format!("{{\"process\": {{\"args\": {args}}}}}")).map(|it| (it.program, it.behind))
    };
    let init = Ok((some("/sbin/docker-init"), some("app")));
    assert_eq!(behind(r#"["/sbin/docker-init", "--", "app", "-x"]"#), init);
    assert_eq!(behind(r#"["init", "app", "x"]"#), Ok((some("init"), None)));
    assert_eq!(behind(r#"["init", "--"]"#), Ok((some("init"), None)));
    assert_eq!(behind(r#"["init", null, "app"]"#), Ok((some("init"), None)));
    for odd in [
        r#""args": [5], "env": [5], "cwd": 5"#,
        r#""args": "sh", "env": {"PATH": "/bin"}, "cwd": ["/"]"#,
        r#""args": ["a"], "args": ["b"], "env": [], "Env": [], "cwd": "/", "CWD": "/""#,
        r#""args": ["\ud800"], "env": ["PATH=\ud800"], "cwd": "\ud800""#,
    ] {
        assert_eq!(process(&format!("{{\"process\": {{{odd}}}}}")), Ok(Process::default()), "{odd}");
    }
}

#[test]
fn a_variable_has_one_value_or_is_not_reported() {
    let process = Process {
        env: Some(["PATH=/bin", "CUDA_A=1", "CUDA_A=2", "NVIDIA_B="].map(str::to_owned).to_vec()),
        ..Process::default()
    };
    assert_eq!(process.variable("PATH"), Ok(Some("/bin")));
    assert_eq!(process.variable("NVIDIA_B"), Ok(Some("")));
    assert_eq!(process.variable("CUDA_"), Ok(None));
    assert_eq!(process.variable("CUDA_A"), Err(Untold));
    assert_eq!(Process::default().variable("PATH"), Err(Untold));
}

#[test]
fn a_container_of_a_pod_is_known_by_its_names() {
    let check = |annotations: serde_json::Value, expected: Option<[&str; 3]>| {
        let bundle = bundle(serde_json::json!({"annotations": annotations}).to_string()).expect("a bundle");
        assert_eq!(bundle.pod, expected.map(|it| it.map(str::to_owned)), "{annotations}");
    };
    let cri = serde_json::json!({"io.kubernetes.cri.sandbox-namespace": "default",
            "io.kubernetes.cri.sandbox-name": "upf-0", "io.kubernetes.cri.container-name": "upf"});
    check(cri, Some(["default", "upf-0", "upf"]));
    let crio = serde_json::json!({"io.kubernetes.pod.namespace": "default", "io.kubernetes.pod.name": "upf-0",
            "io.kubernetes.container.name": "upf"});
    check(crio, Some(["default", "upf-0", "upf"]));
    check(serde_json::json!({"io.kubernetes.pod.name": "upf-0"}), None);
    check(serde_json::json!({}), None);
}

#[test]
fn a_sandbox_is_one_if_its_engine_made_up_its_id() {
    let id = "5e".repeat(32);
    let check = |annotations: serde_json::Value, folder: &str, expected: bool| {
        let bundle = bundle(serde_json::json!({"annotations": annotations}).to_string()).expect("a bundle");
        assert_eq!(
            bundle.is_sandbox(Path::new(&folder.replace("ID", &id))),
            expected,
            "{annotations} {folder}"
        );
    };
    let cri = serde_json::json!({"io.kubernetes.cri.container-type": "sandbox", "io.kubernetes.cri.sandbox-id": id});
    let crio = serde_json::json!(
            {"io.kubernetes.cri-o.ContainerType": "sandbox", "io.kubernetes.cri-o.SandboxID": id});
    let container = serde_json::json!({"io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.sandbox-id": id});
    let claims = serde_json::json!({"io.kubernetes.cri.container-type": "sandbox"});
    let short = serde_json::json!({"io.kubernetes.cri.container-type": "sandbox", "io.kubernetes.cri.sandbox-id": "run"});
    check(cri.clone(), "/run/containerd/io.containerd.runtime.v2.task/k8s.io/ID", true);
    check(crio.clone(), "/run/containers/storage/overlay-containers/ID/userdata", true);
    check(cri, "/run/containerd/io.containerd.runtime.v2.task/k8s.io/other", false);
    check(crio, "/run/containers/storage/overlay-containers/other/userdata", false);
    check(container, "/run/containerd/io.containerd.runtime.v2.task/k8s.io/ID", false);
    check(claims, "/run/containerd/io.containerd.runtime.v2.task/k8s.io/ID", false);
    check(short, "/run/containerd/io.containerd.runtime.v2.task/moby/ID", false);
}

#[test]
fn what_is_no_bundle_is_reported_with_its_path() {
    let check = |text: &[u8], expected: &str| {
        assert_eq!(bundle(text), Err(format!("reading BUNDLE/config.json: {expected}")));
    };
    check(b"", "it is not a JSON object");
    check(b"[null]", "it is not a JSON object");
    check(b"{]", "it is not JSON: byte 2 is ']'");
    check(b"{} {}", "something follows its JSON object");
    check(b"\xef\xbb\xbf{}", "it is not a JSON object");
    check(br#"{"annotations": {}, "annotations": {}}"#, "it has annotations twice");
    check(
        br#"{"Annotations": {}}"#,
        "its key \"Annotations\" is annotations to some runtimes and nothing to others",
    );
    let not = |part: &str| format!("{part} not as in the runtime specification: invalid type:");
    let annotations = not("its annotations are");
    check(br#"{"annotations": "x"}"#, &format!("{annotations} string \"x\", expected an object"));
    check(br#"{"root": 3}"#, &format!("{} integer `3`, expected an object", not("its root is")));
    let spec = br#"{"annotations": {"org.oci-compat.spec": {}}}"#;
    check(spec, &format!("{annotations} map, expected a string"));
    let empty = tempfile::tempdir().expect("a temporary folder");
    let err = Bundle::read(empty.path()).expect_err("no bundle");
    let path = empty.path().join("config.json");
    assert_eq!(
        err.to_string(),
        format!("{} is not there; a bundle is a folder with a config.json", path.display())
    );
}
