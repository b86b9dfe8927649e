//! Where links lead: to the right host, by the right driver, once, and not back.

use super::{Case, LinkCure, LinkFinding, Weight};
use crate::config::{Config, HostConfig};
use crate::model::HostName;
use crate::survey::{HostFacts, LinkFacts, Survey};

/// The first major version without the native client.
const MAJOR_2022: u32 = 16;
/// The first major version whose driver encrypts and checks certificates unless it is told otherwise.
const MAJOR_2025: u32 = 17;

const REMADE: &str = "the link is dropped and made anew; who uses it meanwhile is cut off";

pub(super) fn missing(here: &HostName, target: &HostConfig) -> LinkFinding {
    LinkFinding {
        host: here.clone(),
        link: target.name.to_string(),
        weight: Weight::Blocks,
        what: "there is no linked server of this name".to_owned(),
        why: "marks reach the members over there through it (7202)",
        cure: Some(LinkCure::Apply),
        risk: Some("none"),
    }
}

/// Two names of the configuration for one host: a mark would be placed there twice, which SQL Server refuses (3920). The
/// name that is not the true one is to go.
pub(super) fn twins(cfg: &Config, survey: &Survey) -> Vec<LinkFinding> {
    let said = |name: &HostName| survey.hosts.get(name)?.true_name().cloned();
    let twin = |name: &HostName| {
        let said = said(name)?;
        let other = cfg.host(&said)?;
        (!said.is_same_host(name)).then(|| LinkFinding {
            host: name.clone(),
            link: other.name.to_string(),
            weight: Weight::Blocks,
            what: format!("`{name}` and `{}` are one host, `{said}`", other.name),
            why: "one mark would be placed there twice in one transaction, which is refused (3920)",
            cure: Some(LinkCure::Configure {
                advice: format!(
                    "remove `[hosts.'{name}']`, and name its members by `{}`",
                    other.name
                ),
            }),
            risk: Some("members that are renamed begin new chains under the new name"),
        })
    };
    cfg.hosts.keys().filter_map(twin).collect()
}

const DROPPED: &str = "whoever uses that link is cut off: where an application needs it, leave it, since no mark of Stopmark's \
    goes through it";

/// Links of the management host that lead back to it.
pub(super) fn loops(cfg: &Config, here: &HostName, management: &HostFacts) -> Vec<LinkFinding> {
    let own = cfg.host(here);
    let is_loop = |link: &&LinkFacts| {
        own.is_some_and(|own| leads_to(link, own)) || is_here(link, management.true_name.as_str())
    };
    let found = management.links.iter().filter(is_loop);
    let finding = |link: &LinkFacts| LinkFinding {
        host: here.clone(),
        link: link.name.clone(),
        weight: Weight::Risk,
        what: "it leads back to its own host".to_owned(),
        why: "a distributed transaction that comes home through a link is refused (3910), and marks never need it",
        cure: Some(drop_link(link)),
        risk: Some(DROPPED),
    };
    found.map(finding).collect()
}

fn drop_link(link: &LinkFacts) -> LinkCure {
    LinkCure::DropLink {
        link: link.name.clone(),
    }
}

pub(super) fn examine(case: &Case<'_>) -> Vec<LinkFinding> {
    let mut findings = Vec::new();
    findings.extend(driver(case));
    findings.extend(encryption(case));
    if !leads_to(case.link, case.target) {
        let where_to = case.link.data_source.as_deref().unwrap_or("nowhere");
        let what = format!(
            "it leads to `{where_to}`, and the configuration has `{}`",
            address(case.target)
        );
        let why =
            "a mark would be placed on another host, or through an alias that somebody may turn";
        findings.push(
            case.finding(Weight::Risk, what, why)
                .cured_by(LinkCure::Apply, REMADE),
        );
    }
    findings.extend(doubles(case));
    findings
}

fn driver(case: &Case<'_>) -> Option<LinkFinding> {
    let provider = case.link.provider.as_str();
    let is_old = provider.eq_ignore_ascii_case("SQLOLEDB")
        || (provider.to_ascii_uppercase().starts_with("SQLNCLI1") && major(case) >= MAJOR_2022);
    is_old.then(|| {
        let what = format!("its driver is `{provider}`");
        let why = "that driver is no longer delivered: the link breaks with the next upgrade, or has broken (7303)";
        case.finding(Weight::Risk, what, why)
            .cured_by(LinkCure::Apply, REMADE)
    })
}

/// SQL Server 2025's driver refuses a certificate that the machine does not trust, unless the link says otherwise.
fn encryption(case: &Case<'_>) -> Option<LinkFinding> {
    let words = case.link.provider_string.as_deref().unwrap_or_default();
    let says = words.to_ascii_lowercase().contains("encrypt=");
    (major(case) >= MAJOR_2025 && !says).then(|| {
        let why = "from SQL Server 2025 on a link encrypts and checks the certificate unless it is told otherwise: with \
            one that this machine does not trust it stops (7303)";
        case.finding(Weight::Risk, "it does not say how it encrypts", why)
            .cured_by(LinkCure::Apply, REMADE)
    })
}

/// Another link that leads to the same host.
fn doubles(case: &Case<'_>) -> Vec<LinkFinding> {
    let is_double = |link: &&LinkFacts| link.name != case.link.name && leads_to(link, case.target);
    let found = case.management.links.iter().filter(is_double);
    let finding = |link: &LinkFacts| {
        let what = format!("`{}` leads to the same host", link.name);
        let why = "what uses both in one marked transaction marks that host twice, which is refused (3920)";
        case.finding(Weight::Risk, what, why)
            .cured_by(drop_link(link), DROPPED)
    };
    found.map(finding).collect()
}

fn leads_to(link: &LinkFacts, target: &HostConfig) -> bool {
    let named = link.data_source.as_deref().unwrap_or(&link.name);
    plain(named).eq_ignore_ascii_case(plain(address(target))) || is_here(link, target.name.as_str())
}

fn is_here(link: &LinkFacts, name: &str) -> bool {
    let named = link.data_source.as_deref().unwrap_or(&link.name);
    plain(named).eq_ignore_ascii_case(name)
}

fn address(target: &HostConfig) -> &str {
    target.link_address.as_ref().unwrap_or(&target.address)
}

/// An address without the protocol before it and the port that everybody has behind it.
fn plain(address: &str) -> &str {
    let address = address.strip_prefix("tcp:").unwrap_or(address);
    address.strip_suffix(",1433").unwrap_or(address)
}

fn major(case: &Case<'_>) -> u32 {
    let first = case.management.version.split('.').next();
    first.and_then(|first| first.parse().ok()).unwrap_or(0)
}
