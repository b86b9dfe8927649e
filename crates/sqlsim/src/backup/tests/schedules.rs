//! Random schedules: whatever happened, a restore to a mark gives the rows at the mark.

use proptest::prelude::*;

use super::*;
use crate::storage::testing::{TABLE, mark, numbers, open, row};
use crate::storage::{RowId, TxId};
use crate::value::Value;

#[derive(Debug, Clone)]
enum Act {
    Put {
        tx: u64,
        number: i64,
    },
    Change {
        tx: u64,
        at: usize,
        number: Option<i64>,
    },
    Commit {
        tx: u64,
    },
    Rollback {
        tx: u64,
    },
    Wide {
        tx: u64,
    },
    Mark,
    Checkpoint,
    Full,
    Differential,
    Log,
    Kill,
    /// Restores the database over itself to one of its marks and goes on from there: a fork.
    Rewind {
        to: usize,
    },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (0..3_u64, any::<i64>()).prop_map(|(tx, number)| Act::Put { tx, number }),
        6 => (0..3_u64, 0..20_usize, any::<Option<i64>>())
            .prop_map(|(tx, at, number)| Act::Change { tx, at, number }),
        6 => (0..3_u64).prop_map(|tx| Act::Commit { tx }),
        2 => (0..3_u64).prop_map(|tx| Act::Rollback { tx }),
        2 => (0..3_u64).prop_map(|tx| Act::Wide { tx }),
        4 => Just(Act::Mark),
        1 => Just(Act::Checkpoint),
        1 => Just(Act::Full),
        2 => Just(Act::Differential),
        3 => Just(Act::Log),
        1 => Just(Act::Kill),
        1 => (0..8_usize).prop_map(|to| Act::Rewind { to }),
    ]
}

/// A run: the database, what was backed up, and the rows at each mark.
struct Run {
    bench: Bench,
    database: Database,
    backups: Vec<(String, BackupOutcome)>,
    marks: Vec<(String, Vec<i64>, mtf::Lsn)>,
    seconds: i64,
    files: u32,
}

impl Run {
    fn new() -> Self {
        let bench = Bench::new();
        let database = bench.database("a");
        let full = bench.full(&database, "0");
        let backups = vec![("0".to_owned(), full)];
        Self {
            bench,
            database,
            backups,
            marks: Vec::new(),
            seconds: 0,
            files: 0,
        }
    }

    fn act(&mut self, act: &Act) {
        self.seconds += 1;
        match act {
            Act::Put { tx, number } => {
                self.begin(*tx);
                self.database
                    .insert(TxId(*tx), TABLE, row(*number))
                    .expect("free");
            }
            Act::Change { tx, at, number } => self.change(*tx, *at, *number),
            Act::Commit { tx } => {
                self.begin(*tx);
                let at = time(self.seconds);
                self.database
                    .commit(TxId(*tx), at, None)
                    .expect("the disk works");
            }
            Act::Rollback { tx } => self.database.rollback(TxId(*tx)).expect("the disk works"),
            Act::Wide { tx } => {
                self.begin(*tx);
                let wide = vec![Value::Int(0), Value::Binary(vec![5; 150_000])];
                self.database.insert(TxId(*tx), TABLE, wide).expect("free");
            }
            Act::Mark => self.mark(),
            Act::Checkpoint => {
                self.database.checkpoint().expect("the disk works");
            }
            Act::Full | Act::Differential | Act::Log => self.back_up(act),
            Act::Kill => self.database = open(&self.bench.disk, "a"),
            Act::Rewind { to } => self.rewind(*to),
        }
    }

    fn begin(&self, tx: u64) {
        self.database.begin(TxId(tx)).expect("online");
    }

