//! The rooms of the library have an order, that of the data. A room uses only rooms before it, and a module of a room only
//! modules before it.

use std::collections::BTreeSet;
use std::fs;
use std::iter::Peekable;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree, token_stream};

/// A folder of `src`.
struct Room {
    name: &'static str,
    /// The rooms that it may name, in the order in which data flows.
    names: &'static [&'static str],
    /// Its modules: each may name those before it. The room's own name stands for all that is in none of the others.
    modules: &'static [&'static str],
}

/// A room, what it may name, and its modules, in the order in which data flows.
const ROOMS: &[Room] = &[
    room("words", &[], &["version", "moment", "glob", "phrases", "errno", "text"]),
    room("image", &["words"], &["digest", "image"]),
    room("os", &["words"], &["arguments", "file", "heap", "memory", "signals"]),
    room("store", &["words", "image", "os"], &["store"]),
    room("container", &["image", "os", "store"], &["input", "identity"]),
    room("program", &["os", "container"], &["program"]),
    room("spec", &["words"], &["spec"]),
    room("host", &["words", "os", "program"], &["host"]),
    room("eval", &["words", "spec", "host"], &["eval", "verdict"]),
    room("policy", &["words", "image", "os", "container", "spec", "eval"], &["policy"]),
    room(
        "outcome",
        &["words", "image", "os", "container", "spec", "eval", "policy"],
        &["report", "saved", "decisions", "history"],
    ),
    room("nvidia", &["words", "spec", "host"], &["nvidia"]),
    room(
        "decide",
        &[
            "words",
            "image",
            "os",
            "store",
            "container",
            "program",
            "spec",
            "host",
            "eval",
            "policy",
            "outcome",
            "nvidia",
        ],
        &["check", "waive", "named", "requirements", "pipeline", "gate"],
    ),
    room(
        "door",
        &["words", "os", "container", "eval", "policy", "outcome", "decide"],
        &["crun", "hook", "wrapper"],
    ),
    room(
        "author",
        &["words", "spec", "host", "eval", "outcome", "nvidia", "decide"],
        &["lint", "convert", "trial", "draft"],
    ),
    room(
        "supply",
        &["words", "image", "os", "store", "spec", "eval", "policy"],
        &["registry", "trust", "attach", "pull", "list", "show"],
    ),
    room(
        "setup",
        &[
            "words",
            "image",
            "os",
            "store",
            "container",
            "spec",
            "host",
            "eval",
            "policy",
            "outcome",
            "decide",
        ],
        &["engines", "install", "placement", "status", "config"],
    ),
    room(
        "scan",
        &[
            "words",
            "image",
            "os",
            "store",
            "container",
            "program",
            "spec",
            "host",
            "eval",
            "policy",
            "outcome",
            "nvidia",
            "decide",
            "supply",
        ],
        &["platform", "layers", "own", "remote", "select", "local", "table", "engines", "verifier"],
    ),
];

