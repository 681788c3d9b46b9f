//! Names and patterns from two tables, and the properties that must hold between them.

use std::str::FromStr;

use super::*;

const HEX: &str = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

/// The rows of a table, as words.
fn rows(table: &str) -> Vec<Vec<String>> {
    let lines = table.lines().filter(|it| !it.starts_with('#'));
    lines.map(|it| it.split_whitespace().map(|it| it.replace("HEX", HEX)).collect()).collect()
}

/// Names, and what they mean.
fn names() -> Vec<(String, String)> {
    let row = |it: Vec<String>| <[String; 2]>::try_from(it).expect("two words").into();
    rows(include_str!("testdata/names.txt")).into_iter().map(row).collect()
}

fn reference(text: &str) -> Reference {
    text.parse().unwrap_or_else(|err| panic!("{err}"))
}

fn pattern(text: &str) -> ImagePattern {
    ImagePattern::parse(text).unwrap_or_else(|err| panic!("{text:?} {err}"))
}

fn called(name: &str) -> Image {
    Image { names: vec![name.to_owned()], digests: Vec::new() }
}

#[test]
fn a_name_is_filled_up_as_docker_does_and_is_read_as_the_same_when_it_is_printed() {
    for (name, expected) in names() {
        let found = reference(&name);
        assert_eq!(found.to_string(), expected, "{name}");
        assert_eq!(reference(&expected), found, "{name}");
        let repository = found.repository();
        assert_eq!(Repository::from_str(&repository.to_string()).as_ref(), Ok(repository), "{name}");
    }
}

#[test]
fn what_is_printed_is_read_as_the_same_whatever_it_was() {
    let pieces = [
        "a",
        "B",
        "localhost",
        "docker.io",
        "index.docker.io",
        "library",
        "x.y",
        "[::1]",
        "/",
        "/",
        "/",
        ":",
        ":",
        ".",
        "_",
        "__",
        "-",
        "1",
        "5000",
        "@sha256:",
        HEX,
        "latest",
    ];
    let (mut state, mut count) = (1_u64, 0);
    for _ in 0..50_000 {
        let mut text = String::new();
        for _ in 0..state % 9 + 1 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(pieces[usize::try_from(state >> 33).expect("31 bits") % pieces.len()]);
        }
        let Ok(found) = text.parse::<Reference>() else { continue };
        count += 1;
        assert_eq!(found.to_string().parse().as_ref(), Ok(&found), "{text}");
        let as_pattern = pattern(&found.to_string());
        assert!(as_pattern.matches(&called(&text)), "{text}");
    }
    assert!(count > 1_000, "{count}");
}

#[test]
fn a_name_as_a_pattern_is_that_image_and_no_other() {
    let names = names();
    for (name, _) in &names {
        let wanted = reference(name);
        let (by_name, by_repository) = (pattern(name), pattern(&wanted.repository().to_string()));
        assert!(by_repository.is_repository(), "{name}");
        for (other, whole) in &names {
            let found = reference(other);
            let is_of = wanted.repository().as_host() == found.repository().as_host();
            assert_eq!(by_repository.matches(&called(other)), is_of, "{name} {other}");
            assert_eq!(by_repository.matches(&called(whole)), is_of, "{name} {whole}");
            // A pattern without a tag is for all of them.
            let has_tag = Spelled::of(name).tag.is_none_or(|it| found.tag() == Some(it));
            let has_digest = wanted.digest().is_none_or(|it| found.digest() == Some(it));
            assert_eq!(by_name.matches(&called(other)), is_of && has_tag && has_digest, "{name} {other}");
        }
    }
}

#[test]
fn a_pattern_is_for_the_images_of_the_table() {
    for row in rows(include_str!("testdata/patterns.txt")) {
        let [text, name, expected] = row.try_into().expect("three words");
        assert_eq!(pattern(&text).matches(&called(&name)), expected == "yes", "{text} {name}");
    }
}

