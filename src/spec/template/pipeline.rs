//! Makes trees of the pipelines in a template's actions. Checks what does not depend on a host: variables, functions and the
//! number of their arguments.

use super::TemplateError;
use super::lex::{TemplateAction, Token, TokenKind};
use super::tree::{Field, Function, FunctionCall, Operand, OperandTerm, Pipeline, PipelineStart};

/// How deep blocks and parentheses may lie in each other. Parsing and expanding are recursive: this bounds the stack.
pub(super) const MAX_DEPTH: usize = 64;

/// How many variables may be in scope: each use of one looks through them.
pub(super) const MAX_VARIABLES: usize = 64;

const ROOT_IS_FIXED: &str = "\"$\" cannot be set, expected a name after it, such as $x";

/// A part of a template, or why it is none.
pub(super) type Parsed<T> = Result<T, TemplateError>;

pub(super) fn error<T>(offset: usize, message: impl Into<String>) -> Parsed<T> {
    Err(TemplateError { offset, message: message.into() })
}

/// What is around the action at hand.
pub(super) struct Scope<'s> {
    /// `$`, and the variables that are declared, in the order in which they stand on the stack when the template is expanded.
    variables: Vec<&'s str>,
    depth: usize,
}

impl<'s> Scope<'s> {
    pub(super) fn new() -> Self {
        Self { variables: vec!["$"], depth: 0 }
    }

    /// How many variables there are.
    pub(super) fn variables(&self) -> usize {
        self.variables.len()
    }

    /// Back to that many variables.
    pub(super) fn forget(&mut self, variables: usize) {
        self.variables.truncate(variables);
    }

