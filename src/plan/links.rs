//! Linked servers from the management host to every other host of the group. Start at [`plan_links`];
//! [`wanted_links`] is what runs build on.
//!
//! A run changes only links that Stopmark made; others are named in a warning and left to `link apply`.

use std::collections::{BTreeMap, BTreeSet};

use super::asked::{LinksAsked, Names};
use super::{
    EnsureLink, Lane, LinkSecurity, OnFailure, PLAN_FORMAT, Plan, RunKind, Stage, StageName, Step,
    TestLink, Warning,
};
use crate::config::{Config, Encryption, HostConfig, LoginConfig};
use crate::error::Code;
use crate::model::{HostName, MemberName, PlanId, Timestamp};
use crate::survey::{HostFacts, LINK_SIGNATURE, LinkFacts, Survey};

/// The first major version whose OLE DB driver is 19: encryption is mandatory by default and certificates
/// are always checked.
const MAJOR_2025: u32 = 17;
/// The first major version whose links use MSOLEDBSQL.
const MAJOR_2019: u32 = 15;
/// What a link's calls may take beyond the mark itself, so that the mark's own limit decides.
const QUERY_TIMEOUT_MARGIN_S: u64 = 30;

/// The links that a mark needs, compared with what is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Links {
    /// The linked server that leads to each other host.
    pub(super) names: BTreeMap<HostName, String>,
    /// What is to be made, mended and then tested.
    pub(super) steps: Vec<Step>,
    /// Why no mark can be placed although everything else may be well.
    pub(super) blocking: Vec<Warning>,
}

/// A plan that makes or mends every link that marks need, and tests them all; links that others made are
/// changed only where `asked` names them.
pub fn plan_links(
    cfg: &Config,
    survey: &Survey,
    asked: &LinksAsked,
    names: &mut dyn Names,
    now: Timestamp,
) -> Plan {
    // A failover must find links in place: from and to every replica that may become the management host's.
    let homes = survey.possible_homes(cfg);
    let standbys = survey.management_standbys(cfg);
    let managers = std::iter::once(survey.management(cfg)).chain(standbys);
    let mut blocking = Vec::new();
    let lanes: Vec<Lane> = managers
        .filter_map(|manager| {
            let links = links_from(cfg, survey, manager, &homes, asked);
            let (lane, more) = applied(manager, links);
            blocking.extend(more);
            (!lane.steps.is_empty()).then_some(lane)
        })
        .collect();
    let stage = Stage {
        name: StageName::Links,
        on_failure: OnFailure::Skip,
        lanes,
        fan_out: None,
        fetch_ahead_bytes: None,
    };
    Plan {
        format: PLAN_FORMAT,
        id: PlanId(names.next()),
        group: cfg.group.clone(),
        kind: RunKind::Link,
        round: 1,
        based_on: survey.id,
        made_at: now,
        stages: Some(stage)
            .filter(|stage| !stage.lanes.is_empty())
            .into_iter()
            .collect(),
        warnings: blocking,
    }
}

/// One host's links made or mended, and all of them tested.
fn applied(manager: &HostName, links: Links) -> (Lane, Vec<Warning>) {
    let mut steps = links.steps;
    let tested: BTreeSet<String> = steps.iter().filter_map(tested_link).collect();
    for (target, link) in &links.names {
        if !tested.contains(link) {
            steps.push(test(link, target));
        }
    }
    let host = manager.clone();
    (Lane { host, steps }, links.blocking)
}

fn tested_link(step: &Step) -> Option<String> {
    match step {
        Step::TestLink(step) => Some(step.link.clone()),
        _ => None,
    }
}

fn test(link: &str, target: &HostName) -> Step {
    Step::TestLink(TestLink {
        link: link.to_owned(),
        target: target.clone(),
    })
}

