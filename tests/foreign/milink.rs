//! The PowerShell of `milink script`, parsed by a grammar of PowerShell and held to the rules of the house.
//!
//! There is no Azure and no PowerShell in reach of these tests: nothing here runs a step.

use std::fs;

use serde_json::Value;

use crate::stage::Stage;
use crate::windows::faults;

/// The steps of a link whose names try to end their quotes.
async fn steps() -> Vec<Value> {
    let stage = Stage::set(&[("SQL1", &["Led'ger $(x)"])]).await;
    let printed = stage
        .must(&[
            "milink",
            "script",
            "SQL1/Led'ger $(x)",
            "--instance",
            "mi1.abc.database.windows.net",
            "--resource-group",
            "o'group; `exit",
            "--subscription",
            "a'b\"c",
            "--endpoint",
            "10.1.0.4:5022",
            "--json",
        ])
        .await;
    let printed: Value = serde_json::from_str(&printed).expect("json");
    let steps = printed["links"][0]["steps"].as_array().expect("steps");
    let is_powershell = |step: &&Value| step["place"] == "power_shell";
    steps.iter().filter(is_powershell).cloned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_in_powershell_and_its_way_back_is_understood() {
    let steps = steps().await;
    assert_eq!(steps.len(), 3, "{steps:#?}");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("step.ps1");
    let mut looked = 0;
    for step in &steps {
        for text in [&step["run"], &step["back"]] {
            let Some(text) = text.as_str() else { continue };
            fs::write(&path, text).expect("writes");
            assert_eq!(faults(&path), "", "{text}");
            looked += 1;
        }
    }
    assert_eq!(looked, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_whose_quote_is_open_is_found() {
    let steps = steps().await;
    let text = steps[0]["run"].as_str().expect("a text");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("step.ps1");
    let broken = text.replacen("o''group", "o'group", 1);
    assert_ne!(broken, text);
    fs::write(&path, broken).expect("writes");
    assert_ne!(faults(&path), "");
}
