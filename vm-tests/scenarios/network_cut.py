"""A network that is away for half a minute costs time, and no task."""

with subtest("master and worker boot"):
    start(master, worker)

with subtest("the link is cut for 30 seconds while tasks are under way"):
    submit_later(40, 0.5, 240)
    taken(worker, 2)
    worker.block()
    master.fail("ping -c 1 -W 2 worker")
    done = unfinished(40)
    pause(28)
    equal("tasks that were answered before and after", int(master.succeed("wc -l </tmp/answers")), done)
    worker.unblock()
    master.wait_until_succeeds("ping -c 1 -W 2 worker", timeout=30)

with subtest("every task has its answer"):
    results = answers(timeout=240)
    all_of(results, 40)
    equal("hosts", hosts(results), ["worker"])
