//! What `INSERT`, `UPDATE`, `DELETE` and `OUTPUT` make of rows.

use super::{Fake, TEXT, people};
use crate::error::SqlResult;
use crate::lang::ast::{ConstraintKind, Delete, Insert, StatementKind, Update};
use crate::lang::parse;
use crate::query::{self, Change};
use crate::value::{Column, SqlType, Value};

fn statement(sql: &str) -> StatementKind {
    parse(sql).expect(sql).remove(0).kind
}

fn parsed_update(sql: &str) -> Update {
    let StatementKind::Update(update) = statement(sql) else {
        panic!("{sql}")
    };
    *update
}

fn parsed_delete(sql: &str) -> Delete {
    let StatementKind::Delete(delete) = statement(sql) else {
        panic!("{sql}")
    };
    *delete
}

fn parsed_insert(sql: &str) -> Insert {
    let StatementKind::Insert(insert) = statement(sql) else {
        panic!("{sql}")
    };
    *insert
}

/// Checks which places change, and the names and bosses that they get.
fn check_update(sql: &str, expected: &[(usize, &str, Option<i64>)]) {
    let changes = query::update(&Fake, &parsed_update(sql), &people()).expect(sql);
    let shown: Vec<(usize, &str, Option<i64>)> = changes
        .iter()
        .map(|change| {
            (
                change.index,
                change.row[1].as_text().expect("a name"),
                change.row[2].as_int(),
            )
        })
        .collect();
    assert_eq!(shown, expected, "{sql}");
}

#[test]
fn an_update_yields_places_and_whole_rows() {
    check_update(
        "UPDATE people SET name = 'x' WHERE id = 2",
        &[(1, "x", Some(1))],
    );
    check_update(
        "UPDATE people SET boss += 10, name = name + '!' WHERE boss = 1",
        &[(1, "bob!", Some(11)), (2, "Cid!", Some(11))],
    );
    check_update("UPDATE TOP (1) people SET boss = NULL", &[(0, "Ann", None)]);
    check_update(
        "UPDATE p SET name = q.place FROM people p JOIN places q ON q.person = p.id",
        &[(0, "Oslo", None), (1, "Bern", Some(1))],
    );
    check_update(
        "UPDATE people SET name = place FROM places WHERE person = people.id AND id = 1",
        &[(0, "Oslo", None)],
    );
    check_update(
        "UPDATE a SET boss = b.id FROM people a JOIN people b ON b.id = a.id + 1 WHERE a.id = 1",
        &[(0, "Ann", Some(2))],
    );
    check_update(
        "UPDATE people SET boss = (SELECT COUNT(*) FROM places WHERE person = people.id)",
        &[
            (0, "Ann", Some(1)),
            (1, "bob", Some(2)),
            (2, "Cid", Some(0)),
            (3, "Dee", Some(0)),
        ],
    );
    check_update("UPDATE people SET name = 'x' WHERE 1 = 0", &[]);
}

#[test]
fn an_update_tells_defaults_variables_and_errors() {
    let update = |sql: &str| query::update(&Fake, &parsed_update(sql), &people());
    let changes =
        update("UPDATE people SET boss = DEFAULT, @n = id + 1 WHERE id = 1").expect("one");
    let [
        Change {
            defaults,
            variables,
            ..
        },
    ] = changes.as_slice()
    else {
        panic!("one change")
    };
    assert_eq!(defaults, &[2]);
    assert_eq!(variables, &[("@n".to_owned(), Value::Int(2))]);
    let number = |sql: &str| update(sql).map(|_| ()).map_err(|error| error.number);
    assert_eq!(number("UPDATE people SET frob = 1"), Err(207));
    assert_eq!(
        number("UPDATE people SET name = REPLICATE('x', 21)"),
        Err(2628)
    );
    assert_eq!(number("UPDATE people SET boss = 'x'"), Err(245));
}

