"""A Celery application of one task: it says on which host it ran, with which Python and environment."""
import json
import os
import platform
import socket

from celery import Celery

broker = "redis://%s:6379/0" % os.environ.get("REDIS_HOST", "master")
app = Celery("tasks", broker=broker, backend=broker)
app.conf.broker_connection_retry_on_startup = True


@app.task
def where():
    with open("/opt/envlock/env/conda-meta/envlock", encoding="utf-8") as marker:
        lock_hash = json.load(marker)["lockHash"]
    return {"host": socket.gethostname(), "python": platform.python_version(), "lock_hash": lock_hash}


if __name__ == "__main__":
    print(json.dumps(where.delay().get(timeout=90)))
