# What cargo checks, a derivation each; all start from one build of the dependencies.
{
  lib,
  stdenv,
  rustPlatform,
  cargo,
  cargo-deny,
  clippy,
  rustc,
  rustfmt,
}:
let
  inherit ((lib.importTOML ../../Cargo.toml).package) version;

  # Of a directory, what cargo is to see.
  sources =
    paths:
    lib.fileset.toSource {
      root = ../..;
      fileset = lib.fileset.unions paths;
    };
  manifest = [
    ../../Cargo.toml
    ../../Cargo.lock
  ];

  common = {
    inherit version;
    strictDeps = true;
    cargoDeps = rustPlatform.importCargoLock { lockFile = ../../Cargo.lock; };
    nativeBuildInputs = [
      rustPlatform.cargoSetupHook
      cargo
      cargo-deny
      clippy
      rustc
      rustfmt
    ];
    # The hook copies crates as of now, and a crate that is newer than its build script's output is built again.
    preBuild = ''
      find "$NIX_BUILD_TOP/cargo-vendor-dir" -exec touch --no-dereference --date=@1 {} +
    '';
    dontFixup = true;
  };

  dependencies = stdenv.mkDerivation (
    common
    // {
      pname = "envlock-dependencies";
      src = sources manifest;
      buildPhase = ''
        runHook preBuild
        mkdir src tests benches
        touch src/lib.rs tests/main.rs
        echo 'fn main() {}' | tee src/main.rs >benches/lock.rs
        cargo clippy --offline --all-targets
        cargo test --offline --lib --no-run
        runHook postBuild
      '';
      # Everything but the crate itself, of which only a stub was built.
      installPhase = ''
        runHook preInstall
        find target -path '*envlock*' -prune -exec rm -r {} +
        rm -rf target/debug/incremental
        mkdir $out
        cp --archive target $out
        runHook postInstall
      '';
    }
  );

  check =
    name:
    {
      command,
      needsDependencies ? true,
    }:
    stdenv.mkDerivation (
      common
      // {
        pname = "envlock-${name}";
        src = sources (
          manifest
          ++ [
            ../../benches
            ../../clippy.toml
            ../../deny.toml
            ../../nix
            ../../rustfmt.toml
            ../../src
            ../../tests
          ]
        );
        buildPhase = ''
          runHook preBuild
          ${lib.optionalString needsDependencies ''
            cp --archive ${dependencies}/target target
            chmod -R u+w target
          ''}
          ${command}
          runHook postBuild
        '';
        installPhase = "touch $out";
      }
    );
in
builtins.mapAttrs check {
  clippy.command = "cargo clippy --offline --all-targets -- --deny warnings";
  deny = {
    command = "cargo deny --offline check bans licenses sources";
    needsDependencies = false;
  };
  doc.command = "RUSTDOCFLAGS='--deny warnings' cargo doc --offline --no-deps";
  fmt = {
    command = "cargo fmt --check";
    needsDependencies = false;
  };
  unit-tests.command = "cargo test --offline --lib";
}
