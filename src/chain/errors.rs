//! SQL Server's backup and restore errors as data: what each means and what is to be done.
//!
//! Start at [`classify`]. 3013 and 3041 are trailers behind the real error and never decide. Sources: the
//! numbers and severities are those of SQL Server 2022's message list; the cures are Stopmark's.

/// What an error calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// A full without COPY_ONLY, then logs.
    NewChain,
    /// Something else holds the database; wait for it and do the same again.
    Serialise,
    /// It may well work next time.
    Retry,
    /// A person must change something on the host.
    Configuration,
    /// The target file, share or store: another target, or cleaning up, then again.
    Media,
    /// Pieces were applied in the wrong order, or the wrong ones.
    Order,
    /// Data is damaged: a person must look now.
    Damage,
    /// Stopmark did what it must never do.
    Bug,
    /// It follows the real error and says nothing itself.
    Trailer,
}

impl Class {
    /// Every class, in the order of the documentation.
    pub const ALL: &'static [Self] = &[
        Self::NewChain,
        Self::Serialise,
        Self::Retry,
        Self::Configuration,
        Self::Media,
        Self::Order,
        Self::Damage,
        Self::Bug,
        Self::Trailer,
    ];

    /// The class in a word or two, as the documentation has it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NewChain => "new chain",
            Self::Serialise => "wait",
            Self::Retry => "retry",
            Self::Configuration => "configuration",
            Self::Media => "media",
            Self::Order => "order",
            Self::Damage => "damage",
            Self::Bug => "bug",
            Self::Trailer => "trailer",
        }
    }

    /// What the class means, in a clause.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::NewChain => {
                "the log chain is broken or never began: a full without COPY_ONLY, then logs"
            }
            Self::Serialise => "something else holds the database: the same again when it is done",
            Self::Retry => "it may well work next time",
            Self::Configuration => "a person must change something on the host",
            Self::Media => {
                "the file, share or store behind the backup: another target or cleaning up, then again"
            }
            Self::Order => "pieces were applied in the wrong order, or the wrong ones",
            Self::Damage => "data is damaged: a person must look now",
            Self::Bug => "Stopmark did what it must never do",
            Self::Trailer => "it follows the real error and never decides",
        }
    }
}

/// One error of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// SQL Server's number.
    pub number: i32,
    /// What it calls for.
    pub class: Class,
    /// What it means.
    pub meaning: &'static str,
    /// What Stopmark does by itself.
    pub stopmark: &'static str,
    /// What a person does.
    pub person: &'static str,
}

/// The entry of an error number; none for numbers that say nothing about backups. Operating-system errors
/// inside 3201 (cannot open), 3202 (write) and 3203 (read) decide there.
#[must_use]
pub fn classify(number: i32, os_error: Option<i32>) -> Option<Known> {
    let known = TABLE.iter().find(|known| known.number == number).copied()?;
    let class = match (number, os_error) {
        // Not found, path not found, access denied; URL: credential or bucket wrong, TLS not trusted.
        (3201, Some(2 | 3 | 5 | 50 | 12175)) => Class::Configuration,
        // A sharing violation passes when the other reader closes.
        (3201, Some(32)) => Class::Serialise,
        // The network: path not found, name deleted, unexpected error, semaphore timeout.
        (3201..=3203, Some(53 | 59 | 64 | 121)) => Class::Retry,
        _ => known.class,
    };
    Some(Known { class, ..known })
}

/// What a person does about an error that was met, where nobody knows better: by the table. A trailer without its cause says
/// as little as a number that is not there, and about those that pass by themselves the table has nothing to say.
#[must_use]
pub fn hint_of(number: i32) -> &'static str {
    let known = classify(number, None).filter(|known| known.class != Class::Trailer);
    let person = known.map(|known| known.person);
    let person = person.filter(|person| *person != NO_CURE);
    person.unwrap_or("SQL Server's error log has more")
}

/// Joining a database that still lacks log: more logs cure it, unless their backups were what it lacks.
const JOINING: [i32; 2] = [1408, 1412];

