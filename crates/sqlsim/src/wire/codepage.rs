//! Windows code page 1252, the code page of the collation that the simulator announces.
//!
//! Start at [`encode`] and [`decode`]. `char` and `varchar` travel in it; what it lacks becomes
//! `?`, as in SQL Server.

/// What 0x80 to 0x9F mean; the other 224 bytes are Latin-1. The five holes keep their C1 control.
const UPPER: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8D}', 'Ž', '\u{8F}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9D}', 'ž', 'Ÿ',
];

/// Text as bytes of the code page.
pub(super) fn encode(text: &str) -> Vec<u8> {
    text.chars().map(encode_char).collect()
}

/// Bytes of the code page as text.
pub(super) fn decode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| decode_byte(*byte)).collect()
}

fn encode_char(character: char) -> u8 {
    match u8::try_from(u32::from(character)) {
        Ok(byte) if !(0x80..=0x9F).contains(&byte) => byte,
        _ => (0x80..)
            .zip(UPPER)
            .find_map(|(byte, upper)| (upper == character).then_some(byte))
            .unwrap_or(b'?'),
    }
}

fn decode_byte(byte: u8) -> char {
    match byte {
        0x80..=0x9F => UPPER[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn every_byte_of_the_code_page_survives_the_way_there_and_back() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        assert_eq!(encode(&decode(&all)), all);
    }

    #[test]
    fn what_the_code_page_lacks_becomes_a_question_mark() {
        assert_eq!(encode("a€Ωü"), [b'a', 0x80, b'?', 0xFC]);
    }
}