/// Compares the links that marks in these members need with those that the management host has.
pub(super) fn wanted_links(
    cfg: &Config,
    survey: &Survey,
    members: &[MemberName],
    asked: &LinksAsked,
) -> Links {
    let hosts: BTreeSet<&HostName> = members.iter().map(|member| survey.home(member)).collect();
    links_from(cfg, survey, survey.management(cfg), &hosts, asked)
}

/// The links that lead from one host to these others, compared with those that it has.
fn links_from(
    cfg: &Config,
    survey: &Survey,
    from: &HostName,
    to: &BTreeSet<&HostName>,
    asked: &LinksAsked,
) -> Links {
    let mut links = Links::default();
    let Some(management) = survey.host(from) else {
        return links;
    };
    for host in to.iter().filter(|host| !host.is_same_host(from)) {
        if let Some(target) = cfg.host(host) {
            links.consider(cfg, management, target, asked);
        }
    }
    links
}

impl Links {
    /// Takes one target in: its link is well, to be made, to be mended, or somebody else's.
    fn consider(
        &mut self,
        cfg: &Config,
        management: &HostFacts,
        target: &HostConfig,
        asked: &LinksAsked,
    ) {
        let name = target.name.as_str();
        let found = management
            .links
            .iter()
            .find(|link| link.name.eq_ignore_ascii_case(name));
        let link = found.map_or_else(|| name.to_owned(), |link| link.name.clone());
        self.names.insert(target.name.clone(), link.clone());
        let mut wanted = wanted(cfg, management, target);
        wanted.link = link;
        let Some(found) = found else {
            wanted.reason = String::from("no linked server leads to this host");
            return self.ensure(wanted);
        };
        let may_change = found.is_ours() || asked.take_over.contains(&found.name);
        let faults = if may_change {
            faults(found, &wanted, own_login(cfg, management))
        } else {
            foreign_faults(found)
        };
        let is_named = asked.take_over.contains(&found.name);
        if faults.is_empty() && !is_named {
            return;
        }
        wanted.exists = true;
        wanted.reason = faults.join(", ");
        if faults.is_empty() {
            // Whether the password is the right one shows in no catalog.
            "asked for by its name: its login is mapped anew".clone_into(&mut wanted.reason);
        }
        if may_change {
            self.ensure(wanted);
        } else {
            self.blocking.push(foreign(found, &wanted.reason));
        }
    }

    fn ensure(&mut self, wanted: EnsureLink) {
        let tested = test(&wanted.link, &wanted.target);
        self.steps.push(Step::EnsureLink(wanted));
        self.steps.push(tested);
    }
}

fn foreign(link: &LinkFacts, faults: &str) -> Warning {
    let name = &link.name;
    Warning {
        code: Code::LinkForeign.text().to_owned(),
        message: format!("linked server `{name}` is not ours and cannot carry a mark: {faults}"),
        hint: Some(format!(
            "run `stopmark link apply --foreign '{name}'`, or mend it by hand"
        )),
    }
}

/// The link as it should be.
fn wanted(cfg: &Config, management: &HostFacts, target: &HostConfig) -> EnsureLink {
    let major = major_of(management);
    let address = target.link_address.as_ref().unwrap_or(&target.address);
    let timeout_s = cfg
        .policy
        .mark_timeout
        .as_secs()
        .saturating_add(QUERY_TIMEOUT_MARGIN_S);
    EnsureLink {
        link: target.name.as_str().to_owned(),
        target: target.name.clone(),
        data_source: format!("tcp:{address}"),
        provider: if major >= MAJOR_2019 {
            "MSOLEDBSQL"
        } else {
            "SQLNCLI"
        }
        .to_owned(),
        provider_string: provider_string(target, major),
        query_timeout_s: i32::try_from(timeout_s).unwrap_or(i32::MAX),
        security: match &target.link_login {
            Some(LoginConfig::Sql { user, .. }) => LinkSecurity::Mapped {
                remote_login: user.clone(),
            },
            Some(LoginConfig::Integrated) | None => LinkSecurity::UseSelf,
        },
        exists: false,
        reason: String::new(),
    }
}

