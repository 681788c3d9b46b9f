//! Who may name whom: the modules of the library stand in the order in which data flows, and name only what stands
//! before them. A folder is one module.

use std::collections::BTreeSet;
use std::fs;
use std::iter::Peekable;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree, token_stream};

/// Each module and all that it may name, in the order in which data flows.
const LAYERS: Layers = &[
    ("version", &[]),
    ("moment", &[]),
    ("glob", &[]),
    ("digest", &[]),
    ("image", &["digest", "glob"]),
    ("file", &[]),
    ("signals", &[]),
    ("input", &["file"]),
    ("artifact", &["file", "moment", "digest"]),
    ("registry", &["image", "file", "artifact"]),
    ("trust", &["artifact"]),
    ("attach", &["image", "file", "artifact", "registry"]),
    ("identity", &["image", "file", "input", "artifact"]),
    ("spec", &["version"]),
    ("host", &["version", "moment", "file"]),
    ("eval", &["version", "spec", "host"]),
    ("verdict", &["eval"]),
    ("policy", &["glob", "image", "file", "input", "moment", "spec", "verdict"]),
    ("pull", &["image", "moment", "file", "artifact", "registry", "trust", "attach", "spec", "policy"]),
    ("report", &["spec", "eval", "verdict"]),
    ("check", &["spec", "host", "eval", "report"]),
    ("waive", &["glob", "image", "moment", "spec", "eval", "policy", "report"]),
    (
        "requirements",
        &["image", "file", "input", "artifact", "identity", "spec", "host", "policy", "report", "check"],
    ),
    ("reports", &["file", "input", "report"]),
    ("records", &["moment", "file", "report"]),
    ("history", &["glob", "image", "moment", "file", "report", "records"]),
    ("lint", &["spec", "host"]),
    ("convert", &["spec"]),
    ("inspect", &["glob", "image", "file", "moment", "spec", "eval", "policy", "report", "requirements"]),
    ("engines", &["host"]),
    ("install", &["file", "engines"]),
    ("placement", &["host", "engines", "install"]),
    (
        "status",
        &[
            "version",
            "image",
            "file",
            "moment",
            "artifact",
            "identity",
            "host",
            "policy",
            "report",
            "requirements",
            "history",
            "engines",
            "install",
            "placement",
        ],
    ),
    (
        "gate",
        &[
            "moment",
            "image",
            "file",
            "host",
            "input",
            "policy",
            "records",
            "report",
            "reports",
            "requirements",
            "signals",
            "check",
            "verdict",
            "waive",
        ],
    ),
    ("wrapper", &["version", "moment", "file", "gate", "input", "policy", "signals"]),
    ("crun", &["file"]),
    ("hook", &["version", "file", "crun", "gate", "input", "policy", "report", "signals", "verdict"]),
];

