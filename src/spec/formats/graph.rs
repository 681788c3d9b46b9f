//! The relations of proposal B: graphs whose nodes are compatibilities, and which of the graphs have to hold.

use std::collections::{BTreeMap, BTreeSet};

use super::super::problem::Place;
use super::super::reader::{SpecReader, did_you_mean};
use super::super::shape::text;
use super::super::yaml::YamlNode;
use super::super::{Group, MAX_STEPS, Rule, steps};
use super::b::Compatibility;
use super::build::rule;
use crate::words::text::{quoted, shorten};

/// Of all graphs that the criteria name together. A compatibility counts once for each way that leads to it. Published graphs
/// have five. No spec needs more graphs or compatibilities.
const MAX_NODES: usize = 1000;
/// More edges in a row than any graph needs; groups lie within each other for each.
const MAX_DEPTH: usize = 12;
/// Of one graph.
const MAX_EDGES: usize = 256;
/// Names that a message lists.
const SHOWN: usize = 10;
/// A document with more problems gets no more hints: each hint compares a name with all others.
const MAX_HINTS: usize = 100;

/// How many of several have to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EdgeCondition {
    All,
    Any,
    None,
}

#[derive(Debug)]
struct Edge {
    from: String,
    targets: Vec<String>,
    condition: EdgeCondition,
    at: Place,
}

#[derive(Debug)]
struct Graph {
    name: String,
    at: Place,
    edges: Vec<Edge>,
}

/// One rule for each criterion.
pub(super) fn rules(reader: &mut SpecReader, node: &YamlNode, named: &[Compatibility]) -> Option<Vec<Rule>> {
    const FIELDS: [&str; 3] = ["graphs", "validationCriteria", "annotations"];
    let fields = reader.fields(node, "`relations`", &FIELDS)?;
    let Some(drawn) = fields.get("graphs") else {
        reader.problem(node.at, "`relations` needs `graphs`, a mapping of names to graphs");
        return None;
    };
    let pairs = reader.map(drawn, "`graphs` is", "a mapping of names to graphs")?;
    for (count, what) in [(pairs.len(), "graphs"), (named.len(), "compatibilities")] {
        if MAX_NODES < count {
            let message = format!("there are {count} {what}, and {MAX_NODES} at most can be related");
            reader.problem(node.at, message);
            return None;
        }
    }
    let mut graphs = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        let Some(name) = reader.key(key) else { continue };
        graphs.extend(graph(reader, name, key.at, value, named));
    }
    let is_whole = graphs.len() == pairs.len();
    let Some(listed) = fields.get("validationCriteria") else {
        reader
            .problem(node.at, "`relations` needs `validationCriteria`, the list of graphs that have to hold");
        return None;
    };
    let items =
        reader.list(listed, "`validationCriteria` is", "a list, each with `graphs` and `condition`")?;
    let known: Vec<_> = pairs.iter().filter_map(|(key, _)| text(key)).collect();
    let mut rules = Vec::new();
    let mut expansion =
        GraphExpansion { named, used: BTreeSet::new(), nodes: 0, steps: 0, is_spent: false, problem: None };
    for item in items {
        rules.extend(criterion(reader, item, &known, &graphs, &mut expansion));
    }
    if is_whole {
        check_use(reader, &graphs, named, &expansion.used);
    }
    Some(rules)
}

fn graph(
    reader: &mut SpecReader,
    name: String,
    at: Place,
    node: &YamlNode,
    named: &[Compatibility],
) -> Option<Graph> {
    let fields = reader.fields(node, "a graph", &["edges", "annotations"])?;
    let Some(listed) = fields.get("edges") else {
        reader.problem(node.at, format!("graph {} needs `edges`", quoted(&name)));
        return None;
    };
    let items = reader.list(listed, "`edges` is", "a list of edges, each with `from` and `to`")?;
    if items.is_empty() {
        reader.problem(listed.at, format!("graph {} has no edge, so that it says nothing", quoted(&name)));
    }
    if MAX_EDGES < items.len() {
        let (name, count) = (quoted(&name), items.len());
        reader
            .problem(listed.at, format!("graph {name} has {count} edges, and {MAX_EDGES} at most are read"));
        return None;
    }
    let edges: Vec<_> = items.iter().filter_map(|it| edge(reader, it, named)).collect();
    let graph = (edges.len() == items.len()).then_some(Graph { name, at, edges })?;
    match cycle(&graph) {
        None => Some(graph),
        Some((way, at)) => {
            let name = quoted(&graph.name);
            reader.problem(at, format!("the edges of graph {name} lead in a circle: {way}"));
            None
        }
    }
}

