"""Tasks of queues of their own: one takes long enough to lose its worker on the way, and is tried again then."""
import datetime
import socket
import time

from airflow import DAG
from airflow.decorators import task


@task(retries=3, retry_delay=datetime.timedelta(seconds=1))
def sleep(seconds):
    """Says where it has run."""
    time.sleep(seconds)
    return socket.gethostname()


for queue, seconds in (("slow", 25), ("early", 1)):
    with DAG(queue, schedule=None, start_date=datetime.datetime(2024, 1, 1), catchup=False):
        sleep.override(queue=queue)(seconds)
