//! LOGIN7: who the client is.
//!
//! Start at [`parse`]. Whether the login is good is the backend's to say.

use super::api::LoginRequest;
use super::malformed::{Cursor, Malformed};
use super::packet::{PACKET_BYTES_DEFAULT, PACKET_BYTES_MAX, PACKET_BYTES_MIN};

/// TDS 7.4, which is also what most TDS 8.0 clients say.
pub(super) const VERSION_7_4: u32 = 0x7400_0004;
/// TDS 8.0 as [MS-TDS] writes it. The number is small, for its bytes are the other way round.
const VERSION_8_0: u32 = 0x0800_0000;
/// TDS 7.3, the oldest served: before it there are no dates of 2008, and DONE is shorter.
const VERSION_7_3: u32 = 0x730A_0003;

/// Characters that a name in LOGIN7 may have.
const NAME_CHARACTERS_MAX: usize = 128;
/// Feature extensions read before we give up on the rest.
const FEATURES_MAX: usize = 32;

const FLAG_INTEGRATED: u8 = 0x80;
const FLAG_READ_ONLY: u8 = 0x20;
const FLAG_EXTENSION: u8 = 0x10;
const FEATURE_UTF8: u8 = 0x0A;
const FEATURE_END: u8 = 0xFF;

/// A client's login and what it asked of the protocol.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) request: LoginRequest,
    pub(super) version: u32,
    /// The client knows UTF-8 collations and wants that acknowledged.
    pub(super) utf8: bool,
    /// The client sent feature extensions, so an (often empty) acknowledgement is due.
    pub(super) extensions: bool,
}

/// Reads LOGIN7.
pub(super) fn parse(payload: &[u8], encrypted: bool) -> Result<Login, Malformed> {
    let mut fixed = Cursor::new(payload, "LOGIN7");
    let length = fixed.length()?;
    let whole = payload.get(..length).ok_or(fixed.malformed())?;
    let version = fixed.u32()?;
    let asked_bytes = fixed.length()?;
    let _client_version = fixed.u32()?;
    let process_id = fixed.u32()?;
    let _connection = fixed.u32()?;
    let [_, flags2, type_flags, flags3] = fixed.array()?;
    let _zone_and_locale = fixed.u64()?;
    let names = Names { whole };
    let request = LoginRequest {
        host_name: names.text(36)?,
        user_name: names.text(40)?,
        password: names.password(44)?,
        app_name: names.text(48)?,
        server_name: names.text(52)?,
        library_name: names.text(60)?,
        language: names.text(64)?,
        database: names.text(68)?,
        process_id,
        read_only_intent: type_flags & FLAG_READ_ONLY != 0,
        integrated: flags2 & FLAG_INTEGRATED != 0,
        encrypted,
        packet_bytes: packet_bytes(asked_bytes),
    };
    let extensions = flags3 & FLAG_EXTENSION != 0;
    let utf8 = extensions && asks_utf8(whole)?;
    if version < VERSION_7_3 && version != VERSION_8_0 {
        return Err(Malformed("LOGIN7: its TDS version is older than 7.3"));
    }
    Ok(Login {
        request,
        version,
        utf8,
        extensions,
    })
}

/// Whole packets, within what the protocol allows. 0, which ODBC sends, means the default; everything else is brought into bounds.
fn packet_bytes(asked: usize) -> usize {
    if asked == 0 {
        PACKET_BYTES_DEFAULT
    } else {
        asked.clamp(PACKET_BYTES_MIN, PACKET_BYTES_MAX)
    }
}

/// The variable part, found through pairs of offset and length in the fixed part.
struct Names<'a> {
    whole: &'a [u8],
}

impl<'a> Names<'a> {
    fn slice(&self, at: usize) -> Result<&'a [u8], Malformed> {
        let pair = self.whole.get(at..at + 4).ok_or(Malformed("LOGIN7"))?;
        let offset = usize::from(u16::from_le_bytes([pair[0], pair[1]]));
        let characters = usize::from(u16::from_le_bytes([pair[2], pair[3]]));
        if characters == 0 {
            // Some clients leave rubbish in the offset of what they do not send.
            return Ok(&[]);
        }
        if characters > NAME_CHARACTERS_MAX {
            return Err(Malformed("LOGIN7: a name is too long"));
        }
        self.whole
            .get(offset..offset + characters * 2)
            .ok_or(Malformed("LOGIN7"))
    }

    fn text(&self, at: usize) -> Result<String, Malformed> {
        Ok(super::malformed::utf16(self.slice(at)?))
    }

    /// Passwords are hidden, though not encrypted: XOR 0xA5, then the nibbles swapped.
    fn password(&self, at: usize) -> Result<String, Malformed> {
        let plain: Vec<u8> = self
            .slice(at)?
            .iter()
            .map(|byte| (byte ^ 0xA5).rotate_left(4))
            .collect();
        Ok(super::malformed::utf16(&plain))
    }
}

/// Looks through the feature extensions. Their place is found in two steps: the fixed part says
/// where the offset stands.
fn asks_utf8(whole: &[u8]) -> Result<bool, Malformed> {
    let bad = Malformed("LOGIN7: feature extensions");
    let at = usize::from(u16::from_le_bytes(read_array(whole, 56).ok_or(bad)?));
    let offset = u32::from_le_bytes(read_array(whole, at).ok_or(bad)?);
    let offset = usize::try_from(offset).map_err(|_| bad)?;
    let mut features = Cursor::new(whole.get(offset..).ok_or(bad)?, bad.0);
    let mut found = false;
    for _ in 0..FEATURES_MAX {
        let feature = features.u8()?;
        if feature == FEATURE_END {
            break;
        }
        let length = features.length()?;
        features.bytes(length)?;
        found |= feature == FEATURE_UTF8;
    }
    Ok(found)
}

fn read_array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
