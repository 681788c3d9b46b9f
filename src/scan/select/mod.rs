//! Which entry of an index fits a host best. Judges every entry, and ranks them. Never changes which image an engine takes.

mod entry;
mod fetch;
mod table;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::decide::check;
use crate::decide::check::Requirement;
use crate::decide::pipeline::{self, Host, Terms};
use crate::decide::requirements::Collected;
use crate::eval::Outcome;
use crate::eval::verdict::Verdict;
use crate::host::Facts;
use crate::outcome::report::{Reason, Report};
use crate::policy::Preference;
use crate::words::text::printable;

use super::platform::{self, Nearness};

pub use entry::{IndexedImage, entries};
pub use fetch::{SelectSource, from_file, from_layout, from_registry};
pub use table::text;

/// The name and version of the JSON document; fields are only ever added.
pub const SCHEMA: &str = "oci-compat.select/v1";

/// An entry and what it demands of a host.
#[derive(Debug)]
pub struct Contender {
    /// The image or the file that it was found in.
    pub image: String,
    /// The entry.
    pub entry: IndexedImage,
    /// What is demanded by its label, by what is attached to it and to its index, by the image itself, and by the administrator.
    pub collected: Collected,
}

/// All entries, the best first. Text of strangers is escaped already.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Selection {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// That of the chosen entry; `incompatible` if none is chosen.
    pub verdict: Verdict,
    /// The digest of the entry that fits best, or of the first one that may fit; absent if none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen: Option<String>,
    /// All entries, the best first.
    pub entries: Vec<RankedEntry>,
}

/// An entry of an index that was judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RankedEntry {
    /// The image or the file that it was found in.
    pub image: String,
    /// The digest of its manifest.
    pub digest: String,
    /// Its platform in the index, with `os.version` and features; empty if it names none.
    pub platform: String,
    /// What it came to.
    pub verdict: Verdict,
    /// The weights of the annotations that the configuration prefers, and of the best set of each spec.
    pub score: i64,
    /// How much its label asks for: of entries with the same score the more specific one is better.
    pub specific: u32,
    /// Why the verdict is not `compatible`, the most important first.
    pub reasons: Vec<Reason>,
    /// What a reader should know besides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Judges all of them on a host, whose facts are read once, and ranks them: by verdict, then by how the host starts programs of their
/// machines, then by score, then by how specific their labels are, then in their order.
pub fn rank(
    mut candidates: Vec<Contender>,
    preferences: &[Preference],
    host: &Host<'_>,
    terms: &Terms<'_>,
) -> Selection {
    let machines: BTreeSet<_> = candidates.iter().filter_map(|it| it.entry.machine()).collect();
    let facts = read_once(&mut candidates, &machines, host, terms);
    let host = facts.as_ref().map_or(*host, Host::Facts);
    let nearness: BTreeMap<_, _> = machines.iter().map(|it| (it.clone(), Nearness::of(it, &host))).collect();
    let with_nearness = |it: Contender| {
        let nearness = it.entry.machine().and_then(|it| nearness.get(&it).copied());
        (nearness.unwrap_or(Nearness::Own), judged(it, preferences, &host, terms))
    };
    let mut entries: Vec<_> = candidates.into_iter().map(with_nearness).collect();
    entries.sort_by_key(|(nearness, it)| {
        (severity(it.verdict), *nearness, Reverse(it.score), Reverse(it.specific))
    });
    let entries: Vec<_> = entries.into_iter().map(|(_, it)| it).collect();
    let best = entries.first().filter(|it| it.verdict != Verdict::Incompatible);
    Selection {
        schema: SCHEMA,
        verdict: best.map_or(Verdict::Incompatible, |it| it.verdict),
        chosen: best.map(|it| it.digest.clone()),
        entries,
    }
}

fn severity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Compatible => 0,
        Verdict::Undecided => 1,
        Verdict::Incompatible => 2,
    }
}

/// The facts that all entries together need.
fn read_once(
    candidates: &mut [Contender],
    machines: &BTreeSet<String>,
    host: &Host<'_>,
    terms: &Terms<'_>,
) -> Option<Facts> {
    let Host::Root(root) = host else { return None };
    let counts: Vec<_> = candidates.iter().map(|it| it.collected.requirements.len()).collect();
    let mut all: Vec<Requirement> =
        candidates.iter_mut().flat_map(|it| std::mem::take(&mut it.collected.requirements)).collect();
    all.extend(machines.iter().filter_map(|it| platform::handled(it)));
    let facts = check::gather(&all, terms.tags, root, None);
    for (candidate, count) in candidates.iter_mut().zip(counts) {
        let rest = all.split_off(count.min(all.len()));
        candidate.collected.requirements = std::mem::replace(&mut all, rest);
    }
    Some(facts)
}

fn judged(
    candidate: Contender,
    preferences: &[Preference],
    host: &Host<'_>,
    terms: &Terms<'_>,
) -> RankedEntry {
    let Contender { image, entry, collected } = candidate;
    let assessed = pipeline::assess(collected, host, terms);
    let preferred: i64 = preferences
        .iter()
        .filter(|it| entry.annotations.get(&it.annotation) == Some(&it.value))
        .map(|it| i64::from(it.weight))
        .sum();
    let Report { reasons, notes, verdict, specs, .. } = assessed.report;
    let best = specs
        .iter()
        .filter_map(|it| it.sets.iter().filter(|it| it.outcome == Outcome::Met).map(|it| it.weight).max());
    let weights = best.fold(0_i64, i64::saturating_add);
    RankedEntry {
        image: printable(&image),
        digest: entry.digest.to_string(),
        platform: entry.label.as_ref().map_or_else(String::new, |it| printable(&it.to_string())),
        verdict,
        score: preferred.saturating_add(weights),
        specific: entry.specific(),
        reasons,
        notes,
    }
}
