<#
.SYNOPSIS
Installs Stopmark as a Windows service, upgrades it in place, or removes it. Safe to run again.

.DESCRIPTION
Copies the program, makes the folders for configuration, secrets, state and logs, makes the service with
its failure actions and its source in the event log, and gives the folders to administrators and to the
service alone. An upgrade stops the service, replaces the program and starts the service again; nothing
else is replaced. Removing leaves configuration, secrets, state and logs.

Works in Windows PowerShell 5.1 and in PowerShell 7. It needs an elevated prompt, except with -WhatIf.

.PARAMETER Program
The stopmark.exe to install; the one beside this script where none is named.

.PARAMETER Account
Who the service runs as: its own virtual account, or a group managed service account (DOMAIN\NAME$). An
account with a password is set afterwards, in services.msc.

.PARAMETER ProgramFolder
Where the program goes: a folder of its own, called Stopmark, for its rights are set.

.PARAMETER Uninstall
Removes the service and the program.

.EXAMPLE
.\install.ps1 -WhatIf
Says what would be done.

.EXAMPLE
.\install.ps1 -Program .\stopmark.exe -Account 'EXAMPLE\stopmark$'
Installs or upgrades; the service runs as a group managed service account.

.EXAMPLE
.\install.ps1 -Uninstall
Removes the service and the program; configuration, secrets, state and logs stay.
#>
[CmdletBinding(SupportsShouldProcess = $true, DefaultParameterSetName = 'Install')]
[OutputType([string])]
param(
    [Parameter(ParameterSetName = 'Install', Position = 0)]
    [ValidateNotNullOrEmpty()]
    [string] $Program,

    [Parameter(ParameterSetName = 'Install')]
    [ValidateNotNullOrEmpty()]
    [string] $Account = 'NT SERVICE\Stopmark',

    [Parameter()]
    [ValidatePattern('\\Stopmark$')]
    [string] $ProgramFolder = "$env:ProgramFiles\Stopmark",

    [Parameter(Mandatory = $true, ParameterSetName = 'Uninstall')]
    [switch] $Uninstall
)

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
# Where PowerShell 7 is told to take exit codes for errors, those that are expected here would end the script.
$PSNativeCommandUseErrorActionPreference = $false

# Not as the parameter's default: with -File, Windows PowerShell 5.1 does not know the folder there yet.
if (-not $Program) {
    $Program = Join-Path -Path $PSScriptRoot -ChildPath 'stopmark.exe'
}

$ServiceName = 'Stopmark'
# The service's own identity. It is in the service's token whatever account the service runs as.
$ServiceIdentity = "NT SERVICE\$ServiceName"
# By number, for their names differ with the language of Windows.
$System = '*S-1-5-18'
$Administrators = '*S-1-5-32-544'
$Users = '*S-1-5-32-545'
# The agent looks for state, logs and secrets here unless its configuration says otherwise.
$DataFolder = "$env:ProgramData\Stopmark"
$Configuration = "$DataFolder\stopmark.toml"
$Target = "$ProgramFolder\stopmark.exe"

# Runs a program, and fails where its exit code is not among those expected.
function Invoke-Program {
    [CmdletBinding()]
    [OutputType([string])]
    param(
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] [string[]] $Arguments,
        [Parameter()] [int[]] $Expected = @(0)
    )
    & $Path @Arguments
    if ($Expected -notcontains $LASTEXITCODE) {
        throw "$Path $($Arguments -join ' ') ended with exit code $LASTEXITCODE"
    }
}

function Test-Administrator {
    [CmdletBinding()]
    [OutputType([bool])]
    param()
    $identity = [Security.Principal.WindowsIdentity]::GetCurrent()
    $principal = New-Object -TypeName Security.Principal.WindowsPrincipal -ArgumentList $identity
    $principal.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
}

