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
from .table import Teller, cannot_run, say

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


def mark_of(name):
    """The file that says that a service has ended well; None where nobody looks for one."""
    done = os.environ.get("ENVLOCK_DONE")
    return os.path.join(done, name) if done else None


def begin(name):
    """Takes away the mark of an earlier end."""
    mark = mark_of(name)
    if mark and os.path.exists(mark):
        os.remove(mark)


def give_up(name):
    """Ends the node of a service that runs once and did not end well: nobody else would start it again."""
    supervisor = os.environ.get("ENVLOCK_SUPERVISED_BY")
    if supervisor:
        say("service %s gave up" % name)
        os.kill(int(supervisor), signal.SIGUSR1)


def once(name, words, environ):
    """Runs what ends, and leaves a mark of it; its exit code. Where a mark is of no use it is run just once.

    Where it does not end well, and nobody asked it to end, its node ends.
    """
    mark = mark_of(name)
    asked, running, code = [], [], 0

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
        if asked:
            break
        try:
            running[:] = [subprocess.Popen(words, env=environ)]
        except OSError as error:
            code = cannot_run(words[0], error)
            break
        for number in asked:
            running[0].send_signal(number)
        code = running[0].wait()
        code = 128 - code if code < 0 else code
        if code == 0 or asked:
            break
    if asked:
        return code or 128 + asked[0]
    if code:
        give_up(name)
    elif mark:
        with open(mark, "w"):
            pass
    return code
