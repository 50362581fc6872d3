"""An event listener of supervisor: a service that does not start ends the whole node, which then has failed.

Without it supervisor would live on without the service, and end with code 0.
"""
import os
import signal
import sys


def main(_words):
    """Answers events until supervisor ends."""
    while True:
        sys.stdout.write("READY\n")
        sys.stdout.flush()
        header = dict(part.split(":", 1) for part in sys.stdin.readline().split())
        if "len" not in header:
            return 0
        event = dict(part.split(":", 1) for part in sys.stdin.read(int(header["len"])).split())
        sys.stderr.write("envlock: service %s gave up\n" % event.get("processname"))
        sys.stderr.flush()
        os.kill(int(os.environ["ENVLOCK_SUPERVISED_BY"]), signal.SIGUSR1)
        sys.stdout.write("RESULT 2\nOK")
        sys.stdout.flush()