# Anybody may make a folder below ProgramData. One that somebody else made could hold a configuration of
# theirs, and they would keep the right to change it.
function Assert-TrustedFolder {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Path
    )
    if (-not (Test-Path -LiteralPath $Path)) {
        return
    }
    # Rights would be set where it leads.
    if ((Get-Item -LiteralPath $Path -Force).Attributes -band [IO.FileAttributes]::ReparsePoint) {
        throw "$Path leads to another folder: look into it, and remove it"
    }
    $acl = Get-Acl -LiteralPath $Path
    $owner = $acl.GetOwner([Security.Principal.SecurityIdentifier]).Value
    $trusted = @('S-1-5-18', 'S-1-5-32-544', [Security.Principal.WindowsIdentity]::GetCurrent().User.Value)
    if ($trusted -notcontains $owner) {
        throw "$Path belongs to $($acl.Owner), who is no administrator: look into it, and remove it or take it over (takeown /F `"$Path`" /A /R)"
    }
}

# Gives a folder and what is in it to these and nobody else.
function Set-FolderRight {
    [CmdletBinding(SupportsShouldProcess = $true)]
    [OutputType([string])]
    param(
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] [string[]] $Grant
    )
    if ($PSCmdlet.ShouldProcess($Path, "grant $($Grant -join ', ') and nobody else")) {
        Invoke-Program -Path 'icacls.exe' -Arguments @($Path, '/setowner', $Administrators, '/Q') | Write-Verbose
        $arguments = @($Path, '/inheritance:r', '/grant:r') + $Grant + @('/Q')
        Invoke-Program -Path 'icacls.exe' -Arguments $arguments | Write-Verbose
    }
}

function Get-StopmarkService {
    [CmdletBinding()]
    param()
    Get-Service -Name $ServiceName -ErrorAction SilentlyContinue
}

# Stops the service where it runs, and says whether it did. Its running steps end or are parked first.
function Stop-StopmarkService {
    [CmdletBinding(SupportsShouldProcess = $true)]
    [OutputType([bool])]
    param()
    $service = Get-StopmarkService
    if ($null -eq $service -or $service.Status -eq 'Stopped') {
        return $false
    }
    if ($PSCmdlet.ShouldProcess($ServiceName, 'stop the service')) {
        $process = (Get-CimInstance -ClassName Win32_Service -Filter "Name='$ServiceName'").ProcessId
        Stop-Service -Name $ServiceName -WarningAction SilentlyContinue
        $service.WaitForStatus('Stopped', [TimeSpan]::FromMinutes(6))
        # Windows is told of the end a moment before the process lets go of its file.
        if ($process) {
            Wait-Process -Id $process -Timeout 60 -ErrorAction SilentlyContinue
        }
    }
    return $true
}

# Beside the old one first: nobody ever sees half of a program.
function Copy-StopmarkProgram {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param()
    if ($PSCmdlet.ShouldProcess($Target, "copy $Program")) {
        New-Item -ItemType Directory -Path $ProgramFolder -Force | Out-Null
        Copy-Item -LiteralPath $Program -Destination "$Target.new" -Force
        Move-Item -LiteralPath "$Target.new" -Destination $Target -Force
    }
}

function New-StopmarkFolder {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param()
    foreach ($path in @($DataFolder, "$DataFolder\credentials", "$DataFolder\state", "$DataFolder\logs")) {
        if (-not (Test-Path -LiteralPath $path -ErrorAction SilentlyContinue) -and $PSCmdlet.ShouldProcess($path, 'make the folder')) {
            New-Item -ItemType Directory -Path $path | Out-Null
            # At once: whoever may write below ProgramData would put something in it meanwhile.
            Set-FolderRight -Path $path -Grant @("${System}:(OI)(CI)F", "${Administrators}:(OI)(CI)F")
        }
    }
}

# The program makes its own service: name, command line, failure actions, event log source.
function Register-StopmarkService {
    [CmdletBinding(SupportsShouldProcess = $true)]
    [OutputType([string])]
    param()
    if ($PSCmdlet.ShouldProcess($ServiceName, "make the service, or bring it up to date, for the account $Account")) {
        $arguments = @('--config', $Configuration, 'service', 'install', '--account', $Account)
        # 3: made, and Windows did not take something that the service works without; the program says what.
        Invoke-Program -Path $Target -Arguments $arguments -Expected @(0, 3)
    }
}

function Set-StopmarkRight {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param()
    $full = @("${System}:(OI)(CI)F", "${Administrators}:(OI)(CI)F")
    $read = "${ServiceIdentity}:(OI)(CI)RX"
    $change = "${ServiceIdentity}:(OI)(CI)M"
    Set-FolderRight -Path $ProgramFolder -Grant ($full + @("${Users}:(OI)(CI)RX", $read))
    Set-FolderRight -Path $DataFolder -Grant ($full + @($read))
    Set-FolderRight -Path "$DataFolder\credentials" -Grant ($full + @($read))
    Set-FolderRight -Path "$DataFolder\state" -Grant ($full + @($change))
    Set-FolderRight -Path "$DataFolder\logs" -Grant ($full + @($change))
}

function Install-Stopmark {
    [CmdletBinding(SupportsShouldProcess = $true)]
    [OutputType([string])]
    param()
    if (-not (Test-Path -LiteralPath $Program -PathType Leaf)) {
        throw "$Program is not there: name the stopmark.exe to install with -Program"
    }
    if (-not $WhatIfPreference) {
        Assert-TrustedFolder -Path $DataFolder
    }
    $wasRunning = Stop-StopmarkService
    try {
        Copy-StopmarkProgram
        New-StopmarkFolder
        Register-StopmarkService
        Set-StopmarkRight
    }
    catch {
        # What ran before runs again, as far as it can.
        if ($wasRunning) {
            Start-Service -Name $ServiceName -ErrorAction Continue
        }
        throw
    }
    if ($Account.EndsWith('$')) {
        Write-Output "note: $Account needs the right to log on as a service, and this machine the right to fetch its password (Test-ADServiceAccount)"
    }
    # Who may not look there, as with -WhatIf, is told what to do next.
    if (Test-Path -LiteralPath $Configuration -ErrorAction SilentlyContinue) {
        if ($PSCmdlet.ShouldProcess($ServiceName, 'start the service')) {
            Start-Service -Name $ServiceName
            Write-Output "done: see http://127.0.0.1:7475/ and the folder $DataFolder\logs"
        }
    }
    else {
        Write-Output "next: write $Configuration (`"$Target`" --config `"$Configuration`" init), try it (check), then Start-Service $ServiceName"
    }
}

