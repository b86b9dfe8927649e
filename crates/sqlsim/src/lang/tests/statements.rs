//! Every kind of statement.

use super::{check, kind};
use crate::lang::ast::*;
use crate::lang::parse;

#[test]
fn queries_are_parsed() {
    check(
        "SELECT 1",
        "Select { with: [], first: SelectCore { .. Int(1)",
    );
    check(
        "SELECT DISTINCT TOP (5) a, b AS c, d = e FROM t",
        "distinct: true .. top: Some .. \"c\"",
    );
    check("SELECT x = 1", "alias: Some(\"x\")");
    check("SELECT TOP 10 PERCENT * FROM t", "percent: true .. All");
    check(
        "SELECT t.*, dbo.u.* FROM t, dbo.u",
        "AllOf .. \"t\" .. AllOf .. \"dbo\" .. \"u\"",
    );
    check("SELECT [from] FROM [select]", "\"from\" .. \"select\"");
    check(
        "SELECT * FROM [srv].[db].dbo.t",
        "server: Some(\"srv\"), database: Some(\"db\")",
    );
    check(
        "SELECT * FROM db..t",
        "database: Some(\"db\"), schema: None, name: \"t\"",
    );
    check("SELECT a INTO #t FROM u", "into: Some .. #t");
    check(
        "SELECT * FROM a JOIN b ON a.x = b.x LEFT JOIN c ON 1=1",
        "Inner .. Left",
    );
    check(
        "SELECT * FROM a CROSS JOIN b RIGHT OUTER JOIN c ON 1=1",
        "Cross .. Right",
    );
    check(
        "SELECT * FROM a CROSS APPLY f(a.x) AS g OUTER APPLY h(1) i",
        "CrossApply .. OuterApply",
    );
    check("SELECT * FROM (SELECT 1 AS x) d", "Derived");
    check("SELECT * FROM (VALUES (1),(2)) AS v(n)", "Values .. \"n\"");
    check(
        "SELECT * FROM t WITH (TABLOCKX, HOLDLOCK) WHERE a = 1",
        "TABLOCKX .. HOLDLOCK",
    );
    check("SELECT * FROM t AS u (NOLOCK)", "\"u\" .. NOLOCK");
    check(
        "SELECT a, COUNT(*) FROM t GROUP BY a HAVING COUNT(*) > 1 ORDER BY 2 DESC, a ASC",
        "group_by .. having: Some .. order_by .. descending: true .. descending: false",
    );
    check(
        "SELECT 1 UNION ALL SELECT 2 UNION SELECT 3 ORDER BY 1",
        "UnionAll .. Union",
    );
    check(
        "WITH x AS (SELECT 1 AS a) SELECT a FROM x",
        "CommonTable { name: \"x\"",
    );
    check(
        "SELECT @v = a, @w += b FROM t",
        "Assign { variable: \"@v\", operator: None .. Some(Add)",
    );
    check("SELECT a FROM t OPTION (RECOMPILE)", "Select");
}

#[test]
fn expressions_are_parsed() {
    check(
        "SELECT 1 + 2 * 3 - 4",
        "Chain { first: Literal .. Add, Chain .. Multiply .. Subtract",
    );
    check("SELECT -5, - a", "Int(-5) .. Unary { operator: Minus");
    check(
        "SELECT N'it''s', 'x', 0xFF, 1.50, 1e3, NULL, 3000000000",
        "NVarChar(Some(4)) .. VarChar(Some(1)) .. Binary([255]) .. Decimal { unscaled: 150, \
         scale: 2 } \
         .. Float(1000.0) .. Null .. Decimal { unscaled: 3000000000, scale: 0 }",
    );
    check(
        "SELECT CASE WHEN a = 1 THEN 2 ELSE 3 END",
        "Case { branches .. otherwise: Some",
    );
    check("SELECT CASE a WHEN 1 THEN 2 END", "SimpleCase");
    check(
        "SELECT CAST(a AS nvarchar(10)), CONVERT(varchar(30), b, 121), TRY_CONVERT(int, c)",
        "NVarChar(Some(10)) .. VarChar(Some(30)), style: Some .. lenient: true",
    );
    check(
        "SELECT CAST(a AS varchar), CAST(a AS decimal(10,2)), CAST(a AS nvarchar(max))",
        "VarChar(Some(30)) .. precision: 10, scale: 2 .. NVarChar(None)",
    );
    check(
        "SELECT IIF(a > 1, 'x', 'y'), COALESCE(a, b), NULLIF(a, 1), LEFT(a, 2)",
        "Iif .. COALESCE .. NULLIF .. LEFT",
    );
    check(
        "SELECT DATEADD(day, -1, GETDATE())",
        "DATEADD .. Text(\"DAY\") .. GETDATE",
    );
    check(
        "SELECT COUNT(DISTINCT a), COUNT_BIG(*), STRING_AGG(a, ',') WITHIN GROUP (ORDER BY a)",
        "Count, distinct: true .. CountBig .. argument: None .. StringAgg .. order_by: [OrderItem",
    );
    check(
        "SELECT ROW_NUMBER() OVER (PARTITION BY a ORDER BY b DESC)",
        "RowNumber",
    );
    check(
        "SELECT (SELECT MAX(x) FROM t), @@TRANCOUNT, sys.fn_x(1)",
        "Subquery .. @@TRANCOUNT .. schema: Some(\"sys\")",
    );
    check("SELECT a COLLATE Latin1_General_BIN FROM t", "\"a\"");
    check(
        "SELECT CURRENT_TIMESTAMP, SYSTEM_USER",
        "CURRENT_TIMESTAMP .. SYSTEM_USER",
    );
}

