//! The README's transcripts: each `console` block is run, and answers as it says.

use std::{fmt::Write, os::unix::fs::PermissionsExt};

use crate::common::{Place, Server, root};

/// The commands of a `console` block, each with what it printed.
fn transcript(block: &str) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command.to_owned(), String::new())),
            (None, Some((_, output))) => drop(writeln!(output, "{line}")),
            (None, None) => panic!("a transcript begins with a command: {line}"),
        }
    }
    commands
}

/// How long something took may differ, and what PyPI has for it today: how many packages, their versions, their bytes.
fn without_times(text: &str) -> String {
    let of_today = [
        "installed ",
        "treeDigest ",
        "identical: ",
        "warning: changed: ",
        "image sha256:",
        "master-image.tar: ",
        "worker-image.tar: ",
        "wrote master-image.tar: ",
        "wrote worker-image.tar: ",
    ];
    let line = |line: &str| match (line.rfind(" in "), line.ends_with(" s")) {
        (Some(at), true) => match line[..at].strip_suffix(" packages of PyPI") {
            Some(counted) => counted.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned(),
            None => line[..at].to_owned(),
        },
        _ if of_today.iter().any(|start| line.starts_with(start)) => {
            let words = line
                .split(' ')
                .map(|word| if word.contains(|c: char| c.is_ascii_digit()) { "N" } else { word });
            words.collect::<Vec<_>>().join(" ")
        }
        // What a program says of its own version.
        _ if line.starts_with(|c: char| c.is_ascii_digit()) => "N".to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(|it| line(it) + "\n").collect()
}

#[test]
fn the_transcripts_are_true() {
    let Some(server) = Server::test_channel(&[]) else { return };
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let place = Place::new();
    // The README's address of the channel is read on this test's own port.
    let programs = place.cache().join("bin");
    std::fs::create_dir(&programs).unwrap();
    let wrapper = programs.join("envlock");
    let script = format!(
        "#!/bin/sh\ncase \"$1 $2\" in convert*|update*|install*|\"image build\"|\"image verify\") exec '{0}' \"$@\" --mirror '{1}';; *) exec '{0}' \"$@\";; esac\n",
        env!("CARGO_BIN_EXE_envlock"),
        server.mirror()
    );
    std::fs::write(&wrapper, script).unwrap();
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).unwrap();

    let mut count = 0;
    for block in readme.split("```console\n").skip(1) {
        for (command, expected) in transcript(block.split("```").next().unwrap()) {
            if let Some(name) = command.strip_prefix("cat ").filter(|name| !place.path().join(name).exists())
            {
                place.put(name, expected);
                continue;
            }
            let plain = place.command(&[]);
            let mut shell = std::process::Command::new("sh");
            shell.args(["-c", &format!("{{ {command}; }} 2>&1")]).current_dir(place.path()).env_clear();
            for (name, value) in plain.get_envs() {
                shell.env(name, value.unwrap());
            }
            let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
            let output = shell.env("PATH", path).output().unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            let said = said.replace(place.path().to_str().unwrap(), "/project");
            assert_eq!(without_times(&said), without_times(&expected), "$ {command}");
            count += 1;
        }
    }
    assert!(count >= 5, "only {count} commands");
}
