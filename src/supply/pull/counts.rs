//! What a pull of many images came to, in numbers.

use super::Pulled;
use crate::words::text::counted;

/// What a pull of many images came to so far.
#[derive(Debug, Default)]
pub struct PullCounts {
    total: usize,
    failed: usize,
    bare: usize,
    fresh: usize,
    known: usize,
    absent: usize,
}

impl PullCounts {
    /// For so many images.
    pub fn new(total: usize) -> Self {
        Self { total, ..Self::default() }
    }

    /// Counts images that no registry has.
    pub fn add_absent(&mut self, count: usize) {
        self.absent += count;
    }

    /// Counts what came of one image.
    pub fn add(&mut self, pulled: &Pulled) {
        self.failed += usize::from(!pulled.problems.is_empty());
        self.fresh += pulled.fresh;
        self.known += pulled.known;
        self.absent += usize::from(pulled.is_absent);
        self.bare += usize::from(pulled.is_bare());
    }

    /// Whether there was no error.
    pub fn has_all(&self) -> bool {
        self.failed == 0
    }

    /// So far, in words that follow the number of images.
    pub fn progress(&self) -> String {
        let of = if self.total == 1 { " image" } else { " images" };
        let failed = if self.failed == 0 { String::new() } else { format!(", {} with errors", self.failed) };
        format!("{of}, {} new{failed}", counted(self.fresh, "artifact"))
    }

    /// All of it, in one line.
    pub fn summary(&self) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(counts: &PullCounts, has_all: bool, progress: &str, summary: &str) {
        assert_eq!((counts.has_all(), counts.progress().as_str()), (has_all, progress));
        assert_eq!(counts.summary(), summary);
    }

    #[test]
    fn each_image_counts_for_what_came_of_it() {
        let mut counts = PullCounts::new(1);
        check(
            &counts,
            true,
            " image, 0 artifacts new",
            "1 image: 0 artifacts new, 0 known, 0 without any, 0 with errors\n",
        );
        counts = PullCounts::new(7);
        counts.add(&Pulled { fresh: 1, known: 3, ..Pulled::default() });
        counts.add(&Pulled::default());
        check(
            &counts,
            true,
            " images, 1 artifact new",
            "7 images: 1 artifact new, 3 known, 1 without any, 0 with errors\n",
        );
        counts.add(&Pulled { fresh: 1, problems: vec!["it is not signed".to_owned()], ..Pulled::default() });
        counts.add(&Pulled { is_absent: true, ..Pulled::default() });
        counts.add_absent(2);
        check(
            &counts,
            false,
            " images, 2 artifacts new, 1 with errors",
            "7 images: 2 artifacts new, 3 known, 1 without any, 1 with errors, 3 in no registry\n",
        );
    }
}
