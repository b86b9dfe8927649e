//! Tests of `call.rs`, beside it for its size.

use super::*;

fn argument(name: Option<&str>, value: Value, output: bool) -> Argument {
    Argument {
        name: name.map(str::to_owned),
        value: Some(value),
        ty: None,
        output,
    }
}

fn name() -> ObjectName {
    let parts = ["SQL2", "db]x", "", "p"].map(str::to_owned);
    ObjectName::from_parts(parts.to_vec()).expect("four parts")
}

#[test]
fn a_call_travels_as_a_batch_that_tells_status_and_outputs() {
    let arguments = [
        argument(None, "a'b".into(), false),
        argument(Some("@o"), Value::Int(7), true),
    ];
    assert_eq!(
        call_text(&name(), &arguments),
        "DECLARE @sqlsim_status int; DECLARE @sqlsim_1 int = CONVERT(int, 7); \
         EXEC @sqlsim_status = [db]]x]..[p] N'a''b', @o = @sqlsim_1 OUTPUT; \
         SELECT @sqlsim_status AS [sqlsim return status], @sqlsim_1;"
    );
    let answer = Rows {
        columns: Vec::new(),
        rows: vec![vec![Value::Int(3), Value::Int(8)]],
    };
    let returned = returned(&answer, &arguments);
    assert_eq!(returned.status, 3);
    assert_eq!(returned.outputs, [(1, Typed::int(8))]);
}

#[test]
fn question_marks_in_quotes_stay() {
    let sql = with_arguments("SELECT ?, '?', [?], ?, ?", &[Value::Int(1), "x".into()]);
    assert_eq!(sql, "SELECT 1, '?', [?], N'x', ?");
}

#[test]
fn a_missing_table_is_7314_and_other_errors_stay() {
    let link = find_link();
    let error = no_table(&link, &name(), SqlError::new(208, 16, "x"));
    assert_eq!(error.number, 7314);
    assert_eq!(
        no_table(&link, &name(), SqlError::new(1205, 13, "x")).number,
        1205
    );
}

#[test]
fn from_2025_on_certificates_are_verified() {
    let mut link = find_link();
    assert_eq!(security(&link, Version::V2022), Security::LoginOnly);
    let verified = Security::Verified {
        host_name: "sql2".to_owned(),
    };
    assert_eq!(security(&link, Version::V2025), verified);
    link.provider_string = Some("Encrypt=Mandatory;TrustServerCertificate=Yes".to_owned());
    assert_eq!(security(&link, Version::V2025), Security::Trusting);
    link.provider_string = Some("Encrypt=optional".to_owned());
    assert_eq!(security(&link, Version::V2025), Security::LoginOnly);
}

fn find_link() -> LinkedServer {
    LinkedServer {
        id: 1,
        name: "SQL2".to_owned(),
        product: String::new(),
        provider: "MSOLEDBSQL".to_owned(),
        data_source: Some(r"tcp:sql2\BTS,1433".to_owned()),
        location: None,
        provider_string: None,
        catalog: None,
        options: super::super::ServerOptions::new(false),
        modified: jiff::civil::date(2026, 1, 1).at(0, 0, 0, 0),
    }
}
