//! Patterns with `*` and `?`. Takes time in proportion to both lengths at most.

/// A pattern: `*` is any text, also none; `?` one character; everything else itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// Every text is a pattern.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether the whole text fits.
    pub fn matches(&self, text: &str) -> bool {
        let (mut pattern, mut text) = (self.0.chars(), text.chars());
        // What follows the last star, and the text that it has not eaten yet.
        let mut retry: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
        loop {
            let (before, rest) = (text.clone(), pattern.next());
            match (rest, text.next()) {
                (None, None) => return true,
                (Some('*'), _) => {
                    text = before;
                    retry = Some((pattern.clone(), text.clone()));
                }
                (Some('?'), Some(_)) => {}
                (Some(wanted), Some(found)) if wanted == found => {}
                (_, _) => {
                    let Some((after, mut eaten)) = retry.take() else { return false };
                    if eaten.next().is_none() {
                        return false;
                    }
                    (pattern, text) = (after.clone(), eaten.clone());
                    retry = Some((after, eaten));
                }
            }
        }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether it fits everything.
    pub fn is_any(&self) -> bool {
        !self.0.is_empty() && self.0.chars().all(|it| it == '*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_texts_are_matched() {
        let check = |pattern: &str, text: &str, expected: bool| {
            assert_eq!(Glob::new(pattern).matches(text), expected, "{pattern:?} {text:?}");
        };
        check("", "", true);
        check("", "a", false);
        check("*", "", true);
        check("*", "abc", true);
        check("a*", "abc", true);
        check("a*", "ba", false);
        check("*c", "abc", true);
        check("*c", "abcd", false);
        check("a*c*e", "abcde", true);
        check("a*bc", "abbbc", true);
        check("a**b", "ab", true);
        check("a?c", "aéc", true);
        check("a?c", "ac", false);
        check("?", "", false);
        check("abc", "abc", true);
        check("abc", "ab", false);
        check("[a]", "a", false);
    }

    #[test]
    fn a_pattern_that_is_made_to_be_slow_is_not() {
        let pattern = Glob::new(&format!("{}b", "a*".repeat(500)));
        assert!(!pattern.matches(&"a".repeat(2_000)));
    }
}
