# What a process of the role sees and may do on this machine, and which variables it has; no module, but what modules
# here share.
{
  config,
  lib,
  pkgs,
}:
let
  cfg = config.services.envlock;
  inherit (pkgs.stdenv.hostPlatform) system;
  inherit (import ../lib) readLock roleOf sysrootOf;

  role = roleOf (readLock cfg.lockDir) cfg.role;
  built = import ../. {
    inherit system;
    inherit (cfg) lockDir;
    envlock = cfg.builder;
  };
  node = built.nodes.${cfg.role};
  sysroot = "${built.runtime}/${sysrootOf system}";

  # What there is at fixed places, for units alone.
  places = [
    "${built.environment}:/opt/envlock/env"
    "${built.runtime}:/opt/envlock/runtime"
    "${node}/lock:/opt/envlock/lock"
    "${node}/role:/opt/envlock/role"
    "${node}/tree-digest:/opt/envlock/tree-digest"
  ]
  ++
    lib.optional (built.systemEnvironments ? ${cfg.role})
      "${built.systemEnvironments.${cfg.role}}:/opt/envlock/system"
  # A loader looks through all of them; not every C library has all of them.
  ++ map (directory: "-${sysroot}/${directory}:/${directory}") [
    "lib"
    "lib64"
    "usr/lib"
    "usr/lib64"
  ]
  ++ [ "-${built.runtime}/share/zoneinfo:/usr/share/zoneinfo" ];

  # Services whose work something else does.
  without = lib.unique (cfg.without ++ lib.attrNames cfg.replaced);

  services = removeAttrs (
    role.services
    // lib.optionalAttrs role.publishes {
      publish = {
        ports = [ ];
        volumes = [ ];
        stopTimeout = 60;
      };
    }
  ) without;

  # What is kept and written: the working directory may be a volume as well.
  directories = lib.unique (
    [
      cfg.directory
      done
    ]
    ++ role.volumes
    ++ lib.concatMap (service: service.volumes) (lib.attrValues services)
  );

  # What one leaves here has ended well since the machine was switched on.
  done = "/run/envlock-done";

  # A unit hides what others keep there, and is shown what is its own.
  isHidden =
    directory:
    lib.any (hidden: lib.hasPrefix "${hidden}/" directory) [
      "/home"
      "/root"
      "/run/user"
      "/tmp"
      "/var/tmp"
    ];

  # To a unit `%` begins a specifier.
  plain = builtins.replaceStrings [ "%" ] [ "%%" ];
in
rec {
  inherit
    role
    without
    services
    directories
    done
    ;

  # Variables of a unit.
  environment =
    lib.mapAttrs (_: value: lib.mkForce (plain value)) cfg.environment
    // lib.mapAttrs' (secret: _: lib.nameValuePair "${secret}_FILE" "%d/${secret}") cfg.secretFiles;

  # What becomes of a service; a command of a user's has none of it.
  life = {
    Restart = "always";
    RestartSec = 2;
    # It says what it lacks (EX_CONFIG of sysexits.h), and would say it again.
    RestartPreventExitStatus = 78;
    KillMode = "mixed";
  };

  # What a process of the role's user may do, whatever it sees.
  restrictions = {
    User = role.user.name;
    Group = role.user.name;
    ProtectSystem = "strict";
    ProtectHome = "tmpfs";
    PrivateTmp = true;
    PrivateDevices = true;
    NoNewPrivileges = true;
    CapabilityBoundingSet = "";
    LockPersonality = true;
    ProtectClock = true;
    ProtectControlGroups = true;
    ProtectHostname = true;
    ProtectKernelLogs = true;
    ProtectKernelModules = true;
    ProtectKernelTunables = true;
    ProtectProc = "invisible";
    RestrictAddressFamilies = [
      "AF_INET"
      "AF_INET6"
      # What interfaces there are.
      "AF_NETLINK"
      "AF_UNIX"
    ];
    RestrictNamespaces = true;
    RestrictRealtime = true;
    RestrictSUIDSGID = true;
    SystemCallArchitectures = "native";
    UMask = "0027";
  };

  # What a process of the role sees and may do; its own settings come before the user's.
  sandboxWith =
    further:
    lib.zipAttrsWith
      (_: values: if lib.any lib.isList values then lib.concatMap lib.toList values else lib.last values)
      [
        own
        further
        cfg.serviceConfig
      ];
  sandbox = sandboxWith { };
  own = restrictions // {
    # What the machine says of these is of its own programs; the node's table has them for the role's.
    UnsetEnvironment = lib.subtractLists (lib.attrNames cfg.environment) (
      [
        "LANG"
        "LOCALE_ARCHIVE"
        "PATH"
        "TZDIR"
      ]
      # systemd knows only where the user is at home.
      ++ lib.optional (role.environment ? HOME) "HOME"
    );
    WorkingDirectory = cfg.directory;
    LoadCredential = lib.mapAttrsToList (secret: file: "${secret}:${file}") cfg.secretFiles;

    TemporaryFileSystem = "/opt/envlock";
    BindReadOnlyPaths = places;
    ReadWritePaths = directories;
    BindPaths = lib.filter isHidden directories;
  };

  # The file that holds a secret for programs of the machine.
  fileOfSecret = secret: cfg.secretFiles.${secret} or "/run/envlock-secrets/${secret}";

  # The units that make it, where it is no file that is given.
  unitsOfSecret =
    secret: lib.optional (!cfg.secretFiles ? ${secret}) "secret-${secret}-envlock.service";

  # The unit that makes what is missing of the role's secrets, and says what is missing still.
  secretsUnits = lib.optional (
    (role.makes or { }) != { } || (role.derives or { }) != { }
  ) "secrets-envlock.service";

  # sshd gives whoever comes in a shell, even if that is for one command; the machine's own table of users has none for
  # the role's user, who cannot come in by any other way. Names are looked for in this table alone.
  withShell = {
    BindReadOnlyPaths = [ "${users}:/etc/passwd" ];
    InaccessiblePaths = [ "-/run/nscd" ];
  };
  users = pkgs.writeText "passwd" ''
    root:x:0:0::/:/run/current-system/sw/bin/nologin
    ${role.user.name}:x:${toString role.user.id}:${toString role.user.id}::/:${pkgs.runtimeShell}
  '';
}
