"""Redis may be restarted while tasks are queued: its log has them, and workers come back without help."""

with subtest("master and worker boot"):
    start(master, worker)

with subtest("Redis is restarted while tasks are queued"):
    submit_later(60, 1.0, 240)
    taken(worker, 3)
    queued = int(redis("llen celery"))
    assert queued > 0, "nothing is queued any more"
    before = master.succeed("pgrep -x redis-server").strip()
    master.succeed("pkill -x redis-server")
    master.wait_until_succeeds(f"pgrep -x redis-server | grep -qvx {before}", timeout=60)

with subtest("no task is lost, and none is done twice but what was under way"):
    results = answers(timeout=240)
    all_of(results, 60)
    equal("hosts", hosts(results), ["worker"])
    done = int(worker.succeed("node-log | grep -c ' succeeded'"))
    # What ran while Redis was away, one task for each of two processors, could not be acknowledged.
    assert 60 <= done <= 62, f"{done} tasks were done"
    equal("tasks that are left in Redis", int(redis("llen celery")), 0)
