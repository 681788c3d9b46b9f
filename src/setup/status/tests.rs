use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::testing::FakeHost;

/// A program of ours on a host.
fn program(host: FakeHost, path: &str) -> FakeHost {
    let host = host.file(path, format!("\u{7f}ELF {} ...", crate::words::version::MARK));
    let file = host.place(path);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("a mode");
    host
}

fn host() -> FakeHost {
    let host = program(FakeHost::new(), "usr/bin/oci-compat-runtime");
    program(host, "usr/libexec/oci/hooks.d/oci-compat-hook")
}

fn look(host: &FakeHost) -> GateStatus {
    let root = host.root();
    status(&StatusPlaces {
        root: &root,
        config: &host.place("etc/oci-compat/config.toml"),
        store: &host.place("var/lib/oci-compat/store"),
        decisions: &host.place("var/log/oci-compat/decisions.jsonl"),
        socket: &host.place("run/containerd/containerd.sock"),
        now: (0, 0),
    })
}

/// What it comes to, each engine's coverage, and why it is not in force.
fn check(host: &FakeHost, state: GateState, engines: &[(&str, Coverage)], problems: &[&str]) -> GateStatus {
    let status = look(host);
    let found: Vec<_> = status.engines.iter().map(|it| (it.whose(), it.coverage)).collect();
    let expected: Vec<_> = engines.iter().map(|(name, coverage)| ((*name).to_owned(), *coverage)).collect();
    let folder = host.place("").display().to_string();
    let said: Vec<_> = status.problems.iter().map(|it| it.replace(&folder, "/")).collect();
    assert_eq!((found, said), (expected, problems.iter().map(|it| (*it).to_owned()).collect()));
    assert_eq!(status.state, state);
    status
}

const DOCKER: &str = r#"{"default-runtime": "oci-compat", "runtimes": {"oci-compat": {"path": "/usr/bin/oci-compat-runtime"}, "kata": {"path": "/k"}}}"#;
const HOOK: &str = r#"{"hook": {"path": "/usr/libexec/oci/hooks.d/oci-compat-hook"}}"#;
const HOOK_FILE: &str = "usr/share/containers/oci/hooks.d/oci-compat.json";

#[test]
fn a_host_without_an_engine_has_no_gate() {
    check(&host(), GateState::NotInForce, &[], &["no engine was found here"]);
}

#[test]
fn each_engine_is_reported_by_itself() {
    let host = host()
        .file("usr/bin/dockerd", "")
        .file("etc/docker/daemon.json", DOCKER)
        .file("usr/bin/podman", "")
        .file(HOOK_FILE, HOOK)
        .file("usr/bin/containerd", "");
    let engines = [("docker", Coverage::All), ("podman", Coverage::All), ("containerd", Coverage::NotUsed)];
    let status = check(&host, GateState::InForce, &engines, &[]);
    assert_eq!(status.engines[0].notes, ["not checked, if a container asks for it: kata"]);
    assert_eq!(status.engines[0].ways[0].version.as_deref(), Some(env!("CARGO_PKG_VERSION")));
    let host = host.folder("var/lib/kubelet");
    let engines = [("docker", Coverage::All), ("podman", Coverage::All), ("containerd", Coverage::None)];
    check(&host, GateState::NotInForce, &engines, &["containerd: no container is checked"]);
}

#[test]
fn an_entry_whose_program_does_not_work_checks_nothing() {
    let host = host().file("usr/bin/podman", "").file(HOOK_FILE, HOOK);
    let hook = host.place("usr/libexec/oci/hooks.d/oci-compat-hook");
    let path = "/usr/libexec/oci/hooks.d/oci-compat-hook";
    for (mode, why) in [
        (0o644, "is not a program: its mode is 0644"),
        (0o775, "can be written by others (mode 0775): chmod go-w /usr/libexec/oci/hooks.d/oci-compat-hook"),
    ] {
        fs::set_permissions(&hook, fs::Permissions::from_mode(mode)).expect("a mode");
        let problem = format!("podman: {path} {why}");
        check(&host, GateState::NotInForce, &[("podman", Coverage::None)], &[&problem]);
    }
    fs::remove_file(&hook).expect("removing a program");
    let problem = format!("podman: {path} is not there");
    check(&host, GateState::NotInForce, &[("podman", Coverage::None)], &[&problem]);
}

#[test]
fn a_runtime_that_is_not_the_default_checks_only_containers_that_ask_for_it() {
    let docker = DOCKER.replace("\"default-runtime\": \"oci-compat\", ", "");
    let host = host().file("usr/bin/dockerd", "").file("etc/docker/daemon.json", docker);
    let problem = "docker: only containers that ask for the runtime oci-compat are checked";
    check(&host, GateState::NotInForce, &[("docker", Coverage::Asked)], &[problem]);
}

