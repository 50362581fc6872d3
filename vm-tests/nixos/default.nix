# The scenarios as checks of a flake: every file of ../scenarios on NixOS machines with the module, and one of them
# once more on machines that run the images; those of ../scenarios/airflow where there is a cluster of Airflow.
{
  pkgs,
  # envlock's NixOS module.
  module,
  # An envlock to build with, as one file that needs no other.
  envlock,
  # The directory with the locks of the quickstart.
  lockDir,
  # The directory with the locks of an Airflow cluster, if there is one.
  airflowLockDir ? null,
}:
let
  inherit (pkgs) lib;
  builtOf =
    lockDir:
    import ../../nix {
      inherit envlock lockDir;
      inherit (pkgs.stdenv.hostPlatform) system;
    };
  # Of machines that nobody else can reach.
  password = "machines-of-a-test";

  built = builtOf lockDir;
  quickstart = {
    inherit built;
    variables = ''
      REDIS_PASSWORD = "${password}"
    '';
    nodes = import ./services.nix {
      inherit
        built
        envlock
        lockDir
        module
        password
        ;
    };
  };
  containers = quickstart // {
    nodes = import ./containers.nix { inherit built password; };
  };
  airflow = {
    built = builtOf airflowLockDir;
    # As every node derives it.
    variables = ''
      import hashlib
      import hmac

      REDIS_PASSWORD = hmac.new(b"${password}", b"REDIS_PASSWORD", hashlib.sha256).hexdigest()
    '';
    nodes = import ./airflow.nix {
      inherit envlock module;
      lockDir = airflowLockDir;
      secret = password;
    };
    # A database is made, and tasks take Airflow's time.
    seconds = 1800;
  };

  # A scenario on machines, as a derivation that boots them and passes or fails.
  test =
    name: scenario:
    {
      built,
      variables,
      nodes,
      seconds ? 900,
    }:
    pkgs.testers.runNixOSTest {
      inherit name nodes;
      # Of all of it, in seconds; without KVM nothing here would be in time.
      globalTimeout = seconds;
      testScript = ''
        with open("${built.nodes.worker}/tree-digest", encoding="ascii") as file:
            TREE_DIGEST = file.read().strip()
        ${variables}
        ${builtins.readFile ../common/prelude.py}
        ${builtins.readFile scenario}
      '';
    };

  # Every scenario in a directory, on the same machines.
  tests =
    directory: machines:
    lib.mapAttrs'
      (
        file: _:
        let
          name = "vm-" + lib.removeSuffix ".py" file;
        in
        lib.nameValuePair name (test name (directory + "/${file}") machines)
      )
      (
        lib.filterAttrs (name: type: type == "regular" && lib.hasSuffix ".py" name) (
          builtins.readDir directory
        )
      );
in
tests ../scenarios quickstart
// lib.optionalAttrs (airflowLockDir != null) (tests ../scenarios/airflow airflow)
// {
  vm-containers = test "vm-containers" ../scenarios/celery_over_redis.py containers;
}
