"""The services of this role, and their variables as they are at run time."""
import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import shutil
import sys
import tempfile
import time

ROLE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SECRETS = "/run/secrets"
TEMPORARY = "/tmp"
CANNOT_START = 78  # the exit code: EX_CONFIG of sysexits.h
SHORTEST = 16  # characters of a secret that others come of
REMIND = 60  # seconds after which the same is said again
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


def cannot_run(program, error):
    """Says that a program cannot be run; the exit code, as a shell has it: 127 if it is not there, 126 otherwise."""
    is_missing = isinstance(error, FileNotFoundError)
    hint = "; add its package to the environment file or to the role's `system` file" if is_missing else ""
    say("cannot run %s: %s%s" % (program, error.strerror, hint))
    return 127 if is_missing else 126


class Teller:
    """Says what there is to say once, and again after a while."""

    def __init__(self):
        self.last, self.at = None, 0.0

    def say(self, text):
        """Says a text that is new, or old enough."""
        now = time.monotonic()
        if text != self.last or now - self.at >= REMIND:
            say(text)
            self.last, self.at = text, now


def read_secret(name, environ, kept=None, may_make=False):
    """The value of a secret: the variable, the file that NAME_FILE names, /run/secrets/NAME, or what this node has kept.

    What is `kept` at a path may be made if it is not there.
    """
    if name in environ:
        return environ[name]
    path = environ.get(name + "_FILE", os.path.join(SECRETS, name))
    if kept and name + "_FILE" not in environ and not os.path.exists(path):
        path = kept
        if may_make:
            make_secret(name, path)
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


def make_secret(name, path):
    """Makes a secret of this node's own, if there is none yet; whoever else does so at the same time has the same one."""
    if os.path.exists(path):
        return
    try:
        handle, draft = tempfile.mkstemp(prefix=".%s." % name, dir=os.path.dirname(path))
        try:
            with open(handle, "w") as file:
                file.write(secrets.token_hex(32) + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, path)
        finally:
            os.remove(draft)
    except FileExistsError:
        return
    except OSError as error:
        raise Missing("%s is not given, and cannot be made at %s: %s" % (name, path, error.strerror))
    say("made %s, which is kept in %s; `envlock-node secret %s` prints it" % (name, path, name))


def secrets_of(table, given, strict):
    """The values of all secrets, by name, and what is to be said of those that have none.

    With `strict`, as services want them, that is raised, and a node makes what is its own: a command beside them would make
    another one than theirs.
    """
    known, missing = {}, []
    needed = {rule["from"] for name, rule in table["derives"].items() if name not in given}
    done = {rule["from"] for rule in table["derives"].values()} - needed
    for name in sorted((set(table["secrets"]) | set(table["makes"])) - done):
        try:
            known[name] = read_secret(name, given, table["makes"].get(name), strict)
        except Missing as error:
            if strict:
                raise
            missing.append(error)
    for name, rule in table["derives"].items():
        # One that is given in some way is not made of another.
        if name in given or name + "_FILE" in given or os.path.exists(os.path.join(SECRETS, name)):
            known[name] = read_secret(name, given)
        elif rule["from"] in known:
            known[name] = derive(name, rule, known[rule["from"]])
    return known, missing


def derive(name, rule, value):
    """The secret that comes of another one: HMAC-SHA256 of its name."""
    if len(value) < SHORTEST:
        raise Missing(
            "%s is too short to make other secrets of; have %s characters or more, such as `openssl rand -hex 32` prints"
            % (rule["from"], SHORTEST)
        )
    digest = hmac.new(value.encode(errors="surrogateescape"), name.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode() if rule["base64"] else digest.hex()


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
    # What came with the image is stated; any other value was given at run time.
    stated = {name: value for name, value in table["environment"].items() if environ.get(name, value) == value}
    given = {name: value for name, value in environ.items() if name not in stated}
    for name, value in (service["environment"] if service else {}).items():
        if name not in given:
            stated[name] = value
    known, missing = secrets_of(table, given, strict)
    stated = {name: value for name, value in stated.items() if name not in known}
    # What all others are made of is no service's business.
    sources = {rule["from"] for rule in table["derives"].values()}
    result = {name: value for name, value in dict(given, **known).items() if name not in sources}

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
    if service and not service["command"][0].endswith("/envlock-node"):
        # A secret that it does not speak of would only be told by it, as by a task that prints its variables.
        spoken = " ".join(service["command"] + list(service["files"].values()) + list(stated.values()))
        for name in set(known) - {match.group(1) for match in REFERENCE.finditer(spoken)}:
            if name in table["derives"] or name in table["makes"]:
                result.pop(name, None)
    for error in missing:
        say("%s; variables that refer to it stay as they are written" % error)
    return result


def command(service, environ):
    """The words of a service's command."""
    return [expand(word, environ) for word in service["command"]]


def files_directory(name):
    """Where a service finds its files."""
    return os.path.join(TEMPORARY, "envlock-" + name)


def place_files(name, service, environ):
    """Makes the directory of a service's files anew, with these alone; nobody else can read them."""
    directory = files_directory(name)
    try:
        shutil.rmtree(directory, ignore_errors=True)
        os.mkdir(directory, 0o700)
        for file_name, text in service["files"].items():
            path = os.path.join(directory, file_name)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write(expand(text, environ))
    except OSError as error:
        # Most services have no files, and need no place to write to.
        if service["files"]:
            raise Missing("its files cannot be written to %s: %s" % (directory, error.strerror))
