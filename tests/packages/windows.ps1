<#
.SYNOPSIS
Tests the installers on Windows itself, with the real Windows Installer: installs, runs, repairs and removes them, and reads the
rights of an organisation's folder. Ends with "N passed, N failed".

.DESCRIPTION
For a Windows machine that is deleted afterwards, as administrator. tests/packages/windows tests what Wine supports.

  tests\packages\windows.ps1 -Packages FOLDER [-Fleet FOLDER]

.PARAMETER Packages
The folder with the installers of one version.
.PARAMETER Fleet
The folder with an installer that contains an organisation's configuration, and with the files of `bedrock-sso setup --fleet`.
#>
param([Parameter(Mandatory)] [string] $Packages, [string] $Fleet)

Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$Passed = 0
$Failed = 0

function Confirm-That([string] $What, [bool] $Holds) {
    if ($Holds) { $script:Passed++; Write-Output "ok    $What" }
    else { $script:Failed++; Write-Output "WRONG $What" }
}

function Find-Installer([string] $Folder, [string] $Pattern) {
    @(Get-ChildItem -LiteralPath $Folder -Recurse -File -Filter '*.msi' | Where-Object { $_.Name -match $Pattern })[0].FullName
}

function Invoke-Installer([string] $Verb, [string] $File) {
    $log = Join-Path ([IO.Path]::GetTempPath()) 'bedrock-sso-msi.log'
    $ended = Start-Process msiexec -ArgumentList $Verb, "`"$File`"", '/qn', '/l*v', "`"$log`"" -Wait -PassThru
    if ($ended.ExitCode) { Get-Content -LiteralPath $log -Tail 60 | Out-Host }
    $ended.ExitCode
}

function Get-Places([string] $Whose) { @([Environment]::GetEnvironmentVariable('Path', $Whose) -split ';' | Where-Object { $_ }) }

function Get-Apps {
    $keys = 'HKLM:\Software\Microsoft\Windows\CurrentVersion\Uninstall\*', 'HKCU:\Software\Microsoft\Windows\CurrentVersion\Uninstall\*'
    @(Get-ItemProperty $keys -ErrorAction SilentlyContinue | Where-Object { $_.PSObject.Properties['DisplayName'] -and $_.DisplayName -eq 'bedrock-sso' })
}

