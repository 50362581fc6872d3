"""DAGs from the master to the workers, by rsync over ssh.

In Redis, for a cluster of some name; every text is signed with SYNC_SECRET, which all nodes of a cluster have:
    envlock:NAME:dag-master     the master's public key
    envlock:NAME:dag-workers    hash: host name -> where a worker takes DAGs, and the public key of that host
    envlock:NAME:dag-status     hash: host name -> when it got them last, and what went wrong since

A worker lets in that one key, which can do nothing but write into the folder of DAGs; the master talks to hosts of those
keys alone.
"""
import concurrent.futures
import hashlib
import hmac
import json
import os
import re
import socket
import subprocess
import time

from .guard import Board
from .table import CANNOT_START, Missing, Teller, environment, load, say

LOOK = 5  # seconds between two looks at who has joined
RENEW = 15  # seconds after which a worker says again that it is there
GONE = 60  # seconds after which a worker that says nothing is not asked for any more
AGAIN = 10  # seconds after which what went wrong is tried again
CONNECT = 10  # seconds that a connection may take
SILENT = 60  # seconds after which a connection on which nothing comes is given up
TRANSFER = 600  # seconds that a transfer may take
TOGETHER = 16  # workers that get DAGs at the same time
KEY = re.compile(r"ssh-ed25519 [A-Za-z0-9+/=]+")
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
ADDRESS = re.compile(r"[A-Za-z0-9:][A-Za-z0-9.:_-]*")  # or that of IPv6
# What rsync's exit codes mean here.
WHY = {
    5: "no connection",
    11: "no space, or it cannot be written",
    12: "the connection broke",
    23: "some files could not be written",
    30: "the connection broke",
    255: "no connection",
}


def signed(value, secret):
    """A value as text, with a proof that whoever wrote it is of the cluster."""
    text = json.dumps(value, sort_keys=True)
    return json.dumps({"text": text, "proof": proof(text, secret)})


def proof(text, secret):
    """HMAC-SHA256, in hex."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def verified(content, secret):
    """What was signed; None for anything else."""
    try:
        outer = json.loads(content)
        if hmac.compare_digest(proof(outer["text"], secret), outer["proof"]):
            value = json.loads(outer["text"])
            return value if isinstance(value, dict) else None
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return None


class Rendezvous(Board):
    """Where master and workers find each other."""

    def __init__(self, table, environ):
        super().__init__(table["cluster"], environ)
        self.secret = environ["SYNC_SECRET"]
        self.master = "envlock:%s:dag-master" % self.cluster
        self.workers = "envlock:%s:dag-workers" % self.cluster
        self.status = "envlock:%s:dag-status" % self.cluster


def public_key(path):
    """The public key at a path, made with its private one if there is none."""
    if not os.path.exists(path):
        made = subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "envlock", "-f", path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if made.returncode:
            raise Missing("cannot make a key at %s: %s" % (path, made.stdout.decode(errors="replace").strip()))
    with open(path + ".pub") as file:
        kind, key = file.read().split()[:2]
    return "%s %s" % (kind, key)


def write(path, text):
    """Replaces a file at once; whether it was another one."""
    try:
        with open(path) as file:
            if file.read() == text:
                return False
    except OSError:
        pass
    with open(path + ".new", "w") as file:
        os.chmod(path + ".new", 0o600)
        file.write(text)
    os.replace(path + ".new", path)
    return True


def join(words):
    """On a worker: says where it is, and lets the master's key in. `dag-join DAGS DIRECTORY PORT`."""
    dags, directory, port = words
    try:
        os.makedirs(dags, exist_ok=True)
        table = load()
        environ = environment(table, None, os.environ)
        key = public_key(os.path.join(directory, "ssh_host_ed25519_key"))
        board, teller = Rendezvous(table, environ), Teller()
    except Missing as error:
        say(error)
        return CANNOT_START
    name = socket.gethostname()
    place = {"name": name, "host": environ.get("NODE_ADDRESS") or name, "port": int(port), "key": key}
    said = 0
    while True:
        try:
            if time.monotonic() - said >= RENEW or not said:
                board.client.hset(board.workers, name, signed(dict(place, seen=int(board.client.time()[0])), board.secret))
                said = time.monotonic()
            found = board.client.get(board.master)
            master = verified(found, board.secret) if found else None
            if master and KEY.fullmatch(str(master.get("key"))):
                # The shell of this user runs nothing else: sshd forces one command upon whoever comes in.
                if write(os.path.join(directory, "authorized_keys"), "restrict %s\n" % master["key"]):
                    say("takes DAGs from the master of cluster %s" % board.cluster)
            elif found:
                teller.say("refused: what the master of cluster %s says is not signed with the secret of this node" % board.cluster)
            else:
                teller.say("waiting: no master of cluster %s brings DAGs yet" % board.cluster)
        except board.errors as error:
            teller.say(board.trouble(error))
        time.sleep(LOOK)


