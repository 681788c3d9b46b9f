//! What help and man pages say besides the commands and their options: examples, exit statuses, files, and what else to read.

use super::described::ignored;

/// A line to type, and what it does.
pub(crate) type Example = (&'static str, &'static str);

/// What a command without a status of its own says.
pub(crate) const STATUSES: &str = "Exit status: 0 success, 2 usage or trouble";

/// The related pages.
pub(crate) const SEE_ALSO: [&str; 5] = [
    "oci-compat(1)",
    "oci-compat-spec(5)",
    "oci-compat-config(5)",
    "oci-compat-hook(8)",
    "oci-compat-runtime(8)",
];

/// The examples of a command, by its words.
pub(crate) fn examples(command: &str) -> &'static [Example] {
    EXAMPLES.iter().find(|(name, _)| *name == command).map_or(&[], |(_, examples)| examples)
}

/// The files that a command reads or writes, each with what it is; of the program itself, all of them.
pub(crate) fn files(command: &str) -> Vec<(&'static str, &'static str)> {
    let first = command.split(' ').next().unwrap_or_default();
    let is_used = |option: &str| !ignored(command).contains(&option);
    let used = |(file, what, of): &(&'static str, &'static str, FileUse)| {
        let is_shown = match of {
            FileUse::Option(option) => is_used(option),
            FileUse::By(commands) => command.is_empty() || commands.contains(&first),
        };
        is_shown.then_some((*file, *what))
    };
    FILES.iter().filter_map(used).collect()
}

/// Which commands use a file.
#[derive(Debug)]
enum FileUse {
    /// Those that have this option.
    Option(&'static str),
    By(&'static [&'static str]),
}

const FILES: &[(&str, &str, FileUse)] = &[
    ("/etc/oci-compat/config.toml", "the configuration: oci-compat-config(5)", FileUse::Option("config")),
    (
        "/etc/oci-compat/requirements.d",
        "requirements of this host's administrator",
        FileUse::By(&["check", "select", "verifier", "config"]),
    ),
    ("/etc/oci-compat/runtimes.d", "the features of low-level runtimes", FileUse::By(&["install"])),
    ("/var/lib/oci-compat/store", "the local store", FileUse::Option("store")),
    ("/run/oci-compat/reports", "the reports on containers", FileUse::By(&["why"])),
    (
        "/var/log/oci-compat/decisions.jsonl",
        "the decisions about containers",
        FileUse::By(&["why", "log", "status", "verifier"]),
    ),
];

const EXAMPLES: &[(&str, &[Example])] = &[
    (
        "",
        &[
            ("oci-compat init kernel-module gtp5g -o first.yaml", "write a first spec"),
            ("oci-compat lint first.yaml", "check the spec"),
            ("oci-compat check --spec first.yaml", "check this host against the spec"),
        ],
    ),
    (
        "check",
        &[
            ("oci-compat check --spec upf.yaml", "check this host against a spec"),
            ("oci-compat check --spec upf.yaml --facts node7.json", "check another host, by its facts"),
            ("oci-compat check registry.example/acme/upf:1", "check an image of this host"),
            ("oci-compat check registry.example/acme/upf:1 --remote", "check an image in a registry"),
            ("oci-compat check --from-engine all", "check every image of this host"),
        ],
    ),
    (
        "probe",
        &[
            ("oci-compat probe kernel.version", "show one feature"),
            ("oci-compat probe --format json > node7.json", "write all facts, for `check --facts`"),
        ],
    ),
    (
        "lint",
        &[
            ("oci-compat lint upf.yaml", "check one file"),
            ("oci-compat lint --fix specs", "correct all specs of a folder"),
            ("oci-compat lint --format sarif specs > lint.sarif", "write what a code host shows"),
        ],
    ),
    (
        "convert",
        &[
            ("oci-compat convert --to v1alpha1 upf.yaml > nfd.yaml", "write what NFD's tools read"),
            (
                "oci-compat convert --to oci-compat/v1 preflight.yaml > new.yaml",
                "take over a document of another tool",
            ),
        ],
    ),
    (
        "init",
        &[
            ("oci-compat init", "list the kinds"),
            ("oci-compat init kernel-module gtp5g -o first.yaml", "write a spec for a kernel module"),
        ],
    ),
    (
        "test",
        &[
            ("oci-compat test upf.test.yaml", "run one test file"),
            ("oci-compat test --format junit specs > junit.xml", "run all test files of a folder, for CI"),
        ],
    ),
    (
        "explain",
        &[
            ("oci-compat explain module-not-loaded", "explain a code"),
            ("oci-compat explain 78", "explain an exit status of the hook"),
            ("oci-compat explain kernel.config", "explain a feature"),
            ("oci-compat explain upf.yaml", "say in sentences what a spec demands"),
        ],
    ),
    (
        "why",
        &[
            ("oci-compat why", "show the last decision"),
            ("oci-compat why upf-1", "show the last decision about a container"),
        ],
    ),
    (
        "select",
        &[
            ("oci-compat select registry.example/acme/upf:1", "choose by what this host has"),
            ("oci-compat select index.json --facts node7.json", "choose for another host, from a file"),
        ],
    ),
    (
        "attach",
        &[(
            "oci-compat attach registry.example/acme/upf:1 upf.yaml",
            "attach a spec to an image in a registry",
        )],
    ),
    (
        "pull",
        &[
            ("oci-compat pull registry.example/acme/upf:1", "store what is attached to an image"),
            ("oci-compat pull --from-engine all", "the same for all images of this host"),
        ],
    ),
    (
        "show",
        &[
            ("oci-compat show registry.example/acme/upf:1", "show what is stored for an image"),
            ("oci-compat show registry.example/acme/upf:1 --remote", "show what a pull would fetch"),
        ],
    ),
    (
        "list",
        &[
            ("oci-compat list", "list the store"),
            ("oci-compat list --format json registry.example/acme/upf:1", "list one image, for programs"),
        ],
    ),
    ("remove", &[("oci-compat remove registry.example/acme/upf:1", "remove what is stored for an image")]),
    (
        "log",
        &[
            ("oci-compat log --since 2h", "list the decisions of the last two hours"),
            ("oci-compat log --summary", "count them by cause"),
        ],
    ),
    (
        "store add",
        &[
            ("oci-compat store add upf.yaml --subject \"$digest\"", "add a spec for an image"),
            ("oci-compat store add artifacts.tar", "add artifacts for the images that they name"),
        ],
    ),
    ("store recompile", &[("oci-compat store recompile", "compile all specs again")]),
    ("store gc", &[("oci-compat store gc --superseded", "keep the newest artifacts only")]),
    ("store verify", &[("oci-compat store verify", "find damaged or foreign files")]),
    ("store export", &[("oci-compat store export artifacts.tar", "write the store to a file")]),
    ("store import", &[("oci-compat store import artifacts.tar", "add the store of another host")]),
    ("config check", &[("oci-compat config check", "show errors, and the settings in effect")]),
    (
        "install",
        &[
            ("oci-compat install docker --default", "check every container of Docker"),
            ("oci-compat install containerd --print", "show what would change"),
            ("oci-compat install containerd --remove", "remove the entry"),
        ],
    ),
    ("uninstall", &[("oci-compat uninstall", "remove the entries from all engines")]),
    ("status", &[("oci-compat status", "show whether each engine runs the check")]),
    ("completions", &[("source <(oci-compat completions bash)", "complete in this shell")]),
    ("man", &[("oci-compat man man1", "write the pages into a folder")]),
];
