//! The table of codes: the single source for the docs page, the exit codes and the tests.
//!
//! A code is never reused for another meaning. Add at the end of its room's block.

use std::fmt;

/// How the process ends; documented in the README and stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// Failed.
    Failed = 1,
    /// The command line was wrong.
    Usage = 2,
    /// Done, but something is not as it should be.
    Degraded = 3,
    /// Nothing can be restored.
    NothingRestorable = 4,
    /// The configuration is wrong.
    Config = 10,
    /// Another agent holds the lease.
    LeaseHeld = 11,
    /// Interrupted by a person.
    Interrupted = 130,
}

impl Exit {
    /// Every way to end, by number.
    pub const ALL: &'static [Self] = &[
        Self::Ok,
        Self::Failed,
        Self::Usage,
        Self::Degraded,
        Self::NothingRestorable,
        Self::Config,
        Self::LeaseHeld,
        Self::Interrupted,
    ];

    /// What it means, in a few words, as the documentation says it.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done",
            Self::Failed => "failed",
            Self::Usage => "the command line was wrong",
            Self::Degraded => "done, but something is not as it should be",
            Self::NothingRestorable => "nothing can be restored",
            Self::Config => "the configuration is wrong",
            Self::LeaseHeld => "another agent or another job is at work",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What a caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The configuration file or the command line.
    Config,
    /// A host: unreachable, refused, or not as it should be.
    Host,
    /// A right that the agent's login lacks.
    Right,
    /// A linked server.
    Link,
    /// A mark.
    Mark,
    /// A backup statement.
    Backup,
    /// A chain of pieces.
    Chain,
    /// An object store or the share.
    Store,
    /// A restore.
    Restore,
    /// A fault of Stopmark's own.
    Bug,
}

/// Declares the table once; the enum, the text form and the list all come from it.
macro_rules! codes {
    ($($name:ident = $text:literal, $kind:ident, $exit:ident, $meaning:literal;)*) => {
        /// A stable code, `SM` and four digits: 01 config, 02 survey, 03 link, 04 mark, 05 backup, 06 chain,
        /// 07 store, 08 restore and drill, 09 service, 90 bug.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $name,)*
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The text form, `SM0101`.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What a caller can do about it.
            #[must_use]
            pub const fn kind(self) -> Kind {
                match self { $(Self::$name => Kind::$kind,)* }
            }

            /// The exit code of a command that ends with it.
            #[must_use]
            pub const fn exit(self) -> Exit {
                match self { $(Self::$name => Exit::$exit,)* }
            }

            /// What it means, in one line.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }
        }
    };
}