def is_plain(place):
    """Whether what a worker says of itself can be words of a command, and nothing else."""
    kinds = {"name": PLAIN, "host": ADDRESS, "key": KEY}
    return (
        all(isinstance(place.get(name), str) and kind.fullmatch(place[name]) for name, kind in kinds.items())
        and isinstance(place.get("port"), int)
        and isinstance(place.get("seen"), int)
    )


class Sync:
    """The master's side."""

    def __init__(self, dags, directory, board):
        self.dags, self.directory, self.board = dags, directory, board
        self.key = os.path.join(directory, "dag_key")
        self.public = public_key(self.key)
        self.known, self.tellers = {}, {}

    def workers(self):
        """Those that have joined and were heard of lately, by name."""
        now = int(self.board.client.time()[0])
        found = {}
        for name, content in self.board.client.hgetall(self.board.workers).items():
            place = verified(content, self.board.secret)
            # A record of one worker under the name of another one is none.
            if place and is_plain(place) and place["name"] == name.decode() and now - place["seen"] <= GONE:
                found[place["name"]] = place
        return found

    def pin(self, place):
        """The file that knows the key of a worker's host, and no other."""
        name = place["name"]
        if self.known.get(name, place["key"]) != place["key"]:
            say("worker %s has joined anew, with another host key" % name)
        self.known[name] = place["key"]
        path = os.path.join(self.directory, "known_host_" + hashlib.sha256(name.encode()).hexdigest()[:16])
        write(path, "%s %s\n" % (name, place["key"]))
        return path

    def bring(self, place):
        """Brings all DAGs to a worker; what is to be said of it."""
        began = time.monotonic()
        ssh = "ssh -F none -i %s -p %d -o IdentitiesOnly=yes -o GlobalKnownHostsFile=none -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=%s -o ConnectTimeout=%d" % (
            self.key,
            place["port"],
            self.pin(place),
            CONNECT,
        )
        # The key is of the host's name in the cluster, wherever that is reached.
        ssh += " -o HostKeyAlias=%s -o ServerAliveInterval=5 -o ServerAliveCountMax=3" % place["name"]
        words = ["rsync", "-rltz", "--omit-dir-times", "--rsh", ssh, "--delete-delay", "--delay-updates", "--safe-links", "--exclude=/logs/"]
        # Byte-code is each node's own.
        words.append("--exclude=__pycache__/")
        host = "[%s]" % place["host"] if ":" in place["host"] else place["host"]
        words += ["--timeout=%d" % SILENT, self.dags + "/", "%s::dags" % host]
        try:
            ended = subprocess.run(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TRANSFER
            )
        except subprocess.TimeoutExpired:
            return "it takes longer than %d s" % TRANSFER, TRANSFER
        if ended.returncode == 0:
            return None, time.monotonic() - began
        said = ended.stdout.decode(errors="replace").strip().splitlines()
        why = WHY.get(ended.returncode, "rsync ended with %d" % ended.returncode)
        return "%s: %s" % (why, said[0]) if said else why, time.monotonic() - began

    def tell(self, name, failure, seconds):
        """Keeps the status of a worker where everybody can ask for it, and logs what is new."""
        client, board = self.board.client, self.board
        before = verified(client.hget(board.status, name) or "", board.secret) or {}
        now = int(client.time()[0])
        status = {"failure": failure, "at": now, "seconds": round(seconds, 1), "last": before.get("last") if failure else now}
        client.hset(board.status, name, signed(status, board.secret))
        if failure:
            self.tellers.setdefault(name, Teller()).say("worker %s did not get the DAGs: %s" % (name, failure))
        elif before.get("failure") or not before.get("last"):
            self.tellers.pop(name, None)
            say("worker %s has the DAGs" % name)


