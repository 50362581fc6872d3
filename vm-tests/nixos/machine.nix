# What every machine of a scenario has: the services of its role as units, the secret that they share, and a file in
# their directory. Gives a NixOS module for the name of a role.
{
  module,
  envlock,
  lockDir,
  # The name of the secret, and what it is.
  secret,
  value,
  # The name of the file, and where it is from.
  name,
  file,
}:
role:
{ config, ... }:
{
  imports = [
    module
    ./commands.nix
  ];
  services.envlock = {
    enable = true;
    inherit lockDir role;
    builder = envlock;
  };
  # In the store, as no secret that is one may be.
  environment.etc."envlock/secrets/${secret}".text = value;
  systemd.tmpfiles.rules = [
    "C ${config.services.envlock.directory}/${name} - - - - ${file}"
  ];
  # As many as the portable driver's: Celery works on as many tasks at a time.
  virtualisation.cores = 2;
}
