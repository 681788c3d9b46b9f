//! The names in `\p{…}` and their characters, and the characters that differ only by case.
//!
//! `regex_syntax` has all of this too, but hands it out only together with the tables of every other property, which are
//! a tenth of the hook.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

use super::class;

/// Runs of characters of one general category each, from U+0000 on: `Cc32` are 32 control characters, `Zs` is one space.
/// Made from the tables of `regex_syntax` by `integration/unicode.rs`.
const CATEGORIES: &str = include_str!("categories.txt");
/// Likewise by script; `-` where characters have none whose name has one word.
///
/// Those are the only ones that Go 1.25 and 1.26 find: they remove the underscore of `Old_Italic` from the name they are
/// asked for, but not from the one in `unicode.Scripts`.
const SCRIPTS: &str = include_str!("scripts.txt");

/// General categories as Go spells them once case, spaces, hyphens and underscores are gone (`unicode.CategoryAliases`).
const ALIASES: [(&str, &str); 41] = [
    ("Closepunctuation", "Pe"),
    ("Cntrl", "Cc"),
    ("Combiningmark", "M"),
    ("Connectorpunctuation", "Pc"),
    ("Control", "Cc"),
    ("Currencysymbol", "Sc"),
    ("Dashpunctuation", "Pd"),
    ("Decimalnumber", "Nd"),
    ("Digit", "Nd"),
    ("Enclosingmark", "Me"),
    ("Finalpunctuation", "Pf"),
    ("Format", "Cf"),
    ("Initialpunctuation", "Pi"),
    ("Letter", "L"),
    ("Letternumber", "Nl"),
    ("Lineseparator", "Zl"),
    ("Lowercaseletter", "Ll"),
    ("Mark", "M"),
    ("Mathsymbol", "Sm"),
    ("Modifierletter", "Lm"),
    ("Modifiersymbol", "Sk"),
    ("Nonspacingmark", "Mn"),
    ("Number", "N"),
    ("Openpunctuation", "Ps"),
    ("Other", "C"),
    ("Otherletter", "Lo"),
    ("Othernumber", "No"),
    ("Otherpunctuation", "Po"),
    ("Othersymbol", "So"),
    ("Paragraphseparator", "Zp"),
    ("Privateuse", "Co"),
    ("Punct", "P"),
    ("Punctuation", "P"),
    ("Separator", "Z"),
    ("Spaceseparator", "Zs"),
    ("Spacingmark", "Mc"),
    ("Surrogate", "Cs"),
    ("Symbol", "S"),
    ("Titlecaseletter", "Lt"),
    ("Unassigned", "Cn"),
    ("Uppercaseletter", "Lu"),
];

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
    let short = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name.as_str(), |(_, it)| it);
    match short {
        "" => None,
        // Three names of UTS #18.
        "Any" => Some(from_pairs(&[(char::MIN, char::MAX)])),
        "Ascii" => Some(from_pairs(&[('\0', '\x7F')])),
        "Assigned" => runs(CATEGORIES, |it| it != "Cn"),
        "Lc" | "Casedletter" => runs(CATEGORIES, |it| matches!(it, "Lu" | "Ll" | "Lt")),
        // `L` has all of `Lu`, `Ll` and so on.
        _ => runs(CATEGORIES, |it| it.starts_with(short)).or_else(|| runs(SCRIPTS, |it| it == short)),
    }
}

/// The characters of the runs with these names; `None` if no run has such a name.
fn runs(table: &str, is_meant: impl Fn(&str) -> bool) -> Option<ClassUnicode> {
    let (mut next, mut is_known, mut ranges) = (0, false, Vec::new());
    for run in table.split_ascii_whitespace() {
        let name = run.trim_end_matches(|it: char| it.is_ascii_digit());
        let length: u32 = run.strip_prefix(name).and_then(|it| it.parse().ok()).unwrap_or(1);
        let first = next;
        next += length;
        if is_meant(name) {
            is_known = true;
            ranges.extend(class::scalars(first, next - 1));
        }
    }
    is_known.then(|| ClassUnicode::new(ranges))
}

/// Adds characters that differ from one of the class only by case (Unicode simple folding).
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: Option<(usize, &str)>) {
        let class = named(name);
        let count = |it: &ClassUnicode| it.iter().map(ClassUnicodeRange::len).sum();
        let first = |it: &ClassUnicode| it.iter().take(3).map(ClassUnicodeRange::start).collect::<String>();
        let found = class.map(|it| (count(&it), first(&it)));
        assert_eq!(found.as_ref().map(|(count, first)| (*count, first.as_str())), expected, "{name}");
    }

    #[test]
    fn names_have_the_characters_of_unicode_16() {
        check("Lu", Some((1858, "AÀØ")));
        check("Uppercase_Letter", Some((1858, "AÀØ")));
        check("L", Some((141_028, "Aaª")));
        check("LC", Some((4147, "Aaµ")));
        check("zs", Some((17, " \u{a0}\u{1680}")));
        check("Greek", Some((518, "Ͱ͵ͺ")));
        check("Yi", Some((1220, "ꀀ꒐")));
        check("any", Some((1_114_112, "\0")));
        check("ASCII", Some((128, "\0")));
        check("Cs", Some((0, "")));
    }

    #[test]
    fn what_go_does_not_know_has_none() {
        for name in ["", "-", "_", "Old_Italic", "Lx", "Q", "Gre", "Greekk", "Lu1", "1", "Cc32", "Alphabetic"]
        {
            check(name, None);
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
