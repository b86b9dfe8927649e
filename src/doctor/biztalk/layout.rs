//! Where a destination of BizTalk's log shipping would put the group's databases, and what it would stumble over.
//!
//! Start at [`examine_layout`]. A destination is a configured host whose `master` has BizTalk's tables of log shipping.
//! BizTalk's documentation asks for the same version of SQL Server on both sides and for the same paths, since files are
//! restored to where they lay, unless `bts_LogShippingDatabases` says other folders.

use std::collections::{BTreeMap, BTreeSet};

use super::{BizTalkFinding, finding};
use crate::doctor::Weight;
use crate::model::{HostName, MemberName};
use crate::survey::{ShippingDestination, Survey, TargetDatabase, TargetFacts, TargetState, major};

/// What is wrong with the layout of each destination among these hosts; the members' own hosts are among them too.
#[must_use]
pub fn examine_layout(
    survey: &Survey,
    hosts: &BTreeMap<HostName, TargetFacts>,
) -> Vec<BizTalkFinding> {
    let mut found = Vec::new();
    for (name, facts) in hosts {
        let Some(rules) = &facts.log_shipping else {
            continue;
        };
        let to = Destination { name, facts, rules };
        found.extend(to.versions(survey, hosts));
        found.extend(to.folders(survey, hosts));
        found.extend(survey.members.iter().filter_map(|it| to.opened(it)));
        found.extend(to.namesakes(survey));
    }
    found
}

struct Destination<'a> {
    name: &'a HostName,
    facts: &'a TargetFacts,
    rules: &'a ShippingDestination,
}

impl Destination<'_> {
    fn finding(&self, what: String, why: &'static str, cure: String) -> BizTalkFinding {
        finding(Weight::Risk, self.name.as_str(), what, why, cure)
    }

    /// Each version that a source has and this host has not.
    fn versions(
        &self,
        survey: &Survey,
        hosts: &BTreeMap<HostName, TargetFacts>,
    ) -> Vec<BizTalkFinding> {
        let sources = hosts.iter().filter(|(name, _)| {
            let mut members = survey.members.iter();
            members.any(|it| survey.home(it).is_same_host(name))
        });
        let other =
            sources.filter(|(_, facts)| major(&facts.version) != major(&self.facts.version));
        let told = other.map(|(source, facts)| {
            let what = format!(
                "this destination of log shipping has version {}, and `{source}` has {}",
                self.facts.version, facts.version
            );
            let why = "BizTalk's log shipping wants one version on both sides: an older host refuses the backups (3169), a \
                newer one does not go back";
            self.finding(what, why, "install the version of the source on the destination".to_owned())
        });
        told.collect()
    }

    /// Folders of the group's files on volumes that nothing here is known to have.
    fn folders(
        &self,
        survey: &Survey,
        hosts: &BTreeMap<HostName, TargetFacts>,
    ) -> Option<BizTalkFinding> {
        let files = survey.members.iter().filter_map(|it| {
            let source = hosts
                .iter()
                .find(|(name, _)| survey.home(it).is_same_host(name))?;
            Some(&source.1.database(&it.database)?.files)
        });
        let is_kept = |is_data: bool| {
            if is_data {
                !self.rules.moves_data
            } else {
                !self.rules.moves_logs
            }
        };
        let missing = files.flatten().filter(|file| {
            is_kept(file.is_data) && self.facts.volume(&file.physical_name).is_none()
        });
        let folders: BTreeSet<String> = missing
            .map(|file| format!("`{}`", folder(&file.physical_name)))
            .collect();
        if folders.is_empty() {
            return None;
        }
        let folders: Vec<String> = folders.into_iter().collect();
        let what = format!(
            "files of the group lie in {}, and no database of this destination has a file on such a volume",
            folders.join(", ")
        );
        let why = "a destination restores files to where they lay: without the folder its first restore stops (3156)";
        let cure = "make the folders there, or say others in `DBFileLocation` and `LogFileLocation` of \
            `master.dbo.bts_LogShippingDatabases`";
        Some(self.finding(what, why, cure.to_owned()))
    }

    /// A database that somebody recovered takes no more logs.
    fn opened(&self, member: &MemberName) -> Option<BizTalkFinding> {
        let is_open = |it: &&TargetDatabase| it.state == TargetState::Online;
        let database = self.facts.database(&member.database).filter(is_open)?;
        let what = format!("`{}` is open on this destination", database.name);
        let why = "log shipping keeps it restoring: one that was recovered takes no more logs, and the next full goes over it";
        let cure = "if nobody works in it, `sp_LogShippingClean` with this source begins anew; else it is another \
            database, and the destination another host";
        Some(self.finding(what, why, cure.to_owned()))
    }

    /// Databases of one name from two hosts.
    fn namesakes(&self, survey: &Survey) -> Option<BizTalkFinding> {
        let mut seen = BTreeSet::new();
        let mut members = survey.members.iter();
        let twin = members.find(|it| !seen.insert(it.database.as_str().to_lowercase()))?;
        let what = format!("two hosts have a member called `{}`", twin.database);
        let why = "one destination would restore each over the other";
        let cure = "configure a destination for each source, with `@SourceServerName`".to_owned();
        Some(self.finding(what, why, cure))
    }
}

