//! The report of a drill in a browser: nothing is asked of a network, nothing goes wrong, and it can be read.
//!
//! Start at [`a_browser_shows_the_report_without_a_word_to_anybody`]. Pictures are left in the build's folder, for a
//! person to look at.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use stopmark::model::Certificate;
use stopmark::report::html;

/// An empty folder of this test's own.
fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).expect("the build's own folder is writable");
    folder
}

fn certificate() -> Certificate {
    let text = include_str!("../fixtures/certificate-1-group.json");
    serde_json::from_str(text).expect("a certificate")
}

/// Runs the browser without a window, on a profile of its own, with a network log; what it said.
fn browse(folder: &Path, args: &[&str]) -> Output {
    let page = format!("file://{}", folder.join("drill.html").display());
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let log = format!("--log-net-log={}", folder.join("net.json").display());
    Command::new("chromium")
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
        ])
        .args([
            "--disable-sync",
            "--disable-default-apps",
            "--hide-scrollbars",
        ])
        .args(["--enable-logging=stderr", "--v=0", &profile, &log])
        .args(args)
        .arg(page)
        .output()
        .expect("Debian's chromium is installed: tests/foreign/run.sh does it")
}

fn said(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// What the page asked a network for; what the browser asks for by itself has no page as its origin.
fn asked_by_the_page(log: &str) -> Vec<String> {
    let log: serde_json::Value = serde_json::from_str(log).expect("JSON");
    let events = log["events"].as_array().expect("events");
    let asks = events.iter().filter_map(|event| {
        let params = &event["params"];
        let url = params["url"]
            .as_str()
            .filter(|url| !url.starts_with("file://"))?;
        let origin = params["initiator"].as_str()?;
        (origin != "not an origin").then(|| format!("{origin} asked for {url}"))
    });
    asks.collect()
}

#[test]
fn a_browser_shows_the_report_without_a_word_to_anybody() {
    let folder = folder();
    fs::write(folder.join("drill.html"), html::drill(&certificate())).expect("writes");
    let pictures = [("wide", "1200,2600"), ("narrow", "400,4200")];
    for (name, size) in pictures {
        let picture = folder.join(format!("{name}.png"));
        let (to, size) = (
            format!("--screenshot={}", picture.display()),
            format!("--window-size={size}"),
        );
        let ran = browse(&folder, &[&to, &size]);
        assert!(ran.status.success(), "{}", said(&ran));
        assert!(!said(&ran).contains("CONSOLE"), "{}", said(&ran));
        let bytes = fs::metadata(&picture).expect("a picture").len();
        assert!(bytes > 20_000, "the picture is empty: {bytes} bytes");
        let asked = fs::read_to_string(folder.join("net.json")).expect("a network log");
        assert_eq!(asked_by_the_page(&asked), Vec::<String>::new());
    }
    let print = format!("--print-to-pdf={}", folder.join("paper.pdf").display());
    let ran = browse(&folder, &[&print]);
    assert!(ran.status.success(), "{}", said(&ran));
    let dark = browse(&folder, &["--dump-dom", "--force-dark-mode"]);
    let dom = said(&dark);
    assert!(
        dom.contains("Proof, member by member") && !dom.contains("<script"),
        "{dom}"
    );
}
