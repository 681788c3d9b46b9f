//! containerd's image verifier: the little program that it calls before it pulls an image, and why it may not call it
//! (containerd, `docs/image-verification.md`). Never reads or writes a file.

use crate::setup::engines::{self, ConfigFile, Effective};

/// The file in containerd's folder of verifiers. Nothing else of ours may lie there: what cannot be executed blocks every pull.
pub const VERIFIER: &str = "oci-compat-verifier";
/// Where containerd looks for verifiers unless its configuration says otherwise.
const FOLDER: &str = "/opt/containerd/image-verifier/bin";
/// By which the file is known for ours.
const MARK: &str = "# Written by `oci-compat install containerd --verifier`, and removed by its --remove.";
/// The plugin that calls verifiers.
const PLUGIN: &str = "io.containerd.image-verifier.v1.bindir";
/// The plugin that pulls, for `ctr` as well.
const TRANSFER: &str = "io.containerd.transfer.v1.local";
/// Where `hosts.toml` of registries usually are.
const HOSTS: &str = "/etc/containerd/certs.d";
/// The CRI plugin's settings of images, in files of version 2, and of version 3 and later.
const CRI: [&str; 2] = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images"];

/// The file's text; `program` is the absolute path of `oci-compat`.
///
/// It is a script and no link: a link whose program was removed could not be executed, and would block every pull. Only status
/// 1 is a refusal; whatever else happens to the program, the image is pulled.
pub fn script(program: &str) -> String {
    format!("#!/bin/sh\n{MARK}\n{} verifier -- \"$@\"\n[ $? -ne 1 ]\n", shell_word(program))
}

/// As one word of a shell.
fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Whether a text is such a file.
pub fn is_script(text: &str) -> bool {
    text.lines().nth(1) == Some(MARK)
}

/// The program that such a file calls.
pub fn called(text: &str) -> Option<String> {
    let line = text.lines().nth(2).filter(|_| is_script(text))?;
    let word = line.strip_prefix('\'')?.strip_suffix("' verifier -- \"$@\"")?;
    Some(word.replace("'\\''", "'"))
}

/// The folder in which this containerd looks for verifiers.
pub fn folder(around: &Effective) -> String {
    let said = engines::last(&around.files, &["plugins", PLUGIN], "bin_dir");
    said.map_or_else(|| FOLDER.to_owned(), |it| it.value)
}

/// Why this containerd does not ask verifiers, for all pulls or for those of Kubernetes, each a sentence that names the file.
pub fn bypasses(around: &Effective) -> Vec<String> {
    let mut found = Vec::new();
    for file in &around.files {
        let listed = file.table.get("disabled_plugins").and_then(|it| it.as_array());
        if listed.is_some_and(|it| it.iter().any(|it| it.as_str() == Some(PLUGIN))) {
            found.push(format!(
                "{}: disabled_plugins names {PLUGIN:?}: containerd asks no verifier",
                file.path
            ));
        }
    }
    for plugin in CRI {
        let reasons = local(around, plugin);
        for file in &around.files {
            let of_file = reasons.iter().filter(|(it, _)| *it == file.path).map(|(_, why)| why.as_str());
            let why = of_file.collect::<Vec<_>>().join(", ");
            if !why.is_empty() {
                found.push(format!(
                    "{}: [plugins.{plugin:?}] has {why}: for Kubernetes containerd pulls by itself then, and asks no verifier",
                    file.path
                ));
            }
        }
    }
    found
}

