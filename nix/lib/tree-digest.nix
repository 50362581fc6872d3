# A test of an environment in the store: its Python runs in Nix's sandbox through the loader of the runtime, and says
# which Python it is, what it takes for its prefix, and what treeDigest its environment has.
{
  environment,
  runtime,
  system,
}:
let
  sysroot = "${runtime}/${(import ./.).sysrootOf system}";
in
derivation {
  name = "tree-digest";
  inherit system;
  builder = "${sysroot}/lib64/ld-linux-x86-64.so.2";
  args = [
    "--inhibit-cache"
    "--library-path"
    # conda-forge's C library is in the first, Debian's in the second.
    "${sysroot}/lib64:${sysroot}/lib/x86_64-linux-gnu"
    "${environment}/bin/python3"
    "-B"
    ./tree_digest.py
    environment
    (builtins.placeholder "out")
  ];
}
