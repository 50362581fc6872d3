//! What looks like a secret that somebody wrote down: it would enter the lock, the image and the Nix store.
//!
//! Nothing can recognise every secret. This knows how variables and options that hold one are usually named, and
//! passwords in URLs.

use super::super::{Problem, yaml::Node};

const A_URL: &str = "a URL";

/// Words in the name of a variable or an option that holds a secret.
const WORDS: [&str; 12] = [
    "password",
    "passphrase",
    "_pwd",
    "cli_auth",
    "passwd",
    "secret",
    "token",
    "fernet_key",
    "private_key",
    "api_key",
    "access_key",
    "credentials",
];
/// Options that hold one under another name.
const OPTIONS: [&str; 2] = ["--requirepass", "--masterauth"];
/// Endings of names that say where a secret is, not what it is.
const PLACES: [&str; 4] = ["_file", "_path", "_cmd", "_name"];
/// Endings of Airflow's variables that name a secret of its back end.
const AIRFLOW_PLACES: [&str; 4] = ["_conn_secret", "_key_secret", "_password_secret", "_url_secret"];

const HINT: &str = "it would be readable in the lock and in every image: name the variable below a role's `secrets:` \
                    in envlock.yml, and write `${NAME}` where its value belongs";

/// Refuses a variable that holds a secret.
pub(in crate::spec) fn check_variable(
    file: &str,
    node: &Node,
    name: &str,
    value: &str,
) -> Result<(), Problem> {
    in_variable(name, value).map_or(Ok(()), |what| Err(literal(file, node, &what)))
}

/// Refuses a command that holds a secret, given with the nodes of its words.
pub(super) fn check_command(file: &str, nodes: &[Node], words: &[String]) -> Result<(), Problem> {
    match in_command(words) {
        Some((index, what)) => Err(literal(file, &nodes[index], &what)),
        None => Ok(()),
    }
}

/// Refuses a text with a password in a URL.
pub(super) fn check_text(file: &str, node: &Node, text: &str) -> Result<(), Problem> {
    if in_text(text) { Err(literal(file, node, A_URL)) } else { Ok(()) }
}

/// What of a variable holds a secret.
pub(in crate::spec) fn in_variable(name: &str, value: &str) -> Option<String> {
    let names_one = is_secret_name(name) && !value.is_empty() && !is_place(name, value);
    if names_one { Some(format!("`{name}`")) } else { in_text(value).then(|| A_URL.to_owned()) }
}

/// Which word of a command holds a secret, and what of it.
pub(super) fn in_command(words: &[String]) -> Option<(usize, String)> {
    let is_redis_cli = words.first().is_some_and(|program| program.rsplit('/').next() == Some("redis-cli"));
    words.iter().enumerate().find_map(|(index, word)| {
        if in_text(word) {
            return Some((index, A_URL.to_owned()));
        }
        if !word.starts_with('-') {
            return None;
        }
        let (option, value) = match word.split_once('=') {
            Some((option, value)) => (option, Some(value)),
            None => (word.as_str(), words.get(index + 1).map(String::as_str)),
        };
        let value = value.filter(|value| !value.starts_with('-') && !value.is_empty())?;
        let names_one = OPTIONS.contains(&option) || is_secret_name(option) || is_redis_cli && option == "-a";
        (names_one && !is_place(option, value)).then(|| (index, format!("`{option}`")))
    })
}

/// Whether a text has a password in a URL.
pub(super) fn in_text(text: &str) -> bool {
    text.match_indices("://").any(|(at, _)| {
        let rest = text[at + 3..].split([' ', '\'', '"']).next().unwrap_or_default();
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let user_info = authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':'));
        let in_query = rest.split(['?', '&']).skip(1).filter_map(|part| part.split_once('='));
        let in_query = in_query.filter(|(name, _)| is_secret_name(name)).map(|(_, value)| value);
        let mut passwords = user_info.map(|(_, password)| password).into_iter().chain(in_query);
        passwords.any(|password| !password.is_empty() && !is_reference(password))
    })
}

