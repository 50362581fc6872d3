# The machines of the scenarios as NixOS has them: the services of a role are units of systemd, and Redis is NixOS' own.
{
  built,
  module,
  envlock,
  lockDir,
  password,
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
      };
      # In the store, as no secret that is one may be.
      environment.etc."envlock/secrets/REDIS_PASSWORD".text = password;
      systemd.tmpfiles.rules = [
        "C ${cfg.directory}/tasks.py - - - - ${../../examples/quickstart/tasks.py}"
      ];
      virtualisation = {
        # As many as the portable driver's: Celery works on as many tasks at a time.
        cores = 2;
        memorySize = 1024;
      };
    };
  worker = machine "worker";
in
{
  master = {
    imports = [ (machine "master") ];
    services.envlock = {
      redis.enable = true;
      openFirewall = true;
    };
  };
  inherit worker;
  clone = worker;
  # Somebody has edited a program of its environment.
  stranger =
    { pkgs, ... }:
    let
      edited = pkgs.runCommand "celery" { } ''
        { cat ${built.environment}/bin/celery; echo '# edited'; } >$out
        chmod 555 $out
      '';
    in
    {
      imports = [ worker ];
      # The guard reads what a node has instead of believing what it was built with.
      services.envlock.environment.ENVLOCK_GUARD = "full";
      services.envlock.serviceConfig.BindReadOnlyPaths = [ "${edited}:/opt/envlock/env/bin/celery" ];
    };
}