fn edge(reader: &mut SpecReader, node: &YamlNode, named: &[Compatibility]) -> Option<Edge> {
    let fields = reader.fields(node, "an edge", &["from", "to", "annotations"])?;
    let from = match fields.get("from") {
        Some(node) => id(reader, node, "`from` is", named),
        None => {
            reader.problem(node.at, "an edge needs `from`, the id of a compatibility");
            None
        }
    };
    let Some(to) = fields.get("to") else {
        reader.problem(node.at, "an edge needs `to`, with `compatibilities` and `condition`");
        return None;
    };
    let before = reader.count();
    let fields = reader.fields(to, "`to`", &["compatibilities", "condition"])?;
    let listed = fields.get("compatibilities");
    let Some(listed) = listed else {
        // A name that is misspelt was reported.
        if reader.count() == before {
            reader.problem(to.at, "`to` needs `compatibilities`, a list of ids");
        }
        return None;
    };
    let items = reader.list(listed, "`compatibilities` is", "a list of ids")?;
    if items.is_empty() {
        reader.problem(listed.at, "`compatibilities` is empty; an edge leads to at least one");
        return None;
    }
    let targets: Vec<_> = items.iter().filter_map(|it| id(reader, it, "an id is", named)).collect();
    let is_whole = targets.len() == items.len();
    let condition = condition(reader, fields.get("condition"), fields.at, true);
    let edge = Edge { from: from?, targets, condition: condition?, at: node.at };
    is_whole.then_some(edge)
}

/// The id of a compatibility that there is.
fn id(reader: &mut SpecReader, node: &YamlNode, context: &str, named: &[Compatibility]) -> Option<String> {
    let id = reader.text(node, context)?;
    let ids: Vec<_> = named.iter().map(|it| it.id.as_str()).collect();
    if ids.contains(&id.as_str()) {
        return Some(id);
    }
    let hint = hint(reader, &id, &ids);
    reader.problem(node.at, format!("no compatibility has the id {}{hint}", quoted(&id)));
    None
}

/// What was probably meant by a name, or what there is.
fn hint(reader: &SpecReader, name: &str, known: &[&str]) -> String {
    if MAX_HINTS < reader.count() {
        return String::new();
    }
    let hint = did_you_mean(name, known.iter().copied());
    if !hint.is_empty() {
        return hint;
    }
    let more = if SHOWN < known.len() { ", ..." } else { "" };
    let shown: Vec<_> = known.iter().take(SHOWN).map(|it| shorten(it)).collect();
    format!("; there are {}{more}", shown.join(", "))
}

fn condition(
    reader: &mut SpecReader,
    node: Option<&YamlNode>,
    at: Place,
    is_edge: bool,
) -> Option<EdgeCondition> {
    let known: &[&str] = if is_edge { &["allOf", "oneOf", "noneOf"] } else { &["allOf", "oneOf"] };
    let listed = if is_edge { "allOf, oneOf or noneOf" } else { "allOf or oneOf" };
    let Some(node) = node else {
        reader.problem(at, format!("`condition` is missing: {listed}"));
        return None;
    };
    match reader.text(node, "`condition` is")?.as_str() {
        "allOf" => Some(EdgeCondition::All),
        "oneOf" => Some(EdgeCondition::Any),
        "noneOf" if is_edge => Some(EdgeCondition::None),
        other => {
            let hint = did_you_mean(other, known.iter().copied());
            let message = format!("`condition` is {}, but has to be {listed}{hint}", quoted(other));
            reader.problem(node.at, message);
            None
        }
    }
}

/// A way that comes back to where it was, and the place of its last edge.
fn cycle(graph: &Graph) -> Option<(String, Place)> {
    let mut done = BTreeSet::new();
    graph.edges.iter().find_map(|it| walk(graph, &it.from, &mut Vec::new(), &mut done))
}

fn walk<'a>(
    graph: &'a Graph,
    id: &'a str,
    way: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
) -> Option<(String, Place)> {
    if done.contains(id) {
        return None;
    }
    way.push(id);
    for edge in graph.edges.iter().filter(|it| it.from == id) {
        for target in &edge.targets {
            if let Some(start) = way.iter().position(|it| it == target) {
                let circle = way.iter().skip(start).copied().chain([target.as_str()]);
                return Some((circle.collect::<Vec<_>>().join(" -> "), edge.at));
            }
            if let Some(found) = walk(graph, target, way, done) {
                return Some(found);
            }
        }
    }
    way.pop();
    done.insert(id);
    None
}

fn criterion<'a>(
    reader: &mut SpecReader,
    node: &YamlNode,
    known: &[&str],
    graphs: &'a [Graph],
    expansion: &mut GraphExpansion<'a>,
) -> Option<Rule> {
    let fields = reader.fields(node, "a criterion", &["graphs", "condition", "annotations"])?;
    let condition = condition(reader, fields.get("condition"), fields.at, false);
    let Some(listed) = fields.get("graphs") else {
        reader.problem(node.at, "a criterion needs `graphs`, a list of names");
        return None;
    };
    let items = reader.list(listed, "`graphs` is", "a list of names of graphs")?;
    if items.is_empty() {
        reader.problem(listed.at, "`graphs` is empty; a criterion names at least one");
        return None;
    }
    let (mut groups, mut names) = (Vec::new(), Vec::new());
    for item in items {
        let Some(name) = reader.text(item, "a name is") else { continue };
        if let Some(graph) = graphs.iter().find(|it| it.name == name) {
            let group = expansion.whole(graph);
            if let Some(problem) = expansion.problem.take() {
                reader.problem(graph.at, problem);
            }
            groups.push(Group::Named { name: name.clone(), group: Box::new(group) });
        } else if !known.contains(&name.as_str()) {
            let hint = hint(reader, &name, known);
            reader.problem(item.at, format!("no graph has the name {}{hint}", quoted(&name)));
        }
        names.push(name);
    }
    let word = if condition? == EdgeCondition::Any { " or " } else { " and " };
    let group = if condition? == EdgeCondition::Any { Group::Any(groups) } else { Group::All(groups) };
    Some(rule(reader, &names.join(word), "", group, node.at))
}

