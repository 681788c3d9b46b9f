//! `system.libraryversion`: the versions of the host's shared libraries, from the names of their files. Opens none.

use std::collections::BTreeSet;

use super::library::files;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Miss, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "system.libraryversion",
    kinds: &[ElementKind::Attributes],
    meaning: "by soname, such as libfabric.so.1, the version in the name of the library's file (1.24.0 for \
        libfabric.so.1.24.0; compare with `type: version`); distributions may change a library without changing that \
        name",
    read: "/etc/ld.so.cache and the links that it lists",
    nfd: false,
    elements: None,
    absent: "as for `system.library`; unknown if the file's name has no version, or libraries of several architectures have \
        different ones",
    since: "always",
    example: "feature: system.libraryversion\n  matchExpressions:\n    libfabric.so.1: {op: Ge, type: version, value: [\"1.20\"]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

const READ: &str = "/etc/ld.so.cache";

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let files = match files(probing, wanted) {
        Ok(files) => files,
        Err(unknown) => return Fact::Unknown(unknown),
    };
    let mut feature = Feature::attributes([("", ""); 0]);
    for (soname, paths) in files {
        match version(probing, &soname, &paths) {
            Ok(version) => drop(feature.attributes.get_or_insert_default().insert(soname, version)),
            // Many libraries have no version: one reason is kept for all.
            Err(unknown) if *wanted == Wanted::All => drop(feature.incomplete.get_or_insert(unknown)),
            Err(unknown) => drop(feature.doubtful.insert(soname, unknown)),
        }
    }
    Fact::Known(feature, READ.to_owned())
}

fn version(probing: &Probing<'_>, soname: &str, paths: &BTreeSet<String>) -> Result<String, Unknown> {
    let mut versions = BTreeSet::new();
    for path in paths {
        let file = match probing.root.link_name(path) {
            Ok(file) => file,
            Err(Miss::NotFound) => return Err(Unknown::new(&**path, "is listed, but is not there")),
            Err(Miss::Unreadable(unknown)) => {
                let reason = format!("{}, so that no name tells its version", unknown.reason);
                return Err(Unknown::new(unknown.read, reason));
            }
        };
        let untold = || Unknown::new(&**path, format!("is {file:?}, a name that tells no version"));
        versions.insert(version_in(&file, soname).ok_or_else(untold)?.to_owned());
    }
    match (versions.pop_first(), versions.is_empty()) {
        (Some(version), true) => Ok(version),
        _ => Err(Unknown::new(READ, format!("lists {soname} in several versions"))),
    }
}

/// The `1.24.0` of `libfabric.so.1.24.0`, or the `2.31` of `libc-2.31.so`.
fn version_in<'a>(file: &'a str, soname: &str) -> Option<&'a str> {
    let stem = soname.split(".so").next()?;
    let rest = file.strip_prefix(stem)?;
    let dashed = || rest.strip_prefix('-')?.strip_suffix(".so");
    let version = rest.strip_prefix(".so.").or_else(dashed)?;
    let is_number = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    (version.contains('.') && version.split('.').all(is_number)).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::super::library::tests::with_files;
    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    const FABRIC: &str = "/usr/lib/libfabric.so.1";

    fn host(libraries: &[(&str, &str)]) -> FakeHost {
        let libraries: Vec<_> =
            libraries.iter().map(|(name, path)| (name.as_bytes(), path.as_bytes())).collect();
        FakeHost::new().file(READ, with_files(&libraries))
    }

    fn check(host: &FakeHost, soname: &str, expected: &str) {
        let told = told_of(host, FEATURE.name, wanted(&[soname]));
        assert_eq!(told, format!("known (/etc/ld.so.cache): {expected}"));
    }

    #[test]
    fn a_link_leads_to_a_file_with_the_version() {
        let host = host(&[
            ("libfabric.so.1", FABRIC),
            ("libc.so.6", "/lib/libc.so.6"),
            ("libx.so.2", "/lib/libx.so.2"),
        ])
        .link(FABRIC, "libfabric.so.1.24.0")
        .link("/lib/libc.so.6", "libc-2.31.so")
        .link("/lib/libx.so.2", "/opt/x/libx.so.2");
        check(&host, "libfabric.so.1", r#"libfabric.so.1="1.24.0""#);
        check(&host, "libc.so.6", r#"libc.so.6="2.31""#);
        check(
            &host,
            "libx.so.2",
            "and perhaps libx.so.2: /lib/libx.so.2: is \"libx.so.2\", a name that tells no version",
        );
        let all = "known (/etc/ld.so.cache): libc.so.6=\"2.31\" libfabric.so.1=\"1.24.0\" and maybe more: /lib/libx.so.2: is \
                   \"libx.so.2\", a name that tells no version";
        assert_eq!(told(&host, FEATURE.name), all);
    }

    #[test]
    fn libraries_of_several_architectures_may_have_one_version_or_several() {
        let other = "/usr/lib32/libfabric.so.1";
        let libraries = [("libfabric.so.1", FABRIC), ("libfabric.so.1", other)];
        let first = || host(&libraries).link(FABRIC, "libfabric.so.1.24.0");
        check(&first().link(other, "libfabric.so.1.24.0"), "libfabric.so.1", r#"libfabric.so.1="1.24.0""#);
        let several =
            "and perhaps libfabric.so.1: /etc/ld.so.cache: lists libfabric.so.1 in several versions";
        check(&first().link(other, "libfabric.so.1.20.0"), "libfabric.so.1", several);
    }

    #[test]
    fn a_library_that_is_not_listed_is_not_there() {
        check(&host(&[]), "libfabric.so.1", "");
    }

    #[test]
    fn a_version_that_cannot_be_read_is_unknown() {
        let missing = FakeHost::new();
        assert_eq!(told(&missing, FEATURE.name), "unknown: /etc/ld.so.cache: is not there");
        let listed = || host(&[("libfabric.so.1", FABRIC)]);
        let doubt = format!("and perhaps libfabric.so.1: {FABRIC}:");
        check(&listed(), "libfabric.so.1", &format!("{doubt} is listed, but is not there"));
        let reason = "is not a symbolic link, so that no name tells its version";
        check(&listed().file(FABRIC, ""), "libfabric.so.1", &format!("{doubt} {reason}"));
    }

    #[test]
    fn a_cache_that_is_damaged_is_unknown() {
        let host = FakeHost::new().file(READ, "x");
        assert_eq!(
            told(&host, FEATURE.name),
            "unknown: /etc/ld.so.cache: is no cache of glibc's dynamic linker"
        );
    }
}
