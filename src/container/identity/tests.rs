//! Every resolver with files of real engines (`fixtures/README.md`), placed where the engines keep them.

use std::fs;
use std::time::Duration;

use super::*;
use crate::testing::FakeHost;

const INDEX: &str = "sha256:ec6467f908311799a5bf734365fbd83f057619d1955077fa6c494759ed15f5f3";
const MANIFEST: &str = "sha256:47fe92b93459cfe8d359a9ceb83f3c6c23c32fcbaeae8d4b0034559c7dd12a2b";
const CONFIG: &str = "sha256:bf624945ecec647730abd79d41dd14a5e92876345cf3c702b438a601af18b9ac";
const NAME: &str = "127.0.0.1:5943/demo/app:v1";

/// What is known about the bundle at a path of this host, a line for each thing. Daemons have all the time in the world.
pub(super) fn told(host: &FakeHost, folder: &str, need: Need) -> Vec<String> {
    told_within(host, folder, need, Duration::from_secs(60))
}

/// As [`told`], of a check that may take so long.
pub(super) fn told_within(host: &FakeHost, folder: &str, need: Need, patience: Duration) -> Vec<String> {
    let folder = host.place(folder);
    let bundle = Bundle::read(&folder).expect("a bundle");
    let until = Instant::now() + patience;
    let identity = resolve(&folder, &bundle, need, &EnginePlaces { root: host.place("") }, &|| until);
    let kind = match identity.unknown {
        Some(UnknownImage::Unanswered(_)) => "unanswered: ",
        Some(UnknownImage::Unfit(_)) => "unfit: ",
        Some(UnknownImage::Untold(_)) | None => "",
    };
    let gap =
        identity.gap().map(|it| format!("{kind}{it}").replace(&host.place("").display().to_string(), "/"));
    let digest = |it: &Digest| match it.to_string().as_str() {
        INDEX => "index".to_owned(),
        MANIFEST => "manifest".to_owned(),
        other => other.to_owned(),
    };
    let annotated = identity.annotated.names.into_iter().chain(identity.annotated.digests.iter().map(digest));
    let annotated = annotated.map(|it| format!("said: {it}"));
    identity
        .names
        .into_iter()
        .chain(identity.digests.iter().map(digest))
        .chain(annotated)
        .chain(gap)
        .collect()
}

/// What is told while there is only the first half of a file. That it was read five times shows in the time that it took:
/// each time but the last it is given 5 ms.
fn while_torn(host: &FakeHost, path: &str, tell: impl Fn() -> Vec<String>) -> Vec<String> {
    let text = fs::read(host.place(path)).expect("a fixture");
    fs::write(host.place(path), &text[..text.len() / 2]).expect("tearing a fixture");
    let since = Instant::now();
    let found = tell();
    assert!(since.elapsed() >= Duration::from_millis(4 * 5), "{:?}", since.elapsed());
    found
}

/// A content store with the image's index, manifest and configuration, as far as they are named.
pub(super) fn with_content(host: FakeHost, root: &str, digests: &[&str]) -> FakeHost {
    digests.iter().fold(host, |host, digest| {
        let hex = digest.trim_start_matches("sha256:");
        let blob = match *digest {
            INDEX => include_bytes!(
                "fixtures/blobs/ec6467f908311799a5bf734365fbd83f057619d1955077fa6c494759ed15f5f3"
            )
            .as_slice(),
            MANIFEST => include_bytes!(
                "fixtures/blobs/47fe92b93459cfe8d359a9ceb83f3c6c23c32fcbaeae8d4b0034559c7dd12a2b"
            ),
            _ => include_bytes!(
                "fixtures/blobs/bf624945ecec647730abd79d41dd14a5e92876345cf3c702b438a601af18b9ac"
            ),
        };
        host.file(&format!("{root}/io.containerd.content.v1.content/blobs/sha256/{hex}"), blob)
    })
}

mod makers {
    use super::*;

    fn check(folder: &str, expected: &Maker) {
        assert_eq!(&maker(Path::new(folder)), expected, "{folder}");
    }

