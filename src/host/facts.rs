//! The facts of one host, by feature. A feature without a fact is unknown, never absent.

use std::collections::BTreeMap;

use super::namespace::Namespace;
use super::probing::{ARCH, HOSTNAME, OSRELEASE, Probing};
use super::{Fact, Root, Unknown};

/// What is known and unknown of one host.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Whose facts these are, where that has been noted.
    pub origin: Option<FactsOrigin>,
    facts: BTreeMap<String, Fact>,
    /// Which of the modules that were missing could be loaded: it explains a refusal and decides nothing.
    loadable_modules: Option<Fact>,
    /// Features that were read only to explain a no.
    explaining: BTreeMap<String, Fact>,
    /// The fact on every feature that is not in `facts`.
    others: Fact,
}

/// Whose facts these are, and when they were taken; each part only if known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FactsOrigin {
    /// The host's name as its kernel has it.
    pub name: Option<String>,
    /// The kernel's release, such as `6.1.0-13-amd64`.
    pub kernel: Option<String>,
    /// The machine's architecture in the kernel's words, such as `x86_64`.
    pub arch: Option<String>,
    /// When they were taken, as the caller writes times (RFC 3339).
    pub taken: Option<String>,
}

impl Default for Facts {
    fn default() -> Self {
        Self::without(Unknown::new("", "was not read"))
    }
}

impl Facts {
    /// No facts yet; every feature is unknown for this reason.
    pub(super) fn without(reason: Unknown) -> Self {
        let others = Fact::Unknown(reason);
        Self {
            origin: None,
            facts: BTreeMap::new(),
            loadable_modules: None,
            explaining: BTreeMap::new(),
            others,
        }
    }

    /// The fact on a feature, named in lower case.
    pub fn get(&self, feature: &str) -> &Fact {
        self.facts.get(feature).unwrap_or(&self.others)
    }

    /// Sets the fact on a feature, in place of an earlier one.
    pub fn insert(&mut self, feature: impl Into<String>, fact: Fact) {
        self.facts.insert(feature.into(), fact);
    }

    /// Whether there is a fact on a feature, including that it is unknown.
    pub fn has(&self, feature: &str) -> bool {
        self.facts.contains_key(feature)
    }

    /// Which missing modules could be loaded, if that has been looked up.
    pub fn loadable_modules(&self) -> Option<&Fact> {
        self.loadable_modules.as_ref()
    }

    /// Notes which missing modules could be loaded, as [`super::loadable_modules`] found.
    pub fn set_loadable_modules(&mut self, fact: Fact) {
        self.loadable_modules = Some(fact);
    }

    /// What explains a no by this feature: what was read for that; what is known anyway, if nothing was or could be.
    pub fn explained(&self, feature: &str) -> &Fact {
        match self.explaining.get(feature) {
            None => self.get(feature),
            Some(Fact::Unknown(_)) if matches!(self.get(feature), Fact::Known(..)) => self.get(feature),
            Some(fact) => fact,
        }
    }

    /// Notes what was read only to explain a no: it decides nothing.
    pub fn explain_with(&mut self, facts: Self) {
        self.explaining = facts.facts;
    }

    /// All features with a fact, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Fact)> {
        self.facts.iter().map(|(name, fact)| (name.as_str(), fact))
    }
}

impl FactsOrigin {
    /// The host under this root. Missing values are left out: an origin is a note, nothing is judged by it.
    pub fn of(root: &Root, taken: String) -> Self {
        Self { name: name(root), kernel: line(root, OSRELEASE), arch: arch(root), taken: Some(taken) }
    }
}

/// In a container with the host's files, the kernel shows the container's name.
fn name(root: &Root) -> Option<String> {
    match Probing::new(root).shows_host(HOSTNAME, Namespace::Uts) {
        Ok(()) => line(root, HOSTNAME),
        Err(_) => line(root, "/etc/hostname"),
    }
}

fn arch(root: &Root) -> Option<String> {
    // Since Linux 6.1; for this very machine the program itself is proof enough.
    let ours = || root.is_this_machine().then(|| std::env::consts::ARCH.to_owned());
    line(root, ARCH).or_else(ours)
}

fn line(root: &Root, path: &str) -> Option<String> {
    match root.read_text(path) {
        Ok(text) => Some(text.trim().to_owned()).filter(|it| !it.is_empty()),
        // The fact that reads this file has the same reason in full.
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::show;
    use crate::testing::FakeHost;

    #[test]
    fn the_last_insert_of_a_name_counts_and_names_are_sorted() {
        let mut facts = Facts::default();
        facts.insert("b.b", Fact::Absent("/b".to_owned()));
        facts.insert("a.a", Fact::Absent("/a".to_owned()));
        facts.insert("b.b", Fact::Absent("/c".to_owned()));
        let all: Vec<_> = facts.iter().map(|(name, fact)| format!("{name} {}", show(fact))).collect();
        assert_eq!(all, ["a.a absent (/a)", "b.b absent (/c)"]);
        assert_eq!(show(facts.get("c.c")), "unknown: : was not read");
    }

    #[test]
    fn an_origin_says_only_what_the_root_tells() {
        let host =
            FakeHost::new().file("/proc/sys/kernel/hostname", "node-1\n").unreadable("/proc/sys/kernel/arch");
        let origin = FactsOrigin::of(&host.root(), "2026-08-01T00:00:00Z".to_owned());
        let expected = FactsOrigin {
            name: Some("node-1".to_owned()),
            taken: Some("2026-08-01T00:00:00Z".to_owned()),
            ..FactsOrigin::default()
        };
        assert_eq!(origin, expected);
    }
}
