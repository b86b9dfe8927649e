//! Functions of text.
//!
//! Start at [`FUNCTIONS`]. Positions count characters from 1.

use super::{Builtin, INT, ResultType, int_of, text_of};
use crate::error::SqlResult;
use crate::lang::quote_name;
use crate::messages;
use crate::value::convert::utf16_length;
use crate::value::{SqlType, Typed, Value};

const fn builtin(
    name: &'static str,
    (least, most): (usize, usize),
    ty: ResultType,
    run: fn(&[Typed], SqlType) -> SqlResult<Value>,
) -> Builtin {
    Builtin {
        name,
        least,
        most,
        ty,
        run,
    }
}

/// No text that a function makes is longer; beyond it the result is cut.
const LENGTH_MAX: usize = 1 << 20;

pub(super) const FUNCTIONS: &[Builtin] = &[
    builtin("LEN", (1, 1), INT, |a, _| {
        map_text(a, |text| {
            Value::Int(count(utf16_length(text.trim_end_matches(' '))))
        })
    }),
    builtin("UPPER", (1, 1), ResultType::FirstText, |a, _| {
        map_text(a, |text| Value::Text(text.to_uppercase()))
    }),
    builtin("LOWER", (1, 1), ResultType::FirstText, |a, _| {
        map_text(a, |text| Value::Text(text.to_lowercase()))
    }),
    builtin("LTRIM", (1, 1), ResultType::FirstText, |a, _| {
        map_text(a, |text| Value::text(text.trim_start_matches(' ')))
    }),
    builtin("RTRIM", (1, 1), ResultType::FirstText, |a, _| {
        map_text(a, |text| Value::text(text.trim_end_matches(' ')))
    }),
    builtin("TRIM", (1, 1), ResultType::FirstText, |a, _| {
        map_text(a, |text| Value::text(text.trim_matches(' ')))
    }),
    builtin("REVERSE", (1, 1), ResultType::FirstText, |a, _| {
        map_text(a, |text| Value::Text(text.chars().rev().collect()))
    }),
    builtin("LEFT", (2, 2), ResultType::FirstText, |a, _| {
        part(a, "left", &Side::Left)
    }),
    builtin("RIGHT", (2, 2), ResultType::FirstText, |a, _| {
        part(a, "right", &Side::Right)
    }),
    builtin("SUBSTRING", (3, 3), ResultType::FirstText, |a, _| {
        substring(a)
    }),
    builtin("CHARINDEX", (2, 3), INT, |a, _| char_index(a)),
    builtin("PATINDEX", (2, 2), INT, |a, _| pattern_index(a)),
    builtin("REPLACE", (3, 3), ResultType::LongText, |a, _| replace(a)),
    builtin("STUFF", (4, 4), ResultType::LongText, |a, _| stuff(a)),
    builtin("REPLICATE", (2, 2), ResultType::LongText, |a, _| {
        replicate(a)
    }),
    builtin(
        "SPACE",
        (1, 1),
        ResultType::Fixed(SqlType::VarChar(Some(8000))),
        |a, _| space(a),
    ),
    builtin("CONCAT", (2, 254), ResultType::AnyText, |a, _| {
        concat(a, "")
    }),
    builtin("CONCAT_WS", (3, 254), ResultType::AnyText, |a, _| {
        concat(&a[1..], &text_of(a, 0)?.unwrap_or_default())
    }),
    builtin(
        "QUOTENAME",
        (1, 2),
        ResultType::Fixed(SqlType::NVarChar(Some(258))),
        |a, _| quote(a),
    ),
    builtin(
        "PARSENAME",
        (2, 2),
        ResultType::Fixed(SqlType::SYSNAME),
        |a, _| parse_name(a),
    ),
    builtin("ASCII", (1, 1), INT, |a, _| first_code(a)),
    builtin("UNICODE", (1, 1), INT, |a, _| first_code(a)),
    builtin(
        "CHAR",
        (1, 1),
        ResultType::Fixed(SqlType::Char(1)),
        |a, _| character(a, 0xff),
    ),
    builtin(
        "NCHAR",
        (1, 1),
        ResultType::Fixed(SqlType::NVarChar(Some(2))),
        |a, _| character(a, 0x0010_ffff),
    ),
    builtin(
        "FORMATMESSAGE",
        (1, 21),
        ResultType::Fixed(SqlType::NVarChar(Some(2048))),
        |a, _| {
            Ok(text_of(a, 0)?
                .map(|text| format_message(&text, a.get(1..).unwrap_or(&[])))
                .into())
        },
    ),
    builtin(
        "STR",
        (1, 3),
        ResultType::Fixed(SqlType::VarChar(Some(8000))),
        |a, _| justified(a),
    ),
];

