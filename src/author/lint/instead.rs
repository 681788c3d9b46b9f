//! Versions that are asked where something can be asked by itself.

use super::codes::LintCode::VersionForFeature;
use super::{LintFound, LintRemark};
use crate::spec::{Rule, Term, Test};

/// Words of a rule, and the demand that says what they mean.
const SUBJECTS: [(&str, &str); 18] = [
    ("wireguard", "kernel.enabledmodule wireguard"),
    ("io_uring", "kernel.iouring disabled"),
    ("io-uring", "kernel.iouring disabled"),
    ("landlock", "kernel.lsm landlock"),
    ("btf", "kernel.bpf btf"),
    ("ring buffer", "kernel.bpftype BPF_MAP_TYPE_RINGBUF"),
    ("ringbuf", "kernel.bpftype BPF_MAP_TYPE_RINGBUF"),
    ("bpf", "kernel.bpftype, by the types of programs and maps that are needed"),
    ("overlay", "kernel.filesystem overlay"),
    ("erofs", "kernel.filesystem erofs"),
    ("fuse", "kernel.filesystem fuse"),
    ("cgroup", "kernel.cgroup version"),
    ("user namespace", "kernel.namespace user"),
    ("time namespace", "kernel.namespace time"),
    ("nftables", "kernel.enabledmodule nf_tables"),
    ("kvm", "kernel.kvm enabled"),
    ("seccomp", "kernel.security seccomp"),
    ("cuda", "gpu.nvidia cuda"),
];
/// Features whose versions stand for much else.
const VERSIONED: [&str; 2] = ["kernel.version", "gpu.nvidia"];

/// A rule that asks for nothing but a version.
pub(super) fn look(rule: &Rule) -> Option<LintRemark> {
    let terms: Vec<_> = rule.terms().collect();
    if let Some(at) = terms.iter().find_map(|it| model(it)) {
        let message = "the numbers of CPU models have no order, and makers reuse them";
        let help = "ask cpu.cpuid or cpu.flag for the instructions that are needed";
        return Some(LintFound::new(VersionForFeature, message).help(help).at(at));
    }
    let first = terms.first()?;
    let asks =
        |it: &&Term| VERSIONED.iter().any(|known| it.feature.eq_ignore_ascii_case(known)) && is_version(it);
    if !terms.iter().all(asks) {
        return None;
    }
    let words = format!("{} {} {}", rule.name, rule.id, rule.docs).to_lowercase();
    let (word, instead) = SUBJECTS.iter().find(|(word, _)| has(&words, word))?;
    let message = format!("a version says little about {word}: distributions backport, and leave things out");
    Some(LintFound::new(VersionForFeature, message).help(format!("ask {instead}")).at(first.at))
}

/// Whether a term compares a version, and nothing else.
fn is_version(term: &Term) -> bool {
    let mut tests = term.expressions.iter().flatten();
    let is_bound = |name: &str, test: &Test| {
        name != "cuda" && matches!(test, Test::Version(_) | Test::Integer(_) | Test::Release(_))
    };
    term.name.is_none() && term.expressions.is_some() && tests.all(|(name, it)| is_bound(name, &it.test))
}

/// Where a term compares the number of a CPU's model.
fn model(term: &Term) -> Option<crate::spec::Place> {
    if !term.feature.eq_ignore_ascii_case("cpu.model") {
        return None;
    }
    let is_number =
        |name: &str, test: &Test| ["family", "id"].contains(&name) && matches!(test, Test::Integer(_));
    term.expressions.iter().flatten().find(|(name, it)| is_number(name, &it.test)).map(|(_, it)| it.at)
}

/// Whether a word, or what begins with it, stands in a text; not within another word.
fn has(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text.get(..at).and_then(|it| it.chars().next_back());
        before.is_none_or(|it| !it.is_alphanumeric() || it == 'e')
    })
}
