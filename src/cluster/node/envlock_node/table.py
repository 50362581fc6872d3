"""The services of this role, and their variables as they are at run time."""
import json
import os
import re
import sys

ROLE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SECRETS = "/run/secrets"
CANNOT_START = 78  # the exit code: EX_CONFIG of sysexits.h
REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


class Missing(Exception):
    """A variable that a service needs has no value."""


def load():
    """The table that the image was built with."""
    with open(os.path.join(ROLE, "services.json"), encoding="utf-8") as file:
        return json.load(file)


def say(text):
    """Tells whoever reads the log."""
    sys.stderr.write("envlock: %s\n" % text)
    sys.stderr.flush()


def read_secret(name, environ):
    """The value of a secret: the variable, the file that NAME_FILE names, or /run/secrets/NAME."""
    if name in environ:
        return environ[name]
    path = environ.get(name + "_FILE", os.path.join(SECRETS, name))
    try:
        # Whatever bytes it has.
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            value = file.read()
    except OSError as error:
        raise Missing(
            "%s is not set and cannot be read from %s (%s); give it as a variable, or as a file: mount it there or name "
            "it in %s_FILE" % (name, path, error.strerror, name)
        )
    # An editor's last newline is not part of a password.
    value = value[:-1] if value.endswith("\n") else value
    if not value:
        raise Missing("%s is empty: %s holds nothing" % (name, path))
    if "\0" in value:
        raise Missing("%s cannot be a variable: %s holds a NUL byte" % (name, path))
    return value


def expand(text, environ):
    """Replaces ${NAME} and ${NAME:-default}."""

    def value(match):
        name, default = match.groups()
        if environ.get(name):
            return environ[name]
        if default is not None:
            return default
        if name in environ:
            return ""
        raise Missing("`%s` asks for the variable %s, which is not set" % (text, name))

    return REFERENCE.sub(value, text)


def environment(table, service, environ, strict=True):
    """The variables of a service, or of a command of the user's if `service` is None.

    What is given at run time wins over the service's, and the service's over the image's. Stated values may refer to each
    other; what is given or secret is taken as it is. Without `strict` a secret that is not there is left out, and what
    refers to it stays as it is, which is said.
    """
    missing = []
    # What came with the image is stated; any other value was given at run time.
    stated = {name: value for name, value in table["environment"].items() if environ.get(name, value) == value}
    given = {name: value for name, value in environ.items() if name not in stated}
    for name, value in (service["environment"] if service else {}).items():
        if name not in given:
            stated[name] = value
    for name in table["secrets"]:
        try:
            given[name] = read_secret(name, given)
            stated.pop(name, None)
        except Missing as error:
            if strict:
                raise
            missing.append(error)
    result = dict(given)

    def settle(name, above):
        if name in result or name not in stated:
            return
        if name in above:
            raise Missing("the variables %s refer to each other" % ", ".join(above))
        value = stated[name]
        try:
            for match in REFERENCE.finditer(value):
                settle(match.group(1), above + [name])
            result[name] = expand(value, result)
        except Missing:
            if strict:
                raise
            result[name] = value

    for name in stated:
        settle(name, [])
    for error in missing:
        say("%s; variables that refer to it stay as they are written" % error)
    return result


def command(service, environ):
    """The words of a service's command."""
    return [expand(word, environ) for word in service["command"]]
