//! Writes out a template for what a rule matched. Bounded in output and work; reads nothing else.

use super::tree::{
    Branch, Call, Command, Condition, Function, Node, Operand, Pipeline, Range, RangeVariables, Setting,
    Target, Term,
};
use super::value::{Value, apply};
use super::{Element, Matched, quoted};

/// In bytes; variables are names and short values.
pub(super) const MAX_OUTPUT: usize = 65_536;

/// One for each node, value and iteration, and for each byte that is compared: several for each option of a kernel's
/// configuration, and still some tens of milliseconds at most.
pub(super) const MAX_WORK: usize = 1 << 20;

pub(super) fn expand(nodes: &[Node], matched: &Matched) -> Result<String, String> {
    let root = Value::Domains(matched);
    let mut run = Run { variables: vec![root], output: String::new(), work: MAX_WORK };
    run.block(nodes, root)?;
    Ok(run.output)
}

struct Run<'a> {
    /// A stack; `$` lies at the bottom.
    variables: Vec<Value<'a>>,
    output: String,
    /// What is left of it.
    work: usize,
}

impl<'a> Run<'a> {
    fn block(&mut self, nodes: &'a [Node], dot: Value<'a>) -> Result<(), String> {
        let scope = self.variables.len();
        for node in nodes {
            self.spend(1)?;
            match node {
                Node::Text(text) => self.write(text)?,
                Node::Action(setting) => {
                    let value = self.setting(setting, dot)?;
                    if setting.target.is_none() {
                        self.print(value)?;
                    }
                }
                Node::Branch(branch) => self.branch(branch, dot)?,
                Node::Range(range) => self.range(range, dot)?,
            }
        }
        self.variables.truncate(scope);
        Ok(())
    }

    fn branch(&mut self, branch: &'a Branch, dot: Value<'a>) -> Result<(), String> {
        let scope = self.variables.len();
        let mut taken = (branch.otherwise.as_slice(), dot);
        for arm in &branch.arms {
            let value = self.setting(&arm.test, dot)?;
            if value.truth() {
                taken = match branch.condition {
                    Condition::If => (&arm.body, dot),
                    Condition::With => (&arm.body, value),
                };
                break;
            }
        }
        self.block(taken.0, taken.1)?;
        self.variables.truncate(scope);
        Ok(())
    }

    /// In the `else` of a range, Go leaves the variables at what was ranged over.
    fn range(&mut self, range: &'a Range, dot: Value<'a>) -> Result<(), String> {
        let scope = self.variables.len();
        let over = self.pipeline(&range.over, dot)?;
        let mut items = over.items().map_err(|err| failed("range", range.at, &err))?.peekable();
        if items.peek().is_none() {
            self.push(range.variables, over, over);
            self.block(&range.otherwise, dot)?;
        }
        for (key, item) in items {
            self.spend(1)?;
            self.variables.truncate(scope);
            self.push(range.variables, key, item);
            self.block(&range.body, item)?;
        }
        self.variables.truncate(scope);
        Ok(())
    }

    fn push(&mut self, variables: RangeVariables, key: Value<'a>, item: Value<'a>) {
        match variables {
            RangeVariables::None => {}
            RangeVariables::Item => self.variables.push(item),
            RangeVariables::KeyAndItem => self.variables.extend([key, item]),
        }
    }

