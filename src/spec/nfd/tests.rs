//! Documents with errors, and all messages about them.

use super::super::parse;

/// A document with this term, whose fields stand at column 7 from line 6 on.
fn term(fields: &str) -> String {
    let fields = fields.replace('\n', "\n      ");
    format!(
        "version: v1alpha1\ncompatibilities:\n- rules:\n  - name: r\n    matchFeatures:\n    - {fields}\n"
    )
}

/// A document with this expression, at 8:11, on element `a`.
fn expression(text: &str) -> String {
    term(&format!("feature: f.g\nmatchExpressions:\n  a: {text}"))
}

fn check(document: &str, expected: &[&str]) {
    let found: Vec<_> = match parse(document.as_bytes()) {
        Ok(_) => Vec::new(),
        Err(malformed) => malformed.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(found, expected, "{document}");
}

fn check_expression(text: &str, expected: &[&str]) {
    check(&expression(text), expected);
}

#[test]
fn what_is_no_spec_at_all_is_reported() {
    for text in ["", "# nothing\n", "---\n"] {
        let place = if text.starts_with('#') { "2:1" } else { "1:1" };
        let place = if text.starts_with('-') { "2:1" } else { place };
        check(text, &[&format!("{place}: the document is empty; a spec starts with `version: v1alpha1`")]);
    }
    check("[]", &["1:1: a spec is a list, but has to be a mapping with `version`, `compatibilities`"]);
    check("x", &["1:1: a spec is \"x\", but has to be a mapping with `version`, `compatibilities`"]);
    check(
        "{}",
        &[
            "1:1: a spec needs `version: v1alpha1`",
            "1:1: a spec needs `compatibilities`, the list of alternatives",
        ],
    );
    let large = format!("#{}", "x".repeat(256 << 10));
    check(&large, &["1:1: the document has 262145 bytes; a spec has at most 262144"]);
}

#[test]
fn only_one_version_is_known() {
    let spec = |version: &str| format!("version: {version}\ncompatibilities: []");
    check(&spec("v1alpha1"), &[]);
    check(&spec("v2"), &["1:10: version \"v2\" is not known; write v1alpha1 or oci-compat/v1"]);
    check(&spec("~"), &["1:10: `version` is nothing, but has to be text: write \"\" for none"]);
    check(&spec("[]"), &["1:10: `version` is a list, but has to be text"]);
    check(
        &spec("1.10"),
        &["1:10: YAML takes 1.10 for a number and may change its text; write \"1.10\" in quotes"],
    );
}

#[test]
fn unknown_fields_are_refused_at_every_level_and_the_likely_one_is_named() {
    check(
        "version: v1alpha1\ncompatibilitys: []\ncompatibilities: []",
        &["2:1: a spec has no field \"compatibilitys\"; did you mean `compatibilities`?"],
    );
    check(
        "version: v1alpha1\ncompatibilities: [{rules: [], wait: 1}]",
        &["2:31: a compatibility set has no field \"wait\"; it has `rules`, `weight`, `tag`, `description`"],
    );
    check(
        "version: v1alpha1\ncompatibilities: [{rules: [{matchFeature: []}]}]",
        &["2:29: a rule has no field \"matchFeature\"; did you mean `matchFeatures`?"],
    );
    check(
        &term("feature: f.g\nmatchExpression: {}"),
        &[
            "7:7: a term of `matchFeatures` has no field \"matchExpression\"; did you mean `matchExpressions`?",
        ],
    );
    check(
        "version: v1alpha1\ncompatibilities: [{rules: [{matchAny: [{feature: f.g}]}]}]",
        &["2:41: an alternative of `matchAny` has no field \"feature\"; it has `matchFeatures`"],
    );
    check_expression(
        "{op: In, values: [x]}",
        &[
            "8:12: In needs a `value` list with at least one value",
            "8:21: the expression for \"a\" has no field \"values\"; did you mean `value`?",
        ],
    );
    check(
        &term("feature: f.g\nmatchName: {op: Exists, y: 1}"),
        &["7:31: `matchName` has no field \"y\"; it has `op`, `value`, `type`"],
    );
}

#[test]
fn wrong_types_are_refused_with_what_was_found() {
    let set = |fields: &str| format!("version: v1alpha1\ncompatibilities: [{{{fields}}}]");
    check(
        "version: v1alpha1\ncompatibilities: {}",
        &["2:18: `compatibilities` is a mapping, but has to be a list of compatibility sets"],
    );
    check(
        "version: v1alpha1\ncompatibilities: [x]",
        &[
            "2:19: a compatibility set is \"x\", but has to be a mapping with `rules`, `weight`, `tag`, `description`",
        ],
    );
    check(&set("rules: x"), &["2:27: `rules` is \"x\", but has to be a list of rules"]);
    check(
        &set("rules: [], weight: heavy"),
        &["2:39: `weight` is \"heavy\", but has to be an integer in plain decimal digits, without quotes"],
    );
    check(
        &set("rules: [], weight: +1"),
        &["2:39: `weight` is \"+1\", but has to be an integer in plain decimal digits, without quotes"],
    );
    for quoted in ["\"10\"", "'10'", "!!str 10"] {
        check(
            &set(&format!("rules: [], weight: {quoted}")),
            &["2:39: `weight` is \"10\", but has to be an integer: write 10 without quotes"],
        );
    }
    check(
        &set("rules: [], weight: [1]"),
        &["2:39: `weight` is a list, but has to be an integer in plain decimal digits, without quotes"],
    );
    check(
        &set("rules: [], weight: 9223372036854775808"),
        &[
            "2:39: `weight` is \"9223372036854775808\", but has to be an integer in plain decimal digits, without quotes",
        ],
    );
    check(&set("rules: [], tag: [t]"), &["2:36: `tag` is a list, but has to be text"]);
    check(&set("rules: [], description: {}"), &["2:44: `description` is a mapping, but has to be text"]);
    check(
        &set("rules: [r]"),
        &[
            "2:28: a rule is \"r\", but has to be a mapping with `name`, `vars`, `varsTemplate`, `matchFeatures`, `matchAny`",
        ],
    );
    check(
        &set("rules: [{vars: [a]}]"),
        &["2:35: `vars` is a list, but has to be a mapping of names to text"],
    );
    check(&set("rules: [{vars: {a: [b]}}]"), &["2:39: a variable is a list, but has to be text"]);
    check(
        &set("rules: [{matchFeatures: {}}]"),
        &["2:44: `matchFeatures` is a mapping, but has to be a list of terms, each with `feature`"],
    );
    check(
        &set("rules: [{matchAny: {}}]"),
        &["2:39: `matchAny` is a mapping, but has to be a list of alternatives, each with `matchFeatures`"],
    );
    check(
        &term("feature: f.g\nmatchExpressions: [a]"),
        &["7:25: `matchExpressions` is a list, but has to be a mapping of element names to expressions"],
    );
    check_expression(
        "Exists",
        &["8:12: the expression for \"a\" is \"Exists\", but has to be a mapping with `op`, `value`, `type`"],
    );
    check_expression(
        "{op: In, value: x}",
        &["8:28: `value` is \"x\", but has to be a list, such as [\"5.10\"]"],
    );
    check_expression("{op: In, value: [[x]]}", &["8:29: a value is a list, but has to be text"]);
}

#[test]
fn nothing_where_something_is_needed_is_refused() {
    check(
        "version: v1alpha1\ncompatibilities:",
        &["2:16: `compatibilities` is nothing, but has to be a list of compatibility sets"],
    );
    check(
        "version: v1alpha1\ncompatibilities: [~]",
        &[
            "2:19: a compatibility set is nothing, but has to be a mapping with `rules`, `weight`, `tag`, `description`",
        ],
    );
    check(
        &term("feature: f.g\nmatchName: ~"),
        &["7:18: `matchName` is nothing, but has to be a mapping with `op`, `value`, `type`"],
    );
    check_expression(
        "~",
        &["8:12: the expression for \"a\" is nothing, but has to be a mapping with `op`, `value`, `type`"],
    );
    check_expression("{op: ~}", &["8:17: `op` is nothing, but has to be text: write \"\" for none"]);
    check_expression(
        "{op: In, value: ~}",
        &["8:28: `value` is nothing, but has to be a list, such as [\"5.10\"]"],
    );
    check_expression(
        "{op: In, value: [~]}",
        &["8:29: a value is nothing, but has to be text: write \"\" for none"],
    );
}

#[test]
fn missing_fields_are_named() {
    check(
        "version: v1alpha1\ncompatibilities: [{tag: t}]",
        &["2:19: a compatibility set needs `rules`, the list of what has to hold"],
    );
    check(
        &term("matchName: {op: Exists}"),
        &["6:7: a term needs `feature`, such as `feature: kernel.version`"],
    );
    check(
        &term("feature: \"\""),
        &["6:16: `feature` is \"\", but has to be a name such as `kernel.version`"],
    );
    check_expression(
        "{value: [x]}",
        &[
            "8:12: the expression for \"a\" needs `op`, one of In, NotIn, InRegexp, Exists, DoesNotExist, Gt, Ge, Lt, Le, \
           GtLt, GeLe, IsTrue, IsFalse",
        ],
    );
}

#[test]
fn unknown_operators_are_refused_and_the_likely_one_is_named() {
    check_expression("{op: Exist}", &["8:17: there is no op \"Exist\"; did you mean `Exists`?"]);
    check_expression("{op: in, value: [x]}", &["8:17: there is no op \"in\"; did you mean `In`?"]);
    check_expression(
        "{op: \"Nothing\", value: [x]}",
        &[
            "8:17: there is no op \"Nothing\"; it is one of In, NotIn, InRegexp, Exists, DoesNotExist, Gt, Ge, Lt, Le, GtLt, GeLe, \
           IsTrue, IsFalse",
        ],
    );
}

#[test]
fn every_operator_takes_as_many_values_as_it_needs() {
    for op in ["Exists", "DoesNotExist", "IsTrue", "IsFalse"] {
        check_expression(&format!("{{op: {op}}}"), &[]);
        check_expression(&format!("{{op: {op}, value: []}}"), &[]);
        let place = 12 + "{op: , value: ".len() + op.len();
        check_expression(
            &format!("{{op: {op}, value: [x, z]}}"),
            &[&format!("8:{place}: {op} takes no value, but has 2")],
        );
    }
    check_expression("{op: \"\"}", &[]);
    check_expression("{op: \"\", value: [x]}", &["8:28: the empty op takes no value, but has 1"]);
    for op in ["In", "NotIn", "InRegexp"] {
        let needs = format!("{op} needs a `value` list with at least one value");
        check_expression(&format!("{{op: {op}, value: [x, z]}}"), &[]);
        check_expression(&format!("{{op: {op}}}"), &[&format!("8:12: {needs}")]);
        let place = 12 + "{op: , value: ".len() + op.len();
        check_expression(&format!("{{op: {op}, value: []}}"), &[&format!("8:{place}: {needs}")]);
    }
    for (op, needed, good, bad) in [
        ("Gt", 1, "1", "1, 2"),
        ("Ge", 1, "1", ""),
        ("Lt", 1, "1", "1, 2"),
        ("Le", 1, "1", ""),
        ("GtLt", 2, "1, 3", "1"),
        ("GeLe", 2, "1, 2", "1, 2, 3"),
    ] {
        check_expression(&format!("{{op: {op}, value: [{good}]}}"), &[]);
        check_expression(&format!("{{op: {op}, value: [{good}], type: version}}"), &[]);
        let place = 12 + "{op: , value: ".len() + op.len();
        let found = if bad.is_empty() { 0 } else { bad.split(',').count() };
        let message = format!("8:{place}: {op} needs exactly {needed} in the `value` list, but has {found}");
        check_expression(&format!("{{op: {op}, value: [{bad}]}}"), &[&message]);
        check_expression(&format!("{{op: {op}, value: [{bad}], type: version}}"), &[&message]);
    }
}

#[test]
fn what_is_compared_has_to_be_an_integer_or_a_version() {
    check_expression(
        "{op: Gt, value: [5.4.0]}",
        &["8:29: \"5.4.0\" is not an integer; for versions add `type: version`"],
    );
    check_expression("{op: Gt, value: [five]}", &["8:29: \"five\" is not an integer"]);
    check_expression("{op: Gt, value: [\" 5\"]}", &["8:29: \" 5\" is not an integer"]);
    check_expression(
        "{op: Gt, value: [\"18446744073709551616\"]}",
        &["8:29: \"18446744073709551616\" is not an integer"],
    );
    check_expression(
        "{op: GeLe, value: [a, b]}",
        &["8:31: \"a\" is not an integer", "8:34: \"b\" is not an integer"],
    );
    check_expression(
        "{op: Ge, value: [V5], type: version}",
        &["8:29: \"V5\" is not a version, such as \"5.14\""],
    );
    check_expression(
        "{op: GtLt, value: [\"5\", 5.x], type: version}",
        &["8:36: \"5.x\" is not a version, such as \"5.14\""],
    );
    check_expression(
        "{op: Gt, value: [1], type: semver}",
        &["8:39: `type` is \"semver\", but has to be \"version\", or absent for integers"],
    );
}

#[test]
fn an_interval_has_to_hold_something() {
    check_expression(
        "{op: GtLt, value: [3, 1]}",
        &["8:30: nothing lies in the interval [\"3\", \"1\"]; the lower end comes first"],
    );
    check_expression(
        "{op: GeLe, value: [6, \"5.4\"], type: version}",
        &["8:30: nothing lies in the interval [\"6\", \"5.4\"]; the lower end comes first"],
    );
    check_expression(
        "{op: GtLt, value: [\"5.4\", 5.4.0], type: version}",
        &["8:30: nothing lies in the interval [\"5.4\", \"5.4.0\"]; the lower end comes first"],
    );
    check_expression(
        "{op: GeLe, value: [5, 5]}",
        &["8:30: GeLe needs a lower and a higher end; for one value write `op: In, value: [\"5\"]`"],
    );
    check_expression(
        "{op: GtLt, value: [5, 6]}",
        &["8:30: no integer lies between 5 and 6; GeLe includes the ends"],
    );
    check_expression("{op: GeLe, value: [\"5.4\", 5.4.0], type: version}", &[]);
    check_expression("{op: GtLt, value: [-9223372036854775808, 18446744073709551615]}", &[]);
    check_expression("{op: Ge, value: [\"250 32000 100 128\"]}", &[]);
    check_expression("{op: Ge, value: [\"250 x\"]}", &["8:29: \"x\" is not an integer"]);
}

#[test]
fn patterns_and_templates_have_to_be_well_formed() {
    check_expression(
        "{op: InRegexp, value: [ok, \"a(\"]}",
        &[
            "8:39: \"a(\" is not a regular expression: at byte 1: `(` is never closed: write `)` behind the group, or `\\(` for a parenthesis",
        ],
    );
    check(
        "version: v1alpha1\ncompatibilities:\n- rules:\n  - varsTemplate: |\n      a=1\n      {{ nope }}\n",
        &[
            "5:7: in the template, at 2:4: \"nope\" is not supported as a function, expected one of and, eq, first, ge, gt, \
           index, last, le, len, lt, ne, not, or",
        ],
    );
}

#[test]
fn scalars_that_yaml_would_change_have_to_be_quoted() {
    check_expression(
        "{op: In, value: [6.10, yes]}",
        &[
            "8:29: YAML takes 6.10 for a number and may change its text; write \"6.10\" in quotes",
            "8:35: YAML takes yes for a boolean and may change its text; write \"yes\" in quotes",
        ],
    );
    check(
        &term("feature: f.g\nmatchExpressions:\n  y: {op: Exists}"),
        &[
            "8:9: YAML takes y for a boolean and may change its text; write \"y\" in quotes (for PyYAML, which has none: write JSON, or quote all text)",
        ],
    );
    let digits = "1".repeat(100);
    check_expression(
        &format!("{{op: In, value: [{digits}]}}"),
        &[&format!(
            "8:29: YAML takes \"{}\"… for a number and may change its text; write it in quotes",
            "1".repeat(60)
        )],
    );
}

#[test]
fn a_key_counts_once() {
    check(
        &term("feature: f.g\nfeature: f.h"),
        &["7:7: \"feature\" stands here twice, first at 6:7; only one can count: remove the other"],
    );
}

#[test]
fn all_errors_are_reported_in_the_order_of_the_document() {
    let text = "version: v2\ncompatibilities:\n- rules:\n  - nam: x\n    matchFeatures:\n    - matchName: {op: Nope}\n    \
                - feature: a.b\n      matchExpressions:\n        c: {op: Gt, value: [x]}\n  weight: w\n";
    check(
        text,
        &[
            "1:10: version \"v2\" is not known; write v1alpha1 or oci-compat/v1",
            "4:5: a rule has no field \"nam\"; did you mean `name`?",
            "6:7: a term needs `feature`, such as `feature: kernel.version`",
            "6:23: there is no op \"Nope\"; it is one of In, NotIn, InRegexp, Exists, DoesNotExist, Gt, Ge, Lt, Le, GtLt, \
             GeLe, IsTrue, IsFalse, NotInRange, Enabled",
            "9:29: \"x\" is not an integer",
            "10:11: `weight` is \"w\", but has to be an integer in plain decimal digits, without quotes",
        ],
    );
    let said = parse(text.as_bytes()).map_err(|err| err.to_string());
    assert_eq!(
        said,
        Err("1:10: version \"v2\" is not known; write v1alpha1 or oci-compat/v1 (+5 more)".to_owned())
    );
}

#[test]
fn a_wanted_version_with_a_suffix_is_refused_because_it_would_be_ignored() {
    let way = "`version: oci-compat/v1` compares builds of a distribution by `type: release`";
    let check = |value: &str, suffix: &str, number: &str| {
        let column = 29;
        check_expression(
            &format!("{{op: Ge, value: [\"{value}\"], type: version}}"),
            &[&format!(
                "8:{column}: versions are compared by their numbers, so that \"{suffix}\" would be ignored: write \"{number}\"; {way}"
            )],
        );
    };
    check("6.8.0-41", "-41", "6.8.0");
    check("4.18.0-553.el8_10.x86_64", "-553.el8_10.x86_64", "4.18.0");
    check("v1.2.3-rc1", "-rc1", "v1.2.3");
    check("6.1.0+", "+", "6.1.0");
}

#[test]
fn comparisons_that_other_languages_spell_otherwise_are_named() {
    for (wrong, right) in [
        ("Gte", "Ge"),
        (">=", "Ge"),
        ("lte", "Le"),
        ("<=", "Le"),
        ("==", "In"),
        ("eq", "In"),
        ("!=", "NotIn"),
        ("regex", "InRegexp"),
    ] {
        check_expression(
            &format!("{{op: \"{wrong}\", value: [\"1\"]}}"),
            &[&format!("8:17: there is no op {wrong:?}; did you mean `{right}`?")],
        );
    }
}

#[test]
fn what_is_shown_to_people_only_needs_no_quotes() {
    check("version: v1alpha1\ncompatibilities: [{description: 1.10, rules: [{name: no}]}]", &[]);
    check(
        "version: v1alpha1\ncompatibilities: [{tag: no, rules: []}]",
        &["2:25: YAML takes no for a boolean and may change its text; write \"no\" in quotes"],
    );
}
