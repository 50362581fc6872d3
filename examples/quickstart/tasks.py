"""A Celery application as a cluster needs it: nothing is lost when a worker or the broker goes away in mid-task.

Broker and results are where CELERY_BROKER_URL and CELERY_RESULT_BACKEND say.
"""
import json
import os
import platform
import socket
import sys
import time

from celery import Celery

app = Celery("tasks")
app.conf.update(
    # A task is acknowledged when it is done, and given to somebody else if its worker dies.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    # Longer than the longest task, and as short as a test can wait.
    broker_transport_options={"visibility_timeout": int(os.environ.get("VISIBILITY_TIMEOUT", "3600"))},
    # An answer waits for a broker that is restarted, instead of being counted as a failure.
    result_backend_always_retry=True,
    result_backend_transport_options={"retry_policy": {"timeout": 60.0}},
)


@app.task
def where(number=0, seconds=0.0):
    """Says on which host it ran, with which Python and environment."""
    time.sleep(seconds)
    with open("/opt/envlock/tree-digest", encoding="ascii") as file:
        tree_digest = file.read().strip()
    return {
        "number": number,
        "host": socket.gethostname(),
        "python": platform.python_version(),
        "tree_digest": tree_digest,
    }


def main(count=1, seconds=0.0, patience=90):
    """Submits tasks, says so, and prints every answer."""
    results = [where.delay(number, seconds) for number in range(count)]
    print("submitted", count, file=sys.stderr, flush=True)
    for result in results:
        print(json.dumps(result.get(timeout=patience)), flush=True)


if __name__ == "__main__":
    main(*(float(word) if "." in word else int(word) for word in sys.argv[1:]))
