//! DECLARE and SET.
//!
//! Start at [`Session::declare`]. What a client may set and what changes nothing here is listed in
//! [`Session::set_option`].

use std::sync::Arc;

use super::Session;
use super::assign::{assign, integer_of, text_of};
use super::frame::Cursor;
use super::temporary::LocalTable;
use crate::catalog::shape::TableShape;
use crate::error::{SqlError, SqlResult};
use crate::lang::ast::{
    Declaration, DeclarationKind, Expr, ObjectName, SetOption, SetVariable, Setting,
};
use crate::messages;
use crate::value::{Typed, Value};
use crate::wire::api::Event;

impl Session {
    /// `DECLARE`.
    pub(super) fn declare(&mut self, declarations: &[Declaration]) -> SqlResult<()> {
        declarations
            .iter()
            .try_for_each(|declaration| self.declare_one(declaration))
    }

    fn declare_one(&mut self, declaration: &Declaration) -> SqlResult<()> {
        let depth = self.frames.len();
        let key = declaration.name.to_lowercase();
        match &declaration.kind {
            DeclarationKind::Scalar { ty, initial } => {
                let value = match initial {
                    Some(initial) => assign(&self.evaluate(initial)?, *ty)?,
                    None => Value::Null,
                };
                let typed = Typed { ty: *ty, value };
                let Some(frame) = self.frames.last_mut() else {
                    return Ok(());
                };
                // In a loop DECLARE runs again; without a first value the variable keeps what it
                // holds.
                if initial.is_some() || !frame.variables.has(&declaration.name) {
                    frame.variables.redeclare(&declaration.name, typed);
                }
            }
            DeclarationKind::Table(definition) => {
                let shape = Arc::new(TableShape::of_definition(&declaration.name, definition)?);
                let Some(frame) = self.frames.last_mut() else {
                    return Ok(());
                };
                frame
                    .tables
                    .entry(key)
                    .or_insert_with(|| LocalTable::new(shape, depth));
            }
            DeclarationKind::Cursor => {
                let Some(frame) = self.frames.last_mut() else {
                    return Ok(());
                };
                frame.cursors.entry(key).or_insert_with(Cursor::default);
            }
        }
        Ok(())
    }

    /// `SET @variable`.
    pub(super) fn set_variable(&mut self, set: &SetVariable) -> SqlResult<()> {
        let value = self.evaluate(&with_operator(set))?;
        self.assign_variable(&set.name, &value)
    }

    /// `SET` of options. Those that change how a client reads rows mean nothing here and are
    /// remembered only.
    pub(super) async fn set_option(&mut self, set: &SetOption) -> SqlResult<()> {
        for name in &set.names {
            self.set_one(name, &set.setting).await?;
        }
        Ok(())
    }

    async fn set_one(&mut self, name: &str, setting: &Setting) -> SqlResult<()> {
        let is_on = matches!(setting, Setting::On);
        match name {
            "XACT_ABORT" => self.options.xact_abort = is_on,
            "NOCOUNT" => self.options.no_count = is_on,
            "IMPLICIT_TRANSACTIONS" => self.options.implicit_transactions = is_on,
            "LOCK_TIMEOUT" => self.options.lock_timeout_ms = self.number(setting)?,
            "DATEFIRST" => {
                self.options.date_first = u8::try_from(self.number(setting)?).unwrap_or(7);
            }
            "ROWCOUNT" => {
                self.options.row_count = u64::try_from(self.number(setting)?).unwrap_or_default();
            }
            "LANGUAGE" => self.set_language(setting).await?,
            "IDENTITY_INSERT" => self.set_identity_insert(setting)?,
            _ => self.remember(name, setting)?,
        }
        Ok(())
    }

