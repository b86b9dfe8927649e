//! A link's options: what a mark needs of them, and what bites later.

use super::{Case, LinkCure, LinkFinding, Weight};

/// What SQL Server takes for a query timeout of 0: `remote query timeout (s)`, 600 unless somebody changed it.
const DEFAULT_QUERY_TIMEOUT_S: u64 = 600;

/// Seconds to wait for a host's first word, as `stopmark link apply` sets them.
const CONNECT_TIMEOUT_S: u64 = 15;

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
    findings.extend(connect_timeout(case));
    findings.extend(collation(case));
    findings
}

/// The mark's time runs while the link still waits for an answer to its first word.
fn connect_timeout(case: &Case<'_>) -> Option<LinkFinding> {
    let limit_s = case.cfg.policy.mark_timeout.as_secs();
    let found_s = u64::try_from(case.link.connect_timeout_s).unwrap_or(0);
    (found_s >= limit_s).then(|| {
        let what = format!("the connect timeout is {found_s} s, and a mark may take {limit_s} s in all");
        let why = "a host that does not answer uses up the whole of the mark's time, and every other host waits for it";
        let cure = LinkCure::Option {
            option: "connect timeout",
            value: CONNECT_TIMEOUT_S.to_string(),
        };
        let found = case.finding(Weight::Risk, what, why);
        found.cured_by(cure, "queries of others are refused sooner where the host is slow")
    })
}

fn collation(case: &Case<'_>) -> Option<LinkFinding> {
    case.link.is_collation_compatible.then(|| {
        let why = "comparisons of text are sent over as if both sides had one collation: where they have not, queries by \
            four-part names find other rows than they should; marks compare no text";
        let cure = LinkCure::Option {
            option: "collation compatible",
            value: "false".to_owned(),
        };
        let found = case.finding(Weight::Risk, "`collation compatible` is on", why);
        found.cured_by(cure, "queries of others may read more rows over the link than before")
    })
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
