//! The syntax tree of the T-SQL that the simulator knows.
//!
//! Start at [`Statement`]. Every tree owns its text and is `Clone + Send + Sync`, so that
//! procedures may be kept parsed. The tree says what was written and never what it means: names are
//! resolved by the session, expressions by `query`.

mod admin;
mod event;
mod expr;
mod flow;
mod module;
mod select;
mod table;

use std::fmt;

pub use admin::*;
pub use event::*;
pub use expr::*;
pub use flow::*;
pub use module::*;
pub use select::*;
pub use table::*;

/// One statement, with its place in the batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// The line of its first word, from 1.
    pub line: u32,
    /// Its text within the batch: `&sql[span.start..span.end]`, without the trailing semicolon.
    pub span: Span,
    /// What it says.
    pub kind: StatementKind,
}

/// A range of bytes in the text of a batch, on character boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// What a statement says.
#[derive(Clone, Debug, PartialEq)]
pub enum StatementKind {
    /// `SELECT`, with `INTO` and assignments inside the tree.
    Select(Box<Select>),
    /// `INSERT`.
    Insert(Box<Insert>),
    /// `UPDATE`.
    Update(Box<Update>),
    /// `DELETE`.
    Delete(Box<Delete>),
    /// `MERGE`, as the statements that it comes to: `UPDATE`, `DELETE`, `INSERT`.
    Merge(Vec<Statement>),
    /// `TRUNCATE TABLE`.
    Truncate(ObjectName),
    /// `CREATE TABLE`.
    CreateTable(CreateTable),
    /// `ALTER TABLE`.
    AlterTable(AlterTable),
    /// `CREATE INDEX`.
    CreateIndex(CreateIndex),
    /// `DROP` of tables, procedures, views, functions, schemas, indexes.
    Drop(DropObjects),
    /// `CREATE | ALTER | CREATE OR ALTER PROCEDURE | VIEW | FUNCTION`.
    CreateModule(Box<CreateModule>),
    /// `CREATE SCHEMA`.
    CreateSchema {
        /// The schema.
        name: String,
        /// Its owner, after `AUTHORIZATION`.
        owner: Option<String>,
    },
    /// `CREATE LOGIN | USER | ROLE | SERVER ROLE`.
    CreatePrincipal(CreatePrincipal),
    /// `ALTER LOGIN | USER | ROLE | SERVER ROLE`.
    AlterPrincipal(AlterPrincipal),
    /// `DROP LOGIN | USER | ROLE | SERVER ROLE`.
    DropPrincipal(DropPrincipal),
    /// `GRANT | DENY | REVOKE`.
    Permission(Permission),
    /// `ALTER AUTHORIZATION`, accepted.
    AlterAuthorization {
        /// What changes hands.
        securable: Securable,
        /// The new owner.
        owner: String,
    },
    /// `CREATE DATABASE`.
    CreateDatabase(CreateDatabase),
    /// `ALTER DATABASE`.
    AlterDatabase(AlterDatabase),
    /// `DROP DATABASE`.
    DropDatabase {
        /// The databases.
        names: Vec<String>,
        /// Whether `IF EXISTS` was said.
        if_exists: bool,
    },
    /// `CREATE AVAILABILITY GROUP`.
    CreateAvailabilityGroup(CreateAvailabilityGroup),
    /// `ALTER AVAILABILITY GROUP`.
    AlterAvailabilityGroup {
        /// The group.
        name: String,
        /// What is done to it.
        action: AvailabilityGroupAction,
    },
    /// `DROP AVAILABILITY GROUP`.
    DropAvailabilityGroup {
        /// The group.
        name: String,
    },
    /// `CREATE EVENT SESSION`.
    CreateEventSession(CreateEventSession),
    /// `ALTER EVENT SESSION`.
    AlterEventSession {
        /// The session.
        name: String,
        /// What is done to it.
        action: EventSessionAction,
    },
    /// `DROP EVENT SESSION`.
    DropEventSession {
        /// The session.
        name: String,
    },
    /// `BACKUP DATABASE | LOG`.
    Backup(Backup),
    /// `RESTORE ...`.
    Restore(Restore),
    /// `BEGIN [DISTRIBUTED] TRANSACTION`.
    BeginTransaction(BeginTransaction),
    /// `COMMIT`, with the name that SQL Server ignores.
    Commit(Option<NameOrVariable>),
    /// `ROLLBACK`, of everything or to a savepoint.
    Rollback(Option<NameOrVariable>),
    /// `SAVE TRANSACTION`.
    Save(NameOrVariable),
    /// `SET` of a session option.
    SetOption(SetOption),
    /// `SET @variable = ...`.
    SetVariable(SetVariable),
    /// `DECLARE` of variables and table variables.
    Declare(Vec<Declaration>),
    /// `DECLARE ... CURSOR`.
    DeclareCursor {
        /// The cursor, `@` included where it is a variable.
        name: String,
        /// Its rows.
        select: Box<Select>,
    },
    /// `OPEN`.
    OpenCursor(String),
    /// `FETCH NEXT FROM`.
    Fetch {
        /// The cursor.
        cursor: String,
        /// The variables after `INTO`, `@` included; empty = the row goes to the client.
        into: Vec<String>,
    },
    /// `CLOSE`.
    CloseCursor(String),
    /// `DEALLOCATE`.
    DeallocateCursor(String),
    /// `IF ... ELSE ...`.
    If {
        /// The condition; only TRUE takes the first branch.
        condition: Condition,
        /// The first branch.
        then: Box<Statement>,
        /// The other branch.
        otherwise: Option<Box<Statement>>,
    },
    /// `WHILE`.
    While {
        /// The condition.
        condition: Condition,
        /// The body.
        body: Box<Statement>,
    },
    /// `label:`, a place to go to.
    Label(String),
    /// `GOTO label`.
    Goto(String),
    /// `BREAK`.
    Break,
    /// `CONTINUE`.
    Continue,
    /// `BEGIN ... END`.
    Block(Vec<Statement>),
    /// `BEGIN TRY ... END TRY BEGIN CATCH ... END CATCH`.
    TryCatch {
        /// The guarded statements.
        body: Vec<Statement>,
        /// What runs after an error.
        handler: Vec<Statement>,
    },
    /// `RETURN`.
    Return(Option<Expr>),
    /// `PRINT`.
    Print(Expr),
    /// `RAISERROR`.
    RaisError(RaisError),
    /// `THROW`, with number, message and state; nothing inside = throw again.
    Throw(Option<Box<(Expr, Expr, Expr)>>),
    /// `WAITFOR DELAY`.
    WaitForDelay(Expr),
    /// `WAITFOR TIME`.
    WaitForTime(Expr),
    /// `EXECUTE`.
    Execute(Box<Execute>),
    /// `EXECUTE AS LOGIN | USER | CALLER`.
    ExecuteAs(Impersonation),
    /// `REVERT`.
    Revert,
    /// `USE`.
    Use(String),
    /// `KILL`.
    Kill(Expr),
    /// `DBCC`.
    Dbcc(Dbcc),
    /// `CHECKPOINT`.
    Checkpoint,
    /// `RECONFIGURE`.
    Reconfigure,
}

