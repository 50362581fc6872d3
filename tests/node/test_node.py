"""The programs of a node, without a container around them."""
import ast
import base64
import io
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from unittest import mock

NODE = pathlib.Path(__file__).resolve().parents[2] / "src/cluster/node"
sys.path.insert(0, str(NODE))

from envlock_node import answer, dags, fatal, guard, health, order, secret, start, supervise, table  # noqa: E402


def a_table(**changes):
    """A table of one service."""
    service = {"command": ["x", "${A}"], "environment": {}, "guard": False, "files": {}, "once": False, "after": [], "readiness": {}}
    whole = {"cluster": None, "environment": {}, "secrets": [], "services": {"x": service}, "supervisor": None, "makes": {}, "derives": {}}
    whole.update(changes)
    return whole


class Sources(unittest.TestCase):
    def test_they_are_of_the_oldest_python_that_may_run_them(self):
        for path in NODE.rglob("*.py"):
            ast.parse(path.read_text(), str(path), feature_version=(3, 6))


class Variables(unittest.TestCase):
    def test_references(self):
        environ = {"A": "a", "EMPTY": "", "REFERS": "${A}"}
        for text, expected in [
            ("${A}", "a"),
            ("<${A}${A}>", "<aa>"),
            ("${B:-b}", "b"),
            ("${EMPTY:-b}", "b"),
            ("${EMPTY}", ""),
            ("${B:-}", ""),
            # What is no reference stays; what a value holds is no reference.
            ("$A ${} ${-} $$", "$A ${} ${-} $$"),
            ("${REFERS}", "${A}"),
        ]:
            self.assertEqual(table.expand(text, environ), expected, text)
        with self.assertRaisesRegex(table.Missing, "asks for the variable B, which is not set"):
            table.expand("x${B}", environ)

    def test_what_wins(self):
        whole = a_table(environment={"A": "role", "B": "role"})
        service = dict(whole["services"]["x"], environment={"A": "service"})
        image = {"A": "role", "B": "role"}
        self.assertEqual(table.environment(whole, service, image), {"A": "service", "B": "role"})
        given = dict(image, A="given")
        self.assertEqual(table.environment(whole, service, given)["A"], "given")

    def test_stated_values_refer_to_each_other_and_given_ones_to_nothing(self):
        image = {"A": "<${B}>", "B": "<${C}>", "C": "c"}
        whole = a_table(environment=image)
        self.assertEqual(table.environment(whole, None, dict(image, X="${C}"))["X"], "${C}")
        self.assertEqual(table.environment(whole, None, image)["A"], "<<c>>")
        self.assertEqual(table.environment(whole, None, dict(image, B="${C}"))["A"], "<${C}>")
        circle = {"A": "${B}", "B": "${A}"}
        with self.assertRaisesRegex(table.Missing, "the variables A, B refer to each other"):
            table.environment(a_table(environment=circle), None, circle)

    def test_a_service_wins_over_everything_that_came_with_the_image(self):
        whole = a_table(environment={"PATH": "/image", "TZ": "UTC"})
        service = dict(whole["services"]["x"], environment={"TZ": "Europe/Berlin"})
        self.assertEqual(table.environment(whole, service, {"PATH": "/image", "TZ": "UTC"})["TZ"], "Europe/Berlin")

    def test_secrets(self):
        with tempfile.TemporaryDirectory() as directory:
            with mock.patch.object(table, "SECRETS", directory):
                whole = a_table(secrets=["S"], environment={"URL": "redis://:${S}@h"})
                image = {"URL": "redis://:${S}@h"}
                with self.assertRaisesRegex(table.Missing, "S is not set and cannot be read from"):
                    table.environment(whole, None, image)
                with mock.patch("sys.stderr", io.StringIO()) as said:
                    self.assertEqual(table.environment(whole, None, image, strict=False)["URL"], "redis://:${S}@h")
                self.assertRegex(said.getvalue(), "S is not set and .*; variables that refer to it stay as they are written")
                pathlib.Path(directory, "S").write_text("\n")
                with self.assertRaisesRegex(table.Missing, "S is empty"):
                    table.environment(whole, None, image)
                pathlib.Path(directory, "S").write_bytes(b"a\0b")
                with self.assertRaisesRegex(table.Missing, "holds a NUL byte"):
                    table.environment(whole, None, image)
                pathlib.Path(directory, "S").write_bytes(b"\xff")
                self.assertEqual(os.fsencode(table.environment(whole, None, image)["S"]), b"\xff")
                pathlib.Path(directory, "S").write_text("of the file\n\n")
                self.assertEqual(table.environment(whole, None, image)["URL"], "redis://:of the file\n@h")
                pathlib.Path(directory, "other").write_text("of the other")
                other = dict(image, S_FILE=directory + "/other")
                self.assertEqual(table.environment(whole, None, other)["S"], "of the other")
                self.assertEqual(table.environment(whole, None, dict(other, S="given"))["S"], "given")

    def test_what_cannot_be_run_is_said(self):
        for words in [[""], ["x\0y"], ["true", "a\0secret"]]:
            with mock.patch("sys.stderr", io.StringIO()) as said:
                self.assertEqual(start.become(words, {"PATH": os.environ["PATH"]}), 126)
            self.assertIn("its name is empty, or one of its words holds a NUL byte", said.getvalue())
            self.assertNotIn("secret", said.getvalue())

    def test_a_role_without_services_says_so(self):
        with mock.patch.object(start, "load", lambda: a_table(services={})), mock.patch("sys.stderr", io.StringIO()) as said:
            self.assertEqual(start.main([]), start.CANNOT_START)
        self.assertIn("this role has no services: name a command", said.getvalue())