enum Side {
    Left,
    Right,
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn place(n: i64) -> usize {
    usize::try_from(n).unwrap_or(0)
}

fn map_text(arguments: &[Typed], map: impl Fn(&str) -> Value) -> SqlResult<Value> {
    Ok(text_of(arguments, 0)?.map_or(Value::Null, |text| map(&text)))
}

fn part(arguments: &[Typed], function: &str, side: &Side) -> SqlResult<Value> {
    let (Some(text), Some(n)) = (text_of(arguments, 0)?, int_of(arguments, 1)?) else {
        return Ok(Value::Null);
    };
    let n = usize::try_from(n).map_err(|_| messages::negative_length(function))?;
    Ok(Value::Text(match side {
        Side::Left => text.chars().take(n).collect(),
        Side::Right => {
            let length = text.chars().count();
            text.chars().skip(length.saturating_sub(n)).collect()
        }
    }))
}

fn substring(arguments: &[Typed]) -> SqlResult<Value> {
    let (Some(text), Some(start), Some(length)) = (
        text_of(arguments, 0)?,
        int_of(arguments, 1)?,
        int_of(arguments, 2)?,
    ) else {
        return Ok(Value::Null);
    };
    if length < 0 {
        return Err(messages::negative_length("substring"));
    }
    // A start before the first character counts against the length.
    let end = start.saturating_add(length);
    let from = start.max(1);
    let taken = place(end.saturating_sub(from));
    Ok(Value::Text(
        text.chars().skip(place(from - 1)).take(taken).collect(),
    ))
}

fn folded(text: &str) -> Vec<char> {
    text.chars()
        .map(|c| c.to_lowercase().next().unwrap_or(c))
        .collect()
}

/// Where a text begins in another, from a place on, without regard to case.
fn find(needle: &[char], hay: &[char], from: usize) -> Option<usize> {
    if needle.is_empty() || needle.len() > hay.len() {
        return None;
    }
    (from..=hay.len() - needle.len()).find(|at| hay[*at..].starts_with(needle))
}

fn char_index(arguments: &[Typed]) -> SqlResult<Value> {
    let (Some(needle), Some(hay)) = (text_of(arguments, 0)?, text_of(arguments, 1)?) else {
        return Ok(Value::Null);
    };
    let from = place(int_of(arguments, 2)?.unwrap_or(1).max(1) - 1);
    let found = find(&folded(&needle), &folded(&hay), from);
    Ok(Value::Int(found.map_or(0, |at| count(at + 1))))
}

/// The first place at which the pattern, without its leading `%`, matches.
fn pattern_index(arguments: &[Typed]) -> SqlResult<Value> {
    let (Some(pattern), Some(text)) = (text_of(arguments, 0)?, text_of(arguments, 1)?) else {
        return Ok(Value::Null);
    };
    let matches = |text: &str, pattern: &str| super::super::like::matches(text, pattern, None);
    let Some(inner) = pattern.strip_prefix('%') else {
        return Ok(Value::Int(i64::from(matches(&text, &pattern))));
    };
    let starts = text.char_indices().map(|(at, _)| at);
    let found = starts
        .enumerate()
        .find(|(_, at)| matches(&text[*at..], inner));
    Ok(Value::Int(found.map_or(0, |(place, _)| count(place + 1))))
}

fn replace(arguments: &[Typed]) -> SqlResult<Value> {
    let (Some(text), Some(from), Some(to)) = (
        text_of(arguments, 0)?,
        text_of(arguments, 1)?,
        text_of(arguments, 2)?,
    ) else {
        return Ok(Value::Null);
    };
    let (needle, hay): (Vec<char>, Vec<char>) = (folded(&from), folded(&text));
    let original: Vec<char> = text.chars().collect();
    let mut result = String::new();
    let mut at = 0;
    while let Some(found) = find(&needle, &hay, at) {
        result.extend(&original[at..found]);
        result.push_str(&to);
        at = found + needle.len();
        if result.len() > LENGTH_MAX {
            return Ok(Value::Text(result));
        }
    }
    result.extend(&original[at..]);
    Ok(Value::Text(result))
}

fn stuff(arguments: &[Typed]) -> SqlResult<Value> {
    let (Some(text), Some(start), Some(length)) = (
        text_of(arguments, 0)?,
        int_of(arguments, 1)?,
        int_of(arguments, 2)?,
    ) else {
        return Ok(Value::Null);
    };
    let chars: Vec<char> = text.chars().collect();
    if start < 1 || length < 0 || place(start) > chars.len() {
        return Ok(Value::Null);
    }
    let first = place(start) - 1;
    let last = first.saturating_add(place(length)).min(chars.len());
    let middle = text_of(arguments, 3)?.unwrap_or_default();
    let result = chars[..first].iter().copied().chain(middle.chars());
    Ok(Value::Text(
        result.chain(chars[last..].iter().copied()).collect(),
    ))
}

fn repeated(text: &str, times: i64) -> Value {
    let Ok(times) = usize::try_from(times) else {
        return Value::Null;
    };
    let most = LENGTH_MAX / text.len().max(1);
    Value::Text(text.repeat(times.min(most)))
}

fn replicate(arguments: &[Typed]) -> SqlResult<Value> {
    match (text_of(arguments, 0)?, int_of(arguments, 1)?) {
        (Some(text), Some(times)) => Ok(repeated(&text, times)),
        _ => Ok(Value::Null),
    }
}

fn space(arguments: &[Typed]) -> SqlResult<Value> {
    Ok(int_of(arguments, 0)?.map_or(Value::Null, |times| repeated(" ", times)))
}

/// NULL counts as empty, and `CONCAT_WS` leaves it out.
fn concat(arguments: &[Typed], separator: &str) -> SqlResult<Value> {
    let texts: SqlResult<Vec<Option<String>>> = (0..arguments.len())
        .map(|i| text_of(arguments, i))
        .collect();
    let texts: Vec<String> = texts?.into_iter().flatten().collect();
    Ok(Value::Text(texts.join(separator)))
}

fn quote(arguments: &[Typed]) -> SqlResult<Value> {
    let Some(name) = text_of(arguments, 0)? else {
        return Ok(Value::Null);
    };
    // SQL Server yields NULL for names beyond 128 characters.
    if utf16_length(&name) > 128 {
        return Ok(Value::Null);
    }
    let style = text_of(arguments, 1)?.unwrap_or_else(|| "[".into());
    let doubled = |quote: char| name.replace(quote, &format!("{quote}{quote}"));
    Ok(match style.as_str() {
        "[" | "]" => Value::Text(quote_name(&name)),
        "'" => Value::Text(format!("'{}'", doubled('\''))),
        "\"" => Value::Text(format!("\"{}\"", doubled('"'))),
        "(" | ")" => Value::Text(format!("({})", doubled(')'))),
        _ => Value::Null,
    })
}

fn parse_name(arguments: &[Typed]) -> SqlResult<Value> {
    let (Some(text), Some(piece)) = (text_of(arguments, 0)?, int_of(arguments, 1)?) else {
        return Ok(Value::Null);
    };
    let Ok(name) = crate::lang::parse_object_name(&text) else {
        return Ok(Value::Null);
    };
    Ok(match piece {
        1 => Value::Text(name.name),
        2 => name.schema.into(),
        3 => name.database.into(),
        4 => name.server.into(),
        _ => Value::Null,
    })
}

fn first_code(arguments: &[Typed]) -> SqlResult<Value> {
    let first = text_of(arguments, 0)?.and_then(|text| text.chars().next());
    Ok(first.map_or(Value::Null, |c| Value::Int(u32::from(c).into())))
}

fn character(arguments: &[Typed], most: u32) -> SqlResult<Value> {
    let code = int_of(arguments, 0)?.and_then(|n| u32::try_from(n).ok());
    let c = code.filter(|code| *code <= most).and_then(char::from_u32);
    Ok(c.map_or(Value::Null, |c| Value::Text(c.to_string())))
}

/// `STR(number, length, decimals)`: right-justified, asterisks where it does not fit.
fn justified(arguments: &[Typed]) -> SqlResult<Value> {
    let number = match arguments.first() {
        Some(typed) => crate::value::convert::cast(typed, SqlType::Float, None)?,
        None => Value::Null,
    };
    let Value::Float(number) = number else {
        return Ok(Value::Null);
    };
    let length = place(int_of(arguments, 1)?.unwrap_or(10)).min(8000);
    let decimals = place(int_of(arguments, 2)?.unwrap_or(0)).min(16);
    let text = format!("{number:>length$.decimals$}");
    Ok(Value::Text(if text.len() > length {
        "*".repeat(length)
    } else {
        text
    }))
}

/// Fills a template of `RAISERROR` and `FORMATMESSAGE`: `%s`, `%d`, `%i`, `%u`, `%x`, `%X`, `%o`,
/// with flags, width, precision and `l`, `I64`; `%%` is a percent sign. A missing value is
/// `(null)`.
#[must_use]
pub fn format_message(template: &str, arguments: &[Typed]) -> String {
    let mut result = String::new();
    let mut values = arguments.iter();
    let mut rest = template;
    while let Some(at) = rest.find('%') {
        result.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            result.push('%');
            rest = after;
            continue;
        }
        let Some((spec, after)) = split_spec(rest) else {
            result.push('%');
            continue;
        };
        result.push_str(&spec.fill(&mut values));
        rest = after;
    }
    result.push_str(rest);
    result
}

