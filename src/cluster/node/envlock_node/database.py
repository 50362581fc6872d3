"""Makes the files of a PostgreSQL where there are none: `database DIRECTORY NAME VARIABLE`.

NAME is both the only user and its database; VARIABLE has the password. The directory appears whole or not at all.
"""
import os
import shutil
import subprocess
import tempfile

from .table import CANNOT_START, say


def main(words):
    """The exit code: 0 where the files are, in the end."""
    directory, name, variable = words
    if os.path.exists(os.path.join(directory, "PG_VERSION")):
        # Of a server that was killed: its number may be another process' by now, and the next server would not start.
        # Nobody but this node has the directory, and no server of it runs yet.
        try:
            os.remove(os.path.join(directory, "postmaster.pid"))
        except FileNotFoundError:
            pass
        return 0
    draft = directory + ".new"
    shutil.rmtree(draft, ignore_errors=True)
    with tempfile.NamedTemporaryFile("w") as password:
        # For this process alone; PostgreSQL's own file has what SCRAM needs, and not the password.
        password.write(os.environ[variable] + "\n")
        password.flush()
        # No locale of the system: sorting never changes below an index.
        made = subprocess.run(
            ["initdb", "--pgdata", draft, "--username", name, "--pwfile", password.name, "--auth", "scram-sha-256"]
            + ["--encoding", "UTF8", "--locale", "C"],
            stdout=subprocess.DEVNULL,
        )
    if made.returncode:
        say("PostgreSQL's initdb ended with %s" % made.returncode)
        return CANNOT_START if made.returncode < 0 else made.returncode
    statement = 'CREATE DATABASE "%s"\n' % name
    single = ["postgres", "--single", "-D", draft, "-c", "exit_on_error=on", "postgres"]
    made = subprocess.run(single, input=statement.encode(), stdout=subprocess.DEVNULL)
    if made.returncode:
        say("PostgreSQL did not make the database %s" % name)
        return made.returncode if made.returncode > 0 else 1
    os.rename(draft, directory)
    say("made a database in %s" % directory)
    return 0
