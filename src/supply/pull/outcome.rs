//! What a pull came to, in words.

use crate::words::text::{counted, printable};

use super::{Pulled, WantedImage};

impl Pulled {
    /// Whether the registry has the image, and nothing is attached to it.
    pub fn is_bare(&self) -> bool {
        self.fresh + self.known == 0 && self.problems.is_empty() && !self.is_absent
    }

    /// The outcome in a few words, such as `1 artifact stored, 2 errors`.
    pub fn outcome(&self) -> String {
        let mut parts = Vec::new();
        if self.fresh > 0 {
            parts.push(format!("{} stored", counted(self.fresh, "artifact")));
        }
        if self.known > 0 {
            parts.push(format!("{} there already", counted(self.known, "artifact")));
        }
        if !self.problems.is_empty() {
            parts.push(counted(self.problems.len(), "error"));
        }
        if self.is_absent && parts.is_empty() {
            return "its registry does not have it".to_owned();
        }
        if parts.is_empty() {
            return "no artifacts".to_owned();
        }
        parts.join(", ")
    }
}

impl WantedImage {
    /// A message about it, which starts with its names.
    pub fn message(&self, text: &str) -> String {
        printable(&format!("{}: {text}", self.names.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_starts_with_all_names_of_the_image() {
        let image: WantedImage = "acme/upf:1".parse::<crate::image::Reference>().unwrap().into();
        assert_eq!(image.message("no\u{1b}"), "docker.io/acme/upf:1: no\\u{1b}");
        let names = vec!["r/a:1".to_owned(), "r/a:2".to_owned()];
        assert_eq!(WantedImage { names, ..image }.message("no artifacts"), "r/a:1, r/a:2: no artifacts");
    }

    fn check(pulled: &Pulled, outcome: &str, is_bare: bool) {
        assert_eq!((pulled.outcome().as_str(), pulled.is_bare()), (outcome, is_bare));
    }

    #[test]
    fn an_outcome_names_all_that_happened() {
        let problems = || vec!["it is not signed".to_owned()];
        check(&Pulled::default(), "no artifacts", true);
        check(&Pulled { fresh: 1, ..Pulled::default() }, "1 artifact stored", false);
        check(&Pulled { known: 2, ..Pulled::default() }, "2 artifacts there already", false);
        check(&Pulled { problems: problems(), ..Pulled::default() }, "1 error", false);
        check(&Pulled { is_absent: true, ..Pulled::default() }, "its registry does not have it", false);
        check(&Pulled { is_absent: true, problems: problems(), ..Pulled::default() }, "1 error", false);
        check(
            &Pulled { fresh: 2, known: 1, problems: problems(), ..Pulled::default() },
            "2 artifacts stored, 1 artifact there already, 1 error",
            false,
        );
    }
}
