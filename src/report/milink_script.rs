//! The steps that make a link to a Managed Instance, with the names filled in: what is run where, what must be true
//! before the next one, and the way back.
//!
//! Start at [`LinkSteps::of`]. Each step can be run again by itself, which the wizard's cannot. The PowerShell is written
//! after Microsoft's pages (module `Az.Sql` 7.1 or newer) and parsed by a grammar of PowerShell (`tests/foreign`); it was
//! never run here.

use std::fmt::Write as _;

use serde::Serialize;

use crate::milink::{MilinkCure, certificate_name};
use crate::sql::{MilinkNames, milink_cure_script, milink_script, milink_way_back_script};
use crate::survey::MilinkFacts;

/// What Azure's side is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AzureNames {
    /// The resource group.
    pub resource_group: String,
    /// The subscription; none: the one that is chosen.
    pub subscription: Option<String>,
}

/// The steps of one link, in order.
#[derive(Clone, Debug, Serialize)]
pub struct LinkSteps {
    /// The database.
    pub database: String,
    /// The link's name.
    pub link: String,
    /// The steps.
    pub steps: Vec<LinkStep>,
}

/// One step.
#[derive(Clone, Debug, Serialize)]
pub struct LinkStep {
    /// What it does.
    pub title: &'static str,
    /// Where it is run.
    pub place: Place,
    /// What is run.
    pub run: String,
    /// What must be true before the next step.
    pub check: &'static str,
    /// What takes it back; none where there is nothing to take back.
    pub back: Option<String>,
}

/// Where a step is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// T-SQL on the host.
    SqlServer,
    /// PowerShell with the module `Az.Sql`.
    PowerShell,
}

impl Place {
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::SqlServer => ("on SQL Server", "sql"),
            Self::PowerShell => ("in PowerShell", "powershell"),
        }
    }
}

impl LinkSteps {
    /// The steps for one database; `keys` are the cures of what the host lacks of key, certificate and endpoint.
    #[must_use]
    pub fn of(
        facts: &MilinkFacts,
        names: &MilinkNames,
        azure: &AzureNames,
        keys: &[MilinkCure],
    ) -> Self {
        let mut steps = Vec::new();
        steps.extend(keys_step(keys));
        steps.extend(trust_steps(facts, names, azure));
        steps.extend(group_steps(facts, names, azure));
        Self {
            database: names.database.to_string(),
            link: names.distributed_group.clone(),
            steps,
        }
    }

    /// Markdown, which reads as a runbook.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("# link `{}` for database `{}`\n", self.link, self.database);
        for (at, step) in self.steps.iter().enumerate() {
            step.write(&mut text, at + 1)
                .expect("a string takes everything");
        }
        text
    }
}

impl LinkStep {
    fn write(&self, text: &mut String, number: usize) -> std::fmt::Result {
        let (place, language) = self.place.words();
        writeln!(text, "\n## {number}. {}, {place}\n", self.title)?;
        writeln!(
            text,
            "```{language}\n{}\n```\n\nThen: {}.",
            self.run, self.check
        )?;
        match &self.back {
            Some(back) => writeln!(text, "\nBack:\n\n```{language}\n{back}\n```"),
            None => writeln!(
                text,
                "\nBack: nothing, since nothing was changed that could be taken back."
            ),
        }
    }
}

/// What PowerShell takes for a single quote: the plain one and the typographic ones.
const QUOTES: [char; 5] = ['\'', '\u{2018}', '\u{2019}', '\u{201a}', '\u{201b}'];

/// A text as PowerShell takes it literally: each quote in it stands twice.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("'");
    for c in text.chars() {
        quoted.extend(QUOTES.contains(&c).then_some(c));
        quoted.push(c);
    }
    quoted.push('\'');
    quoted
}

fn keys_step(keys: &[MilinkCure]) -> Option<LinkStep> {
    let texts: Vec<String> = keys.iter().filter_map(milink_cure_script).collect();
    (!texts.is_empty()).then(|| LinkStep {
        title: "Key, certificate and endpoint of the host",
        place: Place::SqlServer,
        run: texts.join("\nGO\n"),
        check: "`stopmark milink check` passes the rows master key, certificate and endpoint",
        back: milink_way_back_script(keys),
    })
}

