use super::*;
use crate::testing::FakeHost;

#[test]
fn containerd_reads_imports_behind_the_file_that_names_them() {
    let host = FakeHost::new()
        .file("etc/containerd/config.toml", "version = 3\nimports = ['conf.d/*.toml', '/etc/one.toml']\ndisabled_plugins = []\n")
        .file("etc/containerd/conf.d/20-b.toml", "[plugins.'io.containerd.cri.v1.runtime'.containerd]\ndefault_runtime_name = 'nvidia'\n")
        .file("etc/containerd/conf.d/10-a.toml", "imports = ['../config.toml']\n[plugins.'io.containerd.cri.v1.runtime'.containerd]\ndefault_runtime_name = 'a'\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.nvidia]\nruntime_type = 'io.containerd.runc.v2'\n")
        .file("etc/containerd/conf.d/other.txt", "not TOML")
        .file("etc/one.toml", "disabled_plugins = ['x', 'cri']\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.nvidia.options]\nBinaryName = '/opt/nvidia'\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.kata]\nruntime_type = 'io.containerd.kata.v2'\n");
    let found = containerd::read(&host.root(), "/etc/containerd/config.toml").expect("whole").expect("there");
    let files: Vec<_> = found.files.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(
        files,
        [
            "/etc/containerd/config.toml",
            "/etc/containerd/conf.d/10-a.toml",
            "/etc/containerd/conf.d/20-b.toml",
            "/etc/one.toml"
        ]
    );
    let said =
        |value: &str, file: &str| Some(EffectiveValue { value: value.to_owned(), file: file.to_owned() });
    assert_eq!(found.default, said("nvidia", "/etc/containerd/conf.d/20-b.toml"));
    assert_eq!(found.disabled, said("cri", "/etc/one.toml"));
    let (_, nvidia) = found.default_runtime().expect("a default runtime");
    assert_eq!((nvidia.program.as_deref(), nvidia.foreign.as_deref()), (Some("/opt/nvidia"), None));
    assert_eq!(found.runtimes["kata"].foreign.as_deref(), Some("io.containerd.kata.v2"));
    assert_eq!(containerd::read(&host.root(), "/etc/other.toml").expect("whole"), None);
}

#[test]
fn a_file_that_cannot_be_parsed_is_named() {
    let host = FakeHost::new()
        .file("etc/containerd/config.toml", "version = 3\nimports = ['/etc/x.toml']\n")
        .file("etc/x.toml", "[a\n");
    let err = containerd::read(&host.root(), "/etc/containerd/config.toml").expect_err("half a table");
    assert_eq!(err.to_string(), "/etc/x.toml: 1:3: unclosed table, expected `]`");
}

#[test]
fn docker_has_one_file_that_may_be_empty() {
    let host = FakeHost::new().file("etc/docker/daemon.json", "\u{feff}{\"default-runtime\": \"nvidia\", \"runtimes\": {\"nvidia\": {\"path\": \"nvidia-container-runtime\", \"runtimeArgs\": []}, \"k\": {\"runtimeType\": \"io.containerd.kata.v2\"}}}");
    let found = docker::read(&host.root(), docker::FILE).expect("whole").expect("there");
    let (name, runtime) = found.default_runtime().expect("a default runtime");
    assert_eq!((name, runtime.program.as_deref()), ("nvidia", Some("nvidia-container-runtime")));
    assert_eq!(found.runtimes["k"].foreign.as_deref(), Some("io.containerd.kata.v2"));
    let host = FakeHost::new().file("etc/docker/daemon.json", "");
    let found = docker::read(&host.root(), docker::FILE).expect("whole").expect("there");
    assert_eq!((found.default, found.runtimes.len()), (None, 0));
}

#[test]
fn drop_ins_of_podman_and_cri_o_win_in_the_order_of_their_names() {
    let host = FakeHost::new()
        .file("usr/share/containers/containers.conf", "[engine]\nruntime = \"runc\"\nhooks_dir = [\"/a\"]\n")
        .file("etc/containers/containers.conf.d/1.conf", "[engine]\nruntime = \"crun\"\n[engine.runtimes]\ncrun = [\"/opt/crun\", \"/bin/crun\"]\n")
        .file("bin/crun", "")
        .file("etc/crio/crio.conf", "[crio.runtime]\ndefault_runtime = \"runc\"\n")
        .file("etc/crio/crio.conf.d/99-nvidia.conf", "[crio.runtime]\ndefault_runtime = \"nvidia\"\n[crio.runtime.runtimes.nvidia]\nruntime_path = \"/usr/bin/nvidia-container-runtime\"\n[crio.runtime.runtimes.kata]\nruntime_type = \"vm\"\n");
    let found = podman::read(&host.root()).expect("whole");
    let (name, runtime) = found.default_runtime().expect("a default runtime");
    assert_eq!((name, runtime.program.as_deref()), ("crun", Some("/bin/crun")));
    assert_eq!(found.hooks, ["/a"]);
    let found = crio::read(&host.root()).expect("whole");
    let (name, runtime) = found.default_runtime().expect("a default runtime");
    assert_eq!((name, runtime.program.as_deref()), ("nvidia", Some("/usr/bin/nvidia-container-runtime")));
    assert_eq!(found.runtimes["kata"].foreign.as_deref(), Some("vm"));
    assert_eq!(podman::read(&FakeHost::new().root()).expect("whole"), Effective::default());
}