#[test]
fn every_module_names_only_what_stands_before_it() {
    let source = source();
    let sources = LAYERS.iter().flat_map(|(module, _)| files(&source, module));
    let wrong: Vec<_> = sources
        .flat_map(|path| {
            let text = fs::read_to_string(&path).expect("a source file");
            let path = path.strip_prefix(&source).expect("a path below").to_owned();
            foreign(&path, &text, LAYERS)
        })
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_module_has_a_layer() {
    let text = fs::read_to_string(source().join("lib.rs")).expect("src/lib.rs");
    let modules = text.lines().filter_map(|it| it.strip_prefix("pub mod ")?.strip_suffix(';'));
    let known: BTreeSet<_> = LAYERS.iter().map(|(module, _)| *module).collect();
    let unlisted: Vec<_> = modules.filter(|it| !known.contains(it)).collect();
    assert_eq!(unlisted, Vec::<&str>::new());
}

#[test]
fn a_layer_allows_only_names_that_stand_before_it() {
    assert_eq!(disorder(LAYERS), Vec::<String>::new());
    assert_eq!(
        disorder(&[("low", &["high"]), ("high", &["low"])]),
        ["low is allowed to name high, which does not stand before it"]
    );
    assert_eq!(
        disorder(&[("low", &["low"])]),
        ["low is allowed to name low, which does not stand before it"]
    );
    assert_eq!(
        disorder(&[("low", &["gone"])]),
        ["low is allowed to name gone, which does not stand before it"]
    );
}

/// Whatever way a path is written in, a module that is not allowed is found in it.
#[test]
fn every_way_of_naming_a_module_is_seen() {
    let layers: Layers = &[("low", &[]), ("middle", &["low"]), ("high", &["low", "middle"])];
    let check = |path: &str, text: &str, expected: &[&str]| {
        assert_eq!(foreign(Path::new(path), text, layers), expected, "{path}: {text}");
    };
    let high = ["middle.rs names high"];
    let check_middle = |text: &str| check("middle.rs", text, &high);
    check_middle("use crate::high;");
    check_middle("use crate::high::Thing as low;");
    check_middle("use crate::{low, high::{self, Thing}};");
    check_middle("use crate::{low::{a, b}, high};");
    check_middle("use crate :: /* a remark */ high :: Thing;");
    check_middle("use super::high;");
    check_middle("use super::{low, high};");
    check_middle("use {std::fs, crate::{high}};");
    check_middle("fn f() { crate::high::g() }");
    check_middle("fn f() { assert_eq!(1, crate::high::g()) }");
    check_middle("pub(in crate::high) struct A;");
    check_middle("mod tests { use super::super::high; }");
    check_middle("mod tests { mod more { fn f() { super::super::super::high::g() } } }");
    check("middle/part.rs", "use super::super::high;", &["middle/part.rs names high"]);
    check("middle/part/mod.rs", "use super::super::{low, high};", &["middle/part/mod.rs names high"]);
    check("middle/mod.rs", "use super::high;", &["middle/mod.rs names high"]);
    // Names that hide others behind them.
    check("middle.rs", "use crate::*;", &["middle.rs names *"]);
    check("middle.rs", "use crate as root;", &["middle.rs names crate without a module"]);
    check("middle.rs", "use super::{self as root};", &["middle.rs names self"]);
}

#[test]
fn what_a_module_may_name_is_no_fault() {
    let layers: Layers = &[("low", &[]), ("middle", &["low"]), ("high", &["low", "middle"])];
    let check = |path: &str, text: &str| {
        assert_eq!(foreign(Path::new(path), text, layers), Vec::<String>::new(), "{path}: {text}");
    };
    check("middle.rs", "use crate::low::{self, high}; use crate::middle::part;");
    check("middle/part.rs", "use super::high; pub(super) fn f() { crate::low::high() }");
    check("middle.rs", "// crate::high\nfn f() -> &'static str { \"crate::high\" }");
    check("middle.rs", "mod tests { use super::*; use super::high; }");
    check("middle.rs", "pub(crate) struct A; use crate::testing::FakeHost;");
    check("middle.rs", "macro_rules! m { () => { $crate::low::f() } }");
}

type Layers = &'static [(&'static str, &'static [&'static str])];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// What the layers allow against their own order.
fn disorder(layers: Layers) -> Vec<String> {
    let mut before = BTreeSet::new();
    let mut wrong = Vec::new();
    for (module, allowed) in layers.iter().copied() {
        let late = allowed.iter().filter(|it| !before.contains(*it));
        wrong.extend(
            late.map(|it| format!("{module} is allowed to name {it}, which does not stand before it")),
        );
        before.insert(module);
    }
    wrong
}

/// What the text of a file names that its module may not name. `path` is below `src`.
fn foreign(path: &Path, text: &str, layers: Layers) -> Vec<String> {
    let file = path.display();
    let tokens: TokenStream = text.parse().unwrap_or_else(|err| panic!("{file}: {err}"));
    let mut scan = Scan { depth: depth(path), named: BTreeSet::new() };
    scan.stream(tokens);
    let module = path.iter().next().and_then(|it| it.to_str()).expect("a path").trim_end_matches(".rs");
    let allowed = layers.iter().find(|(it, _)| *it == module).map_or(&[][..], |(_, allowed)| allowed);
    let named = scan.named.into_iter().filter(|it| it != module && !allowed.contains(&it.as_str()));
    // There for unit tests only.
    named.filter(|it| it != "testing").map(|it| format!("{file} names {it}")).collect()
}

