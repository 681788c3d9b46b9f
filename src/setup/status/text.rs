//! A status as one screen of text.

use super::{Coverage, EngineStatus, GateState, GateStatus, WayStatus};

/// Names of images that are shown.
const NAMES: usize = 3;

/// Lays a status out for people.
pub fn text(status: &GateStatus) -> String {
    let mut lines = vec![match status.state {
        GateState::InForce => "in force".to_owned(),
        GateState::NotInForce => "not in force everywhere".to_owned(),
        GateState::Trouble => "trouble".to_owned(),
    }];
    lines.extend(status.problems.iter().map(|it| format!("  {it}")));
    lines.push(String::new());
    for engine in &status.engines {
        lines.push(row(&engine.whose(), &covered(engine)));
        lines.extend(engine.ways.iter().map(|it| row("", &way(it))));
        lines.extend(engine.notes.iter().map(|it| row("", &format!("note: {it}"))));
    }
    for (index, why) in status.runtimes.iter().enumerate() {
        lines.push(row(if index == 0 { "runtimes" } else { "" }, &format!("note: {why}")));
    }
    lines.push(row(
        "configuration",
        &format!("{}: {}", status.configuration.path, status.configuration.detail),
    ));
    lines.push(row("store", &format!("{}: {}", status.store.path, status.store.detail)));
    let images = &status.images;
    let named = images.demanding.iter().take(NAMES).cloned().collect::<Vec<_>>().join(", ");
    let more = if images.demanding.len() > NAMES { ", ..." } else { "" };
    let named = if named.is_empty() { named } else { format!(" ({named}{more})") };
    lines.push(row(
        "images",
        &format!("{} with demands{named}, {} without", images.demanding.len(), images.free),
    ));
    lines.extend(images.unread.iter().map(|it| row("", &format!("note: {it}"))));
    for (index, decision) in status.decisions.iter().enumerate() {
        let label = if index == 0 { "decisions" } else { "" };
        let whose = decision.user.as_ref().map(|it| format!("podman of {it}: ")).unwrap_or_default();
        lines.push(row(label, format!("{} {whose}{}", decision.time, decision.message).trim_start()));
    }
    if status.decisions.is_empty() {
        lines.push(row("decisions", "none but to start"));
    }
    lines.join("\n") + "\n"
}

fn row(label: &str, text: &str) -> String {
    format!("{label:<14} {text}").trim_end().to_owned()
}

fn covered(engine: &EngineStatus) -> String {
    let since = engine.running_since.as_ref().map(|it| format!(" (runs since {it})")).unwrap_or_default();
    let what = match engine.coverage {
        Coverage::All => "every container is checked",
        Coverage::Asked => "only containers that ask for it are checked",
        Coverage::None => "no container is checked",
        Coverage::NotUsed => "it starts no container by itself",
    };
    format!("{what}{since}")
}

fn way(way: &WayStatus) -> String {
    let runtime = way.runtime.as_ref().map(|it| format!(" {it}")).unwrap_or_default();
    let version = way.version.as_ref().map(|it| format!(" {it}")).unwrap_or_default();
    let since = way.since.as_ref().map(|it| format!(" since {it}")).unwrap_or_default();
    let problem = way.problem.as_ref().map(|it| format!("; {it}")).unwrap_or_default();
    format!("{}{runtime}: {}{version}, by {}{since}{problem}", way.way, way.program, way.file)
}