fn folder(path: &str) -> &str {
    path.rfind(['/', '\\']).map_or(path, |at| &path[..at])
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::{SurveyId, Timestamp};
    use crate::survey::{RecoveryModel, TargetFile, Volume};

    fn survey(members: &[&str]) -> Survey {
        let members = members.iter().map(|name| name.parse().expect("a member"));
        Survey {
            id: SurveyId(Uuid::from_u128(1)),
            taken_at: Timestamp::from_millis(0),
            hosts: BTreeMap::new(),
            members: members.collect(),
            unresolved: Vec::new(),
            moved: Vec::new(),
            biztalk: None,
            drift: Vec::new(),
            dropped: Vec::new(),
            contested: Vec::new(),
            management_host: None,
        }
    }

    fn database(name: &str, state: TargetState) -> TargetDatabase {
        let file = |path: &str, is_data| TargetFile {
            logical_name: name.to_owned(),
            physical_name: path.to_owned(),
            is_data,
            size_bytes: 1,
            redo_start_lsn: None,
        };
        TargetDatabase {
            name: name.parse().expect("a database"),
            state,
            recovery_model: RecoveryModel::Full,
            availability_group: None,
            is_primary: false,
            files: vec![file(r"D:\Data\x.mdf", true), file(r"L:\Log\x.ldf", false)],
            restored: None,
        }
    }

    /// A host with these databases and drives; what it says of log shipping is none for a source.
    fn host(
        (name, version): (&str, &str),
        databases: Vec<TargetDatabase>,
        drives: &[&str],
        rules: Option<(bool, bool)>,
    ) -> (HostName, TargetFacts) {
        let volume = |root: &&str| Volume {
            root: (*root).to_owned(),
            free_bytes: 1,
        };
        let true_name: HostName = name.parse().expect("a host");
        let facts = TargetFacts {
            true_name: true_name.clone(),
            version: version.to_owned(),
            edition: String::new(),
            collation: String::new(),
            data_folder: None,
            log_folder: None,
            databases,
            keys: None,
            volumes: drives.iter().map(volume).collect(),
            log_shipping: rules.map(|(moves_data, moves_logs)| ShippingDestination {
                moves_data,
                moves_logs,
            }),
        };
        (true_name, facts)
    }

    /// What is found on the destination `DR` of a group with the database `Box` on `BTS1`.
    fn told(
        version: &str,
        there: Vec<TargetDatabase>,
        drives: &[&str],
        rules: Option<(bool, bool)>,
    ) -> Vec<String> {
        let source = vec![database("Box", TargetState::Online)];
        let hosts = BTreeMap::from([
            host(("BTS1", "15.0.4000.1"), source, &[r"D:\"], None),
            host(("DR", version), there, drives, rules),
        ]);
        let found = examine_layout(&survey(&["BTS1/Box"]), &hosts);
        found.into_iter().map(|it| it.what).collect()
    }

    const SAME: &str = "15.0.2000.5";
    const BOTH: &[&str] = &[r"D:\", r"L:\"];

    #[test]
    fn a_destination_of_the_same_version_and_drives_is_well_and_another_host_is_none() {
        let restoring = || vec![database("Box", TargetState::Restoring)];
        assert_eq!(told(SAME, restoring(), BOTH, Some((false, false))), [""; 0]);
        assert_eq!(told("13.0.1.0", Vec::new(), &[], None), [""; 0]);
    }

    #[test]
    fn another_version_on_either_side_is_told() {
        for version in ["14.0.3456.2", "16.0.1000.6"] {
            let told = told(version, Vec::new(), BOTH, Some((false, false)));
            assert!(told[0].contains(version), "{told:?}");
        }
    }

    #[test]
    fn folders_on_drives_that_are_not_there_are_named_unless_they_are_moved() {
        let folders = |rules| told(SAME, Vec::new(), &[r"D:\"], Some(rules));
        let told = folders((false, false));
        assert!(told[0].contains(r"lie in `L:\Log`,"), "{told:?}");
        assert_eq!(folders((true, false)).len(), 1);
        assert_eq!(folders((false, true)), [""; 0]);
    }

    #[test]
    fn a_database_that_is_open_over_there_is_told() {
        let open = vec![database("BOX", TargetState::Online)];
        let told = told(SAME, open, BOTH, Some((true, true)));
        assert_eq!(told, ["`BOX` is open on this destination"]);
    }

    #[test]
    fn members_of_one_name_need_a_destination_each() {
        let hosts = BTreeMap::from([host(("DR", SAME), Vec::new(), BOTH, Some((true, true)))]);
        let found = examine_layout(&survey(&["BTS1/Box", "BTS2/box"]), &hosts);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].what.contains("called `box`"), "{found:#?}");
    }
}
