//! Little-endian reading and writing at offsets, for records whose lengths nobody may trust.
//!
//! Reading beyond the end gives zeros and never panics: older servers wrote shorter records, and
//! a field that is not there means "none". Where absence matters, callers check lengths first.
//!
//! This file never knows what a field means.

use uuid::Uuid;

/// Up to `N` bytes at `offset`, the rest zero.
pub(crate) fn array_at<const N: usize>(record: &[u8], offset: usize) -> [u8; N] {
    let mut out = [0; N];
    if let Some(tail) = record.get(offset..) {
        let there = tail.len().min(N);
        out[..there].copy_from_slice(&tail[..there]);
    }
    out
}

/// The byte at `offset`.
pub(crate) fn u8_at(record: &[u8], offset: usize) -> u8 {
    record.get(offset).copied().unwrap_or(0)
}

/// The little-endian number at `offset`.
pub(crate) fn u16_at(record: &[u8], offset: usize) -> u16 {
    u16::from_le_bytes(array_at(record, offset))
}

/// The little-endian number at `offset`.
pub(crate) fn u32_at(record: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(array_at(record, offset))
}

/// The little-endian number at `offset`.
pub(crate) fn u64_at(record: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(array_at(record, offset))
}

/// The mixed-endian GUID at `offset`.
pub(crate) fn guid_at(record: &[u8], offset: usize) -> Uuid {
    Uuid::from_bytes_le(array_at(record, offset))
}

/// Writes `value` at `offset` of a record that the caller made long enough.
pub(crate) fn put(record: &mut [u8], offset: usize, value: &[u8]) {
    record[offset..offset + value.len()].copy_from_slice(value);
}

/// UTF-16LE bytes as text; what is no UTF-16 becomes U+FFFD, an odd last byte is dropped.
pub(crate) fn utf16_text(raw: &[u8]) -> String {
    let units = raw
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u16::from_le_bytes(*pair));
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// Text as UTF-16LE bytes.
pub(crate) fn utf16_bytes(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}
