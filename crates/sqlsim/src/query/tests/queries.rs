//! Queries over tables.

use super::{Fake, check, parsed};
use crate::query::{assign, assigns, relations_of, select};
use crate::value::{SqlType, Value};

#[test]
fn rows_are_filtered_projected_and_ordered() {
    check(
        "SELECT name FROM people WHERE pay > 250 ORDER BY pay DESC",
        "Ann|Cid|bob",
    );
    check(
        "SELECT TOP (2) id, name AS n FROM people ORDER BY n DESC",
        "4 Dee|3 Cid",
    );
    check("SELECT TOP 50 PERCENT id FROM people ORDER BY 1", "1|2");
    check("SELECT DISTINCT boss FROM people ORDER BY boss", "NULL|1|2");
    check(
        "SELECT p.* FROM people AS p WHERE p.NAME = 'BOB'",
        "2 bob 1 300.00",
    );
    check("SELECT id + 1 AS x FROM people ORDER BY -id", "5|4|3|2");
    check("SELECT 1 WHERE 1 = 0", "");
    check("SELECT id FROM people ORDER BY 9", "error 108");
    check("SELECT *", "error 102");
    check("SELECT TOP (-1) id FROM people", "error 1060");
}

#[test]
fn joins_keep_the_right_rows() {
    check(
        "SELECT p.name, q.place FROM people p JOIN places q ON p.id = q.person ORDER BY 1, 2",
        "Ann Oslo|bob Bern|bob Oslo",
    );
    check(
        "SELECT p.name, q.place FROM people p LEFT JOIN places q ON q.person = p.id ORDER BY \
         p.id, 2",
        "Ann Oslo|bob Bern|bob Oslo|Cid NULL|Dee NULL",
    );
    check(
        "SELECT p.name, q.place FROM people p RIGHT JOIN places q ON q.person = p.id \
           WHERE p.id IS NULL",
        "NULL Rome",
    );
    check(
        "SELECT COUNT(*) FROM people p FULL JOIN places q ON q.person = p.id",
        "6",
    );
    check("SELECT COUNT(*) FROM people CROSS JOIN places", "16");
    check("SELECT COUNT(*) FROM people, places WHERE id = person", "3");
    check(
        "SELECT a.name, b.name FROM people a JOIN people b ON a.boss = b.id AND b.id > 1",
        "Dee bob",
    );
    check(
        "SELECT a.name FROM people a LEFT JOIN people b ON a.boss = b.id AND b.name = 'x' \
           WHERE b.id IS NULL AND a.id < 3",
        "Ann|bob",
    );
    check(
        "SELECT p.id, f.n FROM people p CROSS APPLY upto(p.id) f WHERE p.id < 3",
        "1 1|2 1|2 2",
    );
    check(
        "SELECT p.id, d.place FROM people p OUTER APPLY (SELECT TOP 1 place FROM places \
           WHERE person = p.id ORDER BY place) d",
        "1 Oslo|2 Bern|3 NULL|4 NULL",
    );
    check("SELECT v.n FROM (VALUES (1), (2.5)) AS v(n)", "1.0|2.5");
    check("SELECT n FROM upto(2)", "1|2");
    check(
        "SELECT x.a FROM (SELECT id FROM people WHERE id = 2) x(a)",
        "2",
    );
    check("SELECT 1 FROM (SELECT 1) x", "error 8155");
}