    #[test]
    fn the_path_of_a_bundle_names_its_engine() {
        let task = |state: &str, namespace: &str, id: &str| Task {
            state: state.into(),
            namespace: namespace.to_owned(),
            id: id.to_owned(),
        };
        check(
            "/run/containerd/io.containerd.runtime.v2.task/k8s.io/c1",
            &Maker::Containerd(task("/run/containerd", "k8s.io", "c1")),
        );
        check(
            "/run/docker/containerd/daemon/io.containerd.runtime.v2.task/moby/c1/",
            &Maker::Docker(task("/run/docker/containerd/daemon", "moby", "c1")),
        );
        check("/run/containerd/io.containerd.runtime.v2.task/plugins.moby/c1", &Maker::Plugin);
        check("/run/containerd/io.containerd.runtime.v2.task/buildkit/c1", &Maker::Build);
        let place = |root: &str, driver: &str| storage::BundlePath {
            root: root.into(),
            driver: driver.to_owned(),
            id: "c1".to_owned(),
        };
        check(
            "/var/lib/containers/storage/overlay-containers/c1/userdata",
            &Maker::Storage(place("/var/lib/containers/storage", "overlay")),
        );
        check("/var/tmp/buildah3156673554", &Maker::Build);
        check("/var/lib/docker/buildkit/executor/x", &Maker::Build);
        check("/var/lib/buildkit/runc-overlayfs/executor/x", &Maker::Build);
        let others = [
            "/",
            "",
            "/var/tmp/buildah",
            "/var/tmp/buildah-x",
            "/c1/userdata",
            "/containers/c1/userdata",
            "/srv/b",
        ];
        for folder in others {
            check(folder, &Maker::Other);
        }
    }
}

mod unpacked {
    use super::*;

    fn host(meta: &str) -> FakeHost {
        FakeHost::new().file("b/config.json", "{}").file("b/umoci.json", meta)
    }

    #[test]
    fn umoci_records_the_digests_on_the_way_to_the_manifest() {
        let meta = include_str!("fixtures/umoci-0.4/umoci.json");
        assert_eq!(told(&host(meta), "b", Need::Digests), ["manifest"]);
        let more = meta.replace("[{", &format!("[{{\"digest\":\"{INDEX}\"}},{{"));
        assert_eq!(told(&host(&more), "b", Need::Digests), ["index", "manifest"]);
    }

    #[test]
    fn a_broken_umoci_json_leaves_the_image_unknown() {
        let check = |meta: &str, expected: &[&str]| {
            assert_eq!(told(&host(meta), "b", Need::Digests), expected, "{meta}");
        };
        check("[]", &["unfit: image unknown: reading /b/umoci.json: it is not a JSON object"]);
        check(
            "{}",
            &[
                "unfit: image unknown: reading /b/umoci.json: missing field `from_descriptor_path` at line 1 column 2",
            ],
        );
        check(
            &format!(
                "{{\"from_descriptor_path\":{{\"descriptor_walk\":[{{\"digest\":\"x\"}},{{\"digest\":\"{INDEX}\"}}]}}}}"
            ),
            &[
                "index",
                "unfit: image known only in part: umoci.json: digest \"x\" does not start with \"sha256:\", the only \
                 algorithm that is supported",
            ],
        );
    }

    #[test]
    fn a_bundle_of_an_unknown_tool_has_no_image_and_a_build_needs_none() {
        let host = FakeHost::new().file("b/config.json", "{}").file("tmp/buildah1/config.json", "{}");
        assert_eq!(
            told(&host, "b", Need::Digests),
            ["image unknown: the bundle is of no engine that is known, and has no umoci.json"]
        );
        assert_eq!(told(&host, "tmp/buildah1", Need::Digests), Vec::<String>::new());
    }
}

mod docker_files {
    use super::*;

    const OLD: &str = include_str!("fixtures/docker-20.10/config.v2.json");
    const REPOSITORIES: &str = include_str!("fixtures/docker-20.10/repositories.json");
    const NEW: &str = include_str!("fixtures/docker-26.1/config.v2.json");
    const STATE: &str = "run/docker/containerd/daemon/io.containerd.runtime.v2.task/moby";

    fn id(config: &str) -> String {
        let config: serde_json::Value = serde_json::from_str(config).expect("JSON");
        config["ID"].as_str().expect("an id").to_owned()
    }

    /// A container whose data lie below `data`, with a bundle that dockerd's own containerd made there.
    fn host(data: &str, config: &str) -> FakeHost {
        let id = id(config);
        let host = FakeHost::new();
        let work = host.place(&format!("{data}/containerd/daemon/io.containerd.runtime.v2.task/moby/{id}"));
        host.file(&format!("{STATE}/{id}/config.json"), "{}")
            .link(&format!("{STATE}/{id}/work"), &work.display().to_string())
            .file(&format!("{data}/containers/{id}/config.v2.json"), config)
    }

    fn with_names(host: FakeHost, data: &str) -> FakeHost {
        let host = host.file(&format!("{data}/image/vfs/repositories.json"), REPOSITORIES);
        with_content(host, &format!("{data}/containerd/daemon"), &[INDEX, MANIFEST])
    }

