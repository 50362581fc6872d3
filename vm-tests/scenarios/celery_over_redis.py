"""The claim itself: tasks that are submitted on the master cross Redis and run on the worker, in the same environment."""

with subtest("master and worker boot"):
    start(master, worker)

with subtest("50 of 50 tasks run on the worker"):
    results = submit(50)
    all_of(results, 50)
    equal("hosts", hosts(results), ["worker"])

with subtest("in the environment of the lock"):
    equal("treeDigests", {result["tree_digest"] for result in results}, {TREE_DIGEST})
    on_master = master.succeed("node python -c 'import platform; print(platform.python_version())'").strip()
    equal("Python", {result["python"] for result in results}, {on_master})