#[test]
fn groups_aggregate() {
    check(
        "SELECT boss, COUNT(*), SUM(pay), MIN(name), MAX(name) FROM people GROUP BY boss ORDER BY \
         1",
        "NULL 1 500.00 Ann Ann|1 2 600.50 bob Cid|2 1 200.00 Dee Dee",
    );
    check(
        "SELECT COUNT(*), COUNT(boss), COUNT(DISTINCT boss), AVG(id), SUM(id) FROM people",
        "4 3 2 2 10",
    );
    check(
        "SELECT AVG(pay), AVG(CAST(id AS float)) FROM people",
        "325.125000 2.5",
    );
    check("SELECT COUNT(*), MAX(id) FROM people WHERE 1 = 0", "0 NULL");
    check(
        "SELECT boss FROM people GROUP BY boss HAVING COUNT(*) > 1",
        "1",
    );
    check("SELECT boss FROM people WHERE 1 = 0 GROUP BY boss", "");
    check(
        "SELECT STRING_AGG(name, ',') WITHIN GROUP (ORDER BY name DESC) FROM people",
        "Dee,Cid,bob,Ann",
    );
    check(
        "SELECT id % 2, COUNT(*) FROM people GROUP BY id % 2 ORDER BY COUNT(*), id % 2",
        "0 2|1 2",
    );
    check(
        "SELECT ISNULL(boss, 0) + 1 FROM people GROUP BY ISNULL(boss, 0) ORDER BY 1",
        "1|2|3",
    );
    check(
        "SELECT name, COUNT(*) FROM people GROUP BY boss",
        "error 8120",
    );
    check("SELECT name, COUNT(*) FROM people", "error 8120");
    check("SELECT 1 FROM people WHERE COUNT(*) > 1", "error 147");
    check("SELECT SUM(name) FROM people", "error 8117");
    check("SELECT SUM(id + 2147483640) FROM people", "error 8115");
}

#[test]
fn subqueries_see_the_rows_around_them() {
    check(
        "SELECT name FROM people p WHERE EXISTS (SELECT 1 FROM places WHERE person = p.id)",
        "Ann|bob",
    );
    check(
        "SELECT name, (SELECT COUNT(*) FROM places q WHERE q.person = p.id) FROM people p",
        "Ann 1|bob 2|Cid 0|Dee 0",
    );
    check(
        "SELECT name FROM people WHERE pay = (SELECT MAX(pay) FROM people)",
        "Ann",
    );
    check(
        "SELECT name FROM people p WHERE id IN (SELECT x.b FROM (SELECT boss AS b FROM people c \
           WHERE c.boss = p.id) x)",
        "Ann|bob",
    );
    check(
        "SELECT name FROM people p WHERE EXISTS (SELECT 1 FROM places q WHERE EXISTS \
           (SELECT 1 FROM people r WHERE r.id = p.id AND r.id = q.person))",
        "Ann|bob",
    );
    check("SELECT (SELECT id FROM people)", "error 512");
    check("SELECT (SELECT id, name FROM people)", "error 116");
    check(
        "SELECT 1 WHERE 1 IN (SELECT id, name FROM people)",
        "error 116",
    );
}

#[test]
fn arms_are_joined() {
    check("SELECT 1 UNION SELECT 2 UNION SELECT 1", "1|2");
    check("SELECT 1 AS a UNION ALL SELECT 1 ORDER BY a", "1|1");
    check(
        "SELECT id FROM people EXCEPT SELECT person FROM places",
        "3|4",
    );
    check(
        "SELECT id FROM people INTERSECT SELECT person FROM places",
        "1|2",
    );
    check("SELECT NULL AS a UNION SELECT 'x' ORDER BY 1", "NULL|x");
    check("SELECT 1 UNION SELECT 2.5 ORDER BY 1 DESC", "2.5|1.0");
    check("SELECT 1 UNION SELECT 1, 2", "error 205");
    check("SELECT 'x' UNION SELECT 1", "error 245");
}

#[test]
fn common_tables_and_views_are_read() {
    check(
        "WITH a (n) AS (SELECT id FROM people), b AS (SELECT MAX(n) AS m FROM a) SELECT m FROM b",
        "4",
    );
    check("SELECT name FROM oslo ORDER BY name DESC", "bob|Ann");
    check("SELECT * FROM endless", "error 191");
}

#[test]
fn rows_are_numbered() {
    check(
        "SELECT name, ROW_NUMBER() OVER (ORDER BY pay DESC) AS r FROM people ORDER BY r",
        "Ann 1|Cid 2|bob 3|Dee 4",
    );
    check(
        "SELECT name, ROW_NUMBER() OVER (PARTITION BY boss ORDER BY id DESC) FROM people ORDER BY \
         id",
        "Ann 1|bob 2|Cid 1|Dee 1",
    );
    check(
        "SELECT n FROM (SELECT name AS n, ROW_NUMBER() OVER (ORDER BY id) AS r FROM people) d \
           WHERE r = 2",
        "bob",
    );
}

