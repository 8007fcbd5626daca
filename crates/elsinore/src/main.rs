//! The `elsinore` command: reads flags and configuration, runs one subcommand, and turns what
//! happened into an exit code. stdout carries the result, stderr everything else.

mod checker;
mod cli;
mod config;
mod exit;
mod network;
mod output;
mod report;
mod store;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    if cli::sendmail::is_called_so(words.next().as_ref()) {
        return cli::as_sendmail(words.collect());
    }
    let manner = cli::manner();
    let arguments = match cli::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return exit::clap_error(&error, manner),
    };
    elsinore_net::resolver::raise_file_limit();
    match cli::run(arguments) {
        Ok(code) => code,
        Err(error) => exit::failure(&error, manner),
    }
}
