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
    taken(worker, 2)
    # The newest is one of the pool.
    worker.succeed(f"kill -9 {processes(worker, 'celery')[-1]}")
    unfinished(2)
    all_of(answers(), 2)
    # What it had was taken once more.
    taken(worker, 3, timeout=1)

with subtest("a worker that is switched off in mid-task loses nothing"):
    submit_later(4, 10.0, 300)
    taken(worker, 5)
    unfinished(4)
    worker.crash()
    worker.start()
    # What was set is gone with the machine.
    worker.succeed("node-set VISIBILITY_TIMEOUT=30")
    ready(worker)
    results = answers(timeout=300)
    all_of(results, 4)
    equal("hosts", hosts(results), ["worker"])
