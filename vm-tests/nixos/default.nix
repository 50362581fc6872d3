# The scenarios as checks of a flake: every file of ../scenarios on NixOS machines with the module, and one of them
# once more on machines that run the images.
{
  pkgs,
  # envlock's NixOS module.
  module,
  # An envlock to build with, as one file that needs no other.
  envlock,
  # The directory with the locks of the quickstart.
  lockDir,
}:
let
  inherit (pkgs) lib;
  built = import ../../nix {
    inherit envlock lockDir;
    inherit (pkgs.stdenv.hostPlatform) system;
  };
  # Of machines that nobody else can reach.
  password = "machines-of-a-test";

  services = import ./services.nix {
    inherit
      built
      envlock
      lockDir
      module
      password
      ;
  };
  containers = import ./containers.nix { inherit built password; };

  # A scenario on nodes, as a derivation that boots them and passes or fails.
  test =
    name: scenario: nodes:
    pkgs.testers.runNixOSTest {
      inherit name nodes;
      # Of all of it, in seconds; without KVM nothing here would be in time.
      globalTimeout = 900;
      testScript = ''
        with open("${built.nodes.worker}/tree-digest", encoding="ascii") as file:
            TREE_DIGEST = file.read().strip()
        REDIS_PASSWORD = "${password}"

        ${builtins.readFile ../common/prelude.py}
        ${builtins.readFile scenario}
      '';
    };

  scenarios = lib.filterAttrs (name: type: type == "regular" && lib.hasSuffix ".py" name) (
    builtins.readDir ../scenarios
  );
in
lib.mapAttrs' (
  file: _:
  let
    name = "vm-" + lib.removeSuffix ".py" file;
  in
  lib.nameValuePair name (test name (../scenarios + "/${file}") services)
) scenarios
// {
  vm-containers = test "vm-containers" ../scenarios/celery_over_redis.py containers;
}