class Supervision(unittest.TestCase):
    """`supervise.main` in a process of its own, with something else in supervisor's place."""

    def run_it(self, script, then=lambda process: None):
        code = (
            "import sys; sys.path.insert(0, %r); from envlock_node import supervise; "
            "sys.exit(supervise.main({'supervisor': [sys.executable, '-c', sys.argv[1]]}))" % str(NODE)
        )
        words = [sys.executable, "-B", "-c", code, script]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        alarm = threading.Timer(60, process.kill)
        alarm.start()
        self.addCleanup(alarm.cancel)
        then(process)
        out, err = process.communicate()
        return process.returncode, out.decode(), err.decode()

    def test_streams_and_code_are_passed_on(self):
        script = "import sys; sys.stdout.write('o' * 1000000); sys.stderr.write('e' * 1000000); sys.exit(3)"
        code, out, err = self.run_it(script)
        self.assertEqual((code, len(out), len(err)), (3, 1000000, 1000000))

    def test_what_outlives_supervisor_is_not_waited_for(self):
        began = time.monotonic()
        orphan = "for i in $(seq 100); do echo $i; sleep 0.5; done"
        code, out, _ = self.run_it("import subprocess; subprocess.Popen(['sh', '-c', %r]); print('done')" % orphan)
        self.assertEqual(code, 0)
        self.assertIn("done\n", out)
        self.assertLess(time.monotonic() - began, 40)

    def test_without_a_place_to_write_it_says_what_to_do(self):
        with mock.patch.object(supervise, "STATE", "/nowhere"), mock.patch("sys.stderr", io.StringIO()) as said:
            self.assertEqual(supervise.main({"supervisor": ["true"]}), table.CANNOT_START)
        self.assertIn("--tmpfs /nowhere", said.getvalue())

    WAITS = (
        "import os, signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); "
        "print('ready', flush=True); %s; time.sleep(50)"
    )

    def test_it_stops_when_it_is_told_to(self):
        def then(process):
            self.assertEqual(process.stdout.readline(), b"ready\n")
            process.send_signal(signal.SIGTERM)

        self.assertEqual(self.run_it(self.WAITS % "0", then)[0], 0)

    def test_a_service_that_gives_up_is_a_failure(self):
        script = self.WAITS % "os.kill(int(os.environ['ENVLOCK_SUPERVISED_BY']), signal.SIGUSR1)"
        code, _, err = self.run_it(script)
        self.assertEqual(code, 1)
        self.assertIn("this node ends", err)


