//! What came of judging many images: rows, worst first, as text, JSON, JUnit and SARIF.

mod junit;
mod sarif;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::fmt::Write;

use serde::Serialize;

use crate::decide::pipeline::Assessment;
use crate::eval::verdict::{TROUBLE, Verdict};
use crate::outcome::report::Reason;
use crate::words::text::printable;

pub use junit::junit;
pub use sarif::sarif;

/// The name and version of the JSON document; fields are only ever added.
pub const SCHEMA: &str = "oci-compat.images/v1";

/// All images that were judged. Text of strangers is escaped already.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImageTable {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The worst verdict of all; `undecided` also where an engine did not answer.
    pub verdict: Verdict,
    /// How many images came to what.
    pub counts: Counts,
    /// The images, the worst first.
    pub images: Vec<ImageRow>,
    /// Why not all images are known, each a sentence.
    pub unread: Vec<String>,
}

/// How many images came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// The host lacks something.
    pub incompatible: usize,
    /// Something could not be found out, or a spec is malformed.
    pub undecided: usize,
    /// The host has everything.
    pub compatible: usize,
    /// Of these nothing is demanded; they are compatible, and not counted there.
    pub free: usize,
}

/// An image in an engine's store.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImageRow {
    /// `containerd`, `docker` or `podman`.
    pub engine: &'static str,
    /// Its names; empty if it has none.
    pub names: Vec<String>,
    /// The digest of its manifest, its index or its configuration, the first that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// What it came to.
    pub verdict: Verdict,
    /// Whether anything is demanded of its host.
    pub demands: bool,
    /// Why the verdict is not `compatible`, the most important first.
    pub reasons: Vec<Reason>,
    /// What an operator should know besides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The exit status of a check of this image alone.
    #[serde(skip)]
    pub status: u8,
}

impl ImageRow {
    /// A row of what was judged; `engine` is who keeps the image.
    pub fn new(
        engine: &'static str,
        names: &[String],
        digest: Option<String>,
        demands: bool,
        assessed: Assessment,
    ) -> Self {
        let status = assessed.status();
        let report = assessed.report;
        Self {
            engine,
            names: names.iter().map(|it| printable(it)).collect(),
            digest,
            verdict: report.verdict,
            demands,
            reasons: report.reasons,
            notes: report.notes,
            status,
        }
    }

    /// What people call it: its first name, or its digest.
    pub fn title(&self) -> &str {
        self.names.first().or(self.digest.as_ref()).map_or("an image without a name", String::as_str)
    }

    /// The first reason, its code, and how many more there are.
    fn why(&self) -> String {
        let more = match self.reasons.len() {
            0 | 1 => String::new(),
            count => format!(", +{} more", count - 1),
        };
        match self.reasons.first() {
            Some(Reason { message, code, .. }) => format!("{message} [{code}{more}]"),
            None if self.demands => String::new(),
            None => "nothing is demanded".to_owned(),
        }
    }
}

impl ImageTable {
    /// Sorts the rows, the worst first, and then by engine and name.
    pub fn new(mut images: Vec<ImageRow>, unread: &[String]) -> Self {
        let key = |it: &ImageRow| (Reverse(it.verdict), !it.demands, it.engine, it.title().to_owned());
        images.sort_by_cached_key(key);
        let mut counts = Counts::default();
        for row in &images {
            let count = match row.verdict {
                Verdict::Incompatible => &mut counts.incompatible,
                Verdict::Undecided => &mut counts.undecided,
                Verdict::Compatible if row.demands => &mut counts.compatible,
                Verdict::Compatible => &mut counts.free,
            };
            *count += 1;
        }
        let worst = images.first().map_or(Verdict::Compatible, |it| it.verdict);
        let known = if unread.is_empty() { Verdict::Compatible } else { Verdict::Undecided };
        let unread = unread.iter().map(|it| printable(it)).collect();
        Self { schema: SCHEMA, verdict: worst.max(known), counts, images, unread }
    }
}

impl ImageTable {
    /// The exit status that says what all came to: an image that does not fit, or else trouble, or else what is not known.
    pub fn status(&self) -> u8 {
        let mut all: Vec<_> = self.images.iter().map(|it| it.status).collect();
        if !self.unread.is_empty() {
            all.push(TROUBLE);
        }
        let worst = [Verdict::Incompatible.status(), TROUBLE, Verdict::Undecided.status()];
        worst.into_iter().find(|it| all.contains(it)).unwrap_or(Verdict::Compatible.status())
    }
}

/// The table for people: a line for each image, and a sum.
pub fn text(table: &ImageTable) -> String {
    let widest = |of: &dyn Fn(&ImageRow) -> usize| table.images.iter().map(of).max().unwrap_or(0);
    let (engine, image) = (widest(&|it| it.engine.len()), widest(&|it| it.title().chars().count()));
    let mut text = String::new();
    for row in &table.images {
        let line = format!(
            "{:<12}  {:<engine$}  {:<image$}  {}",
            row.verdict.name(),
            row.engine,
            row.title(),
            row.why()
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let Counts { incompatible, undecided, compatible, free } = table.counts;
    let images = if table.images.len() == 1 { "image" } else { "images" };
    // Writing to a string does not fail.
    let _infallible = writeln!(
        text,
        "{} {images}: {incompatible} incompatible, {undecided} undecided, {compatible} compatible, {free} without requirements",
        table.images.len()
    );
    text
}