codes! {
    ConfigUnreadable = "SM0101", Config, Config, "the configuration file cannot be read";
    ConfigSyntax = "SM0102", Config, Config, "the configuration file is not valid TOML or has a key or type that Stopmark does not know";
    ConfigValue = "SM0103", Config, Config, "a value in the configuration cannot be used";
    ConfigDuplicate = "SM0104", Config, Config, "two entries of the configuration name the same thing";
    SecretMissing = "SM0105", Config, Config, "a secret that the configuration names is missing";
    ConfigSchedule = "SM0106", Config, Config, "a schedule cannot be used";
    CommandLine = "SM0107", Config, Usage, "the command line cannot be understood";
    SecretExposed = "SM0108", Config, Degraded, "a file that holds a secret can be read or changed by others";
    HostUnreachable = "SM0201", Host, Failed, "a host does not answer";
    LoginRefused = "SM0202", Host, Failed, "a host refuses the agent's login";
    WrongTrueName = "SM0203", Host, Failed, "a host says that it has another name than the configuration";
    MemberMissing = "SM0204", Host, Failed, "a member's database does not exist, or the login may not see it";
    MemberUnfit = "SM0205", Host, Failed, "a member's database is in a state in which it cannot be backed up";
    RecoverySimple = "SM0206", Host, Failed, "a member is in the SIMPLE recovery model and cannot carry a mark";
    RightMissing = "SM0207", Right, Failed, "the agent's login lacks a right";
    HostTls = "SM0208", Host, Failed, "a host's certificate cannot be trusted";
    StatementFailed = "SM0209", Host, Failed, "a host refuses a statement";
    EventsUnheard = "SM0213", Host, Failed, "errors that others meet on a host, such as 1475, are not heard";
    ConnectionLost = "SM0210", Host, Failed, "the connection to a host broke";
    AppLockHeld = "SM0211", Host, LeaseHeld, "another job holds the backup lock of the BizTalk group";
    RecoveryBulkLogged = "SM0212", Host, Degraded, "a member is in the `BULK_LOGGED` recovery model: a bulk change voids the mark in its log";
    ReplicaMoved = "SM0214", Host, Degraded, "an availability group has failed over, and a member is on another host than listed";
    ReplicaContested = "SM0215", Host, Failed, "two hosts claim the primary replica of a member";
    HostUntried = "SM0216", Host, Degraded, "a host's version or edition is none that Stopmark is expected to work with";
    PrimaryAway = "SM0217", Host, Degraded, "the primary of a member is a Managed Instance, where no mark can be placed";
    HistoryForgotten = "SM0218", Host, Degraded, "the backup history of a host no longer knows the newest backup of a member";
    ClocksApart = "SM0219", Host, Failed, "the clock of this machine is far ahead of a host's, or nobody can say that it is not";
    LogFilling = "SM0221", Host, Degraded, "a member's log is nearly as full as it can become";
    LogHeld = "SM0222", Host, Degraded, "something other than log backups keeps a member's log from being reused";
    DiskFilling = "SM0223", Host, Degraded, "a disk that members have files on has little room left";
    BizTalkUnfit = "SM0231", Host, Degraded, "the management database of a BizTalk group lacks something, or names something in two ways";
    BackupJobBeside = "SM0232", Host, Degraded, "another job backs up the same databases";
    TopologyDrift = "SM0233", Host, Degraded, "the databases of a group are not those that its newest set holds";
    LinkMissing = "SM0301", Link, Failed, "a linked server that a mark needs does not exist";
    LinkWrong = "SM0302", Link, Failed, "a linked server is not as a mark needs it";
    LinkTestFailed = "SM0303", Link, Failed, "a linked server cannot reach its host";
    LinkForeign = "SM0304", Link, Failed, "a linked server was not made by Stopmark and is not touched in a run";
    MarkFailed = "SM0401", Mark, Failed, "the marked transaction failed";
    MarkUnconfirmed = "SM0402", Mark, Failed, "a mark is missing in a member's history";
    MarkLogMissing = "SM0403", Mark, Failed, "a member lacks the table or procedure that marks need";
    MarkInFlight = "SM0404", Mark, Failed, "another mark is open on a host";
    DistributedTransaction = "SM0405", Mark, Failed, "the hosts cannot join a distributed transaction";
    BackupFailed = "SM0501", Backup, Failed, "a backup statement failed";
    BackupNoRow = "SM0502", Backup, Failed, "a backup ended without a row in the backup history";
    ShareUnseen = "SM0503", Store, Failed, "the agent does not see the files that a host wrote to the share";
    DiskFull = "SM0504", Store, Failed, "a disk is full";
    ShareUnwritable = "SM0505", Store, Failed, "a host cannot write to the share";
    ShareBacklog = "SM0506", Store, Degraded, "more waits on the shares for a store than may";
    LogsPaused = "SM0507", Backup, Degraded, "a member's backups wait until it has been seeded to a replica, or until a secondary replica is in step";
    ReplicaBehind = "SM0508", Backup, Degraded, "a secondary replica had not yet the log that holds a mark";
    PauseOver = "SM0510", Backup, Degraded, "a member's backups waited as long as they may, and were taken although their reason to wait lasts";
    BackupRunning = "SM0512", Backup, Degraded, "a backup still runs that may be one of Stopmark's";
    BackupsOwed = "SM0511", Backup, Degraded, "backups of earlier runs could not be brought home yet";
    CompanionLeftOut = "SM0509", Backup, Degraded, "a database beside the group was not backed up";
    ChainBroken = "SM0601", Chain, Degraded, "a member's log chain is broken";
    NoPoint = "SM0602", Chain, NothingRestorable, "there is no mark to which every member can be restored";
    PointUnknown = "SM0603", Chain, Failed, "no such point";
    PlaceContested = "SM0604", Chain, Degraded, "two backups claim one place in a chain";
    NothingProven = "SM0605", Chain, Failed, "a prune would leave the group without a proven point";
    Quarantined = "SM0606", Chain, Degraded, "a member's chain breaks again and again, and is not mended for now";
    DatabaseReplaced = "SM0607", Chain, Degraded, "a member is another database than the one that was backed up";
    MarkHeldBack = "SM0608", Chain, Degraded, "a mark was published and is no point yet";
    StoreUnreachable = "SM0701", Store, Failed, "an object store does not answer";
    StoreRefused = "SM0702", Store, Failed, "an object store refuses the request";
    StoreMismatch = "SM0703", Store, Failed, "what an object store holds is not what was sent";
    ObjectExists = "SM0704", Store, Failed, "an object of this name exists already";
    ObjectMissing = "SM0705", Store, Failed, "an object is missing from the store";
    LeaseHeld = "SM0706", Store, LeaseHeld, "another agent holds the group's lease";
    MediaUnsound = "SM0707", Store, Failed, "a backup file is not sound or not what was asked for";
    ManifestUnreadable = "SM0708", Store, Failed, "a manifest or log entry cannot be read";
    CatalogFailed = "SM0709", Store, Failed, "the local catalog cannot be used";
    StoreOverwrites = "SM0710", Store, Failed, "an object store does not honour create-if-absent";
    PlaceUnknown = "SM0711", Store, Usage, "a path or url names nothing that can be read";
    PlaceUnreadable = "SM0712", Store, Failed, "a file or folder cannot be read";
    NoCredentials = "SM0713", Store, Failed, "nobody gave credentials for a url";
    NoMedia = "SM0714", Store, Degraded, "a file is no SQL Server backup, or one that cannot be opened";
    StripeMissing = "SM0715", Store, Degraded, "a stripe of a backup is missing";
    MediaSuspect = "SM0716", Store, Degraded, "a backup file looks damaged, but may be sound";
    MediaForeign = "SM0721", Store, Degraded, "a backup file belongs to no member of the group, or not beyond doubt";
    MediaUnfit = "SM0722", Store, Degraded, "a backup file holds what cannot be a piece";
    MediaChanged = "SM0723", Store, Failed, "a backup file changed or vanished after it was examined";
    SealKeyMissing = "SM0731", Store, Failed, "a piece is sealed, and no key that is here opens it";
    EscrowUnconfirmed = "SM0732", Store, Degraded, "nobody has confirmed lately that the keys of sealed pieces are kept in another place";
    LogsDiffer = "SM0741", Store, Failed, "two stores hold different logs of one group";
    RestoreFailed = "SM0801", Restore, Failed, "a restore statement failed";
    MarkNotReached = "SM0802", Restore, Failed, "a restored member did not stop at the mark";
    TargetExists = "SM0803", Restore, Failed, "the restore would overwrite a database";
    TargetRoom = "SM0804", Restore, Failed, "a target host lacks the room for the restored files";
    TargetUnfit = "SM0805", Restore, Failed, "a target host cannot take what would be restored there";
    InconsistentRestore = "SM0806", Restore, Failed, "only some members of the group would come back";
    DrillHostUnfit = "SM0807", Restore, Failed, "a drill cannot be held on a host";
    DrillCheckUnfit = "SM0808", Restore, Failed, "a drill's check cannot be asked";
    DrillCheckFailed = "SM0809", Restore, Failed, "a drill's check did not find what it should";
    DatabaseUnsound = "SM0810", Restore, Failed, "a restored database is not sound";
    ScratchForeign = "SM0811", Restore, Failed, "a database of a drill's name is not what the drill made";
    SettingsLeft = "SM0812", Restore, Degraded, "a restored database lacks what it had on its host beside its data";
    GroupLeft = "SM0813", Restore, Degraded, "a database leaves its availability group before it is restored over";
    StateUnwritable = "SM0901", Host, Failed, "the state folder cannot be used";
    JournalUnreadable = "SM0902", Bug, Failed, "a journal cannot be read";
    Interrupted = "SM0903", Host, Interrupted, "interrupted by a person";
    RunBusy = "SM0904", Host, LeaseHeld, "another run is using this state folder";
    ServiceTwice = "SM0905", Host, LeaseHeld, "another service uses this state folder";
    PortTaken = "SM0906", Host, Failed, "the status page cannot listen at its address";
    NoticeUndelivered = "SM0907", Host, Degraded, "a notice did not reach somebody who should be told";
    ReloadRefused = "SM0908", Config, Config, "a changed configuration cannot be taken up without a restart";
    ManagerRefused = "SM0912", Host, Failed, "the service manager of the system refused something";
    Bug = "SM9001", Bug, Failed, "a fault of Stopmark's own";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Code;

    #[test]
    fn no_code_is_used_twice_and_all_have_their_form() {
        let texts: HashSet<_> = Code::ALL.iter().map(|code| code.text()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        for text in texts {
            assert!(text.len() == 6 && text.starts_with("SM"), "{text}");
            assert!(text[2..].chars().all(|c| c.is_ascii_digit()), "{text}");
        }
    }
}
