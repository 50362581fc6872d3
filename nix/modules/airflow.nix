# A part of an Airflow cluster from what this machine has itself: PostgreSQL, NGINX and OpenSSH from nixpkgs do the work of
# the role's services, by the role's own configuration where there is one. Redis is ./default.nix's.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.envlock;
  inherit (cfg) airflow;
  node = import ./node.nix { inherit config lib pkgs; };
  inherit (node) role services;
  inherit (airflow) nginx openssh postgresql;

  serviceOf =
    name:
    role.services.${name} or {
      command = [ ];
      ports = [ ];
    };
  # The last words of a service's command.
  lastWords =
    count: name: lib.reverseList (lib.take count (lib.reverseList (serviceOf name).command));
  fileOf = service: name: (serviceOf service).files.${name} or "";
  portOf = service: lib.head ((serviceOf service).ports ++ [ 0 ]);

  # Replaces ${NAME} and ${NAME:-default}, as the programs of a node do.
  expand =
    variables: text:
    lib.concatMapStrings (
      piece:
      if lib.isString piece then
        piece
      else
        let
          name = lib.head piece;
          default = lib.last piece;
          value = variables.${name} or "";
        in
        if value != "" then
          value
        else if default != null then
          default
        else
          variables.${name}
            or (throw "services.envlock.airflow: a file of the role ${cfg.role} asks for the variable ${name}, which neither the lock nor services.envlock.environment states")
    ) (builtins.split "[$][{]([A-Za-z_][A-Za-z0-9_]*)(:-([^}]*))?[}]" text);
  # What is stated may refer to what else is stated; what is given here is as it is.
  variables = lib.mapAttrs (_: expand variables) role.environment // cfg.environment;

  # `… database DIRECTORY NAME VARIABLE`: the only user, its database, and the secret that is its password.
  databaseWords = lastWords 2 "postgresql-init";
  database = lib.head (databaseWords ++ [ "airflow" ]);
  databaseSecret = lib.last ([ "POSTGRES_PASSWORD" ] ++ databaseWords);

  # `… dag-join DAGS DIRECTORY PORT`
  joinWords = lastWords 3 "dag-join";
  dags = lib.head (joinWords ++ [ "/" ]);
  hostKey = "${lib.head (lib.drop 1 joinWords ++ [ "" ])}/ssh_host_ed25519_key";
  sshd = pkgs.writeText "sshd_config" (
    expand {
      PATH = "${pkgs.rsync}/bin";
      ENVLOCK_FILES = toString (pkgs.writeTextDir "rsyncd.conf" (fileOf "dag-receiver" "rsyncd.conf"));
    } (fileOf "dag-receiver" "sshd_config")
  );
