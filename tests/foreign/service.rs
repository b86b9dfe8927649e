//! The unit of the service, judged by systemd's own `systemd-analyze`, and the installer run into a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What `systemd-analyze security` may find at most, in tenths.
const EXPOSURE_MAX: &str = "--threshold=20";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("service")
}

fn run(command: &mut Command) -> Output {
    command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn text(output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout);
    format!("{stdout}{}", String::from_utf8_lossy(&output.stderr))
}

#[test]
fn systemd_finds_the_unit_sound_and_hardly_exposed() {
    let place = tempfile::tempdir().expect("a folder");
    let unit = fs::read_to_string(folder().join("stopmark.service")).expect("the unit");
    // A unit is only sound with a program that is there.
    let unit = unit.replace("/usr/bin/stopmark", env!("CARGO_BIN_EXE_stopmark"));
    let path = place.path().join("stopmark.service");
    fs::write(&path, unit).expect("writes");
    let verified = run(Command::new("systemd-analyze").arg("verify").arg(&path));
    assert!(verified.status.success(), "{}", text(&verified));
    assert_eq!(text(&verified), "", "not even a warning");
    let secure = run(Command::new("systemd-analyze")
        .args(["security", "--offline=true", EXPOSURE_MAX])
        .arg(&path));
    assert!(secure.status.success(), "{}", text(&secure));
}

#[test]
fn the_installer_may_run_twice_and_removes_what_it_brought() {
    let root = tempfile::tempdir().expect("a folder");
    let install = |args: &[&str]| {
        let mut command = Command::new("sh");
        command.arg(folder().join("install.sh")).args(["--root"]);
        let done = run(command.arg(root.path()).args(args));
        assert!(done.status.success(), "{}", text(&done));
        text(&done)
    };
    let program = root.path().join("program");
    fs::write(&program, "#!/bin/sh\n").expect("writes");
    let done = run(Command::new("chmod").arg("755").arg(&program));
    assert!(done.status.success());
    let program = program.display().to_string();
    let files = [
        "usr/bin/stopmark",
        "usr/lib/systemd/system/stopmark.service",
        "usr/lib/sysusers.d/stopmark.conf",
        "usr/lib/tmpfiles.d/stopmark.conf",
    ];
    let are_there = || files.map(|file| root.path().join(file).exists());
    install(&["--dry-run", &program]);
    assert_eq!(are_there(), [false; 4]);
    let state = root.path().join("var/lib/stopmark/agent-id");
    fs::create_dir_all(state.parent().expect("a folder")).expect("makes");
    fs::write(&state, "it").expect("writes");
    for _ in 0..2 {
        let said = install(&[&program]);
        assert!(said.contains("stopmark init"), "{said}");
        assert_eq!(are_there(), [true; 4]);
    }
    install(&["--uninstall"]);
    assert_eq!(are_there(), [false; 4]);
    assert!(state.exists(), "state stays");
}
