//! The parts of `cargo xtask bench dns` that need this project's crates: the world that is asked
//! about, and the lookups of this project's resolver. `cargo xtask bench dns` drives it.

mod ask;
mod world;

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["world", folder, domains] => world::write(Path::new(folder), domains.parse()?),
        ["ask", folder, questions, in_flight, cache, threads] => ask::run(
            Path::new(folder),
            Path::new(questions),
            in_flight.parse()?,
            cache,
            threads.parse()?,
        ),
        _ => Err("world FOLDER DOMAINS | ask FOLDER QUESTIONS IN-FLIGHT CACHE-MB THREADS".into()),
    }
}