    fn check(host: &FakeHost, config: &str, expected: &[&str]) {
        assert_eq!(told(host, &format!("{STATE}/{}", id(config)), Need::Digests), expected);
    }

    #[test]
    fn a_step_of_the_classic_builder_is_known_by_dockerd_s_own_files() {
        const STEP: &str = include_str!("fixtures/docker-20.10-build/config.v2.json");
        const HOST: &str = include_str!("fixtures/docker-20.10-build/hostconfig.json");
        let is_build = |config: &str, hostconfig: Option<&str>| {
            let host = host("d", config);
            let host = match hostconfig {
                Some(text) => host.file(&format!("d/containers/{}/hostconfig.json", id(config)), text),
                None => host,
            };
            let folder = host.place(&format!("{STATE}/{}", id(config)));
            let bundle = Bundle::read(&folder).expect("a bundle");
            let until = Instant::now() + Duration::from_secs(60);
            super::is_build(&folder, &bundle, &EnginePlaces { root: host.place("") }, &|| until)
        };
        let differs = |config: (&str, &str), host: (&str, &str)| {
            assert!(STEP.contains(config.0) && HOST.contains(host.0));
            assert!(!is_build(
                &STEP.replacen(config.0, config.1, 1),
                Some(&HOST.replacen(host.0, host.1, 1))
            ));
        };
        assert!(is_build(STEP, Some(HOST)));
        assert!(!is_build(STEP, None));
        assert!(!is_build(STEP, Some("{}")));
        assert!(!is_build(OLD, Some(HOST)));
        let same = ("", "");
        differs(("\"Image\":\"sha256:", "\"Image\":\"other:tag"), same);
        differs(("[\"NONE\"]", "[\"CMD\",\"true\"]"), same);
        differs((",\"Healthcheck\":{\"Test\":[\"NONE\"]}", ""), same);
        differs(same, ("\"none\"", "\"json-file\""));
        // What the docker command sends along with each container.
        differs(same, ("\"PortBindings\":null", "\"PortBindings\":{}"));
        differs(same, ("\"Devices\":null", "\"Devices\":[]"));
        differs(same, ("\"Binds\":null", "\"Binds\":[\"/:/host\"]"));
        differs(same, ("\"Privileged\":false", "\"Privileged\":true"));
        differs(same, ("\"AutoRemove\":false", "\"AutoRemove\":true"));
    }

    #[test]
    fn a_graph_driver_s_image_has_its_digests_by_its_names() {
        check(&with_names(host("d", OLD), "d"), OLD, &["other:tag", NAME, "index", "manifest"]);
        // The image may have been called by its id, which is no name of it.
        for id in [CONFIG, &CONFIG["sha256:".len()..], "bf624945ecec", "bf6"] {
            let config = OLD.replace("\"Image\":\"other:tag\"", &format!("\"Image\":\"{id}\""));
            check(&with_names(host("d", &config), "d"), &config, &[NAME, "other:tag", "index", "manifest"]);
        }
    }

    #[test]
    fn containerd_s_image_store_notes_both_digests() {
        check(&host("d", NEW), NEW, &[NAME, "index", "manifest"]);
    }

    #[test]
    fn an_image_that_was_built_here_has_no_digest() {
        let local = "image unknown: it was built or loaded here, and has no digest in any registry";
        check(&host("d", OLD), OLD, &["other:tag", local]);
        let built = OLD.replace(CONFIG, INDEX);
        check(&with_names(host("d", &built), "d"), &built, &["other:tag", local]);
    }

    #[test]
    fn without_the_pulled_manifest_the_digest_in_the_name_is_all() {
        let part = "image known only in part: only the digest by which it was pulled is known: ";
        let bare = host("d", OLD).file("d/image/vfs/repositories.json", REPOSITORIES);
        let blobs = "/d/containerd/daemon/io.containerd.content.v1.content/blobs/sha256";
        check(&bare, OLD, &["other:tag", NAME, "index", &format!("{part}{INDEX} is not in {blobs}")]);
        let index = with_content(bare, "d/containerd/daemon", &[INDEX]);
        check(
            &index,
            OLD,
            &["other:tag", NAME, "index", &format!("{part}no manifest behind it has its configuration")],
        );
    }

