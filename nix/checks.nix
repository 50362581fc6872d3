# Every check of the flake, derived: what cargo checks, the form of all Nix files, and the tests of every package.
{ pkgs, packages }:
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
// lib.concatMapAttrs testsOf (builtins.removeAttrs packages [ "default" ])
