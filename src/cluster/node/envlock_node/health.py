"""Whether the services that this container runs do their work: exit code 0, or 1 with the reason."""
import os
import socket
import subprocess
import urllib.error
import urllib.request

from .table import Missing, command, environment, expand, files_directory, load

TIMEOUT = 10  # seconds


def main(words):
    """Asks the services that are named, or those that this container was started for."""
    table = load()
    services = table["services"]
    for name in words or started(services):
        reason = unwell(name, table)
        if reason:
            print(reason)
            return 1
    return 0


def unwell(name, table):
    """Which service does not do its work, and why; None if it does, or if there is no way to know."""
    try:
        service = table["services"][name]
        environ = dict(os.environ, ENVLOCK_FILES=files_directory(name))
        reason = ask(service["readiness"], environment(table, service, environ))
    except KeyError:
        reason = "there is no such service"
    except subprocess.TimeoutExpired:
        # Not with its words, which may hold a secret.
        reason = "no answer within %s seconds" % TIMEOUT
    except (Missing, OSError) as error:
        reason = str(error)
    return "%s: %s" % (name, reason) if reason else None


def started(services):
    """The services that the container was started for, which its first process knows: none for another command."""
    try:
        with open("/proc/1/cmdline", "rb") as file:
            words = file.read().decode(errors="replace").split("\0")[:-1]
    except OSError:
        # The first process of a machine may be hidden from its services.
        return sorted(services)
    programs = [index for index, word in enumerate(words) if word.endswith("/envlock-node")]
    asked = words[programs[0] + 2 :] if programs else []
    if not asked:
        return sorted(services)
    return asked if len(asked) == 1 and asked[0] in services else []


def ask(readiness, environ):
    """Why a service is not ready; None if it is, or if there is no way to know."""
    if "tcp" in readiness:
        socket.create_connection(("127.0.0.1", readiness["tcp"]), TIMEOUT).close()
    elif "http" in readiness:
        # A proxy is for other hosts.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(expand(readiness["http"], environ), timeout=TIMEOUT):
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
