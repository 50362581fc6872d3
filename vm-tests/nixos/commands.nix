# The commands that scenarios use on a machine; portable/guest/vm/bin has them for an image.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  units = lib.filter (lib.hasPrefix "envlock-") (lib.attrNames config.systemd.services);
in
{
  environment.systemPackages = [
    # Runs a command as the services run. The driver's own commands come in as the standard input of what it runs.
    (pkgs.writeShellScriptBin "node" ''exec envlock-node start "$@" </dev/null'')
    # What the services have said since they were started, all of them.
    (pkgs.writeShellScriptBin "node-log" ''
      cursor=$(cat /run/node-cursor 2>/dev/null)
      # Without what systemd says of them.
      exec journalctl --quiet --boot --output cat --unit 'envlock-*' ''${cursor:+--after-cursor="$cursor"} _TRANSPORT=stdout
    '')
    # Starts the services anew with a variable more, NAME=VALUE; it is forgotten when the machine is switched off.
    (pkgs.writeShellScriptBin "node-set" ''
      set -e
      units="${toString units}"
      systemctl stop $units
      for unit in $units; do
          mkdir -p "/run/systemd/system/$unit.service.d"
          printf '[Service]\nEnvironment="%s"\n' "$1" >"/run/systemd/system/$unit.service.d/''${1%%=*}.conf"
      done
      systemctl daemon-reload
      journalctl --sync
      journalctl --lines 1 --show-cursor | sed -n 's/^-- cursor: //p' >/run/node-cursor
      systemctl start $units
    '')
  ];
}
