"""Which service starts when, where several of a role run side by side: on a machine, or under supervisor.

ENVLOCK_DONE names a directory that is empty when the node starts; in it, what runs once leaves a file when it has ended
well. Without it a service is alone in its container, and the engine knows the order. ENVLOCK_WITHOUT names services whose
work something else does, so nobody waits for them.
"""
import os
import signal
import subprocess
import time

from . import health
from .table import Teller, say

PAUSE = 1  # seconds between two looks
ATTEMPTS = 4  # as supervisor starts any other service


def wait(names, table):
    """Returns when all of these services do their work."""
    done, without = os.environ.get("ENVLOCK_DONE"), os.environ.get("ENVLOCK_WITHOUT", "").split()
    if not done:
        return
    for name in names:
        teller = Teller()
        while name not in without:
            reason = pending(name, table, done)
            if not reason:
                break
            teller.say("waiting for %s" % reason)
            time.sleep(PAUSE)


def pending(name, table, done):
    """Why a service does not do its work yet; None if it does."""
    if table["services"][name]["once"]:
        return None if os.path.exists(os.path.join(done, name)) else "%s: it has not ended" % name
    return health.unwell(name, table)


def once(name, words, environ):
    """Runs what ends, and leaves a mark of it; its exit code. Where a mark is of no use it is run just once."""
    done = os.environ.get("ENVLOCK_DONE")
    mark = os.path.join(done, name) if done else None
    if mark and os.path.exists(mark):
        os.remove(mark)
    asked, code = [], 0
    running = []

    def stop(number, _frame):
        asked.append(number)
        if running and running[0].poll() is None:
            running[0].send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, stop)
    for attempt in range(ATTEMPTS if mark else 1):
        if attempt:
            say("%s ended with %s, and is tried again" % (name, code))
            time.sleep(attempt)
        try:
            running[:] = [subprocess.Popen(words, env=environ)]
        except OSError as error:
            say("cannot run %s: %s" % (words[0], error.strerror))
            return 127 if isinstance(error, FileNotFoundError) else 126
        for number in asked:
            running[0].send_signal(number)
        code = running[0].wait()
        code = 128 - code if code < 0 else code
        if code == 0 or asked:
            break
    if mark and code == 0 and not asked:
        with open(mark, "w"):
            pass
    supervisor = os.environ.get("ENVLOCK_SUPERVISED_BY")
    if code and supervisor and not asked:
        say("service %s gave up" % name)
        os.kill(int(supervisor), signal.SIGUSR1)
    return code
