//! `envlock why`: what leads from the environment file to a package.

use serde_json::json;

use super::locked::Locked;
use crate::{
    cli::Why,
    error::{Error, ExitCode},
    lock::{
        Package,
        graph::{Graph, Need},
    },
    printer::Printer,
    spec,
};

/// Runs the command.
pub(super) fn why(arguments: &Why, printer: &Printer) -> Result<ExitCode, Error> {
    let choice = &arguments.choice;
    let locked = Locked::load(&choice.lock)?.with_dependencies()?;
    let chosen = locked.choose(choice.environment.as_deref(), choice.platform.as_deref())?;
    let graph = locked.graph(&chosen)?;
    let found = find(&graph, &arguments.package, chosen.packages, chosen.environment)?;
    if arguments.json {
        let packages: Vec<_> = found.iter().map(|package| as_json(&graph, *package)).collect();
        printer.data(json!({
            "environment": chosen.environment,
            "platform": chosen.platform.as_str(),
            "packages": packages,
        }))?;
        return Ok(ExitCode::Success);
    }
    for package in found {
        printer.data(describe(&graph, package, chosen.environment, chosen.platform.as_str()))?;
    }
    Ok(ExitCode::Success)
}

/// The packages that a name means, at least one.
pub(super) fn find(
    graph: &Graph,
    name: &str,
    packages: &[Package],
    environment: &str,
) -> Result<Vec<usize>, Error> {
    let found = graph.find(name);
    if !found.is_empty() {
        return Ok(found);
    }
    let known = packages.iter().map(|package| package.name.as_str());
    let hint = match spec::nearest(name, known) {
        Some(alike) => format!("did you mean `{alike}`?"),
        None => "`envlock tree` shows what is in it; --environment names another one".to_owned(),
    };
    Err(spec::Error::usage(format!("the {environment} environment has no package `{name}`"), hint).into())
}

/// Name, version and who installs it.
pub(super) fn label(package: &Package) -> String {
    let manager = if package.kind.manager() == "pip" { " (PyPI)" } else { "" };
    format!("{} {}{manager}", package.name, package.version)
}

/// A step of a chain: what is demanded, and which package that is.
pub(super) fn step(graph: &Graph, (package, requirement): Need) -> String {
    let requirement = if requirement.is_empty() { String::new() } else { format!(" [{requirement}]") };
    format!("{}{requirement}", label(graph.package(package)))
}

fn describe(graph: &Graph, package: usize, environment: &str, platform: &str) -> String {
    let mut lines = vec![format!("{} in {environment}, {platform}", label(graph.package(package)))];
    match graph.asked_for(package) {
        Some([]) => lines.push("  is needed by nothing else here".to_owned()),
        Some(specs) => lines.push(format!("  is asked for: {}", quoted(specs))),
        None => {}
    }
    for chain in graph.chains(package).iter().filter(|chain| chain.len() > 1) {
        let asked = graph.asked_for(chain[0].0).unwrap_or_default();
        let asked = if asked.is_empty() { String::new() } else { format!("{}: ", quoted(asked)) };
        let steps: Vec<_> = chain.iter().map(|need| step(graph, *need)).collect();
        lines.push(format!("  {asked}{}", steps.join(" → ")));
    }
    lines.join("\n")
}

fn quoted(specs: &[&str]) -> String {
    specs.iter().map(|spec| format!("`{spec}`")).collect::<Vec<_>>().join(", ")
}

fn as_json(graph: &Graph, place: usize) -> serde_json::Value {
    let package = graph.package(place);
    let need = |(place, requirement): &Need| {
        let package = graph.package(*place);
        json!({ "name": package.name, "version": package.version, "requirement": requirement })
    };
    let chains = graph.chains(place);
    json!({
        "name": package.name,
        "version": package.version,
        "kind": package.kind.as_str(),
        "asked_for": graph.asked_for(place),
        "needed_by": graph.needed_by(place).iter().map(need).collect::<Vec<_>>(),
        "chains": chains.iter().map(|chain| chain.iter().map(need).collect::<Vec<_>>()).collect::<Vec<_>>(),
    })
}