class Kept(unittest.TestCase):
    """Secrets that a node makes, those that come of another one, and files of a service."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        (self.directory / "given").mkdir()
        for name, value in [("SECRETS", str(self.directory / "given")), ("TEMPORARY", directory.name)]:
            patch = mock.patch.object(table, name, value)
            patch.start()
            self.addCleanup(patch.stop)
        self.table = a_table(
            secrets=["ALL"],
            makes={"ALL": str(self.directory / "ALL"), "OWN": str(self.directory / "OWN")},
            derives={"ONE": {"from": "ALL", "base64": False}, "KEY": {"from": "ALL", "base64": True}},
        )

    def environment(self, strict=True, **environ):
        with mock.patch("sys.stderr", io.StringIO()) as said:
            found = table.environment(self.table, None, environ, strict)
        return found, said.getvalue()

    def test_what_is_made_is_kept_and_is_nobody_elses(self):
        first, said = self.environment()
        self.assertIn("made OWN, which is kept in %s/OWN" % self.directory, said)
        self.assertNotIn(first["OWN"], said)
        self.assertEqual(os.stat(str(self.directory / "OWN")).st_mode & 0o777, 0o600)
        self.assertEqual(self.environment(), (first, ""))
        # What all others come of is no service's business, and neither is what it does not speak of.
        self.assertEqual(set(first), {"OWN", "ONE", "KEY"})
        with mock.patch("sys.stderr", io.StringIO()):
            service = dict(self.table["services"]["x"], command=["x", "${ONE}"], environment={"URL": "redis://:${KEY}@h"})
            self.assertEqual(set(table.environment(self.table, service, {})), {"ONE", "KEY", "URL"})
            own = dict(service, command=["/opt/envlock/role/bin/envlock-node", "answer", "OWN"])
            self.assertEqual(set(table.environment(self.table, own, {})), {"OWN", "ONE", "KEY", "URL"})
        # What a service passes on to its own children is enough for them.
        (self.directory / "ALL").unlink()
        self.assertEqual(self.environment(**first), (first, ""))
        self.assertFalse((self.directory / "ALL").exists())

    def test_a_command_makes_nothing(self):
        _, said = self.environment(strict=False)
        self.assertIn("ALL is not set and cannot be read", said)
        self.assertEqual([path.name for path in self.directory.iterdir()], ["given"])

    def test_two_at_the_same_time_have_the_same_one(self):
        path = str(self.directory / "OWN")
        with mock.patch.object(os.path, "exists", lambda _path: False), mock.patch("sys.stderr", io.StringIO()):
            table.make_secret("OWN", path)
            first = pathlib.Path(path).read_text()
            table.make_secret("OWN", path)
        self.assertEqual(pathlib.Path(path).read_text(), first)
        self.assertEqual(sorted(path.name for path in self.directory.iterdir()), ["OWN", "given"])

    def test_what_comes_of_another_one(self):
        given, _ = self.environment(ALL="0123456789abcdef")
        # As `openssl dgst -sha256 -hmac` has it.
        self.assertEqual(given["ONE"], "a8cec0ac2089dbbb48dc3cbc2475c6b7b1b1abdb2a8f2018d35519be03edb990")
        self.assertEqual(len(base64.urlsafe_b64decode(given["KEY"])), 32)
        self.assertNotIn("ALL", given)
        # One that is given is taken as it is.
        (self.directory / "given/ONE").write_text("mine\n")
        self.assertEqual(self.environment(ALL="0123456789abcdef")[0]["ONE"], "mine")
        self.assertEqual(self.environment(ALL="0123456789abcdef", ONE="yours")[0]["ONE"], "yours")
        with self.assertRaisesRegex(table.Missing, "ALL is too short to make other secrets of"):
            self.environment(ALL="hunter2")

    def test_it_can_be_printed(self):
        for words, code, expected in [(["ONE"], 0, "ONE=.*"), (["NONE"], table.CANNOT_START, "there are ALL, KEY, ONE, OWN")]:
            with mock.patch.object(secret, "load", lambda: self.table), mock.patch.dict(
                os.environ, ALL="0123456789abcdef", OWN="o"
            ), mock.patch("sys.stderr", io.StringIO()) as err, mock.patch("sys.stdout", io.StringIO()) as out:
                self.assertEqual(secret.main(words), code)
            self.assertRegex("ONE=" + out.getvalue() if code == 0 else err.getvalue(), expected)

    def test_files_of_a_service(self):
        service = dict(self.table["services"]["x"], files={"a.conf": "a ${A} in ${ENVLOCK_FILES}; $b\n"}, command=["x", "${ENVLOCK_FILES}"])
        environ = {"A": "1", "ENVLOCK_FILES": table.files_directory("x")}
        table.place_files("x", service, environ)
        directory = str(self.directory / "envlock-x")
        self.assertEqual(table.command(service, environ), ["x", directory])
        path = pathlib.Path(directory, "a.conf")
        self.assertEqual(path.read_text(), "a 1 in %s; $b\n" % directory)
        self.assertEqual((path.stat().st_mode & 0o777, os.stat(directory).st_mode & 0o777), (0o600, 0o700))
        with self.assertRaisesRegex(table.Missing, "asks for the variable A"):
            table.place_files("x", service, {"ENVLOCK_FILES": directory})


class Answer(unittest.TestCase):
    def test_a_command_that_asks_is_answered_once(self):
        with tempfile.TemporaryDirectory() as directory:
            mark, said = directory + "/mark", directory + "/said"
            asks = "import getpass, sys; open(sys.argv[1], 'a').write(getpass.getpass('') + getpass.getpass('')); sys.exit(%d)"
            for code in (3, 0, 0):
                words = [mark, "WORD", sys.executable, "-W", "ignore", "-c", asks % code, said]
                with mock.patch.dict(os.environ, WORD="hunter2"):
                    self.assertEqual(answer.main(words), code)
            self.assertEqual(pathlib.Path(said).read_text(), "hunter2" * 4)
        with mock.patch.dict(os.environ), mock.patch("sys.stderr", io.StringIO()) as said:
            os.environ.pop("WORD", None)
            self.assertEqual(answer.main(["/nowhere/mark", "WORD", "true"]), 78)
        self.assertIn("WORD is not set", said.getvalue())


class Dags(unittest.TestCase):
    def test_only_what_is_signed_with_the_secret_of_the_cluster_is_believed(self):
        text = dags.signed({"key": "k"}, "secret", "here")
        self.assertEqual(dags.verified(text.encode(), "secret", "here"), {"key": "k"})
        deep = ["[" * 4000, "[" * 200000]
        for wrong in [text.replace("k", "l", 1), None, "", "{}", "[]", "null", '{"text": 1, "proof": 2}', b"\xff"] + deep:
            self.assertIsNone(dags.verified(wrong, "secret", "here"), wrong)
        self.assertIsNone(dags.verified(text, "other", "here"))
        # What is said at one place is not said at another one.
        self.assertIsNone(dags.verified(text, "secret", "there"))

    def test_what_a_worker_says_cannot_become_an_option_of_ssh(self):
        good = {"name": "worker-1", "host": "10.0.0.7", "port": 2222, "key": "ssh-ed25519 AAAA+/==", "seen": 1}
        self.assertTrue(dags.is_plain(good))
        self.assertTrue(dags.is_plain(dict(good, host="::1")))
        for name, value in [
            ("host", "-oProxyCommand=x"),
            ("host", "a b"),
            ("name", "x\ny"),
            ("name", "-x"),
            ("key", "ssh-ed25519 AAAA\n* ssh-rsa BBBB"),
            ("port", "22 -o x"),
            ("seen", "1"),
            ("name", 7),
            ("host", None),
        ]:
            self.assertFalse(dags.is_plain(dict(good, **{name: value})), value)

    def test_an_empty_folder_takes_nothing_away(self):
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(os.path.join(folder, "logs"))
            self.assertFalse(dags.has_some(folder))
            os.mkdir(os.path.join(folder, "team"))
            self.assertTrue(dags.has_some(folder))


class Order(unittest.TestCase):
    """What comes after what, and what is done once."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.done = directory.name
        environ = mock.patch.dict(os.environ, ENVLOCK_DONE=self.done)
        environ.start()
        self.addCleanup(environ.stop)

    def once(self, script, **environ):
        """Runs a script as a service that runs once, in a process of its own; its exit code and what was said."""
        code = (
            "import os, sys; from unittest import mock; sys.path.insert(0, %r); from envlock_node import order, start; "
            "order.time = mock.Mock(); service = dict(command=[sys.executable, '-c', sys.argv[1]], environment={}, files={}, "
            "guard=False, once=True, after=[], readiness={}); table = dict(cluster=None, environment={}, secrets=[], makes={}, "
            "derives={}, services={'x': service}); sys.exit(start.start('x', table))"
        ) % str(NODE)
        words = [sys.executable, "-B", "-c", code, script]
        ran = subprocess.run(words, stderr=subprocess.PIPE, env=dict(os.environ, **environ), timeout=60)
        return ran.returncode, ran.stderr.decode()

    def test_what_has_ended_well_leaves_a_mark(self):
        mark = pathlib.Path(self.done, "x")
        mark.touch()
        code, said = self.once("import os, sys; sys.exit(os.path.exists(%r))" % str(mark))
        self.assertEqual((code, said, mark.exists()), (0, "", True))

    def test_it_is_tried_again_and_then_ends_the_node(self):
        count = pathlib.Path(self.done, "count")
        script = "import sys; open(%r, 'a').write('x'); sys.exit(3)" % str(count)
        with subprocess.Popen(["sleep", "60"]) as supervisor:
            code, said = self.once(script, ENVLOCK_SUPERVISED_BY=str(supervisor.pid))
            self.assertEqual(supervisor.wait(10), -signal.SIGUSR1)
        self.assertEqual((code, count.read_text()), (3, "xxxx"))
        self.assertIn("envlock: x ended with 3, and is tried again\n", said)
        self.assertIn("envlock: service x gave up\n", said)
        self.assertFalse(pathlib.Path(self.done, "x").exists())
        # So does one that cannot be run at all.
        with subprocess.Popen(["sleep", "60"]) as supervisor:
            environ = {"ENVLOCK_SUPERVISED_BY": str(supervisor.pid), "S": "x"}
            whole = a_table(services={"x": dict(a_table()["services"]["x"], once=True)})
            with mock.patch.dict(os.environ, environ), mock.patch("sys.stderr", io.StringIO()), self.assertRaises(table.Missing):
                start.start("x", whole)
            self.assertEqual(supervisor.wait(10), -signal.SIGUSR1)
        # Alone in its container it is the engine that tries again.
        count.unlink()
        self.assertEqual((self.once(script, ENVLOCK_DONE="")[0], count.read_text()), (3, "x"))

    def test_a_second_try_that_goes_well_is_enough(self):
        count = pathlib.Path(self.done, "count")
        script = "import sys; open(%r, 'a').write('x'); sys.exit(open(%r).read() != 'xx')" % ((str(count),) * 2)
        self.assertEqual(self.once(script)[0], 0)
        self.assertTrue(pathlib.Path(self.done, "x").exists())

    def test_told_to_stop_it_is_not_tried_again(self):
        script = "import os, signal, time; os.kill(os.getppid(), signal.SIGTERM); time.sleep(60)"
        code, said = self.once(script)
        self.assertEqual((code, said), (128 + signal.SIGTERM, ""))
        self.assertFalse(pathlib.Path(self.done, "x").exists())

    def test_a_program_that_is_not_there(self):
        with mock.patch("sys.stderr", io.StringIO()) as said, mock.patch.object(signal, "signal"):
            self.assertEqual(order.once("x", ["/nowhere/x"], {}), 127)
        self.assertIn("cannot run /nowhere/x: No such file or directory; add its package to", said.getvalue())

    def test_one_that_is_killed_ends_the_node(self):
        script = "import os; os.kill(os.getpid(), 9)"
        with subprocess.Popen(["sleep", "60"]) as supervisor:
            code, said = self.once(script, ENVLOCK_SUPERVISED_BY=str(supervisor.pid))
            self.assertEqual(supervisor.wait(10), -signal.SIGUSR1)
        self.assertEqual(code, 128 + signal.SIGKILL)

    def test_whoever_comes_after_waits(self):
        one = a_table()["services"]["x"]
        services = {
            "job": dict(one, once=True),
            "server": dict(one, readiness={"command": ["test", "-e", self.done + "/server-is-up"]}),
            "unknowable": one,
        }
        whole = a_table(services=services)
        looks = []

        def sleep(_seconds):
            looks.append(True)
            pathlib.Path(self.done, {2: "job", 4: "server-is-up"}.get(len(looks), "other")).touch()

        with mock.patch.object(order, "time", mock.Mock(sleep=sleep)), mock.patch("sys.stderr", io.StringIO()) as said, mock.patch.dict(
            os.environ, A="a"
        ):
            order.wait(["job", "server", "unknowable"], whole)
            self.assertEqual(len(looks), 4)
            self.assertEqual(
                said.getvalue(), "envlock: waiting for job: it has not ended\nenvlock: waiting for server: test ended with 1\n"
            )
            # Whose work something else does is not waited for, and nobody is in a container of one's own.
            os.remove(self.done + "/job")
            with mock.patch.dict(os.environ, ENVLOCK_WITHOUT="job other"):
                order.wait(["job"], whole)
            with mock.patch.dict(os.environ, ENVLOCK_DONE=""):
                order.wait(["job"], whole)
        self.assertEqual(len(looks), 4)


