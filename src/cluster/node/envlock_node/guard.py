"""The drift guard: a worker takes tasks only if its environment is one that the master has published.

In Redis, for a cluster of some name:
    envlock:NAME:tree-digests   set: the treeDigests of environments that may work
    envlock:NAME:nodes          hash: host name -> treeDigest, of every node that asked to work

ENVLOCK_GUARD=off lets everybody work. ENVLOCK_GUARD=full computes the digest from the files of this node instead of
believing what its image was built with. ENVLOCK_ALSO_ADMIT names further digests that a master publishes, during an
upgrade.
"""
import hashlib
import os
import re
import socket
import stat
import time

from .table import CANNOT_START, ROLE, Missing, Teller, environment, expand, load, say

ENVIRONMENT = os.path.join(os.path.dirname(ROLE), "env")
BUILT = os.path.join(os.path.dirname(ROLE), "tree-digest")
PAUSE = 2  # seconds between two looks
DIGEST = re.compile(r"[0-9a-f]{64}")


def tree_digest(root=ENVIRONMENT):
    """The treeDigest of the files at `root`: over path, type, mode, and content hash or link target of each."""
    entries = []
    for directory, directories, files in os.walk(root):
        for name in directories + files:
            path = os.path.join(directory, name)
            entries.append((os.fsencode(os.path.relpath(path, root)), path))
    whole = hashlib.sha256()
    for relative, path in sorted(entries):
        status = os.lstat(path)
        mode = stat.S_IMODE(status.st_mode)
        if not mode & 0o222:
            # Nothing in a Nix store may be written; it is the same tree.
            mode |= stat.S_IWUSR
        if stat.S_ISLNK(status.st_mode):
            kind, mode, content = b"symlink", 0o777, os.fsencode(os.readlink(path))
        elif stat.S_ISDIR(status.st_mode):
            kind, content = b"directory", b""
        else:
            kind, content = b"file", file_digest(path).encode()
        for part in (relative, kind, b"%o" % mode, content):
            whole.update(part + b"\0")
    return whole.hexdigest()


def file_digest(path):
    """The sha256 of a file, in hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)
    return digest.hexdigest()


def own_digest(mode):
    """The treeDigest of this node's environment."""
    if mode == "full":
        return tree_digest()
    with open(BUILT, encoding="ascii") as file:
        return file.read().strip()


class Board:
    """What nodes of a cluster tell each other in Redis."""

    def __init__(self, cluster, environ):
        import redis  # of the user environment; only guarded nodes need it

        self.errors = (redis.RedisError, OSError)
        self.refusal = redis.AuthenticationError
        url = expand(cluster["broker"], environ)
        try:
            self.client = redis.Redis.from_url(url, socket_timeout=10, socket_connect_timeout=10)
        except ValueError:
            # Not with what it says: where a password is read as a port, it is told.
            raise Missing(
                "%s is no URL of a Redis once its variables are replaced; a password in it may have letters, digits, and "
                "-._~, and must be percent-encoded otherwise" % cluster["broker"]
            ) from None
        # Without the password.
        self.where = url.partition("?")[0].rpartition("@")[2].split("://")[-1]
        self.cluster = cluster["name"]
        self.digests = "envlock:%s:tree-digests" % self.cluster
        self.nodes = "envlock:%s:nodes" % self.cluster

    def trouble(self, error):
        """What is to be said of an error."""
        # Old modules know no such error.
        if isinstance(error, self.refusal) or "WRONGPASS" in str(error):
            return "refused by Redis at %s: the password is wrong; this node's secret is not the master's" % self.where
        return "waiting for Redis at %s: %s" % (self.where, error)

    def admitted(self):
        """The digests that may work."""
        return {digest.decode() for digest in self.client.smembers(self.digests)}

    def announce(self, digest):
        """Says which environment this node has."""
        self.client.hset(self.nodes, socket.gethostname(), digest)

    def publish(self, wanted):
        """Makes `wanted` the digests that may work; returns whether they were others."""
        if self.admitted() == wanted:
            return False
        with self.client.pipeline(transaction=True) as pipeline:
            pipeline.delete(self.digests)
            pipeline.sadd(self.digests, *sorted(wanted))
            pipeline.execute()
        return True


def also_admitted(environ):
    """The further digests that a master publishes."""
    words = environ.get("ENVLOCK_ALSO_ADMIT", "").replace(",", " ").split()
    for word in words:
        if not DIGEST.fullmatch(word):
            raise Missing("ENVLOCK_ALSO_ADMIT has `%s`, which is no treeDigest: 64 of 0-9 and a-f" % word)
    return set(words)


def mode_of(environ):
    """How the guard works: on, full or off."""
    mode = environ.get("ENVLOCK_GUARD", "on").lower()
    if mode not in ("on", "full", "off"):
        raise Missing("ENVLOCK_GUARD is `%s`; it can be on, full or off" % mode)
    return mode


def wait(cluster, environ):
    """Returns when this node may work."""
    mode = mode_of(environ)
    if mode == "off":
        say("ENVLOCK_GUARD=off: this node works whatever its environment is")
        return
    own, board, teller = own_digest(mode), Board(cluster, environ), Teller()
    while True:
        try:
            board.announce(own)
            admitted = board.admitted()
        except board.errors as error:
            teller.say(board.trouble(error))
        else:
            if own in admitted:
                say("admitted to cluster %s with treeDigest %s" % (board.cluster, own))
                return
            if admitted:
                teller.say(
                    "refused by cluster %s: the environment of this node has treeDigest %s, expected %s; no task is taken. "
                    "Build its image from the lock of the master" % (board.cluster, own, " or ".join(sorted(admitted)))
                )
            else:
                teller.say("waiting: no master of cluster %s has published its treeDigest yet" % board.cluster)
        time.sleep(PAUSE)


def publish(_words):
    """Keeps this node's treeDigest published, also after a Redis that has forgotten it."""
    table = load()
    try:
        environ = environment(table, None, os.environ)
        own = own_digest(mode_of(environ))
        wanted = {own} | also_admitted(environ)
        board, teller = Board(table["cluster"], environ), Teller()
    except Missing as error:
        say(error)
        return CANNOT_START
    while True:
        try:
            board.announce(own)
            if board.publish(wanted):
                say("published for cluster %s: treeDigest %s" % (board.cluster, " ".join(sorted(wanted))))
        except board.errors as error:
            teller.say(board.trouble(error))
        time.sleep(PAUSE)