#[test]
fn conditions_are_parsed() {
    check(
        "SELECT 1 WHERE a = 1 AND (b <> 2 OR NOT c >= 3)",
        "All .. Compare .. Any .. Not",
    );
    check(
        "SELECT 1 WHERE a IS NULL AND b IS NOT NULL",
        "negated: false .. negated: true",
    );
    check(
        "SELECT 1 WHERE a IN (1, 2) AND b NOT IN (SELECT x FROM t)",
        "In { .. InSelect .. true",
    );
    check(
        "SELECT 1 WHERE a LIKE '%x!%' ESCAPE '!' AND b NOT LIKE 'y'",
        "escape: Some .. true",
    );
    check(
        "SELECT 1 WHERE a BETWEEN 1 AND 2 AND b NOT BETWEEN 3 AND 4",
        "Between .. Between .. true",
    );
    check(
        "SELECT 1 WHERE EXISTS (SELECT 1) AND NOT EXISTS (SELECT 2)",
        "Exists .. Not(Exists",
    );
    check(
        "SELECT 1 WHERE ((a + 1)) * 2 = 4 AND ((b = 1))",
        "Chain .. Multiply .. Compare",
    );
    check(
        "SELECT 1 WHERE a !< 1 AND a !> 2 AND a != 3",
        "GreaterOrEqual .. LessOrEqual .. NotEqual",
    );
}

#[test]
fn changes_of_rows_are_parsed() {
    check(
        "INSERT INTO t (a, b) VALUES (1, DEFAULT), (2, 3)",
        "columns: [\"a\", \"b\"] .. None",
    );
    check("INSERT t SELECT * FROM u", "source: Select");
    check(
        "INSERT t (a) (SELECT 1)",
        "columns: [\"a\"] .. source: Select",
    );
    check("INSERT INTO #t EXEC sp_who", "source: Execute");
    check(
        "INSERT t (a) OUTPUT INSERTED.id INTO @o (id) VALUES (1)",
        "Output .. @o .. \"id\"",
    );
    check("INSERT t DEFAULT VALUES", "DefaultValues");
    check(
        "UPDATE t SET a = 1, b += 2, @v = c = 3 WHERE d = 4",
        "column: Some(\"a\") .. Some(Add) .. variable: Some(\"@v\"), column: Some(\"c\")",
    );
    check(
        "UPDATE TOP (1) u SET u.a = s.a OUTPUT DELETED.a FROM t u JOIN s ON u.id = s.id",
        "top: Some .. column: Some(\"a\") .. output: Some .. from: [FromItem",
    );
    check("UPDATE t SET a = DEFAULT", "value: None");
    check(
        "DELETE FROM t WHERE a = 1",
        "Delete { top: None .. condition: Some",
    );
    check(
        "DELETE u FROM t AS u JOIN s ON u.id = s.id",
        "name: \"u\" .. from: [FromItem",
    );
    check("TRUNCATE TABLE dbo.t", "Truncate");
}

