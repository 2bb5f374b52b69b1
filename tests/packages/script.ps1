<#
.SYNOPSIS
The installer script for Windows, as a person meets it: in the PowerShell that this runs in, with a release of a test's own in a
folder. Closes with "N passed, N failed".

.DESCRIPTION
On a Windows machine that is thrown away, with Git for Windows, whose bash makes the release as packaging/installers and
packaging/sums do. It changes this person's PATH, and puts it back.

  tests\packages\script.ps1 -Program target\debug\bedrock-sso.exe
#>
param([Parameter(Mandatory)] [string] $Program)

Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$Repository = (Resolve-Path (Join-Path $PSScriptRoot '..\..')).ProviderPath
$Program = (Resolve-Path $Program).ProviderPath
$Shell = (Get-Process -Id $PID).Path
$Bash = Join-Path $env:ProgramFiles 'Git\bin\bash.exe'
$Folder = Join-Path ([IO.Path]::GetTempPath()) "bedrock-sso-script-$([Guid]::NewGuid().ToString('N').Substring(0, 8))"
$null = New-Item -ItemType Directory -Path $Folder
$Prefix = Join-Path $env:LOCALAPPDATA 'Programs\bedrock-sso'

function Invoke-Bash {
    Push-Location $Repository
    try {
        & $Bash @args
        if ($LASTEXITCODE) { throw "bash $args ended with $LASTEXITCODE" }
    } finally { Pop-Location }
}

function New-Key([string] $Name) {
    $key = Join-Path $Folder $Name
    $null = New-Item -ItemType Directory -Path $key
    $null = Invoke-Bash tests/packages/key $key
    $key
}

# The same program under another version of the same length.
function New-Release([string] $Version, [string] $Key) {
    $release = Join-Path $Folder "v$Version"
    $name = "bedrock-sso-$Version-windows-x86_64"
    $null = New-Item -ItemType Directory -Path $release, (Join-Path $Folder $name)
    $bytes = [Text.Encoding]::GetEncoding(28591)
    $text = $bytes.GetString([IO.File]::ReadAllBytes($Program)).Replace('0.1.0', $Version)
    [IO.File]::WriteAllBytes((Join-Path $Folder "$name\bedrock-sso.exe"), $bytes.GetBytes($text))
    Compress-Archive -Path (Join-Path $Folder $name) -DestinationPath (Join-Path $release "$name.zip")
    Protect-Release $release $Version $Key
    $release
}

function Protect-Release([string] $Release, [string] $Version, [string] $Key) {
    $null = Invoke-Bash packaging/installers $Release 'https://example.com/releases' "$Key/minisign.pub"
    $null = Invoke-Bash packaging/sums $Release $Version "$Key/minisign.key" "$Key/minisign.pub"
}

function Copy-Release([string] $Release) {
    $copy = Join-Path $Folder ([Guid]::NewGuid().ToString('N').Substring(0, 8))
    Copy-Item -Recurse -LiteralPath $Release -Destination $copy
    $copy
}

