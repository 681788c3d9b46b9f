//! Writes out a template for what a rule matched. Bounded in output and work; reads nothing else.

use super::tree::{
    ArmKind, Assignment, AssignmentTarget, Branch, Function, FunctionCall, Operand, OperandTerm, Pipeline,
    PipelineStart, Range, RangeVariables, TemplateNode,
};
use super::value::{TemplateValue, apply};
use super::{Matched, TemplateElement, quoted};

/// In bytes; variables are names and short values.
pub(super) const MAX_OUTPUT: usize = 65_536;

/// One for each node, value and iteration, and for each byte that is compared: several for each option of a kernel's
/// configuration, and still some tens of milliseconds at most.
pub(super) const MAX_WORK: usize = 1 << 20;

pub(super) fn expand(nodes: &[TemplateNode], matched: &Matched) -> Result<String, String> {
    let root = TemplateValue::Domains(matched);
    let mut run = Expansion { variables: vec![root], output: String::new(), work: MAX_WORK };
    run.block(nodes, root)?;
    Ok(run.output)
}

struct Expansion<'a> {
    /// A stack; `$` lies at the bottom.
    variables: Vec<TemplateValue<'a>>,
    output: String,
    /// What is left of it.
    work: usize,
}

impl<'a> Expansion<'a> {
    fn block(&mut self, nodes: &'a [TemplateNode], dot: TemplateValue<'a>) -> Result<(), String> {
        let scope = self.variables.len();
        for node in nodes {
            self.spend(1)?;
            match node {
                TemplateNode::Text(text) => self.write(text)?,
                TemplateNode::Action(setting) => {
                    let value = self.setting(setting, dot)?;
                    if setting.target.is_none() {
                        self.print(value)?;
                    }
                }
                TemplateNode::Branch(branch) => self.branch(branch, dot)?,
                TemplateNode::Range(range) => self.range(range, dot)?,
            }
        }
        self.variables.truncate(scope);
        Ok(())
    }

    fn branch(&mut self, branch: &'a Branch, dot: TemplateValue<'a>) -> Result<(), String> {
        let scope = self.variables.len();
        let mut taken = (branch.otherwise.as_slice(), dot);
        for arm in &branch.arms {
            let value = self.setting(&arm.test, dot)?;
            if value.truth() {
                taken = match branch.condition {
                    ArmKind::If => (&arm.body, dot),
                    ArmKind::With => (&arm.body, value),
                };
                break;
            }
        }
        self.block(taken.0, taken.1)?;
        self.variables.truncate(scope);
        Ok(())
    }

    /// In the `else` of a range, Go leaves the variables at what was ranged over.
    fn range(&mut self, range: &'a Range, dot: TemplateValue<'a>) -> Result<(), String> {
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

    fn push(&mut self, variables: RangeVariables, key: TemplateValue<'a>, item: TemplateValue<'a>) {
        match variables {
            RangeVariables::None => {}
            RangeVariables::Item => self.variables.push(item),
            RangeVariables::KeyAndItem => self.variables.extend([key, item]),
        }
    }

    fn setting(
        &mut self,
        setting: &'a Assignment,
        dot: TemplateValue<'a>,
    ) -> Result<TemplateValue<'a>, String> {
        let value = self.pipeline(&setting.value, dot)?;
        match setting.target {
            None => {}
            Some(AssignmentTarget::Declare) => self.variables.push(value),
            Some(AssignmentTarget::Assign(height)) => {
                *self.variables.get_mut(height).ok_or_else(|| unset(height))? = value;
            }
        }
        Ok(value)
    }

    fn pipeline(
        &mut self,
        pipeline: &'a Pipeline,
        dot: TemplateValue<'a>,
    ) -> Result<TemplateValue<'a>, String> {
        let mut value = match &pipeline.first {
            PipelineStart::Operand(operand) => self.operand(operand, dot)?,
            PipelineStart::Call(call) => self.call(call, dot, None)?,
        };
        for call in &pipeline.then {
            value = self.call(call, dot, Some(value))?;
        }
        Ok(value)
    }

    fn call(
        &mut self,
        call: &'a FunctionCall,
        dot: TemplateValue<'a>,
        piped: Option<TemplateValue<'a>>,
    ) -> Result<TemplateValue<'a>, String> {
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
        call: &'a FunctionCall,
        dot: TemplateValue<'a>,
        piped: Option<TemplateValue<'a>>,
    ) -> Result<TemplateValue<'a>, String> {
        let mut value = TemplateValue::Nil;
        for argument in &call.arguments {
            value = self.operand(argument, dot)?;
            if value.truth() == truth {
                return Ok(value);
            }
        }
        Ok(piped.unwrap_or(value))
    }

    fn operand(&mut self, operand: &'a Operand, dot: TemplateValue<'a>) -> Result<TemplateValue<'a>, String> {
        self.spend(1 + operand.fields.len())?;
        let value = match &operand.term {
            OperandTerm::Bool(value) => TemplateValue::Bool(*value),
            OperandTerm::Integer(value) => TemplateValue::Integer(*value),
            OperandTerm::Text(text) => TemplateValue::Text(text),
            OperandTerm::Dot => dot,
            OperandTerm::Variable(height) => {
                self.variables.get(*height).copied().ok_or_else(|| unset(*height))?
            }
            OperandTerm::Group(pipeline) => self.pipeline(pipeline, dot)?,
        };
        operand.fields.iter().try_fold(value, |value, field| {
            value.field(&field.name).map_err(|err| failed(&format!(".{}", field.name), field.at, &err))
        })
    }

    /// As `fmt.Print` writes it.
    fn print(&mut self, value: TemplateValue<'a>) -> Result<(), String> {
        match value {
            TemplateValue::Nil => self.write("<no value>"),
            TemplateValue::Bool(value) => self.write(if value { "true" } else { "false" }),
            TemplateValue::Integer(value) => self.write(&value.to_string()),
            TemplateValue::Text(text) => self.write(text),
            TemplateValue::List(list) => self.list(list),
            TemplateValue::Element(map) => {
                self.map(map.iter().map(|(key, it)| (key.as_str(), TemplateValue::Text(it))))
            }
            TemplateValue::Features(map) => {
                self.map(map.iter().map(|(key, it)| (key.as_str(), TemplateValue::List(it))))
            }
            TemplateValue::Domains(map) => {
                self.map(map.iter().map(|(key, it)| (key.as_str(), TemplateValue::Features(it))))
            }
        }
    }

    fn list(&mut self, list: &'a [TemplateElement]) -> Result<(), String> {
        self.write("[")?;
        for (index, element) in list.iter().enumerate() {
            self.write(if index > 0 { " " } else { "" })?;
            self.print(TemplateValue::Element(element))?;
        }
        self.write("]")
    }

    fn map(&mut self, entries: impl Iterator<Item = (&'a str, TemplateValue<'a>)>) -> Result<(), String> {
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
