//! Availability groups.
//!
//! Start at [`Parser::create_availability_group`].

use super::Parser;
use crate::error::SqlResult;
use crate::lang::ast::{
    AvailabilityGroupAction, CreateAvailabilityGroup, NamedOption, Replica, StatementKind,
};

impl Parser<'_> {
    pub(super) fn create_availability_group(&mut self) -> SqlResult<StatementKind> {
        self.expect_word("GROUP")?;
        let name = self.name()?;
        let options = self.optional_bracketed_options()?;
        self.expect_word("FOR")?;
        let databases = if self.take_word("DATABASE") {
            self.comma_list(Self::name)?
        } else {
            Vec::new()
        };
        self.expect_words(&["REPLICA", "ON"])?;
        let replicas = self.comma_list(Self::replica)?;
        let create = CreateAvailabilityGroup {
            name,
            options,
            databases,
            replicas,
        };
        Ok(StatementKind::CreateAvailabilityGroup(create))
    }

    fn optional_bracketed_options(&mut self) -> SqlResult<Vec<NamedOption>> {
        if self.take_word("WITH") {
            self.bracketed(Self::options)
        } else {
            Ok(Vec::new())
        }
    }

    fn replica(&mut self) -> SqlResult<Replica> {
        let name = self.name_or_text()?;
        let options = self.optional_bracketed_options()?;
        Ok(Replica { name, options })
    }

    pub(super) fn alter_availability_group(&mut self) -> SqlResult<StatementKind> {
        self.expect_word("GROUP")?;
        let name = self.name()?;
        let action = self.availability_group_action()?;
        Ok(StatementKind::AlterAvailabilityGroup { name, action })
    }

    fn availability_group_action(&mut self) -> SqlResult<AvailabilityGroupAction> {
        if self.take_words(&["ADD", "DATABASE"]) {
            self.comma_list(Self::name)
                .map(AvailabilityGroupAction::AddDatabases)
        } else if self.take_words(&["REMOVE", "DATABASE"]) {
            self.comma_list(Self::name)
                .map(AvailabilityGroupAction::RemoveDatabases)
        } else if self.take_words(&["ADD", "REPLICA", "ON"]) {
            self.comma_list(Self::replica)
                .map(AvailabilityGroupAction::AddReplicas)
        } else if self.take_words(&["MODIFY", "REPLICA", "ON"]) {
            self.replica().map(AvailabilityGroupAction::ModifyReplica)
        } else if self.take_word("JOIN") {
            self.optional_bracketed_options()?;
            Ok(AvailabilityGroupAction::Join)
        } else if self.take_word("FAILOVER") {
            Ok(AvailabilityGroupAction::Failover { is_forced: false })
        } else if self.take_word("FORCE_FAILOVER_ALLOW_DATA_LOSS") {
            Ok(AvailabilityGroupAction::Failover { is_forced: true })
        } else if self.take_words(&["GRANT", "CREATE", "ANY", "DATABASE"]) {
            Ok(AvailabilityGroupAction::GrantCreateAnyDatabase)
        } else {
            self.expect_word("SET")?;
            self.bracketed(Self::options)
                .map(AvailabilityGroupAction::Set)
        }
    }

    pub(super) fn drop_availability_group(&mut self) -> SqlResult<StatementKind> {
        self.expect_word("GROUP")?;
        Ok(StatementKind::DropAvailabilityGroup { name: self.name()? })
    }
}
