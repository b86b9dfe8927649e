//! `CREATE`, `ALTER` and `DROP DATABASE`.
//!
//! Start at [`Parser::alter_database`].

use super::Parser;
use super::expr::word_literal;
use crate::error::SqlResult;
use crate::lang::ast::{
    AlterDatabase, AlterDatabaseAction, CreateDatabase, NamedOption, StatementKind,
};

/// Options whose value is the next word, without `=`.
const WITH_WORD: [&str; 5] = [
    "RECOVERY",
    "PAGE_VERIFY",
    "CURSOR_DEFAULT",
    "PARAMETERIZATION",
    "DELAYED_DURABILITY",
];

impl Parser<'_> {
    pub(super) fn create_database(&mut self) -> SqlResult<StatementKind> {
        let name = self.name()?;
        let mut data_files = Vec::new();
        let mut log_files = Vec::new();
        if self.take_word("ON") {
            self.take_word("PRIMARY");
            data_files = self.comma_list(|p| p.bracketed(Self::options))?;
        }
        if self.take_words(&["LOG", "ON"]) {
            log_files = self.comma_list(|p| p.bracketed(Self::options))?;
        }
        let collation = if self.take_word("COLLATE") {
            Some(self.name()?)
        } else {
            None
        };
        let options = if self.take_word("WITH") {
            self.comma_list(Self::database_option)?
        } else {
            Vec::new()
        };
        let create = CreateDatabase {
            name,
            data_files,
            log_files,
            collation,
            options,
        };
        Ok(StatementKind::CreateDatabase(create))
    }

    pub(super) fn drop_database(&mut self) -> SqlResult<StatementKind> {
        let if_exists = self.if_exists();
        let names = self.comma_list(Self::name)?;
        Ok(StatementKind::DropDatabase { names, if_exists })
    }

    pub(super) fn alter_database(&mut self) -> SqlResult<StatementKind> {
        let name = if self.take_word("CURRENT") {
            None
        } else {
            Some(self.name()?)
        };
        let action = if self.take_word("SET") {
            self.database_setting()?
        } else if self.take_words(&["MODIFY", "NAME"]) {
            self.expect_symbol("=")?;
            AlterDatabaseAction::ModifyName(self.name()?)
        } else if self.take_words(&["MODIFY", "FILE"]) {
            AlterDatabaseAction::ModifyFile(self.bracketed(Self::options)?)
        } else {
            self.expect_word("COLLATE")?;
            AlterDatabaseAction::Collate(self.name()?)
        };
        Ok(StatementKind::AlterDatabase(AlterDatabase { name, action }))
    }

    fn database_setting(&mut self) -> SqlResult<AlterDatabaseAction> {
        if self.take_word("HADR") {
            if self.take_words(&["AVAILABILITY", "GROUP"]) {
                self.expect_symbol("=")?;
                return Ok(AlterDatabaseAction::JoinAvailabilityGroup(self.name()?));
            }
            return if self.is_any_word(&["OFF", "SUSPEND", "RESUME"]) {
                Ok(AlterDatabaseAction::Hadr(self.any_word()?))
            } else {
                Err(self.unexpected())
            };
        }
        if self.take_word("PARTNER") {
            self.take_symbol("=");
            return Ok(AlterDatabaseAction::Partner(self.option_value()?));
        }
        let options = self.comma_list(Self::database_option)?;
        let termination = if self.take_word("WITH") {
            Some(self.termination()?)
        } else {
            None
        };
        Ok(AlterDatabaseAction::Set {
            options,
            termination,
        })
    }

    fn database_option(&mut self) -> SqlResult<NamedOption> {
        let name = self.any_word()?;
        let mut values = Vec::new();
        if self.take_symbol("=") {
            values.push(self.option_value()?);
            if self.take_any_word(&["SECONDS", "MINUTES"]) {}
        } else if WITH_WORD.contains(&name.as_str()) || self.is_any_word(&["ON", "OFF"]) {
            values.push(word_literal(&self.any_word()?));
        }
        if self.is_symbol("(") {
            self.skip_bracket()?;
        }
        Ok(NamedOption { name, values })
    }

    /// `ROLLBACK IMMEDIATE`, `ROLLBACK AFTER n [SECONDS]`, `NO_WAIT`.
    fn termination(&mut self) -> SqlResult<String> {
        if self.take_word("NO_WAIT") {
            return Ok("NO_WAIT".into());
        }
        self.expect_word("ROLLBACK")?;
        if self.take_word("IMMEDIATE") {
            return Ok("ROLLBACK IMMEDIATE".into());
        }
        self.expect_word("AFTER")?;
        let seconds = self.integer()?;
        self.take_word("SECONDS");
        Ok(format!("ROLLBACK AFTER {seconds}"))
    }
}
