//! Expressions, conditions, types and functions.

use super::{Fake, TEXT, check, check_type, parsed};
use crate::lang::ast::{SelectItem, StatementKind};
use crate::query::{condition, evaluate, format_message};
use crate::value::{SqlType, Typed, Value};

#[test]
fn arithmetic_is_that_of_the_types() {
    check(
        "SELECT 7 / 2, 7 % 2, 7.0 / 2, 2 + 3 * 4, (2 + 3) * 4",
        "3 1 3.500000 14 20",
    );
    check("SELECT 'a' + 'b', '1' + 1, N'é' + 'x'", "ab 2 éx");
    check(
        "SELECT 0.1 + 0.2, 1.10 * 1.10, 35000000012300001 + 1",
        "0.3 1.2100 35000000012300002",
    );
    check(
        "SELECT 1e0 / 4, 5 & 3, 5 | 3, 5 ^ 3, ~5, -@n",
        "0.25 1 7 6 -6 -3",
    );
    check("SELECT 1 / 0", "error 8134");
    check("SELECT 2147483647 + 1", "error 8115");
    check("SELECT 'a' + 1", "error 245");
    check("SELECT 'a' - 'b'", "error 8117");
    check("SELECT CAST('2026-01-01' AS date) + 1", "error 402");
    check("SELECT NULL + 1, 'a' + NULL, 'a' + @null", "NULL NULL NULL");
    check(
        "SELECT CAST('2026-01-31' AS datetime) + 1",
        "Feb  1 2026 12:00AM",
    );
}

#[test]
fn types_are_derived_without_rows() {
    check_type("1 + 1", "int");
    check_type("1.5 * 2.25", "decimal(6,3)");
    check_type("CAST(1 AS decimal(25,0)) + 1", "decimal(26,0)");
    check_type("CASE WHEN 1 = 2 THEN 1 ELSE 2.5 END", "decimal(11,1)");
    check_type("CASE WHEN 1 = 2 THEN NULL ELSE N'abc' END", "nvarchar(3)");
    check_type("COALESCE(NULL, CAST(1 AS bigint))", "bigint");
    check_type("ISNULL(NULL, 'ab')", "varchar(2)");
    check_type("'ab' + N'cd'", "nvarchar(4)");
    check_type("COUNT_BIG(*)", "bigint");
    check_type("(SELECT MAX(pay) FROM people)", "decimal(10,2)");
    check_type("DB_NAME()", "nvarchar(128)");
    check_type("DATEADD(day, 1, CAST('2026-01-01' AS date))", "date");
    check_type("NULL", "int");
}

#[test]
fn conditions_have_three_values() {
    let truth = |text: &str| {
        let sql = format!("IF {text} SELECT 1");
        let statement = crate::lang::parse(&sql).expect(text).remove(0);
        let StatementKind::If {
            condition: parsed, ..
        } = statement.kind
        else {
            panic!("{text}")
        };
        condition(&Fake, &parsed).expect(text)
    };
    for text in [
        "'Abc ' = 'aBC'",
        "1 = 1.0",
        "'10' > 9",
        "NULL IS NULL",
        "1 IN (NULL, 1)",
        "2 BETWEEN 1 AND 3",
        "1 = 1 OR NULL = 1",
        "NOT (1 = 2)",
        "'abc' LIKE 'A_C'",
        "'a%' LIKE 'a!%' ESCAPE '!'",
        "EXISTS (SELECT 1)",
        "3 IN (SELECT id FROM people)",
        "9 NOT IN (SELECT id FROM people)",
        "CAST('2026-01-02' AS datetime) > '2026-01-01'",
        "0x0100 = 0x01",
    ] {
        assert_eq!(truth(text), Some(true), "{text}");
    }
    for text in [
        "1 = 2",
        "1 <> 1",
        "NULL = 1 AND 1 = 2",
        "1 NOT IN (1, NULL)",
        "'b' < 'A'",
    ] {
        assert_eq!(truth(text), Some(false), "{text}");
    }
    for text in [
        "NULL = NULL",
        "1 IN (2, NULL)",
        "1 NOT IN (2, NULL)",
        "NOT (NULL = 1)",
        "@null LIKE 'a'",
        "99 NOT IN (SELECT boss FROM people)",
        "1 BETWEEN NULL AND 2",
    ] {
        assert_eq!(truth(text), None, "{text}");
    }
}

#[test]
fn functions_of_text_compute() {
    check(
        "SELECT LEN('ab '), DATALENGTH(N'ab'), UPPER('a'), LOWER('B'), LTRIM(' a'), RTRIM('a ') + \
         '.'",
        "2 4 A b a a.",
    );
    check(
        "SELECT LEFT('abc', 2), RIGHT('abc', 2), SUBSTRING('abc', 2, 5), SUBSTRING('abc', 0, 2)",
        "ab bc bc a",
    );
    check(
        "SELECT CHARINDEX('B', 'abc'), CHARINDEX('x', 'abc'), PATINDEX('%[0-9]%', 'ab7')",
        "2 0 3",
    );
    check(
        "SELECT REPLACE('aXbx', 'x', '-'), STUFF('abcd', 2, 2, 'X'), REPLICATE('ab', 2)",
        "a-b- aXd abab",
    );
    check(
        "SELECT CONCAT('a', NULL, 1), QUOTENAME('a]b'), PARSENAME('[s].d..t', 3), TRIM(' x ')",
        "a1 [a]]b] d x",
    );
    check(
        "SELECT ASCII('A'), UNICODE(N'é'), CHAR(65), NCHAR(233), STR(1.5, 6, 2)",
        "65 233 A é   1.50",
    );
    check("SELECT LEFT('a', -1)", "error 537");
    check("SELECT FORMATMESSAGE('%s has %d', 'x', 3)", "x has 3");
}

