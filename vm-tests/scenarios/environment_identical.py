"""Two machines that boot images of one lock have the same environment, byte for byte: computed inside, not believed."""

COMPUTE = (
    "import sys; sys.path.insert(0, '/opt/envlock/role'); "
    "from envlock_node.guard import tree_digest; print(tree_digest())"
)

with subtest("both compute the treeDigest of every file they have"):
    master.start()
    worker.start()
    digests = [machine.succeed(f'node python -c "{COMPUTE}"').strip() for machine in (master, worker)]

with subtest("it is one, and that of `envlock install`"):
    equal("treeDigest of the master", digests[0], TREE_DIGEST)
    equal("treeDigest of the worker", digests[1], TREE_DIGEST)
