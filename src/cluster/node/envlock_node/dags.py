"""DAGs from the master to the workers, by rsync over ssh.

In Redis, for a cluster of some name; every text is signed with SYNC_SECRET, which all nodes of a cluster have, for its place:
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
import shutil
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
FORGOTTEN = 86400  # seconds after which such a worker is in no list any more
LONGEST = 4096  # bytes of what is read in Redis
SAID = 300  # characters of what a worker says
CANNOT_REACH = 4  # the exit code, as envlock has it
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


def signed(value, secret, place):
    """A value as text, with a proof that whoever wrote it is of the cluster, and wrote it for this place."""
    text = json.dumps(value, sort_keys=True)
    return json.dumps({"text": text, "proof": proof(text, secret, place)})


def proof(text, secret, place):
    """HMAC-SHA256, in hex."""
    return hmac.new(secret.encode(), ("%s\0%s" % (place, text)).encode(), hashlib.sha256).hexdigest()


def verified(content, secret, place):
    """The mapping that was signed for a place; None for anything else."""
    if not content or len(content) > LONGEST:
        return None
    try:
        outer = json.loads(content)
        if hmac.compare_digest(proof(outer["text"], secret, place), outer["proof"]):
            value = json.loads(outer["text"])
            return value if isinstance(value, dict) else None
    # Whatever somebody may have put there.
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
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

    def write(self, key, name, value):
        """Keeps a value of a host in a hash."""
        self.client.hset(key, name, signed(value, self.secret, "%s %s" % (key, name)))

    def get(self, key, name):
        """The value of one host in a hash; nothing if nobody of the cluster wrote it."""
        return verified(self.client.hget(key, name), self.secret, "%s %s" % (key, name)) or {}

    def read(self, key):
        """Every value of a hash that somebody of the cluster wrote there, by host."""
        found = {}
        for name, content in self.client.hgetall(key).items():
            name = name.decode(errors="replace")
            value = verified(content, self.secret, "%s %s" % (key, name))
            if value is not None:
                found[name] = value
        return found

    def now(self):
        """Seconds of the clock that all share."""
        return int(self.client.time()[0])


def has_some(dags):
    """Whether a folder has any DAGs. One that is empty is sooner a volume that is not there than nothing to be wanted."""
    return bool(set(os.listdir(dags)) - {"logs", "__pycache__"})


def public_key(path):
    """The public key at a path, made with its private one if there is none."""
    if not os.path.exists(path + ".pub"):
        # Half of a pair is none.
        if os.path.exists(path):
            os.remove(path)
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "envlock", "-f", path]
        try:
            made = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except OSError as error:
            raise Missing("cannot run ssh-keygen: %s; add openssh to the `system` file of this role" % error.strerror)
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
    place = {"name": name, "host": environ.get("NODE_ADDRESS") or name, "port": int(port), "key": key, "seen": 0}
    if not is_plain(place):
        say("`%s` or `%s` is no name of a host; give this node another one, or NODE_ADDRESS" % (name, place["host"]))
        return CANNOT_START
    said = 0
    while True:
        try:
            if time.monotonic() - said >= RENEW or not said:
                board.write(board.workers, name, dict(place, seen=board.now()))
                said = time.monotonic()
            found = board.client.get(board.master)
            master = verified(found, board.secret, board.master)
            if master and abs(board.now() - master.get("seen", 0)) > GONE:
                master = found = None
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
        """Those that have joined and were heard of lately, by name; who was not for long is forgotten."""
        now, found = self.board.now(), {}
        for name, place in self.board.read(self.board.workers).items():
            silent = now - place["seen"] if is_plain(place) and place["name"] == name else FORGOTTEN
            if silent <= GONE:
                found[name] = place
            elif silent >= FORGOTTEN:
                self.board.client.hdel(self.board.workers, name)
                self.board.client.hdel(self.board.status, name)
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
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": CONNECT,
            "GlobalKnownHostsFile": "none",
            # The key is of the host's name in the cluster, wherever that is reached.
            "HostKeyAlias": place["name"],
            "IdentitiesOnly": "yes",
            "ServerAliveCountMax": 3,
            "ServerAliveInterval": 5,
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": self.pin(place),
        }
        stated = " ".join("-o %s=%s" % option for option in options.items())
        ssh = "ssh -F none -i %s -p %d %s" % (self.key, place["port"], stated)
        words = ["rsync", "-rltz", "--omit-dir-times", "--rsh", ssh, "--delay-updates", "--safe-links"]
        if has_some(self.dags):
            words.append("--delete-delay")
        # Byte-code is each node's own.
        words += ["--exclude=/logs/", "--filter=-p __pycache__/", "--timeout=%d" % SILENT]
        host = "[%s]" % place["host"] if ":" in place["host"] else place["host"]
        words += [self.dags + "/", "%s::dags" % host]
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
        # It is what a worker says: nothing for a terminal to act upon.
        first = "".join(it if it.isprintable() else "?" for it in said[0][:SAID]) if said else ""
        return "%s: %s" % (why, first) if first else why, time.monotonic() - began

    def tell(self, name, failure, seconds):
        """Keeps the status of a worker where everybody can ask for it, and logs what is new."""
        board = self.board
        before, now = board.get(board.status, name), board.now()
        last = before.get("last") if failure else now
        board.write(board.status, name, {"failure": failure, "at": now, "seconds": round(seconds, 1), "last": last})
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
        if not shutil.which("rsync"):
            raise Missing("there is no rsync; add it to the `system` file of this role")
    except Missing as error:
        say(error)
        return CANNOT_START
    with concurrent.futures.ThreadPoolExecutor(TOGETHER) as pool:
        under_way, due = {}, {}
        while True:
            try:
                board.client.set(board.master, signed({"key": ours.public, "seen": board.now()}, board.secret, board.master))
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
    """Which worker has the DAGs since when: as lines, or with --json for programs. Exit code 1 if one that is there has not."""
    try:
        table = load()
        board = Rendezvous(table, environment(table, None, os.environ))
        now, joined, known = board.now(), board.read(board.workers), board.read(board.status)
    except Missing as error:
        say(error)
        return CANNOT_START
    except board.errors as error:
        say(board.trouble(error))
        return CANNOT_REACH
    rows = []
    for name, place in sorted(joined.items()):
        told, heard = known.get(name, {}), now - place.get("seen", 0)
        last = now - told["last"] if told.get("last") else None
        state = "gone" if heard > GONE else "failed" if told.get("failure") else "joined" if last is None else "ok"
        row = {"worker": name, "state": state, "heard_seconds_ago": heard, "synced_seconds_ago": last}
        rows.append(dict(row, failure=told.get("failure")))
    if words == ["--json"]:
        print(json.dumps(rows, indent=2))
    elif not rows:
        say("no worker has joined yet" if "dag-sync" in table["services"] else "this role brings DAGs to nobody")
    else:
        for row in rows:
            last = "never" if row["synced_seconds_ago"] is None else "%d s ago" % row["synced_seconds_ago"]
            print("%-24s %-14s %s" % (row["worker"], last, row["failure"] if row["state"] == "failed" else row["state"]))
    return int(any(row["state"] in ("failed", "joined") for row in rows))