#[test]
fn functions_of_numbers_and_dates_compute() {
    check(
        "SELECT ABS(-1.5), ROUND(2.345, 2), FLOOR(-1.5), CEILING(1.2), SIGN(-3), ROUND(15, -1)",
        "1.5 2.350 -2.0 2.0 -1 20",
    );
    check(
        "SELECT DATEDIFF(day, '2026-01-01', '2026-03-01'), DATEPART(month, '2026-03-01')",
        "59 3",
    );
    check(
        "SELECT YEAR('2026-03-04'), MONTH('2026-03-04'), DAY('2026-03-04')",
        "2026 3 4",
    );
    check(
        "SELECT CONVERT(varchar(30), DATEADD(mi, 90, '2026-01-01'), 121)",
        "2026-01-01 01:30:00.000",
    );
    check(
        "SELECT CONVERT(char(8), CAST('2026-01-02' AS datetime), 112)",
        "20260102",
    );
    check(
        "SELECT EOMONTH('2026-02-03'), ISDATE('x'), ISNUMERIC('1.5')",
        "2026-02-28 0 1",
    );
    check("SELECT DATEADD(frob, 1, '2026-01-01')", "error 155");
    check("SELECT DATEADD(year, 9000, '2026-01-01')", "error 517");
}

#[test]
fn functions_of_choice_leave_the_rest_unevaluated() {
    check(
        "SELECT COALESCE(1, 1 / 0), CASE WHEN 1 = 1 THEN 2 ELSE 1 / 0 END, IIF(1 = 1, 3, 1 / 0)",
        "1 2 3",
    );
    check(
        "SELECT NULLIF(1, 1), NULLIF(1, 2), ISNULL(@null, 'abc'), CASE @n WHEN 3 THEN 'y' END",
        "NULL 1 abc y",
    );
    check(
        "SELECT TRY_CONVERT(int, 'x'), TRY_CAST('5' AS int)",
        "NULL 5",
    );
    check("SELECT CASE WHEN 1 = 1 THEN 'x' ELSE 1 END", "error 245");
}

#[test]
fn unknown_names_have_their_errors() {
    check("SELECT frob(1)", "error 195");
    check("SELECT LEN(1, 2)", "error 174");
    check("SELECT SUBSTRING('a')", "error 174");
    check("SELECT @frob", "error 137");
    check("SELECT frob FROM people", "error 207");
    check("SELECT x.id FROM people", "error 4104");
    check("SELECT x.* FROM people", "error 107");
    check("SELECT 1 FROM frob", "error 208");
    check("SELECT id FROM people a, people b", "error 209");
    check("SELECT 1 FROM people a, places a", "error 1011");
}

#[test]
fn an_expression_is_evaluated_alone_with_its_type() {
    let select = parsed("SELECT @n * 2");
    let SelectItem::Expr { expr, .. } = &select.first.items[0] else {
        panic!("an expression")
    };
    assert_eq!(evaluate(&Fake, expr), Ok(Typed::new(SqlType::Int, 6)));
}

#[test]
fn message_templates_are_filled() {
    let arguments = [Typed::new(TEXT, "ab"), Typed::int(7), Typed::null(TEXT)];
    assert_eq!(
        format_message("%s-%5d-%s %%", &arguments),
        "ab-    7-(null) %"
    );
    assert_eq!(format_message("%-4s|%04d", &arguments), "ab  |0007");
    assert_eq!(
        format_message("%.1s %x %q", &[arguments[0].clone(), Typed::int(255)]),
        "a ff %q"
    );
    assert_eq!(format_message("%d %I64d", &[Typed::int(1)]), "1 (null)");
    assert_eq!(format_message("é%", &[]), "é%");
    let text = Typed::new(TEXT, Value::text("é"));
    assert_eq!(format_message("%3sé", &[text]), "  éé");
}

#[test]
fn the_deepest_text_that_parses_also_evaluates() {
    for (open, close) in [
        ("(", ")"),
        ("ABS(", ")"),
        ("(SELECT ", ")"),
        ("CASE WHEN 1=1 THEN ", " END"),
    ] {
        let deepest = (1..200)
            .map(|n| format!("SELECT {}1{}", open.repeat(n), close.repeat(n)))
            .take_while(|sql| crate::lang::parse(sql).is_ok())
            .last()
            .expect("one parses");
        let outcome = crate::query::select(&Fake, &parsed(&deepest));
        let number = outcome.as_ref().err().map(|error| error.number);
        assert!(
            outcome.is_ok() || number == Some(191),
            "{open}: {outcome:?}"
        );
    }
}