function Test-Installer([string] $Name, [string] $File, [string] $Folder, [string] $Whose) {
    $version = [regex]::Match($File, '\d+\.\d+\.\d+').Value
    $before = Get-Places $Whose
    Confirm-That "${Name}: installs silently" ((Invoke-Installer '/i' $File) -eq 0)
    $program = Join-Path $Folder 'bedrock-sso.exe'
    Confirm-That "${Name}: the program runs" ((& $program --version) -eq "bedrock-sso $version")
    Confirm-That "${Name}: Windows shows its version" ((Get-Item -LiteralPath $program).VersionInfo.ProductVersion -eq $version)
    Confirm-That "${Name}: it is on the PATH, once" (@(Get-Places $Whose | Where-Object { $_ -eq "$Folder\" }).Count -eq 1)
    Confirm-That "${Name}: it is among the apps" (@(Get-Apps).Count -eq 1)
    Remove-Item -LiteralPath $program
    Confirm-That "${Name}: is repaired" ((Invoke-Installer '/fa' $File) -eq 0 -and (Test-Path -LiteralPath $program))
    Confirm-That "${Name}: is removed silently" ((Invoke-Installer '/x' $File) -eq 0)
    Confirm-That "${Name}: its folder is gone" (-not (Test-Path -LiteralPath $Folder))
    Confirm-That "${Name}: the PATH is what it was" (((Get-Places $Whose) -join ';') -eq ($before -join ';'))
    Confirm-That "${Name}: no app is left" (@(Get-Apps).Count -eq 0)
    $keys = 'HKLM:\Software\bedrock-sso', 'HKCU:\Software\bedrock-sso'
    Confirm-That "${Name}: no key is left" (-not @($keys | Where-Object { Test-Path $_ }).Count)
}

# Checks that users can read, but not write.
function Confirm-Closed([string] $Name, [string] $Folder) {
    foreach ($place in $Folder, (Join-Path $Folder 'config.toml')) {
        $rights = Get-Acl -LiteralPath $place
        Confirm-That "${Name}: administrators own $place" ($rights.Owner -match '\\(SYSTEM|Administrators)$')
        $users = @($rights.Access | Where-Object {
            $_.AccessControlType -eq 'Allow' -and $_.IdentityReference.Value -notmatch '\\(SYSTEM|Administrators)$' })
        $writing = @($users | Where-Object { $_.FileSystemRights -band [Security.AccessControl.FileSystemRights]'WriteData, AppendData, Delete, ChangePermissions, TakeOwnership' })
        Confirm-That "${Name}: only administrators write $place" ($users.Count -gt 0 -and $writing.Count -eq 0)
    }
}

# A file that a user put there before must not be trusted.
function Test-Fleet([string] $File) {
    $folder = Join-Path $env:ProgramData 'bedrock-sso'
    $null = New-Item -ItemType Directory -Path $folder
    Set-Content -LiteralPath (Join-Path $folder 'config.toml') -Value "# any user's"
    Confirm-That 'fleet: a planted configuration is refused' ((Invoke-Installer '/i' $File) -eq 1603)
    Remove-Item -LiteralPath (Join-Path $folder 'config.toml')
    # The folder exists already, with the rights that it was created with.
    Confirm-That 'fleet: installs silently' ((Invoke-Installer '/i' $File) -eq 0)
    Confirm-Closed 'fleet' $folder
    $policy = Join-Path $env:ProgramFiles 'ClaudeCode\managed-settings.json'
    Confirm-That 'fleet: Claude Code has its policy' ((Get-Content -LiteralPath $policy -Raw | ConvertFrom-Json).awsAuthRefresh -match 'bedrock-sso')
    Confirm-That 'fleet: is removed silently' ((Invoke-Installer '/x' $File) -eq 0)
    Confirm-That 'fleet: its files are gone' (-not (Test-Path -LiteralPath $policy) -and -not (Test-Path -LiteralPath (Join-Path $folder 'config.toml')))
}

# Runs the script from `bedrock-sso setup --fleet` as Intune does: twice, and then to remove the configuration.
function Test-Script([string] $File) {
    $folder = Join-Path $env:ProgramData 'bedrock-sso'
    if (Test-Path -LiteralPath $folder) { Remove-Item -Recurse -Force -LiteralPath $folder }
    $call = "-NoProfile -NonInteractive -ExecutionPolicy Bypass -File `"$File`""
    foreach ($time in 'once', 'again') {
        $ended = Start-Process powershell -ArgumentList $call -Wait -PassThru -NoNewWindow
        Confirm-That "script: runs $time" ($ended.ExitCode -eq 0)
    }
    $wanted = Join-Path (Split-Path (Split-Path $File)) 'config.toml'
    $same = (Get-FileHash -LiteralPath (Join-Path $folder 'config.toml')).Hash -eq (Get-FileHash -LiteralPath $wanted).Hash
    Confirm-That 'script: writes the configuration, byte for byte' $same
    Confirm-Closed 'script' $folder
    $ended = Start-Process powershell -ArgumentList "$call -Remove" -Wait -PassThru -NoNewWindow
    Confirm-That 'script: removes the configuration and the folder' ($ended.ExitCode -eq 0 -and -not (Test-Path -LiteralPath $folder))
}

Test-Installer 'for all users' (Find-Installer $Packages 'x86_64\.msi$') (Join-Path $env:ProgramFiles 'bedrock-sso') 'Machine'
Test-Installer 'for one user' (Find-Installer $Packages '-user\.msi$') (Join-Path $env:LOCALAPPDATA 'Programs\bedrock-sso') 'User'
if ($Fleet) {
    Test-Fleet (Find-Installer $Fleet 'x86_64\.msi$')
    $script = Get-ChildItem -LiteralPath $Fleet -Recurse -File -Filter 'Install-Configuration.ps1' | Select-Object -First 1
    Test-Script $script.FullName
}
Write-Output "$Passed passed, $Failed failed"
if ($Failed) { exit 1 }
