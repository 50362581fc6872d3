"""Redis may be restarted while tasks are queued: its log has them, and workers come back without help."""

with subtest("master and worker boot"):
    start(master, worker)

with subtest("Redis is restarted while tasks are queued"):
    submit_later(60, 1.0, 240)
    taken(worker, 3)
    queued = int(redis("llen celery"))
    assert queued > 0, "nothing is queued any more"
    before = processes(master, "redis-server")
    equal("processes of Redis", len(before), 1)
    master.succeed(f"kill {before[0]}")
    master.wait_until_succeeds(f"test ! -e /proc/{before[0]}", timeout=60)
    master.wait_for_open_port(6379, timeout=120)

with subtest("no task is lost, and none is done twice but what was under way"):
    results = answers(timeout=240)
    all_of(results, 60)
    equal("hosts", hosts(results), ["worker"])
    done = int(worker.succeed("node-log | grep -c ' succeeded'"))
    # What ran while Redis was away, one task for each of two processors, could not be acknowledged.
    assert 60 <= done <= 62, f"{done} tasks were done"
    equal("tasks that are left in Redis", int(redis("llen celery")), 0)
