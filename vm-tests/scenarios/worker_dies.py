"""A worker that dies in mid-task loses nothing: the broker gives its task to whoever is there when it must be dead.

`visibility_timeout` is short here, and longer than a task; whoever consumes looks for such tasks about every 100 seconds.
"""

with subtest("master and worker boot"):
    for machine in (master, worker):
        machine.start()
    master.succeed("node-set VISIBILITY_TIMEOUT=30")
    worker.succeed("node-set VISIBILITY_TIMEOUT=30")
    start(master, worker)

with subtest("a killed process of the pool loses nothing"):
    submit_later(2, 10.0)
    taken(worker, 1)
    active = "celery --app tasks inspect active --json"
    pid = "grep -o '\"worker_pid\": [0-9]*' | grep -o '[0-9]*$'"
    pids = worker.wait_until_succeeds(f"node {active} 2>/dev/null | {pid}", timeout=60)
    worker.succeed(f"kill -9 {pids.split()[0]}")
    all_of(answers(), 2)

with subtest("a worker that is switched off in mid-task loses nothing"):
    submit_later(4, 10.0, 300)
    worker.wait_until_succeeds(f"node {active} 2>/dev/null | grep -q worker_pid", timeout=60)
    worker.crash()
    worker.start()
    # What was set is gone with the machine.
    worker.succeed("node-set VISIBILITY_TIMEOUT=30")
    ready(worker)
    results = answers(timeout=300)
    all_of(results, 4)
    equal("hosts", hosts(results), ["worker"])
