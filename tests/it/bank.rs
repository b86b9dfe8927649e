//! An application whose every transaction spans two hosts, so that a copy can be told from a torn copy.
//!
//! Start at [`Bank::open`]. Money moves between `SQL1/Ledger` and `SQL2/Accounts`; the sum over both never
//! changes. A restore to one moment has the exact sum, a restore to two moments has another.

use crate::stage::{AGENT, PASSWORD, Stage};

/// The ledgers, as host and database.
pub(crate) const LEDGERS: [(&str, &str); 2] = [("SQL1", "Ledger"), ("SQL2", "Accounts")];

/// What each ledger begins with.
const BALANCE: i64 = 1_000_000;

/// The sum over all ledgers, for ever.
pub(crate) const TOTAL: i64 = BALANCE * 2;

/// The application on its stage.
pub(crate) struct Bank;

impl Bank {
    /// Makes the tables, and a link of the application's own: those that marks need are the agent's to make.
    pub(crate) async fn open(stage: &Stage) -> Self {
        for (host, database) in LEDGERS {
            let table = format!(
                "CREATE TABLE dbo.Account (id bigint NOT NULL, balance bigint NOT NULL);\n\
                 INSERT INTO dbo.Account VALUES (1, {BALANCE});\nGO\n\
                 CREATE PROCEDURE dbo.Pay @amount bigint AS\nBEGIN\n    SET NOCOUNT ON;\n    \
                 UPDATE dbo.Account SET balance = balance + @amount WHERE id = 1;\nEND"
            );
            stage.script(host, database, &table).await;
        }
        let link = format!(
            "EXEC sp_addlinkedserver @server = N'BANK', @srvproduct = N'', @provider = N'MSOLEDBSQL', \
             @datasrc = N'SQL2';\n\
             EXEC sp_serveroption N'BANK', 'rpc out', 'true';\n\
             EXEC sp_droplinkedsrvlogin N'BANK', NULL;\n\
             EXEC sp_addlinkedsrvlogin N'BANK', 'FALSE', N'{AGENT}', N'{AGENT}', N'{PASSWORD}';"
        );
        stage.script("SQL1", "master", &link).await;
        Self
    }

    /// Moves money from one host to the other in one distributed transaction.
    pub(crate) async fn transfer(&self, stage: &Stage, amount: i64) {
        let transfer = format!(
            "SET XACT_ABORT ON; BEGIN TRANSACTION; EXEC dbo.Pay @amount = -{amount}; \
             EXEC [BANK].[Accounts].dbo.Pay @amount = {amount}; COMMIT TRANSACTION; \
             SELECT COUNT_BIG(*) FROM dbo.Account;"
        );
        let (host, database) = LEDGERS[0];
        stage.number(host, database, &transfer).await;
    }

    /// The sum over the copies on a host.
    pub(crate) async fn sum_on(&self, stage: &Stage, host: &str) -> i64 {
        let mut sum = 0;
        for (_, database) in LEDGERS {
            let own = "SELECT SUM(balance) FROM dbo.Account;";
            sum += stage.number(host, database, own).await;
        }
        sum
    }
}
