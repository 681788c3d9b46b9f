//! The values of a template and what Go does with them. Every value is borrowed, from what was matched or from the template.

use std::collections::BTreeMap;

use super::tree::Function;
use super::{Features, Matched, TemplateElement, quoted};

/// What a map answers for a domain that it does not have, as Go's zero value does.
static NO_FEATURES: Features = Features::new();

#[derive(Debug, Clone, Copy)]
pub(super) enum TemplateValue<'a> {
    /// What `first` and `last` find in an empty list.
    Nil,
    Bool(bool),
    Integer(i64),
    Text(&'a str),
    List(&'a [TemplateElement]),
    Element(&'a TemplateElement),
    Features(&'a Features),
    Domains(&'a Matched),
}

/// Key and item of each iteration.
pub(super) type Items<'a> = Box<dyn Iterator<Item = (TemplateValue<'a>, TemplateValue<'a>)> + 'a>;

impl<'a> TemplateValue<'a> {
    /// Go: the zero value of each type is false, and so is what is empty.
    pub(super) fn truth(self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => value,
            Self::Integer(value) => value != 0,
            Self::Text(text) => !text.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Element(map) => !map.is_empty(),
            Self::Features(map) => !map.is_empty(),
            Self::Domains(map) => !map.is_empty(),
        }
    }

    /// What `.name` is; with Go's `missingkey=error`, which is NFD's choice.
    pub(super) fn field(self, name: &str) -> Result<Self, String> {
        match self {
            Self::Element(map) => entry(map, name).map(|it| Self::Text(it)),
            Self::Features(map) => entry(map, name).map(|it| Self::List(it)),
            Self::Domains(map) => entry(map, name).map(Self::Features),
            Self::Nil | Self::Bool(_) | Self::Integer(_) | Self::Text(_) | Self::List(_) => {
                Err(format!("{} has no fields", self.kind()))
            }
        }
    }

    pub(super) fn items(self) -> Result<Items<'a>, String> {
        Ok(match self {
            Self::Nil => Box::new(std::iter::empty()),
            Self::List(list) => Box::new((0..).map(Self::Integer).zip(list.iter().map(Self::Element))),
            Self::Element(map) => Box::new(map.iter().map(|(key, it)| (Self::Text(key), Self::Text(it)))),
            Self::Features(map) => Box::new(map.iter().map(|(key, it)| (Self::Text(key), Self::List(it)))),
            Self::Domains(map) => Box::new(map.iter().map(|(key, it)| (Self::Text(key), Self::Features(it)))),
            Self::Bool(_) | Self::Integer(_) | Self::Text(_) => {
                return Err(format!("{} has no items, expected a list or a map", self.kind()));
            }
        })
    }

    /// How many bytes a comparison may have to look at.
    pub(super) fn weight(self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Nil
            | Self::Bool(_)
            | Self::Integer(_)
            | Self::List(_)
            | Self::Element(_)
            | Self::Features(_)
            | Self::Domains(_) => 0,
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Nil => "nothing (of an empty list)",
            Self::Bool(_) => "a truth value",
            Self::Integer(_) => "an integer",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Element(_) | Self::Features(_) | Self::Domains(_) => "a map",
        }
    }

    fn len(self) -> Result<usize, String> {
        match self {
            Self::Text(text) => Ok(text.len()),
            Self::List(list) => Ok(list.len()),
            Self::Element(map) => Ok(map.len()),
            Self::Features(map) => Ok(map.len()),
            Self::Domains(map) => Ok(map.len()),
            Self::Nil | Self::Bool(_) | Self::Integer(_) => Err(format!("{} has no length", self.kind())),
        }
    }

    /// One step of `index`. Unlike a field, an entry that a map does not have is empty, not an error.
    fn at(self, index: Self) -> Result<Self, String> {
        match (self, index) {
            (Self::Element(map), Self::Text(key)) => Ok(Self::Text(map.get(key).map_or("", String::as_str))),
            (Self::Features(map), Self::Text(key)) => Ok(Self::List(map.get(key).map_or(&[], Vec::as_slice))),
            (Self::Domains(map), Self::Text(key)) => Ok(Self::Features(map.get(key).unwrap_or(&NO_FEATURES))),
            (Self::List(list), Self::Integer(index)) => position(index, list.len()).map(|it| nth(list, it)),
            (Self::Text(text), Self::Integer(index)) => {
                let byte = position(index, text.len())
                    .map(|it| text.as_bytes().get(it).copied().unwrap_or_default());
                byte.map(|it| Self::Integer(it.into()))
            }
            (value, index) => Err(format!("{} cannot be indexed by {}", value.kind(), index.kind())),
        }
    }

    fn list(self) -> Result<&'a [TemplateElement], String> {
        let Self::List(list) = self else { return Err(format!("expected a list, not {}", self.kind())) };
        Ok(list)
    }

    /// Go compares nothing (of an empty list) with anything, and otherwise only values of one kind.
    fn equals(self, other: Self) -> Result<bool, String> {
        match (self, other) {
            (Self::Bool(left), Self::Bool(right)) => Ok(left == right),
            (Self::Integer(left), Self::Integer(right)) => Ok(left == right),
            (Self::Text(left), Self::Text(right)) => Ok(left == right),
            (Self::Nil, Self::Nil) => Ok(true),
            (Self::Nil, Self::Bool(_) | Self::Integer(_) | Self::Text(_)) => Ok(false),
            (Self::Bool(_) | Self::Integer(_) | Self::Text(_), Self::Nil) => Ok(false),
            (left, right) => Err(incomparable(left, right)),
        }
    }

    fn is_less(self, other: Self) -> Result<bool, String> {
        match (self, other) {
            (Self::Integer(left), Self::Integer(right)) => Ok(left < right),
            (Self::Text(left), Self::Text(right)) => Ok(left < right),
            (left, right) => Err(incomparable(left, right)),
        }
    }
}

