# The machines of a scenario as an engine on NixOS has them: each runs the image of its role.
{ built, password }:
let
  machine =
    role:
    { pkgs, ... }:
    {
      virtualisation = {
        memorySize = 2048;
        diskSize = 4096;
        oci-containers = {
          backend = "docker";
          containers.node = {
            image = "${role}-image:latest";
            imageFile = built.images.${role};
            # In the store, as no secret that is one may be.
            volumes = [
              "${pkgs.writeText "REDIS_PASSWORD" password}:/run/secrets/REDIS_PASSWORD:ro"
              "${../../examples/quickstart/tasks.py}:/srv/tasks.py:ro"
            ];
            workdir = "/srv";
            # Its name and its network are those of the machine.
            extraOptions = [ "--network=host" ];
          };
        };
      };
      environment.systemPackages = [
        (pkgs.writeShellScriptBin "node" ''exec docker exec node /opt/envlock/role/bin/envlock-node start "$@"'')
        (pkgs.writeShellScriptBin "node-log" "exec journalctl --quiet --output cat --unit docker-node")
      ];
    };
in
{
  master = {
    imports = [ (machine "master") ];
    networking.firewall.allowedTCPPorts = [ 6379 ];
  };
  worker = machine "worker";
}
