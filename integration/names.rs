//! A type's name stands for one thing in all of `src`, so that a reader finds it without its path.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// What declares a type.
const KEYWORDS: [&str; 5] = ["struct", "enum", "union", "trait", "type"];

#[test]
fn no_two_types_have_the_same_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let mut places: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut twice = BTreeSet::new();
    for path in files {
        let text = fs::read_to_string(&path).expect("a source file");
        let file = path.strip_prefix(&root).expect("a path below").display().to_string();
        for name in types(&text) {
            let known = places.entry(name.clone()).or_default();
            if !known.insert(file.clone()) || known.len() > 1 {
                twice.insert(name);
            }
        }
    }
    let found: Vec<_> = twice.iter().map(|name| format!("{name} in {:?}", places[name])).collect();
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn every_declaration_of_a_type_is_found() {
    let check = |text: &str, expected: &[&str]| assert_eq!(types(text), expected, "{text}");
    check(
        "pub(super) struct A<'a>(&'a str); enum B { C } union D { e: u8 } pub trait F {} type G = A;",
        &["A", "B", "D", "F", "G"],
    );
    check("mod tests { struct A; fn f() { struct B { c: u8 } } }", &["A", "B"]);
    check("impl Visitor for A { type Value = B; fn f() { type C = u8; struct D; } }", &["C", "D"]);
    check("trait A { type B; fn f() -> impl Iterator<Item = u8> { type C = u8; } }", &["A", "C"]);
    check("fn f() -> impl Fn() { type A = u8; }", &["A"]);
    check("impl<T> A for [T; { 1 }] where T: B { type C = T; } type D = u8;", &["D"]);
    check("// struct A;\nfn f() { g(\"struct B;\"); let r#type = 1; }", &[]);
    check("macro_rules! m { ($name:ident) => { struct $name; } }", &[]);
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
}

/// The types that a text declares, without those that belong to a trait.
fn types(text: &str) -> Vec<String> {
    let tokens: TokenStream = text.parse().expect("Rust");
    let mut names = Vec::new();
    scan(tokens, false, &mut names);
    names
}

/// `is_inside` says whether these are the items of a trait or of an `impl`.
fn scan(tokens: TokenStream, is_inside: bool, names: &mut Vec<String>) {
    let mut tokens = tokens.into_iter().peekable();
    // Whether the next braces hold the items of a trait or of an `impl`.
    let mut is_next = false;
    let mut is_item = true;
    while let Some(token) = tokens.next() {
        match &token {
            TokenTree::Group(group) => {
                let is_body = group.delimiter() == Delimiter::Brace;
                scan(group.stream(), is_body && is_next, names);
                is_next &= !is_body;
                is_item = is_body || group.delimiter() == Delimiter::Bracket;
                continue;
            }
            TokenTree::Ident(word) => {
                let word = word.to_string();
                if KEYWORDS.contains(&word.as_str())
                    && !(is_inside && word == "type")
                    && let Some(TokenTree::Ident(name)) = tokens.peek()
                {
                    names.push(name.to_string());
                }
                is_next |= word == "trait" || word == "impl" && is_item;
                is_item = word == "pub" || word == "unsafe";
                continue;
            }
            TokenTree::Punct(mark) => is_item = mark.as_char() == ';',
            TokenTree::Literal(_) => is_item = false,
        }
    }
}
