//! Templates from source to variables. What Go answers was taken from Go's `text/template`, what NFD answers from NFD.

mod bounds;
mod refused;

use std::collections::BTreeMap;

use super::{Matched, Template, TemplateElement};

fn element(attributes: &[(&str, &str)]) -> TemplateElement {
    attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Attributes, flags, instances, and names that only `index` can reach.
fn matched() -> Matched {
    let features = [
        (
            "a",
            "attr",
            vec![
                element(&[("Name", "int"), ("Value", "10")]),
                element(&[("Name", "str"), ("Value", "hello")]),
            ],
        ),
        ("a", "none", vec![]),
        ("f", "flag", vec![element(&[("Name", "a")]), element(&[("Name", "b")])]),
        ("i", "inst", vec![element(&[("name", "x"), ("vendor", "10de")]), element(&[("name", "y")])]),
        ("nodot", "", vec![element(&[("Name", "out")])]),
        ("x", "y.z", vec![element(&[("Name", "out")])]),
    ];
    let mut matched = Matched::new();
    for (domain, feature, elements) in features {
        matched.entry(domain.to_owned()).or_default().insert(feature.to_owned(), elements);
    }
    matched
}

fn expand(template: &str) -> Result<BTreeMap<String, String>, String> {
    let template = Template::parse(template).unwrap_or_else(|err| panic!("{template:?}: {err}"));
    template.expand(&matched())
}

fn check(template: &str, expected: Result<&[(&str, &str)], &str>) {
    let expected = expected.map(element).map_err(str::to_owned);
    assert_eq!(expand(template), expected, "{template:?}");
}

/// What the template writes after `x=`, which must not have a line end.
fn writes(template: &str, value: &str) {
    check(&format!("x={template}"), Ok(&[("x", value)]));
}

fn fails(template: &str, message: &str) {
    check(template, Err(message));
}

fn refuses(template: &str, offset: usize, message: &str) {
    let err = Template::parse(template).map(|it| it.source().to_owned()).expect_err(template);
    assert_eq!((err.offset, err.message.as_str()), (offset, message), "{template:?}");
}

#[test]
fn templates_of_nfds_own_cases_make_the_same_variables() {
    check("out=ok", Ok(&[("out", "ok")]));
    check("   out=ok   \n\n  x=1", Ok(&[("out", "ok"), ("x", "1")]));
    check("out =ok", Ok(&[("out ", "ok")]));
    check("  \n", Ok(&[]));
    check("out=no\nout=ok", Ok(&[("out", "ok")]));
    check("{{range .a.attr}}{{.Name}}={{.Value}}\n{{end}}", Ok(&[("int", "10"), ("str", "hello")]));
    check("{{range .f.flag}}{{.Name}}=true\n{{end}}", Ok(&[("a", "true"), ("b", "true")]));
    check("n={{len .a.attr}}", Ok(&[("n", "2")]));
    check("n={{len .a.none}}", Ok(&[("n", "0")]));
    check("{{range .a.attr}}x=1\n{{end}}n={{len .a.attr}}", Ok(&[("n", "2"), ("x", "1")]));
    check("{{range (index .nodot \"\")}}{{.Name}}=ok\n{{end}}", Ok(&[("out", "ok")]));
    check("{{range (index . \"x\" \"y.z\")}}{{.Name}}=ok\n{{end}}", Ok(&[("out", "ok")]));
    check("out={{(.a.attr | first).Value}}", Ok(&[("out", "10")]));
    check("out=<&>\"", Ok(&[("out", "<&>\"")]));
}

#[test]
fn what_nfd_fails_on_is_an_error_here() {
    fails("out", "the template's line \"out\" has no \"=\", expected <name>=<value>");
    fails("# c\nout=ok", "the template's line \"# c\" has no \"=\", expected <name>=<value>");
    fails(
        "{{range .f.flag}}{{.Name}}={{.Value}}\n{{end}}",
        "\".Value\" at byte 29 of the template: the map has no such entry, only [\"Name\"]",
    );
    fails(
        "{{range .i.inst}}{{.name}}={{.extra}}\n{{end}}",
        "\".extra\" at byte 29 of the template: the map has no such entry, only [\"name\", \"vendor\"]",
    );
    fails(
        "{{range .a.zz}}x=1{{end}}",
        "\".zz\" at byte 10 of the template: the map has no such entry, only [\"attr\", \"none\"]",
    );
    fails(
        "out={{index .a.attr 99}}",
        "\"index\" at byte 6 of the template: the index 99 is out of range, the length is 2",
    );
    refuses("{{", 0, "the action is not closed, expected }}");
    refuses(
        "{{nofunc}}",
        2,
        "\"nofunc\" is not supported as a function, expected one of and, eq, first, ge, gt, index, last, le, len, lt, ne, not, or",
    );
    refuses(
        "{{if hasKey . \"f\"}}out=ok{{end}}",
        5,
        "\"hasKey\" is not supported as a function, expected one of and, eq, first, ge, gt, index, last, le, len, lt, ne, not, or",
    );
}

#[test]
fn lines_are_trimmed_and_split_at_the_first_equals_sign() {
    check("\u{a0}a = b=c \r\n\t\u{2003}\n=\n", Ok(&[("a ", " b=c"), ("", "")]));
    check("", Ok(&[]));
    fails(
        &"x".repeat(70),
        &format!("the template's line \"{}\"… has no \"=\", expected <name>=<value>", "x".repeat(60)),
    );
}

#[test]
fn trim_markers_take_the_space_around_an_action() {
    check("x= \n {{- 1 -}} \t\n y", Ok(&[("x", "1y")]));
    check("x={{1 -}} \r\n {{- 2}}", Ok(&[("x", "12")]));
    check("x={{-1}}", Ok(&[("x", "-1")]));
    check("x={{- -1\n-}}", Ok(&[("x", "-1")]));
    check("x=\u{a0}{{- 1}}", Ok(&[("x", "\u{a0}1")]));
}

#[test]
fn comments_write_nothing() {
    check("x={{/* }} {{ */}}1", Ok(&[("x", "1")]));
    check("x= {{- /* a\nb */ -}} 1", Ok(&[("x", "1")]));
}

#[test]
fn literals_are_those_of_go() {
    writes(r#"{{"a\tb\"\\\x41\101\u00e4\U0001F600 }}"}}"#, "a\tb\"\\AAä😀 }}");
    writes("{{`a\r\\\n`}}", "a\\");
    writes("{{+1}} {{-0}} {{-9223372036854775808}}", "1 0 -9223372036854775808");
    writes("{{true}} {{false}}", "true false");
}

#[test]
fn values_are_printed_as_go_prints_them() {
    writes("{{.f}}", "map[flag:[map[Name:a] map[Name:b]]]");
    writes("{{index .a.attr 0}}", "map[Name:int Value:10]");
    writes("{{.a.none}}{{index . \"zz\"}}{{first .a.none}}", "[]map[]<no value>");
}

#[test]
fn conditions_follow_gos_truth() {
    let cases = [
        ("true", "y"),
        ("false", "n"),
        ("0", "n"),
        ("-1", "y"),
        ("\"\"", "n"),
        ("\"false\"", "y"),
        (".a.none", "n"),
        (".a.attr", "y"),
        (".a", "y"),
        ("(index . \"zz\")", "n"),
        ("first .a.none", "n"),
        ("first .a.attr", "y"),
    ];
    for (condition, taken) in cases {
        writes(&format!("{{{{if {condition}}}}}y{{{{else}}}}n{{{{end}}}}"), taken);
    }
}

#[test]
fn the_first_true_arm_is_taken() {
    writes("{{if false}}a{{else if 1}}b{{else if .zz}}c{{else}}d{{end}}", "b");
    writes("{{if false}}a{{else if 0}}b{{end}}", "");
    writes("{{with first .a.attr}}{{.Name}}{{else}}none{{end}}", "int");
    writes("{{with first .a.none}}{{.Name}}{{else}}{{len .f.flag}}{{end}}", "2");
    writes("{{with .a.none}}a{{else with .f.flag}}{{len .}}{{end}}", "2");
}

#[test]
fn a_range_goes_over_lists_and_maps() {
    writes("{{range $i, $e := .f.flag}}{{$i}}{{$e.Name}} {{end}}", "0a 1b");
    writes("{{range $e := .f.flag}}{{$e.Name}}{{.Name}}{{end}}", "aabb");
    writes("{{range $k, $v := index .a.attr 0}}{{$k}}:{{$v}} {{end}}", "Name:int Value:10");
    writes("{{range $k, $v := .}}{{$k}}{{len $v}} {{end}}", "a2 f1 i1 nodot1 x1");
    writes("{{range .a}}{{len .}}{{end}}", "20");
    writes("{{range .a.none}}a{{else}}{{len .a}}{{end}}", "2");
    writes("{{range $k, $v := .a.none}}a{{else}}{{$k}}{{$v}}{{end}}", "[][]");
    writes("{{range first .a.none}}a{{else}}b{{end}}", "b");
    fails(
        "{{range 3}}a{{end}}",
        "\"range\" at byte 0 of the template: an integer has no items, expected a list or a map",
    );
}

#[test]
fn variables_live_until_their_block_ends() {
    writes("{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21");
    writes("{{$x := 1}}{{if true}}{{$x = 2}}{{$x}}{{end}}{{$x}}", "22");
    writes("{{$n := \"\"}}{{range .f.flag}}{{$n = .Name}}{{end}}{{$n}}", "b");
    writes("{{$x := 1}}{{$x := len $.a}}{{$x}}", "2");
    writes(
        "{{if $x := first .a.none}}a{{else if $y := first .a.attr}}{{$x}}{{$y.Name}}{{else}}{{$y}}{{end}}",
        "<no value>int",
    );
    writes("{{if $x := 0}}a{{else if $y := 0}}b{{else}}{{$x}}{{$y}}{{end}}", "00");
    writes("{{range .f.flag}}{{$x := .Name}}{{$x}}{{len $.f.flag}}{{end}}", "a2b2");
}

#[test]
fn a_pipe_passes_the_last_argument() {
    writes("{{.a.attr | len | eq 2}}", "true");
    writes("{{1 | lt 2}}{{lt 2 1}}{{lt 1 2}}", "falsefalsetrue");
    writes("{{0 | index .f.flag | len}}", "1");
    writes("{{(index .a.attr 1).Value | len}}{{len \"ä\"}}", "52");
}

#[test]
fn index_is_lenient_with_maps_and_strict_with_lists() {
    writes("{{index .a.attr 1 \"Value\"}}{{index .a.attr 1 \"zz\"}}", "hello");
    writes("{{len (index . \"zz\" \"zz\")}}{{index \"abc\" 1}}{{index 7}}", "0987");
    writes("{{(last .a.attr).Name}}", "str");
    let cases = [
        ("{{index .a.attr 2}}", "the index 2 is out of range, the length is 2"),
        ("{{index .a.attr -1}}", "the index -1 is out of range, the length is 2"),
        ("{{index \"a\" 1}}", "the index 1 is out of range, the length is 1"),
        ("{{index .a.attr \"0\"}}", "a list cannot be indexed by a text"),
        ("{{index .a 0}}", "a map cannot be indexed by an integer"),
        ("{{index 1 0}}", "an integer cannot be indexed by an integer"),
        ("{{first .a.none | index}}", "nothing (of an empty list) cannot be indexed"),
    ];
    for (template, message) in cases {
        let at = template.find("index").unwrap_or_default();
        fails(template, &format!("\"index\" at byte {at} of the template: {message}"));
    }
}

#[test]
fn and_and_or_stop_at_what_decides() {
    writes("{{and 1 0 .zz}} {{or 0 \"a\" .zz}} {{and 1 2}} {{or 0 false}}", "0 a 2 false");
    writes("{{\"z\" | or 0}} {{\"z\" | and 0}} {{and 7}} {{not .a.none}}", "z 0 7 true");
    fails(
        "{{index .a.attr 9 | and false}}",
        "\"index\" at byte 2 of the template: the index 9 is out of range, the length is 2",
    );
}

#[test]
fn comparisons_want_values_of_one_kind() {
    writes("{{eq 1 2 1}} {{ne \"a\" \"b\"}} {{eq true true}}", "true true true");
    writes("{{le 1 1}} {{ge \"b\" \"a\"}} {{gt \"10\" \"9\"}} {{lt -1 0}}", "true true false true");
    writes(
        "{{eq 1 1 \"a\"}} {{eq (first .a.none) \"a\"}} {{eq (first .a.none) (last .a.none)}}",
        "true false true",
    );
    let cases = [
        ("eq \"1\" 1", "a text and an integer cannot be compared"),
        ("eq .a.attr .a.none", "a list and a list cannot be compared"),
        ("lt true false", "a truth value and a truth value cannot be compared"),
        ("gt (first .a.none) 1", "nothing (of an empty list) and an integer cannot be compared"),
        ("le . .", "a map and a map cannot be compared"),
    ];
    for (call, message) in cases {
        fails(&format!("{{{{{call}}}}}"), &format!("{:?} at byte 2 of the template: {message}", &call[..2]));
    }
}

#[test]
fn values_without_fields_length_or_items_are_errors() {
    let cases = [
        ("{{.a.attr.Name}}", "\".Name\" at byte 9 of the template: a list has no fields"),
        (
            "{{(first .a.none).Name}}",
            "\".Name\" at byte 17 of the template: nothing (of an empty list) has no fields",
        ),
        ("{{(index . \"zz\").a}}", "\".a\" at byte 16 of the template: the map is empty"),
        ("{{len 1}}", "\"len\" at byte 2 of the template: an integer has no length"),
        ("{{first \"abc\"}}", "\"first\" at byte 2 of the template: expected a list, not a text"),
        ("{{last .a}}", "\"last\" at byte 2 of the template: expected a list, not a map"),
    ];
    for (template, message) in cases {
        fails(template, message);
    }
}

#[test]
fn a_template_is_stored_as_its_source() {
    let template = Template::parse("x={{len .a}}").unwrap();
    let json = serde_json::to_string(&template).unwrap();
    assert_eq!(json, r#""x={{len .a}}""#);
    assert_eq!(serde_json::from_str::<Template>(&json).unwrap(), template);
    let err = serde_json::from_str::<Template>(r#""x={{""#).unwrap_err().to_string();
    assert!(err.starts_with("byte 2 of the template: the action is not closed, expected }}"), "{err}");
}