function Uninstall-Stopmark {
    [CmdletBinding(SupportsShouldProcess = $true)]
    [OutputType([string])]
    param()
    Stop-StopmarkService | Out-Null
    if ($PSCmdlet.ShouldProcess($ServiceName, 'remove the service and its source in the event log')) {
        if (Test-Path -LiteralPath $Target) {
            Invoke-Program -Path $Target -Arguments @('service', 'uninstall')
        }
        elseif ($null -ne (Get-StopmarkService)) {
            # Somebody removed the program by hand.
            Invoke-Program -Path 'sc.exe' -Arguments @('delete', $ServiceName)
        }
    }
    if ((Test-Path -LiteralPath $Target) -and $PSCmdlet.ShouldProcess($Target, 'remove')) {
        Remove-Item -LiteralPath $Target -Force
        if (@(Get-ChildItem -LiteralPath $ProgramFolder -Force).Count -eq 0) {
            Remove-Item -LiteralPath $ProgramFolder
        }
    }
    Write-Output "kept: $DataFolder"
}

# $IsWindows is unknown to Windows PowerShell 5.1, which runs nowhere else.
if ($env:OS -ne 'Windows_NT') {
    throw 'this script is for Windows; on Linux, use service/install.sh'
}
if (-not $WhatIfPreference -and -not (Test-Administrator)) {
    throw 'run this as an administrator (an elevated PowerShell), or with -WhatIf to see what it would do'
}
if ($Uninstall) {
    Uninstall-Stopmark
}
else {
    Install-Stopmark
}
