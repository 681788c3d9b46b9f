//! The compiled form of a spec: its rules as compact JSON, so that a hook parses no YAML. Written and read by this
//! program only; the store binds it to the digest of the document that it was made from.

use anyhow::Context;

use super::Spec;

/// To be raised whenever the rules or their JSON change: a compiled form of another number is not read.
pub const FORMAT: u32 = 4;

/// The compiled form of a spec.
///
/// # Errors
///
/// None that a spec can cause: they are those of the serializer.
pub fn encode(spec: &Spec) -> anyhow::Result<Vec<u8>> {
    serde_json::to_vec(spec).context("compiling a spec")
}

/// Reads a compiled form whose digest has been verified.
///
/// # Errors
///
/// If it is not the JSON of a spec. The caller compares its [`FORMAT`].
pub fn decode(bytes: &[u8]) -> anyhow::Result<Spec> {
    serde_json::from_slice(bytes).context("reading a compiled spec")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::parse;

    /// Every field, operator and kind of value of the language.
    const WHOLE: &str = include_str!("testdata/whole.yaml");

    const SMALL: &str = r#"
version: v1alpha1
compatibilities:
- tag: t
  weight: -1
  description: d
  rules:
  - name: r
    vars: {a: b}
    varsTemplate: "x=1"
    matchFeatures:
    - feature: f.g
      matchExpressions:
        any: {op: ""}
        in: {op: In, value: [a]}
        integer: {op: Gt, value: ["1"]}
        version: {op: GeLe, value: ["1", "2.5"], type: version}
        regexp: {op: InRegexp, value: ["^a"]}
      matchName: {op: Exists}
    matchAny: [{matchFeatures: [{feature: h.i}]}]
"#;

    const COMPILED: &str = r#"{"sets":[{"tag":"t","weight":-1,"description":"d","rules":[{"name":"r","vars":{"a":"b"},"vars_template":"x=1","match_features":[{"feature":"f.g","expressions":[["any",{"test":"Any","at":[14,9]}],["in",{"test":{"In":["a"]},"at":[15,9]}],["integer",{"test":{"Integer":{"Gt":1}},"at":[16,9]}],["version",{"test":{"Version":{"GeLe":["1","2.5"]}},"at":[17,9]}],["regexp",{"test":{"InRegexp":["^a"]},"at":[18,9]}]],"name":{"test":"Exists","at":[19,18]},"at":[12,7]}],"match_any":[[{"feature":"h.i","expressions":null,"name":null,"at":[20,33]}]],"at":[8,5]}],"at":[4,3]}]}"#;

    #[test]
    fn a_spec_with_everything_in_it_comes_back_as_it_was() {
        let spec = parse(WHOLE.as_bytes()).expect("a good spec");
        let back = decode(&encode(&spec).expect("the compiled form")).expect("the same spec");
        assert_eq!(back, spec);
    }

    #[test]
    fn a_spec_in_our_own_language_comes_back_as_it_was() {
        let spec = parse(include_bytes!("testdata/own.yaml")).expect("a good spec");
        let back = decode(&encode(&spec).expect("the compiled form")).expect("the same spec");
        assert_eq!(back, spec);
    }

    #[test]
    fn the_compiled_form_is_pinned() {
        let spec = parse(SMALL.as_bytes()).expect("a good spec");
        let text = String::from_utf8(encode(&spec).expect("the compiled form")).expect("text");
        assert_eq!(
            (FORMAT, text.as_str()),
            (4, COMPILED),
            "stores hold forms of the old kind: raise FORMAT together with this text"
        );
    }

    #[test]
    fn what_is_no_compiled_form_is_an_error() {
        let check = |bytes: &[u8], expected: &str| {
            let err = decode(bytes).expect_err("not a compiled form");
            assert_eq!(format!("{err:#}"), expected);
        };
        check(b"", "reading a compiled spec: EOF while parsing a value at line 1 column 0");
        check(b"{}", "reading a compiled spec: missing field `sets` at line 1 column 2");
    }
}
