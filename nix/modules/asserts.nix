# What would otherwise fail when a unit starts.
{ config, lib, ... }:
let
  cfg = config.services.envlock;
  inherit (import ../lib) readLock roleOf;
  role = roleOf (readLock cfg.lockDir) cfg.role;
  names = lib.concatStringsSep ", ";

  # A variable may hold it as well, if it comes from somewhere else than the store; here it cannot.
  stated = lib.intersectLists role.secrets (lib.attrNames cfg.environment);
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
  foreign = lib.subtractLists role.secrets (lib.attrNames cfg.secretFiles);
  inherit (cfg) redis;
  broker = role.services.${redis.service} or { ports = [ ]; };
  unknown = lib.subtractLists (lib.attrNames role.services ++ [ "publish" ]) cfg.without;
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
        message = "services.envlock.secretFiles: the role ${cfg.role} has no secret ${names foreign}; it has ${names role.secrets}";
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
        assertion = redis.enable -> cfg.secretFiles ? ${redis.secret};
        message = "services.envlock.redis.secret: the role ${cfg.role} has no secret ${redis.secret}, which would be the password; it has ${names role.secrets}";
      }
    ];
  };
}
