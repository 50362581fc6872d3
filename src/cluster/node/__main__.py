"""What a node runs of envlock's own: `envlock-node COMMAND [WORD…]`.

Standard library alone, but for the guard, which needs the redis module; Python 3.6 or newer.
"""
import sys

from envlock_node import fatal, guard, health, start

COMMANDS = {"start": start.main, "health": health.main, "publish": guard.publish, "fatal": fatal.main}

if __name__ == "__main__":
    sys.exit(COMMANDS[sys.argv[1]](sys.argv[2:]))
