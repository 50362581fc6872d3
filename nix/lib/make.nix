# What the flake offers to flakes of projects. Nothing here needs nixpkgs but machines and their disks.
{
  # A system -> the envlock that builds there, as one file that needs no other.
  programOf,
  # The systems that it builds for.
  systems,
  # A system and modules -> a NixOS machine.
  machineOf,
}:
let
  inherit (import ./.)
    each
    readLock
    roleOf
    systemsOf
    ;
  own = systems;

  project =
    {
      system,
      lockDir,
      envlock ? programOf system,
    }:
    import ../. { inherit envlock system lockDir; };

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
  # (`environment`, `ROLE-image`, `ROLE-disk`, and what they are made of), and a NixOS machine for each role: for
  # x86_64-linux where it is locked for that, else for the first system that it is locked for.
  mkCluster =
    {
      lockDir,
      # By default those that the user environment is locked for, and that there is an envlock for.
      systems ? null,
      # By system: an envlock to build with, instead of this flake's.
      programs ? { },
      # What the machines have besides.
      modules ? [ ],
    }:
    let
      lock = readLock lockDir;
      hasProgram = system: programs ? ${system} || builtins.elem system own;
      wanted = if systems == null then builtins.filter hasProgram (systemsOf lock) else systems;
      # An image has the user environment, the runtime, and what the role has of its own.
      isLocked =
        system: role:
        (lock.environments.runtime or { }) ? ${system}
        && (lock.environments.${role} or { ${system} = null; }) ? ${system};
      only =
        system: set:
        builtins.removeAttrs set (
          builtins.filter (role: !isLocked system role) (builtins.attrNames lock.roles)
        );
      machine =
        system: role:
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
        );
      packages =
        system:
        let
          built = project {
            inherit system lockDir;
            envlock = programs.${system} or (programOf system);
          };
          # Others have no BIOS.
          variant = if system == "x86_64-linux" then "qemu" else "qemu-efi";
          disk = role: _: (machine system role).config.system.build.images.${variant};
        in
        {
          inherit (built) environment artifacts bundle;
          default = built.environment;
        }
        // (if (lock.environments.runtime or { }) ? ${system} then { inherit (built) runtime; } else { })
        // suffixed "-image" (only system built.images)
        // suffixed "-disk" (builtins.mapAttrs disk (only system lock.roles));

      preferred = [ "x86_64-linux" ] ++ wanted;
      systemsOfRole =
        role: builtins.filter (system: builtins.elem system wanted && isLocked system role) preferred;
    in
    {
      packages = each wanted packages;
      nixosConfigurations = each (builtins.filter (role: systemsOfRole role != [ ]) (
        builtins.attrNames lock.roles
      )) (role: machine (builtins.head (systemsOfRole role)) role);
    };
}
