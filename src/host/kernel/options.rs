//! The options of a kernel configuration, taken from its text. Opens no file.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use crate::host::Wanted;

/// The longest configuration that is read, in bytes: one with every option and all comments has 300 KiB.
pub(super) const MAX_TEXT: usize = 8 << 20;
const PREFIX: &[u8] = b"CONFIG_";
/// More searches than these take longer than looking at every line once.
const FEW: usize = 10;

/// The options that are set and wanted, without `CONFIG_`; as in NFD, the last of several lines wins.
///
/// # Errors
///
/// A reason, if the text is too long, or is no configuration.
pub(super) fn scan(text: &[u8], wanted: &Wanted) -> Result<BTreeMap<String, String>, String> {
    if text.len() > MAX_TEXT {
        return Err(format!("holds more than {MAX_TEXT} bytes of text"));
    }
    // A file without any option is no configuration, and no proof that options are unset.
    if occurrences(text, PREFIX).next().is_none() {
        return Err("holds no line that starts with CONFIG_".to_owned());
    }
    Ok(match wanted {
        Wanted::Names(names) if names.len() <= FEW => {
            names.iter().filter_map(|it| Some((it.clone(), find(text, it)?))).collect()
        }
        Wanted::All => options(text).map(|(name, set)| (lossy(name), value(set))).collect(),
        Wanted::Names(names) => {
            let names = OptionNames::new(names);
            options(text)
                .filter(|(it, _)| names.has(it))
                .map(|(name, set)| (lossy(name), value(set)))
                .collect()
        }
    })
}

/// One search for each name takes a tenth of looking at some 5,000 lines.
fn find(text: &[u8], name: &str) -> Option<String> {
    // Strangers spell names: none of an option has these.
    if name.contains(['=', '\n']) {
        return None;
    }
    let line = [PREFIX, name.as_bytes(), b"="].concat();
    let start = occurrences(text, &line).last()? + line.len();
    rest_of_line(text, start).map(value)
}

/// What is left of the line from here on.
fn rest_of_line(text: &[u8], start: usize) -> Option<&[u8]> {
    let rest = text.get(start..)?;
    rest.get(..memchr::memchr(b'\n', rest).unwrap_or(rest.len()))
}

/// Where lines start with this.
fn occurrences<'a>(text: &'a [u8], start: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    memchr::memmem::find_iter(text, start)
        .filter(|at| at.checked_sub(1).is_none_or(|it| text.get(it) == Some(&b'\n')))
}

/// Each option that is set, with its value, in the order of the text. One look at each line: there are some 10,000.
fn options(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let ends = memchr::memchr_iter(b'\n', text).chain(iter::once(text.len()));
    let mut start = 0;
    ends.filter_map(move |end| {
        let line = text.get(start..end)?.strip_prefix(PREFIX);
        start = end + 1;
        let line = line?;
        let at = memchr::memchr(b'=', line)?;
        Some((line.get(..at)?, line.get(at + 1..)?))
    })
}

/// Names in the order of their lengths: most of what is looked up ends with a comparison of two numbers.
struct OptionNames<'a>(Vec<&'a [u8]>);

impl<'a> OptionNames<'a> {
    fn new(names: &'a BTreeSet<String>) -> Self {
        let mut names: Vec<_> = names.iter().map(String::as_bytes).collect();
        names.sort_unstable_by_key(|it| (it.len(), *it));
        Self(names)
    }

    fn has(&self, name: &[u8]) -> bool {
        self.0.binary_search_by(|it| it.len().cmp(&name.len()).then_with(|| (*it).cmp(name))).is_ok()
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn value(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::wanted;

    fn check(text: &str, wanted: &Wanted, expected: &[(&str, &str)]) {
        let found = scan(text.as_bytes(), wanted).unwrap();
        let found: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(found, expected, "{text:.60}");
    }

    #[test]
    fn values_lose_the_quotes_around_them_and_nothing_else() {
        check(
            "CONFIG_A=\"a \"b\"\nCONFIG_B=\"\"\nCONFIG_C=\nCONFIG_D=x=y\nCONFIG_E=y\r\n",
            &Wanted::All,
            &[("A", "a \"b"), ("B", ""), ("C", ""), ("D", "x=y"), ("E", "y\r")],
        );
    }

    #[test]
    fn only_lines_that_set_an_option_count() {
        let text = " CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C\nNOTCONFIG_D=y\nCONFIG_=z\n#CONFIG_E=y";
        check(text, &Wanted::All, &[("", "z")]);
    }

    #[test]
    fn a_name_that_no_option_can_have_is_not_found() {
        check("CONFIG_A=B=1\nCONFIG_C=y\n", &wanted(&["A=B", "A=B=1\nCONFIG_C", ""]), &[]);
    }

    #[test]
    fn the_last_of_several_lines_wins_even_without_an_end() {
        check("CONFIG_A=y\nCONFIG_A=m", &Wanted::All, &[("A", "m")]);
    }

    #[test]
    fn wanted_names_are_found_whatever_their_length() {
        let text = "CONFIG_A=1\nCONFIG_AB=2\nCONFIG_ABC=3\nCONFIG_ABCDEF=4\nCONFIG_ABCDEG=5\n";
        check(text, &wanted(&["A", "ABC", "ABCDEF"]), &[("A", "1"), ("ABC", "3"), ("ABCDEF", "4")]);
    }

    #[test]
    fn many_names_are_found_as_few_are() {
        let text = "CONFIG_A=1\n# CONFIG_B is not set\nCONFIG_AB=2\nCONFIG_A=3\n CONFIG_C=y\nCONFIG_D=x=y\n";
        let names = ["A", "AB", "B", "C", "D", "D=x", "", "E", "F", "G", "H", "I"];
        check(text, &wanted(&names), &[("A", "3"), ("AB", "2"), ("D", "x=y")]);
    }

    #[test]
    fn text_that_is_too_long_is_not_looked_through() {
        let long = vec![b'x'; MAX_TEXT + 1];
        assert_eq!(scan(&long, &Wanted::All), Err("holds more than 8388608 bytes of text".to_owned()));
    }
}
