use super::*;

const KEEP: Keep = Keep::Fields(&[
    ("a", Keep::Keys(&["x", "y.z"], "p/")),
    ("hooks", Keep::Mentions(&["gpu", "runtime"])),
    (
        "process",
        Keep::But(&[
            ("env", Keep::Starting(&["PATH=", "CUDA_"])),
            ("args", Keep::First(2)),
            ("cwd", Keep::Whole),
        ]),
    ),
    ("mounts", Keep::Whole),
]);

fn skim(text: &[u8]) -> Result<String, String> {
    let kept = object(text, KEEP, 1).map_err(|it| it.to_string())?;
    Ok(kept.map_or("none".to_owned(), |it| String::from_utf8(it.json).expect("text")))
}

fn check(text: &str, expected: Result<&str, &str>) {
    assert_eq!(skim(text.as_bytes()), expected.map(str::to_owned).map_err(str::to_owned), "{text}");
}

#[test]
fn what_is_needed_is_kept_and_nothing_else() {
    check("{}", Ok("{}"));
    check(" {\n}\t\r\n", Ok("{}"));
    check(
        r#"{"b": [{"a": {"x": 1}}, "\"}"], "a": {"w": "\\", "x": "1\"", "y.z": [1, {"q": null}]}, "n": -1.5e+3}"#,
        Ok(r#"{"a":{"x":"1\"","y.z":[1, {"q": null}]}}"#),
    );
    check(
        r#"{"process": {"env": ["{"], "user": {"uid": 0}}, "mounts": []}"#,
        Ok(r#"{"process":{"env":[],"user":{"uid": 0}},"mounts":[]}"#),
    );
    check(r#"{"a": null, "mounts": "x"}"#, Ok(r#"{"a":null,"mounts":"x"}"#));
    check(r#"{"\u0061": {"\u0079.z": "\u0061"}}"#, Ok(r#"{"a":{"y.z":"\u0061"}}"#));
    check(r#"{"a": {"X": 1, "Y.z": 2}}"#, Ok(r#"{"a":{}}"#));
}

#[test]
fn a_field_is_found_without_reading_the_others_again() {
    let kept =
        object(&br#"{"b": 1, "mounts": [{"a": 2}], "a": {"x": {"a": 3}}}"#[..], KEEP, 1).expect("JSON");
    let kept = kept.expect("an object");
    assert_eq!(kept.field("mounts"), br#"[{"a": 2}]"#);
    assert_eq!(kept.field("a"), br#"{"x":{"a": 3}}"#);
    assert_eq!(kept.field("process"), b"null");
}

#[test]
fn of_lists_what_is_wanted_is_kept() {
    let check_list = |name: &str, list: &str, expected: &str| {
        let text = format!("{{\"process\": {{\"{name}\": {list}, \"cwd\": \"/\"}}}}");
        check(&text, Ok(&format!("{{\"process\":{{\"{name}\":{expected},\"cwd\":\"/\"}}}}")));
    };
    check_list("args", r#"["a\"b" , "c", 5]"#, r#"["a\"b","c"]"#);
    check_list("args", r#"["a", 5, "c"]"#, r#"["a",null]"#);
    check_list("args", r#"[ ]"#, "[]");
    check_list("args", r#"[[1, "x"], "c"]"#, r#"[null,"c"]"#);
    check_list("args", r#""sh -c x""#, "false");
    check_list("args", "null", "false");
    check_list(
        "env",
        r#"["A=1", "PATH=/bin", "CUDA_VERSION=1", "CUDA", "PATHS=1", "HOME=/"]"#,
        r#"["PATH=/bin","CUDA_VERSION=1"]"#,
    );
    // However it is spelled, and however it starts.
    check_list(
        "env",
        r#"["P\u0041TH=/bin", "\u0041=1", {"PATH=": 1}, 7, "PAT"]"#,
        r#"["P\u0041TH=/bin","\u0041=1",null,null]"#,
    );
    let long = "x".repeat(MAX_ITEMS);
    check_list("env", &format!("[\"PATH={long}\", \"PATH=/bin\"]"), r#"[null,"PATH=/bin"]"#);
    check_list("args", &format!("[\"{long}\"]"), "[null]");
    check_list("args", &format!("[\"sh\", \"{}\"]", &long[..MAX_FURTHER]), "[\"sh\",null]");
    for list in ["[,]", "[\"a\" \"b\"]", "[\"a\",]", "[\"a\"}"] {
        let told = skim(format!("{{\"process\": {{\"args\": {list}}}}}").as_bytes());
        assert!(told.as_ref().is_err_and(|it| it.starts_with("it is not JSON: byte ")), "{list}: {told:?}");
    }
}

#[test]
fn a_field_that_runtimes_read_differently_is_none() {
    let one = |text: &str| {
        let kept = object(text.as_bytes(), KEEP, 1).expect("JSON").expect("an object");
        kept.one("args").map(|it| String::from_utf8_lossy(it).into_owned())
    };
    assert_eq!(one(r#"{"process": {"args": ["a"]}}"#).as_deref(), Some(r#"["a"]"#));
    assert_eq!(one(r#"{"process": {"cwd": "/"}}"#).as_deref(), Some("null"));
    assert_eq!(one(r#"{"process": []}"#).as_deref(), Some("null"));
    assert_eq!(one(r#"{"process": {"args": ["a"], "args": ["b"]}}"#), None);
    assert_eq!(one(r#"{"process": {"args": ["a"], "Args": ["b"]}}"#), None);
    assert_eq!(one(r#"{"process": {"ARGS": ["b"]}}"#).as_deref(), Some(""));
}

#[test]
fn words_are_found_in_what_is_passed_over() {
    let check_hooks = |hooks: &str, expected: &str| {
        check(&format!("{{\"hooks\": {hooks}}}"), Ok(&format!("{{\"hooks\":{expected}}}")));
    };
    check_hooks(r#"{"prestart": [{"path": "/bin/gpu-runtime"}]}"#, r#"["gpu","runtime"]"#);
    check_hooks(r#"{"prestart": [{"path": "/bin/runtim"}, {"path": "e"}]}"#, "[]");
    check_hooks("null", "[]");
    for length in CHUNK - 64..CHUNK {
        check_hooks(&format!("[\"{}runtime\"]", "x".repeat(length)), r#"["runtime"]"#);
    }
    check(r#"{"a": {"p/q": "1", "p/r": [2], "q": 3}}"#, Ok(r#"{"a":{"p/q":"1","p/r":[2]}}"#));
}

#[test]
fn what_runtimes_read_differently_is_an_error() {
    check(r#"{"a": {}, "a": {}}"#, Err("it has a twice"));
    check(r#"{"a": {"x": 1, "\u0078": 1}}"#, Err("it has x twice"));
    check(r#"{"A": {}}"#, Err("its key \"A\" is a to some runtimes and nothing to others"));
    check(
        "{\"proce\u{17f}\\u017f\": {}}",
        Err("its key \"proceſſ\" is process to some runtimes and nothing to others"),
    );
    check("{} {}", Err("something follows its JSON object"));
    check("{}x", Err("something follows its JSON object"));
    check(r#"{"b": 1, "b": 2}"#, Ok("{}"));
}

#[test]
fn what_is_no_json_is_reported_with_its_place() {
    check("", Ok("none"));
    check("[]", Ok("none"));
    check("\u{feff}{}", Ok("none"));
    check("{]", Err("it is not JSON: byte 2 is ']'"));
    check("{,}", Err("it is not JSON: byte 2 is ','"));
    check("{\"b\" 1}", Err("it is not JSON: byte 6 is '1'"));
    check("{\"b\": [1}}", Err("it is not JSON: byte 9 is '}'"));
    check("{\"b\": /* \" */ 1}", Err("it is not JSON: byte 7 is '/'"));
    check("{\"\\x\": 1}", Err("a key of it is no text"));
    for cut in
        ["{", "{\"", "{\"b", "{\"b\\", "{\"b\"", "{\"b\":", "{\"b\": \"x", "{\"b\": [", "{\"a\": {\"x\": 1"]
    {
        check(cut, Err("it is not JSON: it ends too early"));
    }
    let deep = |depth: usize| format!("{{\"b\": {}{}}}", "[".repeat(depth), "]".repeat(depth));
    check(&deep(10_000), Ok("{}"));
    check(&deep(10_001), Err("it is nested more than 10000 deep"));
}

#[test]
fn bytes_that_are_no_text_hinder_only_where_they_are_needed() {
    assert_eq!(skim(b"{\"\xff\": \"\xff\", \"mounts\": 1}"), Ok("{\"mounts\":1}".to_owned()));
    let kept = object(&b"{\"mounts\": \"\xff\"}"[..], KEEP, 1).expect("JSON");
    assert_eq!(kept.map(|it| it.json), Some(b"{\"mounts\":\"\xff\"}".to_vec()));
}

#[test]
fn size_counts_only_in_what_is_kept_and_in_all() {
    let long = "x".repeat(5 << 20);
    check(&format!("{{\"b\": \"{long}\", \"{long}\": 1, \"a\": {{\"{long}\": 1}}}}"), Ok("{\"a\":{}}"));
    let kept =
        "it has more than 4194304 bytes besides its other annotations, hooks, arguments and environment";
    check(&format!("{{\"mounts\": \"{long}\"}}"), Err(kept));
    let endless = std::io::repeat(b' ');
    let told = object(endless, KEEP, 1).map_err(|it| it.to_string());
    assert_eq!(told, Err("it is larger than 67108864 bytes".to_owned()));
}

/// However the stream comes, and wherever a chunk ends.
#[test]
fn what_is_kept_is_what_a_library_reads() {
    struct Drops<'a>(&'a [u8]);
    impl Read for Drops<'_> {
        fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
            self.0 = rest;
            room[0] = *first;
            Ok(1)
        }
    }
    let pad = "y".repeat(CHUNK - 20);
    for shift in 0..40 {
        let text = format!(
            "{{\"p\": \"{pad}{}\", \"a\": {{\"x\": \"\\\\\\\"\\u00e4\", \"w\": [true]}}, \"mounts\": [1, 2.5, \"\\n\"]}}",
            "z".repeat(shift)
        );
        let whole: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let read = |it: Option<SkimmedObject>| {
            serde_json::from_slice::<serde_json::Value>(&it.expect("an object").json).expect("JSON")
        };
        let expected = serde_json::json!({"a": {"x": whole["a"]["x"]}, "mounts": whole["mounts"]});
        assert_eq!(read(object(text.as_bytes(), KEEP, 1).expect("kept")), expected);
        assert_eq!(read(object(Drops(text.as_bytes()), KEEP, 1).expect("kept")), expected);
    }
}
