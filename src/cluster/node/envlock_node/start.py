"""Starts what a container is asked to run: a service by name, any other command, or all services of the role.

A service or a command takes the place of this process, so its signals and its exit code are its own.
"""
import os
import shutil
import signal
import sys

from . import guard, order, supervise
from .table import CANNOT_START, Missing, cannot_run, command, environment, files_directory, load, place_files, say


def main(words):
    """Does not return where there is something to become."""
    table = load()
    services = table["services"]
    try:
        if not words and len(services) == 1:
            words = list(services)
        if len(words) == 1 and words[0] in services:
            return start(words[0], table)
        if words:
            return become(words, environment(table, None, os.environ, strict=False))
    except Missing as error:
        say(error)
        return CANNOT_START
    if not services:
        say("this role has no services: name a command")
        return CANNOT_START
    return supervise.main(table)


def start(name, table):
    """Becomes a service, when others that it needs do their work and the guard has let it."""
    service = table["services"][name]
    if not service["once"]:
        return become(*prepared(name, service, table))
    order.begin(name)
    try:
        words, environ = prepared(name, service, table)
    except Missing:
        order.give_up(name)
        raise
    return order.once(name, words, environ)


def prepared(name, service, table):
    """The words and the variables of a service, as soon as it may start."""
    environ = environment(table, service, dict(os.environ, ENVLOCK_FILES=files_directory(name)))
    place_files(name, service, environ)
    words = command(service, environ)
    order.wait(service["after"], table)
    if service["guard"]:
        guard.wait(table["cluster"], environ)
    return words, environ


def become(words, environ):
    """Becomes a program."""
    sys.stdout.flush()
    # Python ignores them, and what is ignored stays so.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    # By its whole path: programs that start themselves anew ask for it, such as sshd.
    program = shutil.which(words[0], path=environ.get("PATH")) or words[0] if words[0] else ""
    try:
        os.execvpe(words[0], [program] + words[1:], environ)
    except ValueError:
        # Its words, which may hold a secret, are not told.
        say("cannot run `%s`: its name is empty, or one of its words holds a NUL byte" % words[0])
        return 126
    except OSError as error:
        return cannot_run(words[0], error)
