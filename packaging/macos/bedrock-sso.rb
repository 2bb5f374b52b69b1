class BedrockSso < Formula
  desc "Corporate SSO to short-lived AWS credentials"
  homepage "@HOMEPAGE@"
  url "@ADDRESS@"
  version "@VERSION@"
  sha256 "@SUM@"
  license "Apache-2.0"

  depends_on :macos

  def install
    bin.install "bin/bedrock-sso"
    man1.install "share/man/man1/bedrock-sso.1"
    zsh_completion.install "share/zsh/site-functions/_bedrock-sso"
    bash_completion.install "share/bash-completion/completions/bedrock-sso"
    fish_completion.install "share/fish/vendor_completions.d/bedrock-sso.fish"
    pkgshare.install Dir["share/bedrock-sso/*"]
  end

  def caveats
    <<~EOS
      Set up with `bedrock-sso setup`. Before `brew uninstall bedrock-sso`:
        bedrock-sso setup --remove
        bedrock-sso logout --all
    EOS
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/bedrock-sso --version")
  end
end
