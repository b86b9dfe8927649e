//! Journals as files: `<state>/runs/<run-id>.jsonl`, one event a line, on the disk before the act.
//!
//! Start at [`JournalFolder`]. A line is `{"format":1,"sequence":n,"crc32c":"xxxxxxxx","event":{..}}`; the
//! checksum is over the event's JSON text as it stands. A last line that is torn is dropped: what it would
//! have announced had not begun. A torn line anywhere else is damage and refused.
//!
//! This file never interprets events; `record.rs` does.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::events::{Event, JOURNAL_FORMAT};
use crate::error::{Code, Error, Result};
use crate::model::RunId;
use crate::world::{Journal, Journals};

/// The folder that holds the journals of one agent.
#[derive(Debug)]
pub struct JournalFolder {
    folder: PathBuf,
}

/// One open journal.
#[derive(Debug)]
struct JournalFile {
    path: PathBuf,
    file: File,
    next_sequence: u64,
}

/// One line as written.
#[derive(Serialize)]
struct LineOut<'a> {
    format: u16,
    sequence: u64,
    crc32c: String,
    event: &'a RawValue,
}

/// One line as read; unknown fields are left alone.
#[derive(Deserialize)]
struct LineIn<'a> {
    format: u16,
    sequence: u64,
    crc32c: String,
    #[serde(borrow)]
    event: &'a RawValue,
}

/// A journal's sound lines and where they end.
struct Sound {
    events: Vec<Event>,
    length_bytes: u64,
}

impl JournalFolder {
    /// The folder `<state>/runs`, made if it is not there.
    pub fn open(state: &Path) -> Result<Self> {
        let folder = state.join("runs");
        fs::create_dir_all(&folder).map_err(|error| unwritable(&folder, error))?;
        Ok(Self { folder })
    }

    fn path(&self, run: RunId) -> PathBuf {
        self.folder.join(format!("{run}.jsonl"))
    }
}

impl Journals for JournalFolder {
    fn create(&self, run: RunId) -> Result<Box<dyn Journal>> {
        let path = self.path(run);
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(&path)
            .map_err(|error| unwritable(&path, error))?;
        sync_folder(&self.folder)?;
        Ok(Box::new(JournalFile {
            path,
            file,
            next_sequence: 0,
        }))
    }

    fn reopen(&self, run: RunId) -> Result<Box<dyn Journal>> {
        let path = self.path(run);
        let sound = read_sound(&path)?;
        let file = OpenOptions::new()
            .append(true)
            .open(&path)
            .map_err(|error| unwritable(&path, error))?;
        file.set_len(sound.length_bytes)
            .map_err(|error| unwritable(&path, error))?;
        let next_sequence = u64::try_from(sound.events.len()).unwrap_or(u64::MAX);
        Ok(Box::new(JournalFile {
            path,
            file,
            next_sequence,
        }))
    }

    fn read(&self, run: RunId) -> Result<Vec<Event>> {
        read_sound(&self.path(run)).map(|sound| sound.events)
    }

    fn runs(&self) -> Result<Vec<RunId>> {
        let entries =
            fs::read_dir(&self.folder).map_err(|error| unwritable(&self.folder, error))?;
        let mut runs: Vec<RunId> = entries
            .filter_map(|entry| {
                let name = entry.ok()?.file_name();
                name.to_str()?.strip_suffix(".jsonl")?.parse().ok()
            })
            .collect();
        runs.sort_unstable();
        Ok(runs)
    }

    fn unfinished(&self) -> Result<Vec<RunId>> {
        let mut unfinished = Vec::new();
        for run in self.runs()? {
            let path = self.path(run);
            if is_unfinished(&path).map_err(|error| unwritable(&path, error))? {
                unfinished.push(run);
            }
        }
        Ok(unfinished)
    }

    fn ends(&self, run: RunId) -> Result<Option<(Event, Option<Event>)>> {
        let path = self.path(run);
        let lines = first_and_last(&path).map_err(|error| unwritable(&path, error))?;
        let Some((first, last)) = lines else {
            return Ok(None);
        };
        let first = event_of(first.as_bytes(), 0).map_err(|fault| fault.at(&path, 1))?;
        // A last line that cannot be understood ends nothing.
        let ended = last.filter(|last| ends_run(last)).and_then(|last| {
            let line: LineIn<'_> = serde_json::from_str(&last).ok()?;
            serde_json::from_str(line.event.get()).ok()
        });
        Ok(Some((first, ended)))
    }
}