    fn setting(&mut self, setting: &'a Setting, dot: Value<'a>) -> Result<Value<'a>, String> {
        let value = self.pipeline(&setting.value, dot)?;
        match setting.target {
            None => {}
            Some(Target::Declare) => self.variables.push(value),
            Some(Target::Assign(height)) => {
                *self.variables.get_mut(height).ok_or_else(|| unset(height))? = value;
            }
        }
        Ok(value)
    }

    fn pipeline(&mut self, pipeline: &'a Pipeline, dot: Value<'a>) -> Result<Value<'a>, String> {
        let mut value = match &pipeline.first {
            Command::Operand(operand) => self.operand(operand, dot)?,
            Command::Call(call) => self.call(call, dot, None)?,
        };
        for call in &pipeline.then {
            value = self.call(call, dot, Some(value))?;
        }
        Ok(value)
    }

    fn call(
        &mut self,
        call: &'a Call,
        dot: Value<'a>,
        piped: Option<Value<'a>>,
    ) -> Result<Value<'a>, String> {
        if matches!(call.function, Function::And | Function::Or) {
            return self.until(call.function == Function::Or, call, dot, piped);
        }
        let mut arguments = Vec::with_capacity(call.arguments.len() + 1);
        for argument in &call.arguments {
            arguments.push(self.operand(argument, dot)?);
        }
        arguments.extend(piped);
        self.spend(arguments.iter().map(|it| it.weight()).sum())?;
        apply(call.function, &arguments).map_err(|err| failed(call.function.name(), call.at, &err))
    }

    /// The first argument of that truth, or else the last one. What stands after it is not evaluated.
    fn until(
        &mut self,
        truth: bool,
        call: &'a Call,
        dot: Value<'a>,
        piped: Option<Value<'a>>,
    ) -> Result<Value<'a>, String> {
        let mut value = Value::Nil;
        for argument in &call.arguments {
            value = self.operand(argument, dot)?;
            if value.truth() == truth {
                return Ok(value);
            }
        }
        Ok(piped.unwrap_or(value))
    }

    fn operand(&mut self, operand: &'a Operand, dot: Value<'a>) -> Result<Value<'a>, String> {
        self.spend(1 + operand.fields.len())?;
        let value = match &operand.term {
            Term::Bool(value) => Value::Bool(*value),
            Term::Integer(value) => Value::Integer(*value),
            Term::Text(text) => Value::Text(text),
            Term::Dot => dot,
            Term::Variable(height) => self.variables.get(*height).copied().ok_or_else(|| unset(*height))?,
            Term::Group(pipeline) => self.pipeline(pipeline, dot)?,
        };
        operand.fields.iter().try_fold(value, |value, field| {
            value.field(&field.name).map_err(|err| failed(&format!(".{}", field.name), field.at, &err))
        })
    }

    /// As `fmt.Print` writes it.
    fn print(&mut self, value: Value<'a>) -> Result<(), String> {
        match value {
            Value::Nil => self.write("<no value>"),
            Value::Bool(value) => self.write(if value { "true" } else { "false" }),
            Value::Integer(value) => self.write(&value.to_string()),
            Value::Text(text) => self.write(text),
            Value::List(list) => self.list(list),
            Value::Element(map) => self.map(map.iter().map(|(key, it)| (key.as_str(), Value::Text(it)))),
            Value::Features(map) => self.map(map.iter().map(|(key, it)| (key.as_str(), Value::List(it)))),
            Value::Domains(map) => self.map(map.iter().map(|(key, it)| (key.as_str(), Value::Features(it)))),
        }
    }

    fn list(&mut self, list: &'a [Element]) -> Result<(), String> {
        self.write("[")?;
        for (index, element) in list.iter().enumerate() {
            self.write(if index > 0 { " " } else { "" })?;
            self.print(Value::Element(element))?;
        }
        self.write("]")
    }

    fn map(&mut self, entries: impl Iterator<Item = (&'a str, Value<'a>)>) -> Result<(), String> {
        self.write("map[")?;
        for (index, (key, value)) in entries.enumerate() {
            self.write(if index > 0 { " " } else { "" })?;
            self.write(key)?;
            self.write(":")?;
            self.print(value)?;
        }
        self.write("]")
    }

    fn write(&mut self, text: &str) -> Result<(), String> {
        if self.output.len() + text.len() > MAX_OUTPUT {
            return Err(format!("the template writes more than {MAX_OUTPUT} bytes"));
        }
        self.output.push_str(text);
        Ok(())
    }

    fn spend(&mut self, work: usize) -> Result<(), String> {
        match self.work.checked_sub(work) {
            Some(left) => self.work = left,
            None => return Err(format!("the template takes more than {MAX_WORK} steps")),
        }
        Ok(())
    }
}

fn failed(what: &str, at: usize, err: &str) -> String {
    format!("{} at byte {at} of the template: {err}", quoted(what))
}

/// Cannot come up: the parser knows which variables there are.
fn unset(height: usize) -> String {
    format!("the template's variable {height} is not set")
}
