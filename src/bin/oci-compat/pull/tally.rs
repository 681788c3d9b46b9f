//! The output of a pull: a line for each image, a bar on a terminal, and a summary.

use std::io::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use oci_compat::supply::pull::{PullCounts, Pulled, WantedImage};
use oci_compat::words::text::printable;

use crate::output::Output;

/// Its messages start where the number of images ends.
const BAR: &str = "[{bar:30}] {pos} of {len}{msg}, {elapsed}";

#[derive(Debug)]
pub(super) struct PullTally {
    /// Draws nothing if stderr is no terminal.
    bar: ProgressBar,
    /// Only changes and errors have a line, because the bar is shown too.
    is_terse: bool,
    pub(super) counts: PullCounts,
}

impl PullTally {
    pub(super) fn new(total: usize, output: &Output) -> Self {
        let bar = match output.shows_progress() {
            true => bar(total),
            false => ProgressBar::hidden(),
        };
        let is_terse = output.shows_progress() && output.is_terminal();
        let tally = Self { bar, is_terse, counts: PullCounts::new(total) };
        tally.show();
        if output.shows_progress() {
            // A registry may be slow: the clock shows that it is waited for. It draws at once, so the text comes first.
            tally.bar.enable_steady_tick(Duration::from_secs(1));
        }
        tally
    }

    /// Images without a registry and a name, such as the steps of builds.
    pub(super) fn count_nameless(&mut self, count: usize) {
        self.counts.add_absent(count);
        self.bar.inc(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// An image that no registry can have.
    pub(super) fn count_local(&mut self, name: &str, output: &mut Output) -> anyhow::Result<()> {
        self.counts.add_absent(1);
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
        self.counts.add(pulled);
        self.bar.inc(1);
        self.show();
        self.bar.suspend(|| self.print(image, pulled, output))
    }

    fn print(&self, image: &WantedImage, pulled: &Pulled, output: &mut Output) -> anyhow::Result<()> {
        for problem in &pulled.problems {
            // A closed stream loses nothing: the exit status has it too.
            let _closed = writeln!(std::io::stderr(), "error: {}", image.message(problem));
        }
        for note in &pulled.notes {
            log::warn!("{}", image.message(note));
        }
        if self.is_terse && pulled.fresh == 0 {
            return Ok(());
        }
        output.print(&format!("{}\n", image.message(&pulled.outcome())))
    }

    fn show(&self) {
        self.bar.set_message(self.counts.progress());
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
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
