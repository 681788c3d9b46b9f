//! Text in messages: escaped, in quotes, cut, counted, and the name that was probably meant.

use std::borrow::Cow;
use std::path::Path;

/// Text that strangers wrote, with everything escaped that a terminal would act on: control characters, and those that
/// change the direction of text or are invisible.
pub fn printable(text: &str) -> String {
    if !text.chars().any(is_acted_on) {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(text.len());
    for it in text.chars() {
        if is_acted_on(it) { safe.extend(it.escape_unicode()) } else { safe.push(it) }
    }
    safe
}

/// Controls, separators of lines, and what Unicode calls `Bidi_Control` or `Default_Ignorable_Code_Point`
/// (`PropList.txt`, `DerivedCoreProperties.txt`).
fn is_acted_on(it: char) -> bool {
    it.is_control()
        || matches!(it, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}')
        || matches!(it, '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(it, '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
        || matches!(it, '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}')
        || matches!(it, '\u{e0000}'..='\u{e0fff}')
}

/// A path as [`printable`] text.
pub fn printable_path(path: &Path) -> String {
    printable(&path.display().to_string())
}

/// Text of a stranger in quotes and escaped; a long one is cut.
pub fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or(text)),
        None => format!("{text:?}"),
    }
}

/// The start of a text that a stranger chose, long enough to recognise it in a message.
pub fn shorten(text: &str) -> Cow<'_, str> {
    cut(text, 80)
}

/// The first so many characters of a text, with dots where some are missing.
pub fn cut(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most).and_then(|(end, _)| text.get(..end)) {
        None => Cow::Borrowed(text),
        Some(start) => Cow::Owned(format!("{start}...")),
    }
}

/// `1 artifact`, `2 artifacts`.
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Items with commas, and a word before the last.
pub fn list(items: impl Iterator<Item = String>, word: &str) -> String {
    let mut items: Vec<_> = items.collect();
    match (items.pop(), items.is_empty()) {
        (Some(last), false) => format!("{} {word} {last}", items.join(", ")),
        (last, _) => last.unwrap_or_default(),
    }
}

/// The name among `known` that was probably meant by `wrong`: at most a third of its letters differ.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = wrong.chars().count();
    // Names of strangers may be long, and comparing letter by letter costs the product of both lengths.
    let allowed = |it: &str| it.chars().count().max(3) / 3;
    known
        .into_iter()
        .filter(|it| length.abs_diff(it.chars().count()) <= allowed(it))
        .map(|it| (strsim::osa_distance(&wrong.to_lowercase(), &it.to_lowercase()), it))
        .filter(|(distance, it)| *distance <= allowed(it))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, it)| it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stands_before_the_last_item_of_a_list() {
        let check = |items: &[&str], expected: &str| {
            assert_eq!(list(items.iter().map(|it| (*it).to_owned()), "or"), expected);
        };
        check(&[], "");
        check(&["a"], "a");
        check(&["a", "b"], "a or b");
        check(&["a", "b", "c"], "a, b or c");
    }

    #[test]
    fn text_of_strangers_cannot_act_on_a_terminal() {
        let check = |text: &str, expected: &str| assert_eq!(printable(text), expected);
        check("plain \u{e9}\u{4e2d}\u{1f600}", "plain \u{e9}\u{4e2d}\u{1f600}");
        check("\u{1b}[2J\n\t\r\u{7f}\u{9b}", r"\u{1b}[2J\u{a}\u{9}\u{d}\u{7f}\u{9b}");
        check("\u{202e}\u{2066}\u{200f}\u{61c}", r"\u{202e}\u{2066}\u{200f}\u{61c}");
        check(
            "\u{ad}\u{200b}\u{2060}\u{feff}\u{e0041}\u{fe0f}\u{3164}\u{180e}",
            r"\u{ad}\u{200b}\u{2060}\u{feff}\u{e0041}\u{fe0f}\u{3164}\u{180e}",
        );
        check("\u{2028}\u{2029}", r"\u{2028}\u{2029}");
    }

    #[test]
    fn a_name_that_is_nearly_right_is_recognised() {
        let check = |wrong, expected| {
            assert_eq!(nearest(wrong, ["In", "Exists", "matchFeatures"]), expected, "{wrong:?}");
        };
        check("matchFeature", Some("matchFeatures"));
        check("MATCHFEATURES", Some("matchFeatures"));
        check("mathcFeatuers", Some("matchFeatures"));
        check("in", Some("In"));
        check("exist", Some("Exists"));
        check("features", None);
        check("", None);
        check(&"x".repeat(1 << 20), None);
    }

    #[test]
    fn text_of_strangers_is_quoted_escaped_and_cut() {
        assert_eq!(quoted("a\n\u{1b}"), r#""a\n\u{1b}""#);
        assert_eq!(quoted(&"é".repeat(60)), format!("\"{}\"", "é".repeat(60)));
        assert_eq!(quoted(&"é".repeat(61)), format!("\"{}\"…", "é".repeat(60)));
    }

    #[test]
    fn a_text_is_cut_between_two_characters() {
        assert_eq!(cut("\u{e9}\u{e9}", 2), "\u{e9}\u{e9}");
        assert_eq!(cut("\u{e9}\u{e9}", 1), "\u{e9}...");
    }

    #[test]
    fn one_thing_is_singular() {
        assert_eq!([0, 1, 2].map(|it| counted(it, "file")), ["0 files", "1 file", "2 files"]);
    }
}
