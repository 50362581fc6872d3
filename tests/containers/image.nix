# The image of a role, in a plain derivation: no nixpkgs, no stdenv. envlock is the builder, and the artifacts come by
# fixed-output fetches of what envlock.nix pins.
{
  # A directory with the program, its loader and the libraries that it is linked to.
  envlock,
  # A directory with the locks, and nothing else.
  lockDir,
  role ? "worker",
  system ? "x86_64-linux",
}:
let
  lock = import (lockDir + "/envlock.nix");
  fetch =
    package:
    import <nix/fetchurl.nix> {
      inherit (package) url hash;
      name = package.storeName;
    };
  packages = builtins.concatMap (environment: environment.${system}.packages) (
    builtins.attrValues lock.environments
  );
in
derivation {
  name = "${role}-image.tar";
  inherit system;
  builder = "${envlock}/loader";
  args = [
    "--library-path"
    "${envlock}"
    "${envlock}/envlock"
    "image"
    "build"
    role
    "--lock"
    "${lockDir}"
    "--output"
    (builtins.placeholder "out")
    "--offline"
  ]
  ++ builtins.concatMap (package: [
    "--artifact"
    (fetch package)
  ]) packages;
  ENVLOCK_CACHE = "/build/cache";
}