fn incomparable(left: TemplateValue<'_>, right: TemplateValue<'_>) -> String {
    format!("{} and {} cannot be compared", left.kind(), right.kind())
}

fn entry<'a, T>(map: &'a BTreeMap<String, T>, name: &str) -> Result<&'a T, String> {
    /// Enough to see a slip of the pen.
    const SHOWN: usize = 5;
    map.get(name).ok_or_else(|| {
        if map.is_empty() {
            return "the map is empty".to_owned();
        }
        let mut known: Vec<String> = map.keys().take(SHOWN).map(|it| quoted(it)).collect();
        if map.len() > SHOWN {
            known.push("…".to_owned());
        }
        format!("the map has no such entry, only [{}]", known.join(", "))
    })
}

fn position(index: i64, length: usize) -> Result<usize, String> {
    let position = usize::try_from(index).ok().filter(|it| *it < length);
    position.ok_or_else(|| format!("the index {index} is out of range, the length is {length}"))
}

fn nth(list: &[TemplateElement], index: usize) -> TemplateValue<'_> {
    list.get(index).map_or(TemplateValue::Nil, TemplateValue::Element)
}

/// Calls a function; `and` and `or` do not come here, as they do not look at all of their arguments.
pub(super) fn apply<'a>(
    function: Function,
    arguments: &[TemplateValue<'a>],
) -> Result<TemplateValue<'a>, String> {
    match (function, arguments) {
        (Function::Len, [value]) => {
            let length = i64::try_from(value.len()?).map_err(|err| err.to_string())?;
            Ok(TemplateValue::Integer(length))
        }
        (Function::Not, [value]) => Ok(TemplateValue::Bool(!value.truth())),
        (Function::First, [value]) => {
            Ok(value.list()?.first().map_or(TemplateValue::Nil, TemplateValue::Element))
        }
        (Function::Last, [value]) => {
            Ok(value.list()?.last().map_or(TemplateValue::Nil, TemplateValue::Element))
        }
        (Function::Index, [TemplateValue::Nil, ..]) => {
            Err("nothing (of an empty list) cannot be indexed".to_owned())
        }
        (Function::Index, [value, indexes @ ..]) => {
            indexes.iter().try_fold(*value, |it, index| it.at(*index))
        }
        (Function::Eq, [left, others @ ..]) => {
            // Not `any`: a comparison that fails before a match is an error.
            for other in others {
                if left.equals(*other)? {
                    return Ok(TemplateValue::Bool(true));
                }
            }
            Ok(TemplateValue::Bool(false))
        }
        (Function::Ne, [left, right]) => Ok(TemplateValue::Bool(!left.equals(*right)?)),
        (Function::Lt, [left, right]) => Ok(TemplateValue::Bool(left.is_less(*right)?)),
        (Function::Ge, [left, right]) => Ok(TemplateValue::Bool(!left.is_less(*right)?)),
        (Function::Le, [left, right]) => {
            Ok(TemplateValue::Bool(left.is_less(*right)? || left.equals(*right)?))
        }
        (Function::Gt, [left, right]) => {
            Ok(TemplateValue::Bool(!(left.is_less(*right)? || left.equals(*right)?)))
        }
        (function, arguments) => {
            Err(format!("{} cannot take {} arguments", function.name(), arguments.len()))
        }
    }
}
