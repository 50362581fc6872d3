//! The cluster of Airflow: which services master and workers have, by the version that is locked.
//!
//! Guarantees: the same choices and the same version give the same roles. What a project states itself wins over what is
//! usual: a service of the same name, a variable, a cluster.
//!
//! Sources: Airflow's references of commands and of configuration, of 1.10.1, 2.11 and 3.x; what of it was run is in
//! `docs/airflow.md`.

mod nginx;
mod services;
#[cfg(test)]
mod tests;
mod variables;
mod version;

use std::collections::BTreeMap;

pub use version::Software;

use crate::spec::{
    Error,
    project::{Airflow, AirflowPart, Cluster, Derived, Role, Service, role_fault},
};

/// `AIRFLOW_HOME`, with the logs of a node.
const HOME: &str = "/var/lib/airflow";
/// Where the DAGs of a node are.
const DAGS: &str = "/var/lib/airflow/dags";
/// Where a node keeps what it has made for itself: secrets and keys.
const KEPT: &str = "/var/lib/envlock";
/// The one secret that all nodes share; all others come of it.
const CLUSTER_SECRET: &str = "CLUSTER_SECRET";
/// The password of the user `admin` of Airflow and of Flower.
const ADMIN_PASSWORD: &str = "ADMIN_PASSWORD";

/// What of a project becomes of Airflow's version.
pub struct Expanded {
    /// The cluster: the project's own, or the usual.
    pub cluster: Cluster,
    /// All roles, and none that is still a part of Airflow.
    pub roles: BTreeMap<String, Role>,
}

/// What every part is made from.
struct Plan<'a> {
    airflow: &'a Airflow,
    software: &'a Software,
}

/// Puts services in the place of `airflow: master` and `airflow: worker`.
///
/// # Errors
/// If what is locked does not run as such a cluster, or a service that is named is none of it.
pub fn expand(
    roles: &BTreeMap<String, Role>,
    cluster: Option<&Cluster>,
    airflow: &Airflow,
    software: &Software,
) -> Result<Expanded, Error> {
    software.check()?;
    let plan = Plan { airflow, software };
    let mut expanded = BTreeMap::new();
    for (name, stated) in roles {
        let role = match stated.airflow {
            None => stated.clone(),
            Some(part) => plan.role(part, stated)?,
        };
        if let Some(fault) = role_fault(&role) {
            return Err(Error::usage(
                format!("role `{name}`: {fault}"),
                "see docs/airflow.md for the services that a part of Airflow has",
            ));
        }
        expanded.insert(name.clone(), role);
    }
    let usual = || Cluster { name: "airflow".to_owned(), broker: variables::redis(0) };
    Ok(Expanded { cluster: cluster.cloned().unwrap_or_else(usual), roles: expanded })
}

impl Plan<'_> {
    /// A role with the services of its part, and with what it states itself.
    fn role(&self, part: AirflowPart, stated: &Role) -> Result<Role, Error> {
        let is_master = part == AirflowPart::Master;
        let mut services = if is_master { self.master() } else { self.worker() };
        if is_master {
            self.leave_out(&mut services)?;
        }
        services.extend(stated.services.clone());
        let mut environment = self.variables(part);
        environment.extend(stated.environment.clone());
        let mut secrets = vec![CLUSTER_SECRET.to_owned()];
        secrets.extend(stated.secrets.iter().filter(|name| *name != CLUSTER_SECRET).cloned());
        // DAGs may be on a volume of their own, which other nodes have as well.
        let mut volumes: Vec<String> = [HOME, DAGS, KEPT].map(str::to_owned).into();
        volumes.extend(stated.volumes.clone());
        volumes.sort_unstable();
        volumes.dedup();
        let made: &[&str] = if is_master { &[CLUSTER_SECRET, ADMIN_PASSWORD] } else { &[] };
        let kept = |name: &&str| ((*name).to_owned(), format!("{KEPT}/{name}"));
        Ok(Role {
            system: stated.system.clone(),
            services,
            environment,
            secrets,
            ports: stated.ports.clone(),
            volumes,
            user: stated.user.clone(),
            publishes: is_master,
            airflow: None,
            makes: made.iter().map(kept).collect(),
            derives: self.derived(part),
            hosts: self.hosts(part),
            shares: if self.syncs() { Vec::new() } else { vec![DAGS.to_owned()] },
        })
    }

    /// Takes away what something else does the work of, and waits for none of it.
    fn leave_out(&self, services: &mut BTreeMap<String, Service>) -> Result<(), Error> {
        for name in &self.airflow.without {
            if services.remove(name).is_none() {
                let known: Vec<&str> = services.keys().map(String::as_str).collect();
                return Err(Error::usage(
                    format!("`airflow: without` names {name}, which the master does not have"),
                    format!("it has {}", known.join(", ")),
                ));
            }
            if name == services::DATABASE {
                services.remove(services::DATABASE_INIT);
            }
        }
        let left: Vec<String> = services.keys().cloned().collect();
        for service in services.values_mut() {
            service.after.retain(|name| left.contains(name));
        }
        Ok(())
    }

    /// What comes of the secret of the cluster.
    fn derived(&self, part: AirflowPart) -> BTreeMap<String, Derived> {
        let mut names = vec![
            ("REDIS_PASSWORD", false),
            ("FERNET_KEY", true),
            ("WEB_SECRET", false),
            ("SYNC_SECRET", false),
        ];
        if part == AirflowPart::Master || !self.software.is_3() {
            names.push(("POSTGRES_PASSWORD", false));
        }
        if part == AirflowPart::Master && self.software.is_3() {
            names.push(("JWT_SECRET", false));
        }
        let derived = |base64| Derived { from: CLUSTER_SECRET.to_owned(), base64 };
        names.into_iter().map(|(name, base64)| (name.to_owned(), derived(base64))).collect()
    }
}
