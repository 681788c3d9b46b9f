//! Which names `\p{…}` knows, and which characters differ by case alone. The tables themselves are `regex_syntax`'s.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

/// General categories as Go spells them once case, spaces, hyphens and underscores are gone: `unicode.Categories`,
/// `unicode.CategoryAliases`, and the three names of UTS #18.
const CATEGORIES: &str = "Any Ascii Assigned C Cc Cf Cn Co Cs L Lc Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf \
    Pi Po Ps S Sc Sk Sm So Z Zl Zp Zs Casedletter Closepunctuation Cntrl Combiningmark Connectorpunctuation Control \
    Currencysymbol Dashpunctuation Decimalnumber Digit Enclosingmark Finalpunctuation Format Initialpunctuation Letter \
    Letternumber Lineseparator Lowercaseletter Mark Mathsymbol Modifierletter Modifiersymbol Nonspacingmark Number \
    Openpunctuation Other Otherletter Othernumber Otherpunctuation Othersymbol Paragraphseparator Privateuse Punct \
    Punctuation Separator Spaceseparator Spacingmark Surrogate Symbol Titlecaseletter Unassigned Uppercaseletter";

/// Scripts of Unicode 15.0 that have one word, the only ones that Go 1.25 and 1.26 find: they remove the underscore of
/// `Old_Italic` from the name they are asked for, but not from the one in `unicode.Scripts`.
const SCRIPTS: &str = "Adlam Ahom Arabic Armenian Avestan Balinese Bamum Batak Bengali Bhaiksuki Bopomofo Brahmi \
    Braille Buginese Buhid Carian Chakma Cham Cherokee Chorasmian Common Coptic Cuneiform Cypriot Cyrillic Deseret \
    Devanagari Dogra Duployan Elbasan Elymaic Ethiopic Georgian Glagolitic Gothic Grantha Greek Gujarati Gurmukhi Han \
    Hangul Hanunoo Hatran Hebrew Hiragana Inherited Javanese Kaithi Kannada Katakana Kawi Kharoshthi Khmer Khojki \
    Khudawadi Lao Latin Lepcha Limbu Lisu Lycian Lydian Mahajani Makasar Malayalam Mandaic Manichaean Marchen \
    Medefaidrin Miao Modi Mongolian Mro Multani Myanmar Nabataean Nandinagari Newa Nko Nushu Ogham Oriya Osage Osmanya \
    Palmyrene Phoenician Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham Sinhala Sogdian Soyombo Sundanese \
    Syriac Tagalog Tagbanwa Takri Tamil Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta Toto Ugaritic Vai \
    Vithkuqi Wancho Yezidi Yi";

/// Where characters that have case live: folding looks at each character of a range, and ranges can be wide.
const CASED: [(char, char); 22] = [
    ('\u{41}', '\u{29E}'),
    ('\u{345}', '\u{586}'),
    ('\u{10A0}', '\u{10FF}'),
    ('\u{13A0}', '\u{13FD}'),
    ('\u{1C80}', '\u{1CBF}'),
    ('\u{1D79}', '\u{1D8E}'),
    ('\u{1E00}', '\u{1FFC}'),
    ('\u{2126}', '\u{2184}'),
    ('\u{24B6}', '\u{24E9}'),
    ('\u{2C00}', '\u{2D2D}'),
    ('\u{A640}', '\u{A69B}'),
    ('\u{A722}', '\u{A7F6}'),
    ('\u{AB53}', '\u{ABBF}'),
    ('\u{FB05}', '\u{FB06}'),
    ('\u{FF21}', '\u{FF5A}'),
    ('\u{10400}', '\u{1044F}'),
    ('\u{104B0}', '\u{104FB}'),
    ('\u{10570}', '\u{105BC}'),
    ('\u{10C80}', '\u{10D85}'),
    ('\u{118A0}', '\u{118DF}'),
    ('\u{16E40}', '\u{16E7F}'),
    ('\u{1E900}', '\u{1E943}'),
];

/// The class that Go finds under a name; `None` if it finds none.
pub(super) fn named(name: &str) -> Option<ClassUnicode> {
    let name = canonical(name);
    let known = [CATEGORIES, SCRIPTS].iter().flat_map(|it| it.split(' ')).any(|it| it == name);
    match name.as_str() {
        _ if !known => None,
        "Cs" | "Surrogate" => Some(ClassUnicode::empty()),
        _ => look_up(&name),
    }
}

/// Adds what differs from a character of the class by case alone (Unicode simple folding).
pub(super) fn fold(class: &mut ClassUnicode) {
    let mut folded = class.clone();
    folded.intersect(&from_pairs(&CASED));
    folded.case_fold_simple();
    class.union(&folded);
}

pub(super) fn from_pairs(pairs: &[(char, char)]) -> ClassUnicode {
    ClassUnicode::new(pairs.iter().map(|(low, high)| ClassUnicodeRange::new(*low, *high)))
}

/// Go's `canonicalName`: a capital, then small letters.
fn canonical(name: &str) -> String {
    let mut letters = name.chars().filter(|it| !matches!(it, ' ' | '-' | '_'));
    let first = letters.next().map(|it| it.to_ascii_uppercase());
    first.into_iter().chain(letters.map(|it| it.to_ascii_lowercase())).collect()
}

fn look_up(name: &str) -> Option<ClassUnicode> {
    // A name that is in the lists above is in the tables too: a test asks for each of them.
    let hir = regex_syntax::parse(&format!("\\p{{{name}}}")).ok()?;
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a class is only ever read as a class or as its character"
    )]
    match hir.into_kind() {
        HirKind::Class(Class::Unicode(class)) => Some(class),
        HirKind::Literal(it) => {
            let only = std::str::from_utf8(&it.0).ok()?.chars().next()?;
            Some(from_pairs(&[(only, only)]))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_is_known_has_a_class() {
        for name in CATEGORIES.split(' ').chain(SCRIPTS.split(' ')) {
            assert!(named(name).is_some(), "{name}");
        }
    }

    #[test]
    fn nothing_folds_outside_of_the_cased_areas() {
        let mut rest = from_pairs(&CASED);
        rest.negate();
        let mut folded = rest.clone();
        folded.case_fold_simple();
        assert_eq!(folded, rest);
    }
}
