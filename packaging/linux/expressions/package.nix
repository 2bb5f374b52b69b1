# nix-build -E 'with import <nixpkgs> { }; callPackage ./package.nix { }'
{ lib, stdenvNoCC, fetchurl, releases ? "@RELEASES@" }:

let
  system = stdenvNoCC.hostPlatform.system;
  hashes = {
@HASHES@
  };
in
stdenvNoCC.mkDerivation (self: {
  pname = "bedrock-sso";
  version = "@VERSION@";

  src =
    let
      tarball = "bedrock-sso-${self.version}-linux-${stdenvNoCC.hostPlatform.parsed.cpu.name}.tar.gz";
      hash = hashes.${system} or (throw "bedrock-sso is not available for ${system}");
    in
    # Without an address of releases, the tarball is in the folder above, where both were made.
    if releases == "" then
      builtins.path { path = ./.. + "/${tarball}"; sha256 = hash; recursive = false; }
    else
      fetchurl { inherit hash; url = "${releases}/download/v${self.version}/${tarball}"; };

  # The program is static and already stripped.
  dontConfigure = true;
  dontBuild = true;
  dontFixup = true;

  installPhase = ''
    runHook preInstall
    mkdir -p $out
    cp -r bin share $out
    runHook postInstall
  '';

  meta = {
    description = "Corporate SSO to short-lived AWS credentials";
    license = lib.licenses.asl20;
    mainProgram = "bedrock-sso";
    platforms = builtins.attrNames hashes;
    sourceProvenance = [ lib.sourceTypes.binaryNativeCode ];
  };
})