/// Driver 19 (SQL Server 2025) has three words for encryption and always checks certificates unless told not
/// to; the drivers before it know yes and no.
fn provider_string(target: &HostConfig, major: u32) -> String {
    let is_new = major >= MAJOR_2025;
    let encrypt = match (target.encryption, is_new) {
        (Encryption::Required, true) => "Mandatory",
        (Encryption::Strict, true) => "Strict",
        (Encryption::LoginOnly, true) => "Optional",
        (Encryption::Required | Encryption::Strict, false) => "yes",
        (Encryption::LoginOnly, false) => "no",
    };
    let trust = match (target.trust_any_certificate, is_new) {
        (true, true) => "Yes",
        (false, true) => "No",
        (true, false) => "yes",
        (false, false) => "no",
    };
    format!("{LINK_SIGNATURE}Encrypt={encrypt};TrustServerCertificate={trust};")
}

/// The first number of `16.0.1000.6`; 0 where it cannot be read.
fn major_of(host: &HostFacts) -> u32 {
    let first = host.version.split('.').next();
    first.and_then(|first| first.parse().ok()).unwrap_or(0)
}

/// The login that the agent is on the management host; none where only the host knows.
pub(super) fn own_login<'a>(cfg: &'a Config, management: &HostFacts) -> Option<&'a str> {
    match &cfg.host(&management.true_name)?.login {
        LoginConfig::Sql { user, .. } => Some(user),
        LoginConfig::Integrated => None,
    }
}

/// What is wrong with a link that we may change.
fn faults(found: &LinkFacts, wanted: &EnsureLink, own_login: Option<&str>) -> Vec<String> {
    let mut faults = Vec::new();
    if !is_provider(&found.provider, &wanted.provider) {
        faults.push(format!("its provider is `{}`", found.provider));
    }
    if found.data_source.as_deref() != Some(wanted.data_source.as_str()) {
        faults.push("it leads to another address".to_owned());
    }
    if found.provider_string.as_deref() != Some(wanted.provider_string.as_str()) {
        faults.push("its encryption words differ".to_owned());
    }
    if found.query_timeout_s != wanted.query_timeout_s {
        faults.push(format!("its query timeout is {} s", found.query_timeout_s));
    }
    if found
        .mappings
        .iter()
        .any(|mapping| mapping.local_login.is_none())
    {
        faults.push("everybody may use it".to_owned());
    }
    if !found
        .mappings
        .iter()
        .any(|mapping| mapping.is_of(own_login) && is_secured(mapping, wanted))
    {
        faults.push("the agent's login is not mapped".to_owned());
    }
    faults.extend(foreign_faults(found));
    faults
}

/// From SQL Server 2019 on the catalog shows `SQLNCLI` for links that use MSOLEDBSQL; before, version 11 of
/// the native client is the same as none.
fn is_provider(found: &str, wanted: &str) -> bool {
    let same = found.eq_ignore_ascii_case(wanted);
    same || found.eq_ignore_ascii_case("SQLNCLI")
        || (found.eq_ignore_ascii_case("SQLNCLI11") && wanted == "SQLNCLI")
}

fn is_secured(mapping: &crate::survey::LinkMapping, wanted: &EnsureLink) -> bool {
    match &wanted.security {
        LinkSecurity::UseSelf => mapping.uses_self,
        LinkSecurity::Mapped { remote_login } => {
            !mapping.uses_self && mapping.remote_login.as_ref() == Some(remote_login)
        }
    }
}

/// What keeps a mark from passing, whoever made the link.
fn foreign_faults(found: &LinkFacts) -> Vec<String> {
    let mut faults = Vec::new();
    if !found.is_rpc_out {
        faults.push("`rpc out` is off".to_owned());
    }
    if !found.is_promotion {
        faults.push("`remote proc transaction promotion` is off".to_owned());
    }
    if found.mappings.is_empty() {
        faults.push("nobody may use it".to_owned());
    }
    faults
}
