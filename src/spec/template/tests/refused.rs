//! Errors of a template on every host, with their places.

use super::refuses;

#[test]
fn blocks_have_to_be_balanced() {
    refuses("a{{end}}", 1, "{{end}} closes nothing, expected {{if}}, {{with}} or {{range}} before it");
    refuses("{{else}}", 0, "{{else}} belongs to nothing, expected {{if}}, {{with}} or {{range}} before it");
    refuses("{{if 1}}{{range .}}{{end}}", 0, "this if is not closed, expected {{end}}");
    refuses("{{range .}}{{else}}", 0, "this range is not closed, expected {{end}}");
    refuses(
        "{{if 1}}{{else}}{{else}}{{end}}",
        16,
        "{{else}} after the last one of this if, expected {{end}}",
    );
    refuses("{{with 1}}{{else if 2}}{{end}}", 17, "unexpected \"if\", expected }}");
    refuses("{{range .}}{{else if 2}}{{end}}", 18, "unexpected \"if\", expected }}");
    refuses("{{if 1}}{{end 2}}", 14, "unexpected \"2\", expected }}");
}

#[test]
fn parts_of_go_that_are_not_supported_are_named() {
    for word in ["block", "break", "continue", "define", "template"] {
        let message = format!("{{{{{word}}}}} is not supported, expected if, with, range or a value");
        refuses(&format!("a{{{{ {word} \"x\" }}}}"), 1, &message);
    }
    let functions = "expected one of and, eq, first, ge, gt, index, last, le, len, lt, ne, not, or";
    for name in ["printf", "nil", "env", "if"] {
        let message = format!("{name:?} is not supported as a function, {functions}");
        refuses(&format!("{{{{. | {name} .}}}}"), 6, &message);
    }
    for number in ["1.5", "0x10", "010", "1_000", "1e3", ".5", "1i", "+", "12a"] {
        let message =
            format!("{number:?} is not supported as a number, expected a decimal integer, such as 10");
        refuses(&format!("{{{{{number}}}}}"), 2, &message);
    }
    refuses("{{9223372036854775808}}", 2, "\"9223372036854775808\" is beyond a 64-bit integer");
    refuses("{{'a'}}", 2, "unexpected \"'\", expected a value, a function or }}");
    refuses("{{range $x = .a}}{{end}}", 11, "range sets variables of its own, expected := instead of =");
    refuses(
        "{{($x := 1)}}",
        6,
        "a variable is set within parentheses, expected that at the start of an action only",
    );
}

#[test]
fn variables_have_to_be_declared() {
    refuses("{{$x}}", 2, "\"$x\" is not declared here, expected := before its use");
    refuses("{{$x = 1}}", 2, "\"$x\" is not declared here, expected := before its use");
    refuses("{{$x := $x}}", 8, "\"$x\" is not declared here, expected := before its use");
    refuses(
        "{{if 1}}{{$x := 1}}{{else}}{{$x}}{{end}}",
        29,
        "\"$x\" is not declared here, expected := before its use",
    );
    refuses("{{range $x := .}}{{end}}{{$x}}", 26, "\"$x\" is not declared here, expected := before its use");
    refuses("{{$ := 1}}", 2, "\"$\" cannot be set, expected a name after it, such as $x");
    refuses("{{$ = 1}}", 2, "\"$\" cannot be set, expected a name after it, such as $x");
    refuses("{{$x, $y := 1}}", 4, "two variables at once, expected them in range only");
}

#[test]
fn functions_want_the_right_number_of_arguments() {
    refuses("{{len}}", 2, "len is given 0, expected 1 argument");
    refuses("{{.a | len .b}}", 7, "len is given 2, expected 1 argument");
    refuses("{{eq 1}}", 2, "eq is given 1, expected 2 arguments or more");
    refuses("{{1 | gt}}", 6, "gt is given 1, expected 2 arguments");
    refuses("{{and}}", 2, "and is given 0, expected 1 argument or more");
    refuses("{{eq len .a 1}}", 5, "a call as an argument, expected it in parentheses: (len …)");
}

#[test]
fn pipelines_have_to_be_well_formed() {
    let missing = "a value is missing before }}";
    refuses("{{}}", 2, missing);
    refuses("{{if -}}{{end}}", 5, missing);
    refuses("{{$x := }}", 8, missing);
    refuses("{{. |}}", 4, "| passes a value on, expected a function after it");
    refuses("{{. | .a}}", 4, "| passes a value on, expected a function after it");
    refuses("{{.a 1}}", 5, "unexpected \"1\", expected | or }} after a value: only functions take arguments");
    refuses(
        "{{1 .a}}",
        4,
        "unexpected \".a\", expected | or }} after a value: only functions take arguments",
    );
    refuses(
        "{{.a. b}}",
        4,
        "unexpected \".\", expected | or }} after a value: only functions take arguments",
    );
    refuses("{{len(.a)}}", 5, "unexpected \"(\", expected a space before it");
    refuses("{{first.a}}", 7, "unexpected \".a\", expected a space before it");
    refuses("{{\"a\".b}}", 5, "\"\\\"a\\\"\" has no fields, expected a space or }}");
    refuses("{{. | eq ..a}}", 10, "\".\" has no fields, expected a space or }}");
    refuses("{{(.a}}", 2, "the parenthesis is not closed, expected )");
    refuses("{{.a)}}", 4, "unexpected \")\", expected }}");
    refuses("{{()}}", 3, "unexpected \")\", expected a value");
    refuses("{{:= 1}}", 2, "unexpected \":=\", expected a value");
}

#[test]
fn tokens_have_to_be_well_formed() {
    refuses("a {{ b\n", 2, "the action is not closed, expected }}");
    refuses("{{- /* a", 0, "the comment is not closed, expected */");
    refuses("{{/* a */ }}", 0, "a comment has to end in */}} or in */ -}}");
    refuses("{{/* a */-}}", 0, "a comment has to end in */}} or in */ -}}");
    refuses("{{/* a */  -}}", 0, "a comment has to end in */}} or in */ -}}");
    refuses("{{ /* a */}}", 3, "unexpected \"/\", expected a value, a function or }}");
    refuses("{{\"a}}", 6, "the string is not closed, expected \" before the line or the template ends");
    refuses("{{\"a\n\"}}", 4, "the string is not closed, expected \" before the line or the template ends");
    refuses("{{`a", 4, "the string is not closed, expected ` before the line or the template ends");
    let escape =
        r#"expected one of \a \b \f \n \r \t \v \\ \" or a character by number, such as \x3d or \u003d"#;
    refuses(r#"{{"a\'"}}"#, 4, &format!(r#"unknown escape "\\'", {escape}"#));
    for code in [r"\xff", r"\x4", r"\400", r"\08", r"\ud800", r"\U00110000", r"\u+041"] {
        refuses(
            &format!("{{{{\"{code}\"}}}}"),
            3,
            r"the escape names no character, expected such as \x3d, \075 or \u00e4",
        );
    }
    refuses("{{$x :}}", 6, "\":\" stands alone, expected :=");
    let name = "expected ASCII letters and digits; for other names use index, as in (index . \"a-b\")";
    refuses("{{.a-b}}", 4, &format!("'-' cannot stand in a name, {name}"));
    refuses("{{.ä}}", 3, &format!("'ä' cannot stand in a name, {name}"));
    refuses("{{$x=1}}", 4, &format!("'=' cannot stand in a name, {name}"));
}
