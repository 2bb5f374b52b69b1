<#
.SYNOPSIS
Installs the configuration of bedrock-sso for all users of this computer. Only administrators can change it.

.DESCRIPTION
In Intune, add this script under Devices > Scripts and remediations > Platform scripts. Choose "Run this script using
the logged on credentials: No" and "Run script in 64 bit PowerShell Host: Yes". Without Intune, run it in an elevated
Windows PowerShell:
    powershell -ExecutionPolicy Bypass -File Install-Configuration.ps1
A later run replaces the configuration. With -Remove, the script removes it.

By default every user can create files below ProgramData. So the script first renames whatever a user who is not an
administrator created in this place, and the folder does not inherit permissions.
#>
param([switch] $Remove)

$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 2.0

$lines = @(
    'version = 1',
    'enforce = ["identity_center", "federation"]',
    '',
    '[profiles.claude]',
    'federation = "identity-center"',
    'region = "us-east-1"',
    'aws_profile = "claude"',
    '',
    '[profiles.claude.identity_center]',
    'start_url = "https://acme.awsapps.com/start"',
    'region = "eu-west-1"',
    'account_id = "123456789012"',
    'permission_set = "BedrockUser"',
    '',
    '[profiles.claude.claude_code]',
    'models = { default = "us.anthropic.claude-sonnet-4-5", sonnet = "us.anthropic.claude-sonnet-4-5", haiku = "us.anthropic.claude-haiku-4-5" }'
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
        Write-Warning "$path did not belong to an administrator, so it was renamed to $aside"
    }
}

Move-Aside $folder
if ($Remove) {
    if (Test-Path -LiteralPath $file) { Remove-Item -LiteralPath $file -Force }
    if ((Test-Path -LiteralPath $folder) -and -not (Get-ChildItem -LiteralPath $folder -Force)) { Remove-Item -LiteralPath $folder }
    exit 0
}

# The system and administrators have full control, users can read. Files in the folder inherit these permissions.
$rights = New-Object Security.AccessControl.DirectorySecurity
$rights.SetSecurityDescriptorSddlForm('O:BAG:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)')
if (-not (Test-Path -LiteralPath $folder)) { New-Item -ItemType Directory -Path $folder | Out-Null }
Set-Acl -LiteralPath $folder -AclObject $rights
if (-not (Test-OfAdministrator $folder)) { throw "$folder does not belong to an administrator" }
Move-Aside $file
Move-Aside (Join-Path $folder 'setup.json')

$new = "$file.new"
if (Test-Path -LiteralPath $new) { Remove-Item -LiteralPath $new -Force }
[IO.File]::WriteAllText($new, ($lines -join "`n") + "`n", (New-Object Text.UTF8Encoding $false))
Move-Item -LiteralPath $new -Destination $file -Force
Write-Output "Wrote $file"
