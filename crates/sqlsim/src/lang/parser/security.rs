//! Logins, users, roles and permissions.
//!
//! Start at [`Parser::create_principal`] and [`Parser::permission`].

use super::Parser;
use crate::error::SqlResult;
use crate::lang::ast::{
    AlterPrincipal, AlterPrincipalAction, CreatePrincipal, DropPrincipal, NamedOption, Permission,
    PermissionAction, PrincipalKind, Securable, StatementKind,
};
use crate::lang::lexer::TokenKind;

impl Parser<'_> {
    /// The kind that a word already taken means; `SERVER` must be followed by `ROLE`.
    fn principal_kind(&mut self, word: &str) -> SqlResult<PrincipalKind> {
        match word {
            "LOGIN" => Ok(PrincipalKind::Login),
            "USER" => Ok(PrincipalKind::User),
            "ROLE" => Ok(PrincipalKind::Role),
            _ => self.expect_word("ROLE").map(|()| PrincipalKind::ServerRole),
        }
    }

    pub(super) fn create_principal(&mut self, word: &str) -> SqlResult<StatementKind> {
        let kind = self.principal_kind(word)?;
        let mut principal = CreatePrincipal {
            kind,
            name: self.name()?,
            login: None,
            windows: false,
            without_login: false,
            options: Vec::new(),
        };
        if self.take_words(&["FOR", "LOGIN"]) || self.take_words(&["FROM", "LOGIN"]) {
            principal.login = Some(self.name()?);
        } else if self.take_words(&["WITHOUT", "LOGIN"]) {
            principal.without_login = true;
        } else if self.take_words(&["FROM", "WINDOWS"]) {
            principal.windows = true;
        } else if self.take_word("AUTHORIZATION") {
            principal.login = Some(self.name()?);
        }
        if self.take_word("WITH") {
            principal.options = self.principal_options()?;
        }
        Ok(StatementKind::CreatePrincipal(principal))
    }

    fn principal_options(&mut self) -> SqlResult<Vec<NamedOption>> {
        self.options()
    }

    pub(super) fn alter_principal(&mut self, word: &str) -> SqlResult<StatementKind> {
        let kind = self.principal_kind(word)?;
        let name = self.name()?;
        let action = if self.take_word("ENABLE") {
            AlterPrincipalAction::Enable
        } else if self.take_word("DISABLE") {
            AlterPrincipalAction::Disable
        } else if self.take_words(&["ADD", "MEMBER"]) {
            AlterPrincipalAction::AddMember(self.name()?)
        } else if self.take_words(&["DROP", "MEMBER"]) {
            AlterPrincipalAction::DropMember(self.name()?)
        } else {
            self.expect_word("WITH")?;
            AlterPrincipalAction::With(self.principal_options()?)
        };
        Ok(StatementKind::AlterPrincipal(AlterPrincipal {
            kind,
            name,
            action,
        }))
    }

    pub(super) fn drop_principal(&mut self, word: &str) -> SqlResult<StatementKind> {
        let kind = self.principal_kind(word)?;
        let if_exists = self.if_exists();
        let name = self.name()?;
        Ok(StatementKind::DropPrincipal(DropPrincipal {
            kind,
            name,
            if_exists,
        }))
    }

    pub(super) fn permission(&mut self) -> SqlResult<StatementKind> {
        let action = match self.any_word()?.as_str() {
            "GRANT" => PermissionAction::Grant,
            "DENY" => PermissionAction::Deny,
            _ => PermissionAction::Revoke,
        };
        if action == PermissionAction::Revoke {
            self.take_words(&["GRANT", "OPTION", "FOR"]);
        }
        let permissions = self.comma_list(Self::permission_name)?;
        let securable = if self.take_word("ON") {
            Some(self.securable()?)
        } else {
            None
        };
        if !self.take_any_word(&["TO", "FROM"]) {
            return Err(self.unexpected());
        }
        let principals = self.comma_list(Self::name)?;
        self.take_words(&["WITH", "GRANT", "OPTION"]);
        self.take_word("CASCADE");
        if self.take_word("AS") {
            self.name()?;
        }
        Ok(StatementKind::Permission(Permission {
            action,
            permissions,
            securable,
            principals,
        }))
    }

    /// One or more words, perhaps with a list of columns that has no effect.
    fn permission_name(&mut self) -> SqlResult<String> {
        let mut name = self.any_word()?;
        while matches!(self.kind(), TokenKind::Word(_)) && !self.is_any_word(&["ON", "TO", "FROM"])
        {
            name = format!("{name} {}", self.any_word()?);
        }
        if self.is_symbol("(") {
            self.bracketed_list(Self::name)?;
        }
        Ok(if name == "EXEC" {
            "EXECUTE".into()
        } else {
            name
        })
    }

    /// `[CLASS::]name`
    fn securable(&mut self) -> SqlResult<Securable> {
        let mut words = 0;
        while matches!(self.kind_after(words), TokenKind::Word(_)) {
            words += 1;
        }
        let mut class = None;
        if words > 0 && self.is_symbol_after(words, "::") {
            let mut text = self.any_word()?;
            while !self.take_symbol("::") {
                text = format!("{text} {}", self.any_word()?);
            }
            class = Some(text);
        }
        Ok(Securable {
            class,
            name: self.object_name()?,
        })
    }

    pub(super) fn alter_authorization(&mut self) -> SqlResult<StatementKind> {
        self.expect_word("ON")?;
        let securable = self.securable()?;
        self.expect_word("TO")?;
        Ok(StatementKind::AlterAuthorization {
            securable,
            owner: self.name()?,
        })
    }
}
