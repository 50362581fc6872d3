"""Twelve tasks, each of which says where it ran."""
import datetime
import socket
import time

from airflow.decorators import dag, task


@task
def where(number):
    """Takes a while, so that no worker has done all of them before another one looks."""
    time.sleep(3)
    print("task %d runs on %s" % (number, socket.gethostname()))
    return socket.gethostname()


@dag(schedule=None, start_date=datetime.datetime(2024, 1, 1), catchup=False)
def where_tasks_run():
    where.expand(number=list(range(12)))


where_tasks_run()
