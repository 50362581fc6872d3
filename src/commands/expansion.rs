//! What the roles of a project become of the versions that are locked.

use std::collections::BTreeMap;

use crate::{
    cluster::airflow::{self, Software},
    error::Error,
    lock::LockedEnvironment,
    spec::{
        self, Inputs,
        project::{Cluster, Role},
    },
};

/// The cluster and the roles as the lock states them.
///
/// # Errors
/// If roles are parts of Airflow, and what is locked does not run as such a cluster.
pub(super) fn expand(
    inputs: &Inputs,
    environments: &[LockedEnvironment],
) -> Result<(Option<Cluster>, BTreeMap<String, Role>), Error> {
    let Some(stated) = &inputs.airflow else { return Ok((inputs.cluster.clone(), inputs.roles.clone())) };
    let unfit = |message: &str, hint: &str| Error::from(spec::Error::usage(message, hint));
    let user = environments.iter().find(|environment| environment.name == spec::USER);
    let mut found: Option<Software> = None;
    for locked in user.into_iter().flat_map(|user| user.platforms.values()) {
        let packages =
            locked.packages.iter().map(|package| (package.name.as_str(), package.version.as_str()));
        let software = Software::of(packages).ok_or_else(|| {
            unfit(
                "roles are parts of Airflow, and the environment has no Airflow",
                "add apache-airflow[celery,postgres,redis] to the `pip:` section of the environment file",
            )
        })?;
        if found.as_ref().is_some_and(|other| *other != software) {
            return Err(unfit(
                "the platforms have Airflows that are not started in the same way",
                "ask for one version of Airflow and Flower on all platforms",
            ));
        }
        found = Some(software);
    }
    let Some(software) = found else { return Ok((inputs.cluster.clone(), inputs.roles.clone())) };
    let expanded = airflow::expand(&inputs.roles, inputs.cluster.as_ref(), stated, &software)?;
    Ok((Some(expanded.cluster), expanded.roles))
}
