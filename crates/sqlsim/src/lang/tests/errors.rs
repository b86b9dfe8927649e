//! Errors, each with its number, line and near text.

use crate::lang::parse;

fn check(sql: &str, number: i32, line: u32, text: &str) {
    let error = parse(sql).expect_err(sql);
    assert_eq!((error.number, error.line), (number, line), "{sql}: {error}");
    assert!(error.text.contains(text), "{sql}: {error}");
}

#[test]
fn syntax_errors_name_what_they_are_near_and_their_line() {
    check("SELECT 1\nFROM", 102, 2, "near 'FROM'");
    check("SELECT 1 +", 102, 1, "near '+'");
    check(
        "SELECT * FROM t WHERE\nORDER BY 1",
        156,
        2,
        "the keyword 'ORDER'",
    );
    check("MERGE t USING s ON 1=1", 10713, 1, "a semi-colon");
    check("SELECT 1\n\nFROB x", 102, 3, "near 'x'");
    check("SELECT 'abc", 105, 1, "character string 'abc'");
    check("SELECT 1 /* x", 113, 1, "comment mark");
    check("SELECT 1\nCREATE VIEW v AS SELECT 1", 111, 2, "CREATE VIEW");
    check("IF 1 SELECT 1", 4145, 1, "non-boolean");
    check("SELECT 1 WHERE a", 102, 1, "near 'a'");
    check("DECLARE @a frob", 2715, 1, "data type frob");
    check("BACKUP DATABASE d TO DISK = 5", 102, 1, "near '5'");
    check("BACKUP DATABASE d", 102, 1, "near 'd'");
    check("BEGIN END", 156, 1, "END");
    check("SELECT a.b.c.d.e.f FROM t", 117, 1, "a.b.c.d.e.f");
    check("CREATE FROB x", 102, 1, "near 'FROB'");
    check("EXEC p @a + 1", 102, 1, "near '+'");
    check("GRANT SELECT ON t", 102, 1, "near 't'");
}

#[test]
fn deep_nesting_is_error_191_and_not_an_exhausted_stack() {
    for (open, middle, close) in [
        ("(", "1", ")"),
        ("(SELECT ", "1", ")"),
        ("CASE WHEN 1=1 THEN ", "1", " END"),
        ("- ", "1", ""),
        ("ABS(", "1", ")"),
    ] {
        let deep = |n: usize| format!("SELECT {}{middle}{}", open.repeat(n), close.repeat(n));
        assert_eq!(parse(&deep(10)).map(|batch| batch.len()), Ok(1), "{open}");
        check(&deep(5000), 191, 1, "nested too deeply");
    }
    check(
        &format!("{}SELECT 1", "BEGIN ".repeat(5000)),
        191,
        1,
        "nested too deeply",
    );
    check(
        &format!("{}SELECT 1", "IF 1=1 ".repeat(5000)),
        191,
        1,
        "nested too deeply",
    );
    check(
        &format!("SELECT 1 WHERE {}1=1", "NOT ".repeat(5000)),
        191,
        1,
        "nested too deeply",
    );
}

#[test]
fn long_flat_texts_are_no_deep_ones() {
    let sum = format!("SELECT {}1", "1 + ".repeat(20_000));
    assert_eq!(parse(&sum).map(|batch| batch.len()), Ok(1));
    let all = format!("SELECT 1 WHERE {}1 = 1", "1 = 1 AND ".repeat(20_000));
    assert_eq!(parse(&all).map(|batch| batch.len()), Ok(1));
    let unions = format!("{}SELECT 1", "SELECT 1 UNION ALL ".repeat(5_000));
    assert_eq!(parse(&unions).map(|batch| batch.len()), Ok(1));
}
