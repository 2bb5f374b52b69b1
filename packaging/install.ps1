<#
.SYNOPSIS
Installs bedrock-sso for one person, or takes it away again: for who has no package manager at hand.

.DESCRIPTION
Windows PowerShell 5.1 and PowerShell 7; no administrator's rights. Nothing is installed that was not verified: SHA256SUMS by
its signature and the key below, the archive by SHA256SUMS. The signature is checked by minisign or by ssh-keygen, which is
part of Windows (OpenSSH client).

  irm https://github.com/OWNER/REPOSITORY/releases/latest/download/install.ps1 | iex
  .\install.ps1 [-Version V] [-From URL-or-FOLDER] [-Prefix FOLDER] [-Sha256 HEX] [-NoPath]
  .\install.ps1 -Uninstall [-Prefix FOLDER] [-Yes | -KeepSignIn]

.PARAMETER Version
This version in place of the latest; also how to go back to an older one.
.PARAMETER From
A release's files, or a mirror's address that ends in /releases; else BEDROCK_SSO_RELEASES of the environment.
.PARAMETER Prefix
Where to: %LOCALAPPDATA%\Programs\bedrock-sso unless named.
.PARAMETER Sha256
The archive's checksum, as you know it from elsewhere, in place of the signature.
.PARAMETER NoPath
Leaves your PATH as it is.
.PARAMETER Uninstall
Takes everything away, and asks what to do with the sign-in and with what `setup` wrote.
.PARAMETER Yes
Asks nothing: signs out everywhere, and takes back what `setup` wrote.
.PARAMETER KeepSignIn
Asks nothing: leaves both as they are.
#>
[CmdletBinding()]
param(
    [string] $Version,
    [string] $From = $env:BEDROCK_SSO_RELEASES,
    [string] $Prefix,
    [string] $Sha256,
    [switch] $NoPath,
    [switch] $Uninstall,
    [switch] $Yes,
    [switch] $KeepSignIn
)

# Everything is a function, called by the last line: of a script that arrived in part nothing is run. Both of these are written
# here by `packaging/installers` when a release is made.
$ReleaseKey = '@RELEASE_KEY@'
$Releases = '@RELEASES@'

# Ends with a line of what and a line of what to do.
function Stop-Here([string] $What, [string] $Hint) {
    throw [InvalidOperationException]::new("install.ps1: $What`n  hint: $Hint")
}

function Install-Program {
    $platform = Get-Platform
    $source = Get-Source
    $sums = Join-Path $Scratch 'SHA256SUMS'
    Get-ReleaseFile $source 'SHA256SUMS' $sums
    if (-not $Sha256) { Confirm-Signature $source $sums }
    $archive = Find-Archive $sums $platform
    $installed = Get-Noted 'version'
    if ($installed -eq $archive.Version -and (Get-Noted 'archive') -eq $archive.Sha256 -and (Test-Whole)) {
        Write-Output "bedrock-sso $installed is installed in $Prefix already, unchanged"
        return
    }
    # Whoever can answer in the release's place must not bring back a version whose holes are known.
    if ($installed -and -not $Version -and (Test-Older $archive.Version $installed)) {
        Stop-Here "release $($archive.Version) is older than what is installed, $installed" "if that is what you want, say so: -Version $($archive.Version)"
    }
    $file = Join-Path $Scratch $archive.Name
    Get-ReleaseFile $source $archive.Name $file
    if ((Get-FileHash -Algorithm SHA256 -LiteralPath $file).Hash -ne $archive.Sha256) {
        Stop-Here "$($archive.Name) is not what its checksum says: it arrived damaged, or was changed on the way" "try again; if it stays so, install nothing from $source, and report it"
    }
    Install-Archive $file $archive
    if (-not $installed) {
        Write-Output "bedrock-sso $($archive.Version) is installed in $Prefix"
    } elseif ($installed -eq $archive.Version) {
        Write-Output "bedrock-sso $installed is whole again in $Prefix"
    } else {
        Write-Output "bedrock-sso $($archive.Version) is installed in $Prefix in place of $installed; who is signed in stays so"
    }
    if (-not $NoPath) { Add-ToPath }
    if (-not $installed) { Write-Output '  next, in a new terminal: bedrock-sso setup' }
}