/// The first line of a journal, and its last whole line where that is short.
fn first_and_last(path: &Path) -> io::Result<Option<(String, Option<String>)>> {
    let mut file = io::BufReader::new(File::open(path)?);
    let mut first = String::new();
    io::BufRead::read_line(&mut file, &mut first)?;
    if !first.ends_with('\n') {
        return Ok(None);
    }
    Ok(Some((first.trim_end().to_owned(), last_line(path)?)))
}

fn ends_run(line: &str) -> bool {
    line.contains(r#""event":{"event":"run_ended""#)
}

/// The tail of a journal that is read to see whether its last line says that the run ended.
const TAIL_BYTES: u64 = 4096;

/// Whether the journal holds a whole line and its last whole line does not end the run.
fn is_unfinished(path: &Path) -> io::Result<bool> {
    let has_more = File::open(path)?.metadata()?.len() > TAIL_BYTES;
    Ok(last_line(path)?.map_or(has_more, |last| !ends_run(&last)))
}

/// The last whole line, or the end of it where it is long; none where no line ends in the tail. Reading only the
/// tail keeps the start of an agent quick after years of runs.
fn last_line(path: &Path) -> io::Result<Option<String>> {
    let mut file = File::open(path)?;
    let length_bytes = file.metadata()?.len();
    file.seek(SeekFrom::Start(length_bytes.saturating_sub(TAIL_BYTES)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let Some(end) = tail.iter().rposition(|byte| *byte == b'\n') else {
        return Ok(None);
    };
    let start = tail[..end]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    Ok(Some(
        String::from_utf8_lossy(&tail[start..end]).into_owned(),
    ))
}

impl Journal for JournalFile {
    fn append(&mut self, event: &Event) -> Result<()> {
        let line = line_of(self.next_sequence, event)
            .map_err(|error| unreadable(&self.path, "an event cannot be written").source(error))?;
        self.file
            .write_all(line.as_bytes())
            .and_then(|()| self.file.sync_data())
            .map_err(|error| unwritable(&self.path, error))?;
        self.next_sequence += 1;
        Ok(())
    }
}

fn line_of(sequence: u64, event: &Event) -> serde_json::Result<String> {
    let event = serde_json::value::to_raw_value(event)?;
    let crc32c = format!("{:08x}", crc32c::crc32c(event.get().as_bytes()));
    let line = LineOut {
        format: JOURNAL_FORMAT,
        sequence,
        crc32c,
        event: &event,
    };
    Ok(serde_json::to_string(&line)? + "\n")
}

fn read_sound(path: &Path) -> Result<Sound> {
    let bytes = fs::read(path).map_err(|error| unwritable(path, error))?;
    let mut sound = Sound {
        events: Vec::new(),
        length_bytes: 0,
    };
    let mut rest = bytes.as_slice();
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let (line, after) = (&rest[..end], &rest[end + 1..]);
        match event_of(line, sound.events.len()) {
            Ok(event) => sound.events.push(event),
            // A torn write can hold a line end; it is still the last thing in the file.
            Err(LineFault::Torn) if after.is_empty() => break,
            Err(fault) => return Err(fault.at(path, sound.events.len() + 1)),
        }
        sound.length_bytes += u64::try_from(end + 1).unwrap_or(0);
        rest = after;
    }
    Ok(sound)
}

/// What is wrong with a line.
enum LineFault {
    /// Not JSON, or the checksum or sequence is not what was written.
    Torn,
    /// Written by a newer Stopmark.
    Newer(u16),
    /// Sound, but an event that this Stopmark does not know.
    Unknown(serde_json::Error),
}

impl LineFault {
    fn at(self, path: &Path, line: usize) -> Error {
        match self {
            Self::Torn => unreadable(path, "a line in the middle is damaged")
                .hint("keep the file; `stopmark catalog rebuild` does not need it"),
            Self::Newer(format) => unreadable(path, &format!("format {format} is newer than 1"))
                .hint("use the version of Stopmark that wrote it, or a newer one"),
            Self::Unknown(error) => unreadable(path, "an event is unknown").source(error),
        }
        .at("line", line)
    }
}

fn event_of(line: &[u8], expected_sequence: usize) -> Result<Event, LineFault> {
    let line: LineIn<'_> = serde_json::from_slice(line).map_err(|_| LineFault::Torn)?;
    if line.format > JOURNAL_FORMAT {
        return Err(LineFault::Newer(line.format));
    }
    let crc32c = format!("{:08x}", crc32c::crc32c(line.event.get().as_bytes()));
    if crc32c != line.crc32c || usize::try_from(line.sequence) != Ok(expected_sequence) {
        return Err(LineFault::Torn);
    }
    serde_json::from_str(line.event.get()).map_err(LineFault::Unknown)
}

/// Makes a new file's name durable; without it a crash could forget the whole journal.
fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(windows) {
        // Windows has no handle on folders that can be flushed; NTFS journals the name itself.
        return Ok(());
    }
    File::open(folder)
        .and_then(|handle| handle.sync_all())
        .map_err(|error| unwritable(folder, error))
}

fn unwritable(path: &Path, error: io::Error) -> Error {
    let code = if error.kind() == io::ErrorKind::StorageFull {
        Code::DiskFull
    } else {
        Code::StateUnwritable
    };
    Error::new(code, "the state folder cannot be used")
        .at("file", path.display())
        .hint("give the agent's account the right to read and write there, and room")
        .source(error)
}

fn unreadable(path: &Path, why: &str) -> Error {
    Error::new(
        Code::JournalUnreadable,
        format!("a journal cannot be read: {why}"),
    )
    .at("file", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;
    use crate::run::events::{StepPlace, Verdict};

    fn events() -> Vec<Event> {
        (0..3)
            .map(|n| Event::RunEnded {
                verdict: Verdict::Done,
                at: Timestamp::from_millis(1_795_226_400_000 + n),
            })
            .collect()
    }

    fn run() -> RunId {
        RunId(uuid::Uuid::from_u128(7))
    }

    fn written() -> (tempfile::TempDir, JournalFolder) {
        let state = tempfile::tempdir().expect("a folder");
        let folder = JournalFolder::open(state.path()).expect("opens");
        let mut journal = folder.create(run()).expect("creates");
        for event in events() {
            journal.append(&event).expect("appends");
        }
        (state, folder)
    }

    #[test]
    fn a_journal_reads_back_what_was_appended() {
        let (_state, folder) = written();
        assert_eq!(folder.read(run()).expect("reads"), events());
        assert_eq!(folder.runs().expect("lists"), [run()]);
        let ends = folder.ends(run()).expect("reads").expect("it has lines");
        assert_eq!(ends, (events()[0].clone(), Some(events()[2].clone())));
    }

    #[test]
    fn a_journal_cut_at_any_byte_gives_the_whole_lines_before_the_cut_and_can_go_on() {
        let (_state, folder) = written();
        let whole = fs::read(folder.path(run())).expect("reads");
        for cut in 0..whole.len() {
            fs::write(folder.path(run()), &whole[..cut]).expect("writes");
            let lines = whole[..cut].split(|byte| *byte == b'\n').count() - 1;
            assert_eq!(
                folder.read(run()).expect("reads"),
                events()[..lines],
                "cut at {cut}"
            );
            folder
                .reopen(run())
                .expect("reopens")
                .append(&events()[0])
                .expect("appends");
            assert_eq!(
                folder.read(run()).expect("reads").len(),
                lines + 1,
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn damage_in_the_middle_is_refused_with_file_and_line() {
        let (_state, folder) = written();
        let text = fs::read_to_string(folder.path(run())).expect("reads");
        fs::write(folder.path(run()), text.replacen("done", "dome", 1)).expect("writes");
        let error = folder.read(run()).expect_err("damaged");
        assert_eq!(error.code(), Code::JournalUnreadable);
        assert!(
            error.context().contains(&("line", "1".to_owned())),
            "{error:?}"
        );
    }

    #[test]
    fn a_newer_format_is_refused_and_named() {
        let (_state, folder) = written();
        let text = fs::read_to_string(folder.path(run())).expect("reads");
        fs::write(
            folder.path(run()),
            text.replace("\"format\":1", "\"format\":2"),
        )
        .expect("writes");
        assert!(
            folder
                .read(run())
                .expect_err("newer")
                .message()
                .contains("newer")
        );
    }

    #[test]
    fn a_run_is_unfinished_until_its_last_line_says_that_it_ended() {
        let (_state, folder) = written();
        assert_eq!(folder.unfinished().expect("reads"), []);
        let whole = fs::read(folder.path(run())).expect("reads");
        fs::write(folder.path(run()), &whole[..whole.len() - 1]).expect("writes");
        assert_eq!(
            folder.unfinished().expect("reads"),
            [],
            "the line before ends it too"
        );
        let begun = Event::StepStarted {
            place: StepPlace {
                round: 1,
                stage: 0,
                lane: 0,
                step: 0,
            },
            at: Timestamp::from_millis(0),
        };
        folder
            .reopen(run())
            .expect("reopens")
            .append(&begun)
            .expect("appends");
        assert_eq!(folder.unfinished().expect("reads"), [run()]);
        fs::write(folder.path(run()), b"").expect("writes");
        assert_eq!(folder.unfinished().expect("reads"), [], "nothing was begun");
    }

    #[test]
    fn a_run_is_begun_only_once() {
        let (_state, folder) = written();
        assert!(folder.create(run()).is_err());
    }
}
