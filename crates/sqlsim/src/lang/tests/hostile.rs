//! Properties: no text makes the parser panic.

use proptest::prelude::*;

use crate::lang::parse;

/// Texts to mutate: together they touch every file of the parser.
const SEEDS: [&str; 11] = [
    "SELECT TOP (5) a.*, CASE x WHEN 1 THEN N'y' ELSE CAST(z AS decimal(5,2)) END AS q FROM \
     [s].d..t a \
     LEFT JOIN (SELECT 1 AS b) c ON a.x = c.b WHERE EXISTS (SELECT 1) AND y LIKE '%' ORDER BY 1 \
      DESC",
    "CREATE TABLE t (id int IDENTITY(1,1) PRIMARY KEY, n nvarchar(max) DEFAULT (N''), CHECK (id > \
     0))",
    "BACKUP LOG [d] TO DISK = N'/x', DISK = @y WITH CHECKSUM, STATS = 5, ENCRYPTION (ALGORITHM = \
     A)",
    "RESTORE LOG d FROM DISK = 'x' WITH STOPATMARK = 'm' AFTER '2026', MOVE 'a' TO 'b', NORECOVERY",
    "CREATE PROC p @a int = -1 OUTPUT AS BEGIN TRY BEGIN TRAN @m WITH MARK 'x' COMMIT END TRY \
     BEGIN CATCH THROW END CATCH",
    "DECLARE c CURSOR LOCAL FOR SELECT 1 OPEN c FETCH NEXT FROM c INTO @a WHILE @@FETCH_STATUS = \
     0 BREAK",
    "CREATE AVAILABILITY GROUP g WITH (A = B) FOR DATABASE d REPLICA ON N'h' WITH (E = N'u', S (A \
     = ALL))",
    "GRANT VIEW SERVER STATE ON SERVER ROLE::x TO [y]; EXEC ('a ?', @b) AT [l]; DBCC CHECKDB (d) \
     WITH X",
    "CREATE EVENT SESSION s ON SERVER ADD EVENT sqlserver.error_reported (ACTION (p.a) WHERE (NOT \
     [x]=(1) OR p.greater_than_int64(x, -5))) ADD TARGET p.t (SET f = N'g') WITH (A = 4 MB)",
    "MERGE INTO t AS a USING (VALUES (1)) AS s (i) ON s.i = a.i WHEN MATCHED AND a.j > 1 THEN \
     UPDATE SET j = s.i WHEN NOT MATCHED BY SOURCE THEN DELETE WHEN NOT MATCHED THEN INSERT (i) \
     VALUES (s.i);",
    "again: SELECT a FROM b ORDER BY a OFFSET 1 ROWS FETCH NEXT @n ROWS ONLY IF 1 = 1 GOTO again \
     ALTER AVAILABILITY GROUP g MODIFY REPLICA ON 'h' WITH (B = 5)",
];

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300, failure_persistence: None, ..Default::default()
    })]

    #[test]
    fn arbitrary_text_never_panics(sql in "\\PC{0,200}") {
        let _ = parse(&sql);
    }

    #[test]
    fn arbitrary_tokens_never_panic(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "SELECT", "FROM", "(", ")", ",", "=", "*", ".", "@a", "'x'", "1", "BEGIN", "END",
                "IF",
                "CASE", "WHEN", "CREATE", "TABLE", "PROC", "AS", "WITH", "EXEC", "AT", "SET", "[q]",
                "a",
                "NOT", "IN", "LIKE", "BACKUP", "RESTORE", "TO", "DISK", "DECLARE", "CURSOR", "FOR",
                "ON",
                "GRANT", "ALTER", "DATABASE", "DROP", "INSERT", "VALUES", "UPDATE", "DELETE", "::",
                "-", "MERGE", "USING", "MATCHED", "GOTO", ":", "EVENT", "SESSION", "ADD", "WHERE",
                "OFFSET",
            ]),
            0..40,
        ),
    ) {
        let _ = parse(&words.join(" "));
    }

    #[test]
    fn mutated_statements_never_panic(
        seed in 0..SEEDS.len(),
        cut in any::<prop::sample::Index>(),
        length in 0_usize..12,
        insert in "\\PC{0,4}",
    ) {
        let chars: Vec<char> = SEEDS[seed].chars().collect();
        let from = cut.index(chars.len());
        let to = (from + length).min(chars.len());
        let middle: Vec<char> = insert.chars().collect();
        let sql: String =
            [&chars[..from], &middle, &chars[to..]].concat().iter().collect();
        let _ = parse(&sql);
    }
}

#[test]
fn the_seeds_themselves_are_valid() {
    for sql in SEEDS {
        assert!(parse(sql).is_ok(), "{sql}: {:?}", parse(sql));
    }
}
