# What a machine needs besides the services of its role, so that it can be built as it is; all of it is a default.
{ config, lib, ... }:
{
  fileSystems."/" = {
    device = lib.mkDefault "/dev/disk/by-label/nixos";
    fsType = lib.mkDefault "ext4";
  };
  boot.loader.grub.device = lib.mkDefault "/dev/vda";
  # Nodes of a cluster know each other by name.
  networking.hostName = lib.mkDefault config.services.envlock.role;
  system.stateVersion = lib.mkDefault "26.05";
}