#[test]
fn columns_are_named_and_typed_without_rows() {
    let rows = select(
        &Fake,
        &parsed("SELECT NAME, pay * 2, id AS x FROM people WHERE 1 = 0"),
    );
    let rows = rows.expect("no rows");
    let names: Vec<&str> = rows
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!(names, ["name", "", "x"]);
    assert_eq!(rows.columns[2].ty, SqlType::Int);
    assert!(!rows.columns[2].nullable && rows.columns[1].nullable);
    assert!(rows.rows.is_empty());
}

#[test]
fn thousands_of_rows_join_in_no_time() {
    check(
        "SELECT COUNT(*) FROM many a JOIN many b ON a.k = b.k JOIN many c ON c.t = b.t",
        "4000",
    );
    check(
        "SELECT COUNT(*) FROM many WHERE k IN (SELECT k FROM many WHERE k % 2 = 0)",
        "2000",
    );
}

#[test]
fn assignments_take_the_last_row_and_see_the_one_before() {
    let assigned = |sql: &str| {
        let select = parsed(sql);
        assert!(assigns(&select), "{sql}");
        assign(&Fake, &select)
    };
    let last = assigned("SELECT @n = id, @s = name FROM people ORDER BY id").expect("assigned");
    let expected = vec![
        ("@n".to_owned(), Value::Int(4)),
        ("@s".to_owned(), Value::text("Dee")),
    ];
    assert_eq!((last.values, last.rows), (expected, 4));
    let joined = assigned("SELECT @s = @s + name FROM people ORDER BY id").expect("assigned");
    assert_eq!(joined.values[0].1, Value::text("xAnnbobCidDee"));
    let sum = assigned("SELECT @n += id FROM people").expect("assigned");
    assert_eq!(sum.values[0].1, Value::Int(13));
    let none = assigned("SELECT @n = id FROM people WHERE 1 = 0").expect("assigned");
    assert_eq!((none.values.len(), none.rows), (0, 0));
    let mixed = assigned("SELECT @n = id, name FROM people").expect_err("mixed");
    assert_eq!(mixed.number, 141);
}

#[test]
fn named_tables_are_found_before_evaluation() {
    let check = |sql: &str, expected: &[&str]| {
        let statement = crate::lang::parse(sql).expect(sql).remove(0);
        let found: Vec<String> = relations_of(&statement)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, expected, "{sql}");
    };
    check(
        "SELECT * FROM a JOIN (SELECT * FROM s.d.dbo.b) x ON 1=1 WHERE EXISTS (SELECT 1 FROM c)",
        &["a", "s.d.dbo.b", "c"],
    );
    check(
        "WITH x AS (SELECT * FROM a) SELECT (SELECT 1 FROM b) FROM x",
        &["a", "b"],
    );
    check("UPDATE u SET v = (SELECT 1 FROM c) FROM t u", &["t", "c"]);
    check("INSERT t SELECT * FROM a", &["t", "a"]);
    check("IF EXISTS (SELECT 1 FROM a) SELECT * FROM b", &["a"]);
    check("SET @a = (SELECT 1 FROM s..t)", &["s..t"]);
}

#[test]
fn the_side_that_an_outer_join_may_lack_is_nullable() {
    for (join, nullable) in [
        ("INNER JOIN", [false, false]),
        ("LEFT JOIN", [false, true]),
        ("RIGHT JOIN", [true, false]),
        ("FULL JOIN", [true, true]),
    ] {
        let query = format!("SELECT a.id, b.id FROM people a {join} people b ON a.id = b.id + 1");
        let rows = select(&Fake, &parsed(&query)).expect("rows");
        let told: Vec<bool> = rows.columns.iter().map(|column| column.nullable).collect();
        assert_eq!(told, nullable, "{join}");
    }
}
