//! Prints the JSON Schema of the report: what `cargo xtask docs` keeps in `docs/`.

fn main() {
    println!("{:#}", elsinore_check::report::schema());
}
