"""Prints a secret of this node, for whoever may run commands on it: `secret NAME`."""
import os
import sys

from .table import CANNOT_START, Missing, load, say, secrets_of


def main(words):
    """The exit code: 0 if it was printed."""
    if len(words) != 1:
        sys.stderr.write("usage: envlock-node secret NAME\n")
        return 2
    try:
        known, missing = secrets_of(load(), os.environ, strict=False)
        if words[0] not in known and missing:
            raise missing[0]
        if words[0] not in known:
            raise Missing("there is no secret %s here; there are %s" % (words[0], ", ".join(sorted(known)) or "none"))
    except Missing as error:
        say(error)
        return CANNOT_START
    print(known[words[0]])
    return 0
