//! What looks like a secret that somebody wrote down: it would enter the lock, the image and the Nix store.
//!
//! Nothing can recognise every secret. This knows how variables and options that hold one are usually named, and
//! passwords in URLs.

use super::super::{Problem, yaml::Node};

/// Words in the name of a variable or an option that holds a secret.
const WORDS: [&str; 9] = [
    "password",
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
const PLACES: [&str; 5] = ["_file", "_path", "_cmd", "_secret", "_name"];

const HINT: &str = "it would be readable in the lock and in every image: name the variable below a role's `secrets:` \
                    in envlock.yml, and write `${NAME}` where its value belongs";

/// Refuses a variable that holds a secret.
pub(in crate::spec) fn check_variable(
    file: &str,
    node: &Node,
    name: &str,
    value: &str,
) -> Result<(), Problem> {
    let names_one = is_secret_name(name) && !value.is_empty() && !is_place(name, value);
    if names_one { Err(literal(file, node, &format!("`{name}`"))) } else { check_text(file, node, value) }
}

/// Refuses a command that holds a secret, given with the nodes of its words.
pub(super) fn check_command(file: &str, nodes: &[Node], words: &[String]) -> Result<(), Problem> {
    for (index, (node, word)) in nodes.iter().zip(words).enumerate() {
        check_text(file, node, word)?;
        if !word.starts_with('-') {
            continue;
        }
        let (option, value) = match word.split_once('=') {
            Some((option, value)) => (option, Some(value)),
            None => (word.as_str(), words.get(index + 1).map(String::as_str)),
        };
        let value = value.filter(|value| !value.starts_with('-') && !value.is_empty());
        let names_one = OPTIONS.contains(&option) || is_secret_name(option);
        if let Some(value) = value
            && names_one
            && !is_place(option, value)
        {
            return Err(literal(file, node, &format!("`{option}`")));
        }
    }
    Ok(())
}

/// Refuses a text with a password in a URL.
pub(super) fn check_text(file: &str, node: &Node, text: &str) -> Result<(), Problem> {
    for (at, _) in text.match_indices("://") {
        let authority = text[at + 3..].split(['/', '?', '#', ' ', '\'', '"']).next().unwrap_or_default();
        let password = authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':'));
        if password.is_some_and(|(_, password)| !password.is_empty() && !password.starts_with("${")) {
            return Err(literal(file, node, "a URL"));
        }
    }
    Ok(())
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    WORDS.iter().any(|word| name.contains(word))
}

/// Whether a variable or option says where the secret is.
fn is_place(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    value.starts_with("${") || value.starts_with('/') || PLACES.iter().any(|ending| name.ends_with(ending))
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
        let command = |words: &[&str]| {
            let nodes: Vec<_> = words.iter().map(|_| node.clone()).collect();
            let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
            check_command("f", &nodes, &words).is_err()
        };
        assert!(command(&["redis-server", "--requirepass", "hunter2"]));
        assert!(command(&["x", "--db-password=hunter2"]));
        assert!(command(&["celery", "-b", "redis://:a@b/0"]));
        assert!(!command(&["redis-server", "--requirepass", "${REDIS_PASSWORD}"]));
        assert!(!command(&["x", "--password-file", "/run/secrets/x"]));
        assert!(!command(&["x", "--ask-password", "--verbose"]));
    }
}
