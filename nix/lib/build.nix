# The derivations: the builder is envlock, its input a lock and the artifacts that the lock names.
{
  envlock,
  system,
  lock,
}:
let
  lib = import ./.;
  inherit (lib) environmentOf prefixOf restrict;

  # By name of environment: only those of this system.
  here = builtins.filter (name: lock.environments.${name} ? ${system}) (
    builtins.attrNames lock.environments
  );
  hasRuntime = builtins.elem "runtime" here;

  fetch = package: import <nix/fetchurl.nix> (lib.sourceOf package);
  # --artifact finds a file by its sha256, so neither order nor names count.
  artifactsOf =
    names:
    builtins.concatMap (
      name:
      builtins.concatMap (package: [
        "--artifact"
        (fetch package)
      ]) (environmentOf lock system name).packages
    ) names;

  run =
    name: arguments: attributes:
    derivation {
      inherit name system;
      builder = "${envlock}";
      args = arguments ++ [
        "--offline"
        "--color=never"
      ];
      # The working directory of a build, wherever that is.
      ENVLOCK_CACHE = "cache";
    }
    // attributes
    // {
      meta = {
        platforms = [ system ];
      }
      // attributes.meta or { };
    };

  out = builtins.placeholder "out";
  lockOf = names: builtins.toFile "lock.json" (builtins.toJSON (restrict lock system names));
in
rec {
  # The tree of an environment for its prefix; byte-code is compiled with the runtime's loader, so not without one.
  tree =
    name:
    let
      isRuntime = name == "runtime";
      names = [ name ] ++ (if isRuntime || !hasRuntime then [ ] else [ "runtime" ]);
      label = if name == "user" || isRuntime then name else "system-${name}";
      arguments = [
        "install"
        (lockOf names)
        "--environment"
        name
        "--prefix"
        (prefixOf name)
        "--into"
        out
        "--copy"
      ]
      ++ (if isRuntime || !hasRuntime then [ "--no-byte-code" ] else [ ])
      ++ artifactsOf names;
    in
    run "envlock-${label}" arguments {
      # Where it is used: it is no environment at its place in the store.
      prefix = prefixOf name;
      meta.description = "The ${name} environment, for ${prefixOf name}";
    };

  # The OCI archive of a role.
  image =
    role:
    let
      names = [
        "user"
        "runtime"
      ]
      ++ (if lock.environments ? ${role} then [ role ] else [ ]);
      arguments = [
        "image"
        "build"
        role
        "--lock"
        "${lock.directory}"
        "--output"
        out
      ]
      ++ artifactsOf names;
    in
    builtins.seq (lib.roleOf lock role) (
      run "${role}-image.tar" arguments {
        meta.description = "The image of ${role}, for `docker load`";
      }
    );

  # A directory of links to the artifacts, by file name.
  artifacts =
    run "envlock-artifacts"
      (
        [
          "fetch"
          (lockOf here)
          "--links"
          out
        ]
        ++ artifactsOf here
      )
      {
        meta.description = "Every artifact of the lock, for `nix copy`";
      };

  # Locks and artifacts in one file.
  bundle =
    run "envlock-bundle.tar"
      (
        [
          "bundle"
          "create"
          "${lock.directory}"
          "--platform"
          (lib.platformOf system)
          "--output"
          out
        ]
        ++ artifactsOf here
      )
      {
        meta.description = "Locks and artifacts, for machines without a network";
      };
}
