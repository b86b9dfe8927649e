//! `BACKUP` and `RESTORE`.
//!
//! Start at [`Parser::backup`] and [`Parser::restore`].

use super::Parser;
use super::expr::word_literal;
use crate::error::SqlResult;
use crate::lang::ast::{
    Backup, BackupTarget, Device, DeviceKind, Expr, NamedOption, Restore, RestoreKind,
    StatementKind,
};
use crate::lang::lexer::TokenKind;

impl Parser<'_> {
    pub(super) fn backup(&mut self) -> SqlResult<StatementKind> {
        self.advance();
        let kind = if self.take_word("DATABASE") {
            BackupTarget::Database
        } else {
            if !self.take_any_word(&["LOG", "TRAN", "TRANSACTION"]) {
                return Err(self.unexpected());
            }
            BackupTarget::Log
        };
        let database = self.name_or_variable()?;
        self.expect_word("TO")?;
        let devices = self.comma_list(Self::device)?;
        let options = self.optional_options()?;
        Ok(StatementKind::Backup(Backup {
            kind,
            database,
            devices,
            options,
        }))
    }

    pub(super) fn restore(&mut self) -> SqlResult<StatementKind> {
        self.advance();
        let Some(kind) = restore_kind(self.kind()) else {
            return Err(self.unexpected());
        };
        self.advance();
        let named = matches!(kind, RestoreKind::Database | RestoreKind::Log);
        let database = if named {
            Some(self.name_or_variable()?)
        } else {
            None
        };
        let devices = if self.take_word("FROM") {
            self.comma_list(Self::device)?
        } else if named {
            Vec::new()
        } else {
            return Err(self.unexpected());
        };
        let options = self.optional_options()?;
        Ok(StatementKind::Restore(Restore {
            kind,
            database,
            devices,
            options,
        }))
    }

    fn optional_options(&mut self) -> SqlResult<Vec<NamedOption>> {
        if self.take_word("WITH") {
            self.options()
        } else {
            Ok(Vec::new())
        }
    }

    fn device(&mut self) -> SqlResult<Device> {
        let kind = if self.is_symbol_after(1, "=") {
            device_kind(self.kind())
        } else {
            None
        };
        if let Some(kind) = kind {
            self.at += 2;
            let path = match self.kind() {
                TokenKind::Variable(_) => Expr::Variable(self.variable()?),
                TokenKind::Text { .. } => self.literal()?,
                _ => return Err(self.unexpected()),
            };
            return Ok(Device { kind, path });
        }
        let path = match self.kind() {
            TokenKind::Variable(_) => Expr::Variable(self.variable()?),
            _ => word_literal(&self.name()?),
        };
        Ok(Device {
            kind: DeviceKind::Logical,
            path,
        })
    }
}

fn device_kind(kind: &TokenKind) -> Option<DeviceKind> {
    let TokenKind::Word(word) = kind else {
        return None;
    };
    match word.to_ascii_uppercase().as_str() {
        "DISK" => Some(DeviceKind::Disk),
        "URL" => Some(DeviceKind::Url),
        "TAPE" => Some(DeviceKind::Tape),
        "VIRTUAL_DEVICE" => Some(DeviceKind::Virtual),
        _ => None,
    }
}

fn restore_kind(kind: &TokenKind) -> Option<RestoreKind> {
    let TokenKind::Word(word) = kind else {
        return None;
    };
    match word.to_ascii_uppercase().as_str() {
        "DATABASE" => Some(RestoreKind::Database),
        "LOG" | "TRAN" | "TRANSACTION" => Some(RestoreKind::Log),
        "HEADERONLY" => Some(RestoreKind::HeaderOnly),
        "FILELISTONLY" => Some(RestoreKind::FileListOnly),
        "LABELONLY" => Some(RestoreKind::LabelOnly),
        "VERIFYONLY" => Some(RestoreKind::VerifyOnly),
        _ => None,
    }
}
