"""What a node runs of envlock's own: `envlock-node COMMAND [WORD…]`.

Standard library alone, but for the guard, which needs the redis module; Python 3.6 or newer.
"""
import sys

from envlock_node import fatal, guard, health, start

COMMANDS = {"start": start.main, "health": health.main, "publish": guard.publish, "fatal": fatal.main}

USAGE = """usage: envlock-node start [SERVICE | COMMAND…]   start all services of the role, one, or a command
       envlock-node health [SERVICE…]            say whether services do their work
"""

if __name__ == "__main__":
    command = COMMANDS.get(sys.argv[1]) if sys.argv[1:] else None
    if command is None:
        sys.stderr.write(USAGE)
        sys.exit(2)
    sys.exit(command(sys.argv[2:]))
