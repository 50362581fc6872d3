{
  description = "Lock a conda env.yml once and build identical Airflow and Celery nodes from it";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      each = (import ./nix/lib).each systems;
      # Names of outputs are known without nixpkgs, so that what does not need it never asks for it.
      pkgsOf = system: nixpkgs.legacyPackages.${system};
      own = each (system: import ./nix/packages { pkgs = pkgsOf system; });
      programOf = system: "${own.${system}.envlock-static}/bin/envlock";
      lib = import ./nix/lib/make.nix {
        inherit programOf systems;
        machineOf =
          system: modules:
          nixpkgs.lib.nixosSystem {
            modules = [
              self.nixosModules.default
              ./nix/modules/machine.nix
              { nixpkgs.hostPlatform = system; }
            ]
            ++ modules;
          };
      };
      lockDir = ./examples/quickstart;
      quickstart = lib.mkCluster { inherit lockDir; };
    in
    {
      inherit lib;
      inherit (quickstart) nixosConfigurations;

      packages = each (system: quickstart.packages.${system} // own.${system});

      apps = each (system: {
        default = {
          type = "app";
          program = "${own.${system}.envlock}/bin/envlock";
          meta.description = "Lock environments, and build images from locks";
        };
      });

      checks = each (
        system:
        import ./nix/checks.nix {
          pkgs = pkgsOf system;
          packages = self.packages.${system};
          module = self.nixosModules.default;
          inherit lockDir;
        }
      );

      devShells = each (system: {
        default = import ./nix/shell.nix { pkgs = pkgsOf system; };
      });

      formatter = each (system: (pkgsOf system).nixfmt-tree);

      nixosModules.default = import ./nix/modules { inherit programOf; };

      templates.default = {
        path = ./examples/quickstart;
        description = "A project of your own: environment files, envlock.yml, locks, and a flake";
        welcomeText = ''
          Say in flake.nix where envlock is (inputs.envlock.url): where you took this from. Lock the environment files
          anew after each change, and let git know: a flake sees nothing else.

              envlock convert
              git add flake.nix *.yml envlock.nix
              nix build .#worker-image && docker load < result
        '';
      };
    };
}
