//! Regular expressions as Go's `regexp` reads them (RE2, the syntax that NFD documents), matched in linear time. Never
//! follows the dialect of another engine.
//!
//! Go 1.26 is the reference. Its Unicode tables are of version 15.0, those used here of 16.0: a class may hold a few
//! characters more, and a few, such as `ƛ`, have a counterpart in the other case that they lack in Go.

mod cursor;
mod escape;
mod unicode;
mod class;
mod group;
mod parse;
#[cfg(test)]
mod tests;

use std::cell::{OnceCell, RefCell};
use std::fmt;

use regex_automata::nfa::thompson::{NFA, WhichCaptures, pikevm};
use regex_syntax::hir::{Dot, Hir, Look, Repetition};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes of a pattern. Those of real specs have less than a hundred.
const MAX_LENGTH: usize = 4096;

/// Bytes of a compiled pattern: enough for the largest repetition of one dot, `.{1,1000}`. Matching costs time in
/// proportion to this and to the text.
const MAX_COMPILED: usize = 768 * 1024;

/// A regular expression of Go's `regexp` package, searched for anywhere in a text.
///
/// Equal if written equally. A stored one is read without being looked at, and compiled when first needed.
#[derive(Clone)]
pub struct Pattern {
    source: String,
    machine: OnceCell<PatternMachine>,
}

/// What a compiled pattern costs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    /// In memory; compiling takes time in proportion.
    pub(super) bytes: usize,
    /// Holding it against a text takes at most one step for each state and byte.
    pub(super) states: usize,
}

#[derive(Clone)]
struct PatternMachine {
    vm: pikevm::PikeVM,
    cache: RefCell<pikevm::Cache>,
}

/// What keeps a text from being a pattern that Go would accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError {
    /// Where in the pattern the trouble starts, in bytes.
    pub offset: usize,
    /// What is wrong there, and what to write instead.
    pub message: String,
}

impl Pattern {
    /// Reads and compiles a pattern.
    ///
    /// # Errors
    ///
    /// If Go would refuse it, or if it is longer or larger than we are ready to match: see [`PatternError`].
    pub fn parse(source: &str) -> Result<Self, PatternError> {
        Self::parse_within(source, MAX_COMPILED)
    }

    /// As [`Self::parse`], of so many bytes at most when compiled.
    pub(super) fn parse_within(source: &str, compiled: usize) -> Result<Self, PatternError> {
        let machine = OnceCell::from(PatternMachine::compile(source, compiled.min(MAX_COMPILED))?);
        Ok(Self { source: source.to_owned(), machine })
    }

    /// How large it is when compiled; none of a stored one that was not needed yet.
    pub(super) fn size(&self) -> Option<Size> {
        let nfa = self.machine.get()?.vm.get_nfa();
        Some(Size { bytes: nfa.memory_usage(), states: nfa.states().len() })
    }

    /// The pattern as its author wrote it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether the pattern occurs anywhere in the text (Go's `MatchString`).
    ///
    /// # Errors
    ///
    /// Only for a pattern that was stored, and damaged since: one that was parsed always answers.
    pub fn is_match(&self, text: &str) -> Result<bool, PatternError> {
        if let Some(machine) = self.machine.get() {
            return Ok(machine.is_match(text));
        }
        let machine = PatternMachine::compile(&self.source, MAX_COMPILED)?;
        Ok(self.machine.get_or_init(|| machine).is_match(text))
    }
}

impl PatternMachine {
    fn compile(source: &str, most: usize) -> Result<Self, PatternError> {
        if MAX_LENGTH < source.len() {
            let length = source.len();
            let message = format!("the pattern has {length} bytes, more than {MAX_LENGTH}: shorten it");
            return Err(PatternError { offset: 0, message });
        }
        let hir = between_characters(parse::parse(source)?);
        // Where a group matched is not needed, so groups cost nothing.
        let config = NFA::config().which_captures(WhichCaptures::None).nfa_size_limit(Some(most));
        let nfa = NFA::compiler().configure(config).build_from_hir(&hir);
        // The size is the only limit that is set. Other causes would need classes or looks that Go doesn't have.
        let vm = nfa.and_then(pikevm::PikeVM::new_from_nfa).map_err(|_| too_large(0))?;
        let cache = RefCell::new(vm.create_cache());
        Ok(Self { vm, cache })
    }

    fn is_match(&self, text: &str) -> bool {
        match self.cache.try_borrow_mut() {
            Ok(mut cache) => self.vm.is_match(&mut cache, text),
            // Matching calls nothing that could come back here; but if it did, the answer would be the same.
            Err(_) => self.vm.is_match(&mut self.vm.create_cache(), text),
        }
    }
}

/// The engine tries each byte as a start, and `\B` holds between two bytes of one character: a match there would hide
/// real ones. Such patterns walk up to their start by whole characters instead.
fn between_characters(hir: Hir) -> Hir {
    if !hir.properties().look_set().contains(Look::WordAsciiNegate) {
        return hir;
    }
    let sub = Box::new(Hir::dot(Dot::AnyChar));
    let walk = Hir::repetition(Repetition { min: 0, max: None, greedy: false, sub });
    Hir::concat(vec![Hir::look(Look::Start), walk, hir])
}

const TOO_LARGE: &str =
    "the pattern is too large when compiled: repeat less often, or use fewer Unicode classes";

fn too_large(offset: usize) -> PatternError {
    PatternError { offset, message: TOO_LARGE.to_owned() }
}

impl PatternError {
    /// Whether Go would take the pattern, and we do not for its size: compiling it was work all the same.
    pub(super) fn is_too_large(&self) -> bool {
        self.message == TOO_LARGE
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.source).finish()
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.source.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { source: String::deserialize(deserializer)?, machine: OnceCell::new() })
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {} of the pattern)", self.message, self.offset)
    }
}

impl std::error::Error for PatternError {}
