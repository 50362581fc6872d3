{
  description = "A Celery cluster whose nodes have one environment, byte for byte";

  # Where your team keeps envlock: git+https://…, github:…, or path:….
  inputs.envlock.url = "git+https://git.example.org/envlock";

  # A flake sees what git knows: envlock convert && git add flake.nix env.yml envlock.nix '*conda-lock.yml'
  outputs = { envlock, ... }: envlock.lib.mkCluster { lockDir = ./.; };
}