    #[test]
    fn the_data_are_found_wherever_they_are() {
        let id = id(NEW);
        let bundle = format!("{STATE}/{id}/config.json");
        let data = |data: &str| FakeHost::new().file(&format!("{data}/containers/{id}/config.v2.json"), NEW);
        let found = [NAME, "index", "manifest"];
        check(&data("var/lib/docker").file(&bundle, "{}"), NEW, &found);
        let host = data("elsewhere");
        let place = host.place("elsewhere").display().to_string();
        let host = host.file("etc/docker/daemon.json", format!("{{\"data-root\": \"{place}\"}}"));
        check(&host.file(&bundle, "{}"), NEW, &found);
        check(&data("nowhere").file(&bundle, "{\"root\": {\"path\": \"rootfs\"}}"), NEW, &[&lost(&id)]);
    }

    fn lost(id: &str) -> String {
        format!(
            "unanswered: image unknown: dockerd's data folder with containers/{id}/config.v2.json was not found"
        )
    }

    #[test]
    fn the_data_are_found_above_the_root_file_system() {
        let id = id(NEW);
        for root in ["overlay2/x/merged", "vfs/dir/x", "rootfs/overlayfs/x"] {
            let host = FakeHost::new().file(&format!("elsewhere/containers/{id}/config.v2.json"), NEW);
            let path = host.place("elsewhere").join(root).display().to_string();
            let config = format!("{{\"root\": {{\"path\": \"{path}\"}}}}");
            check(
                &host.file(&format!("{STATE}/{id}/config.json"), config),
                NEW,
                &[NAME, "index", "manifest"],
            );
        }
    }

    /// Its labels are its user's, who could else hide which image it is behind them.
    #[test]
    fn a_container_with_long_labels_is_known_and_with_endless_ones_unfit() {
        let host = with_names(host("d", OLD), "d");
        let path = host.place(&format!("d/containers/{}/config.v2.json", id(OLD)));
        fs::write(&path, [OLD, &" ".repeat(9 << 20)].concat()).expect("a fixture");
        check(&host, OLD, &["other:tag", NAME, "index", "manifest"]);
        fs::File::options()
            .write(true)
            .open(&path)
            .and_then(|it| it.set_len((64 << 20) + 1))
            .expect("a fixture");
        let path = format!("/d/containers/{}/config.v2.json", id(OLD));
        let told = format!("unfit: image unknown: reading {path}: it is larger than 67108864 bytes");
        check(&host, OLD, &[&told]);
    }

    /// dockerd rewrites its files while we read them.
    #[test]
    fn half_a_file_is_read_again_until_it_is_whole() {
        for path in [&format!("d/containers/{}/config.v2.json", id(OLD)), "d/image/vfs/repositories.json"] {
            let host = with_names(host("d", OLD), "d");
            let found =
                while_torn(&host, path, || told(&host, &format!("{STATE}/{}", id(OLD)), Need::Digests));
            assert!(found.concat().contains(&format!("reading /{path}: EOF while parsing")), "{found:?}");
        }
    }

    #[test]
    fn what_is_broken_leaves_the_image_unknown() {
        let id = id(OLD);
        let broken = host("d", OLD);
        let path = format!("d/containers/{id}/config.v2.json");
        fs::write(broken.place(&path), "{").expect("damaging a fixture");
        let expected = format!(
            "unanswered: image unknown: reading /{path}: EOF while parsing an object at line 1 column 1"
        );
        check(&broken, OLD, &[&expected]);
        let host = FakeHost::new().file(&format!("{STATE}/..x/config.json"), "{}");
        assert_eq!(
            told(&host, &format!("{STATE}/..x"), Need::Digests),
            ["image unknown: \"..x\" is no container id of dockerd's"]
        );
    }
}

mod containers_storage {
    use super::*;

    const CONTAINERS: &str = include_str!("fixtures/podman-4.3/containers.json");
    const IMAGES: &str = include_str!("fixtures/podman-4.3/images.json");
    const VOLATILE: &str = include_str!("fixtures/podman-5.4/volatile-containers.json");
    const NEW_IMAGES: &str = include_str!("fixtures/podman-5.4/images.json");
    const ID: &str = "3e2aae7e02dda720d8121b5f475b710a8d1760e39d9e7020a1ec8b3fdcdae144";

    fn host(config: &str, id: &str) -> FakeHost {
        FakeHost::new().file(&format!("s/vfs-containers/{id}/userdata/config.json"), config)
    }

    fn check(host: &FakeHost, id: &str, expected: &[&str]) {
        assert_eq!(told(host, &format!("s/vfs-containers/{id}/userdata"), Need::Digests), expected);
    }

    #[test]
    fn a_container_leads_to_its_image_and_all_of_its_digests() {
        let host = host("{}", ID)
            .file("s/vfs-containers/containers.json", CONTAINERS)
            .file("s/vfs-images/images.json", IMAGES);
        check(&host, ID, &["localhost/extra:t", NAME, "index", "manifest"]);
    }

