//! Every version that is known, beside what was run of it.

use super::*;
use crate::spec::project::{DagSync, Readiness, Tls};

fn software(airflow: &str, flower: &str) -> Software {
    let packages = [
        ("apache-airflow", airflow),
        ("flower", flower),
        ("celery", "5"),
        ("apache-airflow-providers-celery", "3"),
        ("apache-airflow-providers-fab", "3"),
    ];
    Software::of(packages.into_iter().filter(|(name, _)| airflow != "1.10.1" || !name.contains("providers")))
        .unwrap()
}

fn seed() -> Software {
    software("1.10.1", "0.9.2")
}

fn two() -> Software {
    software("2.11.2", "2.0.1")
}

fn three() -> Software {
    software("3.3.2", "2.1.0")
}

/// The paths of the seed.
fn choices() -> Airflow {
    Airflow {
        path: "/myorg/airflow".to_owned(),
        flower_path: "/myorg/flower".to_owned(),
        ..Airflow::default()
    }
}

fn roles(airflow: &Airflow, software: &Software) -> BTreeMap<String, Role> {
    let part = |part| Role { airflow: Some(part), ..Role::default() };
    let stated = BTreeMap::from([
        ("master".to_owned(), part(AirflowPart::Master)),
        ("worker".to_owned(), part(AirflowPart::Worker)),
    ]);
    expand(&stated, None, airflow, software).map_err(|error| error.to_string()).unwrap().roles
}

fn master(software: &Software) -> Role {
    roles(&choices(), software).remove("master").unwrap()
}

/// The services that are Airflow's own programs, as they are typed, in the order of their names.
fn commands(role: &Role) -> Vec<String> {
    let of_airflow = |service: &&Service| {
        service.command[0] == "airflow" || service.command.contains(&"answer".to_owned())
    };
    role.services.values().filter(of_airflow).map(|service| service.command.join(" ")).collect()
}

const ADMIN: &str =
    "--role Admin --username admin --firstname Admin --lastname Admin --email admin@localhost";
const ANSWER: &str = "/opt/envlock/role/bin/envlock-node answer /var/lib/airflow/.admin-made";

#[test]
fn the_commands_of_the_seed() {
    let create = format!("{ANSWER} ADMIN_PASSWORD airflow create_user {ADMIN}");
    assert_eq!(
        commands(&master(&seed())),
        [
            create.as_str(),
            "airflow initdb",
            "airflow flower --hostname ${FLOWER_HOST} --port 5555",
            "airflow scheduler",
            "airflow webserver --hostname ${WEB_HOST} --port 8080 --pid ${ENVLOCK_FILES}/pid",
            "airflow worker --pid ${ENVLOCK_FILES}/pid",
        ]
    );
    assert_eq!(
        commands(&roles(&choices(), &seed())["worker"]),
        ["airflow worker --pid ${ENVLOCK_FILES}/pid"]
    );
}

#[test]
fn the_commands_of_airflow_2_and_3() {
    let create = format!("{ANSWER} ADMIN_PASSWORD airflow users create {ADMIN}");
    let flower = "airflow celery flower --hostname ${FLOWER_HOST} --port 5555";
    assert_eq!(
        commands(&master(&two())),
        [
            create.as_str(),
            "airflow db migrate",
            flower,
            "airflow scheduler",
            "airflow triggerer",
            "airflow webserver --hostname ${WEB_HOST} --port 8080 --pid ${ENVLOCK_FILES}/pid",
            "airflow celery worker --pid ${ENVLOCK_FILES}/pid",
        ]
    );
    assert_eq!(
        commands(&master(&three())),
        [
            create.as_str(),
            "airflow api-server --port 8080",
            "airflow dag-processor",
            "airflow db migrate",
            flower,
            "airflow scheduler",
            "airflow triggerer",
            "airflow celery worker --pid ${ENVLOCK_FILES}/pid",
        ]
    );
    assert!(commands(&master(&software("2.0.2", "1.0"))).contains(&"airflow db upgrade".to_owned()));
    assert_eq!(
        commands(&roles(&choices(), &three())["worker"]),
        ["airflow celery worker --pid ${ENVLOCK_FILES}/pid"]
    );
}

/// What comes after what, of everything that does.
fn order(role: &Role) -> Vec<(&str, String)> {
    let services = role.services.iter().filter(|(_, service)| !service.after.is_empty());
    services.map(|(name, service)| (name.as_str(), service.after.join(" "))).collect()
}

