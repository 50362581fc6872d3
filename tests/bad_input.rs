//! Bad input: small cases as text files, each with its exact stderr and exit code.
//!
//! A case is `## title`, files behind `--- name`, what is run behind `--- run` (default: `convert`), and
//! behind `--- expect CODE` all of stderr. `UPDATE_CASES=1 cargo test bad_input` writes what happens
//! into the files: read the difference before you keep it.

use std::fmt::Write;

use crate::common::{Place, root};

struct Case {
    title: String,
    files: Vec<(String, String)>,
    run: String,
    code: i32,
    stderr: String,
}

fn parse(text: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for block in text.split("## ").skip(1) {
        let (title, rest) = block.split_once('\n').unwrap();
        let mut case = Case {
            title: title.to_owned(),
            files: Vec::new(),
            run: "convert".to_owned(),
            code: 0,
            stderr: String::new(),
        };
        for part in rest.split("--- ").skip(1) {
            let (head, body) = part.split_once('\n').unwrap();
            if let Some(run) = head.strip_prefix("run ") {
                run.clone_into(&mut case.run);
            } else if let Some(code) = head.strip_prefix("expect ") {
                case.code = code.parse().unwrap();
                case.stderr = format!("{}\n", body.trim_end());
            } else {
                case.files.push((head.to_owned(), body.to_owned()));
            }
        }
        cases.push(case);
    }
    cases
}

fn render(preamble: &str, cases: &[Case]) -> String {
    let mut text = preamble.to_owned();
    for case in cases {
        let _ = writeln!(text, "## {}", case.title);
        for (name, body) in &case.files {
            let _ = write!(text, "--- {name}\n{body}");
        }
        if case.run != "convert" {
            let _ = writeln!(text, "--- run {}", case.run);
        }
        let _ = writeln!(text, "--- expect {}\n{}", case.code, case.stderr);
    }
    format!("{}\n", text.trim_end())
}

/// What was said, with every resolution as fast as can be: how long one takes depends on what else the machine does.
fn without_times(text: &str) -> String {
    let line = |line: &str| match line.rsplit_once(" in ") {
        Some((resolved, time)) if line.starts_with("resolved ") && time.ends_with(" s\n") => {
            format!("{resolved} in 0.00 s\n")
        }
        _ => line.to_owned(),
    };
    text.split_inclusive('\n').map(line).collect()
}

fn run_file(name: &str) -> usize {
    let path = root().join("tests/bad_input").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut cases = parse(&text);
    let mut wrong = String::new();
    for case in &mut cases {
        let place = Place::new();
        for (name, body) in &case.files {
            place.put(name, body);
        }
        let before = place.files();
        let arguments: Vec<&str> = case.run.split_whitespace().collect();
        let mut ran = place.run(&arguments);
        ran.stderr = without_times(&ran.stderr);
        assert_eq!(place.files(), before, "{name}: `{}` left something behind", case.title);
        assert!(!ran.stderr.contains("hunter2"), "{name}: `{}` shows a secret: {}", case.title, ran.stderr);
        assert_ne!(ran.code, 101, "{name}: `{}` panicked: {}", case.title, ran.stderr);
        if (ran.code, &ran.stderr) != (case.code, &case.stderr) {
            let _ = writeln!(wrong, "`{}`: exit code {}, stderr:\n{}", case.title, ran.code, ran.stderr);
        }
        (case.code, case.stderr) = (ran.code, ran.stderr);
    }
    if std::env::var_os("UPDATE_CASES").is_some() {
        let preamble = text.split("## ").next().unwrap();
        std::fs::write(&path, render(preamble, &cases)).unwrap();
    } else {
        assert!(wrong.is_empty(), "{name}:\n{wrong}");
    }
    cases.len()
}

#[test]
fn every_case_ends_as_it_should() {
    let files = ["yaml.txt", "environment.txt", "pip.txt", "project.txt", "command_line.txt"];
    let count: usize = files.into_iter().map(run_file).sum();
    assert!(count >= 80, "{count} cases");
}