/// How many modules deep a file is: 1 for `host.rs` and `host/mod.rs`, 2 for `host/root.rs`.
fn depth(path: &Path) -> usize {
    path.iter().count() - usize::from(path.ends_with("mod.rs"))
}

/// The top-level modules that a text names.
struct Scan {
    /// How many modules deep the text is at this point.
    depth: usize,
    named: BTreeSet<String>,
}

type Tokens = Peekable<token_stream::IntoIter>;

impl Scan {
    fn stream(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Group(group) => self.stream(group.stream()),
                TokenTree::Ident(word) if word == "crate" => self.after_root(&mut tokens),
                TokenTree::Ident(word) if word == "super" => self.after_super(&mut tokens),
                TokenTree::Ident(word) if word == "mod" => self.inline(&mut tokens),
                TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }

    /// `mod name { ... }` is one module deeper.
    fn inline(&mut self, tokens: &mut Tokens) {
        tokens.next();
        if let Some(TokenTree::Group(group)) = tokens.next_if(|it| matches!(it, TokenTree::Group(_))) {
            self.depth += 1;
            self.stream(group.stream());
            self.depth -= 1;
        }
    }

    fn after_super(&mut self, tokens: &mut Tokens) {
        let mut above = 1;
        while separator(tokens) {
            match tokens.next_if(|it| matches!(it, TokenTree::Ident(word) if word == "super")) {
                Some(_) => above += 1,
                None if above == self.depth => return self.first_of_path(tokens),
                None => return self.group(tokens),
            }
        }
    }

    /// `pub(crate)` names nothing.
    fn after_root(&mut self, tokens: &mut Tokens) {
        if separator(tokens) {
            self.first_of_path(tokens);
        } else if tokens.peek().is_some() {
            self.named.insert("crate without a module".to_owned());
        }
    }

    /// What stands behind the root of the crate.
    fn first_of_path(&mut self, tokens: &mut Tokens) {
        match tokens.next() {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                for first in firsts(group.stream()) {
                    self.named.insert(first);
                }
                self.stream(group.stream());
            }
            Some(token) => {
                self.named.insert(token.to_string());
            }
            None => {}
        }
    }

    /// A group behind a module that is not the root may hold further paths in its own braces only.
    fn group(&mut self, tokens: &mut Tokens) {
        if let Some(TokenTree::Group(group)) = tokens.next_if(|it| matches!(it, TokenTree::Group(_))) {
            self.stream(group.stream());
        }
    }
}

/// Takes `::`, if that comes next.
fn separator(tokens: &mut Tokens) -> bool {
    let is_colon = |it: &TokenTree| matches!(it, TokenTree::Punct(mark) if mark.as_char() == ':');
    tokens.next_if(is_colon).is_some() && tokens.next_if(is_colon).is_some()
}

/// The first word of each path in braces.
fn firsts(stream: TokenStream) -> Vec<String> {
    let mut firsts = Vec::new();
    let mut is_first = true;
    for token in stream {
        if std::mem::take(&mut is_first) {
            firsts.push(token.to_string());
        }
        is_first = matches!(&token, TokenTree::Punct(mark) if mark.as_char() == ',');
    }
    firsts
}

fn files(source: &Path, module: &str) -> Vec<PathBuf> {
    let single = source.join(format!("{module}.rs"));
    let mut found: Vec<_> = Some(single).into_iter().filter(|it| it.is_file()).collect();
    let mut folders: Vec<_> = Some(source.join(module)).into_iter().filter(|it| it.is_dir()).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|err| panic!("{}: {err}", folder.display())) {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.extend(Some(path).filter(|it| it.extension().is_some_and(|it| it == "rs"))),
            }
        }
    }
    assert_ne!(found, Vec::<PathBuf>::new(), "module {module} has no files");
    found
}
