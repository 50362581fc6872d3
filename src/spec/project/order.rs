//! Which services of a role wait for which.

use std::collections::BTreeMap;

use super::{
    role::{PUBLISH, Role},
    service::Service,
};

/// A service that could never start, and why.
pub(super) fn fault(role: &Role) -> Option<(&str, String)> {
    for (name, service) in &role.services {
        let is_known =
            // What else a part of Airflow has is known when its version is.
            |other: &String| {
                role.services.contains_key(other)
                    || role.publishes && other.as_str() == PUBLISH
                    || role.airflow.is_some()
            };
        if let Some(other) = service.after.iter().find(|other| !is_known(other)) {
            return Some((name, format!("it comes after `{other}`, which is no service of its role")));
        }
    }
    let mut settled = Vec::new();
    role.services.keys().find_map(|name| {
        let circle = circle(&role.services, name, &mut Vec::new(), &mut settled)?;
        Some((circle[0], format!("it comes after itself: {}", circle.join(" after "))))
    })
}

/// The names on the way from a service back to itself, if there is one.
fn circle<'a>(
    services: &'a BTreeMap<String, Service>,
    name: &'a str,
    above: &mut Vec<&'a str>,
    settled: &mut Vec<&'a str>,
) -> Option<Vec<&'a str>> {
    if let Some(begin) = above.iter().position(|it| *it == name) {
        return Some(above[begin..].iter().copied().chain([name]).collect());
    }
    if settled.contains(&name) {
        return None;
    }
    above.push(name);
    let after = services.get(name).into_iter().flat_map(|service| &service.after);
    let found = after.into_iter().find_map(|other| circle(services, other, above, settled));
    above.pop();
    settled.push(name);
    found
}