class Listener(unittest.TestCase):
    def test_it_answers_by_the_protocol(self):
        payload = "processname:redis groupname:redis from_state:BACKOFF"
        header = "ver:3.0 server:supervisor serial:21 pool:fatal poolserial:10 eventname:PROCESS_STATE_FATAL len:%d\n"
        with mock.patch("sys.stdin", io.StringIO(header % len(payload) + payload)), mock.patch(
            "sys.stdout", io.StringIO()
        ) as out, mock.patch("sys.stderr", io.StringIO()) as err, mock.patch("os.kill") as kill, mock.patch.dict(
            os.environ, ENVLOCK_SUPERVISED_BY="7"
        ):
            self.assertEqual(fatal.main([]), 0)
        self.assertEqual(out.getvalue(), "READY\nRESULT 2\nOKREADY\n")
        self.assertEqual(err.getvalue(), "envlock: service redis gave up\n")
        kill.assert_called_once_with(7, signal.SIGUSR1)


class Health(unittest.TestCase):
    def test_what_the_container_was_started_for(self):
        services = {"a": {}, "b": {}}
        node = ["tini", "--", "/opt/envlock/role/bin/envlock-node", "start"]
        for words, expected in [
            (node, ["a", "b"]),
            (node + ["a"], ["a"]),
            (node + ["celery"], []),
            (node + ["a", "x"], []),
            (["/sbin/docker-init", "--"] + node + ["b"], ["b"]),
            (["pause"], ["a", "b"]),
        ]:
            with mock.patch("builtins.open", mock.mock_open(read_data="\0".join(words + [""]).encode())):
                self.assertEqual(health.started(services), expected, words)
        # As where a machine hides its first process from services.
        with mock.patch("builtins.open", side_effect=FileNotFoundError):
            self.assertEqual(health.started(services), ["a", "b"])

    def test_a_secret_is_not_told_of_a_command_that_takes_too_long(self):
        services = {"x": dict(a_table()["services"]["x"], command=["x"], readiness={"command": ["sleep", "7${S}"]})}
        whole = a_table(services=services, secrets=["S"])
        with mock.patch.object(health, "load", lambda: whole), mock.patch.object(health, "TIMEOUT", 0.2), mock.patch.dict(
            os.environ, S="1234"
        ), mock.patch("sys.stdout", io.StringIO()) as said:
            self.assertEqual(health.main(["x"]), 1)
        self.assertEqual(said.getvalue(), "x: no answer within 0.2 seconds\n")

    def test_commands_and_ports(self):
        environ = dict(os.environ)
        self.assertIsNone(health.ask({}, environ))
        self.assertIsNone(health.ask({"command": ["true"]}, environ))
        said = health.ask({"command": ["sh", "-c", "echo why; exit 4"]}, environ)
        self.assertEqual(said, "sh ended with 4: why")
        with self.assertRaises(OSError):
            health.ask({"tcp": 1}, environ)


