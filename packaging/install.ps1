<#
.SYNOPSIS
Installs or removes bedrock-sso for the current user, without a package manager.

.DESCRIPTION
Works in Windows PowerShell 5.1 and PowerShell 7, without administrator rights. It verifies everything before it installs: the
signature of SHA256SUMS with the key below, and the archive with SHA256SUMS. minisign or ssh-keygen checks the signature;
ssh-keygen is part of Windows (OpenSSH Client).

  irm https://github.com/OWNER/REPOSITORY/releases/latest/download/install.ps1 | iex
  .\install.ps1 [-Version V] [-From URL-or-FOLDER] [-Prefix FOLDER] [-Sha256 HEX] [-NoPath]
  .\install.ps1 -Uninstall [-Prefix FOLDER] [-Yes | -KeepSignIn]

.PARAMETER Version
Install this version instead of the latest, which may also be an older one.
.PARAMETER From
A folder with a release's files, or a mirror's address that ends in /releases. Without it, BEDROCK_SSO_RELEASES of the environment.
.PARAMETER Prefix
The folder to install into. Without it, %LOCALAPPDATA%\Programs\bedrock-sso.
.PARAMETER Sha256
Verify the archive with this checksum, from a source that you trust, instead of the signature.
.PARAMETER NoPath
Do not change your PATH.
.PARAMETER Uninstall
Remove bedrock-sso, and ask whether to sign out and to undo the changes of `setup`.
.PARAMETER Yes
Do not ask: sign out everywhere, and undo the changes of `setup`.
.PARAMETER KeepSignIn
Do not ask: leave the sign-in and the changes of `setup`.
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

# Everything is in functions, which the last line calls, so a partly downloaded script runs nothing.
# `packaging/installers` fills in both of these values when it makes a release.
$ReleaseKey = '@RELEASE_KEY@'
$Releases = '@RELEASES@'

# Ends with a message and a hint.
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
    $installed = Get-ManifestValue 'version'
    if ($installed -eq $archive.Version -and (Get-ManifestValue 'archive') -eq $archive.Sha256 -and (Test-Whole)) {
        Write-Output "bedrock-sso $installed is already installed in $Prefix"
        return
    }
    # A server that answers in the release's place must not install a version with known vulnerabilities.
    if ($installed -and -not $Version -and (Test-Older $archive.Version $installed)) {
        Stop-Here "release $($archive.Version) is older than the installed version, $installed" "to install it anyway, pass -Version $($archive.Version)"
    }
    $file = Join-Path $Scratch $archive.Name
    Get-ReleaseFile $source $archive.Name $file
    if ((Get-FileHash -Algorithm SHA256 -LiteralPath $file).Hash -ne $archive.Sha256) {
        Stop-Here "$($archive.Name) does not match its checksum: the download is damaged or was changed" "try again; if this repeats, install nothing from $source and report it"
    }
    Install-Archive $file $archive
    if (-not $installed) {
        Write-Output "bedrock-sso $($archive.Version) is installed in $Prefix"
    } elseif ($installed -eq $archive.Version) {
        Write-Output "bedrock-sso $installed was repaired in $Prefix"
    } else {
        Write-Output "bedrock-sso $($archive.Version) replaced $installed in $Prefix. You stay signed in."
    }
    if (-not $NoPath) { Add-ToPath }
    if (-not $installed) { Write-Output '  next, in a new terminal: bedrock-sso setup' }
}

function Get-Platform {
    if ($env:OS -ne 'Windows_NT') { Stop-Here 'this is not Windows' 'run install.sh' }
    $architecture = if ($env:PROCESSOR_ARCHITEW6432) { $env:PROCESSOR_ARCHITEW6432 } else { $env:PROCESSOR_ARCHITECTURE }
    # Windows on ARM runs programs for x86-64.
    if ('AMD64', 'ARM64' -notcontains $architecture) {
        Stop-Here "bedrock-sso is not available for Windows on $architecture" 'build it from a clone of the repository: cargo install --locked --path .'
    }
    'windows-x86_64'
}

# A folder or address with one release, or the address of all releases, laid out as on GitHub.
function Get-Source {
    $source = if ($From) { $From } else { $Releases }
    if ($source.StartsWith('@')) {
        Stop-Here 'this copy of install.ps1 has no download address' 'download install.ps1 from a release, or pass -From URL-or-FOLDER'
    }
    if ($source -notmatch '://') {
        if (-not (Test-Path -LiteralPath $source -PathType Container)) { Stop-Here "$source is not a folder" 'pass -From with a folder that contains SHA256SUMS, or with an https address' }
        return (Resolve-Path -LiteralPath $source).ProviderPath
    }
    if ($source -notmatch '^(https://|http://(127\.0\.0\.1|localhost|\[::1\]):[0-9]+(/|$))') { Stop-Here "$source is not an https address" 'use an address that begins with https://, or a folder' }
    $source = $source.TrimEnd('/')
    if ($source.EndsWith('/releases')) {
        if ($Version) { $source += "/download/v$Version" } else { $source += '/latest/download' }
    }
    $source
}

