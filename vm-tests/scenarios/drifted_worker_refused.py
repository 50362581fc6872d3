"""A worker whose environment is not the master's takes no task, and says which environment it should have."""

with subtest("a stranger is refused, and says what is expected"):
    start(master)
    stranger.start()
    said = wait(stranger, "node-log", "refused by cluster")
    assert f"expected {TREE_DIGEST}; no task is taken" in said, said
    own = said.split("the environment of this node has treeDigest ")[1][:64]
    assert own != TREE_DIGEST, "the stranger is none"

with subtest("it takes no task, and the master sees it"):
    said = master.fail("node python tasks.py 1 0.0 5 2>&1")
    assert "TimeoutError" in said, said
    log = stranger.succeed("node-log")
    assert " received" not in log, log
    nodes = redis("hkeys envlock:quickstart:nodes").split()
    equal("nodes", sorted(nodes), ["master", "stranger"])

with subtest("a second digest, published for a rolling upgrade, lets it in"):
    master.succeed(f"node-set ENVLOCK_ALSO_ADMIT={own}")
    ready(stranger)
    equal("hosts", hosts(submit(2)), ["stranger"])
