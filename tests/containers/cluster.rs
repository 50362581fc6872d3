//! Celery tasks between a master and its workers: none is lost, and no stranger takes one.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Network, docker, images};

fn answers(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn hosts(answers: &[Value]) -> BTreeSet<&str> {
    answers.iter().map(|answer| answer["host"].as_str().unwrap()).collect()
}

/// Two hundred tasks, then a worker that is killed and a Redis that is restarted while tasks are under way.
#[test]
fn no_task_is_lost() {
    let Some(_images) = images() else { return };
    let network = Network::new("tasks");
    network.start("master", "master-image", &[], &[]);
    network.start("worker-1", "worker-image", &[], &[]);
    network.wait_for_log("worker-1", "ready.");

    let said = network.ask("master", &["python", "tasks.py", "200"]).stderr_null().read().unwrap();
    let all = answers(&said);
    assert_eq!(hosts(&all), BTreeSet::from(["worker-1"]));
    let numbers: BTreeSet<_> = all.iter().map(|answer| answer["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers.len(), 200);

    // Both processes of the first worker have a task when it dies; its clone goes on.
    let asking = network.container("asking");
    network.start("asking", "master-image", &[], &["python", "tasks.py", "40", "1.0", "230"]);
    network.wait_for_log("asking", "submitted 40");
    network.wait("worker-1 has a task", &["worker-1"], || {
        network.logs("worker-1").matches(" received").count() > 202
    });
    docker(&["kill", &network.container("worker-1")]);
    network.start("worker-2", "worker-image", &[], &[]);
    network.wait("worker-2 has done some", &["worker-2"], || {
        network.logs("worker-2").matches(" succeeded").count() > 3
    });
    docker(&["restart", &network.container("master")]);

    network.wait("every task has an answer", &["asking", "master", "worker-2"], || {
        docker(&["inspect", "--format", "{{.State.Status}}", &asking]) == "exited"
    });
    let said = docker(&["logs", &asking]);
    let all = answers(&said);
    assert_eq!(all.len(), 40, "{}\n{}", network.logs("asking"), network.logs("worker-2"));
    assert!(hosts(&all).contains("worker-2"));
    // At least once each; again only what the second worker had taken when Redis went away: for each process, the task
    // that it is at and at most one more.
    let done = network.logs("worker-1").matches(" succeeded").count() - 200
        + network.logs("worker-2").matches(" succeeded").count();
    let processes = std::thread::available_parallelism().unwrap().get();
    assert!((40..=40 + 2 * processes).contains(&done), "{done}");
}

#[test]
fn a_stranger_takes_no_task_until_it_is_admitted() {
    let Some(images) = images() else { return };
    let inspected = images.run(&["image", "inspect", "master-image.tar", "--json"]).expect(0).stdout;
    let inspected: Value = serde_json::from_str(&inspected).unwrap();
    let expected = inspected["images"][0]["tree_digest"].as_str().unwrap().to_owned();

    let network = Network::new("drift");
    // Before there is a master, it waits and says so.
    network.start("stranger", "stranger-image", &[], &[]);
    network.wait_for_log("stranger", "waiting for Redis at master:6379");
    // A Redis without a master that has published.
    network.start("master", "master-image", &[], &["redis"]);
    network.wait_for_log(
        "stranger",
        "waiting: no master of cluster quickstart has published its treeDigest yet",
    );
    docker(&["rm", "--force", "--volumes", &network.container("master")]);

    network.start("master", "master-image", &[], &[]);
    network.wait_for_log("stranger", "refused by cluster quickstart");
    let said = network.logs("stranger");
    assert!(said.contains(&format!("expected {expected}; no task is taken")), "{said}");
    let asked = network
        .ask("master", &["python", "tasks.py", "1", "0", "8"])
        .stderr_capture()
        .unchecked()
        .run()
        .unwrap();
    assert!(!asked.status.success());
    let said = String::from_utf8_lossy(&asked.stderr).into_owned();
    assert!(said.contains("TimeoutError"), "{said}");
    assert!(!network.logs("stranger").contains(" received"));
    // The master sees who asked.
    let command = [
        "redis-cli",
        "-a",
        "correct-horse-battery",
        "--no-auth-warning",
        "hkeys",
        "envlock:quickstart:nodes",
    ];
    let nodes = network.ask("master", &command).read().unwrap();
    assert_eq!(nodes.lines().collect::<BTreeSet<_>>(), BTreeSet::from(["master", "stranger"]));

    // A rolling upgrade: the master admits the other environment as well.
    let own = said_digest(&network.logs("stranger"));
    docker(&["rm", "--force", "--volumes", &network.container("master")]);
    network.start("master", "master-image", &[&format!("--env=ENVLOCK_ALSO_ADMIT={own}")], &[]);
    network.wait_for_log("stranger", "admitted to cluster quickstart");
    let said = network.ask("master", &["python", "tasks.py"]).stderr_null().read().unwrap();
    assert_eq!(hosts(&answers(&said)), BTreeSet::from(["stranger"]));

    // Whoever does not want the guard says so.
    network.start("careless", "stranger-image", &["--env=ENVLOCK_GUARD=off"], &[]);
    network.wait_for_log("careless", "ENVLOCK_GUARD=off: this node works whatever its environment is");
    network.wait_for_log("careless", "ready.");
    // Whoever believes nothing computes it: the same digest.
    network.start("strict", "worker-image", &["--env=ENVLOCK_GUARD=full"], &[]);
    network.wait_for_log("strict", &format!("admitted to cluster quickstart with treeDigest {expected}"));
}

/// The digest that a node says it has.
fn said_digest(log: &str) -> String {
    let (_, rest) = log.split_once("the environment of this node has treeDigest ").unwrap();
    rest[..64].to_owned()
}