/// The errors that an event session of ours keeps: those that call for a new chain, and those of joining.
pub fn heard() -> impl Iterator<Item = i32> {
    let is_heard =
        |known: &&Known| known.class == Class::NewChain || JOINING.contains(&known.number);
    TABLE.iter().filter(is_heard).map(|known| known.number)
}

/// The number of the operating system's error in the text of 3201, 3202, 3271 and their like: `5` in
/// "Operating system error 5(Access is denied.)" and `112` in "failed: 112(There is not enough space)".
#[must_use]
pub fn os_error(text: &str) -> Option<i32> {
    ["perating system error ", "failed: ", "occurred on file "]
        .iter()
        .filter_map(|lead| text.split_once(lead))
        .find_map(|(_, rest)| number_before_parenthesis(rest))
}

/// The first run of digits that stands directly before a `(`.
fn number_before_parenthesis(text: &str) -> Option<i32> {
    text.match_indices('(').find_map(|(at, _)| {
        let before = &text[..at];
        let digits = before.len() - before.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        before[before.len() - digits..].parse().ok()
    })
}

const NEW_CHAIN: &str = "takes a full without COPY_ONLY, then a mark and logs";
const JOIN_AGAIN: &str = "run `stopmark backup full --new-chain MEMBER`, then join again";
const AGAIN: &str = "tries again";
const WAITS: &str = "waits and tries again";
/// Of errors that pass by themselves.
const NO_CURE: &str = "nothing";
/// SQL Server writes it down and tells no client.
const UNHEARD: &str = "never hears it: it stands in the error log of the host only";
/// The same, behind an error that a client does get.
const UNHEARD_TRAILER: &str = "never hears it: the error that broke the backup off decides";
/// A log backup that ends well, with a message that says nothing about its chain; `service::alarm` finds its cause.
const LOG_HELD: &str = "takes the log all the same; from half of `[alarms] log_used` on, `stopmark check` and the alarms tell \
                        of what holds it";
/// The same; `plan::assess` finds its cause.
const READ_ONLY: &str =
    "takes the log all the same; warns of the member, which cannot carry a mark";
/// `sql::restored` is who looks.
const LOOKS_FIRST: &str = "looks first whether this very log is in, and again when it is refused; where it is not, stops the \
                           restore, and the next one is planned anew from the catalog";
/// Of logs that were to be taken on a secondary replica (`plan::replicas`), or on a primary one that is none any more
/// (`plan::mark`).
const ON_PRIMARY: &str =
    "takes the log on the primary replica in the run's next round, where the policy lets it";
/// [`ON_PRIMARY`], after the tries of `[policy] retry_times`.
const AGAIN_ON_PRIMARY: &str = "tries again, then takes the log on the primary replica in the run's next round, where the policy lets it";
/// Somebody else's session joins; what it met is heard and is no break.
const JOINS: &str = "hears it and takes it for no break; log backups wait while a seeding goes on";
/// What a delivery finds in the file (`verify`) never becomes a piece (SM0707); what a restore meets stops it.
const UNSOUND: &str = "publishes no file that is found like this when it is delivered, and the next run mends the chain; \
                       stops a restore, and the next one fetches the file anew";
const STOPS: &str = "stops this member, reports it";
const REPLANS: &str = "stops the restore; the next one is planned anew from the catalog";

macro_rules! table {
    ($($number:literal $class:ident, $meaning:literal, $stopmark:expr, $person:expr;)*) => {
        /// The whole table, by number.
        pub const TABLE: &[Known] = &[$(Known {
            number: $number,
            class: Class::$class,
            meaning: $meaning,
            stopmark: $stopmark,
            person: $person,
        },)*];
    };
}