#[test]
fn nothing_starts_before_what_it_needs() {
    let expected = [
        ("admin", "db-migrate"),
        ("dag-sync", "redis"),
        ("db-migrate", "postgresql"),
        ("flower", "redis worker"),
        ("nginx", "webserver"),
        ("postgresql", "postgresql-init"),
        ("scheduler", "db-migrate redis"),
        ("triggerer", "db-migrate"),
        ("webserver", "db-migrate"),
        ("worker", "db-migrate redis"),
    ];
    assert_eq!(order(&master(&two())), expected.map(|(name, after)| (name, after.to_owned())));
    // Its tasks ask the web server until they end.
    assert_eq!(master(&three()).services["worker"].after, ["api-server", "db-migrate", "redis"]);
    for software in [seed(), two(), three()] {
        let role = master(&software);
        let once: Vec<&str> =
            role.services.iter().filter(|(_, service)| service.once).map(|(name, _)| name.as_str()).collect();
        assert_eq!(once, ["admin", "db-migrate", "postgresql-init"]);
        assert!(role.publishes && role.services["worker"].guard);
        assert_eq!(crate::cluster::services(&role)["publish"].after, ["db-migrate", "postgresql-init"]);
        assert!(roles(&choices(), &software)["worker"].services["worker"].guard);
    }
}

