<#
.SYNOPSIS
Tests the installer script for Windows, in the PowerShell that runs this file, with a test's release in a folder. Ends with
"N passed, N failed".

.DESCRIPTION
For a Windows machine that is deleted afterwards, with Git for Windows, whose bash makes the release with packaging/installers and
packaging/sums. It changes this user's PATH, and restores it.

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

# The same program with another version of the same length.
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

# Runs the script as a user does, with both streams in one text.
function Invoke-Script([string] $Script, [string[]] $Words) {
    $out = Join-Path $Folder 'out'; $err = Join-Path $Folder 'err'
    $quoted = $Words | ForEach-Object { "`"$_`"" }
    $call = "-NoProfile -NonInteractive -ExecutionPolicy Bypass -File `"$Script`" $quoted"
    $ended = Start-Process -FilePath $Shell -ArgumentList $call -Wait -PassThru -NoNewWindow -RedirectStandardOutput $out -RedirectStandardError $err -RedirectStandardInput $Nothing
    [pscustomobject] @{ Code = $ended.ExitCode; Output = "$([IO.File]::ReadAllText($out))$([IO.File]::ReadAllText($err))" }
}

function Assert-Output($Ended, [int] $Code, [string] $Pattern) {
    if ($Ended.Code -ne $Code -or $Ended.Output -notmatch $Pattern) { throw "expected $Code and /$Pattern/, got $($Ended.Code): $($Ended.Output)" }
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
    'it installs and adds to the PATH, and a second run changes nothing' = {
        Assert-Output (Invoke-Script $Script '-From', $Old) 0 'bedrock-sso 0\.1\.0 is installed in .*Programs\\bedrock-sso\r?\n.* was added to your PATH'
        if ("$(& $Exe --version)" -ne 'bedrock-sso 0.1.0') { throw 'it does not run' }
        if ((Get-Path) -split ';' -notcontains $Prefix) { throw "PATH is $(Get-Path)" }
        $before = Get-Installed
        Assert-Output (Invoke-Script $Script '-From', $Old) 0 'is already installed in'
        if (Compare-Object @($before) @(Get-Installed)) { throw 'something changed' }
    }
    'an upgrade replaces the program, and an older release must be named' = {
        Assert-Output (Invoke-Script $Script '-From', $New) 0 'bedrock-sso 0\.2\.0 replaced 0\.1\.0 in .*\. You stay signed in'
        if ("$(& $Exe --version)" -ne 'bedrock-sso 0.2.0') { throw 'it is not the new one' }
        Assert-Output (Invoke-Script $Script '-From', $Old) 1 'release 0\.1\.0 is older than the installed version, 0\.2\.0\r?\n  hint: .*-Version 0\.1\.0'
        Assert-Output (Invoke-Script $Script '-From', $Old, '-Version', '0.1.0') 0 'replaced 0\.2\.0'
    }
    'a running program is replaced' = {
        # Windows allows reading and renaming a running program, but not writing it.
        $held = [IO.File]::Open($Exe, 'Open', 'Read', 'Read, Delete')
        try { Assert-Output (Invoke-Script $Script '-From', $New) 0 'replaced 0\.1\.0' } finally { $held.Dispose() }
        if ("$(& $Exe --version)" -ne 'bedrock-sso 0.2.0') { throw 'it is not the new one' }
        Assert-Output (Invoke-Script $Script '-From', $Old, '-Version', '0.1.0') 0 'replaced 0\.2\.0'
    }
    'a forged release is rejected, and the installation stays' = {
        $before = Get-Installed
        $forged = "the signature of SHA256SUMS does not match the release key"
        $copy = Copy-Release $New
        [IO.File]::AppendAllText((Join-Path $copy 'SHA256SUMS'), "`n")
        Assert-Output (Invoke-Script $Script '-From', $copy) 1 $forged
        $copy = Copy-Release $New
        Protect-Release $copy '0.2.0' (New-Key 'other')
        Assert-Output (Invoke-Script $Script '-From', $copy) 1 $forged
        $copy = Copy-Release $New
        [IO.File]::WriteAllText((Join-Path $copy 'SHA256SUMS.sshsig'), '')
        [IO.File]::WriteAllText((Join-Path $copy 'SHA256SUMS.minisig'), '')
        Assert-Output (Invoke-Script $Script '-From', $copy) 1 $forged
        $copy = Copy-Release $New
        [IO.File]::AppendAllText((Join-Path $copy 'bedrock-sso-0.2.0-windows-x86_64.zip'), "`0")
        Assert-Output (Invoke-Script $Script '-From', $copy) 1 'does not match its checksum'
        Assert-Output (Invoke-Script (Join-Path $Repository 'packaging\install.ps1') '-From', $New) 1 'this copy of install.ps1 has no release key'
        Assert-Output (Invoke-Script $Script '-From', 'http://example.com/x') 1 'is not an https address'
        if (Compare-Object @($before) @(Get-Installed)) { throw 'something changed' }
    }
    'a given checksum replaces the signature' = {
        $sum = (Get-FileHash (Join-Path $New 'bedrock-sso-0.2.0-windows-x86_64.zip')).Hash
        $prefix = Join-Path $Folder 'by checksum'
        Assert-Output (Invoke-Script $Script '-From', $New, '-Prefix', $prefix, '-NoPath', '-Sha256', ('0' * 64)) 1 'does not match its checksum'
        Assert-Output (Invoke-Script $Script '-From', $New, '-Prefix', $prefix, '-NoPath', '-Sha256', $sum) 0 'bedrock-sso 0\.2\.0 is installed'
        Assert-Output (Invoke-Script $Script '-Uninstall', '-KeepSignIn', '-Prefix', $prefix) 0 'is removed'
        if (Test-Path $prefix) { throw 'the folder is still there' }
    }
    'it can be piped from irm into iex' = {
        $prefix = Join-Path $Folder 'typed'
        $env:BEDROCK_SSO_RELEASES = $New
        try {
            $output = & { Get-Content -Raw $Script | ForEach-Object { & ([scriptblock]::Create($_)) -Prefix $prefix -NoPath } }
        } finally { Remove-Item Env:\BEDROCK_SSO_RELEASES }
        if ("$output" -notmatch 'bedrock-sso 0\.2\.0 is installed') { throw "$output" }
    }
    'without a terminal nothing is removed' = {
        $before = Get-Installed
        Assert-Output (Invoke-Script $Script '-Uninstall') 1 'there is no terminal to ask at'
        if (Compare-Object @($before) @(Get-Installed)) { throw 'something changed' }
    }
    'uninstalling leaves no file' = {
        Assert-Output (Invoke-Script $Script '-Uninstall', '-Yes') 0 'bedrock-sso is removed from'
        if (Test-Path $Prefix) { throw "left: $(Get-Installed)" }
        if ((Get-Path) -ne $PathBefore) { throw "PATH was $PathBefore and is $(Get-Path)" }
        Assert-Output (Invoke-Script $Script '-Uninstall', '-Yes') 1 'install.ps1 has not installed bedrock-sso in'
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
