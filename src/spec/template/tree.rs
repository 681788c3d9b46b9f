//! A template after parsing. Holds no source text that is not needed to expand it.

/// One piece of a template, in the order of the source.
#[derive(Debug, Clone)]
pub(super) enum TemplateNode {
    /// Written as it is.
    Text(String),
    /// `{{pipeline}}`: written, unless it sets a variable.
    Action(Assignment),
    /// `{{if}}` and `{{with}}`.
    Branch(Branch),
    /// `{{range}}`.
    Range(Range),
}

/// A pipeline whose value may go into a variable.
#[derive(Debug, Clone)]
pub(super) struct Assignment {
    pub(super) target: Option<AssignmentTarget>,
    pub(super) value: Pipeline,
}

/// Where a value goes. Variables live on a stack, in the order in which they are declared.
#[derive(Debug, Clone, Copy)]
pub(super) enum AssignmentTarget {
    /// `$x := …`: on top of the stack.
    Declare,
    /// `$x = …`: in place of the one at this height.
    Assign(usize),
}

/// The first arm whose test is true is taken, or else `otherwise`.
#[derive(Debug, Clone)]
pub(super) struct Branch {
    pub(super) condition: ArmKind,
    pub(super) arms: Vec<Arm>,
    pub(super) otherwise: Vec<TemplateNode>,
}

/// What an arm does with the value of its test.
#[derive(Debug, Clone, Copy)]
pub(super) enum ArmKind {
    /// Nothing.
    If,
    /// Makes it the dot.
    With,
}

impl ArmKind {
    pub(super) fn keyword(self) -> &'static str {
        match self {
            Self::If => "if",
            Self::With => "with",
        }
    }
}

/// One alternative of a branch.
#[derive(Debug, Clone)]
pub(super) struct Arm {
    pub(super) test: Assignment,
    pub(super) body: Vec<TemplateNode>,
}

/// `body` once for each item, or `otherwise` if there is none.
#[derive(Debug, Clone)]
pub(super) struct Range {
    pub(super) variables: RangeVariables,
    pub(super) over: Pipeline,
    pub(super) body: Vec<TemplateNode>,
    pub(super) otherwise: Vec<TemplateNode>,
    pub(super) at: usize,
}

/// What a range declares.
#[derive(Debug, Clone, Copy)]
pub(super) enum RangeVariables {
    /// `range …`
    None,
    /// `range $item := …`
    Item,
    /// `range $key, $item := …`
    KeyAndItem,
}

/// `first | call | call`: each call gets the value before it as its last argument.
#[derive(Debug, Clone)]
pub(super) struct Pipeline {
    pub(super) first: PipelineStart,
    pub(super) then: Vec<FunctionCall>,
}

/// What a pipeline starts with.
#[derive(Debug, Clone)]
pub(super) enum PipelineStart {
    Operand(Operand),
    Call(FunctionCall),
}

/// A function with its arguments; their number was checked.
#[derive(Debug, Clone)]
pub(super) struct FunctionCall {
    pub(super) function: Function,
    pub(super) arguments: Vec<Operand>,
    pub(super) at: usize,
}

/// A value, and the fields to follow from there.
#[derive(Debug, Clone)]
pub(super) struct Operand {
    pub(super) term: OperandTerm,
    pub(super) fields: Vec<Field>,
}

/// Where an operand starts.
#[derive(Debug, Clone)]
pub(super) enum OperandTerm {
    Bool(bool),
    Integer(i64),
    Text(String),
    Dot,
    /// The variable at this height of the stack; zero is `$`.
    Variable(usize),
    Group(Box<Pipeline>),
}

/// `.name`
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) at: usize,
}

/// Go's built-in functions that only read, and `first` and `last` of sprig.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    And,
    Eq,
    First,
    Ge,
    Gt,
    Index,
    Last,
    Le,
    Len,
    Lt,
    Ne,
    Not,
    Or,
}

impl Function {
    /// By name.
    pub(super) const ALL: [Self; 13] = [
        Self::And,
        Self::Eq,
        Self::First,
        Self::Ge,
        Self::Gt,
        Self::Index,
        Self::Last,
        Self::Le,
        Self::Len,
        Self::Lt,
        Self::Ne,
        Self::Not,
        Self::Or,
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::And => "and",
            Self::Eq => "eq",
            Self::First => "first",
            Self::Ge => "ge",
            Self::Gt => "gt",
            Self::Index => "index",
            Self::Last => "last",
            Self::Le => "le",
            Self::Len => "len",
            Self::Lt => "lt",
            Self::Ne => "ne",
            Self::Not => "not",
            Self::Or => "or",
        }
    }

    /// How many arguments it takes, the one before a `|` included, as a sentence says it.
    pub(super) fn arity(self) -> (std::ops::RangeInclusive<usize>, &'static str) {
        match self {
            Self::First | Self::Last | Self::Len | Self::Not => (1..=1, "1 argument"),
            Self::Ge | Self::Gt | Self::Le | Self::Lt | Self::Ne => (2..=2, "2 arguments"),
            Self::Eq => (2..=usize::MAX, "2 arguments or more"),
            Self::And | Self::Index | Self::Or => (1..=usize::MAX, "1 argument or more"),
        }
    }
}