#[test]
fn a_delete_yields_places_once() {
    let check = |sql: &str, expected: &[usize]| {
        assert_eq!(
            query::delete(&Fake, &parsed_delete(sql), &people()).as_deref(),
            Ok(expected),
            "{sql}"
        );
    };
    check("DELETE FROM people WHERE boss = 1", &[1, 2]);
    check("DELETE people", &[0, 1, 2, 3]);
    check("DELETE TOP (2) FROM people", &[0, 1]);
    check(
        "DELETE p FROM people AS p JOIN places q ON q.person = p.id",
        &[0, 1],
    );
    check(
        "DELETE people FROM places WHERE person = id AND place = 'Bern'",
        &[1],
    );
    check(
        "DELETE p FROM places q LEFT JOIN people p ON p.id = q.person",
        &[0, 1],
    );
}

#[test]
fn targets_are_found_behind_aliases() {
    let update = parsed_update("UPDATE p SET a = 1 FROM d.dbo.people p");
    assert_eq!(query::target_of_update(&update).to_string(), "d.dbo.people");
    let delete = parsed_delete("DELETE FROM dbo.people");
    assert_eq!(query::target_of_delete(&delete).to_string(), "dbo.people");
}

fn insert(sql: &str) -> SqlResult<Vec<Vec<Option<Value>>>> {
    let columns = [Column::required("a", SqlType::Int), Column::new("b", TEXT)];
    query::insert(&Fake, &parsed_insert(sql), &columns)
}

#[test]
fn an_insert_brings_converted_rows() {
    let two = |a: i64, b: Option<&str>| vec![Some(Value::Int(a)), b.map(Value::from)];
    assert_eq!(
        insert("INSERT t VALUES ('1', 2), (3, DEFAULT)"),
        Ok(vec![two(1, Some("2")), two(3, None)])
    );
    assert_eq!(
        insert("INSERT t (a, b) SELECT id, name FROM people WHERE id = 1"),
        Ok(vec![two(1, Some("Ann"))])
    );
    assert_eq!(
        insert("INSERT t DEFAULT VALUES"),
        Ok(vec![vec![None, None]])
    );
    let number = |sql: &str| insert(sql).map(|_| ()).map_err(|error| error.number);
    assert_eq!(number("INSERT t VALUES (1)"), Err(213));
    assert_eq!(number("INSERT t (a, b) VALUES (1)"), Err(109));
    assert_eq!(number("INSERT t (a, b) VALUES (1, 2, 3)"), Err(110));
    assert_eq!(number("INSERT t (a, b) SELECT 1"), Err(120));
    assert_eq!(number("INSERT t VALUES ('x', 1)"), Err(245));
    assert_eq!(number("INSERT t VALUES (a, 1)"), Err(207));
}

#[test]
fn output_shows_rows_before_and_after() {
    let update =
        parsed_update("UPDATE people SET name = 'x' OUTPUT DELETED.name, INSERTED.name AS n, 7");
    let clause = update.output.expect("an output clause");
    let (before, mut after) = (people().rows, people().rows);
    after[0][1] = Value::text("new");
    let rows =
        query::output(&Fake, &clause, &people().columns, &after[..1], &before[..1]).expect("rows");
    assert_eq!(
        rows.rows,
        [vec![Value::text("Ann"), Value::text("new"), Value::Int(7)]]
    );
    assert_eq!(rows.columns[1].name, "n");
}

#[test]
fn a_check_that_is_unknown_passes() {
    let StatementKind::CreateTable(table) = statement("CREATE TABLE t (a int CHECK (a > 0))")
    else {
        panic!("a table")
    };
    let ConstraintKind::Check(condition) = &table.definition.constraints[0].kind else {
        panic!("a check")
    };
    let columns = [Column::new("a", SqlType::Int)];
    let holds = |value: Value| query::check_holds(&Fake, condition, &columns, &[value]);
    assert_eq!(holds(Value::Int(1)), Ok(true));
    assert_eq!(holds(Value::Int(0)), Ok(false));
    assert_eq!(holds(Value::Null), Ok(true));
}
