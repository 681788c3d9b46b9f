//! `runtime.feature`: the recorded features of this host's low-level runtimes. Runs none of them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{ElementKind, Fact, Feature, FeatureInfo, Instance, Miss, Probing, Unknown, Wanted};

pub(super) const FEATURE: FeatureInfo = FeatureInfo {
    name: "runtime.feature",
    kinds: &[ElementKind::Instances],
    meaning: "the features of the low-level runtimes, one instance for each record. `oci-compat install` records the engine's \
        runtime; for another, run `runc features > /etc/oci-compat/runtimes.d/runc.json`. Repeat this after an update \
        of the runtime. name: the file's name, without .json; version; libseccomp: the version of that library in it; \
        oci_version: the newest version of runtime-spec that it supports; lists separated by commas: hooks, \
        mount_options, namespaces, seccomp_actions; true or false: apparmor, cgroup_v1, cgroup_v2, idmap, intel_rdt, \
        seccomp, selinux, systemd",
    read: "/etc/oci-compat/runtimes.d/*.json, in the words of `features.md` of runtime-spec",
    nfd: false,
    elements: Some(&NAMES),
    absent: "never absent: unknown without a record, or if the record does not state it",
    since: "runc 1.1, crun 1.8.6, youki 0.1",
    example: "feature: runtime.feature\n  matchExpressions:\n    name: {op: In, value: [runc]}\n    idmap: {op: IsTrue}",
    key: Some(KEY),
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

const KEY: &str = "name";
const NAMES: [&str; 16] = [
    "name",
    "apparmor",
    "cgroup_v1",
    "cgroup_v2",
    "hooks",
    "idmap",
    "intel_rdt",
    "libseccomp",
    "mount_options",
    "namespaces",
    "oci_version",
    "seccomp",
    "seccomp_actions",
    "selinux",
    "systemd",
    "version",
];
pub(super) const FOLDER: &str = "/etc/oci-compat/runtimes.d";
/// runc writes 5 KiB.
const MAX_FILE: usize = 256 << 10;
/// A host has two or three runtimes.
const MAX_FILES: usize = 32;
/// Where each element stands (runtime-spec, `features.md` and `features-linux.md`), as JSON pointers; the first that is there counts.
const POINTERS: [(&str, &[&str]); 15] = [
    ("apparmor", &["/linux/apparmor/enabled"]),
    ("cgroup_v1", &["/linux/cgroup/v1"]),
    ("cgroup_v2", &["/linux/cgroup/v2"]),
    ("hooks", &["/hooks"]),
    ("idmap", &["/linux/mountExtensions/idmap/enabled"]),
    ("intel_rdt", &["/linux/intelRdt/enabled"]),
    ("libseccomp", &["/annotations/io.github.seccomp.libseccomp.version"]),
    ("mount_options", &["/mountOptions"]),
    ("namespaces", &["/linux/namespaces"]),
    ("oci_version", &["/ociVersionMax"]),
    ("seccomp", &["/linux/seccomp/enabled"]),
    ("seccomp_actions", &["/linux/seccomp/actions"]),
    ("selinux", &["/linux/selinux/enabled"]),
    ("systemd", &["/linux/cgroup/systemd"]),
    (
        "version",
        &[
            "/annotations/org.opencontainers.runc.version",
            "/annotations/run.oci.crun.version",
            "/annotations/org.oci-compat.version",
        ],
    ),
];

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let names = match probing.root.list(FOLDER) {
        Ok(names) => names,
        Err(Miss::NotFound) => Vec::new(),
        Err(Miss::Unreadable(unknown)) => return Fact::Unknown(unknown),
    };
    let record = |it: &String| it.strip_suffix(".json").map(str::to_owned);
    let names: Vec<_> = names.iter().filter_map(record).filter(|it| is_asked_for(it, wanted)).collect();
    if names.is_empty() {
        let reason = "has no such record, as of: runc features > /etc/oci-compat/runtimes.d/runc.json";
        return Fact::Unknown(Unknown::new(FOLDER, reason));
    }
    let mut feature = Feature::instances(Vec::new());
    for (index, name) in names.iter().enumerate() {
        let path = format!("{FOLDER}/{name}.json");
        let record = match index < MAX_FILES {
            true => read(probing, &path),
            false => Err(Unknown::new(FOLDER, format!("has more than {MAX_FILES} records"))),
        };
        match record {
            Ok(record) => {
                let instance = instance(name, path, &record, wanted, &mut feature.incomplete);
                feature.instances.get_or_insert_default().push(instance);
            }
            Err(unknown) => drop(feature.incomplete.get_or_insert(unknown)),
        }
    }
    if !wanted.is_by_key(KEY) || wanted.keys(KEY).any(|it| names.iter().all(|name| name != it)) {
        feature.incomplete.get_or_insert_with(|| Unknown::new(FOLDER, "tells of no other runtime"));
    }
    Fact::Known(feature, FOLDER.to_owned())
}

