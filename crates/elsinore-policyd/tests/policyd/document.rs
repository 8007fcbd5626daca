//! `docs/policyd.md` carries the table of the mapping.

use elsinore_policyd::mapping::table;

#[test]
fn the_document_has_the_table_of_the_program() {
    let document = include_str!("../../../../docs/policyd.md");
    let table = table();
    assert!(
        document.contains(&table),
        "docs/policyd.md must have this table:\n{table}"
    );
}