    pub(super) fn enter(&mut self, at: usize) -> Parsed<()> {
        if self.depth == MAX_DEPTH {
            return error(at, format!("blocks and parentheses lie more than {MAX_DEPTH} deep in each other"));
        }
        self.depth += 1;
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    pub(super) fn declare(&mut self, name: &'s str, at: usize) -> Parsed<()> {
        if name == "$" {
            return error(at, ROOT_IS_FIXED);
        }
        if self.variables.len() > MAX_VARIABLES {
            return error(at, format!("more than {MAX_VARIABLES} variables at once"));
        }
        self.variables.push(name);
        Ok(())
    }

    /// The height of a variable to be assigned.
    pub(super) fn settable(&self, name: &str, at: usize) -> Parsed<usize> {
        match self.variable(name, at)? {
            0 => error(at, ROOT_IS_FIXED),
            height => Ok(height),
        }
    }

    fn variable(&self, name: &str, at: usize) -> Parsed<usize> {
        match self.variables.iter().rposition(|it| *it == name) {
            Some(height) => Ok(height),
            None => {
                error(at, format!("{} is not declared here, expected := before its use", super::quoted(name)))
            }
        }
    }

    /// Ends before a `)` or with the action.
    pub(super) fn pipeline(&mut self, action: &mut TemplateAction<'s>) -> Parsed<Pipeline> {
        let first = match action.function()? {
            Some((function, at)) => PipelineStart::Call(self.call(function, at, 0, action)?),
            None => PipelineStart::Operand(self.operand(action)?),
        };
        let mut then = Vec::new();
        while let Some(next) = action.ahead().first() {
            if next.kind == TokenKind::RightParen {
                break;
            }
            if next.kind != TokenKind::Pipe {
                return next.unexpected("| or }} after a value: only functions take arguments");
            }
            let at = next.at;
            action.take(1);
            match action.function()? {
                Some((function, at)) => then.push(self.call(function, at, 1, action)?),
                None => return error(at, "| passes a value on, expected a function after it"),
            }
        }
        Ok(Pipeline { first, then })
    }

    fn call(
        &mut self,
        function: Function,
        at: usize,
        piped: usize,
        action: &mut TemplateAction<'s>,
    ) -> Parsed<FunctionCall> {
        let mut arguments = Vec::new();
        while let Some(next) = action.ahead().first() {
            if matches!(next.kind, TokenKind::RightParen | TokenKind::Pipe) {
                break;
            }
            if !next.spaced {
                return next.unexpected("a space before it");
            }
            arguments.push(self.operand(action)?);
        }
        let (arity, expected) = function.arity();
        let given = arguments.len() + piped;
        if !arity.contains(&given) {
            return error(at, format!("{} is given {given}, expected {expected}", function.name()));
        }
        Ok(FunctionCall { function, arguments, at })
    }

    /// A value, with the fields that follow it without a space.
    fn operand(&mut self, action: &mut TemplateAction<'s>) -> Parsed<Operand> {
        let Some(mut token) = action.next() else { return error(action.end, "a value is missing before }}") };
        let (term, mut fields) = (self.term(&mut token, action)?, Vec::new());
        if let TokenKind::Field(name) = token.kind {
            fields.push(Field { name: name.to_owned(), at: token.at });
        }
        while let Some(Token { kind: TokenKind::Field(name), spaced: false, at, .. }) = action.ahead().first()
        {
            if fields.is_empty() && !matches!(term, OperandTerm::Variable(_) | OperandTerm::Group(_)) {
                return error(
                    *at,
                    format!("{} has no fields, expected a space or }}}}", super::quoted(token.raw)),
                );
            }
            fields.push(Field { name: (*name).to_owned(), at: *at });
            action.take(1);
        }
        Ok(Operand { term, fields })
    }

    fn term(&mut self, token: &mut Token<'s>, action: &mut TemplateAction<'s>) -> Parsed<OperandTerm> {
        Ok(match &mut token.kind {
            TokenKind::Word("true") => OperandTerm::Bool(true),
            TokenKind::Word("false") => OperandTerm::Bool(false),
            TokenKind::Integer(number) => OperandTerm::Integer(*number),
            TokenKind::Text(text) => OperandTerm::Text(std::mem::take(text)),
            TokenKind::Dot | TokenKind::Field(_) => OperandTerm::Dot,
            TokenKind::Variable(name) => OperandTerm::Variable(self.variable(name, token.at)?),
            TokenKind::LeftParen => self.group(token.at, action)?,
            TokenKind::Word(name) => {
                function(name, token.at)?;
                return error(
                    token.at,
                    format!("a call as an argument, expected it in parentheses: ({name} …)"),
                );
            }
            TokenKind::RightParen
            | TokenKind::Pipe
            | TokenKind::Comma
            | TokenKind::Assign
            | TokenKind::Declare => {
                return token.unexpected("a value");
            }
        })
    }

    /// What follows a `(`.
    fn group(&mut self, at: usize, action: &mut TemplateAction<'s>) -> Parsed<OperandTerm> {
        self.enter(at)?;
        if let [_, set, ..] = action.ahead()
            && set.sets()
        {
            return error(
                set.at,
                "a variable is set within parentheses, expected that at the start of an action only",
            );
        }
        let pipeline = self.pipeline(action)?;
        let Some(_right_paren) = action.next() else {
            return error(at, "the parenthesis is not closed, expected )");
        };
        self.leave();
        Ok(OperandTerm::Group(Box::new(pipeline)))
    }
}

fn function(name: &str, at: usize) -> Parsed<Function> {
    match Function::named(name) {
        Some(function) => Ok(function),
        None => {
            let known = Function::ALL.map(Function::name).join(", ");
            error(
                at,
                format!("{} is not supported as a function, expected one of {known}", super::quoted(name)),
            )
        }
    }
}

impl<'s> TemplateAction<'s> {
    pub(super) fn finish(&self) -> Parsed<()> {
        match self.ahead().first() {
            Some(token) => token.unexpected("}}"),
            None => Ok(()),
        }
    }

    /// Takes the name of a function, if there is one, with its place.
    fn function(&mut self) -> Parsed<Option<(Function, usize)>> {
        match self.ahead().first() {
            Some(Token { kind: TokenKind::Word(name), at, .. }) if !["true", "false"].contains(name) => {
                let found = (function(name, *at)?, *at);
                self.take(1);
                Ok(Some(found))
            }
            _ => Ok(None),
        }
    }
}

impl Token<'_> {
    /// Whether a variable before it is set.
    pub(super) fn sets(&self) -> bool {
        matches!(self.kind, TokenKind::Declare | TokenKind::Assign)
    }

    fn unexpected<T>(&self, expected: &str) -> Parsed<T> {
        error(self.at, format!("unexpected {}, expected {expected}", super::quoted(self.raw)))
    }
}
