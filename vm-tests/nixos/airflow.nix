# The machines of an Airflow cluster as NixOS has them: Redis, PostgreSQL and NGINX of the master, and the sshd of workers
# that takes DAGs, are nixpkgs' own.
{
  module,
  envlock,
  # The directory with the locks of the cluster, whose roles are master and worker.
  lockDir,
  # What all other secrets of the cluster come of.
  secret,
}:
let
  plain = import ./machine.nix {
    inherit module envlock lockDir;
    # Where there is one, the master makes none.
    secret = "CLUSTER_SECRET";
    value = secret;
    name = "once.py";
    file = ../dags/once.py;
  };
  machine = role: {
    imports = [ (plain role) ];
    services.envlock = {
      airflow.enable = true;
      openFirewall = true;
      # As many as there are processors, and not the sixteen that share them otherwise.
      environment = {
        AIRFLOW__CELERY__WORKER_CONCURRENCY = "2";
        AIRFLOW__WEBSERVER__WORKERS = "1";
      };
    };
    # Who asks for what is not shown hears so, instead of nothing for two minutes.
    networking.firewall.rejectPackets = true;
    virtualisation = {
      memorySize = 3072;
      # The database, its log, and the logs of tasks.
      diskSize = 4096;
    };
  };
  worker = machine "worker";
in
{
  master = machine "master";
  inherit worker;
  clone = worker;
}
