//! Sealed pieces opened by `age`, the program of the format's author, with the commands that the documentation has.
//!
//! Whoever has a key, a bucket and no Stopmark must get the pieces back.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use object_store::path::Path as Key;
use secrecy::ExposeSecret as _;
use stopmark::clock::SystemClock;
use stopmark::model::{CHUNK_SIZE_BYTES, Sha256Digest, StoredStripe};
use stopmark::seal::{Keys, Ring};
use stopmark::store::hash::sha256;
use stopmark::store::{AgentIdentity, Backend, ObjectStore};
use stopmark::world::{StepProgress, Store as _, Tap};

struct Nobody;

impl Tap for Nobody {
    fn bytes(&mut self, _bytes: &[u8]) {}
}

impl StepProgress for Nobody {
    fn percent(&self, _percent: u8) {}
    fn bytes(&self, _more: u64) {}
}

/// The shell commands of the section on sealed pieces, line by line.
fn documented() -> Vec<String> {
    let text = include_str!("../../docs/store-format.md");
    let (_, section) = text.split_once("## Sealed pieces").expect("the section");
    let (_, block) = section.split_once("```sh\n").expect("its commands");
    let (block, _) = block.split_once("```").expect("their end");
    block.lines().map(str::to_owned).collect()
}

fn shell(folder: &Path, command: &str) -> Output {
    let ran = Command::new("sh")
        .args(["-ec", command])
        .current_dir(folder)
        .output();
    ran.expect("a shell")
}

/// Sends the file sealed into this folder, in segments of so many chunks.
async fn sent(folder: &Path, file: &Path, ring: Ring, segment_chunks: u64) -> StoredStripe {
    let agent = AgentIdentity {
        id: "age".to_owned(),
        name: "age".to_owned(),
    };
    let backend = Backend::folder(folder).expect("a folder");
    let (clock, ttl) = (Arc::new(SystemClock::new()), Duration::from_secs(60));
    let store = ObjectStore::over(backend, Key::default(), agent, clock, ttl)
        .with_ring(Some(ring))
        .with_segments_of(segment_chunks);
    let sent = store.upload(file, "piece.bak", &mut Nobody, &Nobody).await;
    sent.expect("sent")
}

#[tokio::test]
async fn age_opens_what_was_sealed_with_the_documented_commands() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("original");
    let size = usize::try_from(2 * CHUNK_SIZE_BYTES + 77).expect("fits");
    let bytes: Vec<u8> = (0..size).map(|at| (at / 4099).to_le_bytes()[0]).collect();
    fs::write(&file, &bytes).expect("writes");
    // As `age-keygen` makes it, so that its own form is what the agent reads.
    let made = shell(folder.path(), "age-keygen -o made.txt");
    assert!(made.status.success(), "is `age` installed? {made:?}");
    let text = fs::read_to_string(folder.path().join("made.txt")).expect("a key");
    let made = Keys::read(&text.into()).expect("a key file of age-keygen");
    let offline = Keys::generate();
    let ring = Ring {
        recipients: [made.recipients(), offline.recipients()].concat(),
        keys: None,
    };
    let [whole, cut] = ["whole", "cut"].map(|name| folder.path().join(name));
    for (place, segment_chunks) in [(&whole, 8), (&cut, 1)] {
        fs::create_dir(place).expect("a folder");
        let stripe = sent(place, &file, ring.clone(), segment_chunks).await;
        assert_eq!(stripe.key, "piece.bak.age");
        assert_eq!(stripe.segment_size_bytes.is_some(), segment_chunks == 1);
        for keys in [&made, &offline] {
            fs::write(place.join("key.txt"), keys.to_text().expose_secret()).expect("writes");
            opened(place, segment_chunks == 1, &bytes, &stripe);
        }
    }
}

/// Runs the documented commands in a folder with key and object, or key and segments.
fn opened(place: &Path, is_cut: bool, bytes: &[u8], stripe: &StoredStripe) {
    let commands = documented();
    let [of_one, of_segments, digests] = commands.as_slice() else {
        panic!("three commands: {commands:?}");
    };
    let ran = shell(place, if is_cut { of_segments } else { of_one });
    assert!(ran.status.success(), "{ran:?}");
    let back = place.join("piece.bak");
    assert!(
        fs::read(&back).expect("reads") == bytes,
        "{}",
        place.display()
    );
    let printed = shell(place, digests);
    let printed = String::from_utf8(printed.stdout).expect("text");
    let digests = printed.lines().filter_map(|line| line.split(' ').next());
    let raw = digests.flat_map(|digest| digest.parse::<Sha256Digest>().expect("a digest").0);
    assert_eq!(sha256(&raw.collect::<Vec<u8>>()), stripe.plain().root);
    fs::remove_file(back).expect("removes");
}
