# Secrets as files of this machine. Those of the role come as files, but for one that the role makes for itself, which is
# made when the machine first starts; secrets that come of it are files for as long as the machine is on, and only those
# that programs of the machine ask for. None of them is ever in the Nix store, or an argument of a program.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.envlock;
  node = import ./node.nix { inherit config lib pkgs; };
  inherit (node) role;
  usual = secret: "/etc/envlock/secrets/${secret}";

  # Where somebody names another file, it is theirs, and one that is missing must not become another secret.
  isMade =
    secret:
    lib.elem secret role.secrets
    && (role.makes or { }) ? ${secret}
    && cfg.secretFiles.${secret} == usual secret;

  printed = lib.filter (secret: !cfg.secretFiles ? ${secret}) (lib.unique cfg.printed);

  make = secret: file: ''
    if [ ! -e ${file} ]; then
      mkdir --parents --mode 0700 ${dirOf file}
      # Whoever sees it sees all of it, and nobody but root sees it at all.
      draft=$(mktemp ${file}.XXXXXX)
      { od -An -vtx1 -N32 /dev/urandom | tr -d ' \n'; echo; } >"$draft"
      sync "$draft"
      mv --no-target-directory "$draft" ${file}
      sync ${dirOf file}
      echo "made ${secret}, which is kept in ${file}; all other nodes of the cluster need that file, too"
    fi
  '';
  check = secret: file: ''
    if [ ! -s ${file} ]; then
      echo "${secret} is missing: put the file ${file} there, for root alone, as other nodes of the cluster have it" >&2
      status=78
    fi
  '';
in
{
  config = lib.mkIf cfg.enable {
    services.envlock.secretFiles = lib.genAttrs role.secrets (secret: lib.mkDefault (usual secret));

    systemd.services =
      lib.listToAttrs (
        map (
          name:
          lib.nameValuePair (lib.removeSuffix ".service" name) {
            description = "secrets of the ${cfg.role} role";
            wantedBy = [ "multi-user.target" ];
            serviceConfig = {
              Type = "oneshot";
              RemainAfterExit = true;
            };
            script = ''
              set -o pipefail
              status=0
              ${lib.concatStrings (
                lib.mapAttrsToList (
                  secret: file: lib.optionalString (isMade secret) (make secret file) + check secret file
                ) cfg.secretFiles
              )}
              exit $status
            '';
          }
        ) node.secretsUnits
      )
      // lib.listToAttrs (
        map (
          secret:
          lib.nameValuePair "secret-${secret}-envlock" {
            description = "${secret} of the ${cfg.role} role for programs of this machine";
            requires = node.secretsUnits;
            after = node.secretsUnits;
            inherit (node) environment;
            serviceConfig = node.sandbox // {
              Type = "oneshot";
              RemainAfterExit = true;
              ExecStart = "/opt/envlock/role/bin/envlock-node secret ${secret}";
              # systemd opens it as root, before anything else becomes of this process; nobody else may read it.
              StandardOutput = "truncate:${node.fileOfSecret secret}";
              StandardError = "journal";
              UMask = "0077";
            };
          }
        ) printed
      );
    # There in time, which a directory of a unit's own is not.
    systemd.tmpfiles.rules = lib.optional (
      printed != [ ]
    ) "d ${dirOf (node.fileOfSecret (lib.head printed))} 0700 root root";
  };
}