/// A name of one to four parts. `#temp` and `@table` keep their marks in `name`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ObjectName {
    /// The linked server, in a four-part name.
    pub server: Option<String>,
    /// The database.
    pub database: Option<String>,
    /// The schema; `db..name` has none.
    pub schema: Option<String>,
    /// The object.
    pub name: String,
}

impl ObjectName {
    /// A one-part name.
    #[must_use]
    pub fn bare(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// A name from its parts, the last of which is the object; `None` for none or more than four.
    #[must_use]
    pub fn from_parts(mut parts: Vec<String>) -> Option<Self> {
        let name = parts.pop()?;
        let mut outer = parts
            .into_iter()
            .rev()
            .map(|p| Some(p).filter(|p| !p.is_empty()));
        let (schema, database, server) = (
            outer.next().flatten(),
            outer.next().flatten(),
            outer.next().flatten(),
        );
        outer.next().is_none().then_some(Self {
            server,
            database,
            schema,
            name,
        })
    }

    /// Whether it names a `#temp` table.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.name.starts_with('#')
    }

    /// Whether it names a table variable.
    #[must_use]
    pub fn is_variable(&self) -> bool {
        self.name.starts_with('@')
    }
}

impl fmt::Display for ObjectName {
    /// The dotted form without brackets, as SQL Server prints names in messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [&self.server, &self.database, &self.schema];
        for part in parts.into_iter().skip_while(|p| p.is_none()) {
            write!(f, "{}.", part.as_deref().unwrap_or_default())?;
        }
        f.write_str(&self.name)
    }
}

/// A name said outright or held by a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameOrVariable {
    /// The name itself.
    Name(String),
    /// The variable that holds it, `@` included.
    Variable(String),
}

/// An option of a `WITH` list: a name in capitals and its values. `STATS = 5` has one value,
/// `CHECKSUM` none, `MOVE 'a' TO 'b'` and `STOPATMARK = 'm' AFTER 't'` have two. A bare word as a
/// value is a text literal (`RECOVERY FULL` is `RECOVERY` with `'FULL'`).
#[derive(Clone, Debug, PartialEq)]
pub struct NamedOption {
    /// The name, in capitals.
    pub name: String,
    /// The values, in order.
    pub values: Vec<Expr>,
}

/// The option of a name (in capitals), where the list has it.
#[must_use]
pub fn find_option<'a>(options: &'a [NamedOption], name: &str) -> Option<&'a NamedOption> {
    options.iter().find(|o| o.name == name)
}