    fn remember(&mut self, name: &str, setting: &Setting) -> SqlResult<()> {
        if !REMEMBERED.contains(&name) {
            return Err(messages::unrecognized_name(name, "SET option"));
        }
        let value = match setting {
            Setting::On => "ON".to_owned(),
            Setting::Off => "OFF".to_owned(),
            Setting::Word(word) => word.clone(),
            Setting::Value(value) => text_of(&self.evaluate(value)?.value).unwrap_or_default(),
            Setting::Table(table, _) => table.to_string(),
        };
        self.options.remembered.retain(|(known, _)| known != name);
        self.options.remembered.push((name.to_owned(), value));
        Ok(())
    }

    fn number(&self, setting: &Setting) -> SqlResult<i64> {
        match setting {
            Setting::Value(value) => integer_of(&self.evaluate(value)?.value),
            _ => Err(messages::incorrect_syntax("SET")),
        }
    }

    async fn set_language(&mut self, setting: &Setting) -> SqlResult<()> {
        let to = match setting {
            Setting::Word(word) => word.clone(),
            Setting::Value(value) => text_of(&self.evaluate(value)?.value).unwrap_or_default(),
            _ => return Err(messages::incorrect_syntax_near_keyword("SET")),
        };
        if !LANGUAGES
            .iter()
            .any(|known| known.eq_ignore_ascii_case(&to))
        {
            return Err(unknown_language(&to));
        }
        let from = std::mem::replace(&mut self.options.language, to.clone());
        self.output.message(messages::language_changed(&to)).await;
        self.output.send(Event::LanguageChanged { to, from }).await;
        Ok(())
    }

    fn set_identity_insert(&mut self, setting: &Setting) -> SqlResult<()> {
        let Setting::Table(table, is_on) = setting else {
            return Err(messages::incorrect_syntax("IDENTITY_INSERT"));
        };
        let table: &ObjectName = table;
        let name = self.target(table, "ALTER")?.name().to_lowercase();
        self.options.identity_insert = is_on.then_some(name);
        Ok(())
    }
}

/// The value of `SET @v = e`, and of `SET @v += e` as `@v + (e)`.
pub(super) fn with_operator(set: &SetVariable) -> Expr {
    match set.operator {
        None => set.value.clone(),
        Some(operator) => Expr::Chain {
            first: Box::new(Expr::Variable(set.name.clone())),
            rest: vec![(operator, set.value.clone())],
        },
    }
}

/// Options that clients set and that change nothing in the simulator.
const REMEMBERED: [&str; 27] = [
    "ANSI_DEFAULTS",
    "ANSI_NULLS",
    "ANSI_NULL_DFLT_OFF",
    "ANSI_NULL_DFLT_ON",
    "ANSI_PADDING",
    "ANSI_WARNINGS",
    "ARITHABORT",
    "ARITHIGNORE",
    "CONCAT_NULL_YIELDS_NULL",
    "CONTEXT_INFO",
    "CURSOR_CLOSE_ON_COMMIT",
    "DATEFORMAT",
    "DEADLOCK_PRIORITY",
    "FMTONLY",
    "FORCEPLAN",
    "NOEXEC",
    "NUMERIC_ROUNDABORT",
    "PARSEONLY",
    "QUERY_GOVERNOR_COST_LIMIT",
    "QUOTED_IDENTIFIER",
    "REMOTE_PROC_TRANSACTIONS",
    "SHOWPLAN_TEXT",
    "STATISTICS IO",
    "STATISTICS TIME",
    "TEXTSIZE",
    "TRANSACTION ISOLATION LEVEL",
    "STATISTICS XML",
];

/// Languages whose messages are, here, all English.
const LANGUAGES: [&str; 6] = [
    "us_english",
    "English",
    "British English",
    "Deutsch",
    "German",
    "French",
];

/// SQL Server raises 2740 for a language that it does not know.
fn unknown_language(name: &str) -> SqlError {
    let text = format!(
        "SET LANGUAGE failed because '{name}' is not an official language name or a language \
           alias on \
         this SQL Server."
    );
    SqlError::new(2740, 16, text)
}
