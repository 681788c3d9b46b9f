//! No template takes too much of anything, or makes the program panic.

use std::collections::BTreeMap;

use super::super::expand::{MAX_OUTPUT, MAX_WORK};
use super::super::pipeline::{MAX_DEPTH, MAX_VARIABLES};
use super::super::{MAX_SOURCE, Matched, Template, TemplateElement};
use super::{check, element, matched, refuses};

#[test]
fn a_template_has_at_most_64_kib() {
    let fits = format!("out=ok{}", " ".repeat(MAX_SOURCE - 6));
    check(&fits, Ok(&[("out", "ok")]));
    refuses(&format!("{fits} "), MAX_SOURCE, "the template has 65537 bytes, expected at most 65536");
}

#[test]
fn a_message_names_only_some_entries() {
    let names = ["1", "2", "3", "4", "5", "6"].map(|it| (it, ""));
    let matched =
        Matched::from([("d".to_owned(), BTreeMap::from([("f".to_owned(), vec![element(&names)])]))]);
    let template = Template::parse("{{(first .d.f).x}}").unwrap();
    let message = "\".x\" at byte 14 of the template: the map has no such entry, only [\"1\", \"2\", \"3\", \"4\", \"5\", …]";
    assert_eq!(template.expand(&matched), Err(message.to_owned()));
}

#[test]
fn output_and_work_are_bounded() {
    let mut matched = Matched::new();
    let elements: Vec<TemplateElement> =
        (0..2000).map(|it| element(&[("Name", &format!("CONFIG_{it:03}"))])).collect();
    matched.entry("k".to_owned()).or_default().insert("c".to_owned(), elements);
    let expand = |template: &str| Template::parse(template).unwrap().expand(&matched).map(|it| it.len());

    assert_eq!(expand("{{range .k.c}}{{if ne .Name \"CONFIG_7\"}}{{.Name}}=y\n{{end}}{{end}}"), Ok(2000));
    let wide = Err(format!("the template writes more than {MAX_OUTPUT} bytes"));
    assert_eq!(expand("{{range .k.c}}{{.Name}}={{.}}{{.}}\n{{end}}"), wide);
    let long = Err(format!("the template takes more than {MAX_WORK} steps"));
    assert_eq!(expand("{{range .k.c}}{{range $.k.c}}{{end}}{{end}}"), long);
    let text = "a".repeat(1000);
    assert_eq!(
        expand(&format!("{{{{range .k.c}}}}{{{{if eq `{text}` `{text}`}}}}{{{{end}}}}{{{{end}}}}")),
        long
    );
}

#[test]
fn nesting_is_bounded() {
    let blocks = |depth: usize| format!("{}x={}", "{{if true}}".repeat(depth), "{{end}}".repeat(depth));
    let parens = |depth: usize| format!("x={{{{{}1{}}}}}", "(".repeat(depth), ")".repeat(depth));
    let message = format!("blocks and parentheses lie more than {MAX_DEPTH} deep in each other");
    check(&blocks(MAX_DEPTH), Ok(&[("x", "")]));
    check(&parens(MAX_DEPTH), Ok(&[("x", "1")]));
    refuses(&blocks(MAX_DEPTH + 1), MAX_DEPTH * "{{if true}}".len(), &message);
    refuses(&parens(MAX_DEPTH + 1), "x={{".len() + MAX_DEPTH, &message);
    refuses(&"{{range .}}".repeat(5000), MAX_DEPTH * "{{range .}}".len(), &message);
    let stages = "| not ".repeat(10_000);
    check(&format!("x={{{{1 {stages}}}}}"), Ok(&[("x", "true")]));
    let arms = "{{else if 0}}".repeat(5000);
    check(&format!("{{{{if 0}}}}{arms}{{{{else}}}}x=1{{{{end}}}}"), Ok(&[("x", "1")]));
}

#[test]
fn variables_are_bounded() {
    let declare = "{{$x := 1}}";
    let fits = declare.repeat(MAX_VARIABLES);
    check(&format!("{fits}x={{{{$x}}}}"), Ok(&[("x", "1")]));
    refuses(
        &format!("{fits}{declare}"),
        fits.len() + 2,
        &format!("more than {MAX_VARIABLES} variables at once"),
    );
}

/// Marsaglia's xorshift: the same texts every time.
fn next(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 32) as usize
}

#[test]
fn no_text_makes_it_panic() {
    const WORDS: [&str; 64] = [
        "{{", "}}", "{{", "}}", "{{- ", " -}}", "{{-", "-}}", "{{/*", "*/}}", " ", " ", " ", "\n", "\t",
        "\r", ".", "$", "$x", "$y", ".a", ".f", ".attr", ".flag", ".none", ".Name", ".Value", "(", ")", "|",
        ",", ":=", "=", ":", "\"", "`", "\\", "'", "\"a\"", "0", "1", "-1", "9", "+", "true", "if ", "with ",
        "range ", "else", "{{else}}", "{{end}}", "{{end}}", "end", "len ", "first ", "index ", "eq ", "and ",
        "not ", "or ", "ä", "\u{a0}", "x=", "{{.}}",
    ];
    let matched = matched();
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let mut parsed = 0;
    for _ in 0..20_000 {
        let length = 1 + next(&mut state) % 12;
        let text: String = (0..length).map(|_| WORDS[next(&mut state) % WORDS.len()]).collect();
        match Template::parse(&text) {
            Ok(template) => {
                parsed += 1;
                let _either = template.expand(&matched);
            }
            Err(err) => assert!(text.is_char_boundary(err.offset), "{text:?}: {err}"),
        }
    }
    assert!(parsed > 1000, "only {parsed} of the texts are templates");
}