/// The settings by which the CRI plugin pulls images locally, and the file that has the last word on each (containerd,
/// `internal/cri/config/config.go`, `CheckLocalImagePullConfigs`).
fn local<'a>(around: &'a Effective, plugin: &str) -> Vec<(&'a str, String)> {
    let path = ["plugins", plugin];
    let last = |key: &str| {
        around.files.iter().rev().find_map(|file| {
            let value = engines::descend(&file.table, &path)?.get(key)?;
            Some((file.path.as_str(), value))
        })
    };
    let mut found = Vec::new();
    for (key, wanted) in [
        ("use_local_image_pull", true),
        ("discard_unpacked_layers", true),
        ("disable_snapshot_annotations", false),
        ("image_pull_with_sync_fs", true),
    ] {
        if let Some((file, _)) = last(key).filter(|(_, it)| it.as_bool() == Some(wanted)) {
            found.push((file, format!("{key} = {wanted}")));
        }
    }
    if let Some((file, count)) = last("max_concurrent_downloads")
        && let Some(count) = count.as_integer().filter(|it| *it != 3)
    {
        found.push((file, format!("max_concurrent_downloads = {count} (not 3)")));
    }
    // Tables of all files are put together.
    for key in ["mirrors", "configs", "auths"] {
        let is_there = |file: &&'a ConfigFile| {
            let listed = engines::descend(&file.table, &["plugins", plugin, "registry", key]);
            listed.is_some_and(|it| !it.is_empty())
        };
        let file = around.files.iter().rev().find(is_there);
        found.extend(file.map(|it| (it.path.as_str(), format!("registry.{key}"))));
    }
    found
}

/// The images of pods' sandboxes, as the configuration names them. Nothing is demanded of a sandbox's host, and without its
/// image no pod starts.
pub fn sandboxes(around: &Effective) -> Vec<String> {
    let version_2 = engines::last(&around.files, &["plugins", CRI[0]], "sandbox_image");
    let version_3 = engines::last(&around.files, &["plugins", CRI[1], "pinned_images"], "sandbox");
    [version_2, version_3].into_iter().flatten().map(|it| it.value).collect()
}