    fn change(&self, tx: u64, at: usize, number: Option<i64>) {
        self.begin(tx);
        let rows = self.database.scan(Some(TxId(tx)), TABLE);
        let Some(id) = rows.get(at).map(|(id, _): &(RowId, _)| *id) else {
            return;
        };
        // A row that another transaction holds is refused, and nothing happens.
        let _ = match number {
            Some(number) => self.database.update(TxId(tx), TABLE, id, row(number)),
            None => self.database.delete(TxId(tx), TABLE, id),
        };
    }

    fn mark(&mut self) {
        let (tx, name) = (TxId(99), format!("M{}", self.seconds));
        self.database.begin(tx).expect("online");
        self.database
            .insert(tx, TABLE, row(self.seconds))
            .expect("free");
        let mark = mark(&name, self.seconds);
        let lsn = self.database.commit(tx, time(self.seconds), Some(&mark));
        let lsn = lsn.expect("the disk works").expect("a row was written");
        self.marks.push((name, numbers(&self.database), lsn));
    }

    fn rewind(&mut self, to: usize) {
        if self.marks.is_empty() {
            return;
        }
        self.back_up(&Act::Log);
        self.marks.truncate(to % self.marks.len() + 1);
        let (name, expected, lsn) = self.marks[self.marks.len() - 1].clone();
        self.database = self.restore("a", &name, lsn);
        assert_eq!(numbers(&self.database), expected);
        // What lies behind the mark belongs to the fork that was left.
        self.backups.retain(|(_, made)| made.set.last_lsn <= lsn);
    }

    fn back_up(&mut self, act: &Act) {
        self.files += 1;
        let file = self.files.to_string();
        let outcome = match act {
            Act::Full => self.bench.full(&self.database, &file),
            Act::Differential => self.bench.differential(&self.database, &file),
            _ => self.bench.log(&self.database, &file),
        };
        self.backups.push((file, outcome));
    }

    /// Restores to a mark the way design.md's chains say: newest full before it, newest
    /// differential of that full before it, then logs.
    fn restore(&self, to: &str, name: &str, lsn: mtf::Lsn) -> Database {
        let of_kind = |kind| {
            self.backups
                .iter()
                .filter(move |(_, made)| made.set.kind == kind)
        };
        let before = |made: &BackupOutcome| made.set.last_lsn <= lsn;
        let full = of_kind(mtf::BackupKind::Full).rfind(|(_, made)| before(made));
        let (file, full) = full.expect("the run began with one");
        let mut step = self.bench.restore(to, "a", &[file]);
        step.replace = to == "a";
        let existing = Some(&self.database).filter(|_| step.replace);
        let made = self.bench.restore_over(existing, &step);
        let restored = made
            .expect("a sound full")
            .database
            .expect("a full makes one");
        let based = |made: &BackupOutcome| {
            made.set.differential_base_guid == Some(full.set.set_guid) && before(made)
        };
        let mut differentials = of_kind(mtf::BackupKind::Differential);
        if let Some((file, _)) = differentials.rfind(|(_, made)| based(made)) {
            let step = self.bench.restore(to, "a", &[file]);
            self.bench
                .restore_over(Some(&restored), &step)
                .expect("a sound differential");
        }
        for (file, made) in of_kind(mtf::BackupKind::Log) {
            let end = restored.redo_end().expect("it is restoring");
            if made.set.last_lsn <= end {
                continue;
            }
            let step = recovering(at_mark(self.bench.restore(to, "a", &[file]), name));
            if self
                .bench
                .restore_log(&restored, &step)
                .expect("it follows")
                .is_recovered
            {
                break;
            }
        }
        restored
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn every_mark_can_be_restored_exactly(acts in prop::collection::vec(act(), 1..60)) {
        let mut run = Run::new();
        for act in &acts {
            run.act(act);
        }
        run.back_up(&Act::Log);
        for (index, (name, expected, lsn)) in run.marks.iter().enumerate() {
            let restored = run.restore(&format!("r{index}"), name, *lsn);
            prop_assert_eq!(restored.redo_end(), None, "{} was not reached", name);
            prop_assert_eq!(&numbers(&restored), expected, "at {}", name);
        }
    }
}
