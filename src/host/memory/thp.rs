//! `memory.thp`: whether the kernel uses huge pages transparently. Changes no setting.

use crate::host::values::{ValuesReading, value};
use crate::host::{ElementKind, Fact, FeatureInfo, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "memory.thp",
    kinds: &[ElementKind::Attributes],
    meaning: "transparent huge pages; enabled: always, madvise (only if a program asks) or never; defrag: when the kernel \
        makes room for them at once; shmem_enabled: whether shared memory has them; the last two in the kernel's words",
    read: "/sys/kernel/mm/transparent_hugepage/enabled, defrag and shmem_enabled",
    nfd: false,
    elements: Some(&["defrag", "enabled", "shmem_enabled"]),
    absent: "the kernel was built without CONFIG_TRANSPARENT_HUGEPAGE; shmem_enabled: it is older than Linux 4.8",
    since: "Linux 2.6.38; shmem_enabled 4.8",
    example: "feature: memory.thp\n  matchExpressions:\n    enabled: {op: In, value: [madvise, never]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

/// Documentation/admin-guide/mm/transhuge.rst.
const FOLDER: &str = "/sys/kernel/mm/transparent_hugepage";
const NAMES: [&str; 3] = ["defrag", "enabled", "shmem_enabled"];

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    match probing.exists(FOLDER) {
        Ok(true) => {}
        Ok(false) => return Fact::Absent(FOLDER.to_owned()),
        Err(unknown) => return Fact::Unknown(unknown),
    }
    let mut reading = ValuesReading::new(probing, wanted);
    let mut attributes = std::collections::BTreeMap::new();
    for name in NAMES.into_iter().filter(|it| wanted.has(it)) {
        let path = format!("{FOLDER}/{name}");
        let chosen = value(probing, &path).and_then(|it| it.map(|it| chosen(&path, &it)).transpose());
        attributes.extend(reading.note(chosen).map(|it| (name.to_owned(), it)));
    }
    reading.attributes(attributes, FOLDER)
}

/// The word in brackets.
fn chosen(path: &str, text: &str) -> Result<String, Unknown> {
    let word = text.split_ascii_whitespace().find_map(|it| it.strip_prefix('[')?.strip_suffix(']'));
    let word =
        word.ok_or_else(|| Unknown::new(path, "marks none of its words, as in always [madvise] never"));
    word.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    const ENABLED: &str = "/sys/kernel/mm/transparent_hugepage/enabled";

    fn host() -> FakeHost {
        FakeHost::new().file(ENABLED, "always [madvise] never\n").file(
            "/sys/kernel/mm/transparent_hugepage/defrag",
            "always defer [defer+madvise] madvise never\n",
        )
    }

    #[test]
    fn the_chosen_words_are_the_values() {
        let all = r#"known (/sys/kernel/mm/transparent_hugepage): defrag="defer+madvise" enabled="madvise""#;
        assert_eq!(told(&host().folder("/sys/bus"), FEATURE.name), all);
        let enabled = r#"known (/sys/kernel/mm/transparent_hugepage): enabled="madvise""#;
        assert_eq!(told_of(&host(), FEATURE.name, wanted(&["enabled", "../x"])), enabled);
    }

    #[test]
    fn a_kernel_without_them_has_no_such_feature() {
        let host = FakeHost::new().folder("/sys/bus");
        assert_eq!(told(&host, FEATURE.name), "absent (/sys/kernel/mm/transparent_hugepage)");
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        let hidden = "is not there, and nor is the rest of its file system";
        let expected = format!("unknown: /sys/kernel/mm/transparent_hugepage: {hidden}");
        assert_eq!(told(&FakeHost::new(), FEATURE.name), expected);
        let host = FakeHost::new().unreadable(ENABLED);
        let expected = format!("unknown: {ENABLED}: is a loop of symbolic links");
        assert_eq!(told_of(&host, FEATURE.name, wanted(&["enabled"])), expected);
    }

    #[test]
    fn a_file_without_a_chosen_word_is_unknown() {
        for text in ["", "always madvise never", "[always never"] {
            let host = FakeHost::new().file(ENABLED, text);
            let expected =
                format!("unknown: {ENABLED}: marks none of its words, as in always [madvise] never");
            assert_eq!(told_of(&host, FEATURE.name, wanted(&["enabled"])), expected);
        }
    }
}
