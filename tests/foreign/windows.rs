//! `install.ps1`, parsed by a grammar of PowerShell and held to the rules that `PSScriptAnalyzer` would hold it to.
//!
//! No PowerShell is in reach of these tests: nothing here runs the script.

use std::fs;
use std::path::Path;
use std::process::Command;

/// What is wrong with a script, a line each; none where nothing is.
pub(crate) fn faults(script: &Path) -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign/powershell/run.sh");
    let output = Command::new(&here).arg(script).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", here.display()));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(stderr, "", "the parser itself fails");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn installer() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("install.ps1")
}

#[test]
fn the_installer_for_windows_is_understood_and_keeps_the_rules() {
    assert_eq!(faults(&installer()), "");
}

#[test]
fn a_broken_installer_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("broken.ps1");
    let script = fs::read_to_string(installer()).expect("the installer");
    let breaks = [
        (
            "Set-StrictMode -Version 2.0",
            "Set-StrictMode -Version 2.0 (",
            "not understood",
        ),
        (
            "Get-Acl -LiteralPath",
            "ls -LiteralPath",
            "an alias or a bare program: ls",
        ),
        ("Write-Output", "Write-Host", "Write-Host is not used here"),
        (
            "$env:OS -ne 'Windows_NT'",
            "-not $IsWindows",
            "not known to PowerShell 5.1",
        ),
        (
            "[CmdletBinding(SupportsShouldProcess = $true)]\n    param()\n    foreach",
            "[CmdletBinding()]\n    param()\n    foreach",
            "New-StopmarkFolder does not know -WhatIf",
        ),
    ];
    for (whole, broken, fault) in breaks {
        assert!(script.contains(whole), "{whole}");
        fs::write(&path, script.replacen(whole, broken, 1)).expect("writes");
        let found = faults(&path);
        assert!(found.contains(fault), "{broken}: {found}");
    }
}
