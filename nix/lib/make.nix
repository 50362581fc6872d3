# What the flake offers to flakes of projects. Nothing here needs nixpkgs but machines and their disks.
{
  # A system -> the envlock that builds there, as one file that needs no other.
  programOf,
  # A system and modules -> a NixOS machine.
  machineOf,
}:
let
  inherit (import ./.) readLock roleOf systemsOf;

  project =
    {
      system,
      lockDir,
      envlock ? programOf system,
    }:
    import ../. { inherit envlock system lockDir; };

  each =
    names: value:
    builtins.listToAttrs (
      map (name: {
        inherit name;
        value = value name;
      }) names
    );

  suffixed =
    suffix: set:
    builtins.listToAttrs (
      map (name: {
        name = name + suffix;
        value = set.${name};
      }) (builtins.attrNames set)
    );
in
{
  # { system, lockDir, envlock? } -> the derivation of the user environment.
  mkEnvironment = arguments: (project arguments).environment;

  # { role, system, lockDir, envlock? } -> the derivation of the image of a role.
  mkImage =
    { role, lockDir, ... }@arguments:
    builtins.seq (roleOf (readLock lockDir) role)
      (project (builtins.removeAttrs arguments [ "role" ])).images.${role};

  # { lockDir, systems?, programs?, modules? } -> the outputs of a project's flake: packages of each system
  # (`environment`, `ROLE-image`, `ROLE-disk`, and what they are made of), and a NixOS machine for each role.
  mkCluster =
    {
      lockDir,
      # By default those that the user environment is locked for.
      systems ? null,
      # By system: an envlock to build with, instead of this flake's.
      programs ? { },
      # What the machines have besides.
      modules ? [ ],
    }:
    let
      lock = readLock lockDir;
      wanted = if systems == null then systemsOf lock else systems;
      # An image starts from the runtime.
      hasImages = system: (lock.environments.runtime or { }) ? ${system};
      machines =
        system:
        builtins.mapAttrs (
          role: _:
          machineOf system (
            [
              {
                services.envlock = {
                  enable = true;
                  inherit lockDir role;
                };
              }
            ]
            ++ modules
          )
        ) lock.roles;
      packages =
        system:
        let
          built = project {
            inherit system lockDir;
            envlock = programs.${system} or (programOf system);
          };
          disk = machine: machine.config.system.build.images.qemu;
        in
        {
          inherit (built) environment artifacts bundle;
          default = built.environment;
        }
        // (
          if hasImages system then
            {
              inherit (built) runtime;
            }
            // suffixed "-image" built.images
            // suffixed "-disk" (builtins.mapAttrs (_: disk) (machines system))
          else
            { }
        );
    in
    {
      packages = each wanted packages;
      nixosConfigurations =
        let
          able = builtins.filter hasImages wanted;
        in
        if able == [ ] then { } else machines (builtins.head able);
    };
}
