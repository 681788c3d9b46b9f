//! Makes a tree of a template's text and actions: which blocks there are, and which variables they declare. Never needs a host.

use super::lex::{Lexer, Piece, TemplateAction, Token, TokenKind};
use super::pipeline::{Parsed, Scope, error};
use super::tree::{Arm, ArmKind, Assignment, AssignmentTarget, Branch, Range, RangeVariables, TemplateNode};

pub(super) fn parse(source: &str) -> Parsed<Vec<TemplateNode>> {
    let mut parser = TemplateParser { lexer: Lexer::new(source), scope: Scope::new() };
    match parser.block()? {
        (nodes, Stop::Source) => Ok(nodes),
        (_, Stop::End(at)) => {
            error(at, "{{end}} closes nothing, expected {{if}}, {{with}} or {{range}} before it")
        }
        (_, Stop::Else(next)) => {
            error(next.at, "{{else}} belongs to nothing, expected {{if}}, {{with}} or {{range}} before it")
        }
    }
}

struct TemplateParser<'s> {
    lexer: Lexer<'s>,
    scope: Scope<'s>,
}

/// What ends a list of nodes.
enum Stop<'s> {
    Source,
    /// With its place.
    End(usize),
    /// With what follows the word.
    Else(TemplateAction<'s>),
}

enum ParseStep<'s> {
    Node(TemplateNode),
    Stop(Stop<'s>),
}

impl<'s> TemplateParser<'s> {
    fn block(&mut self) -> Parsed<(Vec<TemplateNode>, Stop<'s>)> {
        let outer = self.scope.variables();
        let mut nodes = Vec::new();
        let stop = loop {
            match self.lexer.next()? {
                None => break Stop::Source,
                Some(Piece::Text(text)) => nodes.push(TemplateNode::Text(text.to_owned())),
                Some(Piece::Action(action)) => match self.action(action)? {
                    ParseStep::Node(node) => nodes.push(node),
                    ParseStep::Stop(stop) => break stop,
                },
            }
        };
        self.scope.forget(outer);
        Ok((nodes, stop))
    }

    fn action(&mut self, mut action: TemplateAction<'s>) -> Parsed<ParseStep<'s>> {
        let at = action.at;
        Ok(match action.word() {
            Some("if") => ParseStep::Node(self.branch(ArmKind::If, action)?),
            Some("with") => ParseStep::Node(self.branch(ArmKind::With, action)?),
            Some("range") => ParseStep::Node(self.range(action)?),
            Some("else") => {
                action.take(1);
                ParseStep::Stop(Stop::Else(action))
            }
            Some("end") => {
                action.take(1);
                action.finish()?;
                ParseStep::Stop(Stop::End(at))
            }
            Some(word @ ("block" | "break" | "continue" | "define" | "template")) => {
                return error(
                    at,
                    format!("{{{{{word}}}}} is not supported, expected if, with, range or a value"),
                );
            }
            _ => ParseStep::Node(TemplateNode::Action(self.setting(&mut action)?)),
        })
    }

    /// Go takes `{{else if}}` for a block within the `else`: variables of a test are in scope in all arms after it.
    fn branch(&mut self, condition: ArmKind, mut action: TemplateAction<'s>) -> Parsed<TemplateNode> {
        let (at, outer) = (action.at, self.scope.variables());
        self.scope.enter(at)?;
        let mut arms = Vec::new();
        let otherwise = loop {
            action.take(1);
            let test = self.setting(&mut action)?;
            let (body, stop) = self.block()?;
            arms.push(Arm { test, body });
            match stop {
                Stop::Else(next) if next.word() == Some(condition.keyword()) => action = next,
                Stop::Else(_) | Stop::End(_) | Stop::Source => {
                    break self.otherwise(at, condition.keyword(), stop)?;
                }
            }
        };
        self.scope.leave();
        self.scope.forget(outer);
        Ok(TemplateNode::Branch(Branch { condition, arms, otherwise }))
    }

    /// What stands between `{{else}}`, if there is one, and `{{end}}`.
    fn otherwise(&mut self, at: usize, keyword: &str, stop: Stop<'s>) -> Parsed<Vec<TemplateNode>> {
        let (nodes, stop) = match stop {
            Stop::Else(next) => {
                next.finish()?;
                self.block()?
            }
            Stop::End(_) | Stop::Source => (Vec::new(), stop),
        };
        match stop {
            Stop::End(_) => Ok(nodes),
            Stop::Else(next) => error(
                next.at,
                format!("{{{{else}}}} after the last one of this {keyword}, expected {{{{end}}}}"),
            ),
            Stop::Source => error(at, format!("this {keyword} is not closed, expected {{{{end}}}}")),
        }
    }

    fn range(&mut self, mut action: TemplateAction<'s>) -> Parsed<TemplateNode> {
        let (at, outer) = (action.at, self.scope.variables());
        self.scope.enter(at)?;
        action.take(1);
        let names = range_variables(&mut action)?;
        let over = self.scope.pipeline(&mut action)?;
        action.finish()?;
        let variables = match names[..] {
            [] => RangeVariables::None,
            [_] => RangeVariables::Item,
            [..] => RangeVariables::KeyAndItem,
        };
        for name in names {
            self.scope.declare(name, at)?;
        }
        let (body, stop) = self.block()?;
        let otherwise = self.otherwise(at, "range", stop)?;
        self.scope.leave();
        self.scope.forget(outer);
        Ok(TemplateNode::Range(Range { variables, over, body, otherwise, at }))
    }

    /// All that is left of an action. A variable is in scope only after the pipeline that it is set to.
    fn setting(&mut self, action: &mut TemplateAction<'s>) -> Parsed<Assignment> {
        let set = match action.ahead() {
            [Token { kind: TokenKind::Variable(_), .. }, Token { kind: TokenKind::Comma, at, .. }, ..] => {
                return error(*at, "two variables at once, expected them in range only");
            }
            [
                Token { kind: TokenKind::Variable(name), at, .. },
                Token { kind: TokenKind::Declare, .. },
                ..,
            ] => Some((*name, *at, true)),
            [
                Token { kind: TokenKind::Variable(name), at, .. },
                Token { kind: TokenKind::Assign, .. },
                ..,
            ] => Some((*name, *at, false)),
            _ => None,
        };
        action.take(if set.is_some() { 2 } else { 0 });
        let value = self.scope.pipeline(action)?;
        action.finish()?;
        let target = match set {
            None => None,
            Some((name, at, true)) => {
                self.scope.declare(name, at)?;
                Some(AssignmentTarget::Declare)
            }
            Some((name, at, false)) => Some(AssignmentTarget::Assign(self.scope.settable(name, at)?)),
        };
        Ok(Assignment { target, value })
    }
}

/// Takes the names before the `:=` of a range.
fn range_variables<'s>(action: &mut TemplateAction<'s>) -> Parsed<Vec<&'s str>> {
    let (names, set) = match action.ahead() {
        [Token { kind: TokenKind::Variable(item), .. }, set, ..] if set.sets() => (vec![*item], set),
        [
            Token { kind: TokenKind::Variable(key), .. },
            Token { kind: TokenKind::Comma, .. },
            Token { kind: TokenKind::Variable(item), .. },
            set,
            ..,
        ] if set.sets() => (vec![*key, *item], set),
        _ => return Ok(Vec::new()),
    };
    if set.kind == TokenKind::Assign {
        return error(set.at, "range sets variables of its own, expected := instead of =");
    }
    action.take(2 * names.len());
    Ok(names)
}
