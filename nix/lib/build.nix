# The derivations: the builder is envlock, its input a lock and the artifacts that the lock names.
{
  envlock,
  system,
  lock,
}:
let
  lib = import ./.;
  inherit (lib)
    environmentOf
    prefixOf
    restrict
    wheelOf
    ;

  # By name of environment: only those of this system.
  here = builtins.filter (name: lock.environments.${name} ? ${system}) (
    builtins.attrNames lock.environments
  );
  hasRuntime = builtins.elem "runtime" here;

  fetch = package: import <nix/fetchurl.nix> (lib.sourceOf package);
  packagesOf = names: builtins.concatMap (name: (environmentOf lock system name).packages) names;

  # --artifact finds a file by its sha256, so neither order nor names count.
  given =
    files:
    builtins.concatMap (file: [
      "--artifact"
      file
    ]) files;

  # What trees are made of: artifacts as they come, and the wheels of sdists.
  artifactsOf =
    names:
    given (
      builtins.concatMap (
        name:
        map (package: if wheelOf package == null then fetch package else wheel name package) (packagesOf [
          name
        ])
      ) names
    );

  # Everything that comes from somewhere else: sdists as they are, and what builds them.
  sourcesOf =
    names:
    given (
      builtins.concatMap (package: map fetch ([ package ] ++ package.wheel.requires or [ ])) (
        packagesOf names
      )
    );

  # An sdist of an environment -> its wheel. Whatever builds it has to give the bytes that the lock states.
  wheel =
    environment: package:
    let
      names = [ environment ] ++ (if hasRuntime then [ "runtime" ] else [ ]);
      # A build sees the options, too.
      locked = restrict lock system names // {
        inherit (lock) options;
      };
      conda = builtins.filter (package: package.kind == "conda") (packagesOf names);
      built = wheelOf package;
    in
    run built.storeName
      (
        [
          "wheel"
          package.name
          "--lock"
          (builtins.toFile "lock.json" (builtins.toJSON locked))
          "--environment"
          environment
          "--output"
          out
        ]
        ++ given (map fetch (conda ++ [ package ] ++ built.requires))
      )
      {
        outputHash = built.hash;
        outputHashMode = "flat";
        meta.description = "The wheel of ${package.fileName}";
      };

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

  ofRole =
    role: name: command: attributes:
    let
      names = [
        "user"
        "runtime"
      ]
      ++ (if lock.environments ? ${role} then [ role ] else [ ]);
      arguments = [
        role
        "--lock"
        "${lock.directory}"
        "--output"
        out
      ];
    in
    builtins.seq (lib.roleOf lock role) (
      run name (command ++ arguments ++ artifactsOf names) attributes
    );
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

  # The tests of an environment.
  testsOf =
    name:
    let
      isPython = package: package.kind == "conda" && package.name == "python";
      # Where loader and C library are is known of this one.
      canRun =
        system == "x86_64-linux"
        && hasRuntime
        && builtins.any isPython (environmentOf lock system name).packages;
    in
    if canRun then
      {
        tree-digest = import ./tree-digest.nix {
          environment = tree name;
          runtime = tree "runtime";
          inherit system;
        };
      }
    else
      { };

  # The OCI archive of a role.
  image =
    role:
    ofRole role "${role}-image.tar" [ "image" "build" ] {
      meta.description = "The image of ${role}, for `docker load`";
    };

  # What a node of a role has besides its environments.
  node =
    role:
    ofRole role "envlock-node-${role}" [ "render" "node" ] {
      meta.description = "Services, lock and treeDigest of ${role}, for /opt/envlock";
    };

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
        ++ sourcesOf here
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
        ++ sourcesOf here
      )
      {
        meta.description = "Locks and artifacts, for machines without a network";
      };
}
