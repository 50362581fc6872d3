# Every check of the flake, derived: what cargo checks, the form of all Nix files, the tests of every package, and the
# scenarios on virtual machines.
{
  pkgs,
  packages,
  # envlock's NixOS module.
  module,
  # The directory with the locks that `packages` has images of.
  lockDir,
}:
let
  inherit (pkgs) lib;

  testsOf =
    name: package:
    lib.mapAttrs' (test: lib.nameValuePair "${name}-${test}") (package.passthru.tests or { });

  nixFiles = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.fileFilter (file: file.hasExt "nix") ../.;
  };
in
pkgs.callPackages ./packages/cargo.nix { }
// {
  nix =
    pkgs.runCommand "envlock-nix"
      {
        nativeBuildInputs = [
          pkgs.deadnix
          pkgs.nixfmt
          pkgs.statix
        ];
      }
      ''
        find ${nixFiles} -name '*.nix' -exec nixfmt --check {} +
        deadnix --fail ${nixFiles}
        statix check ${nixFiles}
        touch $out
      '';
}
# Where there is an image of each of its roles.
// lib.optionalAttrs (packages ? master-image && packages ? worker-image) (
  import ../vm-tests/nixos {
    inherit lockDir module pkgs;
    # Where somebody has locked it.
    airflowLockDir =
      if builtins.pathExists ../examples/airflow-2/envlock.nix then ../examples/airflow-2 else null;
    envlock = packages.envlock-static;
  }
)
// lib.concatMapAttrs testsOf (builtins.removeAttrs packages [ "default" ])