function Get-Platform {
    if ($env:OS -ne 'Windows_NT') { Stop-Here 'this is not Windows' 'use install.sh' }
    $architecture = if ($env:PROCESSOR_ARCHITEW6432) { $env:PROCESSOR_ARCHITEW6432 } else { $env:PROCESSOR_ARCHITECTURE }
    # Windows on ARM runs programs for x86-64.
    if ('AMD64', 'ARM64' -notcontains $architecture) {
        Stop-Here "there is no program for Windows on $architecture" 'build it: in a clone of the repository, cargo install --locked --path .'
    }
    'windows-x86_64'
}

# One release's own folder or address, or the place of all as GitHub has it.
function Get-Source {
    $source = if ($From) { $From } else { $Releases }
    if ($source.StartsWith('@')) {
        Stop-Here 'this copy does not know where releases are' 'take install.ps1 from a release, or say -From URL-or-FOLDER'
    }
    if ($source -notmatch '://') {
        if (-not (Test-Path -LiteralPath $source -PathType Container)) { Stop-Here "$source is no folder" 'say -From with a folder that has SHA256SUMS, or an address' }
        return (Resolve-Path -LiteralPath $source).ProviderPath
    }
    if ($source -notmatch '^(https://|http://(127\.0\.0\.1|localhost|\[::1\]):[0-9]+(/|$))') { Stop-Here "$source is not https" 'use an address that begins with https://, or a folder' }
    $source = $source.TrimEnd('/')
    if ($source.EndsWith('/releases')) {
        if ($Version) { $source += "/download/v$Version" } else { $source += '/latest/download' }
    }
    $source
}

