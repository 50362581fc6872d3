# The services of a role as systemd units. They see runtime, environments and loader where images have them, and nobody
# else does: the machine itself gets no more than the empty directories that these are mounted on.
{ programOf }:
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.envlock;
  inherit (pkgs.stdenv.hostPlatform) system;
  inherit (import ../lib) readLock roleOf sysrootOf;

  lock = readLock cfg.lockDir;
  role = roleOf lock cfg.role;
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

  # A role's service that NixOS' own Redis takes the place of.
  broker = role.services.${cfg.redis.service} or { ports = [ ]; };

  # Services whose work something else does.
  without = cfg.without ++ lib.optional cfg.redis.enable cfg.redis.service;

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

  # What one leaves here has ended well since the machine was switched on.
  done = "/run/envlock-done";

  # To a unit `%` begins a specifier.
  plain = builtins.replaceStrings [ "%" ] [ "%%" ];

  volumes = role.volumes ++ lib.concatMap (service: service.volumes) (lib.attrValues services);
  ports =
    role.ports
    ++ lib.concatMap (service: service.ports) (
      lib.attrValues services ++ lib.optional cfg.redis.enable broker
    );

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

  unit = name: service: {
    description = "${name} of the ${cfg.role} role";
    wantedBy = [ "multi-user.target" ];
    wants = [ "network-online.target" ];
    # `start` waits until these do their work; when the machine stops, they stop last.
    after = [
      "network-online.target"
    ]
    ++ map (name: "envlock-${name}.service") (service.after or [ ])
    ++ lib.optional cfg.redis.enable "redis-envlock.service";
    # One that cannot start is to be seen as failed, and not only as about to start.
    startLimitIntervalSec = 60;
    startLimitBurst = 10;
    environment =
      lib.mapAttrs (_: value: lib.mkForce (plain value)) cfg.environment
      // lib.mapAttrs' (secret: _: lib.nameValuePair "${secret}_FILE" "%d/${secret}") cfg.secretFiles
      // {
        ENVLOCK_DONE = done;
        ENVLOCK_WITHOUT = toString without;
      };
    serviceConfig =
      life
      // lib.optionalAttrs (service.once or false) {
        Type = "oneshot";
        RemainAfterExit = true;
        Restart = "on-failure";
      }
      // lib.optionalAttrs (service ? stopSignal) { KillSignal = "SIG${service.stopSignal}"; }
      // {
        ExecStart = "/opt/envlock/role/bin/envlock-node start ${name}";
        # It may have tasks to end.
        TimeoutStopSec = service.stopTimeout;
      }
      // sandbox;
  };

  # What becomes of a service; a command of a user's has none of it.
  life = {
    Restart = "always";
    RestartSec = 2;
    # It says what it lacks (EX_CONFIG of sysexits.h), and would say it again.
    RestartPreventExitStatus = 78;
    KillMode = "mixed";
  };

  # What a process of the role sees and may do.
  sandbox =
    lib.zipAttrsWith
      (_: values: if lib.any lib.isList values then lib.concatMap lib.toList values else lib.last values)
      [
        own
        cfg.serviceConfig
      ];
  own = {
    # What the machine says of these is of its own programs; the node's table has them for the role's.
    UnsetEnvironment = lib.subtractLists (lib.attrNames cfg.environment) [
      "LANG"
      "LOCALE_ARCHIVE"
      "PATH"
      "TZDIR"
    ];
    User = role.user.name;
    Group = role.user.name;
    WorkingDirectory = cfg.directory;
    LoadCredential = lib.mapAttrsToList (secret: file: "${secret}:${file}") cfg.secretFiles;

    TemporaryFileSystem = "/opt/envlock";
    BindReadOnlyPaths = places;
    ReadWritePaths = [
      cfg.directory
      done
    ]
    ++ volumes;
    ProtectSystem = "strict";
    ProtectHome = "tmpfs";
    BindPaths = lib.filter isHidden ([ cfg.directory ] ++ volumes);
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

  # `envlock-node` as images have it, seeing what the services see. A program is looked for on the machine,
  # which has no /opt/envlock: `env` looks again. Its words may hold a secret: a description without them is logged.
  command = pkgs.writeShellScriptBin "envlock-node" ''
    unit=command-of-envlock-$$-$RANDOM
    # Whoever stops this stops the command.
    trap '${config.systemd.package}/bin/systemctl stop "$unit"; kill "$!"' INT TERM HUP
    ${config.systemd.package}/bin/systemd-run --quiet --collect --wait --pty --pipe --expand-environment=no --unit="$unit" \
      ${
        lib.escapeShellArgs (
          lib.concatLists (
            lib.mapAttrsToList (name: value: map (one: "--property=${name}=${textOf one}") (lib.toList value)) (
              removeAttrs sandbox (lib.attrNames life)
            )
          )
          ++ lib.mapAttrsToList (name: value: "--setenv=${name}=${value}") cfg.environment
        )
      } ${
        toString (
          map (secret: ''--setenv=${secret}_FILE="/run/credentials/$unit.service/${secret}"'') (
            lib.attrNames cfg.secretFiles
          )
        )
      } \
      --description="a command, as the services of the ${cfg.role} role run" \
      -- ${pkgs.coreutils}/bin/env /opt/envlock/role/bin/envlock-node "$@" <&0 &
    wait "$!"
    status=$?
    while kill -0 "$!" 2>/dev/null; do
      wait "$!"
      status=$?
    done
    exit "$status"
  '';
  textOf = value: if lib.isBool value then lib.boolToString value else toString value;
in
{
  imports = [
    (import ./options.nix { inherit programOf; })
    ./asserts.nix
  ];

  config = lib.mkIf cfg.enable {
    services.envlock.secretFiles = lib.genAttrs role.secrets (
      secret: lib.mkDefault "/etc/envlock/secrets/${secret}"
    );

    users.users.${role.user.name} = {
      isSystemUser = true;
      uid = role.user.id;
      group = role.user.name;
      home = cfg.directory;
    };
    users.groups.${role.user.name}.gid = role.user.id;

    systemd.tmpfiles.rules =
      map (directory: "d ${directory} 0750 ${role.user.name} ${role.user.name}")
        (
          lib.unique (
            [
              cfg.directory
              done
            ]
            ++ volumes
          )
        );
    systemd.services =
      lib.mapAttrs' (name: service: lib.nameValuePair "envlock-${name}" (unit name service)) services
      # NixOS leaves it away when it has ended.
      // lib.optionalAttrs cfg.redis.enable {
        redis-envlock = {
          startLimitIntervalSec = lib.mkDefault 60;
          startLimitBurst = lib.mkDefault 10;
          serviceConfig = {
            Restart = lib.mkDefault "always";
            RestartSec = lib.mkDefault 2;
          };
        };
      };

    environment.systemPackages = [ command ];

    services.redis.servers.envlock = lib.mkIf (cfg.redis.enable && broker.ports != [ ]) {
      enable = true;
      # Of all interfaces; the password and the firewall stand before it.
      bind = null;
      port = lib.head broker.ports;
      requirePassFile = cfg.secretFiles.${cfg.redis.secret} or null;
      # What is queued outlives it.
      appendOnly = true;
    };

    networking.firewall.allowedTCPPorts = lib.mkIf cfg.openFirewall (lib.unique ports);
  };
}
