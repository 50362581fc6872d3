# Everything that is built from one project's locks on one system: trees, images, and what they are made of.
#
# No nixpkgs, no stdenv, no import from derivation: artifacts come by fixed-output fetches of what envlock.nix pins, and
# envlock itself is the builder. The same program with the same lock writes the same bytes without Nix.
#
#   nix-build nix --argstr system x86_64-linux --arg lockDir ./project --arg envlock ./envlock --attr images.worker
{
  # The program, as one file that needs no other (`cargo static` builds it): its path, or a package that has it in `bin`.
  envlock,
  # Nix's name of the platform to build for, such as "x86_64-linux".
  system,
  # The directory that `envlock convert` wrote the locks into; nothing else in it is read.
  lockDir,
}:
let
  inherit (import ./lib) each readLock;
  lock = readLock lockDir;
  program =
    if builtins.isAttrs envlock then
      "${envlock}/bin/envlock"
    else if builtins.isPath envlock then
      builtins.path {
        name = "envlock";
        path = envlock;
      }
    else if builtins.hasContext envlock then
      envlock
    else
      throw "envlock: the program is given as the text ${envlock}, and text takes no file into a build. Give a path or a package";
  build = import ./lib/build.nix {
    inherit system lock;
    envlock = program;
  };
  inherit (build) tree;
  roles = builtins.attrNames lock.roles;
in
{
  # The environment of env.yml, as it is at /opt/envlock/env.
  environment = tree "user" // {
    passthru.tests = build.testsOf "user";
  };
  # C library, certificates, time zones and init, as they are at /opt/envlock/runtime.
  runtime = tree "runtime";
  # What a role has besides, as it is at /opt/envlock/system.
  systemEnvironments = each (builtins.filter (name: lock.environments ? ${name}) roles) tree;
  # OCI archives, as `envlock image build` writes them.
  images = each roles build.image;
  # What nodes that are no containers have below /opt/envlock besides: programs and table of services, lock, treeDigest.
  nodes = each roles build.node;
  # Links to every artifact: its closure is what a machine without a network needs.
  artifacts = build.artifacts;
  # Locks and artifacts in one file, as `envlock bundle create` writes it.
  bundle = build.bundle;
}
