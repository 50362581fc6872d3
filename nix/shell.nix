# What one needs to work on envlock, without Debian's packages.
{ pkgs }:
pkgs.mkShell {
  inputsFrom = [ (pkgs.callPackage ./packages/envlock.nix { }) ];
  packages = [
    pkgs.cargo-deny
    pkgs.clippy
    pkgs.deadnix
    pkgs.jq
    pkgs.nixfmt
    pkgs.python3
    pkgs.rustfmt
    pkgs.shellcheck
    pkgs.statix
    pkgs.zstd
  ];
}
