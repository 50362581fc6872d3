{
  description = "As much of nixpkgs as the flake asks for, where there is no nixpkgs: names and shapes, nothing that builds";

  outputs =
    _:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      each = value: builtins.listToAttrs (map (name: lib.nameValuePair name (value name)) systems);

      lib = rec {
        nameValuePair = name: value: { inherit name value; };
        mapAttrs' =
          function: set:
          builtins.listToAttrs (map (name: function name set.${name}) (builtins.attrNames set));
        concatMapAttrs =
          function: set:
          builtins.foldl' (all: name: all // function name set.${name}) { } (builtins.attrNames set);
        filterAttrs =
          condition: set:
          builtins.removeAttrs set (
            builtins.filter (name: !condition name set.${name}) (builtins.attrNames set)
          );
        hasSuffix = suffix: text: removeSuffix suffix text != text;
        removeSuffix =
          suffix: text:
          let
            length = builtins.stringLength text - builtins.stringLength suffix;
          in
          if length >= 0 && builtins.substring length (-1) text == suffix then
            builtins.substring 0 length text
          else
            text;
        optional = condition: value: if condition then [ value ] else [ ];
        optionalAttrs = condition: value: if condition then value else { };
        optionalString = condition: value: if condition then value else "";
        importTOML = path: builtins.fromTOML (builtins.readFile path);
        platforms.linux = systems;
        # A set of files is what it was made of, all of which must be there.
        fileset = {
          unions = builtins.concatMap (part: if builtins.isList part then part else [ part ]);
          difference = whole: without: [
            whole
            without
          ];
          fileFilter = _: root: [ root ];
          toSource =
            { root, fileset }:
            assert builtins.all builtins.pathExists (fileset ++ [ root ]);
            root;
        };
        nixosSystem =
          { modules }:
          {
            config.system.build = {
              images.qemu = derivationOf "x86_64-linux" { name = "nixos-disk"; };
              toplevel = derivationOf "x86_64-linux" { name = "nixos-system"; };
            };
            options = { };
            inherit modules;
          };
      };

      derivationOf =
        system: attributes:
        derivation {
          name = attributes.name or "${attributes.pname}-${attributes.version}";
          inherit system;
          builder = "/stand-in";
        }
        // attributes;

      packagesFor =
        system:
        let
          make = derivationOf system;
          tool = name: make { inherit name; };
          # What a function asks for is found by name, as callPackage does.
          callPackage =
            path: arguments:
            let
              function = import path;
            in
            function (builtins.intersectAttrs (builtins.functionArgs function) packages // arguments);
          packages = {
            inherit lib callPackage;
            callPackages = callPackage;
            stdenv = {
              mkDerivation = make;
              cc.libc.static = tool "libc-static";
              buildPlatform.canExecute = _: true;
              hostPlatform = { inherit system; };
            };
            rustPlatform = {
              buildRustPackage =
                function:
                let
                  attributes = function { finalPackage = package; };
                  package = make attributes;
                in
                assert builtins.pathExists attributes.cargoLock.lockFile;
                package;
              importCargoLock =
                { lockFile }:
                assert builtins.pathExists lockFile;
                tool "cargo-vendor-dir";
              cargoSetupHook = tool "cargo-setup-hook";
            };
            testers = {
              testVersion = { package }: tool "${package.pname}-version";
              runNixOSTest =
                test:
                make {
                  name = "vm-test-run-${test.name}";
                  inherit (test) globalTimeout testScript;
                  nodes = builtins.attrNames test.nodes;
                };
            };
            runCommand =
              name: attributes: text:
              make (attributes // { inherit name text; });
            mkShell = attributes: make (attributes // { name = "shell"; });
          }
          // builtins.listToAttrs (map (name: lib.nameValuePair name (tool name)) tools);
          tools = [
            "cargo"
            "cargo-deny"
            "clippy"
            "deadnix"
            "installShellFiles"
            "jq"
            "nixfmt"
            "nixfmt-tree"
            "python3"
            "rustc"
            "rustfmt"
            "shellcheck"
            "statix"
            "zstd"
          ];
        in
        packages;
    in
    {
      inherit lib;
      legacyPackages = each packagesFor;
    };
}
