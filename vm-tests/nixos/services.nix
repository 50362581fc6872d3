# The machines of the scenarios as NixOS has them: the services of a role are units of systemd, and Redis is NixOS' own.
{
  built,
  module,
  envlock,
  lockDir,
  password,
}:
let
  plain = import ./machine.nix {
    inherit module envlock lockDir;
    secret = "REDIS_PASSWORD";
    value = password;
    name = "tasks.py";
    file = ../../examples/quickstart/tasks.py;
  };
  machine = role: {
    imports = [ (plain role) ];
    virtualisation.memorySize = 1024;
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