fn trust_steps(facts: &MilinkFacts, names: &MilinkNames, azure: &AzureNames) -> Vec<LinkStep> {
    let certificate = facts
        .endpoint
        .as_ref()
        .and_then(|it| it.certificate.as_ref());
    let certificate = certificate.map_or_else(
        || certificate_name(&facts.true_name),
        |certificate| certificate.name.clone(),
    );
    let (group, instance, name) = (
        quoted(&azure.resource_group),
        quoted(&names.instance),
        quoted(&certificate),
    );
    let subscription = azure.subscription.as_ref();
    let choose = subscription.map_or_else(String::new, |subscription| {
        format!("Set-AzContext -Subscription {}\n", quoted(subscription))
    });
    let script = milink_script(names, true);
    vec![
        LinkStep {
            title: "The host's certificate, made known to the Managed Instance",
            place: Place::PowerShell,
            run: format!(
                "{choose}# on SQL Server: SELECT CERTENCODED(CERT_ID(N'{}'));\n$publicKey = '0x...'\n\
                 New-AzSqlInstanceServerTrustCertificate -ResourceGroupName {group} -InstanceName {instance} `\n    \
                 -Name {name} -PublicKey $publicKey",
                certificate.replace('\'', "''")
            ),
            check: "`Get-AzSqlInstanceServerTrustCertificate` shows it",
            back: Some(format!(
                "Remove-AzSqlInstanceServerTrustCertificate -ResourceGroupName {group} -InstanceName {instance} `\n    \
                 -Name {name}"
            )),
        },
        LinkStep {
            title: "The Managed Instance's certificate, read",
            place: Place::PowerShell,
            run: format!(
                "(Get-AzSqlInstanceEndpointCertificate -ResourceGroupName {group} -InstanceName {instance} `\n    \
                 -EndpointType 'DATABASE_MIRRORING').PublicKey"
            ),
            check: "the bytes go into the next step; put `0x` before them where it is missing",
            back: None,
        },
        LinkStep {
            title: "The Managed Instance's certificate, trusted here",
            place: Place::SqlServer,
            run: script.trust,
            check: "`sys.certificates` in master has it; its issuers (Microsoft's and DigiCert's roots) are trusted as \
                    Microsoft's page says, with `sp_certificate_add_issuer`",
            back: Some(script.drop_trust),
        },
    ]
}

fn group_steps(facts: &MilinkFacts, names: &MilinkNames, azure: &AzureNames) -> Vec<LinkStep> {
    let has_cluster_type = !facts.version.starts_with("13.");
    let script = milink_script(names, has_cluster_type);
    let (group, instance) = (quoted(&azure.resource_group), quoted(&names.instance));
    let link = quoted(&names.distributed_group);
    vec![
        LinkStep {
            title: "The host's own availability group",
            place: Place::SqlServer,
            run: script.group,
            check: "no error; 1475 means that the chain must begin anew: `stopmark milink prepare`, then this step again",
            back: Some(script.drop_group),
        },
        LinkStep {
            title: "The distributed group",
            place: Place::SqlServer,
            run: script.distributed_group,
            check: "no error; nothing is sent before the next step",
            back: Some(script.drop_distributed_group),
        },
        LinkStep {
            title: "The link itself",
            place: Place::PowerShell,
            run: format!(
                "New-AzSqlInstanceLink -ResourceGroupName {group} -InstanceName {instance} -Name {link} `\n    \
                 -PartnerAvailabilityGroupName {} -InstanceAvailabilityGroupName {instance} `\n    \
                 -Database @({}) -PartnerEndpoint {} `\n    \
                 -InstanceLinkRole 'Secondary' -FailoverMode 'Manual' -SeedingMode 'Automatic'",
                quoted(&names.group),
                quoted(names.database.as_str()),
                quoted(&names.endpoint_url)
            ),
            check: "it begins within 5 minutes (41962 else); 41973, 41974 and 41976 speak of certificates and ports",
            back: Some(format!(
                "Remove-AzSqlInstanceLink -ResourceGroupName {group} -InstanceName {instance} -Name {link}"
            )),
        },
        LinkStep {
            title: "Seeding, followed",
            place: Place::SqlServer,
            run: script.watch,
            check: "`stopmark milink watch` says that it has ended; do not switch off its pause of log backups unless trace \
                    flag 12381 is on: 1412 or 1408 would end the link",
            back: None,
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quote_that_powershell_knows_is_doubled() {
        assert_eq!(quoted("o'x \u{2019}; rm"), "'o''x \u{2019}\u{2019}; rm'");
        assert_eq!(quoted("$env:x `n"), "'$env:x `n'");
    }
}