function Get-ReleaseFile([string] $Source, [string] $Name, [string] $To) {
    if ($Source -notmatch '://') {
        $file = Join-Path $Source $Name
        if (-not (Test-Path -LiteralPath $file -PathType Leaf)) { Stop-Here "$Source has no $Name" 'copy all files of one release into it' }
        Copy-Item -LiteralPath $file -Destination $To
        return
    }
    # Windows PowerShell offers only old TLS versions by default, and its progress bar makes downloads take minutes.
    [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
    $ProgressPreference = 'SilentlyContinue'
    try {
        Invoke-WebRequest -UseBasicParsing -Uri "$Source/$Name" -OutFile $To -TimeoutSec 600
    } catch {
        Stop-Here "cannot download $Source/${Name}: $($_.Exception.Message)" 'check the network and its proxy, or download the files and pass -From FOLDER'
    }
}

# ---- verifying

# Checks the Ed25519 signature. .NET cannot, so minisign does, or ssh-keygen with the second signature by the same key.
function Confirm-Signature([string] $Source, [string] $Sums) {
    if (-not $ReleaseKey.StartsWith('RW')) {
        Stop-Here 'this copy of install.ps1 has no release key, so it cannot verify the release' "download install.ps1 from a release, or pass -Sha256 with the archive's checksum from a source that you trust"
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
        Stop-Here 'cannot verify the signature: neither minisign nor ssh-keygen is installed' "add the Windows feature OpenSSH Client, or pass -Sha256 with the archive's checksum from a source that you trust"
    }
    if (-not $verified) {
        Stop-Here "the signature of SHA256SUMS does not match the release key: the files are forged or damaged" "install nothing from $Source; download the release from its own page, and report it if this repeats"
    }
}

function Find-SshKeygen {
    $places = @()
    $found = Get-Command ssh-keygen -CommandType Application -ErrorAction SilentlyContinue | Select-Object -First 1
    if ($found) { $places += $found.Source }
    # A 32-bit PowerShell sees a different System32; Sysnative is the real one.
    foreach ($folder in 'System32', 'Sysnative') { $places += Join-Path $env:SystemRoot "$folder\OpenSSH\ssh-keygen.exe" }
    $places | Where-Object { Test-Path -LiteralPath $_ } | Select-Object -First 1
}

# "ssh-ed25519" and the key's 32 bytes, each after its length (RFC 8709, 4).
function Write-Signers {
    $name = [Text.Encoding]::ASCII.GetBytes('ssh-ed25519')
    $key = [Convert]::FromBase64String($ReleaseKey)[10..41]
    $blob = [byte[]] (@(0, 0, 0, 11) + $name + @(0, 0, 0, 32) + $key)
    [IO.File]::WriteAllText((Join-Path $Scratch 'signers'), "bedrock-sso ssh-ed25519 $([Convert]::ToBase64String($blob))`n")
}

# Runs in the folder of the files, whose names need no quotation marks. A PowerShell pipe would change the bytes.
function Test-Program([string] $Program, [string] $Arguments, [string] $Stdin) {
    $how = @{
        FilePath = $Program; ArgumentList = $Arguments; WorkingDirectory = $Scratch; Wait = $true; PassThru = $true; NoNewWindow = $true
        RedirectStandardOutput = (Join-Path $Scratch 'stdout'); RedirectStandardError = (Join-Path $Scratch 'stderr')
    }
    if ($Stdin) { $how.RedirectStandardInput = $Stdin }
    (Start-Process @how).ExitCode -eq 0
}

# Selects the archive for this platform, with its version and checksum from SHA256SUMS. A checksum on the command line
# overrides it.
function Find-Archive([string] $Sums, [string] $Platform) {
    $pattern = '^([0-9a-f]{64}) [ *](bedrock-sso-([0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?)-' + $Platform + '\.zip)$'
    $line = [IO.File]::ReadAllLines($Sums) | Where-Object { $_ -cmatch $pattern } | Select-Object -First 1
    if (-not $line) { Stop-Here "this release has no archive for $Platform" 'choose another release: -Version V' }
    $null = $line -cmatch $pattern
    $archive = [pscustomobject] @{ Name = $Matches[2]; Version = $Matches[3]; Sha256 = $Matches[1] }
    if ($Version -and $Version -ne $archive.Version) {
        Stop-Here "this is release $($archive.Version), not $Version" "pass -From with the folder or address of release $Version"
    }
    if ($Sha256) { $archive.Sha256 = $Sha256.ToLowerInvariant() }
    $archive
}

# Compares the numbers. A pre-release ("-rc.1") is older than the release with the same numbers.
function Test-Older([string] $One, [string] $Other) {
    $left, $right = $One, $Other | ForEach-Object { [version] ($_ -split '-')[0] }
    if ($left -ne $right) { return $left -lt $right }
    $One.Contains('-') -and -not $Other.Contains('-')
}

# ---- installing

function Install-Archive([string] $File, $Archive) {
    $unpacked = Join-Path $Scratch 'unpacked'
    Expand-Archive -LiteralPath $File -DestinationPath $unpacked
    $program = Get-ChildItem -LiteralPath $unpacked -Recurse -File -Filter 'bedrock-sso.exe' | Select-Object -First 1
    if (-not $program) { Stop-Here "$($Archive.Name) does not contain the program" 'report this error: the release is incomplete' }
    try {
        $null = New-Item -ItemType Directory -Force -Path (Join-Path $Prefix 'completions')
        $new = Join-Path $Prefix 'bedrock-sso.exe.new'
        Copy-Item -LiteralPath $program.FullName -Destination $new -Force
    } catch {
        Stop-Here "cannot write to ${Prefix}: $($_.Exception.Message)" "pass -Prefix with a folder that you own; administrator rights are not needed"
    }
    # The program must run in its final folder before anything is replaced.
    $trial = Join-Path $Prefix 'bedrock-sso-new.exe'
    Move-Item -LiteralPath $new -Destination $trial -Force
    try {
        $output = &  $trial --version
        if ("$output" -ne "bedrock-sso $($Archive.Version)") { Stop-Here "the program does not run in ${Prefix}: it printed $output" 'if programs must not run there, pass -Prefix with another folder' }
        $completions = (& $trial completions powershell) -join "`n"
        [IO.File]::WriteAllText((Join-Path $Prefix 'completions\bedrock-sso.ps1'), "$completions`n")
        $sum = (Get-FileHash -Algorithm SHA256 -LiteralPath $trial).Hash.ToLowerInvariant()
        $path = Get-ManifestValue 'path'
        $manifest = @("version $($Archive.Version)", "archive $($Archive.Sha256)", "file $sum bedrock-sso.exe")
        if ($path) { $manifest += "path $path" }
        [IO.File]::WriteAllText((Get-Manifest), ($manifest -join "`n") + "`n")
        Switch-Program $trial
    } finally {
        Remove-Item -LiteralPath $trial -Force -ErrorAction SilentlyContinue
    }
}

# A running program cannot be overwritten, but renamed. The old file is deleted once no process runs it.
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

function Get-ManifestValue([string] $Word) {
    $manifest = Get-Manifest
    if (-not (Test-Path -LiteralPath $manifest)) { return }
    $line = [IO.File]::ReadAllLines($manifest) | Where-Object { $_.StartsWith("$Word ") } | Select-Object -First 1
    if ($line) { $line.Substring($Word.Length + 1) }
}

function Test-Whole {
    $program = Join-Path $Prefix 'bedrock-sso.exe'
    if (-not (Test-Path -LiteralPath $program)) { return $false }
    (Get-ManifestValue 'file') -eq "$((Get-FileHash -Algorithm SHA256 -LiteralPath $program).Hash.ToLowerInvariant()) bedrock-sso.exe"
}

# ---- the current user's PATH

# Reads and writes the PATH without expanding it, so that `%USERPROFILE%` stays in it.
function Get-UserPath {
    $key = [Microsoft.Win32.Registry]::CurrentUser.OpenSubKey('Environment')
    if (-not $key) { return '' }
    try { "$($key.GetValue('Path', '', 'DoNotExpandEnvironmentNames'))" } finally { $key.Dispose() }
}

function Set-UserPath([string] $Path) {
    $key = [Microsoft.Win32.Registry]::CurrentUser.CreateSubKey('Environment')
    try { $key.SetValue('Path', $Path, 'ExpandString') } finally { $key.Dispose() }
    # Notifies Explorer, so that new terminals get the new PATH.
    [Environment]::SetEnvironmentVariable('BEDROCK_SSO_INSTALLED', $null, 'User')
}

function Add-ToPath {
    $folders = (Get-UserPath) -split ';' | Where-Object { $_ }
    if (@($folders) -notcontains $Prefix) {
        Set-UserPath ((@($folders) + $Prefix) -join ';')
        [IO.File]::AppendAllText((Get-Manifest), "path added`n")
        Write-Output "  $Prefix was added to your PATH"
    }
    if (($env:Path -split ';') -notcontains $Prefix) { $env:Path = "$env:Path;$Prefix" }
}

function Remove-FromPath {
    if ((Get-ManifestValue 'path') -ne 'added') { return }
    $stored = Get-UserPath
    Set-UserPath ((($stored -split ';') | Where-Object { $_ -ne $Prefix }) -join ';')
}

# ---- uninstalling

function Uninstall-Program {
    if (-not (Test-Path -LiteralPath (Get-Manifest))) {
        Stop-Here "install.ps1 has not installed bedrock-sso in $Prefix" 'pass -Prefix with the folder that you installed to; remove a package with your package manager'
    }
    $program = Join-Path $Prefix 'bedrock-sso.exe'
    $signedOut = $false
    if (Test-Path -LiteralPath $program) {
        # Signs out first, because without the configuration the program could not reach the provider.
        if (Test-Agreed 'Sign out everywhere and delete the stored sign-in? (bedrock-sso logout --all)') {
            & $program logout --all
            if ($LASTEXITCODE) { Stop-Here 'sign-out failed, so nothing was removed' 'fix the error above, or pass -KeepSignIn' }
            $signedOut = $true
        }
        if (Test-Agreed 'Undo the changes of setup? (bedrock-sso setup --remove)') {
            & $program setup --remove --yes
            if ($LASTEXITCODE) { Stop-Here 'setup --remove failed, so the program was not removed' 'fix the error above, or pass -KeepSignIn' }
        }
    }
    try {
        Get-ChildItem -LiteralPath $Prefix -Filter 'bedrock-sso.exe*' | Remove-Item -Force
        Remove-Item -LiteralPath (Join-Path $Prefix 'completions\bedrock-sso.ps1') -Force -ErrorAction SilentlyContinue
    } catch {
        Stop-Here "cannot remove the program: $($_.Exception.Message)" 'end the programs that use it, and try again'
    }
    Remove-FromPath
    Remove-Item -LiteralPath (Get-Manifest) -Force
    foreach ($folder in (Join-Path $Prefix 'completions'), $Prefix) { Remove-IfEmpty $folder }
    if ($signedOut) { Remove-Locks }
    Write-Output "bedrock-sso is removed from $Prefix"
}

# `logout --all` leaves empty lock files, because another process may hold them. After an uninstallation no process
# does.
function Remove-Locks {
    $data = Join-Path $env:LOCALAPPDATA 'bedrock-sso\data'
    if (-not (Test-Path -LiteralPath $data)) { return }
    Get-ChildItem -LiteralPath $data -File -Filter '*.lock' | Where-Object { $_.Length -eq 0 } | Remove-Item -Force -ErrorAction SilentlyContinue
    foreach ($folder in $data, (Split-Path $data)) { Remove-IfEmpty $folder }
}

function Remove-IfEmpty([string] $Folder) {
    if ((Test-Path -LiteralPath $Folder) -and -not (Get-ChildItem -LiteralPath $Folder -Force | Select-Object -First 1)) { Remove-Item -LiteralPath $Folder -Force }
}

function Test-Agreed([string] $Question) {
    if ($Yes) { return $true }
    if ($KeepSignIn) { return $false }
    if ([Console]::IsInputRedirected -or -not [Environment]::UserInteractive) {
        Stop-Here 'there is no terminal to ask at' 'pass -Yes (sign out and undo the changes of setup) or -KeepSignIn'
    }
    '', 'y', 'yes' -contains (Read-Host "$Question [Y/n]").Trim()
}

function Invoke-All {
    Set-StrictMode -Version 2
    $ErrorActionPreference = 'Stop'
    $Version = $Version -replace '^v', ''
    if ($Version -and $Version -notmatch '^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$') { Stop-Here "$Version is not a version" 'pass a version such as 0.1.0' }
    if ($Sha256 -and $Sha256 -notmatch '^[0-9A-Fa-f]{64}$') { Stop-Here '-Sha256 needs 64 hexadecimal digits' 'pass the checksum of the archive' }
    if (-not $Prefix) { $Prefix = Join-Path $env:LOCALAPPDATA 'Programs\bedrock-sso' }
    # `setup` writes the program's path into files of other programs, so it must be absolute.
    $Prefix = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Prefix).TrimEnd('\')
    $Scratch = Join-Path ([IO.Path]::GetTempPath()) "bedrock-sso-$([Guid]::NewGuid().ToString('N'))"
    $null = New-Item -ItemType Directory -Path $Scratch
    try {
        if ($Uninstall) { Uninstall-Program } else { Install-Program }
    } finally {
        Remove-Item -LiteralPath $Scratch -Recurse -Force -ErrorAction SilentlyContinue
    }
}

# With `irm ... | iex` the script runs in the user's session and must not end it.
try {
    Invoke-All
} catch [InvalidOperationException] {
    if ($_.Exception.Message -notlike 'install.ps1: *') { throw }
    [Console]::Error.WriteLine($_.Exception.Message)
    if ($PSCommandPath) { exit 1 }
    $global:LASTEXITCODE = 1
}
