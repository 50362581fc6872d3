"""All services of the role under supervisor, in one container.

Between the container and supervisor stand two pipes. Supervisor opens its standard streams by name, which the kernel
allows only to the user that they belong to; the pipes belong to us.
"""
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time

from .table import CANNOT_START, say

# Where supervisor keeps what it needs while it runs.
STATE = "/tmp"
DONE = os.path.join(STATE, "envlock-done")
# How long what is left in the pipes may take after supervisor has ended, in seconds.
LAST_WORDS = 2
GAVE_UP = signal.SIGUSR1


def main(table):
    """Runs supervisor; returns 0 if it was told to stop, and 1 if a service gave up."""
    if not os.access(STATE, os.W_OK):
        say("supervisor needs a %s to write to: start the container with --tmpfs %s" % (STATE, STATE))
        return CANNOT_START
    gave_up, started, early = [], [], []

    def forward(number, _frame):
        if number == GAVE_UP:
            gave_up.append(True)
            say("a service does not start again and again: this node ends")
            number = signal.SIGTERM
        if not started:
            early.append(number)
        elif started[0].poll() is None:
            started[0].send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, GAVE_UP):
        signal.signal(number, forward)
    # What has been done once is to be done again: this is another start of the node.
    shutil.rmtree(DONE, ignore_errors=True)
    os.mkdir(DONE, 0o700)
    environ = dict(os.environ, ENVLOCK_SUPERVISED_BY=str(os.getpid()), ENVLOCK_DONE=DONE)
    process = subprocess.Popen(
        table["supervisor"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ
    )
    started.append(process)
    for number in early:
        process.send_signal(number)
    relay(process)
    code = process.wait()
    return 1 if gave_up else code if code >= 0 else 128 - code


def relay(process):
    """Passes on what supervisor and its services write, until nobody writes any more."""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, sys.stdout.fileno())
        selector.register(process.stderr, selectors.EVENT_READ, sys.stderr.fileno())
        end = None
        while selector.get_map():
            if end is None and process.poll() is not None:
                end = time.monotonic() + LAST_WORDS
            if end is not None and time.monotonic() >= end:
                return
            ready = selector.select(LAST_WORDS)
            for key, _events in ready:
                piece = os.read(key.fd, 1 << 16)
                if not piece:
                    selector.unregister(key.fileobj)
                while piece:
                    piece = piece[os.write(key.data, piece) :]
