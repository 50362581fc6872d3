{
  lib,
  stdenv,
  rustPlatform,
  installShellFiles,
  testers,
  isStatic ? false,
}:
rustPlatform.buildRustPackage (finalAttrs: {
  pname = "envlock" + lib.optionalString isStatic "-static";
  inherit ((lib.importTOML ../../Cargo.toml).package) version;

  # No more than the program is made of: what is built with it depends on all of it.
  src = lib.fileset.toSource {
    root = ../..;
    fileset = lib.fileset.unions [
      ../../Cargo.toml
      ../../Cargo.lock
      ../../src
      ../default.nix
      (lib.fileset.difference ../lib ../lib/make.nix)
    ];
  };
  cargoLock.lockFile = ../../Cargo.lock;

  # cargo wants to see a file for every target of the manifest.
  postPatch = ''
    mkdir tests benches
    touch tests/main.rs benches/lock.rs
  '';

  buildInputs = lib.optional isStatic stdenv.cc.libc.static;
  env = lib.optionalAttrs isStatic { RUSTFLAGS = "-C target-feature=+crt-static"; };
  # Unit tests are a check of their own, of the dynamic program.
  doCheck = false;

  nativeBuildInputs = [ installShellFiles ];
  postInstall =
    lib.optionalString (!isStatic && stdenv.buildPlatform.canExecute stdenv.hostPlatform)
      ''
        for shell in bash fish zsh; do
          $out/bin/envlock completions $shell >envlock.$shell
        done
        installShellCompletion --cmd envlock --bash envlock.bash --fish envlock.fish --zsh envlock.zsh
        $out/bin/envlock man man
        installManPage man/*
      '';

  passthru.tests.version = testers.testVersion { package = finalAttrs.finalPackage; };

  meta = {
    description =
      "Lock a conda env.yml once and build identical nodes from it"
      + lib.optionalString isStatic ", as one file";
    mainProgram = "envlock";
    platforms = lib.platforms.linux;
  };
})