/// Which runtime each version of Podman starts by default, and the folders for hooks that it has.
#[test]
fn versions_of_podman_read_other_files_in_another_order() {
    let runtime = |name: &str| format!("[engine]\nruntime = {name:?}\nhooks_dir = [\"/{name}\"]\n");
    let (usr, etc) = ("usr/share/containers", "etc/containers");
    let ours = format!("{etc}/containers.conf.d/50-oci-compat.conf");
    for (other, expected) in [
        (format!("{usr}/containers.conf"), ["ours"; 3]),
        (format!("{usr}/containers.conf.d/40.conf"), ["ours"; 3]),
        (format!("{usr}/containers.conf.d/60.conf"), ["ours", "ours", "crun"]),
        (format!("{usr}/containers.conf.d/50-oci-compat.conf"), ["ours"; 3]),
        (format!("{usr}/containers.rootful.conf.d/60.conf"), ["ours", "ours", "crun"]),
        (format!("{usr}/containers.rootless.conf.d/60.conf"), ["ours"; 3]),
        (format!("{etc}/containers.conf"), ["ours"; 3]),
        (format!("{etc}/containers.conf.d/40.conf"), ["ours"; 3]),
        (format!("{etc}/containers.conf.d/60.conf"), ["crun"; 3]),
        (format!("{etc}/containers.rootful.conf.d/50-oci-compat.conf"), ["ours", "ours", "crun"]),
        (format!("{etc}/containers.rootful.conf.d/60.conf"), ["ours", "ours", "crun"]),
        ("root/.config/containers/containers.conf".to_owned(), ["ours", "crun", "ours"]),
        ("root/.config/containers/containers.conf.d/40.conf".to_owned(), ["ours", "crun", "ours"]),
        ("root/.config/containers/containers.conf.d/60.conf".to_owned(), ["ours", "crun", "crun"]),
    ] {
        let host = FakeHost::new().file(&ours, runtime("ours")).file(&other, runtime("crun"));
        let found = podman::Rules::ALL.map(|it| podman::read_by(&host.root(), it).expect("whole"));
        assert_eq!(found.clone().map(|it| it.default.expect("a default").value), expected, "{other}");
        assert_eq!(found.map(|it| it.hooks.concat()), expected.map(|it| format!("/{it}")), "{other}");
    }
    assert_eq!(podman::Rules::names(&podman::Rules::ALL), "Podman 4, 5 and 6");
    assert_eq!(podman::Rules::names(&podman::Rules::ALL[..1]), "Podman 4");
}

#[test]
fn podman_6_reads_only_the_first_main_file_and_no_links() {
    let host = FakeHost::new()
        .file("usr/share/containers/containers.conf", "[engine]\nruntime = 'usr'\n")
        .file("etc/containers/containers.conf", "[engine]\nhooks_dir = ['/etc']\n")
        .file("etc/other.conf", "[engine]\nruntime = 'other'\n")
        .link("etc/containers/containers.conf.d/60.conf", "/etc/other.conf");
    let found = podman::Rules::ALL.map(|it| podman::read_by(&host.root(), it).expect("whole"));
    assert_eq!(
        found.clone().map(|it| it.default.map(|it| it.value)),
        [Some("other".into()), Some("other".into()), None]
    );
    assert_eq!(found.map(|it| it.hooks), [["/etc"]; 3]);
}

#[test]
fn podman_adds_folders_for_hooks_where_a_list_says_append() {
    let check = |lists: &[&str], expected: &[&str]| {
        let host = lists.iter().enumerate().fold(FakeHost::new(), |host, (index, list)| {
            let text = format!("[engine]\nhooks_dir = [{list}]\n");
            host.file(&format!("etc/containers/containers.conf.d/{index}.conf"), text)
        });
        for rules in podman::Rules::ALL {
            assert_eq!(podman::read_by(&host.root(), rules).expect("whole").hooks, expected, "{lists:?}");
            assert_eq!(podman::hooks_by(&host.root(), rules, "1000", "/home/a"), expected, "{lists:?}");
        }
        let caller = podman::PodmanCaller::User { uid: "1000", own: "/home/a/.config/containers" };
        assert_eq!(podman::hooks_beside(&host.root(), caller, &[]).expect("whole"), expected, "{lists:?}");
    };
    check(&["'/a'", "'/b'"], &["/b"]);
    check(&["'/a'", "'/b', {append = true}"], &["/a", "/b"]);
    check(&["'/a', {append = true}", "'/b'"], &["/a", "/b"]);
    check(&["'/a', {append = true}", "'/b', {append = false}"], &["/b"]);
    check(&["'/a'", "{append = true}"], &["/a"]);
}

#[test]
fn a_user_s_podman_has_drop_ins_for_those_without_root() {
    let named = |name: &str| format!("[engine]\nhooks_dir = [\"/{name}\"]\n");
    for (other, expected) in [
        ("etc/containers/containers.conf.d/60.conf", ["own", "own", "other"]),
        ("etc/containers/containers.conf.d/40.conf", ["own"; 3]),
        ("usr/share/containers/containers.rootless.conf.d/60.conf", ["own", "own", "other"]),
        ("etc/containers/containers.rootless.conf.d/1000/60.conf", ["own", "own", "other"]),
        ("etc/containers/containers.rootless.conf.d/1001/60.conf", ["own"; 3]),
        ("etc/containers/containers.rootful.conf.d/60.conf", ["own"; 3]),
        ("home/a/.config/containers/containers.conf.d/60.conf", ["other"; 3]),
    ] {
        let own = "home/a/.config/containers/containers.conf.d/50-oci-compat.conf";
        let host = FakeHost::new().file(own, named("own")).file(other, named("other"));
        let found =
            podman::Rules::ALL.map(|it| podman::hooks_by(&host.root(), it, "1000", "/home/a").concat());
        assert_eq!(found, expected.map(|it| format!("/{it}")), "{other}");
    }
}
