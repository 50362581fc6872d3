//! The configuration of supervisor for all services of a role.
//!
//! Source: <http://supervisord.org/configuration.html>. Every program is started by envlock's own `start`, so variables,
//! secrets and the guard are in one place, and nothing here needs quoting.

use std::{borrow::Cow, collections::BTreeMap, fmt::Write};

use super::command;
use crate::spec::project::Service;

/// Seconds that a service must stay up to count as started; more than any of them takes to fail.
const START_SECONDS: u32 = 10;

/// The listener that ends a node whose service gives up; no service can be named so.
const LISTENER: &str = "envlock_fatal";

pub(super) fn configuration(services: &BTreeMap<&str, Cow<Service>>) -> String {
    let mut text = String::from(
        "[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile=/tmp/supervisord.pid\n",
    );
    for (name, service) in services {
        // What runs once has `start` to try again, and has ended well then. Another one is to run for ever, so ending
        // well is no reason to stay away. killasgroup: what a service has started does not outlive it.
        let (restarts, seconds) = if service.once { ("false", 0) } else { ("true", START_SECONDS) };
        let _ = write!(
            text,
            "\n[program:{name}]\ncommand={} {name}\nautorestart={restarts}\nstartsecs={seconds}\nstopsignal={}\n\
             stopwaitsecs={}\nkillasgroup=true\n{}{}",
            command("start").join(" "),
            service.stop_signal.name(),
            service.stop_timeout,
            stream("stdout", 1),
            stream("stderr", 2),
        );
    }
    let _ = write!(
        text,
        "\n[eventlistener:{LISTENER}]\ncommand={}\nevents=PROCESS_STATE_FATAL\nautorestart=true\n{}",
        command("fatal").join(" "),
        stream("stderr", 2),
    );
    // Whoever others need starts first and stops last: a worker that ends its tasks still finds its broker and its database.
    // Those of a group stop together.
    let mut groups: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for name in services.keys() {
        groups.entry(level(services, name)).or_default().push(name);
    }
    for (level, names) in groups {
        let _ =
            write!(text, "\n[group:level-{level}]\nprograms={}\npriority={}\n", names.join(","), 100 + level);
    }
    text
}

/// How many services, one after the other, are before a service; whoever listens to nobody needs somebody who does.
fn level(services: &BTreeMap<&str, Cow<Service>>, name: &str) -> usize {
    let Some(service) = services.get(name) else { return 0 };
    let before = service.after.iter().map(|other| level(services, other) + 1).max();
    before.unwrap_or_else(|| usize::from(service.ports.is_empty() || service.guard))
}

/// Where a stream goes: to the one of supervisor itself.
fn stream(name: &str, number: u32) -> String {
    format!("{name}_logfile=/dev/fd/{number}\n{name}_logfile_maxbytes=0\n")
}
