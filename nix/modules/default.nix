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
  node = import ./node.nix { inherit config lib pkgs; };
  inherit (node) role services;

  # A role's service that NixOS' own Redis takes the place of.
  broker = role.services.${cfg.redis.service} or { ports = [ ]; };

  # Whoever does the work of the role's services listens at their ports.
  replaced = map (name: role.services.${name} or { ports = [ ]; }) (lib.attrNames cfg.replaced);
  ports = role.ports ++ lib.concatMap (service: service.ports) (lib.attrValues services ++ replaced);

  # The units that do what a service is waited for.
  unitsOf =
    name: cfg.replaced.${name} or (lib.optional (services ? ${name}) "envlock-${name}.service");

  unit = name: service: {
    description = "${name} of the ${cfg.role} role";
    wantedBy = [ "multi-user.target" ];
    wants = [ "network-online.target" ] ++ node.secretsUnits;
    # `start` waits until these do their work; when the machine stops, they stop last.
    after = lib.unique (
      [ "network-online.target" ]
      ++ node.secretsUnits
      ++ lib.concatMap unitsOf (service.after or [ ])
      ++ lib.optionals cfg.redis.enable (unitsOf cfg.redis.service)
    );
    # One that cannot start is to be seen as failed, and not only as about to start.
    startLimitIntervalSec = 60;
    startLimitBurst = 10;
    environment = node.environment // {
      ENVLOCK_DONE = node.done;
      ENVLOCK_WITHOUT = toString node.without;
    };
    serviceConfig =
      node.life
      // lib.optionalAttrs (service.once or false) {
        # Not "oneshot": what comes after it waits by itself, and a machine whose database is away is up all the same.
        Type = "exec";
        RemainAfterExit = true;
        Restart = "on-failure";
        # When it is to be done again, it is not done.
        ExecStopPost = "${pkgs.coreutils}/bin/rm -f ${node.done}/${name}";
      }
      // lib.optionalAttrs (service ? stopSignal) { KillSignal = "SIG${service.stopSignal}"; }
      // {
        ExecStart = "/opt/envlock/role/bin/envlock-node start ${name}";
        # It may have tasks to end.
        TimeoutStopSec = service.stopTimeout;
      }
      // node.sandboxWith (
        # Ports that not everybody may listen at.
        lib.optionalAttrs (lib.any (port: port < 1024) service.ports) {
          AmbientCapabilities = "CAP_NET_BIND_SERVICE";
          CapabilityBoundingSet = "CAP_NET_BIND_SERVICE";
        }
      );
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
              removeAttrs node.sandbox (lib.attrNames node.life)
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
    ./airflow.nix
    ./asserts.nix
    ./secrets.nix
  ];

  config = lib.mkIf cfg.enable {
    users.users.${role.user.name} = {
      isSystemUser = true;
      uid = role.user.id;
      group = role.user.name;
      home = cfg.directory;
    };
    users.groups.${role.user.name}.gid = role.user.id;

    systemd.tmpfiles.rules = map (
      directory: "d ${directory} 0750 ${role.user.name} ${role.user.name}"
    ) node.directories;
    systemd.services =
      lib.mapAttrs' (name: service: lib.nameValuePair "envlock-${name}" (unit name service)) services
      # NixOS leaves it away when it has ended.
      // lib.optionalAttrs cfg.redis.enable {
        redis-envlock = {
          requires = node.unitsOfSecret cfg.redis.secret;
          after = node.unitsOfSecret cfg.redis.secret;
          startLimitIntervalSec = lib.mkDefault 60;
          startLimitBurst = lib.mkDefault 10;
          serviceConfig = {
            Restart = lib.mkDefault "always";
            RestartSec = lib.mkDefault 2;
          };
        };
      };

    environment.systemPackages = [ command ];

    services.envlock = lib.mkIf cfg.redis.enable {
      replaced.${cfg.redis.service} = [ "redis-envlock.service" ];
      printed = [ cfg.redis.secret ];
    };
    services.redis.servers.envlock = lib.mkIf (cfg.redis.enable && broker.ports != [ ]) {
      enable = true;
      # Of all interfaces; the password and the firewall stand before it.
      bind = lib.mkDefault null;
      port = lib.head broker.ports;
      requirePassFile = node.fileOfSecret cfg.redis.secret;
      # What is queued outlives it.
      appendOnly = true;
    };

    networking.firewall.allowedTCPPorts = lib.mkIf cfg.openFirewall (lib.unique ports);
  };
}
