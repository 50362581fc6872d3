# What would otherwise fail when a unit starts.
{ config, lib, ... }:
let
  cfg = config.services.envlock;
  inherit (import ../lib) readLock roleOf;
  role = roleOf (readLock cfg.lockDir) cfg.role;
  names = lib.concatStringsSep ", ";

  # Those that the role's programs make or derive may be given as well.
  makes = lib.attrNames (role.makes or { });
  derives = lib.attrNames (role.derives or { });
  secrets = lib.unique (role.secrets ++ makes ++ derives);

  # A variable may hold it as well, if it comes from somewhere else than the store; here it cannot.
  stated = lib.intersectLists secrets (lib.attrNames cfg.environment);
  # What envlock refuses in a lock, by its usual names.
  looksSecret =
    name: value:
    (
      builtins.match ".*(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|FERNET_KEY|PRIVATE_KEY|API_KEY|ACCESS_KEY|CREDENTIALS).*" (
        lib.toUpper name
      ) != null
      && builtins.match ".*_(FILE|PATH|CMD|NAME)" (lib.toUpper name) == null
      && builtins.match "[$][{].*[}]" value == null
    )
    || builtins.match ".*://[^/@]*:[^/@$]+@.*" value != null;
  written = lib.attrNames (lib.filterAttrs looksSecret (removeAttrs cfg.environment stated));
  stored = lib.filterAttrs (_: lib.hasPrefix builtins.storeDir) cfg.secretFiles;
  foreign = lib.subtractLists secrets (lib.attrNames cfg.secretFiles);
  inherit (cfg) airflow redis;
  broker = role.services.${redis.service} or { ports = [ ]; };
  unknown = lib.subtractLists (lib.attrNames role.services ++ [ "publish" ]) cfg.without;
  nameless = lib.subtractLists (lib.attrNames cfg.secretFiles ++ derives) cfg.printed;

  # What NixOS' own needs to know of a service that it does the work of.
  has =
    service: file:
    role.services ? ${service}
    && (file == null || (role.services.${service}.files or { }) ? ${file})
    && role.services.${service}.ports != [ ];
  server = config.services.nginx.virtualHosts.${airflow.serverName};
in
{
  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = stated == [ ];
        message = "services.envlock.environment: ${names stated} would be readable by everybody in the Nix store; use services.envlock.secretFiles";
      }
      {
        assertion = written == [ ];
        message = "services.envlock.environment: ${names written} looks like a secret, which everybody could read in the Nix store; name it below the role's `secrets` in envlock.yml, and use services.envlock.secretFiles";
      }
      {
        assertion = stored == { };
        message = "services.envlock.secretFiles: ${names (lib.attrNames stored)} lies in the Nix store, where everybody can read it; name a file of the machine as text";
      }
      {
        assertion = foreign == [ ];
        message = "services.envlock.secretFiles: the role ${cfg.role} has no secret ${names foreign}; it has ${names secrets}";
      }
      {
        assertion = unknown == [ ];
        message = "services.envlock.without: the role ${cfg.role} has no ${names unknown}; it has ${names (lib.attrNames role.services)}";
      }
      {
        assertion = redis.enable -> lib.length broker.ports == 1;
        message = "services.envlock.redis.service: the role ${cfg.role} has no service ${redis.service} with one port, which NixOS' Redis would listen on";
      }
      {
        assertion = redis.enable -> !lib.elem redis.secret nameless;
        message = "services.envlock.redis.secret: the role ${cfg.role} has no secret ${redis.secret}, which would be the password; it has ${names secrets}";
      }
      {
        assertion = airflow.enable -> role.environment ? AIRFLOW_HOME;
        message = "services.envlock.airflow.enable: the role ${cfg.role} is no part of an Airflow cluster, which `airflow: master` or `airflow: worker` in envlock.yml makes of it";
      }
      {
        assertion = airflow.postgresql.enable -> has "postgresql" null;
        message = "services.envlock.airflow.postgresql.enable: the role ${cfg.role} has no service postgresql with a port, which NixOS' PostgreSQL would do the work of";
      }
      {
        assertion = airflow.postgresql.enable -> lib.subtractLists [ redis.secret ] nameless == [ ];
        message = "services.envlock.airflow.postgresql.enable: the role ${cfg.role} has no secret ${names nameless}, which would be the password; it has ${names secrets}";
      }
      {
        assertion = airflow.nginx.enable -> has "nginx" "server.conf";
        message = "services.envlock.airflow.nginx.enable: the role ${cfg.role} has no service nginx with a file server.conf, which NixOS' NGINX would show";
      }
      {
        assertion =
          airflow.nginx.enable && lib.elem 443 (role.services.nginx.ports or [ ])
          -> server.forceSSL || server.addSSL || server.onlySSL;
        message = "services.envlock.airflow.tls: the lock says that NGINX speaks HTTPS, where its own has the certificate; say where NixOS' NGINX has it, or let services.nginx.virtualHosts.\"${airflow.serverName}\" get one by ACME";
      }
      {
        assertion = airflow.openssh.enable -> has "dag-receiver" "sshd_config" && role.services ? dag-join;
        message = "services.envlock.airflow.openssh.enable: the role ${cfg.role} has no services dag-join and dag-receiver, whose work an sshd would do";
      }
    ];
  };
}