#[test]
fn definitions_are_parsed() {
    check(
        "CREATE TABLE dbo.t (id int IDENTITY(1,1) NOT NULL PRIMARY KEY, n nvarchar(32) NULL \
         CONSTRAINT df DEFAULT (N'x'), d datetime2 DEFAULT SYSUTCDATETIME(), CHECK (id > 0), \
         CONSTRAINT uq UNIQUE NONCLUSTERED (n ASC, d), \
         CONSTRAINT fk FOREIGN KEY (id) REFERENCES u (id) ON DELETE CASCADE)",
        "identity: Some((1, 1)) .. default: Some .. DateTime2(7) .. PrimaryKey([\"id\"]) .. Check \
         .. \
         Some(\"uq\"), kind: Unique([\"n\", \"d\"]) .. ForeignKey",
    );
    check(
        "ALTER TABLE t ADD c int NULL, d bit",
        "Add(TableDefinition { columns: [ .. \"c\" .. \"d\"",
    );
    check(
        "ALTER TABLE t ADD CONSTRAINT df DEFAULT 1 FOR c",
        "Default { value .. column: \"c\"",
    );
    check(
        "ALTER TABLE t DROP COLUMN a, b",
        "DropColumns([\"a\", \"b\"])",
    );
    check(
        "CREATE UNIQUE NONCLUSTERED INDEX ix ON dbo.t (a DESC) INCLUDE (b)",
        "unique: true",
    );
    check("CREATE INDEX ix ON t (a)", "unique: false");
    check(
        "DROP TABLE IF EXISTS a, dbo.b",
        "Table, if_exists: true .. \"a\" .. \"b\"",
    );
    check("DROP PROC p", "Procedure, if_exists: false");
    check("DROP INDEX ix ON t", "Index .. table: Some");
    check(
        "CREATE SCHEMA s AUTHORIZATION dbo",
        "CreateSchema { name: \"s\", owner: Some(\"dbo\") }",
    );
    check(
        "CREATE VIEW v (a) AS SELECT 1 UNION SELECT 2",
        "View { columns: [\"a\"]",
    );
    check("ALTER VIEW v AS SELECT 1 AS a", "mode: Alter");
    check(
        "CREATE OR ALTER FUNCTION dbo.f (@a int = 1) RETURNS nvarchar(10) AS BEGIN RETURN @a END",
        "CreateOrAlter .. Function .. default: Some .. NVarChar(Some(10)) .. Return(Some",
    );
}

#[test]
fn a_procedure_keeps_its_text_and_its_lines() {
    let sql = "-- why\nCREATE PROCEDURE dbo.p @a int, @b sysname = NULL OUTPUT\n\
               WITH EXECUTE AS OWNER\nAS\nSET NOCOUNT ON;\nSELECT @a\nRETURN 0";
    let StatementKind::CreateModule(module) = kind(sql) else {
        panic!("a module")
    };
    assert_eq!(module.definition, sql);
    let ModuleKind::Procedure {
        parameters,
        execute_as,
        body,
    } = &module.kind
    else {
        panic!("a procedure")
    };
    assert_eq!(parameters.len(), 2);
    assert!(parameters[1].output && parameters[1].default.is_some());
    assert_eq!(execute_as.as_deref(), Some("OWNER"));
    let lines: Vec<u32> = body.iter().map(|statement| statement.line).collect();
    assert_eq!(lines, [5, 6, 7]);
    let Span { start, end } = body[1].span;
    assert_eq!(&module.definition[start..end], "SELECT @a");
    assert_eq!(parse(&module.definition), parse(sql));
}

#[test]
fn principals_and_rights_are_parsed() {
    check(
        "CREATE LOGIN [a] WITH PASSWORD = N'x' MUST_CHANGE, DEFAULT_DATABASE = [master], \
           CHECK_POLICY = OFF",
        "Login .. PASSWORD .. MUST_CHANGE .. DEFAULT_DATABASE .. OFF",
    );
    check("CREATE LOGIN [D\\u] FROM WINDOWS", "windows: true");
    check(
        "CREATE USER a FOR LOGIN b WITH DEFAULT_SCHEMA = dbo",
        "login: Some(\"b\") .. dbo",
    );
    check("CREATE USER a WITHOUT LOGIN", "without_login: true");
    check("CREATE ROLE r AUTHORIZATION dbo", "Role");
    check("CREATE SERVER ROLE r", "ServerRole");
    check("ALTER ROLE db_owner ADD MEMBER [a]", "AddMember(\"a\")");
    check(
        "ALTER SERVER ROLE sysadmin DROP MEMBER a",
        "ServerRole .. DropMember",
    );
    check("ALTER LOGIN a DISABLE", "Disable");
    check(
        "ALTER LOGIN a WITH PASSWORD = 'x' OLD_PASSWORD = 'y'",
        "With .. \"x\" .. \"y\"",
    );
    check("DROP USER IF EXISTS a", "User .. if_exists: true");
    check(
        "GRANT EXECUTE ON OBJECT::dbo.p TO [a] WITH GRANT OPTION",
        "Grant, permissions: [\"EXECUTE\"] .. Some(\"OBJECT\") .. \"p\" .. [\"a\"]",
    );
    check(
        "GRANT VIEW SERVER STATE, ALTER ANY LINKED SERVER TO a, b",
        "\"VIEW SERVER STATE\", \"ALTER ANY LINKED SERVER\" .. [\"a\", \"b\"]",
    );
    check(
        "DENY SELECT, INSERT ON t TO public",
        "Deny .. SELECT .. INSERT .. public",
    );
    check(
        "REVOKE GRANT OPTION FOR SELECT ON t FROM a CASCADE",
        "Revoke",
    );
    check("GRANT EXEC ON SCHEMA :: dbo TO a", "EXECUTE .. SCHEMA");
    check(
        "ALTER AUTHORIZATION ON DATABASE::d TO sa",
        "AlterAuthorization .. \"sa\"",
    );
}
