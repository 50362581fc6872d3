{ programOf }:
{ lib, pkgs, ... }:
let
  inherit (lib) mkEnableOption mkOption types;
  # systemd reads words and specifiers in others.
  plainPath = "/[A-Za-z0-9._/+@-]*";
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
        description = "The secret of the role that is its password.";
      };
    };

    openFirewall = mkOption {
      type = types.bool;
      default = false;
      description = "Whether the ports of the role are reachable from other machines.";
    };
  };
}
