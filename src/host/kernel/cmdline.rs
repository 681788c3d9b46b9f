//! `kernel.cmdline`: the kernel's boot parameters.

use std::collections::{BTreeMap, BTreeSet};

use crate::host::probing::known;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Miss, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "kernel.cmdline",
    kinds: &[ElementKind::Attributes],
    meaning: "the parameters given to the kernel at boot; a word without a value is `true`; the values of a repeated \
        parameter are joined by commas",
    read: "/proc/cmdline",
    nfd: false,
    elements: None,
    absent: "not given at boot: the kernel's own default applies",
    since: "always",
    example: "feature: kernel.cmdline\n  matchExpressions:\n    intel_iommu: {op: In, value: [\"on\"]}",
    key: None,
    sensitive: &["*"],
    beyond_nfd: &[],
    probe,
};

/// Made at every boot (`fs/proc/cmdline.c`), so that its absence says nothing of the parameters.
const CMDLINE: &str = "/proc/cmdline";
/// What follows belongs to init (`Documentation/admin-guide/kernel-parameters.rst`).
const END: &str = "--";

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let feature = match probing.root.read_text(CMDLINE) {
        // Without parameters there is still the end of the line.
        Ok(text) if text.is_empty() => Err(Unknown::new(CMDLINE, "is empty")),
        Ok(text) => Ok(Feature::attributes(parse(&text, wanted))),
        Err(Miss::NotFound) => Err(Miss::NotFound.unknown(CMDLINE)),
        Err(Miss::Unreadable(unknown)) => Err(unknown),
    };
    known(feature, CMDLINE)
}

/// "Hyphens (dashes) and underscores are equivalent in parameter names" (`kernel-parameters.rst`): a name is given as it
/// was asked for, and if all are wanted as it stands there.
fn parse(text: &str, wanted: &Wanted) -> BTreeMap<String, String> {
    let (mut spellings, mut values) = (BTreeSet::new(), BTreeMap::<_, Vec<_>>::new());
    for (name, value) in words(text).take_while(|it| *it != END).map(assignment) {
        values.entry(equivalent(name)).or_default().push(value);
        spellings.insert(name);
    }
    if let Wanted::Names(names) = wanted {
        spellings = names.iter().map(String::as_str).collect();
    }
    let found = |it: &str| Some((it.to_owned(), values.get(&equivalent(it))?.join(",")));
    spellings.into_iter().filter_map(found).collect()
}

fn equivalent(name: &str) -> String {
    name.replace('-', "_")
}

/// As `next_arg` in the kernel's `lib/cmdline.c` cuts them: white space between double quotes does not end a word. The
/// quotes around a word, or around what follows its `=`, are not part of it.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let ends = move |it: char| {
        is_quoted ^= it == '"';
        it.is_ascii_whitespace() && !is_quoted
    };
    text.trim_end().split(ends).map(unquoted).filter(|it| !it.is_empty())
}

fn unquoted(text: &str) -> &str {
    match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').unwrap_or(rest),
        None => text,
    }
}

/// The kernel takes a `=` at the very start for a letter.
fn assignment(word: &str) -> (&str, &str) {
    let equals = word.char_indices().skip(1).find(|(_, it)| *it == '=');
    match equals.and_then(|(index, _)| word.split_at_checked(index)) {
        Some((name, value)) => (name, unquoted(value.strip_prefix('=').unwrap_or(value))),
        None => (word, "true"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    fn check(text: &str, expected: &str) {
        let host = FakeHost::new().file(CMDLINE, text);
        assert_eq!(told(&host, FEATURE.name), format!("known (/proc/cmdline): {expected}"), "{text:?}");
    }

    #[test]
    fn a_parameter_has_a_value_or_is_simply_true() {
        check("root=/dev/vda1 ro quiet\n", r#"quiet="true" ro="true" root="/dev/vda1""#);
        check("a= b=c=d  \t e\n", r#"a="" b="c=d" e="true""#);
        check("\n", "");
    }

    #[test]
    fn values_given_in_turn_are_joined_in_their_order() {
        check("console=tty0 mitigations=off console=ttyS0\n", r#"console="tty0,ttyS0" mitigations="off""#);
        check("nosmt nosmt=force a= a=1\n", r#"a=",1" nosmt="true,force""#);
    }

    #[test]
    fn quotes_are_read_as_the_kernel_reads_them() {
        check("a=\"b c\" d\n", r#"a="b c" d="true""#);
        check("\"a=b c\" d\n", r#"a="b c" d="true""#);
        check("dyndbg=\"file x +p; func y\"\n", r#"dyndbg="file x +p; func y""#);
        check("a=b\"c d\"e\n", r#"a="b\"c d\"e""#);
        check("a=\"b c\n", r#"a="b c""#);
    }

    #[test]
    fn what_is_meant_for_init_is_no_parameter() {
        check("quiet -- single debug=1\n", r#"quiet="true""#);
        check("a=-- b\n", r#"a="--" b="true""#);
    }

    #[test]
    fn names_that_make_no_sense_do_no_harm() {
        check("= =a == \"\" \"\n", r#"=="true," =a="true""#);
    }

    #[test]
    fn hyphens_and_underscores_are_equivalent_in_names() {
        let host = FakeHost::new().file(CMDLINE, "log-buf-len=1M log_buf_len=2M amd_iommu=on a-b\n");
        let told = told_of(&host, FEATURE.name, wanted(&["log_buf_len", "amd-iommu", "b", "A-B"]));
        assert_eq!(told, r#"known (/proc/cmdline): amd-iommu="on" log_buf_len="1M,2M""#);
    }

    #[test]
    fn a_command_line_that_cannot_be_read_is_unknown() {
        let check = |host: FakeHost, reason: &str| {
            assert_eq!(told(&host, FEATURE.name), format!("unknown: /proc/cmdline: {reason}"));
        };
        check(FakeHost::new(), "is not there");
        check(FakeHost::new().file("/proc/version", "Linux"), "is not there");
        check(FakeHost::new().unreadable(CMDLINE), "is a loop of symbolic links");
        check(FakeHost::new().file(CMDLINE, ""), "is empty");
    }
}
