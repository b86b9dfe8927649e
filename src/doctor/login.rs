//! Who passes through a link as whom.

use super::{Case, LinkCure, LinkFinding, Weight};
use crate::config::LoginConfig;
use crate::survey::LinkMapping;

pub(super) const WILDCARD_RISK: &str = "logins that used it without a mapping of their own lose it (7416); map those who need it first";

pub(super) fn examine(case: &Case<'_>) -> Vec<LinkFinding> {
    let mappings = &case.link.mappings;
    if mappings.is_empty() {
        let found = case.finding(
            Weight::Blocks,
            "no login is mapped",
            "nobody passes: error 7416 refuses every call",
        );
        return vec![found.cured_by(LinkCure::Apply, "none")];
    }
    let mut findings: Vec<LinkFinding> = mappings
        .iter()
        .filter_map(|mapping| judged(case, mapping))
        .collect();
    findings.extend(unmapped(case));
    findings
}

/// Others are mapped, and the agent is not.
fn unmapped(case: &Case<'_>) -> Option<LinkFinding> {
    let LoginConfig::Sql { user, .. } = &case.cfg.host(&case.management.true_name)?.login else {
        return None; // Which Windows account it is only the host knows.
    };
    let mut mappings = case.link.mappings.iter();
    let passes = mappings.any(|it| it.local_login.is_none() || it.is_of(Some(user)));
    (!passes).then(|| {
        let what = format!("`{user}`, the agent's own login, is not mapped");
        let why = "others pass and the agent does not: error 7416 refuses its calls";
        let found = case.finding(Weight::Blocks, what, why);
        found.cured_by(LinkCure::Apply, "none")
    })
}

fn judged(case: &Case<'_>, mapping: &LinkMapping) -> Option<LinkFinding> {
    let who = mapping.local_login.as_deref();
    if mapping.uses_self {
        return match who {
            None => Some(everybody(case)),
            Some(who) => second_hop(case, who),
        };
    }
    let remote = mapping.remote_login.as_deref().unwrap_or_default();
    if who.is_none() {
        let what = format!("every local login becomes `{remote}` on the other side");
        let why = "whoever may log in here has that login's rights there, without its password";
        let found = case.finding(Weight::Risk, what, why);
        return Some(found.cured_by(LinkCure::DropWildcard, WILDCARD_RISK));
    }
    remote.eq_ignore_ascii_case("sa").then(|| {
        let what = format!("`{}` becomes `sa` on the other side", who.unwrap_or_default());
        let why = "a mark needs the right to run one procedure; `sa` may do everything, and the service account's files with it";
        let found = case.finding(Weight::Risk, what, why);
        found.cured_by(LinkCure::Apply, "what else uses the mapping gets the lesser login")
    })
}

/// What `sp_addlinkedserver` makes of every new link.
fn everybody(case: &Case<'_>) -> LinkFinding {
    let found = case.finding(
        Weight::Risk,
        "every local login may pass as itself",
        "the mapping that a new link is made with: whoever has a login on both sides passes, wanted or not",
    );
    found.cured_by(LinkCure::DropWildcard, WILDCARD_RISK)
}

/// The agent's own login passed on: from the agent to the management host is the first hop, the link the second.
fn second_hop(case: &Case<'_>, who: &str) -> Option<LinkFinding> {
    let scheme = case.management.auth_scheme.as_str();
    let (weight, why) = match scheme {
        "NTLM" => (
            Weight::Blocks,
            "NTLM cannot pass a login on a second time: the other side sees ANONYMOUS LOGON (18456); \
             use Kerberos with delegation, or `link_login`",
        ),
        "SQL" => (
            Weight::Risk,
            "it passes only while the other side has the same SQL login with the same password; `link_login` says which one",
        ),
        _ => return None,
    };
    let what = format!("`{who}` passes as itself, and the agent logs in with {scheme}");
    let target = &case.target.name;
    let advice = format!(
        "give `[hosts.'{target}']` a `link_login`, then `stopmark link apply --foreign '{}'`",
        case.link.name
    );
    let found = case.finding(weight, what, why);
    Some(found.cured_by(LinkCure::Configure { advice }, "none"))
}
