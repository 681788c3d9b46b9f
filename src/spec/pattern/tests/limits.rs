//! What a hostile pattern costs: a bounded time and space, or an error.

use super::PatternAnswer::{Match, NoMatch, Refused};
use super::{MAX_LENGTH, Pattern, check, stored};

const TOO_LARGE: &str =
    "the pattern is too large when compiled: repeat less often, or use fewer Unicode classes";

fn check_error(pattern: &str, expected: &str) {
    assert_eq!(Pattern::parse(pattern).map_err(|it| it.message), Err(expected.to_owned()));
}

#[test]
fn a_pattern_has_4096_bytes_at_most() {
    let longest = "a".repeat(MAX_LENGTH);
    check(&[(&longest, &longest, Match), (&longest, "a", NoMatch)]);
    check_error(&format!("{longest}a"), "the pattern has 4097 bytes, more than 4096: shorten it");
}

#[test]
fn the_largest_repetitions_that_go_allows_are_compiled() {
    let text = "a".repeat(1000);
    check(&[
        ("^a{1000}$", &text, Match),
        (r"^\S{1,1000}$", &text, Match),
        ("^(.{0,1000}){0,1}b$", &text, NoMatch),
        ("^((a{0,10}){0,10}){0,10}b", &text, NoMatch),
        (r"^\pL{30}$", &text, NoMatch),
    ]);
}

#[test]
fn what_compiles_to_too_much_is_refused() {
    check_error(r"\pL{1000}", TOO_LARGE);
    check_error(&r"\pL".repeat(1000), TOO_LARGE);
    check_error(&format!("(?i){}", r"\pL|".repeat(1000)), TOO_LARGE);
    check_error(&".*".repeat(2048), TOO_LARGE);
}

#[test]
fn nested_loops_match_in_linear_time() {
    let text = "a".repeat(64 * 1024);
    check(&[
        ("((a*)*)*b", &text, NoMatch),
        ("(?:a|a|aa)*b", &text, NoMatch),
        ("(a+)+$", &format!("{text}b"), NoMatch),
        (r"\B(?:(?:a*)*)*b", &text, NoMatch),
    ]);
}

#[test]
fn nesting_is_bounded() {
    let groups = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    let loops = |depth: usize| format!("a{}", "*(?i)".repeat(depth));
    check(&[
        (&groups(99), "a", Match),
        (&groups(100), "a", Refused),
        (&groups(2000), "a", Refused),
        (&loops(99), "b", Match),
        (&loops(800), "b", Refused),
    ]);
    check_error(&loops(100), "groups and repetitions nest more than 100 deep: flatten the pattern");
}

#[test]
fn no_pattern_panics_and_what_is_accepted_can_be_matched() {
    const PIECES: &str = r"a k é 日 0 7 - _ , . * + ? | ( ) (?: (?i (?s-i: (?P<n> (?< (? [ ] [^ [: :] [:alpha:] { } {2} {,2} \
        {1, {1001} ^ $ \ \d \W \b \B \A \z \Z \Q \E \pL \P{^Lu} \p{ \p \x \x{ \x{D800} \101 \1 \C && < > = !";
    let pieces: Vec<&str> = PIECES.split_whitespace().chain(["\n", " ", "\0"]).collect();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: usize| {
        // Xorshift: the same patterns in each run.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below
    };
    for _ in 0..10_000 {
        let length = 1 + random(8);
        let pattern: String = (0..length).map(|_| pieces[random(pieces.len())]).collect();
        if let Ok(parsed) = Pattern::parse(&pattern) {
            assert_eq!(stored(&pattern).is_match("ak é日0\n7"), parsed.is_match("ak é日0\n7"), "{pattern:?}");
        }
    }
}