#[test]
fn digests_of_an_image_count_whatever_its_name() {
    let check = |text: &str, names: &[&str], expected: bool| {
        let names = names.iter().map(|it| (*it).to_owned()).collect();
        let image = Image { names, digests: vec![Digest::from_hex(HEX).expect("digits")] };
        assert_eq!(pattern(text).matches(&image), expected, "{text}");
    };
    let other = "0".repeat(64);
    check(&format!("sha256:{HEX}"), &[], true);
    check(&format!("sha256:{other}"), &["acme/upf:1"], false);
    check(&format!("docker.io/acme/upf@sha256:{HEX}"), &["acme/upf:1"], true);
    check(&format!("docker.io/acme/upf@sha256:{other}"), &["acme/upf:1"], false);
    check(&format!("docker.io/acme/upf:2@sha256:{HEX}"), &["acme/upf:1"], false);
    check("docker.io/acme/upf", &[], false);
    check("docker.io/acme/upf", &["quay.io/x:1", "docker.io/acme/upf:1"], true);
    check("*", &[], true);
}

#[test]
fn what_is_no_pattern_is_reported() {
    let check = |text: &str, expected: &str| {
        assert_eq!(ImagePattern::parse(text), Err(expected.to_owned()), "{text:?}");
    };
    for text in ["", "docker.io//upf", "docker.io/", "/upf", "acme/upf/", ":1", "@sha256:1", "*/"] {
        check(text, "is no image name: a part of it is empty");
    }
    check("acme/upf[12]", "has '[', which no image name has");
    check("[::1]:5000/a[1]", "has '[', which no image name has");
    check("acme/upf 1", "has ' ', which no image name has");
    check("https://quay.io/upf", "is a URL: leave out \"https://\"");
    check("sha256:12", "is no digest: sha256: and 64 lower-case hex digits");
    let digest = "acme/upf@sha256:1";
    check(digest, "ends with \"sha256:1\", which is no digest: sha256: and 64 lower-case hex digits");
}

#[test]
fn a_pattern_that_can_match_nothing_is_doubted() {
    let check = |text: &str, expected: &str| {
        assert_eq!(pattern(text).doubt().unwrap_or_default(), expected, "{text:?}");
    };
    let upper =
        |it: &str| format!("can match nothing: {it:?} has upper-case letters, which a repository never has");
    check("quay.io/Acme/upf", &upper("Acme/upf"));
    check("quay.io/Acme/*", &upper("Acme/*"));
    check("Nginx", &upper("Nginx"));
    check("*UPF", &upper("*UPF"));
    check("quay.io/_x/*", "can match nothing: \"_x\" is no part of a repository's name");
    check(
        "acme/..",
        "can match nothing: \"acme/..\" is no name of a repository: parts of a-z, 0-9, '.', '_' and '-', separated by '/'",
    );
    check("quay_io.example/upf", "can match nothing: \"quay_io.example\" is no name of a host");
    check("quay.io:99999/*", "can match nothing: \"quay.io:99999\" has a port other than 1 to 65535");
    check("[::g]/*", "can match nothing: \"[::g]\" is no address in brackets, such as [::1]:5000");
    for tag in ["", ".1", "-x"] {
        let what = "is no tag: up to 128 of a-z, A-Z, 0-9, '_', '.' and '-', neither '.' nor '-' first";
        check(&format!("acme/upf:{tag}"), &format!("can match nothing: {tag:?} {what}"));
    }
    let id = ": name an image by sha256: and all digits of its ID, or of its manifest's digest";
    check("43fb6e399d5a", &format!("is read as docker.io/library/43fb6e399d5a{id}"));
    check(HEX, &format!("is read as docker.io/library/{HEX}{id}"));
    check("quay.io", "is read as docker.io/library/quay.io: for all of a registry write quay.io/*");
    check(
        "localhost:5000",
        "is read as docker.io/library/localhost: for all of a registry write localhost:5000/*",
    );
    for text in
        ["*", "nginx", "nginx:1", "node:18.04", "quay.io/*", "Local/upf", "[::1]:5000/*", "*:1.*", "*/-*"]
    {
        check(text, "");
    }
}