    #[test]
    fn a_container_that_leaves_nothing_behind_stands_in_a_list_of_its_own() {
        let id = "af969e5e6e9ad2e6f84b28b6553c50de9af152e31b87a16f4a36f847451468da";
        let host = host("{}", id)
            .file("s/vfs-containers/volatile-containers.json", VOLATILE)
            .file("s/vfs-images/images.json", NEW_IMAGES);
        check(&host, id, &[NAME, "index", "manifest"]);
    }

    #[test]
    fn images_may_lie_above_the_root_file_system_or_in_a_shared_store() {
        let lists = |it: FakeHost| it.file("s/vfs-containers/containers.json", CONTAINERS);
        let found = ["localhost/extra:t", NAME, "index", "manifest"];
        let above = FakeHost::new().file("g/vfs-images/images.json", IMAGES);
        let root = format!("{{\"root\": {{\"path\": \"{}/vfs/dir/x\"}}}}", above.place("g").display());
        let above = lists(above).file(&format!("s/vfs-containers/{ID}/userdata/config.json"), root);
        check(&above, ID, &found);
        let shared = lists(host("{}", ID)).file("shared/vfs-images/images.json", IMAGES);
        let further = shared.place("shared").display().to_string();
        let gone = format!("image unknown: image {:?} is not in containers-storage any more", &CONFIG[7..]);
        check(&shared, ID, &["localhost/extra:t", &gone]);
        let config = format!(
            "[storage]\ndriver = \"vfs\"\n[storage.options]\nadditionalimagestores = [\"{further}\"]\n"
        );
        check(&shared.file("etc/containers/storage.conf", config), ID, &found);
    }

    #[test]
    fn a_pod_s_word_adds_to_the_engine_s_and_never_replaces_it() {
        let other = Digest::of(b"other").to_string();
        let annotations = format!(
            "{{\"annotations\": {{\"io.kubernetes.cri-o.Image\": \"app\", \"io.kubernetes.cri-o.ImageName\": \"{NAME}\", \
             \"io.kubernetes.cri-o.ImageRepoDigests\": \"a/b@{INDEX},a/b@{other},x,@\"}}}}"
        );
        let host = host(&annotations, ID)
            .file("s/vfs-containers/containers.json", CONTAINERS)
            .file("s/vfs-images/images.json", IMAGES);
        let (name, other) = (format!("said: {NAME}"), format!("said: {other}"));
        let annotated = ["said: app", &name, "said: index", &other];
        let found = ["localhost/extra:t", NAME, "index", "manifest"];
        check(&host, ID, &[&found[..], &annotated].concat());
        fs::remove_file(host.place("s/vfs-containers/containers.json")).expect("a fixture");
        let gone =
            format!("unanswered: image unknown: container {ID:?} is not in containers-storage below /s");
        check(&host, ID, &[&annotated[..], &[&gone]].concat());
    }

    /// containers-storage rewrites its lists while we read them.
    #[test]
    fn half_a_list_is_read_again_until_it_is_whole() {
        for path in ["s/vfs-containers/containers.json", "s/vfs-images/images.json"] {
            let host = host("{}", ID)
                .file("s/vfs-containers/containers.json", CONTAINERS)
                .file("s/vfs-images/images.json", IMAGES);
            let found = while_torn(&host, path, || {
                told(&host, &format!("s/vfs-containers/{ID}/userdata"), Need::Digests)
            });
            assert!(found.concat().contains(&format!("reading /{path}: EOF while parsing")), "{found:?}");
        }
    }

    #[test]
    fn what_is_broken_or_no_image_is_reported() {
        let host = host("{}", ID).file("s/vfs-containers/containers.json", "[{}]");
        let broken = "unanswered: image unknown: reading /s/vfs-containers/containers.json: missing field `id` at line 1 column 3";
        check(&host, ID, &[broken]);
        let host = host.file("s/vfs-containers/containers.json", format!("[{{\"id\": \"{ID}\"}}]"));
        check(&host, ID, &["image unknown: the container was made from a folder, not from an image"]);
        let host = host
            .file("s/vfs-containers/containers.json", format!("[{{\"id\": \"{ID}\", \"image\": \"x\"}}]"))
            .file("s/vfs-images/images.json", "[{\"id\": \"x\", \"digest\": \"sha512:1\", \"names\": null}]");
        check(&host, ID, &["image unknown: image \"x\" has no manifest with a SHA-256 digest"]);
    }
}