fn is_asked_for(name: &str, wanted: &Wanted) -> bool {
    !wanted.is_by_key(KEY) || wanted.keys(KEY).any(|it| it == name)
}

fn read(probing: &Probing<'_>, path: &str) -> Result<Value, Unknown> {
    let bytes = probing.root.read(path).map_err(|miss| miss.unknown(path))?;
    if bytes.len() > MAX_FILE {
        return Err(Unknown::new(path, format!("is larger than {MAX_FILE} bytes")));
    }
    match serde_json::from_slice(&bytes) {
        Ok(record @ Value::Object(_)) => Ok(record),
        Ok(_) | Err(_) => Err(Unknown::new(path, "is no JSON object as runtimes print it")),
    }
}

/// What a record leaves out is not known to be missing (runtime-spec, `features.md`).
fn instance(
    name: &str,
    path: String,
    record: &Value,
    wanted: &Wanted,
    incomplete: &mut Option<Unknown>,
) -> Instance {
    let mut attributes = BTreeMap::from([(KEY.to_owned(), name.to_owned())]);
    for (element, pointers) in POINTERS.into_iter().filter(|(it, _)| wanted.has(it)) {
        match pointers.iter().find_map(|it| record.pointer(it)).and_then(text) {
            Some(text) => drop(attributes.insert(element.to_owned(), text)),
            None => drop(
                incomplete.get_or_insert_with(|| Unknown::new(&*path, format!("does not tell {element}"))),
            ),
        }
    }
    Instance { attributes, read: Some(path) }
}

