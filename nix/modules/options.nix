{ programOf }:
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.envlock;
  inherit (lib) mkEnableOption mkOption types;
  inherit (import ../lib) readLock roleOf;
  # systemd reads words and specifiers in others.
  plainPath = "/[A-Za-z0-9._/+@-]*";

  # Something that does the work of one of the role's services, where a part of Airflow has that service.
  instead =
    service: what:
    mkEnableOption what
    // {
      default =
        cfg.airflow.enable
        && (roleOf (readLock cfg.lockDir) cfg.role).services ? ${service}
        && !lib.elem service cfg.without;
      defaultText = lib.literalMD "with `airflow.enable`, where the role has a service `${service}` that is not in `without`";
    };
in
{
  options.services.envlock = {
    enable = mkEnableOption "the services of a role of a project that envlock has locked";

    lockDir = mkOption {
      type = types.path;
      example = lib.literalExpression "./.";
      description = "The directory that `envlock convert` wrote the locks into.";
    };

    role = mkOption {
      type = types.str;
      example = "worker";
      description = "The role of this machine, as envlock.yml names it.";
    };

    builder = mkOption {
      type = types.either types.path types.str;
      default = programOf pkgs.stdenv.hostPlatform.system;
      defaultText = lib.literalMD "the `envlock-static` of envlock's flake";
      description = "The envlock that builds the environments, as one file that needs no other.";
    };

    directory = mkOption {
      # Text: a path of this project would be one of the store.
      type = types.strMatching plainPath;
      default = "/var/lib/envlock";
      example = "/srv/shop";
      description = "The working directory of the services; where the application's code is. It is given to their user.";
    };

    environment = mkOption {
      type = types.attrsOf types.str;
      default = { };
      example = {
        REDIS_HOST = "10.0.0.1";
      };
      description = "Variables of all services, as they are. They win over those that the lock states.";
    };

    secretFiles = mkOption {
      type = types.attrsOf (types.strMatching plainPath);
      default = { };
      defaultText = lib.literalMD "`/etc/envlock/secrets/NAME` for each secret of the role";
      example = {
        REDIS_PASSWORD = "/run/keys/redis-password";
      };
      description = ''
        For each secret of the role, the file on this machine that holds it; root alone need be able to read it. It is
        handed to the services as a credential, and never enters the Nix store.
      '';
    };

    serviceConfig = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      example = {
        PrivateDevices = false;
        ReadWritePaths = [ "/srv/data" ];
      };
      description = "Settings of systemd for all services and for `envlock-node`: lists come on top of the module's, others win.";
    };

    without = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "redis" ];
      description = "Services of the role that do not run here, because something else does their work.";
    };

    replaced = mkOption {
      type = types.attrsOf (types.listOf types.str);
      default = { };
      internal = true;
      description = "Services of the role that do not run here, and the units of this machine that do their work.";
    };

    printed = mkOption {
      type = types.listOf types.str;
      default = [ ];
      internal = true;
      description = "Secrets that programs of this machine read from files, whether they are given as files or come of another one.";
    };

    redis = {
      enable = mkEnableOption "NixOS' own Redis as the broker, `services.redis.servers.envlock`, instead of the role's";

      service = mkOption {
        type = types.str;
        default = "redis";
        description = "The service of the role whose work it does, on the same port.";
      };

      secret = mkOption {
        type = types.str;
        default = "REDIS_PASSWORD";
        description = "The secret of the role that is its password, or one that the role's programs derive from another.";
      };
    };

    airflow = {
      enable = mkEnableOption "what a part of an Airflow cluster can have of the machine's own: Redis, PostgreSQL, NGINX and OpenSSH from nixpkgs, each instead of the role's service";

      postgresql.enable = instead "postgresql" "NixOS' own PostgreSQL, `services.postgresql`, for Airflow's database";

      nginx.enable = instead "nginx" "NixOS' own NGINX, `services.nginx`, before Airflow and Flower";

      openssh.enable = instead "dag-receiver" "an sshd from nixpkgs that takes DAGs, beside the one of the machine";

      masterHost = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "10.0.0.1";
        description = "Where the master is, for all machines and for itself: the variable `MASTER_HOST`. With `null` it is what the lock says, `master` where the project says nothing else.";
      };

      address = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "10.0.0.1";
        description = "The address of this machine in the cluster. Redis and PostgreSQL of a master listen on it and on 127.0.0.1 alone, and a master is found there; to a worker, DAGs are brought there. With `null` they listen on all interfaces.";
      };

      publicUrl = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "https://airflow.example.org";
        description = "What users see it at, without a path: the variable `PUBLIC_URL`. With `null` it is what the lock says.";
      };

      serverName = mkOption {
        type = types.str;
        default = "_";
        example = "airflow.example.org";
        description = "The virtual host of NGINX; `_` is for every name that is no other host's.";
      };

      tls = mkOption {
        type = types.nullOr (
          types.submodule {
            options = {
              certificate = mkOption {
                type = types.strMatching plainPath;
                example = "/var/lib/secrets/airflow.crt";
                description = "The certificate, and those that vouch for it, as a file of this machine.";
              };
              key = mkOption {
                type = types.strMatching plainPath;
                example = "/var/lib/secrets/airflow.key";
                description = "Its private key, as a file of this machine.";
              };
            };
          }
        );
        default = null;
        description = "What NixOS' NGINX has for HTTPS. What the lock says of it is for the role's own.";
      };
    };

    openFirewall = mkOption {
      type = types.bool;
      default = false;
      description = "Whether the ports of the role are reachable from other machines.";
    };
  };
}
