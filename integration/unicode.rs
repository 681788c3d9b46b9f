//! `src/spec/pattern/categories.txt` and `scripts.txt` are the tables of `regex_syntax`: `BLESS=1` writes them anew.

use std::fs;
use std::path::Path;

use regex_syntax::hir::{Class, Hir, HirKind};

const CATEGORIES: &str =
    "Cc Cf Cn Co Ll Lm Lo Lt Lu Mc Me Mn Nd Nl No Pc Pd Pe Pf Pi Po Ps Sc Sk Sm So Zl Zp Zs";
/// Of Unicode 15.0, as Go has them, those whose names have one word.
const SCRIPTS: &str = "Adlam Ahom Arabic Armenian Avestan Balinese Bamum Batak Bengali Bhaiksuki Bopomofo Brahmi \
    Braille Buginese Buhid Carian Chakma Cham Cherokee Chorasmian Common Coptic Cuneiform Cypriot Cyrillic Deseret \
    Devanagari Dogra Duployan Elbasan Elymaic Ethiopic Georgian Glagolitic Gothic Grantha Greek Gujarati Gurmukhi Han \
    Hangul Hanunoo Hatran Hebrew Hiragana Inherited Javanese Kaithi Kannada Katakana Kawi Kharoshthi Khmer Khojki \
    Khudawadi Lao Latin Lepcha Limbu Lisu Lycian Lydian Mahajani Makasar Malayalam Mandaic Manichaean Marchen \
    Medefaidrin Miao Modi Mongolian Mro Multani Myanmar Nabataean Nandinagari Newa Nko Nushu Ogham Oriya Osage Osmanya \
    Palmyrene Phoenician Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham Sinhala Sogdian Soyombo Sundanese \
    Syriac Tagalog Tagbanwa Takri Tamil Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta Toto Ugaritic Vai \
    Vithkuqi Wancho Yezidi Yi";
const CHARACTERS: usize = 0x11_0000;
const SURROGATES: std::ops::Range<usize> = 0xD800..0xE000;

#[test]
fn the_general_categories_are_those_of_regex_syntax() {
    let mut names = names(CATEGORIES);
    names[SURROGATES].fill("Cs");
    check("categories.txt", &names);
}

#[test]
fn the_scripts_are_those_of_regex_syntax() {
    check("scripts.txt", &names(SCRIPTS));
}

fn check(file: &str, names: &[&str]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/spec/pattern").join(file);
    let text = text(names);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &text).expect(file);
    }
    let is_current = fs::read_to_string(&path).expect(file) == text;
    assert!(is_current, "{file} is not current: BLESS=1 cargo test --test integration unicode");
}

/// What each character is called, or `-`.
fn names(known: &'static str) -> Vec<&'static str> {
    let mut names = vec!["-"; CHARACTERS];
    for name in known.split(' ') {
        for (start, end) in ranges(regex_syntax::parse(&format!("\\p{{{name}}}")).expect(name)) {
            names[start as usize..=end as usize].fill(name);
        }
    }
    names
}

fn ranges(hir: Hir) -> Vec<(char, char)> {
    let kind = hir.into_kind();
    if let HirKind::Class(Class::Unicode(class)) = &kind {
        return class.iter().map(|it| (it.start(), it.end())).collect();
    }
    // One character alone is taken for itself.
    let HirKind::Literal(only) = kind else { panic!("no class: {kind:?}") };
    str::from_utf8(&only.0).expect("a character").chars().map(|it| (it, it)).collect()
}

/// The runs, on lines of a hundred characters or less.
fn text(names: &[&str]) -> String {
    let (mut text, mut line) = (String::new(), String::new());
    for run in names.chunk_by(|left, right| left == right) {
        let length = if run.len() == 1 { String::new() } else { run.len().to_string() };
        let word = format!("{}{length}", run[0]);
        if line.len() + 1 + word.len() > 100 {
            text.push_str(&line);
            text.push('\n');
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    text + &line + "\n"
}