/// None for content in another format than runtimes have.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(it) => Some(it.to_string()),
        Value::Array(items) => {
            let names: Option<Vec<_>> = items.iter().map(Value::as_str).collect();
            Some(names?.join(","))
        }
        Value::Null | Value::Number(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    const RUNC: &str = "/etc/oci-compat/runtimes.d/runc.json";
    /// Of what runc 1.1.5 prints.
    const FEATURES: &str = r#"{"ociVersionMin": "1.0.0", "ociVersionMax": "1.0.2-dev", "hooks": ["prestart", "createRuntime"],
        "linux": {"namespaces": ["ipc", "user"], "cgroup": {"v1": true, "v2": true, "systemd": true},
                  "seccomp": {"enabled": true, "actions": ["SCMP_ACT_ALLOW"]}, "apparmor": {"enabled": true}},
        "annotations": {"io.github.seccomp.libseccomp.version": "2.5.4", "org.opencontainers.runc.version": "1.1.5+ds1"}}"#;

    const NONE: &str = "unknown: /etc/oci-compat/runtimes.d: has no such record, as of: runc features > \
                        /etc/oci-compat/runtimes.d/runc.json";

    fn check(host: &FakeHost, names: &[&str], expected: &str) {
        let told = told_of(host, FEATURE.name, wanted(names));
        assert_eq!(told, format!("known (/etc/oci-compat/runtimes.d): {expected}"), "{names:?}");
    }

    #[test]
    fn a_record_has_the_features_of_a_runtime() {
        let host = FakeHost::new().file(RUNC, FEATURES).file("/etc/oci-compat/runtimes.d/README", "x");
        let all = "apparmor=true cgroup_v1=true cgroup_v2=true hooks=prestart,createRuntime libseccomp=2.5.4 name=runc \
                   namespaces=ipc,user oci_version=1.0.2-dev seccomp=true seccomp_actions=SCMP_ACT_ALLOW systemd=true \
                   version=1.1.5+ds1";
        let expected = format!(
            "known (/etc/oci-compat/runtimes.d): [{RUNC}: {all}] and maybe more: {RUNC}: does not tell idmap"
        );
        assert_eq!(told(&host, FEATURE.name), expected);
        check(&host, &["name=runc", "libseccomp"], &format!("[{RUNC}: libseccomp=2.5.4 name=runc]"));
        let other = "and maybe more: /etc/oci-compat/runtimes.d: tells of no other runtime";
        check(&host, &["name", "libseccomp"], &format!("[{RUNC}: libseccomp=2.5.4 name=runc] {other}"));
        check(&host, &["name=runc", "name=crun"], &format!("[{RUNC}: name=runc] {other}"));
    }

    #[test]
    fn each_runtime_reports_its_version_in_its_own_place() {
        for place in ["org.opencontainers.runc.version", "run.oci.crun.version", "org.oci-compat.version"] {
            let host = FakeHost::new().file(RUNC, format!(r#"{{"annotations": {{"{place}": "1.2"}}}}"#));
            check(&host, &["name=runc", "version"], &format!("[{RUNC}: name=runc version=1.2]"));
        }
    }

    #[test]
    fn what_a_record_leaves_out_is_unknown() {
        let host = FakeHost::new().file(RUNC, FEATURES);
        let expected = format!("[{RUNC}: name=runc] and maybe more: {RUNC}: does not tell idmap");
        check(&host, &["name=runc", "idmap"], &expected);
    }

    #[test]
    fn without_a_record_nothing_is_known() {
        assert_eq!(told(&FakeHost::new(), FEATURE.name), NONE);
        assert_eq!(told(&FakeHost::new().file("/etc/oci-compat/runtimes.d/runc", "{}"), FEATURE.name), NONE);
        let crun = FakeHost::new().file(RUNC, FEATURES);
        assert_eq!(told_of(&crun, FEATURE.name, wanted(&["name=crun", "idmap"])), NONE);
    }

    #[test]
    fn a_record_that_cannot_be_read_is_unknown_and_costs_no_other() {
        let host = FakeHost::new().unreadable(RUNC).file("/etc/oci-compat/runtimes.d/crun.json", "{}");
        let loops = format!("and maybe more: {RUNC}: is a loop of symbolic links");
        check(&host, &["name"], &format!("[/etc/oci-compat/runtimes.d/crun.json: name=crun] {loops}"));
        let host = FakeHost::new().unreadable("/etc/oci-compat/runtimes.d");
        let expected = "unknown: /etc/oci-compat/runtimes.d: is a loop of symbolic links";
        assert_eq!(told(&host, FEATURE.name), expected);
    }

    #[test]
    fn a_record_that_is_malformed_is_unknown() {
        let check = |text: &str, names: &[&str], expected: &str| {
            check(&FakeHost::new().file(RUNC, text), names, expected)
        };
        for text in ["", "[]", "unknown command features\n", "{"] {
            check(
                text,
                &["name=runc"],
                &format!("and maybe more: {RUNC}: is no JSON object as runtimes print it"),
            );
        }
        let large = " ".repeat(MAX_FILE + 1);
        check(&large, &["name=runc"], &format!("and maybe more: {RUNC}: is larger than 262144 bytes"));
        for text in [r#"{"hooks": [1]}"#, r#"{"hooks": 1}"#, r#"{"hooks": null}"#, "{}"] {
            check(
                text,
                &["name=runc", "hooks"],
                &format!("[{RUNC}: name=runc] and maybe more: {RUNC}: does not tell hooks"),
            );
        }
    }
}
