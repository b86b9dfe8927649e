//! What is asked of a restore. Start at [`RestoreAsked`]; [`RestoreAsked::to`] has what nobody asked otherwise.
//!
//! All values; whoever calls the planner fills them, a drill with scratch names as well as a person.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{DatabaseName, HostName, MemberName, RunId, SurveyId};
use crate::survey::TargetFacts;

/// Where a restore goes, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreAsked {
    /// The run that it belongs to.
    pub run: RunId,
    /// The survey that came before it.
    pub based_on: SurveyId,
    /// The host of each member.
    pub place: RestorePlace,
    /// The place of each file.
    pub files: RestoreFiles,
    /// New database names; members not listed keep their own.
    pub renames: BTreeMap<MemberName, DatabaseName>,
    /// The members to be restored; empty means all of the point.
    pub only: Vec<MemberName>,
    /// Some of the members without the others is what a person wants, who knows what it means.
    pub accepts_inconsistency: bool,
    /// Overwrite databases of those names: only where a person named the group.
    pub replace: bool,
    /// Databases that would be overwritten are taken out of their availability groups first.
    pub leaves_groups: bool,
    /// What becomes of the tail of a log over which a member is restored.
    pub tail: TailRule,
    /// When the mark is proven.
    pub proof: ProofRule,
    /// Members stay as they stand by at the mark, for people to look into; whoever goes on opens them.
    pub inspects: bool,
    /// What members had on their hosts beside their data is put back.
    pub puts_back: bool,
    /// The databases that an earlier restore to this point began, each on its host: it is gone on with them.
    pub begun: BTreeSet<(HostName, DatabaseName)>,
    /// What the target hosts are and hold, by their names in the configuration.
    pub targets: BTreeMap<HostName, TargetFacts>,
}

/// Which host a member comes back on; each needs a share in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestorePlace {
    /// Each member on its own host.
    OwnHosts,
    /// All on one host.
    OneHost(HostName),
    /// By the host that a member was on; every member's must be there.
    Mapped(BTreeMap<HostName, HostName>),
}

/// Where the files of restored databases go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestoreFiles {
    /// Where they were on their own host.
    AsTheyWere,
    /// Into one folder of the target host, under names of the new database.
    InFolder(String),
    /// By these rules, of which the one with the longest beginning counts; the others stay where they were.
    Moved(Vec<FolderRule>),
    /// Into the target host's default folders for data and logs, under names of the new database.
    Defaults,
}

/// What a path that begins so begins with on the target host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderRule {
    /// The folder on the member's own host.
    pub from: String,
    /// The folder on the target host.
    pub to: String,
}

/// What becomes of the log that a member has and no piece holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TailRule {
    /// It is backed up first, and the restore is not begun where that fails.
    Take,
    /// It is given up.
    GiveUp,
}

/// When it is proven that a member stopped at the mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofRule {
    /// Before any member is opened, wherever the versions of source and target let a database be looked into.
    BeforeOpening,
    /// Each member is opened by its last log, and proven then.
    AfterOpening,
}

impl RestoreAsked {
    /// A restore of all members to this place that overwrites nothing and leaves files where they were.
    #[must_use]
    pub const fn to(place: RestorePlace, run: RunId, based_on: SurveyId) -> Self {
        Self {
            run,
            based_on,
            place,
            files: RestoreFiles::AsTheyWere,
            renames: BTreeMap::new(),
            only: Vec::new(),
            accepts_inconsistency: false,
            replace: false,
            leaves_groups: false,
            tail: TailRule::Take,
            proof: ProofRule::BeforeOpening,
            inspects: false,
            puts_back: true,
            begun: BTreeSet::new(),
            targets: BTreeMap::new(),
        }
    }
}

impl RestorePlace {
    /// The host that a member goes to, as it was asked for; none where nobody said.
    #[must_use]
    pub fn of<'a>(&'a self, member: &'a MemberName) -> Option<&'a HostName> {
        match self {
            Self::OwnHosts => Some(&member.host),
            Self::OneHost(host) => Some(host),
            Self::Mapped(hosts) => {
                let mut hosts = hosts.iter();
                let found = hosts.find(|(from, _)| from.is_same_host(&member.host));
                found.map(|(_, to)| to)
            }
        }
    }
}