struct Spec {
    left: bool,
    zeros: bool,
    width: Option<String>,
    precision: Option<String>,
    kind: char,
}

fn split_spec(text: &str) -> Option<(Spec, &str)> {
    let mut rest = text;
    let mut take = |belongs: fn(char) -> bool| {
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        let (taken, after) = rest.split_at(end);
        rest = after;
        taken.to_owned()
    };
    let flags = take(|c| matches!(c, '-' | '+' | '0' | '#' | ' '));
    let width = take(|c| c.is_ascii_digit() || c == '*');
    let precision = take(|c| c.is_ascii_digit() || c == '*' || c == '.');
    take(|c| matches!(c, 'l' | 'h' | 'I' | '6' | '4'));
    let kind = rest.chars().next().filter(|c| "sdiuxXo".contains(*c))?;
    let spec = Spec {
        left: flags.contains('-'),
        zeros: flags.contains('0'),
        width: Some(width).filter(|w| !w.is_empty()),
        precision: precision.strip_prefix('.').map(ToOwned::to_owned),
        kind,
    };
    Some((spec, &rest[1..]))
}

impl Spec {
    fn fill<'a>(&self, values: &mut impl Iterator<Item = &'a Typed>) -> String {
        let mut size = |text: &Option<String>| match text.as_deref() {
            Some("*") => values.next().and_then(|t| t.value.as_int()).map(place),
            Some(digits) => digits.parse().ok(),
            None => None,
        };
        let width = size(&self.width).unwrap_or(0).min(2048);
        let precision = size(&self.precision);
        let value = values.next();
        let mut text = match value.filter(|typed| !typed.value.is_null()) {
            None => "(null)".to_owned(),
            Some(typed) => self.shown(typed),
        };
        if let Some(precision) = precision.filter(|_| self.kind == 's') {
            text = text.chars().take(precision).collect();
        }
        match (self.left, self.zeros) {
            (true, _) => format!("{text:<width$}"),
            (false, true) => format!("{text:0>width$}"),
            (false, false) => format!("{text:>width$}"),
        }
    }

    fn shown(&self, typed: &Typed) -> String {
        let number = typed.value.as_int();
        match (self.kind, number) {
            ('x', Some(n)) => format!("{n:x}"),
            ('X', Some(n)) => format!("{n:X}"),
            ('o', Some(n)) => format!("{n:o}"),
            _ => text_of(std::slice::from_ref(typed), 0)
                .ok()
                .flatten()
                .unwrap_or_default(),
        }
    }
}
