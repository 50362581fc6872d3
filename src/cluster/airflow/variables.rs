//! Airflow's configuration, as variables: they win over any `airflow.cfg`.

use std::collections::BTreeMap;

use super::{DAGS, HOME, Plan, services};
use crate::spec::project::AirflowPart;

/// The URL of a database of Redis.
pub(super) fn redis(database: u32) -> String {
    format!("redis://:${{REDIS_PASSWORD}}@${{REDIS_HOST}}:6379/{database}")
}

impl Plan<'_> {
    /// Which variables name the host of which service.
    pub(super) fn hosts(&self, part: AirflowPart) -> BTreeMap<String, String> {
        let variables = self.variables(part);
        let named = [
            ("REDIS_HOST", services::REDIS),
            ("POSTGRES_HOST", services::DATABASE),
            ("WEB_HOST", self.web()),
            ("FLOWER_HOST", services::FLOWER),
        ];
        let named = named.into_iter().filter(|(name, _)| variables.contains_key(*name));
        // A worker's own is where its DAGs are received.
        let receives = part == AirflowPart::Worker && self.syncs();
        named
            .chain(receives.then_some(("NODE_ADDRESS", services::RECEIVER)))
            .filter(|(_, service)| !self.airflow.without.iter().any(|name| name == service))
            .map(|(name, service)| (name.to_owned(), service.to_owned()))
            .collect()
    }

    /// The variables of all services of a part.
    pub(super) fn variables(&self, part: AirflowPart) -> BTreeMap<String, String> {
        let (software, path) = (self.software, &self.airflow.path);
        let is_master = part == AirflowPart::Master;
        let has_database = is_master || !software.is_3();
        let scheme = if self.airflow.tls.is_some() { "https" } else { "http" };
        let mut variables = BTreeMap::new();
        let mut set = |name: &str, value: String| drop(variables.insert(name.to_owned(), value));

        // Where things are; whoever starts a node says what is different.
        set("MASTER_HOST", "master".to_owned());
        set("REDIS_HOST", "${MASTER_HOST}".to_owned());
        if has_database {
            set("POSTGRES_HOST", "${MASTER_HOST}".to_owned());
        }
        // What serves the proxy alone is on the node itself; workers of Airflow 3 ask the web server, too.
        if software.is_3() {
            set("WEB_HOST", "${MASTER_HOST}".to_owned());
        } else if is_master {
            set("WEB_HOST", "127.0.0.1".to_owned());
        }
        if is_master {
            set("REDIS_ADDRESS", "${REDIS_HOST}".to_owned());
            set("POSTGRES_ADDRESS", "${POSTGRES_HOST}".to_owned());
            set("FLOWER_HOST", "127.0.0.1".to_owned());
        }
        set("PUBLIC_URL", format!("{scheme}://localhost"));

        set("AIRFLOW_HOME", HOME.to_owned());
        // Programs keep sockets and caches there, and an image is read-only.
        set("HOME", HOME.to_owned());
        let mut airflow = |section: &str, key: &str, value: String| {
            drop(variables.insert(format!("AIRFLOW__{section}__{key}"), value));
        };
        airflow("CORE", "EXECUTOR", "CeleryExecutor".to_owned());
        airflow("CORE", "DAGS_FOLDER", DAGS.to_owned());
        airflow("CORE", "LOAD_EXAMPLES", "False".to_owned());
        airflow("CORE", "FERNET_KEY", "${FERNET_KEY}".to_owned());
        airflow("CELERY", "BROKER_URL", redis(0));
        // Airflow's own answer, which it warns of where nobody has said so: a task may take a day.
        airflow("CELERY_BROKER_TRANSPORT_OPTIONS", "VISIBILITY_TIMEOUT", "86400".to_owned());
        let postgres = "postgresql+psycopg2://airflow:${POSTGRES_PASSWORD}@${POSTGRES_HOST}:5432/airflow";
        if has_database {
            let section = if software.is_from(2, 3) { "DATABASE" } else { "CORE" };
            airflow(section, "SQL_ALCHEMY_CONN", postgres.to_owned());
        }
        // Workers of Airflow 3 know no database.
        let results = if software.is_3() { redis(1) } else { format!("db+{postgres}") };
        airflow("CELERY", "RESULT_BACKEND", results);
        let section = if software.is_3() { "API" } else { "WEBSERVER" };
        airflow(section, "BASE_URL", format!("${{PUBLIC_URL}}{path}"));
        airflow(section, "SECRET_KEY", "${WEB_SECRET}".to_owned());
        if software.is_3() {
            // Where 3.0.0 and 3.0.1 look for it.
            airflow("WEBSERVER", "SECRET_KEY", "${WEB_SECRET}".to_owned());
            airflow(
                "CORE",
                "EXECUTION_API_SERVER_URL",
                format!("http://${{WEB_HOST}}:8080{path}/execution/"),
            );
            let manager = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager";
            airflow("CORE", "AUTH_MANAGER", manager.to_owned());
            if is_master {
                airflow("API_AUTH", "JWT_SECRET", "${JWT_SECRET}".to_owned());
            }
        } else if self.airflow.tls.is_some() {
            airflow("WEBSERVER", "COOKIE_SECURE", "True".to_owned());
        }
        if software.is_1() {
            // The web server with users; the other one of 1.10 lets everybody in.
            airflow("WEBSERVER", "RBAC", "True".to_owned());
        }
        if is_master {
            if software.is_from(2, 4) {
                airflow("SCHEDULER", "ENABLE_HEALTH_CHECK", "True".to_owned());
            }
            if software.is_from(2, 8) {
                airflow("SCHEDULER", "SCHEDULER_HEALTH_CHECK_SERVER_HOST", "127.0.0.1".to_owned());
            }
            if software.has_flower() && !self.airflow.flower_path.is_empty() {
                airflow("CELERY", "FLOWER_URL_PREFIX", self.airflow.flower_path.clone());
            }
        }
        variables
    }
}
