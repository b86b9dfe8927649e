//! A link's options: what a mark needs of them, and what bites later.

use super::{Case, LinkCure, LinkFinding, Weight};

/// What SQL Server takes for a query timeout of 0: `remote query timeout (s)`, 600 unless somebody changed it.
const DEFAULT_QUERY_TIMEOUT_S: u64 = 600;

pub(super) fn examine(case: &Case<'_>) -> Vec<LinkFinding> {
    let link = case.link;
    let mut findings = Vec::new();
    if !link.is_rpc_out {
        let found = case.finding(
            Weight::Blocks,
            "`rpc out` is off",
            "a mark calls a procedure on the other side; error 7411 refuses it",
        );
        findings.push(found.cured_by(on("rpc out"), "others may call procedures through it too"));
    }
    if !link.is_promotion {
        let found = case.finding(
            Weight::Blocks,
            "`remote proc transaction promotion` is off",
            "the call would not join the transaction: the mark over there would stand by itself, at a moment of its own",
        );
        findings.push(found.cured_by(
            on("remote proc transaction promotion"),
            "calls of others in transactions become distributed and need MSDTC",
        ));
    }
    if !link.is_data_access {
        let found = case.finding(
            Weight::Risk,
            "`data access` is off",
            "queries by four-part names fail with 7411; marks do not need it",
        );
        findings.push(found.cured_by(on("data access"), "others may read through it too"));
    }
    findings.extend(query_timeout(case));
    findings
}

fn query_timeout(case: &Case<'_>) -> Option<LinkFinding> {
    let needed_s = case.cfg.policy.mark_timeout.as_secs();
    let found_s = match u64::try_from(case.link.query_timeout_s).unwrap_or(0) {
        0 => DEFAULT_QUERY_TIMEOUT_S,
        seconds => seconds,
    };
    (found_s < needed_s).then(|| {
        let what = format!("the query timeout is {found_s} s, less than the mark's own {needed_s} s");
        let why = "the link gives a mark up (7412) before the agent does, and what was decided is then in doubt longer";
        let cure = LinkCure::Option {
            option: "query timeout",
            value: (needed_s + 30).to_string(),
        };
        let found = case.finding(Weight::Risk, what, why);
        found.cured_by(cure, "queries of others are given up later too")
    })
}

fn on(option: &'static str) -> LinkCure {
    LinkCure::Option {
        option,
        value: "true".to_owned(),
    }
}
