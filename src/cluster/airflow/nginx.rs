//! NGINX before Airflow and Flower: each below its own path, on one host.
//!
//! Airflow 2 and 3 take the path from their base URL, as does 1.10; so does Flower from 1.0 on, whereas older ones want to
//! be asked without it. Nothing here sends `X-Forwarded-Prefix`: together with a path in the base URL it would count twice.

use std::{collections::BTreeMap, fmt::Write};

use super::Plan;
use crate::spec::project::{Readiness, Service};

/// The service, which reads its configuration from a file of its own.
pub(super) fn service(plan: &Plan) -> Service {
    let command = ["nginx", "-p", "${ENVLOCK_FILES}", "-e", "stderr", "-c", "${ENVLOCK_FILES}/nginx.conf"];
    Service {
        command: command.map(str::to_owned).into(),
        files: BTreeMap::from([
            ("nginx.conf".to_owned(), configuration(plan)),
            ("server.conf".to_owned(), server(plan)),
        ]),
        ports: if plan.airflow.tls.is_some() { vec![80, 443] } else { vec![80] },
        readiness: Some(Readiness::Tcp(80)),
        after: vec![plan.web().to_owned()],
        ..Service::default()
    }
}

/// The configuration but for what is shown; `${NAME}` in it is replaced when NGINX starts, `$name` is NGINX's own.
fn configuration(plan: &Plan) -> String {
    let mut text = String::from(
        "daemon off;\nworker_processes auto;\npid nginx.pid;\nerror_log stderr;\nevents {}\nhttp {\n    access_log off;\n",
    );
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        let _ = writeln!(text, "    {kind}_temp_path {kind};");
    }
    text.push_str(
        "    # A connection is upgraded where its client asks for it, and kept for a while otherwise.\n    \
         map $http_upgrade $connection_upgrade {\n        default upgrade;\n        '' close;\n    }\n",
    );
    match &plan.airflow.tls {
        None => text.push_str("    server {\n        listen 80;\n"),
        Some(tls) => {
            let _ = write!(
                text,
                "    server {{\n        listen 80;\n        return 301 https://$host$request_uri;\n    }}\n    \
                 server {{\n        listen 443 ssl;\n        ssl_certificate {};\n        ssl_certificate_key {};\n",
                tls.certificate, tls.key
            );
        }
    }
    text.push_str("        include server.conf;\n    }\n}\n");
    text
}

/// What a server shows, also where somebody else's NGINX has it.
fn server(plan: &Plan) -> String {
    let (path, flower, has_flower) = (&plan.airflow.path, &plan.airflow.flower_path, plan.has_flower());
    let web = "http://${WEB_HOST}:8080";
    let mut text = String::from(
        "# Behind a port that is mapped, only the client knows host and port.\nabsolute_redirect off;\n\
         proxy_redirect off;\nproxy_http_version 1.1;\nproxy_set_header Host $http_host;\n\
         proxy_set_header X-Forwarded-Proto $scheme;\nproxy_set_header Upgrade $http_upgrade;\n\
         proxy_set_header Connection $connection_upgrade;\n",
    );
    let mut location = |place: String, does: String| {
        let _ = writeln!(text, "location {place} {{ {does} }}");
    };
    location("= /health".to_owned(), format!("proxy_pass {web}{path}{};", plan.health()));
    if !path.is_empty() {
        location(format!("= {path}"), format!("return 302 {path}/;"));
    }
    location(format!("{path}/"), format!("proxy_pass {web};"));
    if has_flower {
        if !flower.is_empty() {
            location(format!("= {flower}"), format!("return 302 {flower}/;"));
        }
        let rewrite = if plan.software.flower_knows_its_prefix() || flower.is_empty() {
            String::new()
        } else {
            format!("rewrite ^{}/(.*)$ /$1 break; ", flower.replace('.', "\\."))
        };
        location(format!("{flower}/"), format!("{rewrite}proxy_pass http://${{FLOWER_HOST}}:5555;"));
    }
    if !path.is_empty() && (!flower.is_empty() || !has_flower) {
        location("= /".to_owned(), format!("return 302 {path}/;"));
    }
    text
}
