"""The cluster of Airflow: a DAG that is dropped on the master comes to the worker, and tasks of it run there."""

# Without KVM, Airflow alone takes half a minute to be imported.
PATIENCE = 900


def database(statement: str) -> list[str]:
    """What Airflow's database answers, as lines."""
    command = 'PGPASSWORD=$POSTGRES_PASSWORD exec psql -h "$POSTGRES_HOST" -U airflow -tAc "$0"'
    return master.succeed(f"node sh -c '{command}' \"{statement}\"").splitlines()


with subtest("master and worker boot"):
    master.start()
    worker.start()
    wait(worker, "node-log", "takes DAGs from the master", PATIENCE)

with subtest("the DAG comes to the worker"):
    master.succeed("node cp once.py /var/lib/airflow/dags/once.py")
    wait(worker, "ls /var/lib/airflow/dags", "once.py", 120)

with subtest("the worker is ready"):
    wait(worker, "node-log", "celery@worker ready", PATIENCE)

with subtest("tasks run on the worker"):
    wait(worker, "ls /var/lib/airflow", "ran", PATIENCE)

with subtest("every task is green in the database"):
    end = time.monotonic() + PATIENCE
    while sorted(set(rows := database("select state from task_instance"))) != ["success"] or len(rows) < 6:
        assert time.monotonic() < end, database("select map_index, state, hostname from task_instance")
        pause(5)
    assert "worker" in database("select hostname from task_instance"), rows
    wait(master, "node-log", "Marking run .* successful", 120)
    equal("states of the run", database("select state from dag_run"), ["success"])