def sync(words):
    """On the master: brings DAGs to all workers, again and again. `dag-sync DAGS DIRECTORY SECONDS`."""
    dags, directory, interval = words[0], words[1], int(words[2])
    try:
        table = load()
        board, teller = Rendezvous(table, environment(table, None, os.environ)), Teller()
        os.makedirs(dags, exist_ok=True)
        ours = Sync(dags, directory, board)
    except Missing as error:
        say(error)
        return CANNOT_START
    with concurrent.futures.ThreadPoolExecutor(TOGETHER) as pool:
        under_way, due = {}, {}
        while True:
            try:
                board.client.set(board.master, signed({"key": ours.public}, board.secret))
                workers = ours.workers()
                for name, place in workers.items():
                    # Whoever is slow or down is waited for by nobody else.
                    if name not in under_way and time.monotonic() >= due.get(name, 0):
                        due[name] = time.monotonic() + interval
                        under_way[name] = pool.submit(ours.bring, place)
                for name in [name for name, task in under_way.items() if task.done()]:
                    task = under_way.pop(name)
                    failure, seconds = task.result() if task.exception() is None else (str(task.exception()), 0)
                    ours.tell(name, failure, seconds)
                    if failure:
                        due[name] = time.monotonic() + min(interval, AGAIN)
            except board.errors as error:
                teller.say(board.trouble(error))
            time.sleep(min(LOOK, interval))


def status(words):
    """Which worker has the DAGs since when: as lines, or with --json for programs. Exit code 1 if one has not."""
    try:
        table = load()
        board = Rendezvous(table, environment(table, None, os.environ))
        now = int(board.client.time()[0])
        joined = {name.decode(): verified(text, board.secret) for name, text in board.client.hgetall(board.workers).items()}
        known = {name.decode(): verified(text, board.secret) for name, text in board.client.hgetall(board.status).items()}
    except Missing as error:
        say(error)
        return CANNOT_START
    except board.errors as error:
        say("Redis at %s does not answer: %s" % (board.where, error))
        return 1
    rows = []
    for name in sorted(set(joined) | set(known)):
        place, told = joined.get(name) or {}, known.get(name) or {}
        heard = now - place["seen"] if "seen" in place else None
        last = now - told["last"] if told.get("last") else None
        rows.append({"worker": name, "heard_seconds_ago": heard, "synced_seconds_ago": last, "failure": told.get("failure")})
    if words == ["--json"]:
        print(json.dumps(rows, indent=2))
    else:
        for row in rows:
            last = "never" if row["synced_seconds_ago"] is None else "%d s ago" % row["synced_seconds_ago"]
            gone = row["heard_seconds_ago"] is None or row["heard_seconds_ago"] > GONE
            state = "gone" if gone else row["failure"] or ("ok" if row["synced_seconds_ago"] is not None else "joined")
            print("%-24s %-14s %s" % (row["worker"], last, state))
    return int(any(row["failure"] for row in rows))
