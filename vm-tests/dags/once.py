"""Six tasks that run as soon as the scheduler sees them; each leaves a file on the machine that it ran on."""
import datetime
import pathlib
import socket
import time

from airflow import DAG
from airflow.decorators import task


@task(retries=2, retry_delay=datetime.timedelta(seconds=5))
def leave(number):
    """Takes a while, so that no machine has done all of them before another one looks."""
    time.sleep(10)
    pathlib.Path("/var/lib/airflow/ran").write_text("task %d\n" % number)
    return socket.gethostname()


with DAG(
    "once",
    schedule="@once",
    start_date=datetime.datetime(2024, 1, 1),
    is_paused_upon_creation=False,
):
    leave.expand(number=list(range(6)))
