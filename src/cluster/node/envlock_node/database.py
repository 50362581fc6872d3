"""Makes the files of a PostgreSQL where there are none: `database DIRECTORY NAME VARIABLE`.

NAME is the user and its database; VARIABLE has the password. The user is no superuser: whoever has the password has the
database, and not the machine. The superuser has no password, so that nobody can be it. The directory appears whole or not at all.
"""
import glob
import os
import shutil
import subprocess
import tempfile

from .table import cannot_run, say

SUPERUSER = "postgres"
# What a server of this node leaves when it is killed, besides in its directory.
SOCKETS = "/tmp/.s.PGSQL.*"


def main(words):
    """The exit code: 0 where the files are, in the end."""
    directory, name, variable = words
    if os.path.exists(os.path.join(directory, "PG_VERSION")):
        # Of a server that was killed: its number may be another process' by now, and the next server would not start. Under
        # supervisor nobody but this node has the directory, and no server of it runs yet.
        if "ENVLOCK_SUPERVISED_BY" in os.environ:
            for path in [os.path.join(directory, "postmaster.pid")] + glob.glob(SOCKETS):
                if os.path.exists(path):
                    os.remove(path)
        return 0
    draft = directory + ".new"
    shutil.rmtree(draft, ignore_errors=True)
    with tempfile.NamedTemporaryFile("w") as password:
        # For this process alone. PostgreSQL makes of it what SCRAM needs, which is all that it keeps and all that is said.
        password.write(os.environ[variable] + "\n")
        password.flush()
        # No locale of the system: sorting never changes below an index.
        code = run(
            ["initdb", "--pgdata", draft, "--username", SUPERUSER, "--pwfile", password.name, "--auth", "scram-sha-256"]
            + ["--encoding", "UTF8", "--locale", "C"]
        )
    # The password becomes that of the user, in the form in which it is kept.
    single = ["postgres", "--single", "-D", draft, "-c", "exit_on_error=on", "postgres"]
    statements = [
        'CREATE ROLE "%s" LOGIN' % name,
        "UPDATE pg_authid SET rolpassword = (SELECT rolpassword FROM pg_authid WHERE rolname = '%s') WHERE rolname = '%s'"
        % (SUPERUSER, name),
        "ALTER ROLE %s PASSWORD NULL" % SUPERUSER,
        'CREATE DATABASE "%s" OWNER "%s"' % (name, name),
    ]
    code = code or run(single, "".join(statement + "\n" for statement in statements))
    if code == 0:
        os.rename(draft, directory)
        say("made a database in %s" % directory)
    return code


def run(words, text=""):
    """Runs a program of PostgreSQL, and says how it ended if it did not end well."""
    try:
        ended = subprocess.run(words, input=text.encode(), stdout=subprocess.DEVNULL)
    except OSError as error:
        return cannot_run(words[0], error)
    if ended.returncode:
        say("PostgreSQL's %s ended with %s" % (words[0], ended.returncode))
    return ended.returncode if ended.returncode >= 0 else 1