in
{
  config = lib.mkIf (cfg.enable && airflow.enable) (
    lib.mkMerge [
      {
        services.envlock = {
          redis.enable = lib.mkDefault (
            role.services ? ${cfg.redis.service} && !lib.elem cfg.redis.service cfg.without
          );
          environment =
            lib.mapAttrs (_: lib.mkDefault) (
              lib.filterAttrs (_: value: value != null) {
                MASTER_HOST =
                  if airflow.masterHost == null && role.publishes then airflow.address else airflow.masterHost;
                NODE_ADDRESS = if role.publishes then null else airflow.address;
                PUBLIC_URL = airflow.publicUrl;
              }
            )
            # Its own name leads a NixOS machine to 127.0.0.2, where nobody else could reach what runs here; the firewall and
            # passwords stand before it.
            //
              lib.mapAttrs (_: _: lib.mkDefault (if airflow.address == null then "0.0.0.0" else airflow.address))
                (
                  builtins.intersectAttrs role.environment (
                    lib.optionalAttrs (services ? redis) { REDIS_ADDRESS = null; }
                    // lib.optionalAttrs (services ? postgresql) { POSTGRES_ADDRESS = null; }
                  )
                );
          # It makes what a server of the role's own would need.
          replaced = lib.mkIf (postgresql.enable || lib.elem "postgresql" cfg.without) {
            postgresql-init = [ ];
          };
        };
      }

      # It is there before they listen on it.
      (lib.mkIf (airflow.address != null && cfg.redis.enable) {
        services.redis.servers.envlock.bind = "127.0.0.1 ${airflow.address}";
        systemd.services.redis-envlock = {
          wants = [ "network-online.target" ];
          after = [ "network-online.target" ];
        };
      })
      (lib.mkIf (airflow.address != null && postgresql.enable) {
        services.postgresql.settings.listen_addresses = lib.mkForce "127.0.0.1,${airflow.address}";
        systemd.services.postgresql = {
          wants = [ "network-online.target" ];
          after = [ "network-online.target" ];
        };
      })

      (lib.mkIf postgresql.enable {
        services.envlock = {
          replaced.postgresql = [ "postgresql-envlock.service" ];
          printed = [ databaseSecret ];
        };
        services.postgresql = {
          enable = true;
          enableTCPIP = true;
          # No locale of the machine: sorting never changes below an index.
          initdbArgs = lib.mkDefault [
            "--encoding=UTF8"
            "--locale=C"
          ];
          ensureDatabases = [ database ];
          ensureUsers = [
            {
              name = database;
              ensureDBOwnership = true;
            }
          ];
          # NixOS' own lines come after it, and let in nobody from other machines.
          authentication = "host ${database} ${database} all scram-sha-256";
          settings = {
            port = portOf "postgresql";
            password_encryption = "scram-sha-256";
            # Every process of every worker has some.
            max_connections = lib.mkDefault 200;
          };
        };
        systemd.services.postgresql-envlock = {
          description = "password of ${database} in PostgreSQL";
          wantedBy = [ "multi-user.target" ];
          wants = [ "postgresql.target" ];
          requires = node.unitsOfSecret databaseSecret;
          after = [ "postgresql.target" ] ++ node.unitsOfSecret databaseSecret;
          startLimitIntervalSec = 60;
          startLimitBurst = 10;
          path = [ config.services.postgresql.finalPackage ];
          environment = {
            PGPORT = toString config.services.postgresql.settings.port;
            # Not even what comes of it is logged.
            PGOPTIONS = "-c log_statement=none -c log_min_duration_statement=-1 -c log_min_error_statement=panic";
          };
          # psql asks for it twice, here without a terminal, and tells the server no more of it than what SCRAM needs.
          script = ''
            password=$(cat "$CREDENTIALS_DIRECTORY/password")
            test -n "$password"
            printf '%s\n%s\n' "$password" "$password" | psql --no-psqlrc --dbname postgres --command '\password "${database}"'
          '';
          serviceConfig = {
            Type = "oneshot";
            RemainAfterExit = true;
            Restart = "on-failure";
            RestartSec = 2;
            User = "postgres";
            Group = "postgres";
            LoadCredential = "password:${node.fileOfSecret databaseSecret}";
          };
        };
      })

      (lib.mkIf nginx.enable {
        services.envlock.replaced.nginx = [ "nginx.service" ];
        services.nginx = {
          enable = true;
          virtualHosts.${airflow.serverName} = {
            # For names that are no other server's.
            default = lib.mkDefault (airflow.serverName == "_");
            # nixpkgs refuses to build a `Host $http_host`, since it is the client's word; behind a port that is mapped
            # nobody else knows it. It is the same in braces. NixOS has `$connection_upgrade`.
            extraConfig = builtins.replaceStrings [ "$http_host" ] [ "\${http_host}" ] (
              expand variables (fileOf "nginx" "server.conf")
            );
          }
          // lib.optionalAttrs (airflow.tls != null) {
            forceSSL = lib.mkDefault true;
            sslCertificate = airflow.tls.certificate;
            sslCertificateKey = airflow.tls.key;
          };
        };
        networking.firewall.allowedTCPPorts = lib.mkIf (cfg.openFirewall && airflow.tls != null) [ 443 ];
      })

      # Not the sshd of administrators: that one has a key of its own, listens elsewhere, is switched on by whoever wants
      # it, and would have to be started again when the node has made its key.
      (lib.mkIf openssh.enable {
        services.envlock.replaced.dag-receiver = [ "sshd-envlock.service" ];
        systemd.services.sshd-envlock = {
          description = "sshd that takes DAGs for the ${cfg.role} role";
          wantedBy = [ "multi-user.target" ];
          after = [
            "network.target"
            "envlock-dag-join.service"
          ];
          startLimitIntervalSec = 60;
          startLimitBurst = 10;
          # The node makes the key when it joins; until then this unit is started, so that nobody else waits for it.
          script = ''
            until [ -s ${hostKey}.pub ]; do
              sleep 1
            done
            exec ${config.programs.ssh.package}/bin/sshd -D -e -f ${sshd}
          '';
          # It needs no secret, sees none of the environments, and may write nothing but DAGs.
          serviceConfig = node.life // node.restrictions // node.withShell // { ReadWritePaths = [ dags ]; };
        };
      })

      (lib.mkIf (services ? dag-receiver) {
        systemd.services.envlock-dag-receiver.serviceConfig = node.withShell;
      })
    ]
  );
}
