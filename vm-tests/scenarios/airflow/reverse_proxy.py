"""NGINX on the master shows Airflow and Flower below their paths, to other machines as well, and nothing else is shown."""

PATIENCE = 900
ASK = """
import sys, urllib.error, urllib.request

class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None

try:
    answer = urllib.request.build_opener(Stay).open(sys.argv[1], timeout=60)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.headers.get("Location", ""), answer.read().decode(errors="replace").replace(chr(10), " ")[:400])
"""


def ask(url: str, says: str, timeout: int = 120) -> None:
    """Asks from the worker, until the answer has a pattern."""
    wait(worker, f"node python -c '{ASK}' {url}", says, timeout)


with subtest("master and worker boot"):
    master.start()
    worker.start()
    wait(worker, "node-log", "takes DAGs from the master", PATIENCE)

with subtest("Airflow is well"):
    ask("http://master/health", '^200 .*"scheduler": .*"status": "healthy"', PATIENCE)

with subtest("the way leads to Airflow's log-in"):
    ask("http://master/", "^302 /myorg/airflow/ ")
    ask("http://master/myorg/airflow/login/", "^200 .*<title>")
    ask("http://master/airflow/", "^404")

with subtest("Flower wants a password"):
    ask("http://master/myorg/flower/", "^401", PATIENCE)

with subtest("nothing else answers other machines"):
    for port in (8080, 5555):
        worker.fail(f"node bash -c 'exec 3<>/dev/tcp/master/{port}'")
    said = worker.succeed("node bash -c 'exec 3<>/dev/tcp/master/6379; echo PING >&3; head -n 1 <&3'")
    assert "NOAUTH" in said, said
