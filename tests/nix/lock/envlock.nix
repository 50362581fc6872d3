# A lock as small as one can be, for tests of nix/lib; nothing is fetched for it.
let
  locked = packages: {
    lockHash = "0000000000000000000000000000000000000000000000000000000000000000";
    specs = [ ];
    variables = { };
    inherit packages;
  };
  package = name: {
    kind = "conda";
    inherit name;
    version = "1.0";
    build = "0";
    fileName = "${name}-1.0-0.conda";
    storeName = "${name}-1.0-0.conda";
    url = "https://conda.example.org/channel/linux-64/${name}-1.0-0.conda";
    hash = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    size = 1;
  };
in
{
  formatVersion = 1;
  inputHash = "0000000000000000000000000000000000000000000000000000000000000000";
  options = { };
  overridden = [ ];
  files = {
    "conda-lock.yml" = "0000000000000000000000000000000000000000000000000000000000000000";
    "runtime.conda-lock.yml" = "0000000000000000000000000000000000000000000000000000000000000000";
  };
  environments = {
    user = {
      x86_64-linux = locked [
        (package "python")
        (package "redis-py")
      ];
      aarch64-linux = locked [ (package "python") ];
    };
    runtime = {
      x86_64-linux = locked [ (package "sysroot_linux-64") ];
      aarch64-linux = locked [ (package "sysroot_linux-aarch64") ];
    };
    master.x86_64-linux = locked [ (package "redis-server") ];
  };
  cluster = { };
  roles = {
    master.services = { };
    worker.services = { };
  };
}