const fn room(name: &'static str, names: &'static [&'static str], modules: &'static [&'static str]) -> Room {
    Room { name, names, modules }
}

#[test]
fn every_module_names_only_what_stands_before_it() {
    let source = source();
    let sources = ROOMS.iter().flat_map(|room| files(&source, room.name));
    let wrong: Vec<_> = sources
        .flat_map(|path| {
            let text = fs::read_to_string(&path).expect("a source file");
            let path = path.strip_prefix(&source).expect("a path below").to_owned();
            foreign(&path, &text, ROOMS)
        })
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_module_has_a_place() {
    let rooms: Vec<_> = ROOMS.iter().map(|it| it.name).collect();
    assert_eq!(declared(&source().join("lib.rs")), rooms);
    for room in ROOMS.iter().filter(|it| !it.modules.contains(&it.name)) {
        let modules = declared(&source().join(room.name).join("mod.rs"));
        assert_eq!(modules, room.modules, "{}", room.name);
    }
    for (room, module) in ROOMS.iter().flat_map(|room| room.modules.iter().map(move |it| (room, it))) {
        let folder = source().join(room.name);
        let is_there = module == &room.name
            || folder.join(module).is_dir()
            || folder.join(format!("{module}.rs")).is_file();
        assert!(is_there, "{}::{module} is not there", room.name);
    }
}

#[test]
fn a_room_may_name_only_rooms_that_stand_before_it() {
    assert_eq!(disorder(ROOMS), Vec::<String>::new());
    assert_eq!(
        disorder(&[room("low", &["high"], &[]), room("high", &["low"], &[])]),
        ["low is allowed to name high, which does not stand before it"]
    );
    assert_eq!(
        disorder(&[room("low", &["low"], &[])]),
        ["low is allowed to name low, which does not stand before it"]
    );
    assert_eq!(
        disorder(&[room("low", &["gone"], &[])]),
        ["low is allowed to name gone, which does not stand before it"]
    );
}

/// Three rooms. The one in the middle has modules, and one has further files of its own.
const THREE: &[Room] = &[
    room("low", &[], &["first", "low", "last"]),
    room("middle", &["low"], &["early", "late"]),
    room("high", &["low", "middle"], &["high"]),
];

/// Whatever way a path is written in, a room that is not allowed is found in it.
#[test]
fn every_way_of_naming_a_room_is_seen() {
    let check = |path: &str, text: &str, expected: &[&str]| {
        assert_eq!(foreign(Path::new(path), text, THREE), expected, "{path}: {text}");
    };
    let late = ["middle/late.rs names high"];
    let check_late = |text: &str| check("middle/late.rs", text, &late);
    check_late("use crate::high;");
    check_late("use crate::high::Thing as low;");
    check_late("use crate::{low, high::{self, Thing}};");
    check_late("use crate::{low::{a, b}, high};");
    check_late("use crate :: /* a remark */ high :: Thing;");
    check_late("use super::super::high;");
    check_late("use super::super::{low, high};");
    check_late("use super::{super::{low, high}};");
    check_late("use {std::fs, crate::{high}};");
    check_late("fn f() { crate::high::g() }");
    check_late("fn f() { assert_eq!(1, crate::high::g()) }");
    check_late("pub(in crate::high) struct A;");
    check_late("mod tests { use super::super::super::high; }");
    check_late("mod tests { mod more { fn f() { super::super::super::super::high::g() } } }");
    check("middle/late/mod.rs", "use super::super::{low, high};", &["middle/late/mod.rs names high"]);
    check("middle/late/part.rs", "use super::super::super::high;", &["middle/late/part.rs names high"]);
    check("middle/mod.rs", "use super::high;", &["middle/mod.rs names high"]);
    // Names that hide others behind them.
    check("middle/late.rs", "use crate::*;", &["middle/late.rs names *"]);
    check("middle/late.rs", "use crate as root;", &["middle/late.rs names crate"]);
    check("middle/late.rs", "use super::super::{self as root};", &["middle/late.rs names crate"]);
}

/// The same for modules of the same room.
#[test]
fn every_way_of_naming_a_later_module_is_seen() {
    let check = |path: &str, text: &str, expected: &[&str]| {
        assert_eq!(foreign(Path::new(path), text, THREE), expected, "{path}: {text}");
    };
    let early = ["middle/early.rs names middle::late"];
    let check_early = |text: &str| check("middle/early.rs", text, &early);
    check_early("use crate::middle::late;");
    check_early("use crate::middle::late::Thing as early;");
    check_early("use crate::{low, middle::{late::{self, Thing}}};");
    check_early("use super::late;");
    check_early("use super::{late, early};");
    check_early("use self::super::late::{a, b};");
    check_early("fn f() { super::late::g() }");
    check_early("mod tests { use super::super::late; }");
    check("middle/early/mod.rs", "use super::late;", &["middle/early/mod.rs names middle::late"]);
    check("middle/early/part.rs", "use super::super::late;", &["middle/early/part.rs names middle::late"]);
    // Names that hide others behind them.
    check("middle/late.rs", "use super::*;", &["middle/late.rs names middle::*"]);
    check("middle/late.rs", "use crate::middle;", &["middle/late.rs names middle"]);
    check("middle/late.rs", "use super::{self as all};", &["middle/late.rs names middle"]);
    check("middle/mod.rs", "pub use early::Thing;", &["middle/mod.rs names middle::early"]);
    // What is in none of the modules of a room has a place of its own.
    check("low/first.rs", "use super::Thing;", &["low/first.rs names low::Thing"]);
    check("low/first.rs", "use super::part::Thing;", &["low/first.rs names low::part"]);
    check("low/mod.rs", "pub use last::Thing;", &["low/mod.rs names low::last"]);
    check("low/mod.rs", "pub use self::last::Thing;", &["low/mod.rs names low::last"]);
    check("low/part.rs", "use super::{Thing, last};", &["low/part.rs names low::last"]);
}

#[test]
fn what_a_module_may_name_is_no_fault() {
    let check = |path: &str, text: &str| {
        assert_eq!(foreign(Path::new(path), text, THREE), Vec::<String>::new(), "{path}: {text}");
    };
    check("middle/late.rs", "use crate::low::{self, high}; use crate::middle::late::part;");
    check("middle/late.rs", "use crate::middle::{early::{self, Thing}}; use super::early;");
    check("middle/late/part.rs", "use super::high; pub(super) fn f() { crate::low::high() }");
    check("middle/late.rs", "// crate::high\nfn f() -> &'static str { \"crate::high\" }");
    check("middle/late.rs", "mod tests { use super::*; use super::high; }");
    check("middle/late.rs", "pub(crate) struct A; use crate::testing::FakeHost;");
    check("middle/late.rs", "macro_rules! m { () => { $crate::low::f() } }");
    check("low/mod.rs", "pub mod first; pub mod last; pub use first::Thing; use part::Other;");
    check("low/mod.rs", "use first::last::Thing; use crate::low::first::last::Other; use std::last::More;");
    check("low/last.rs", "use super::{Thing, first, part::Other}; use crate::low;");
    check("high/part.rs", "use super::Thing; use super::other::Thing; use crate::high;");
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The public modules that a file declares.
fn declared(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_else(|err| panic!("{}: {err}", file.display()));
    text.lines().filter_map(|it| it.strip_prefix("pub mod ")?.strip_suffix(';')).map(String::from).collect()
}

/// What rooms may name against their own order.
fn disorder(rooms: &[Room]) -> Vec<String> {
    let mut before = BTreeSet::new();
    let mut wrong = Vec::new();
    for room in rooms {
        let late = room.names.iter().filter(|it| !before.contains(*it));
        wrong.extend(
            late.map(|it| format!("{} is allowed to name {it}, which does not stand before it", room.name)),
        );
        before.insert(room.name);
    }
    wrong
}

/// What the text of a file names that its module may not name. `path` is below `src`.
fn foreign(path: &Path, text: &str, rooms: &[Room]) -> Vec<String> {
    let file = path.display();
    let tokens: TokenStream = text.parse().unwrap_or_else(|err| panic!("{file}: {err}"));
    let at = modules(path);
    let room = rooms.iter().find(|it| at.first().is_some_and(|name| name == it.name)).expect("a room");
    let mut scan = Scan { room, at, named: BTreeSet::new() };
    let own = room.place(scan.at.get(1).map(String::as_str));
    scan.stream(tokens);
    let wrong = scan.named.iter().filter(|named| match &named[..] {
        [] => true,
        [name, rest @ ..] if name == room.name => {
            room.place(rest.first().map(String::as_str)).is_none_or(|place| own.is_none_or(|own| place > own))
        }
        // There for unit tests only.
        [name, ..] => name != "testing" && !room.names.contains(&name.as_str()),
    });
    let shown = |named: &Vec<String>| match &named[..] {
        [] => "crate".to_owned(),
        [name, ..] if name != room.name => name.clone(),
        inside => inside.join("::"),
    };
    let wrong: BTreeSet<_> = wrong.map(shown).collect();
    wrong.into_iter().map(|it| format!("{file} names {it}")).collect()
}

impl Room {
    /// Where a module of this room stands; `None` if there is no place for it.
    fn place(&self, module: Option<&str>) -> Option<usize> {
        let find = |name: &str| self.modules.iter().position(|it| *it == name);
        module.and_then(find).or_else(|| find(self.name))
    }
}

/// The path of the module that a file is: `host` for `host/mod.rs`, `host::root` for `host/root.rs`.
fn modules(path: &Path) -> Vec<String> {
    let parts = path.iter().map(|it| it.to_str().expect("a name").trim_end_matches(".rs"));
    parts.filter(|it| *it != "mod").map(String::from).collect()
}

/// The modules that a text names.
struct Scan<'a> {
    /// The room that it is in.
    room: &'a Room,
    /// The module that the text is in at this point.
    at: Vec<String>,
    /// The first two parts of the paths, counted from the root of the crate.
    named: BTreeSet<Vec<String>>,
}

type Tokens = Peekable<token_stream::IntoIter>;

impl Scan<'_> {
    fn stream(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        let mut is_start = true;
        while let Some(token) = tokens.next() {
            is_start = match token {
                TokenTree::Group(group) => {
                    self.stream(group.stream());
                    true
                }
                TokenTree::Ident(word) if word == "mod" => {
                    self.inline(&mut tokens);
                    true
                }
                TokenTree::Ident(word) if is_start => {
                    self.path(&word.to_string(), &mut tokens);
                    true
                }
                TokenTree::Punct(mark) => mark.as_char() != ':' || tokens.next_if(is_colon).is_none(),
                TokenTree::Ident(_) | TokenTree::Literal(_) => true,
            }
        }
    }

    /// `mod name { ... }` is one module deeper.
    fn inline(&mut self, tokens: &mut Tokens) {
        let name = tokens.next().map(|it| it.to_string()).unwrap_or_default();
        if let Some(TokenTree::Group(group)) = tokens.next_if(|it| matches!(it, TokenTree::Group(_))) {
            self.at.push(name);
            self.stream(group.stream());
            self.at.pop();
        }
    }

    /// A path that begins with this word.
    fn path(&mut self, first: &str, tokens: &mut Tokens) {
        let is_child = self.at.len() == 1 && self.room.modules.contains(&first) && first != self.room.name;
        match first {
            // `pub(crate)` and `pub(super)` name nothing.
            "crate" | "super" | "self" if tokens.peek().is_none() => {}
            // A method's receiver.
            "self" if !is_separator(tokens) => {}
            "crate" => self.below(Vec::new(), tokens),
            "super" => self.below(above(&self.at), tokens),
            "self" => self.below(self.at.clone(), tokens),
            _ if is_child && is_separator(tokens) => {
                self.below([&self.at[..], &[first.to_owned()]].concat(), tokens)
            }
            _ => {}
        }
    }

    /// What stands behind a path.
    fn below(&mut self, path: Vec<String>, tokens: &mut Tokens) {
        let goes_up = matches!(tokens.clone().nth(2), Some(TokenTree::Ident(word)) if word == "super");
        if path.len() >= 2 && !goes_up || !separated(tokens) {
            self.named.insert(path.into_iter().take(2).collect());
            return;
        }
        match tokens.next() {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                self.branches(&path, group.stream());
            }
            Some(token) => self.part(path, &token, tokens),
            None => {}
        }
    }

    fn part(&mut self, path: Vec<String>, token: &TokenTree, tokens: &mut Tokens) {
        match token.to_string().as_str() {
            "self" => self.below(path, tokens),
            "super" => self.below(above(&path), tokens),
            name => self.below([&path[..], &[name.to_owned()]].concat(), tokens),
        }
    }

    /// Each path in braces.
    fn branches(&mut self, path: &[String], stream: TokenStream) {
        let mut tokens = stream.into_iter().peekable();
        let mut is_first = true;
        while let Some(token) = tokens.next() {
            if std::mem::take(&mut is_first) {
                self.part(path.to_vec(), &token, &mut tokens);
            } else {
                is_first = matches!(&token, TokenTree::Punct(mark) if mark.as_char() == ',');
            }
        }
    }
}

/// The module around one.
fn above(path: &[String]) -> Vec<String> {
    path.split_last().map(|(_, above)| above.to_vec()).unwrap_or_default()
}

/// Takes `::`, if that comes next.
fn separated(tokens: &mut Tokens) -> bool {
    let is_there = is_separator(tokens);
    if is_there {
        tokens.next();
        tokens.next();
    }
    is_there
}

fn is_separator(tokens: &mut Tokens) -> bool {
    tokens.peek().is_some_and(is_colon) && tokens.clone().nth(1).is_some_and(|it| is_colon(&it))
}

fn is_colon(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(mark) if mark.as_char() == ':')
}

fn files(source: &Path, room: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![source.join(room)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|err| panic!("{}: {err}", folder.display())) {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.extend(Some(path).filter(|it| it.extension().is_some_and(|it| it == "rs"))),
            }
        }
    }
    assert_ne!(found, Vec::<PathBuf>::new(), "room {room} has no files");
    found
}
