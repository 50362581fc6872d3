"""What a node runs of envlock's own: `envlock-node COMMAND [WORD…]`.

Standard library alone, but for what meets in Redis, which needs the redis module; Python 3.6 or newer.
"""
import sys

from envlock_node import answer, dags, database, fatal, guard, health, secret, start

COMMANDS = {
    "start": start.main,
    "health": health.main,
    "secret": secret.main,
    "dags": dags.status,
    # What services run.
    "publish": guard.publish,
    "fatal": fatal.main,
    "answer": answer.main,
    "database": database.main,
    "dag-join": dags.join,
    "dag-sync": dags.sync,
}

USAGE = """usage: envlock-node start [SERVICE | COMMAND…]   start all services of the role, one, or a command
       envlock-node health [SERVICE…]            say whether services do their work
       envlock-node secret NAME                  print a secret of this node
       envlock-node dags [--json]                say which worker has the DAGs of the master
"""

if __name__ == "__main__":
    command = COMMANDS.get(sys.argv[1]) if sys.argv[1:] else None
    if command is None:
        sys.stderr.write(USAGE)
        sys.exit(2)
    sys.exit(command(sys.argv[2:]))