#[test]
fn a_daemon_that_is_older_than_its_configuration_has_not_read_it() {
    let config = "version = 3\n[plugins.'io.containerd.cri.v1.runtime'.containerd]\ndefault_runtime_name = 'oci-compat'\n\
                  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.oci-compat.options]\n\
                  BinaryName = '/usr/bin/oci-compat-runtime'\n";
    let fields = vec!["0"; 18].join(" ");
    let host = host()
        .file("etc/containerd/config.toml", config)
        .file("proc/stat", "btime 1000\n")
        .file("proc/7/comm", "containerd\n")
        .file("proc/7/cmdline", "/usr/bin/containerd\0")
        .file("proc/7/stat", format!("7 (containerd) S {fields} 500 0\n"));
    let date = |seconds: u64| {
        let file = fs::File::options().append(true).open(host.place("etc/containerd/config.toml"));
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        file.and_then(|it| it.set_modified(time)).expect("a time");
    };
    date(1005);
    let status = check(&host, GateState::InForce, &[("containerd", Coverage::All)], &[]);
    assert_eq!(status.engines[0].running_since.as_deref(), Some("1970-01-01T00:16:45.000000Z"));
    date(1006);
    let problem = "containerd: /etc/containerd/config.toml was written, and is not read yet: containerd reads it after: \
                   systemctl restart containerd (containers go on)";
    check(&host, GateState::NotInForce, &[("containerd", Coverage::None)], &[problem]);
    let host = host.file("etc/containerd/config.toml", format!("disabled_plugins = ['cri']\n{config}"));
    check(&host, GateState::NotInForce, &[("containerd", Coverage::NotUsed)], &["no engine was found here"]);
}

#[test]
fn users_have_a_podman_of_their_own() {
    let host = host()
        .file("usr/bin/podman", "")
        .file(HOOK_FILE, HOOK)
        .file("etc/passwd", "root:x:0:0::/root:/bin/sh\na:x:1000:1000::/home/a:/bin/sh\nb:x:1001:1001::/home/b:/bin/sh\nc:x:1002:1002::/home/c:/bin/sh\n")
        .folder("root/.local/share/containers/storage")
        .folder("home/a/.local/share/containers/storage")
        .folder("home/b/.local/share/containers/storage")
        .file("home/b/.config/containers/containers.conf.d/50-oci-compat.conf", "[engine]\nhooks_dir = ['/home/b/hooks']\n")
        .file("home/b/hooks/oci-compat.json", HOOK);
    let engines =
        [("podman", Coverage::All), ("podman of a", Coverage::None), ("podman of b", Coverage::All)];
    check(&host, GateState::NotInForce, &engines, &["podman of a: no container is checked"]);
    let host = host.file(
        "etc/containers/containers.conf",
        "[engine]\nhooks_dir = ['/usr/share/containers/oci/hooks.d']\n",
    );
    let engines = [("podman", Coverage::All), ("podman of a", Coverage::All), ("podman of b", Coverage::All)];
    check(&host, GateState::InForce, &engines, &[]);
}

/// An entry counts only if every version of Podman takes it.
#[test]
fn versions_of_podman_read_their_configuration_by_other_rules() {
    let wrapper =
        "[engine]\nruntime = 'oci-compat'\n[engine.runtimes]\noci-compat = ['/usr/bin/oci-compat-runtime']\n";
    let crun = "[engine]\nruntime = 'crun'\n";
    let ours = "etc/containers/containers.conf.d/50-oci-compat.conf";
    let with =
        |file: &str, text: &str| host().file("usr/bin/podman", "").file(ours, wrapper).file(file, text);
    check(
        &with("usr/share/containers/containers.conf.d/40.conf", crun),
        GateState::InForce,
        &[("podman", Coverage::All)],
        &[],
    );
    for (file, versions) in [
        ("usr/share/containers/containers.conf.d/60.conf", "Podman 6"),
        ("etc/containers/containers.rootful.conf.d/60.conf", "Podman 6"),
        ("root/.config/containers/containers.conf", "Podman 5"),
        ("root/.config/containers/containers.conf.d/60.conf", "Podman 5 and 6"),
    ] {
        let asked = "podman: only containers that ask for the runtime oci-compat are checked";
        let status =
            check(&with(file, crun), GateState::NotInForce, &[("podman", Coverage::Asked)], &[asked]);
        let note = format!(
            "the default runtime of {versions} is crun by /{file}, not oci-compat: oci-compat install podman --wrapper --default"
        );
        assert_eq!(status.engines[0].notes, [note]);
    }
    let other = "[engine.runtimes]\noci-compat = ['/bin/crun']\n";
    let said = "podman: the runtime oci-compat of Podman 6 is another program";
    let host = with("usr/share/containers/containers.conf.d/60.conf", other);
    check(&host, GateState::NotInForce, &[("podman", Coverage::None)], &[said]);
    let said = "podman: /etc/containers/containers.conf.d/50-oci-compat.conf is not read by Podman 6";
    let host = with("etc/containers/containers.rootful.conf.d/50-oci-compat.conf", crun);
    check(&host, GateState::NotInForce, &[("podman", Coverage::None)], &[said]);
}

