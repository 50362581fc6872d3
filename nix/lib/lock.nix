# Reads envlock.nix and its lock files, and says what is wrong with them while it is known where.
lockDir:
let
  # In a flake, only what git knows of exists.
  present =
    name:
    (
      builtins.pathExists (lockDir + "/${name}")
      || throw "envlock: there is no ${name} in ${toString lockDir}. Run `envlock convert`; a flake sees only files of its own, after `git add`"
    )
    && (
      (builtins.readDir lockDir).${name} == "regular"
      || throw "envlock: ${name} in ${toString lockDir} is a link, which Nix would take along without what it leads to. Put the file itself there"
    );

  lock = import (lockDir + "/envlock.nix");
  broken =
    message:
    throw "envlock: ${toString lockDir}/envlock.nix: ${message}. Run `envlock convert`, and do not edit what it writes";

  has =
    what: names: set:
    builtins.all (name: set ? ${name} || broken "${what} lacks `${name}`") names;

  isFormat =
    lock ? formatVersion && lock.formatVersion == 1
    || broken "its format is not 1, the only one that this envlock knows";

  isPackage =
    environment: package:
    let
      what = "a package of the ${environment} environment";
      named = "${package.name} of the ${environment} environment";
    in
    has what [
      "name"
    ] package
    && has named [
      "kind"
      "version"
      "fileName"
      "storeName"
      "url"
      "hash"
    ] package
    && isFile named package
    && (!(package ? wheel) || isWheel environment "the wheel of ${named}" package.wheel);

  isFile =
    named: file:
    (
      builtins.match "sha256-[A-Za-z0-9+/]{43}=" file.hash != null
      || broken "the hash of ${named} is `${file.hash}`, and no sha256 as `sha256-` and 44 characters of base64"
    )
    && (
      builtins.match "[0-9A-Za-z+_?=-][0-9A-Za-z+._?=-]*" file.storeName != null
      || broken "the store name of ${named} is `${file.storeName}`, which the store does not take"
    );

  isWheel =
    environment: named: wheel:
    has named [
      "storeName"
      "hash"
      "requires"
    ] wheel
    && isFile named wheel
    && builtins.all (isPackage environment) wheel.requires;

  isPlatform =
    environment: platform:
    has "the ${environment} environment" [
      "lockHash"
      "specs"
      "variables"
      "packages"
    ] platform
    && builtins.all (isPackage environment) platform.packages;

  isEnvironment =
    name: builtins.all (isPlatform name) (builtins.attrValues lock.environments.${name});

  isSound =
    present "envlock.nix"
    && isFormat
    && has "it" [
      "inputHash"
      "options"
      "overridden"
      "files"
      "environments"
      "cluster"
      "roles"
    ] lock
    && has "`environments`" [ "user" ] lock.environments
    && builtins.all isEnvironment (builtins.attrNames lock.environments)
    && builtins.all present (builtins.attrNames lock.files);

  names = [ "envlock.nix" ] ++ builtins.attrNames lock.files;
in
assert isSound;
lock
// {
  # What else is in the directory must not change what is built.
  directory = builtins.path {
    name = "locks";
    path = lockDir;
    filter = path: type: type == "regular" && builtins.elem (baseNameOf path) names;
  };
}