/// The folders in which this containerd looks for `hosts.toml` of registries, the one that is usual included.
pub fn hosts_folders(around: &Effective) -> Vec<String> {
    let places =
        [&["plugins", CRI[0], "registry"][..], &["plugins", CRI[1], "registry"], &["plugins", TRANSFER]];
    let mut found: Vec<String> = Vec::new();
    for said in places.iter().filter_map(|it| engines::last(&around.files, it, "config_path")) {
        found.extend(said.value.split(':').filter(|it| !it.is_empty()).map(str::to_owned));
    }
    found.push(HOSTS.to_owned());
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::engines::ConfigFile;

    fn around(text: &str) -> Effective {
        let file = ConfigFile {
            path: "/etc/containerd/config.toml".to_owned(),
            table: toml::from_str(text).unwrap(),
        };
        Effective { files: vec![file], ..Effective::default() }
    }

    #[test]
    fn the_script_calls_the_program_and_is_known_again() {
        let text = script("/usr/local/bin/oci-compat");
        assert_eq!(
            text,
            "#!/bin/sh\n# Written by `oci-compat install containerd --verifier`, and removed by its --remove.\n\
             '/usr/local/bin/oci-compat' verifier -- \"$@\"\n[ $? -ne 1 ]\n"
        );
        assert_eq!((is_script(&text), called(&text).as_deref()), (true, Some("/usr/local/bin/oci-compat")));
        let odd = "/opt/it's $HOME/oci-compat";
        assert_eq!(called(&script(odd)).as_deref(), Some(odd));
        assert_eq!((is_script("#!/bin/sh\nexit 0\n"), called("#!/bin/sh\nexit 0\n")), (false, None));
    }

    #[test]
    fn the_folder_and_the_sandbox_s_image_are_what_the_configuration_says() {
        assert_eq!(folder(&Effective::default()), "/opt/containerd/image-verifier/bin");
        let other =
            around("version = 3\n[plugins.\"io.containerd.image-verifier.v1.bindir\"]\nbin_dir = \"/v\"\n");
        assert_eq!(folder(&other), "/v");
        let second =
            around("version = 2\n[plugins.\"io.containerd.grpc.v1.cri\"]\nsandbox_image = \"r/pause:3\"\n");
        assert_eq!(sandboxes(&second), ["r/pause:3"]);
        let third =
            "version = 3\n[plugins.\"io.containerd.cri.v1.images\".pinned_images]\nsandbox = \"r/p:3\"\n";
        assert_eq!(sandboxes(&around(third)), ["r/p:3"]);
    }

    #[test]
    fn the_folders_of_registries_are_those_of_every_plugin() {
        assert_eq!(hosts_folders(&Effective::default()), ["/etc/containerd/certs.d"]);
        let text = "version = 3\n[plugins.\"io.containerd.cri.v1.images\".registry]\nconfig_path = \"/a:/b\"\n\
                    [plugins.\"io.containerd.transfer.v1.local\"]\nconfig_path = \"/c\"\n";
        assert_eq!(hosts_folders(&around(text)), ["/a", "/b", "/c", "/etc/containerd/certs.d"]);
    }

    #[test]
    fn of_several_files_the_last_has_the_last_word_on_each_setting() {
        let file = |name: &str, text: &str| ConfigFile {
            path: name.to_owned(),
            table: toml::from_str(&format!("[plugins.'io.containerd.cri.v1.images']\n{text}")).unwrap(),
        };
        let check = |first: &str, second: &str, expected: &[(&str, &str)]| {
            let files = vec![file("a", first), file("b", second)];
            let expected: Vec<_> = expected
                .iter()
                .map(|(name, why)| {
                    format!(
                        "{name}: [plugins.\"io.containerd.cri.v1.images\"] has {why}: for Kubernetes containerd pulls by itself then, \
                         and asks no verifier"
                    )
                })
                .collect();
            assert_eq!(bypasses(&Effective { files, ..Effective::default() }), expected, "{first} {second}");
        };
        check("use_local_image_pull = true", "use_local_image_pull = false", &[]);
        check(
            "use_local_image_pull = false",
            "use_local_image_pull = true",
            &[("b", "use_local_image_pull = true")],
        );
        check("max_concurrent_downloads = 5", "max_concurrent_downloads = 3", &[]);
        check(
            "max_concurrent_downloads = 5",
            "discard_unpacked_layers = true",
            &[("a", "max_concurrent_downloads = 5 (not 3)"), ("b", "discard_unpacked_layers = true")],
        );
        check("registry.mirrors.x = {}", "registry.mirrors = {}", &[("a", "registry.mirrors")]);
    }

    #[test]
    fn what_makes_containerd_pull_without_asking_is_told() {
        let check = |text: &str, expected: &[&str]| assert_eq!(bypasses(&around(text)), expected, "{text}");
        let images = "[plugins.\"io.containerd.cri.v1.images\"]\n";
        let said = |why: &str| {
            format!(
                "/etc/containerd/config.toml: [plugins.\"io.containerd.cri.v1.images\"] has {why}: for Kubernetes containerd pulls by \
                 itself then, and asks no verifier"
            )
        };
        check("version = 3\n", &[]);
        check(&format!("{images}max_concurrent_downloads = 3\ndiscard_unpacked_layers = false\n"), &[]);
        check(&format!("{images}disable_snapshot_annotations = true\n"), &[]);
        check(&format!("{images}use_local_image_pull = true\n"), &[&said("use_local_image_pull = true")]);
        check(
            &format!(
                "{images}max_concurrent_downloads = 5\n[{}.registry.mirrors.a]\n",
                "plugins.\"io.containerd.cri.v1.images\""
            ),
            &[&said("max_concurrent_downloads = 5 (not 3), registry.mirrors")],
        );
        check(&format!("{images}registry.config_path = \"/etc/containerd/certs.d\"\n"), &[]);
        check(
            "disabled_plugins = [\"io.containerd.image-verifier.v1.bindir\"]\n",
            &[
                "/etc/containerd/config.toml: disabled_plugins names \"io.containerd.image-verifier.v1.bindir\": containerd asks no verifier",
            ],
        );
    }
}