/// Whether a value is taken from a variable, and from nothing that is written here.
fn is_reference(value: &str) -> bool {
    value.starts_with("${") && value.split(":-").skip(1).all(|default| default.starts_with('}'))
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    WORDS.iter().any(|word| name.contains(word))
}

/// Whether a variable or option says where the secret is.
fn is_place(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    // A key in base64 may begin like a path; a path does not end like a key.
    let path = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let is_path = value.starts_with('/') && value.chars().all(path);
    is_reference(value) || is_path || ends(&PLACES) || name.starts_with("airflow__") && ends(&AIRFLOW_PLACES)
}

fn literal(file: &str, node: &Node, what: &str) -> Problem {
    node.problem(file, format!("{what} holds a secret in plain text")).with_hint(HINT)
}

#[cfg(test)]
mod tests {
    use super::super::super::yaml;
    use super::*;

    #[test]
    fn what_looks_like_a_secret() {
        let node = yaml::parse("f", "x").unwrap();
        let refused = |name: &str, value: &str| check_variable("f", &node, name, value).is_err();
        assert!(refused("REDIS_PASSWORD", "hunter2"));
        assert!(refused("AIRFLOW__CORE__FERNET_KEY", "abc="));
        assert!(refused("BROKER", "redis://:hunter2@master:6379/0"));
        assert!(refused("BROKER", "amqp://me:pass@h"));
        assert!(!refused("BROKER", "redis://:${REDIS_PASSWORD}@master:6379/0"));
        assert!(!refused("BROKER", "redis://master:6379/0"));
        assert!(!refused("REDIS_PASSWORD", ""));
        assert!(!refused("REDIS_PASSWORD_FILE", "redis.txt"));
        assert!(!refused("AIRFLOW__CORE__FERNET_KEY_CMD", "cat key"));
        assert!(!refused("MESSAGE", "mail me@host: soon"));
        for (name, value) in [
            ("CLIENT_SECRET", "x"),
            ("AIRFLOW__API_AUTH__JWT_SECRET", "x"),
            ("DB_PASSWORD", "${X:-hunter2}"),
            ("BROKER", "unix:///r.sock?password=hunter2"),
            ("BROKER", "redis://:${X:-hunter2}@h"),
            ("REDISCLI_AUTH", "x"),
            ("FERNET_KEY", "/abcdefghijklmnopqrstuvwxyzabcdefghijklmnop="),
        ] {
            assert!(refused(name, value), "{name}");
        }
        for (name, value) in [
            ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_SECRET", "airflow/db"),
            ("DB_PASSWORD", "${X:-}"),
            ("BROKER", "unix:///r.sock?password=${PASSWORD}&db=1"),
            ("FERNET_KEY", "/run/secrets/fernet-key"),
        ] {
            assert!(!refused(name, value), "{name}");
        }
        let command = |words: &[&str]| {
            let nodes: Vec<_> = words.iter().map(|_| node.clone()).collect();
            let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
            check_command("f", &nodes, &words).is_err()
        };
        assert!(command(&["redis-server", "--requirepass", "hunter2"]));
        assert!(command(&["x", "--db-password=hunter2"]));
        assert!(command(&["/p/bin/redis-cli", "-a", "hunter2", "ping"]));
        assert!(!command(&["redis-cli", "-a", "${PASSWORD}", "ping"]));
        assert!(!command(&["ls", "-a", "x"]));
        assert!(command(&["celery", "-b", "redis://:a@b/0"]));
        assert!(!command(&["redis-server", "--requirepass", "${REDIS_PASSWORD}"]));
        assert!(!command(&["x", "--password-file", "/run/secrets/x"]));
        assert!(!command(&["x", "--ask-password", "--verbose"]));
    }
}
