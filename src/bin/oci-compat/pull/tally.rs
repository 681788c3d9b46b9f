//! The output of a pull: a line for each image, a bar on a terminal, and a summary.

use std::io::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use oci_compat::supply::pull::{Pulled, WantedImage};
use oci_compat::words::text::printable;

use crate::output::Output;
use oci_compat::words::text::counted;

/// Its messages start where the number of images ends.
const BAR: &str = "[{bar:30}] {pos} of {len}{msg}, {elapsed}";

#[derive(Debug)]
pub(super) struct PullTally {
    /// Draws nothing if stderr is no terminal.
    bar: ProgressBar,
    /// Only changes and errors have a line, because the bar is shown too.
    is_terse: bool,
    total: usize,
    failed: usize,
    bare: usize,
    fresh: usize,
    known: usize,
    absent: usize,
}

impl PullTally {
    pub(super) fn new(total: usize, output: &Output) -> Self {
        let bar = match output.shows_progress() {
            true => bar(total),
            false => ProgressBar::hidden(),
        };
        let is_terse = output.shows_progress() && output.is_terminal();
        let tally = Self { bar, is_terse, total, failed: 0, bare: 0, fresh: 0, known: 0, absent: 0 };
        tally.show();
        if output.shows_progress() {
            // A registry may be slow: the clock shows that it is waited for. It draws at once, so the text comes first.
            tally.bar.enable_steady_tick(Duration::from_secs(1));
        }
        tally
    }

    /// Images without a registry and a name, such as the steps of builds.
    pub(super) fn count_nameless(&mut self, count: usize) {
        self.absent += count;
        self.bar.inc(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// An image that no registry can have.
    pub(super) fn count_local(&mut self, name: &str, output: &mut Output) -> anyhow::Result<()> {
        self.absent += 1;
        self.bar.inc(1);
        if self.is_terse {
            return Ok(());
        }
        self.bar.suspend(|| output.print(&format!("{}: from no registry\n", printable(name))))
    }

    pub(super) fn count(
        &mut self,
        image: &WantedImage,
        pulled: &Pulled,
        output: &mut Output,
    ) -> anyhow::Result<()> {
        self.failed += usize::from(!pulled.problems.is_empty());
        self.fresh += pulled.fresh;
        self.known += pulled.known;
        self.absent += usize::from(pulled.is_absent);
        self.bare += usize::from(pulled.is_bare());
        self.bar.inc(1);
        self.show();
        self.bar.suspend(|| self.tell(image, pulled, output))
    }

    fn tell(&self, image: &WantedImage, pulled: &Pulled, output: &mut Output) -> anyhow::Result<()> {
        let name = image.names.join(", ");
        let told = |it: &str| printable(&format!("{name}: {it}"));
        for problem in &pulled.problems {
            // A closed stream loses nothing: the exit status says it too.
            let _unheard = writeln!(std::io::stderr(), "error: {}", told(problem));
        }
        for note in &pulled.notes {
            log::warn!("{}", told(note));
        }
        if self.is_terse && pulled.fresh == 0 {
            return Ok(());
        }
        output.print(&format!("{}: {}\n", printable(&name), pulled.outcome()))
    }

    fn show(&self) {
        let of = if self.total == 1 { " image" } else { " images" };
        let failed = if self.failed == 0 { String::new() } else { format!(", {} with errors", self.failed) };
        self.bar.set_message(format!("{of}, {} new{failed}", counted(self.fresh, "artifact")));
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Whether everything was fetched that there is.
    pub(super) fn has_all(&self) -> bool {
        self.failed == 0
    }

    pub(super) fn summary(&self) -> String {
        let absent = match self.absent {
            0 => String::new(),
            absent => format!(", {absent} in no registry"),
        };
        format!(
            "{}: {} new, {} known, {} without any, {} with errors{absent}\n",
            counted(self.total, "image"),
            counted(self.fresh, "artifact"),
            self.known,
            self.bare,
            self.failed
        )
    }
}

fn bar(total: usize) -> ProgressBar {
    let total = u64::try_from(total).unwrap_or(u64::MAX);
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(BAR) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}