# As a person calls it; with both streams in one text.
function Invoke-Script([string] $Script, [string[]] $Words) {
    $out = Join-Path $Folder 'out'; $err = Join-Path $Folder 'err'
    $quoted = $Words | ForEach-Object { "`"$_`"" }
    $call = "-NoProfile -NonInteractive -ExecutionPolicy Bypass -File `"$Script`" $quoted"
    $ended = Start-Process -FilePath $Shell -ArgumentList $call -Wait -PassThru -NoNewWindow -RedirectStandardOutput $out -RedirectStandardError $err -RedirectStandardInput $Nothing
    [pscustomobject] @{ Code = $ended.ExitCode; Said = "$([IO.File]::ReadAllText($out))$([IO.File]::ReadAllText($err))" }
}

function Assert-Said($Ended, [int] $Code, [string] $Pattern) {
    if ($Ended.Code -ne $Code -or $Ended.Said -notmatch $Pattern) { throw "expected $Code and /$Pattern/, got $($Ended.Code): $($Ended.Said)" }
}

function Get-Path { [Microsoft.Win32.Registry]::CurrentUser.OpenSubKey('Environment').GetValue('Path', '', 'DoNotExpandEnvironmentNames') }

function Get-Installed {
    if (Test-Path $Prefix) { Get-ChildItem -Recurse -File $Prefix | ForEach-Object { "$($_.FullName) $((Get-FileHash $_.FullName).Hash)" } }
}

$Nothing = Join-Path $Folder 'nothing'
$null = New-Item -ItemType File -Path $Nothing
$Key = New-Key 'key'
$Old = New-Release '0.1.0' $Key
$New = New-Release '0.2.0' $Key
$Script = Join-Path $Old 'install.ps1'
$Exe = Join-Path $Prefix 'bedrock-sso.exe'
$PathBefore = Get-Path

$Scenarios = [ordered] @{
    'it installs, adds to the PATH, and a second run changes nothing' = {
        Assert-Said (Invoke-Script $Script '-From', $Old) 0 'bedrock-sso 0\.1\.0 is installed in .*Programs\\bedrock-sso\r?\n.* is on your PATH from now on'
        if ("$(& $Exe --version)" -ne 'bedrock-sso 0.1.0') { throw 'it does not run' }
        if ((Get-Path) -split ';' -notcontains $Prefix) { throw "PATH is $(Get-Path)" }
        $before = Get-Installed
        Assert-Said (Invoke-Script $Script '-From', $Old) 0 'is installed in .* already, unchanged'
        if (Compare-Object @($before) @(Get-Installed)) { throw 'something changed' }
    }
    'an upgrade is in place, and an older release has to be named' = {
        Assert-Said (Invoke-Script $Script '-From', $New) 0 'bedrock-sso 0\.2\.0 is installed in .* in place of 0\.1\.0; who is signed in stays so'
        if ("$(& $Exe --version)" -ne 'bedrock-sso 0.2.0') { throw 'it is not the new one' }
        Assert-Said (Invoke-Script $Script '-From', $Old) 1 'release 0\.1\.0 is older than what is installed, 0\.2\.0\r?\n  hint: .*-Version 0\.1\.0'
        Assert-Said (Invoke-Script $Script '-From', $Old, '-Version', '0.1.0') 0 'in place of 0\.2\.0'
    }
    'a program that runs is replaced all the same' = {
        # As Windows holds a program that runs: it may be read and renamed, and not written.
        $held = [IO.File]::Open($Exe, 'Open', 'Read', 'Read, Delete')
        try { Assert-Said (Invoke-Script $Script '-From', $New) 0 'in place of 0\.1\.0' } finally { $held.Dispose() }
        if ("$(& $Exe --version)" -ne 'bedrock-sso 0.2.0') { throw 'it is not the new one' }
        Assert-Said (Invoke-Script $Script '-From', $Old, '-Version', '0.1.0') 0 'in place of 0\.2\.0'
    }
    'what is not the project''s is refused, and what is installed stays' = {
        $before = Get-Installed
        $forged = "the signature of SHA256SUMS is not the release key's"
        $copy = Copy-Release $New
        [IO.File]::AppendAllText((Join-Path $copy 'SHA256SUMS'), "`n")
        Assert-Said (Invoke-Script $Script '-From', $copy) 1 $forged
        $copy = Copy-Release $New
        Protect-Release $copy '0.2.0' (New-Key 'other')
        Assert-Said (Invoke-Script $Script '-From', $copy) 1 $forged
        $copy = Copy-Release $New
        [IO.File]::WriteAllText((Join-Path $copy 'SHA256SUMS.sshsig'), '')
        [IO.File]::WriteAllText((Join-Path $copy 'SHA256SUMS.minisig'), '')
        Assert-Said (Invoke-Script $Script '-From', $copy) 1 $forged
        $copy = Copy-Release $New
        [IO.File]::AppendAllText((Join-Path $copy 'bedrock-sso-0.2.0-windows-x86_64.zip'), "`0")
        Assert-Said (Invoke-Script $Script '-From', $copy) 1 'is not what its checksum says'
        Assert-Said (Invoke-Script (Join-Path $Repository 'packaging\install.ps1') '-From', $New) 1 'this copy has no release key'
        Assert-Said (Invoke-Script $Script '-From', 'http://example.com/x') 1 'is not https'
        if (Compare-Object @($before) @(Get-Installed)) { throw 'something changed' }
    }
    'a checksum from elsewhere stands in for the signature' = {
        $sum = (Get-FileHash (Join-Path $New 'bedrock-sso-0.2.0-windows-x86_64.zip')).Hash
        $prefix = Join-Path $Folder 'by checksum'
        Assert-Said (Invoke-Script $Script '-From', $New, '-Prefix', $prefix, '-NoPath', '-Sha256', ('0' * 64)) 1 'is not what its checksum says'
        Assert-Said (Invoke-Script $Script '-From', $New, '-Prefix', $prefix, '-NoPath', '-Sha256', $sum) 0 'bedrock-sso 0\.2\.0 is installed'
        Assert-Said (Invoke-Script $Script '-Uninstall', '-KeepSignIn', '-Prefix', $prefix) 0 'is removed'
        if (Test-Path $prefix) { throw 'the folder is still there' }
    }
    'it can be typed as irm is piped into iex' = {
        $prefix = Join-Path $Folder 'typed'
        $env:BEDROCK_SSO_RELEASES = $New
        try {
            $said = & { Get-Content -Raw $Script | ForEach-Object { & ([scriptblock]::Create($_)) -Prefix $prefix -NoPath } }
        } finally { Remove-Item Env:\BEDROCK_SSO_RELEASES }
        if ("$said" -notmatch 'bedrock-sso 0\.2\.0 is installed') { throw "$said" }
    }
    'with nobody to ask nothing is removed' = {
        $before = Get-Installed
        Assert-Said (Invoke-Script $Script '-Uninstall') 1 'there is nobody to ask'
        if (Compare-Object @($before) @(Get-Installed)) { throw 'something changed' }
    }
    'uninstalling leaves nothing of ours' = {
        Assert-Said (Invoke-Script $Script '-Uninstall', '-Yes') 0 'bedrock-sso is removed from'
        if (Test-Path $Prefix) { throw "left: $(Get-Installed)" }
        if ((Get-Path) -ne $PathBefore) { throw "PATH was $PathBefore and is $(Get-Path)" }
        Assert-Said (Invoke-Script $Script '-Uninstall', '-Yes') 1 'this script has installed nothing in'
    }
}

$passed = 0; $failed = 0
foreach ($name in $Scenarios.Keys) {
    try {
        $null = & $Scenarios[$name]
        $passed++
        Write-Output "ok    $name"
    } catch {
        $failed++
        Write-Output "WRONG $name`n$_`n$($_.ScriptStackTrace)"
    }
}
Remove-Item -Recurse -Force -LiteralPath $Folder -ErrorAction SilentlyContinue
Write-Output "$passed passed, $failed failed"
exit [int] ($failed -gt 0)