#[test]
fn versions_of_podman_have_other_folders_for_hooks() {
    let said =
        "hooks in /usr/share/containers/oci/hooks.d are not read by Podman 6: hooks_dir names other folders";
    let other = "[engine]\nhooks_dir = ['/other']\n";
    let host = host()
        .file("usr/bin/podman", "")
        .file(HOOK_FILE, HOOK)
        .file("usr/share/containers/containers.conf.d/60.conf", other);
    let problem = format!("podman: {said}");
    check(&host, GateState::NotInForce, &[("podman", Coverage::None)], &[&problem]);
    let host = host
        .file(
            "etc/containers/containers.conf",
            "[engine]\nhooks_dir = ['/usr/share/containers/oci/hooks.d']\n",
        )
        .file("etc/passwd", "a:x:1000:1000::/home/a:/bin/sh\n")
        .folder("home/a/.local/share/containers/storage");
    let user = format!("podman of a: {said}");
    let engines = [("podman", Coverage::None), ("podman of a", Coverage::None)];
    check(&host, GateState::NotInForce, &engines, &[&problem, &user]);
}

/// Root sees what was decided on users' containers, however much a user has written.
#[test]
fn the_last_decisions_of_users_are_among_the_last() {
    let line = |time: u32, message: &str| {
        format!("{{\"time\": \"2099-01-01T00:00:0{time}Z\", \"message\": \"{message}\"}}\n")
    };
    let host = host()
        .file("etc/passwd", "a:x:1000:1000::/home/a:/bin/sh\n")
        .folder("home/a/.local/share/containers/storage")
        .file(
            "home/a/.local/state/oci-compat/decisions.jsonl",
            line(1, "one") + &line(9, "\\u001b[2Jtwo\\nmore") + "{torn",
        )
        .file("var/log/oci-compat/decisions.jsonl", DECISION);
    let status = look(&host);
    let shown: Vec<_> = status.decisions.iter().map(|it| (it.user.as_deref(), it.message.as_str())).collect();
    assert_eq!(shown.get(..2), Some(&[(Some("a"), "\\u{1b}[2Jtwo"), (Some("a"), "one")][..]));
    assert_eq!(shown.get(2).map(|it| it.0), Some(None));
    let row = "decisions      2099-01-01T00:00:09Z podman of a: \\u{1b}[2Jtwo\n";
    assert!(text(&status).contains(row), "{}", text(&status));
}

#[test]
fn an_image_has_demands_by_what_the_administrator_wrote_too() {
    let digest = format!("sha256:{}", "ab".repeat(32));
    let repositories = format!(
        "{{\"Repositories\": {{\"upf\": {{\"upf:1\": \"{digest}\"}}, \"smf\": {{\"smf:1\": \"sha256:{}\"}}}}}}",
        "cd".repeat(32)
    );
    let images = |pattern: &str| {
        let spec = "version: v1alpha1\ncompatibilities: []\n";
        let own = format!("images = [{pattern:?}]\nspec = '''\n{spec}'''\n");
        let host = host()
            .file("var/lib/docker/image/overlay2/repositories.json", &repositories)
            .file("etc/oci-compat/requirements.d/own.toml", own);
        let EngineImages { demanding, free, .. } = look(&host).images;
        (demanding, free)
    };
    assert_eq!(images("docker.io/library/upf"), (vec!["upf:1".to_owned()], 1));
    assert_eq!(images(&digest), (vec!["upf:1".to_owned()], 1));
    assert_eq!(images("other"), (Vec::new(), 2));
}

