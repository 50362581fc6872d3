"""Scaling out: a machine more, made from the worker's image, joins without being told to, and shares the load."""

with subtest("master and worker boot"):
    start(master, worker)

with subtest("a clone joins"):
    start(clone)

with subtest("both have a share of the tasks"):
    results = submit(40, 0.3)
    all_of(results, 40)
    equal("hosts", hosts(results), ["clone", "worker"])
    shares = [sum(result["host"] == host for result in results) for host in ("worker", "clone")]
    assert min(shares) >= 8, f"worker and clone did {shares}"
