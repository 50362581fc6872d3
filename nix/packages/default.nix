# What the flake builds of envlock itself.
{ pkgs }:
rec {
  default = envlock;

  # The program, its completions and man pages.
  envlock = pkgs.callPackage ./envlock.nix { };

  # The program as one file, which builds in sandboxes that hold nothing else.
  envlock-static = pkgs.callPackage ./envlock.nix { isStatic = true; };
}
