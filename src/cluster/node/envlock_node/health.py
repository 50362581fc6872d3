"""Whether the services that this container runs do their work: exit code 0, or 1 with the reason."""
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request

from .table import Missing, command, environment, expand, load

TIMEOUT = 10  # seconds


def main(words):
    """Asks the services that are named, or those that this container was started for."""
    table = load()
    services = table["services"]
    names = words or started(services) or sorted(services)
    for name in names:
        try:
            service = services[name]
            reason = ask(service["readiness"], environment(table, service, os.environ))
        except KeyError:
            reason = "there is no such service"
        except (Missing, OSError, subprocess.SubprocessError) as error:
            reason = str(error)
        if reason:
            print("%s: %s" % (name, reason))
            return 1
    return 0


def started(services):
    """The service that the container was started for, if it was for one: the first process knows."""
    with open("/proc/1/cmdline", "rb") as file:
        words = file.read().decode(errors="replace").split("\0")[:-1]
    return words[-1:] if words[-2:-1] == ["start"] and words[-1] in services else []


def ask(readiness, environ):
    """Why a service is not ready; None if it is, or if there is no way to know."""
    if "tcp" in readiness:
        socket.create_connection(("127.0.0.1", readiness["tcp"]), TIMEOUT).close()
    elif "http" in readiness:
        try:
            with urllib.request.urlopen(expand(readiness["http"], environ), timeout=TIMEOUT):
                return None
        except urllib.error.HTTPError as error:
            return "answers with status %s" % error.code
    elif "command" in readiness:
        words = command(readiness, environ)
        ended = subprocess.run(
            words, env=environ, timeout=TIMEOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
        if ended.returncode:
            said = ended.stdout.decode(errors="replace").strip().splitlines()
            return "%s ended with %s%s" % (words[0], ended.returncode, ": " + said[-1] if said else "")
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