table! {
    823 Damage, "an I/O error on a database page", STOPS, "check the disk, run DBCC CHECKDB";
    824 Damage, "a page is logically inconsistent", STOPS, "check the disk, run DBCC CHECKDB";
    825 Damage, "a page could only be read again after failures", UNHEARD, "check the disk soon: it is failing";
    832 Damage, "a page changed in memory", STOPS, "check the memory of the host";
    924 Configuration, "the database is in single-user mode", STOPS, "set it to MULTI_USER";
    927 Order, "the database is being restored", STOPS, "finish or recover the restore";
    942 Configuration, "the database is offline", STOPS, "bring it online";
    945 Configuration, "the database cannot be opened: files, memory or disk space", STOPS, "read the error log of the host";
    946 Configuration, "the database cannot be opened by this version", STOPS, "check the version of the host";
    1205 Retry, "a deadlock chose this statement as its victim", AGAIN, NO_CURE;
    1222 Retry, "a lock was not given in time", AGAIN, "see who holds it";
    1408 Retry, "the joining database's log does not reach far enough yet", JOINS, "restore the logs after it, then join again";
    1412 Retry, "the joining database lacks the newest log backup", JOINS, "restore the newest log, then join again";
    1475 NewChain, "bulk-logged changes that are in no log backup, or no full began the chain", NEW_CHAIN, JOIN_AGAIN;
    3009 Configuration, "the backup was taken, but its history row could not be written", "reads the file instead, else takes a full", "make room in msdb";
    3013 Trailer, "a backup or restore ended; the real error stands before it", "reports the error before it", "read the error before it";
    3021 Bug, "a backup inside a transaction", STOPS, "report it to Stopmark";
    3023 Serialise, "another backup or a file change is going on", WAITS, "see who else backs this database up";
    3035 NewChain, "a differential without a base", "takes a full", "see who restored or moved the base";
    3039 NewChain, "a differential without a base that it could use", "takes a full", "make VSS snapshots copy-only";
    3041 Trailer, "the event-log companion of a failed backup", UNHEARD, "read the error before it";
    3043 Damage, "a page has a wrong checksum", STOPS, "run DBCC CHECKDB, restore the page";
    3049 Damage, "the log is damaged", STOPS, "repair, then run `stopmark backup full --new-chain MEMBER`";
    3053 Damage, "a page could not be read by the backup", STOPS, "run DBCC CHECKDB";
    3057 Configuration, "a device name is too long", STOPS, "use a shorter share path: 259 characters in all";
    3058 Configuration, "a file or device name is too long", STOPS, "use a shorter share path: 259 characters in all";
    3059 Configuration, "this backup is not allowed on a mirror or secondary", ON_PRIMARY, "check `log_backup_preference`";
    3062 Retry, "the secondary is not synchronising", AGAIN_ON_PRIMARY, "check the availability group";
    3063 Media, "the blob has too many blocks", STOPS, "use more stripes, compression and larger transfers";
    3064 Media, "a write to the blob came out of order", STOPS, "check who else writes there";
    3065 Media, "the blob's block list could not be committed", STOPS, "check the storage account";
    3101 Serialise, "the database is in use", WAITS, "close its connections";
    3102 Serialise, "the database is in use by this very connection", WAITS, "report it to Stopmark";
    3104 Configuration, "the database is in an availability group or mirrored", STOPS, "take it out of the group first";
    3117 Order, "no file is ready to be rolled forward", REPLANS, "restore from the full on";
    3132 Order, "a stripe is missing", REPLANS, "check that the whole set is there";
    3136 Order, "the differential does not fit the database", REPLANS, "restore its own base first";
    3154 Order, "the backup is of another database", STOPS, "name another target";
    3156 Configuration, "a file cannot be restored to its place", STOPS, "give a data folder that exists";
    3159 Order, "the tail of the log has not been backed up", STOPS, "back up the tail, or name another target";
    3169 Configuration, "the backup is of a newer version", STOPS, "restore on the same version or a newer one";
    3173 Order, "the tail of the log has not been backed up", STOPS, "back up the tail, or name another target";
    3178 Order, "the file is not in the state that the differential needs", REPLANS, "restore its own base first";
    3182 Damage, "the backup is damaged and cannot be restored", STOPS, "restore another point";
    3183 Damage, "a page in the backup is damaged", STOPS, "restore another point";
    3186 Damage, "the backup is damaged", STOPS, "restore another point";
    3187 Configuration, "CHECKSUM was asked of a backup that has none", STOPS, "verify without checksums";
    3189 Damage, "a damage was found in the backup", STOPS, "restore another point";
    3201 Media, "a backup file cannot be opened", STOPS, "check that the host's account may write to the share";
    3202 Media, "a write to a backup file failed", STOPS, "make room on the share; where it has room, check the share";
    3203 Media, "a read from a backup file failed", STOPS, "check the share";
    3220 Configuration, "the credential does not fit the URL", STOPS, "make the credential anew";
    3225 Configuration, "WITH CREDENTIAL with a shared access signature", STOPS, "make the credential anew";
    3227 Order, "a stripe was given twice", REPLANS, "report it to Stopmark";
    3231 Order, "the number of stripes is wrong", REPLANS, "check that the whole set is there";
    3233 Configuration, "the identity of the S3 credential is wrong", STOPS, "make the credential anew";
    3236 Media, "the S3 object has too many parts", STOPS, "use more stripes or larger transfers";
    3238 Media, "the backup is larger than the store takes", STOPS, "use more stripes";
    3241 Media, "the file is not a backup, or not a whole one", UNSOUND, "check the disk behind the share";
    3242 Media, "the file is not a backup of this format", STOPS, "check what the file is";
    3243 Media, "the file was written by another version", STOPS, "restore on the version that wrote it";
    3255 Media, "the backup is of a version that cannot be restored", STOPS, "restore on the version that wrote it";
    3256 Media, "the backup in the file was not finished", UNSOUND, "see why the backup was broken off";
    3257 Configuration, "there is no room for the restored files", STOPS, "make room on the target host";
    3266 Media, "the end of the backup in the file is damaged", UNSOUND, "check the disk behind the share";
    3271 Retry, "an I/O error that the backup could not get over", AGAIN, "check the disk behind the share";
    3288 Configuration, "the credential does not exist", STOPS, "make the credential";
    3289 Configuration, "there is no credential for the URL", STOPS, "make the credential";
    3290 Retry, "the remote store answered with an error", AGAIN, "check the store";
    3292 Retry, "a request to the store failed", AGAIN, "check the store";
    3295 Retry, "the store could not be reached", AGAIN, "check the store";
    3296 Media, "the file exists and FORMAT was not said", STOPS, "report it to Stopmark";
    3298 Serialise, "the blob is leased by somebody else", WAITS, "break the lease of an abandoned backup";
    3431 Configuration, "recovery waits for distributed transactions in doubt", STOPS, "resolve them in MSDTC";
    3437 Configuration, "recovery cannot reach the coordinator of a transaction", STOPS, "start MSDTC";
    3634 Configuration, "the operating system refused a file", STOPS, "check rights and paths of the target folder";
    3702 Serialise, "the database is in use", WAITS, "end the sessions that use it";
    4202 Damage, "bulk-logged changes while a filegroup is offline", STOPS, "bring the filegroup online";
    4208 NewChain, "a log backup in the SIMPLE recovery model", STOPS, "set the recovery model to FULL; the next run starts a new chain";
    4214 NewChain, "a log backup without any full before it", NEW_CHAIN, "see who changed the recovery model";
    4215 Configuration, "the log was not truncated: replication or change data capture waits", LOG_HELD, "start the log reader";
    4217 Configuration, "a log backup of a read-only database, which goes on and truncates nothing", READ_ONLY, "make it writable, or take it out of the group";
    4219 NewChain, "the log chain is broken", NEW_CHAIN, "see who changed the recovery model";
    4303 Order, "more logs are needed", REPLANS, "restore the logs after it";
    4305 Order, "an earlier log is missing", REPLANS, "restore the earlier log first";
    4312 Order, "the log does not follow: a gap", REPLANS, "restore another point";
    4318 Order, "more logs are needed", REPLANS, "restore the logs after it";
    4326 Order, "the log is already in", LOOKS_FIRST, "go on with the next log";
    4327 Order, "the log holds bulk-logged changes and was rolled to its end", STOPS, "restore another point";
    4329 Order, "the mark is not in this log", "goes on with the next log", "restore another point";
    4330 Order, "the log is of another recovery fork", REPLANS, "restore another point";
    4333 Order, "the database cannot be recovered: the log was not restored far enough", REPLANS, "restore the logs after it";
    4339 Order, "the restore sequence is not finished", REPLANS, "restore the logs after it";
    4341 Order, "no stop is possible in a log with bulk-logged changes", STOPS, "restore another point";
    4349 Order, "the log is too early for a file", REPLANS, "restore the log of the time before the file";
    8909 Damage, "a page belongs to another object than its header says", STOPS, "run DBCC CHECKDB, restore the page";
    8928 Damage, "a page could not be processed", STOPS, "run DBCC CHECKDB, restore the page";
    8938 Damage, "the object of a damaged page", STOPS, "run DBCC CHECKDB, restore the page";
    8939 Damage, "a page's header is wrong", STOPS, "run DBCC CHECKDB, restore the page";
    8998 Damage, "allocation pages are damaged, so that CHECKDB could not look at all", STOPS, "restore the page or the database";
    9002 Retry, "the log is full", AGAIN, "see `log_reuse_wait_desc` of the database";
    9019 Retry, "the log is in use on the secondary", AGAIN_ON_PRIMARY, NO_CURE;
    18204 Media, "a backup device could not be opened", STOPS, "check that the host's account may write to the share";
    18210 Media, "a backup device failed", STOPS, "check the share";
    35294 Retry, "the secondary could not learn from the primary where its log backup begins", AGAIN_ON_PRIMARY, "check the availability group";
    35295 Retry, "the secondary lacks log that is backed up already", AGAIN_ON_PRIMARY, "see why log arrives there so late";
    35296 Retry, "the primary took no note of the secondary's log backup, which does not count", AGAIN_ON_PRIMARY, "check the availability group";
    35297 Trailer, "the secondary's log was taken; the primary may not know, and the next one begin there too", "keeps it: the chain goes on", NO_CURE;
    35298 Trailer, "the secondary's backup was broken off, and the primary could not be told", UNHEARD_TRAILER, NO_CURE;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_so_that_none_is_there_twice() {
        assert!(TABLE.is_sorted_by(|a, b| a.number < b.number));
    }

    #[test]
    fn trailers_never_decide() {
        for number in [3013, 3041] {
            let known = classify(number, None).expect("in the table");
            assert_eq!(known.class, Class::Trailer);
        }
    }

    #[test]
    fn what_ends_a_chain_asks_for_a_new_one() {
        for number in [1475, 4214, 4219, 4208] {
            let known = classify(number, None).expect("in the table");
            assert_eq!(known.class, Class::NewChain, "{number}");
        }
    }

    #[test]
    fn the_operating_systems_error_decides_behind_3201() {
        let class = |os| classify(3201, os).expect("in the table").class;
        assert_eq!(class(Some(5)), Class::Configuration);
        assert_eq!(class(Some(32)), Class::Serialise);
        assert_eq!(class(Some(64)), Class::Retry);
        assert_eq!(class(Some(112)), Class::Media);
        assert_eq!(class(None), Class::Media);
    }

    #[test]
    fn numbers_that_say_nothing_about_backups_are_unknown() {
        assert_eq!(classify(8134, None), None);
    }

    #[test]
    fn the_operating_systems_error_is_found_in_the_text() {
        for (text, number) in [
            (
                "Cannot open backup device '\\\\nas\\b\\x.bak'. Operating system error 5(Access is denied.).",
                Some(5),
            ),
            (
                "Write on \"D:\\b (1)\\x.bak\" failed: 112(There is not enough space on the disk.)",
                Some(112),
            ),
            (
                "A nonrecoverable I/O error occurred on file \"D:\\x.bak:\" 112(There is not enough space).",
                Some(112),
            ),
            ("Operating system error 99999999999(x)", None),
            ("The backup device is fine.", None),
        ] {
            assert_eq!(os_error(text), number, "{text}");
        }
    }
}
