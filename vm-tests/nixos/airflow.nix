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
  machine =
    role:
    { config, ... }:
    let
      cfg = config.services.envlock;
    in
    {
      imports = [
        module
        ./commands.nix
      ];
      services.envlock = {
        enable = true;
        inherit lockDir role;
        builder = envlock;
        airflow.enable = true;
        openFirewall = true;
        # As many as there are processors, and not the sixteen that share them otherwise.
        environment = {
          AIRFLOW__CELERY__WORKER_CONCURRENCY = "2";
          AIRFLOW__WEBSERVER__WORKERS = "1";
        };
      };
      # In the store, as no secret that is one may be. Where there is one, the master makes none.
      environment.etc."envlock/secrets/CLUSTER_SECRET".text = secret;
      systemd.tmpfiles.rules = [
        "C ${cfg.directory}/once.py - - - - ${../dags/once.py}"
      ];
      # Who asks for what is not shown hears so, instead of nothing for two minutes.
      networking.firewall.rejectPackets = true;
      virtualisation = {
        cores = 2;
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