#[test]
fn the_configuration_is_variables() {
    let of = |software: &Software, part: &str, name: &str| {
        roles(&choices(), software)[part].environment.get(name).cloned()
    };
    let database = "postgresql+psycopg2://airflow:${POSTGRES_PASSWORD}@${POSTGRES_HOST}:5432/airflow";
    for (name, seed_has, two_has, three_has) in [
        ("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor", "CeleryExecutor", "CeleryExecutor"),
        ("AIRFLOW__CORE__SQL_ALCHEMY_CONN", database, "", ""),
        ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "", database, database),
        ("AIRFLOW__WEBSERVER__BASE_URL", "${PUBLIC_URL}/myorg/airflow", "${PUBLIC_URL}/myorg/airflow", ""),
        ("AIRFLOW__API__BASE_URL", "", "", "${PUBLIC_URL}/myorg/airflow"),
        ("AIRFLOW__WEBSERVER__SECRET_KEY", "${WEB_SECRET}", "${WEB_SECRET}", "${WEB_SECRET}"),
        ("AIRFLOW__API__SECRET_KEY", "", "", "${WEB_SECRET}"),
        ("AIRFLOW__API_AUTH__JWT_SECRET", "", "", "${JWT_SECRET}"),
        ("AIRFLOW__WEBSERVER__RBAC", "True", "", ""),
        ("AIRFLOW__CELERY__FLOWER_URL_PREFIX", "/myorg/flower", "/myorg/flower", "/myorg/flower"),
        (
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
            "",
            "",
            "http://${WEB_HOST}:8080/myorg/airflow/execution/",
        ),
    ] {
        for (software, expected) in [(seed(), seed_has), (two(), two_has), (three(), three_has)] {
            assert_eq!(of(&software, "master", name).unwrap_or_default(), expected, "{name} {software:?}");
        }
    }
    // Workers of Airflow 3 need neither the database nor what signs their tokens.
    let worker = roles(&choices(), &three()).remove("worker").unwrap();
    let text = format!("{worker:?}");
    assert!(!text.contains("POSTGRES") && !text.contains("JWT_SECRET"), "{text}");
    assert_eq!(
        worker.environment["AIRFLOW__CELERY__RESULT_BACKEND"],
        "redis://:${REDIS_PASSWORD}@${REDIS_HOST}:6379/1"
    );
    assert_eq!(of(&two(), "worker", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN").unwrap(), database);
    assert_eq!(of(&two(), "worker", "AIRFLOW__CELERY__RESULT_BACKEND").unwrap(), format!("db+{database}"));
}

fn nginx(airflow: &Airflow, software: &Software) -> String {
    let files = &roles(airflow, software)["master"].services["nginx"].files;
    files["nginx.conf"].replace("include server.conf;", &files["server.conf"])
}

/// The seed's two servers have one name, so the second one was never asked: here they are one.
#[test]
fn nginx_has_both_paths_of_the_seed_on_one_server() {
    let text = nginx(&choices(), &seed());
    assert_eq!(text.matches("server {").count(), 1);
    for line in [
        "location /myorg/airflow/ { proxy_pass http://${WEB_HOST}:8080; }",
        "location /myorg/flower/ { rewrite ^/myorg/flower/(.*)$ /$1 break; proxy_pass http://${FLOWER_HOST}:5555; }",
        "proxy_redirect off;",
        "proxy_http_version 1.1;",
        "proxy_set_header Upgrade $http_upgrade;",
        "location = /health { proxy_pass http://${WEB_HOST}:8080/myorg/airflow/health; }",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("X-Forwarded-Prefix"));
    for software in [two(), three()] {
        let text = nginx(&choices(), &software);
        assert!(
            text.contains("location /myorg/flower/ { proxy_pass http://${FLOWER_HOST}:5555; }"),
            "{text}"
        );
        assert!(!text.contains("rewrite"), "{text}");
    }
    assert!(nginx(&choices(), &three()).contains(":8080/myorg/airflow/api/v2/monitor/health;"));
}

#[test]
fn nginx_at_the_root_and_with_tls() {
    let tls = Tls { certificate: "/run/secrets/tls.crt".to_owned(), key: "/run/secrets/tls.key".to_owned() };
    let airflow = Airflow { path: String::new(), tls: Some(tls), ..Airflow::default() };
    let text = nginx(&airflow, &two());
    assert!(
        text.contains("listen 443 ssl;") && text.contains("ssl_certificate_key /run/secrets/tls.key;"),
        "{text}"
    );
    assert!(
        text.contains("location / { proxy_pass http://${WEB_HOST}:8080; }")
            && !text.contains("location = / {")
    );
    let role = roles(&airflow, &two()).remove("master").unwrap();
    assert_eq!(role.services["nginx"].ports, [80, 443]);
    assert_eq!(role.environment["PUBLIC_URL"], "https://localhost");
    assert_eq!(role.environment["AIRFLOW__WEBSERVER__BASE_URL"], "${PUBLIC_URL}");
}

#[test]
fn what_something_else_does_is_left_out_and_not_waited_for() {
    let without = ["postgresql", "flower"].map(str::to_owned).into();
    let airflow = Airflow { without, sync: DagSync::SharedVolume, ..choices() };
    let roles = roles(&airflow, &two());
    let names: Vec<&String> = roles["master"].services.keys().collect();
    assert_eq!(
        names,
        ["admin", "db-migrate", "nginx", "redis", "scheduler", "triggerer", "webserver", "worker"]
    );
    assert!(roles["master"].services["db-migrate"].after.is_empty());
    assert!(!nginx(&airflow, &two()).contains("flower"));
    assert_eq!(roles["worker"].services.keys().collect::<Vec<_>>(), ["worker"]);
    let unknown = Airflow { without: vec!["mysql".to_owned()], ..choices() };
    let part = Role { airflow: Some(AirflowPart::Master), ..Role::default() };
    let error = expand(&BTreeMap::from([("m".to_owned(), part)]), None, &unknown, &two()).err().unwrap();
    assert_eq!(error.to_string(), "`airflow: without` names mysql, which the master does not have");
}

#[test]
fn what_a_project_states_wins() {
    let own = Service { command: vec!["true".to_owned()], ..Service::default() };
    let part = Role {
        airflow: Some(AirflowPart::Master),
        services: BTreeMap::from([("flower".to_owned(), own.clone())]),
        environment: BTreeMap::from([("AIRFLOW__CORE__LOAD_EXAMPLES".to_owned(), "True".to_owned())]),
        volumes: vec!["/data".to_owned()],
        secrets: vec!["S3_KEY".to_owned()],
        ..Role::default()
    };
    let cluster = Cluster { name: "other".to_owned(), broker: "redis://elsewhere/0".to_owned() };
    let stated = BTreeMap::from([("master".to_owned(), part)]);
    let expanded = expand(&stated, Some(&cluster), &choices(), &two()).ok().unwrap();
    let role = &expanded.roles["master"];
    assert_eq!(role.services["flower"], own);
    assert_eq!(role.environment["AIRFLOW__CORE__LOAD_EXAMPLES"], "True");
    assert_eq!(role.volumes, ["/data", "/var/lib/airflow", "/var/lib/airflow/dags", "/var/lib/envlock"]);
    assert_eq!(role.secrets, ["CLUSTER_SECRET", "S3_KEY"]);
    assert_eq!(expanded.cluster, cluster);
}

#[test]
fn what_does_not_run_as_a_cluster_is_refused() {
    let refused = |packages: &[(&str, &str)]| {
        let software = Software::of(packages.iter().copied()).unwrap();
        expand(&BTreeMap::new(), None, &choices(), &software).err().unwrap().to_string()
    };
    assert!(refused(&[("apache-airflow", "1.9.0"), ("celery", "4")]).contains("Airflow 1.9 is locked"));
    assert!(refused(&[("apache-airflow", "4.0.0")]).contains("whose services are not known"));
    assert!(refused(&[("apache-airflow", "2.11.2"), ("celery", "5")]).contains("without Celery"));
    let celery = [("apache-airflow", "3.3.2"), ("celery", "5"), ("apache-airflow-providers-celery", "3")];
    assert!(refused(&celery).contains("without apache-airflow-providers-fab"));
    assert_eq!(Software::of([("celery", "5")]), None);
}

/// No secret has a value, and what comes of the shared one is nothing that could be guessed without it.
#[test]
fn secrets_are_made_or_given_and_never_stated() {
    for software in [seed(), two(), three()] {
        for (name, role) in roles(&choices(), &software) {
            assert_eq!(role.secrets, ["CLUSTER_SECRET"]);
            assert_eq!(role.makes.contains_key("ADMIN_PASSWORD"), name == "master");
            assert!(role.derives["FERNET_KEY"].base64 && !role.derives["REDIS_PASSWORD"].base64);
        }
        let services = master(&software).services;
        assert_eq!(services["flower"].environment["FLOWER_BASIC_AUTH"], "admin:${ADMIN_PASSWORD}");
        assert!(services["redis"].files["redis.conf"].contains("requirepass \"${REDIS_PASSWORD}\"\n"));
        assert!(
            services["postgresql"].files["pg_hba.conf"]
                .lines()
                .skip(1)
                .all(|line| line.ends_with("scram-sha-256"))
        );
    }
}

#[test]
fn it_is_known_whether_airflow_is_well() {
    let asks = |software: &Software, name: &str| master(software).services[name].readiness.clone();
    let http = |url: &str| Some(Readiness::Http(url.to_owned()));
    assert_eq!(asks(&two(), "webserver"), http("http://${WEB_HOST}:8080/myorg/airflow/health"));
    assert_eq!(
        asks(&three(), "api-server"),
        http("http://127.0.0.1:8080/myorg/airflow/api/v2/monitor/health")
    );
    assert_eq!(asks(&two(), "scheduler"), http("http://127.0.0.1:8974/health"));
    assert_eq!(asks(&seed(), "scheduler"), None);
}

/// Where each service has a container of its own, it is found by its own name, and waits for others by what they are.
#[test]
fn compose_knows_who_is_where_and_after_whom() {
    let roles = roles(&choices(), &two());
    let text =
        crate::cluster::compose::render(&roles, |role| format!("{role}-image"), &BTreeMap::new()).unwrap();
    let file: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
    let service = |name: &str| &file["services"][name];
    for (name, variable, host) in [
        ("scheduler", "POSTGRES_HOST", "postgresql"),
        ("nginx", "WEB_HOST", "webserver"),
        ("nginx", "FLOWER_HOST", "flower"),
        ("worker-worker", "REDIS_HOST", "redis"),
        // What announces a worker is not what receives for it.
        ("dag-join", "NODE_ADDRESS", "dag-receiver"),
    ] {
        assert_eq!(service(name)["environment"][variable], host, "{name}");
    }
    for (name, other, condition) in [
        ("db-migrate", "postgresql", "service_healthy"),
        ("scheduler", "db-migrate", "service_completed_successfully"),
        ("flower", "master-worker", "service_healthy"),
        ("dag-receiver", "dag-join", "service_healthy"),
    ] {
        assert_eq!(service(name)["depends_on"][other]["condition"], condition, "{name}");
    }
    assert_eq!(service("db-migrate")["restart"], "on-failure");
    assert_eq!(service("scheduler")["restart"], "unless-stopped");
    assert_eq!(service("postgresql")["stop_signal"], "SIGINT");
    assert_eq!(service("redis").get("stop_signal"), None);
}

/// One folder of DAGs is one volume, whatever the role.
#[test]
fn compose_has_one_volume_of_dags_where_it_is_shared() {
    let airflow = Airflow { sync: DagSync::SharedVolume, ..choices() };
    let text =
        crate::cluster::compose::render(&roles(&airflow, &two()), str::to_owned, &BTreeMap::new()).unwrap();
    let file: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
    for name in ["scheduler", "webserver", "master-worker", "worker-worker"] {
        let volumes = file["services"][name]["volumes"].as_sequence().unwrap();
        let source = |path| &volumes.iter().find(|it| it["target"] == path).unwrap()["source"];
        assert_eq!(source("/var/lib/airflow/dags"), "shared.__var__lib__airflow__dags", "{name}");
        assert_ne!(source("/var/lib/airflow"), source("/var/lib/airflow/dags"));
    }
}
