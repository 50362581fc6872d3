//! `envlock tree`: what the packages of a lock need, all the way down.

use std::collections::BTreeSet;

use serde_json::json;

use super::{locked::Locked, why};
use crate::{
    cli::Tree,
    error::{Error, ExitCode},
    lock::graph::{Graph, Need},
    printer::Printer,
};

/// Runs the command.
pub(super) fn tree(arguments: &Tree, printer: &Printer) -> Result<ExitCode, Error> {
    let choice = &arguments.choice;
    let locked = Locked::load(&choice.lock)?.with_dependencies()?;
    let chosen = locked.choose(choice.environment.as_deref(), choice.platform.as_deref())?;
    let graph = locked.graph(&chosen)?;
    let mut roots = Vec::new();
    for name in &arguments.packages {
        roots.extend(why::find(&graph, name, chosen.packages, chosen.environment)?);
    }
    if arguments.packages.is_empty() {
        roots.extend(graph.roots().map(|(root, _)| root));
    }
    if arguments.json {
        let packages = (0..chosen.packages.len()).map(|place| as_json(&graph, place));
        let names: Vec<_> = roots.iter().map(|root| &graph.package(*root).name).collect();
        printer.data(json!({
            "environment": chosen.environment,
            "platform": chosen.platform.as_str(),
            "roots": names,
            "packages": packages.collect::<Vec<_>>(),
        }))?;
        return Ok(ExitCode::Success);
    }
    let mut drawing = Drawing {
        graph: &graph,
        depth: arguments.depth.unwrap_or(usize::MAX),
        is_inverted: arguments.invert,
        shown: BTreeSet::new(),
        repeats: false,
    };
    let drawn: Vec<_> = roots.iter().map(|root| drawing.draw((*root, ""), 0).to_string()).collect();
    printer.data(drawn.concat().trim_end())?;
    if drawing.repeats {
        printer.note("(*) what it needs is shown above");
    }
    Ok(ExitCode::Success)
}

/// Draws packages, each with what it needs at its first place only: in full, a tree has millions of lines.
struct Drawing<'a> {
    graph: &'a Graph<'a>,
    depth: usize,
    is_inverted: bool,
    shown: BTreeSet<usize>,
    repeats: bool,
}

impl Drawing<'_> {
    fn draw(&mut self, need: Need, level: usize) -> termtree::Tree<String> {
        let needs = if self.is_inverted { self.graph.needed_by(need.0) } else { self.graph.needs(need.0) };
        let mut text = why::step(self.graph, need);
        if level >= self.depth || needs.is_empty() {
            return termtree::Tree::new(text);
        }
        if !self.shown.insert(need.0) {
            self.repeats = true;
            text.push_str(" (*)");
            return termtree::Tree::new(text);
        }
        let leaves: Vec<_> = needs.iter().map(|need| self.draw(*need, level + 1)).collect();
        termtree::Tree::new(text).with_leaves(leaves)
    }
}

fn as_json(graph: &Graph, place: usize) -> serde_json::Value {
    let package = graph.package(place);
    let needs = graph.needs(place).iter().map(|(needed, requirement)| {
        let needed = graph.package(*needed);
        json!({ "name": needed.name, "kind": needed.kind.as_str(), "requirement": requirement })
    });
    json!({
        "name": package.name,
        "version": package.version,
        "kind": package.kind.as_str(),
        "asked_for": graph.asked_for(place),
        "needs": needs.collect::<Vec<_>>(),
    })
}