class Guard(unittest.TestCase):
    @staticmethod
    def with_redis():
        """A module in the place of redis, whose URLs are parsed as it does."""

        class Redis:
            @staticmethod
            def from_url(url, **_options):
                import urllib.parse

                return urllib.parse.urlparse(url).port

        return mock.patch.dict(sys.modules, redis=mock.Mock(Redis=Redis, RedisError=OSError, AuthenticationError=PermissionError))

    def test_a_password_that_breaks_the_url_is_not_told(self):
        cluster = {"name": "c", "broker": "redis://:${P}@${HOST:-master}:6379/0"}
        for password in ["hunter2/rest", "hunter2#rest", "hunter2?rest", "[hunter2"]:
            with self.with_redis(), self.assertRaises(table.Missing) as raised:
                guard.Board(cluster, {"P": password})
            self.assertIn("redis://:${P}@${HOST:-master}:6379/0 is no URL of a Redis", str(raised.exception))
            self.assertNotIn("hunter2", str(raised.exception))
            self.assertIsNone(raised.exception.__cause__)
        with self.with_redis():
            board = guard.Board(cluster, {"P": "hunter2"})
            self.assertEqual(board.where, "master:6379/0")
            self.assertRegex(board.trouble(PermissionError("no")), "^refused by Redis at master:6379/0: the password is wrong")
            self.assertEqual(board.trouble(OSError("gone")), "waiting for Redis at master:6379/0: gone")

    def test_a_guarded_service_that_cannot_ask_does_not_start(self):
        services = {"x": dict(a_table()["services"]["x"], command=["x"], guard=True)}
        whole = a_table(services=services, cluster={"name": "c", "broker": "redis://:${P}@h:1/0"})
        with self.with_redis(), mock.patch.object(start, "load", lambda: whole), mock.patch.object(
            guard, "own_digest", lambda _mode: "0" * 64
        ), mock.patch.dict(os.environ, P="a/b"), mock.patch("sys.stderr", io.StringIO()) as said:
            self.assertEqual(start.main(["x"]), table.CANNOT_START)
        self.assertIn("is no URL of a Redis", said.getvalue())

    def test_a_tree_in_a_nix_store_is_the_same(self):
        with tempfile.TemporaryDirectory() as root:
            os.makedirs(root + "/bin")
            for name, mode in [("bin/tool", 0o755), ("text", 0o644)]:
                with open(os.path.join(root, name), "w") as file:
                    file.write(name)
                os.chmod(os.path.join(root, name), mode)
            os.symlink("text", root + "/link")
            paths = [root + "/bin", root + "/bin/tool", root + "/text"]
            before = guard.tree_digest(root)
            for path in paths:
                os.chmod(path, os.stat(path).st_mode & ~0o222)
            self.assertEqual(guard.tree_digest(root), before)
            for path, mode in [(paths[0], 0o777), (paths[1], 0o444), (paths[2], 0o555)]:
                was = os.stat(path).st_mode
                os.chmod(path, mode)
                self.assertNotEqual(guard.tree_digest(root), before, path)
                os.chmod(path, was)
            os.chmod(paths[0], 0o755)

    def test_further_digests(self):
        one, other = "0" * 64, "a" * 64
        self.assertEqual(guard.also_admitted({}), set())
        self.assertEqual(guard.also_admitted({"ENVLOCK_ALSO_ADMIT": " %s, %s" % (one, other)}), {one, other})
        for wrong in ["abc", "A" * 64, one + other]:
            with self.assertRaisesRegex(table.Missing, "which is no treeDigest"):
                guard.also_admitted({"ENVLOCK_ALSO_ADMIT": wrong})

    def test_modes(self):
        self.assertEqual([guard.mode_of({}), guard.mode_of({"ENVLOCK_GUARD": "OFF"})], ["on", "off"])
        with self.assertRaisesRegex(table.Missing, "ENVLOCK_GUARD is `no`; it can be on, full or off"):
            guard.mode_of({"ENVLOCK_GUARD": "no"})


if __name__ == "__main__":
    unittest.main()
