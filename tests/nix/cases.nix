# A case for each function of nix/lib; what it gives is beside this file, as JSON.
let
  lib = import ../../nix/lib;
  lockDir = ./lock;
  lock = lib.readLock lockDir;
  # Where it lies depends on this file's own place in the store.
  withoutDirectory = set: builtins.removeAttrs set [ "directory" ];
  make = import ../../nix/lib/make.nix {
    programOf = system: builtins.toFile "envlock-for-${system}" "";
    systems = [
      "x86_64-linux"
      "aarch64-linux"
    ];
    machineOf = system: modules: {
      config.system.build.images = {
        qemu = {
          inherit system;
          inherit ((builtins.head modules).services.envlock) role;
          modules = builtins.length modules;
        };
        qemu-efi = {
          efi = system;
        };
      };
    };
  };
  # What a derivation is asked for, without building anything.
  shown = derivation: {
    inherit (derivation)
      name
      system
      builder
      meta
      ;
    args = map (
      argument: builtins.replaceStrings [ (toString lock.directory) ] [ "LOCKS" ] "${argument}"
    ) derivation.args;
  };
in
{
  readLock = withoutDirectory (lib.readLock lockDir) // {
    directory = builtins.attrNames (builtins.readDir lock.directory);
  };
  each = lib.each [ "a" "b" ] (name: name + name);
  systemsOf = lib.systemsOf lock;
  environmentOf = lib.environmentOf lock "x86_64-linux" "runtime";
  roleOf = lib.roleOf lock "worker";
  sourceOf = map lib.sourceOf lock.environments.user.x86_64-linux.packages;
  wheelOf = map lib.wheelOf [
    {
      kind = "conda";
    }
    {
      kind = "sdist";
      wheel = {
        fileName = "a-1.0-py3-none-any.whl";
      };
    }
  ];
  restrict = lib.restrict lock "aarch64-linux" [ "user" ];
  prefixOf = map lib.prefixOf [
    "user"
    "runtime"
    "master"
  ];
  sysrootOf = map lib.sysrootOf (lib.systemsOf lock);
  platformOf = map lib.platformOf [
    "x86_64-linux"
    "aarch64-linux"
    "riscv64-linux"
  ];

  mkEnvironment = map (system: shown (make.mkEnvironment { inherit lockDir system; })) [
    "x86_64-linux"
    "aarch64-linux"
  ];
  mkImage = shown (
    make.mkImage {
      inherit lockDir;
      system = "x86_64-linux";
      role = "master";
      envlock = builtins.toFile "another" "";
    }
  );
  mkCluster =
    let
      cluster = make.mkCluster {
        inherit lockDir;
        modules = [ { } ];
      };
    in
    {
      outputs = builtins.attrNames cluster;
      packages = builtins.mapAttrs (_: builtins.attrNames) cluster.packages;
      values = builtins.mapAttrs (
        _: builtins.mapAttrs (_: package: package.name or package)
      ) cluster.packages;
      # One that neither the flake nor the project has an envlock for.
      onlyOne =
        builtins.attrNames
          (make.mkCluster {
            inherit lockDir;
            systems = [ "aarch64-linux" ];
          }).packages;
      machines = cluster.nixosConfigurations;
    };
}
