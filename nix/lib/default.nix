# What is known of a lock without building anything. Every function here has a golden file in tests/nix/golden.
let
  list = builtins.concatStringsSep ", ";

  # As conda names platforms, where that is not <os>-<arch>.
  platforms = {
    x86_64-linux = "linux-64";
    aarch64-linux = "linux-aarch64";
    powerpc64le-linux = "linux-ppc64le";
    x86_64-darwin = "osx-64";
    aarch64-darwin = "osx-arm64";
  };
in
rec {
  # Names and a function of a name -> what it gives, by name.
  each =
    names: value:
    builtins.listToAttrs (
      map (name: {
        inherit name;
        value = value name;
      }) names
    );

  # An absolute directory, or a path -> the lock in it: what its envlock.nix says, checked, and as `directory` the files
  # that it is written in, alone. Throws where a build could only fail later, and with less to say.
  readLock = import ./lock.nix;

  # A lock -> the systems that its user environment is locked for.
  systemsOf = lock: builtins.attrNames lock.environments.user;

  # A lock, a system and the name of an environment -> what is locked; throws if there is nothing.
  environmentOf =
    lock: system: name:
    let
      environment =
        lock.environments.${name}
          or (throw "envlock: the lock has no environment `${name}`; it has ${list (builtins.attrNames lock.environments)}");
    in
    environment.${system}
      or (throw "envlock: the ${name} environment is not locked for ${system}; it is locked for ${list (builtins.attrNames environment)}. Add the platform to `platforms:` of its file, and run `envlock convert`");

  # A lock and the name of a role -> what it runs; throws if there is no such role.
  roleOf =
    lock: name:
    lock.roles.${name}
      or (throw "envlock: the lock has no role `${name}`; it has ${list (builtins.attrNames lock.roles)}");

  # A package of a lock -> the arguments of `<nix/fetchurl.nix>`; throws if a build can do nothing with it.
  sourceOf =
    package:
    assert
      builtins.match "[Hh][Tt][Tt][Pp][Ss]?://.*" package.url != null
      || throw "envlock: ${package.name} comes from ${package.url}, which a build in Nix's sandbox cannot read. Serve it by HTTP, or use `envlock image build`, which reads it";
    {
      inherit (package) url hash;
      name = package.storeName;
    };

  # A package of a lock -> the wheel that it becomes, null if it is no sdist; throws if the lock does not say which.
  wheelOf =
    package:
    if package.kind != "sdist" then
      null
    else
      package.wheel
        or (throw "envlock: ${package.name} is locked as ${package.fileName}, and not which wheel that becomes. Run `envlock convert` on a machine of its platform, which builds it");

  # A lock, a system and names of environments -> a lock of those alone, on that system alone, without roles: what a
  # tree depends on.
  restrict = lock: system: names: {
    inherit (lock) formatVersion;
    inputHash = "";
    options = { };
    overridden = [ ];
    files = { };
    environments = each names (name: {
      # The requirements change more often than what they lead to.
      ${system} = environmentOf lock system name // {
        specs = [ ];
      };
    });
    cluster = { };
    roles = { };
  };

  # The name of an environment -> where it is used.
  prefixOf =
    name:
    "/opt/envlock/"
    + {
      user = "env";
      runtime = "runtime";
    }
    .${name} or "system";

  # A system -> the directory in a runtime whose `lib` and `lib64` are those of a system: loader and C library.
  sysrootOf = system: "${builtins.head (builtins.split "-" system)}-conda-linux-gnu/sysroot";

  # A system -> what conda calls that platform.
  platformOf = system: platforms.${system} or system;
}
