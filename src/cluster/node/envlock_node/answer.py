"""Runs a command that asks for a password, and answers: `answer FILE VARIABLE COMMAND…`.

Nobody sees it among the arguments of a process then. Nothing is done where the file is, which is made when the command
has ended well.
"""
import os
import subprocess

from .table import CANNOT_START, cannot_run, say


def main(words):
    """Answers as often as a command may ask; its exit code."""
    mark, variable, command = words[0], words[1], words[2:]
    if os.path.exists(mark):
        return 0
    answer = os.environ.get(variable)
    if not answer:
        say("%s is not set: give it as a variable or as a file, as any secret" % variable)
        return CANNOT_START
    # Without a terminal of its own it has to read what comes in.
    try:
        ended = subprocess.run(command, input=(answer + "\n").encode(errors="surrogateescape") * 4, start_new_session=True)
    except OSError as error:
        return cannot_run(command[0], error)
    if ended.returncode == 0:
        with open(mark, "w"):
            pass
    return ended.returncode if ended.returncode >= 0 else 128 - ended.returncode