#[test]
fn the_configuration_may_let_everything_start() {
    let host = host().file("usr/bin/podman", "").file(HOOK_FILE, HOOK).file("usr/bin/crun", "");
    let podman = [("podman", Coverage::All)];
    let host = host.file("etc/oci-compat/config.toml", "mode = \"audit\"\ncrun_stderr = false\n");
    let audit = "/etc/oci-compat/config.toml: mode audit: nothing is refused";
    let status = check(&host, GateState::NotInForce, &podman, &[audit]);
    let note = "crun_stderr is false: under crun, of a refusal the user sees the number alone";
    assert_eq!(status.engines[0].notes, [note]);
    let host = host.file("etc/oci-compat/config.toml", "mod = 1\n");
    let broken =
        "/etc/oci-compat/config.toml: it is broken, so nothing is refused: see `oci-compat config check`";
    check(&host, GateState::Trouble, &podman, &[broken]);
    let host = host.file("etc/docker/daemon.json", "{,}");
    let docker = "docker: /etc/docker/daemon.json: key must be a string at line 1 column 2";
    check(&host, GateState::Trouble, &podman, &[docker, broken]);
}

#[test]
fn a_record_of_a_runtime_that_has_changed_since_is_named() {
    let ours = r#"{"annotations": {"org.oci-compat.program": "/usr/bin/runc"}}"#;
    let host = host()
        .file("usr/bin/podman", "")
        .file(HOOK_FILE, HOOK)
        .file("usr/bin/runc", "1")
        .file("usr/bin/crun", "1")
        .file("usr/bin/youki", "1");
    // Time enough for the clock of the file system to go on.
    let later = || std::thread::sleep(std::time::Duration::from_millis(30));
    later();
    let host = host
        .file("etc/oci-compat/runtimes.d/runc.json", ours)
        .file("etc/oci-compat/runtimes.d/crun.json", "{}")
        .file("etc/oci-compat/runtimes.d/youki.json", "{}");
    assert_eq!(look(&host).runtimes, Vec::<String>::new());
    later();
    let host = host.file("usr/bin/runc", "2").file("usr/bin/crun", "2");
    let status = check(&host, GateState::InForce, &[("podman", Coverage::All)], &[]);
    assert_eq!(
        status.runtimes,
        [
            "/etc/oci-compat/runtimes.d/crun.json is older than /usr/bin/crun, which it tells of: /usr/bin/crun features > \
             /etc/oci-compat/runtimes.d/crun.json",
            "/etc/oci-compat/runtimes.d/runc.json is older than /usr/bin/runc, which it tells of: oci-compat install ENGINE, \
             once more",
        ]
    );
    let rows = "runtimes       note: /etc/oci-compat/runtimes.d/crun.json is older than /usr/bin/crun, which it tells of: \
                /usr/bin/crun features > /etc/oci-compat/runtimes.d/crun.json\n               note: /etc/oci-compat/runtimes.d/runc.json";
    assert!(text(&status).contains(rows), "{}", text(&status));
}

#[test]
fn a_status_fits_on_a_screen() {
    let host = host()
        .file("usr/bin/dockerd", "")
        .file("etc/docker/daemon.json", DOCKER.replace(", \"kata\": {\"path\": \"/k\"}", ""))
        .file("var/log/oci-compat/decisions.jsonl", crate::setup::status::tests::DECISION);
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
    let file = fs::File::options().append(true).open(host.place("etc/docker/daemon.json"));
    file.and_then(|it| it.set_modified(time)).expect("a time");
    let folder = host.place("").display().to_string();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        text(&look(&host)).replace(&folder, ""),
        format!(
            "in force\n\n\
             docker         every container is checked\n               \
             wrapper oci-compat: /usr/bin/oci-compat-runtime {version}, by /etc/docker/daemon.json since 1970-01-01T00:00:01.000000Z\n\
             configuration  etc/oci-compat/config.toml: mode enforce, by default\n\
             store          var/lib/oci-compat/store: it is not there: no image has demands in it\n\
             images         0 with demands, 0 without\n\
             decisions      2026-08-01T10:00:00.000000Z oci-compat: refused: kernel module gtp5g is not loaded [module-not-loaded; oci-compat why 3f2a9c]\n"
        )
    );
}

const DECISION: &str = concat!(
    r#"{"schema":"oci-compat.decision/v1","time":"2026-08-01T10:00:00.000000Z","program":"hook","mode":"enforce","#,
    r#""verdict":"incompatible","situation":"incompatible","action":"refuse","intention":"refuse","#,
    r#""message":"oci-compat: refused: kernel module gtp5g is not loaded [module-not-loaded; oci-compat why 3f2a9c]","#,
    r#""subject":{"image":"docker.io/acme/upf:1","container":"3f2a9c"},"reasons":[],"specs":[]}"#,
    "\n"
);
