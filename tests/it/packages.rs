//! What the Debian package is made of: every file is there, and lies where the installer for systemd puts it.
//!
//! The package itself is built by `.ci/packages`.

use std::fs;
use std::path::Path;

/// One line of `[package.metadata.deb] assets`: what, where to, and its rights.
struct Asset {
    source: String,
    target: String,
    mode: String,
}

fn text_of(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn package() -> toml::Table {
    let manifest: toml::Table = toml::from_str(&text_of("Cargo.toml")).expect("TOML");
    let package = &manifest["package"]["metadata"]["deb"];
    package.as_table().expect("a table").clone()
}

fn assets() -> Vec<Asset> {
    let package = package();
    let assets = package["assets"].as_array().expect("a list");
    let assets = assets.iter().map(|asset| {
        let word = |at: usize| asset[at].as_str().expect("a string").to_owned();
        Asset {
            source: word(0),
            target: word(1),
            mode: word(2),
        }
    });
    assets.collect()
}

/// How many files of the repository a source means; `*` stands for anything within one name.
fn files_of(source: &str) -> usize {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
    let name = path
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    let Some((before, after)) = name.split_once('*') else {
        return usize::from(path.is_file());
    };
    let entries = fs::read_dir(path.parent().expect("a folder")).expect("the folder is there");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    names
        .filter(|name| {
            let name = name.to_string_lossy();
            name.starts_with(before) && name.ends_with(after)
        })
        .count()
}

#[test]
fn every_file_of_the_package_is_there() {
    for asset in assets() {
        // The program, and what it writes itself, is made by who builds the package.
        let is_made = asset.source.starts_with("target/");
        assert!(is_made || files_of(&asset.source) > 0, "{}", asset.source);
        let is_program = asset.target.starts_with("usr/bin/");
        let mode = if is_program { "755" } else { "644" };
        assert_eq!(asset.mode, mode, "{}", asset.source);
        assert!(asset.target.starts_with("usr/"), "{}", asset.target);
    }
}

#[test]
fn the_package_brings_the_service_where_its_installer_puts_it() {
    let installer = text_of("service/install.sh");
    let assets = assets();
    for source in ["stopmark.service", "stopmark.sysusers", "stopmark.tmpfiles"] {
        let source = format!("service/{source}");
        let asset = assets.iter().find(|asset| asset.source == source);
        let target = &asset.unwrap_or_else(|| panic!("no {source}")).target;
        assert!(installer.contains(&format!("/{target}")), "{target}");
    }
}

#[test]
fn the_package_starts_nothing_and_throws_no_state_away() {
    let folder = package()["maintainer-scripts"]
        .as_str()
        .expect("a folder")
        .to_owned();
    for script in ["postinst", "prerm", "postrm"] {
        let text = text_of(&format!("{folder}/{script}"));
        assert!(text.starts_with("#!/bin/sh\n"), "{script}");
        assert!(text.contains("\nset -e\n"), "{script}");
        for word in ["systemctl start", "systemctl enable", "rm "] {
            assert!(!text.contains(word), "{script}: {word}");
        }
    }
}
