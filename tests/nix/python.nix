# Python of the environment in the store, in Nix's sandbox, through the loader of the runtime: it says which Python it
# is and what treeDigest the environment has.
{
  envlock,
  lockDir,
  system ? "x86_64-linux",
}:
let
  inherit (import ../../nix { inherit envlock lockDir system; }) environment runtime;
  sysroot = "${runtime}/${(import ../../nix/lib).sysrootOf system}";
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
