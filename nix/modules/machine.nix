# What a machine needs besides the services of its role, so that it can be built as it is; all of it is a default.
{ lib, ... }:
{
  fileSystems."/" = {
    device = lib.mkDefault "/dev/disk/by-label/nixos";
    fsType = lib.mkDefault "ext4";
  };
  boot.loader.grub.device = lib.mkDefault "/dev/vda";
  system.stateVersion = lib.mkDefault "26.05";
}
