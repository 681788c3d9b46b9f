//! What a refusal says: where, what is wrong, and what to write instead.

use super::{Pattern, PatternError};

fn check(cases: &[(&str, usize, &str)]) {
    for (pattern, offset, message) in cases {
        let expected = PatternError { offset: *offset, message: (*message).to_owned() };
        assert_eq!(Pattern::parse(pattern).map(|_| pattern), Err(expected));
    }
}

#[test]
fn a_refusal_says_where_what_and_what_instead() {
    check(&[
        (
            "a(?=b)",
            1,
            "`(?=`: Go's regular expressions have no look-ahead: match the text behind it as well, or use a second expression",
        ),
        (
            "a(?!b)",
            1,
            "`(?!`: Go's regular expressions have no look-ahead: match the text behind it as well, or use a second expression",
        ),
        ("(?<=a)b", 0, "Go's regular expressions have no look-behind: match the text before it as well"),
        ("(?<!a)b", 0, "Go's regular expressions have no look-behind: match the text before it as well"),
        (r"(a)\1", 3, r"`\1`: Go's regular expressions have no back-references: repeat what the group says"),
        ("(?>a)", 0, "`(?>`: Go's regular expressions have no atomic groups: write `(?:…)`"),
        ("a*+", 1, "`*+`: a repetition cannot be repeated or possessive: write `(?:a*)+`, or one of the two"),
        ("a**", 1, "`**`: a repetition cannot be repeated or possessive: write `(?:a*)+`, or one of the two"),
        (
            "a{2}{3}",
            1,
            "`{2}{3}`: a repetition cannot be repeated or possessive: write `(?:a*)+`, or one of the two",
        ),
        ("*a", 0, "`*` repeats nothing: write a backslash before it for the character"),
        ("a|*", 2, "`*` repeats nothing: write a backslash before it for the character"),
        ("ab{2,1}", 2, "`{2,1}`: write the smaller number first, and none above 1000"),
        ("a{1001}", 1, "`{1001}`: write the smaller number first, and none above 1000"),
        ("(a{10}){101}", 7, "`{101}`: nested repetitions make 1010 copies, more than 1000"),
        ("a(b", 1, r"`(` is never closed: write `)` behind the group, or `\(` for a parenthesis"),
        ("a(b(c)", 1, r"`(` is never closed: write `)` behind the group, or `\(` for a parenthesis"),
        ("ab)", 2, r"`)` closes nothing: write `(` before it, or `\)` for a parenthesis"),
        ("[a", 0, r"`[` is never closed: write `]` behind the class, or `\[` for a bracket"),
        (r"[b-a\d]", 1, "`b-a`: the range is empty: write the smaller end first"),
        (r"[a-\d]", 3, r"`\d`: a class cannot be the end of a range: write `\-` for a hyphen"),
        (r"[\b]", 1, r"`\b`: a word boundary cannot stand in a class: write `\x08` for a backspace"),
        (r"a\Z", 1, r"`\Z`: Go has no such anchor: write `\n?\z`, or `\z` for the end of the text"),
        (r"\u0041", 0, r"`\u`: write the character's number as `\x{…}`"),
        (r"\q", 0, r"`\q`: Go knows no such escape: write the character alone, or `\\` for a backslash"),
        (r"a\", 1, r"the pattern ends in a backslash: write `\\` for a backslash"),
        (r"\x{110000}", 0, r"`\x` needs a character's number: write `\x7F` or `\x{10FFFF}`"),
        (r"\8", 0, r"`\8`: Go's regular expressions have no back-references: repeat what the group says"),
        (r"\p{Script=Latin}", 0, r"`\p{Script=Latin}`: Go takes the value alone: write `\p{Latin}`"),
        (
            r"\p{Grek}",
            0,
            r"`\p{Grek}`: Go knows no such class: write a general category such as `\pL` or `\p{Letter}`, or a script of one word such as `\p{Greek}`",
        ),
        (
            r"\p{Old_Italic}",
            0,
            r"`\p{Old_Italic}`: Go knows no such class: write a general category such as `\pL` or `\p{Letter}`, or a script of one word such as `\p{Greek}`",
        ),
        (
            r"[\pX]",
            1,
            r"`\pX`: Go knows no such class: write a general category such as `\pL` or `\p{Letter}`, or a script of one word such as `\p{Greek}`",
        ),
        (r"\p{L", 0, r"`\p{` is never closed: write `}` behind the name"),
        (
            "[[:foo:]]",
            1,
            "`[:foo:]`: Go knows no such class: write one of alnum, alpha, ascii, blank, cntrl, digit, graph, lower, print, punct, space, upper, word, xdigit",
        ),
        ("(?x) a", 0, "`(?x`: Go has no flag `x`: write the pattern without blanks and comments"),
        ("(?P<n-x>a)", 0, "a group's name has to be of ASCII letters, digits and `_`: write `(?P<name>…)`"),
        (
            "(?P=n)",
            0,
            "`(?P`: Go's regular expressions cannot refer to a group: write `(?P<name>…)` for a name",
        ),
        ("(?i-)", 0, "`(?i-)`: no flag follows `-`: write `(?-i)` or `(?-i:…)`"),
        ("(?R)", 0, "`(?R`: Go's regular expressions have no recursion: write out what should be repeated"),
        ("(?i", 0, r"`(?` is never closed: write `(?i:…)` for a group, `\(` for a parenthesis"),
        (
            "\\\u{202e}",
            0,
            r"`\\u{202e}`: Go knows no such escape: write the character alone, or `\\` for a backslash",
        ),
        (
            "[[:a\n\u{202e}\u{7}:]]",
            1,
            r"`[:a\n\u{202e}\u{7}:]`: Go knows no such class: write one of alnum, alpha, ascii, blank, cntrl, digit, graph, lower, print, punct, space, upper, word, xdigit",
        ),
        ("(?#x)", 0, "`(?#`: Go's regular expressions have no comments: leave it out"),
        ("(?'n'a)", 0, "`(?'`: Go has no such name of a group: write `(?P<name>…)`"),
    ]);
}

#[test]
fn an_error_shows_its_place() {
    let message =
        "`)` closes nothing: write `(` before it, or `\\)` for a parenthesis (at byte 2 of the pattern)";
    assert_eq!(Pattern::parse("é)").unwrap_err().to_string(), message);
}
