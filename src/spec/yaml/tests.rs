//! Documents, and the resulting trees or messages.

use super::*;

fn check(text: &str, expected: &str) {
    let found = match parse(text.as_bytes()) {
        Ok(node) => show(&node),
        Err(err) => err.to_string(),
    };
    assert_eq!(found, expected, "{text:?}");
}

fn show(node: &YamlNode) -> String {
    match &node.value {
        YamlValue::Null => "null".to_owned(),
        YamlValue::Text(text) => format!("{text:?}"),
        YamlValue::Ambiguous(text, what) => format!("{text}: {what}"),
        YamlValue::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", ")),
        YamlValue::Map(pairs) => {
            let pairs: Vec<_> =
                pairs.iter().map(|(key, value)| format!("{}: {}", show(key), show(value))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
    }
}

#[test]
fn plain_words_integers_and_unchanged_fractions_are_their_text() {
    for text in
        ["hello", "5.4.0-150-generic", "10", "-3", "0", "6.1", "0.5", "true", "false", "10de", "2001-01-01"]
    {
        check(text, &format!("{text:?}"));
    }
    check("18446744073709551615", "\"18446744073709551615\"");
    check("1:30", "\"1:30\"");
    check("e5", "\"e5\"");
    check("- <<", "[\"<<\"]");
}

#[test]
fn scalars_that_yaml_would_change_are_ambiguous() {
    for text in ["yes", "No", "y", "ON", "True", "FALSE"] {
        check(text, &format!("{text}: a boolean"));
    }
    for text in [
        "6.10",
        "5.0",
        "010",
        "+10",
        "0x10",
        "0o14",
        "0b11",
        "1_000",
        "1e3",
        "08",
        ".5",
        "5.",
        ".inf",
        "-.INF",
        ".nan",
        "3.141592653589793",
        "18446744073709551616",
        "1.0e+1",
        "1234567.5",
        "-07",
    ] {
        check(text, &format!("{text}: a number"));
    }
}

#[test]
fn quoted_and_block_scalars_are_their_text() {
    check("[\"6.10\", 'yes', !!str 010]", "[\"6.10\", \"yes\", \"010\"]");
    check("|\n  yes\n", "\"yes\\n\"");
}

#[test]
fn json_is_yaml_also_with_tabs() {
    check("{\n\t\"a\": [\"x\\/y\", 1, null, true]\r\n}\n", r#"{"a": ["x/y", "1", null, "true"]}"#);
}

#[test]
fn a_tab_may_stand_after_a_colon_or_a_dash() {
    check("a:\tb\nc: \t d\ne:\t\"f\"\n", r#"{"a": "b", "c": "d", "e": "f"}"#);
    check("a: 1\t# why\n", r#"{"a": "1"}"#);
    check("-\ta\n- b\n", r#"["a", "b"]"#);
    check("a:\t\n  b: c\n", r#"{"a": {"b": "c"}}"#);
    check("a:\t[b,\tc]\n", r#"{"a": ["b", "c"]}"#);
    check("a:\t|\n  x\n", r#"{"a": "x\n"}"#);
    check("a:\t&x b\nc:\t*x\n", r#"{"a": "b", "c": "b"}"#);
    // Places stay what they are, and too many tabs are an error, not a long wait.
    check(
        "a:\tb\na:\tc\n",
        "2:1: \"a\" stands here twice, first at 1:1; only one can count: remove the other",
    );
    let many = (0..20_000).map(|it| format!("k{it}:\tv\n")).collect::<String>();
    assert!(
        parse(many.as_bytes())
            .unwrap_err()
            .to_string()
            .contains("must be followed by a valid YAML whitespace")
    );
}

#[test]
fn merges_add_missing_keys() {
    check(
        "a: &a {op: In, x: 1}\nb: {<<: *a, x: 2}",
        r#"{"a": {"op": "In", "x": "1"}, "b": {"x": "2", "op": "In"}}"#,
    );
    check("<<: [{a: 1}, {a: 2, b: 3}]", r#"{"a": "1", "b": "3"}"#);
    check("<<: 1", "1:5: `<<` merges a mapping or a list of mappings; this is neither");
}

#[test]
fn an_empty_document_is_nothing() {
    for text in ["", "# a comment\n", "---\n", "~"] {
        check(text, "null");
    }
}

#[test]
fn what_no_spec_needs_is_refused_with_its_place() {
    check(
        "a: 1\nb: 2\na: 3",
        "3:1: \"a\" stands here twice, first at 1:1; only one can count: remove the other",
    );
    check(
        "a: 1\n---\nb: 2",
        "2:1: a second document starts here; a spec is one document: join or split them",
    );
    check(
        "%YAML 1.2\n---\na: 1",
        "1:1: a spec has no YAML directives, such as \"%YAML 1.2\"; remove the line",
    );
    check("a: !!int \"10\"", "1:4: a spec has no tags, such as \"!int\"; write the value in quotes");
    check("a: !x [1]", "1:4: a spec has no tags, such as \"!x\"; write the value in quotes");
    check("~: 1", "1:1: a key has to be text");
    check("[1]: 1", "1:1: a key has to be text");
    check("a: &a [*a]", "1:8: this alias is part of the value that it stands for");
    check("a: *nope", "1:4: this is not valid YAML: while parsing node, found unknown anchor");
    let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
    check(&deep, "1:34: values are nested deeper than 32 levels");
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    check(&text, "5:15: the document unfolds into more than 20000 values; use fewer aliases");
}

#[test]
fn bytes_that_are_no_text_or_too_many_are_refused() {
    let found = parse(b"a: 1\nb: \xff").map_err(|err| err.to_string());
    assert_eq!(found, Err("2:4: the document is not UTF-8 text".to_owned()));
    let large = vec![b' '; MAX_BYTES + 1];
    let message = "1:1: the document has 262145 bytes; a spec has at most 262144";
    assert_eq!(parse(&large).map_err(|err| err.to_string()), Err(message.to_owned()));
}

#[test]
fn a_long_text_behind_many_aliases_counts_as_many_values() {
    let aliases = vec!["*a"; 100].join(", ");
    let text = format!("a: &a {}\nb: [{aliases}]\n", "x".repeat(64_000));
    check(&text, "2:37: the document unfolds into more than 20000 values; use fewer aliases");
}

#[test]
fn no_directive_passes_wherever_it_stands() {
    let refused = |line: usize, directive: &str| {
        format!("{line}:1: a spec has no YAML directives, such as {directive:?}; remove the line")
    };
    check("%YAML 1.1\n---\na: b", r#"{"a": "b"}"#);
    check("\n  # c\n   \n%TAG ! tag:x,2000:\n---\na: b", &refused(4, "%TAG ! tag:x,2000:"));
    check("%YAML 1.1\r\n%YAML 1.2\r\n---\na: b", &refused(2, "%YAML 1.2"));
    check("a: b\n\"%x\": c", r#"{"a": "b", "%x": "c"}"#);
}