/// Graphs that become groups: a compatibility with edges of its own holds only if they do.
struct GraphExpansion<'a> {
    named: &'a [Compatibility],
    /// The graphs that criteria name.
    used: BTreeSet<&'a str>,
    /// Compatibilities in the groups of all these graphs.
    nodes: usize,
    /// The steps that these groups take at most.
    steps: u64,
    /// Once they are too large, no more graphs are expanded.
    is_spent: bool,
    /// What is wrong with the graph that was expanded last.
    problem: Option<String>,
}

impl<'a> GraphExpansion<'a> {
    /// From all nodes to which no edge leads.
    fn whole(&mut self, graph: &'a Graph) -> Group {
        self.used.insert(&graph.name);
        let targets: BTreeSet<_> = graph.edges.iter().flat_map(|it| &it.targets).collect();
        let mut roots = Vec::new();
        for edge in graph.edges.iter().filter(|it| !targets.contains(&it.from)) {
            if !roots.contains(&&edge.from) {
                roots.push(&edge.from);
            }
        }
        let roots: Vec<_> = roots.into_iter().map(|it| self.node(graph, it, 0)).collect();
        only(roots, Group::All)
    }

    fn node(&mut self, graph: &Graph, id: &str, depth: usize) -> Group {
        if self.is_spent {
            return Group::Terms(Vec::new());
        }
        let demands = self.named.iter().find(|it| it.id == id).and_then(|it| it.demands.as_ref());
        self.nodes += 1;
        let steps = demands.iter().flat_map(|it| it.terms()).map(steps);
        self.steps = steps.fold(self.steps, u64::saturating_add);
        if MAX_NODES < self.nodes || MAX_DEPTH < depth || MAX_STEPS < self.steps {
            self.is_spent = true;
            self.problem = Some(self.explanation(graph));
            return Group::Terms(Vec::new());
        }
        let mut groups: Vec<_> = demands.into_iter().cloned().collect();
        for edge in graph.edges.iter().filter(|it| it.from == id) {
            let targets: Vec<_> = edge.targets.iter().map(|it| self.node(graph, it, depth + 1)).collect();
            groups.push(match edge.condition {
                EdgeCondition::All => only(targets, Group::All),
                EdgeCondition::Any => only(targets, Group::Any),
                EdgeCondition::None => Group::Not(Box::new(only(targets, Group::Any))),
            });
        }
        Group::Named { name: id.to_owned(), group: Box::new(only(groups, Group::All)) }
    }

    /// Why no more is expanded.
    fn explanation(&self, graph: &Graph) -> String {
        let name = quoted(&graph.name);
        match MAX_STEPS < self.steps {
            true => format!(
                "the graphs up to {name} take more than {MAX_STEPS} steps to hold against a host: use fewer attributes, or \
                 fewer ways to them"
            ),
            false => format!(
                "graph {name} has more than {MAX_NODES} ways from edge to edge, counting the graphs before it, or one of more than \
                 {MAX_DEPTH} edges: make it smaller"
            ),
        }
    }
}

/// One group by itself, several together.
fn only(mut groups: Vec<Group>, together: fn(Vec<Group>) -> Group) -> Group {
    match (groups.pop(), groups.is_empty()) {
        (Some(one), true) => one,
        (Some(last), false) => {
            groups.push(last);
            together(groups)
        }
        (None, _) => Group::Terms(Vec::new()),
    }
}

/// With relations only graphs count, and of these only those that the criteria name.
fn check_use(reader: &mut SpecReader, graphs: &[Graph], named: &[Compatibility], used: &BTreeSet<&str>) {
    let mut drawn: BTreeMap<&str, bool> = BTreeMap::new();
    for graph in graphs {
        let counts = used.contains(graph.name.as_str());
        if !counts {
            let name = quoted(&graph.name);
            let message = format!("no criterion names graph {name}, so that it never counts");
            reader.problem(graph.at, message);
        }
        for edge in &graph.edges {
            for id in edge.targets.iter().chain([&edge.from]) {
                *drawn.entry(id).or_default() |= counts;
            }
        }
    }
    for Compatibility { id, at, .. } in named.iter().filter(|it| !drawn.contains_key(it.id.as_str())) {
        let id = quoted(id);
        reader.problem(*at, format!("no edge leads from or to compatibility {id}, so that it never counts"));
    }
}