function Get-ReleaseFile([string] $Source, [string] $Name, [string] $To) {
    if ($Source -notmatch '://') {
        $file = Join-Path $Source $Name
        if (-not (Test-Path -LiteralPath $file -PathType Leaf)) { Stop-Here "$Source has no $Name" 'copy all files of one release there' }
        Copy-Item -LiteralPath $file -Destination $To
        return
    }
    # Windows PowerShell begins with what was current in 2016, and its bar of progress costs minutes.
    [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
    $ProgressPreference = 'SilentlyContinue'
    try {
        Invoke-WebRequest -UseBasicParsing -Uri "$Source/$Name" -OutFile $To -TimeoutSec 600
    } catch {
        Stop-Here "$Source/$Name cannot be fetched: $($_.Exception.Message)" 'look at the network and its proxy; or download the files and say -From FOLDER'
    }
}

# ---- verifying

# Ed25519, which .NET does not have: minisign, or ssh-keygen with the second signature, which is by the same key.
function Confirm-Signature([string] $Source, [string] $Sums) {
    if (-not $ReleaseKey.StartsWith('RW')) {
        Stop-Here 'this copy has no release key, so that it can verify nothing' "take install.ps1 from a release, or say -Sha256 with the archive's checksum as you know it from elsewhere"
    }
    $minisign = Get-Command minisign -CommandType Application -ErrorAction SilentlyContinue | Select-Object -First 1
    $sshKeygen = Find-SshKeygen
    if ($minisign) {
        Get-ReleaseFile $Source 'SHA256SUMS.minisig' "$Sums.minisig"
        $verified = Test-Program $minisign.Source "-Vqm SHA256SUMS -P $ReleaseKey"
    } elseif ($sshKeygen) {
        Get-ReleaseFile $Source 'SHA256SUMS.sshsig' "$Sums.sshsig"
        Write-Signers
        $verified = Test-Program $sshKeygen '-Y verify -f signers -I bedrock-sso -n bedrock-sso-release -s SHA256SUMS.sshsig' -Stdin $Sums
    } else {
        Stop-Here 'the signature cannot be verified here: there is neither minisign nor ssh-keygen' "add the Windows feature OpenSSH Client, or say -Sha256 with the archive's checksum as you know it from elsewhere"
    }
    if (-not $verified) {
        Stop-Here "the signature of SHA256SUMS is not the release key's: these files are not the project's, or not whole" "install nothing from $Source; take the release from its own page, and report it if it stays so"
    }
}

function Find-SshKeygen {
    $places = @()
    $found = Get-Command ssh-keygen -CommandType Application -ErrorAction SilentlyContinue | Select-Object -First 1
    if ($found) { $places += $found.Source }
    # A 32-bit PowerShell sees another System32.
    foreach ($folder in 'System32', 'Sysnative') { $places += Join-Path $env:SystemRoot "$folder\OpenSSH\ssh-keygen.exe" }
    $places | Where-Object { Test-Path -LiteralPath $_ } | Select-Object -First 1
}

# "ssh-ed25519" and the key's 32 bytes, each with its length before it (RFC 8709, 4).
function Write-Signers {
    $name = [Text.Encoding]::ASCII.GetBytes('ssh-ed25519')
    $key = [Convert]::FromBase64String($ReleaseKey)[10..41]
    $blob = [byte[]] (@(0, 0, 0, 11) + $name + @(0, 0, 0, 32) + $key)
    [IO.File]::WriteAllText((Join-Path $Scratch 'signers'), "bedrock-sso ssh-ed25519 $([Convert]::ToBase64String($blob))`n")
}

# Run among the files themselves, whose names need no quotation marks; a pipe of PowerShell's would change the bytes.
function Test-Program([string] $Program, [string] $Arguments, [string] $Stdin) {
    $how = @{
        FilePath = $Program; ArgumentList = $Arguments; WorkingDirectory = $Scratch; Wait = $true; PassThru = $true; NoNewWindow = $true
        RedirectStandardOutput = (Join-Path $Scratch 'said'); RedirectStandardError = (Join-Path $Scratch 'complained')
    }
    if ($Stdin) { $how.RedirectStandardInput = $Stdin }
    (Start-Process @how).ExitCode -eq 0
}

# The archive of this platform, with its checksum and version: what SHA256SUMS says, unless the command line does.
function Find-Archive([string] $Sums, [string] $Platform) {
    $pattern = '^([0-9a-f]{64}) [ *](bedrock-sso-([0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?)-' + $Platform + '\.zip)$'
    $line = [IO.File]::ReadAllLines($Sums) | Where-Object { $_ -cmatch $pattern } | Select-Object -First 1
    if (-not $line) { Stop-Here "this release has no archive for $Platform" 'take another: -Version V' }
    $null = $line -cmatch $pattern
    $archive = [pscustomobject] @{ Name = $Matches[2]; Version = $Matches[3]; Sha256 = $Matches[1] }
    if ($Version -and $Version -ne $archive.Version) {
        Stop-Here "this is release $($archive.Version), and not $Version" "say -From with the folder or address of release $Version"
    }
    if ($Sha256) { $archive.Sha256 = $Sha256.ToLowerInvariant() }
    $archive
}

# By their numbers; of equal ones a preliminary release ("-rc.1") is the older.
function Test-Older([string] $One, [string] $Other) {
    $left, $right = $One, $Other | ForEach-Object { [version] ($_ -split '-')[0] }
    if ($left -ne $right) { return $left -lt $right }
    $One.Contains('-') -and -not $Other.Contains('-')
}

# ---- putting in place

function Install-Archive([string] $File, $Archive) {
    $unpacked = Join-Path $Scratch 'unpacked'
    Expand-Archive -LiteralPath $File -DestinationPath $unpacked
    $program = Get-ChildItem -LiteralPath $unpacked -Recurse -File -Filter 'bedrock-sso.exe' | Select-Object -First 1
    if (-not $program) { Stop-Here "$($Archive.Name) holds no program" 'report it: a release must not be so' }
    try {
        $null = New-Item -ItemType Directory -Force -Path (Join-Path $Prefix 'completions')
        $new = Join-Path $Prefix 'bedrock-sso.exe.new'
        Copy-Item -LiteralPath $program.FullName -Destination $new -Force
    } catch {
        Stop-Here "$Prefix cannot be written: $($_.Exception.Message)" "say -Prefix with a folder of yours; nothing needs an administrator"
    }
    # It has to run from where it will be, and by that name, before anything is replaced.
    $trial = Join-Path $Prefix 'bedrock-sso-new.exe'
    Move-Item -LiteralPath $new -Destination $trial -Force
    try {
        $said = & $trial --version
        if ("$said" -ne "bedrock-sso $($Archive.Version)") { Stop-Here "the program does not run in ${Prefix}: it said $said" 'if programs may not be run from there, say -Prefix with another folder' }
        $completions = (& $trial completions powershell) -join "`n"
        [IO.File]::WriteAllText((Join-Path $Prefix 'completions\bedrock-sso.ps1'), "$completions`n")
        $sum = (Get-FileHash -Algorithm SHA256 -LiteralPath $trial).Hash.ToLowerInvariant()
        $path = Get-Noted 'path'
        $noted = @("version $($Archive.Version)", "archive $($Archive.Sha256)", "file $sum bedrock-sso.exe")
        if ($path) { $noted += "path $path" }
        [IO.File]::WriteAllText((Get-Manifest), ($noted -join "`n") + "`n")
        Switch-Program $trial
    } finally {
        Remove-Item -LiteralPath $trial -Force -ErrorAction SilentlyContinue
    }
}

# A program that runs cannot be overwritten, but renamed; the old one goes when it has ended.
function Switch-Program([string] $New) {
    $program = Join-Path $Prefix 'bedrock-sso.exe'
    Get-ChildItem -LiteralPath $Prefix -Filter 'bedrock-sso.exe.old*' | Remove-Item -Force -ErrorAction SilentlyContinue
    if (-not (Test-Path -LiteralPath $program)) {
        Move-Item -LiteralPath $New -Destination $program
        return
    }
    $old = "$program.old-$([Guid]::NewGuid().ToString('N').Substring(0, 8))"
    [IO.File]::Replace($New, $program, $old)
    Remove-Item -LiteralPath $old -Force -ErrorAction SilentlyContinue
}

function Get-Manifest { Join-Path $Prefix 'installed' }

function Get-Noted([string] $Word) {
    $manifest = Get-Manifest
    if (-not (Test-Path -LiteralPath $manifest)) { return }
    $line = [IO.File]::ReadAllLines($manifest) | Where-Object { $_.StartsWith("$Word ") } | Select-Object -First 1
    if ($line) { $line.Substring($Word.Length + 1) }
}

function Test-Whole {
    $program = Join-Path $Prefix 'bedrock-sso.exe'
    if (-not (Test-Path -LiteralPath $program)) { return $false }
    (Get-Noted 'file') -eq "$((Get-FileHash -Algorithm SHA256 -LiteralPath $program).Hash.ToLowerInvariant()) bedrock-sso.exe"
}

# ---- the PATH of this person alone

# Read and written as it is stored: `%USERPROFILE%` in it stays so.
function Get-UserPath {
    $key = [Microsoft.Win32.Registry]::CurrentUser.OpenSubKey('Environment')
    if (-not $key) { return '' }
    try { "$($key.GetValue('Path', '', 'DoNotExpandEnvironmentNames'))" } finally { $key.Dispose() }
}

function Set-UserPath([string] $Path) {
    $key = [Microsoft.Win32.Registry]::CurrentUser.CreateSubKey('Environment')
    try { $key.SetValue('Path', $Path, 'ExpandString') } finally { $key.Dispose() }
    # Tells Explorer, so that the next terminal knows it.
    [Environment]::SetEnvironmentVariable('BEDROCK_SSO_INSTALLED', $null, 'User')
}

function Add-ToPath {
    $folders = (Get-UserPath) -split ';' | Where-Object { $_ }
    if (@($folders) -notcontains $Prefix) {
        Set-UserPath ((@($folders) + $Prefix) -join ';')
        [IO.File]::AppendAllText((Get-Manifest), "path added`n")
        Write-Output "  $Prefix is on your PATH from now on"
    }
    if (($env:Path -split ';') -notcontains $Prefix) { $env:Path = "$env:Path;$Prefix" }
}

function Remove-FromPath {
    if ((Get-Noted 'path') -ne 'added') { return }
    $stored = Get-UserPath
    Set-UserPath ((($stored -split ';') | Where-Object { $_ -ne $Prefix }) -join ';')
}

# ---- taking it away

function Uninstall-Program {
    if (-not (Test-Path -LiteralPath (Get-Manifest))) {
        Stop-Here "this script has installed nothing in $Prefix" 'say -Prefix with the folder that it was given then; packages go as they came'
    }
    $program = Join-Path $Prefix 'bedrock-sso.exe'
    $signedOut = $false
    if (Test-Path -LiteralPath $program) {
        # In this order: without the configuration nobody could tell the provider.
        if (Test-Agreed 'Sign out everywhere, and forget what is kept? (bedrock-sso logout --all)') {
            & $program logout --all
            if ($LASTEXITCODE) { Stop-Here 'signing out failed, and nothing was removed' 'mend that, or say -KeepSignIn' }
            $signedOut = $true
        }
        if (Test-Agreed 'Take back what setup wrote? (bedrock-sso setup --remove)') {
            & $program setup --remove --yes
            if ($LASTEXITCODE) { Stop-Here 'setup --remove failed, and the program is still there' 'mend that, or say -KeepSignIn' }
        }
    }
    try {
        Get-ChildItem -LiteralPath $Prefix -Filter 'bedrock-sso.exe*' | Remove-Item -Force
        Remove-Item -LiteralPath (Join-Path $Prefix 'completions\bedrock-sso.ps1') -Force -ErrorAction SilentlyContinue
    } catch {
        Stop-Here "the program cannot be removed: $($_.Exception.Message)" 'end whatever runs it, and try again'
    }
    Remove-FromPath
    Remove-Item -LiteralPath (Get-Manifest) -Force
    foreach ($folder in (Join-Path $Prefix 'completions'), $Prefix) { Remove-IfEmpty $folder }
    if ($signedOut) { Remove-Locks }
    Write-Output "bedrock-sso is removed from $Prefix"
}

# `logout --all` leaves locks, which are empty: another process may hold one. Now nobody comes after them.
function Remove-Locks {
    $kept = Join-Path $env:LOCALAPPDATA 'bedrock-sso\data'
    if (-not (Test-Path -LiteralPath $kept)) { return }
    Get-ChildItem -LiteralPath $kept -File -Filter '*.lock' | Where-Object { $_.Length -eq 0 } | Remove-Item -Force -ErrorAction SilentlyContinue
    foreach ($folder in $kept, (Split-Path $kept)) { Remove-IfEmpty $folder }
}

function Remove-IfEmpty([string] $Folder) {
    if ((Test-Path -LiteralPath $Folder) -and -not (Get-ChildItem -LiteralPath $Folder -Force | Select-Object -First 1)) { Remove-Item -LiteralPath $Folder -Force }
}

function Test-Agreed([string] $Question) {
    if ($Yes) { return $true }
    if ($KeepSignIn) { return $false }
    if ([Console]::IsInputRedirected -or -not [Environment]::UserInteractive) {
        Stop-Here 'there is nobody to ask' 'say -Yes (sign out, and take back what setup wrote) or -KeepSignIn'
    }
    '', 'y', 'yes' -contains (Read-Host "$Question [Y/n]").Trim()
}

function Invoke-All {
    Set-StrictMode -Version 2
    $ErrorActionPreference = 'Stop'
    $Version = $Version -replace '^v', ''
    if ($Version -and $Version -notmatch '^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$') { Stop-Here "$Version is no version" 'write 0.1.0' }
    if ($Sha256 -and $Sha256 -notmatch '^[0-9A-Fa-f]{64}$') { Stop-Here '-Sha256 takes 64 hexadecimal digits' 'write the checksum of the archive' }
    if (-not $Prefix) { $Prefix = Join-Path $env:LOCALAPPDATA 'Programs\bedrock-sso' }
    # `setup` writes the program's path into other programs' files.
    $Prefix = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Prefix).TrimEnd('\')
    $Scratch = Join-Path ([IO.Path]::GetTempPath()) "bedrock-sso-$([Guid]::NewGuid().ToString('N'))"
    $null = New-Item -ItemType Directory -Path $Scratch
    try {
        if ($Uninstall) { Uninstall-Program } else { Install-Program }
    } finally {
        Remove-Item -LiteralPath $Scratch -Recurse -Force -ErrorAction SilentlyContinue
    }
}

# Typed as `irm ... | iex` it runs in the person's own session, which must not end with it.
try {
    Invoke-All
} catch [InvalidOperationException] {
    if ($_.Exception.Message -notlike 'install.ps1: *') { throw }
    [Console]::Error.WriteLine($_.Exception.Message)
    if ($PSCommandPath) { exit 1 }
    $global:LASTEXITCODE = 1
}
