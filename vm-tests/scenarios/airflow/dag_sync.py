"""DAGs of the master come to all workers, and to nobody else's folder; one that is cut off holds up no other one."""

DAGS = "/var/lib/airflow/dags"


def put(name: str, text: str) -> None:
    """Writes a file into the master's folder."""
    master.succeed(f"node sh -c 'echo \"$1\" >{DAGS}/$0' {name} '{text}'")


with subtest("master and two workers boot, and the workers join"):
    for machine in (master, worker, clone):
        machine.start()
    for machine in (worker, clone):
        wait(machine, "node-log", "takes DAGs from the master", 600)

with subtest("a file comes to both"):
    put("one.py", "# first")
    for machine in (worker, clone):
        wait(machine, f"cat {DAGS}/one.py", "# first", 120)

with subtest("one is cut off, and the other one has what is new"):
    clone.block()
    put("one.py", "# second")
    wait(worker, f"cat {DAGS}/one.py", "# second", 120)
    clone.succeed(f"grep first {DAGS}/one.py")
    wait(master, "{ node envlock-node dags || true; }", "^clone .*gone$", 180)

with subtest("it has it when it is back"):
    clone.unblock()
    wait(clone, f"cat {DAGS}/one.py", "# second", 180)

with subtest("what is deleted goes"):
    # A folder that is left empty takes nothing away.
    put("two.py", "# stays")
    master.succeed(f"node rm {DAGS}/one.py")
    for machine in (worker, clone):
        machine.wait_until_succeeds(f"test ! -e {DAGS}/one.py", timeout=120)

with subtest("the key of the master opens no shell"):
    ssh = "ssh -F none -i /var/lib/envlock/dag_key -p 2222 -o StrictHostKeyChecking=no -o BatchMode=yes"
    said = master.succeed(f"node sh -c '{ssh} -o UserKnownHostsFile=/dev/null worker id </dev/null 2>&1 || true'")
    assert "@RSYNCD" in said and "uid=" not in said, said
