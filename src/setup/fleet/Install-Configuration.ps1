<#
.SYNOPSIS
Puts the configuration of bedrock-sso where every user of this machine can read it and only administrators can change it.

.DESCRIPTION
Intune: Devices > Scripts and remediations > Platform scripts, with "Run this script using the logged on credentials: No"
and "Run script in 64 bit PowerShell Host: Yes". Elsewhere: in an elevated Windows PowerShell,
    powershell -ExecutionPolicy Bypass -File Install-Configuration.ps1
Run again it replaces what is there; -Remove takes it away.

By default every user may make files below ProgramData. What somebody else than an administrator put into this place is moved
aside first, and the folder inherits nothing.
#>
param([switch] $Remove)

$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 2.0

$lines = @(
    LINES
)

$folder = Join-Path $env:ProgramData 'bedrock-sso'
$file = Join-Path $folder 'config.toml'
$administrators = 'S-1-5-18', 'S-1-5-32-544', 'S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464'

function Test-OfAdministrator([string] $path) {
    if ((Get-Item -LiteralPath $path -Force).Attributes -band [IO.FileAttributes]::ReparsePoint) { return $false }
    $administrators -contains (Get-Acl -LiteralPath $path).GetOwner([Security.Principal.SecurityIdentifier]).Value
}

function Move-Aside([string] $path) {
    if ((Test-Path -LiteralPath $path) -and -not (Test-OfAdministrator $path)) {
        $aside = (Split-Path -Leaf $path) + '.untrusted-' + [guid]::NewGuid()
        Rename-Item -LiteralPath $path -NewName $aside
        Write-Warning "$path was not an administrator's: it is called $aside now"
    }
}

Move-Aside $folder
if ($Remove) {
    if (Test-Path -LiteralPath $file) { Remove-Item -LiteralPath $file -Force }
    if ((Test-Path -LiteralPath $folder) -and -not (Get-ChildItem -LiteralPath $folder -Force)) { Remove-Item -LiteralPath $folder }
    exit 0
}

# The system and administrators may do all, users may read; handed on to what lies within.
$rights = New-Object Security.AccessControl.DirectorySecurity
$rights.SetSecurityDescriptorSddlForm('O:BAG:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)')
if (-not (Test-Path -LiteralPath $folder)) { New-Item -ItemType Directory -Path $folder | Out-Null }
Set-Acl -LiteralPath $folder -AclObject $rights
if (-not (Test-OfAdministrator $folder)) { throw "$folder is not an administrator's" }
Move-Aside $file
Move-Aside (Join-Path $folder 'setup.json')

$new = "$file.new"
if (Test-Path -LiteralPath $new) { Remove-Item -LiteralPath $new -Force }
[IO.File]::WriteAllText($new, ($lines -join "`n") + "`n", (New-Object Text.UTF8Encoding $false))
Move-Item -LiteralPath $new -Destination $file -Force
Write-Output "Wrote $file"
