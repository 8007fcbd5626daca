//! `elsinore tlsrpt dkim-record`: the other half of the key that signs reports, for DNS.

use crate::cli::Format;
use crate::config::Settings;
use crate::exit::Refusal;
use crate::output::{self, JsonLayout};
use anyhow::Result;
use elsinore_tlsrpt::dispatch;
use serde_json::json;
use std::process::ExitCode;

/// The version of the JSON.
const SCHEMA_VERSION: u32 = 1;
/// Octets of one string of a TXT record (RFC 1035 §3.3).
const STRING: usize = 255;

/// Runs the command.
///
/// # Errors
/// When no key is configured, or it cannot be read or cannot sign.
pub(super) fn run(settings: &Settings) -> Result<ExitCode> {
    let wrong = |error| Refusal::configuration(format!("[relay.tlsrpt] {error}"));
    let Some(dkim) = &settings.relay.tlsrpt.dkim else {
        return Err(Refusal::configuration(
            "[relay.tlsrpt] has no dkim_domain, dkim_selector and dkim_key",
        ));
    };
    let signer = dispatch::signer(dkim).map_err(|error| wrong(error.to_string()))?;
    let text = signer.record().map_err(|error| wrong(error.to_string()))?;
    let name = format!("{}._domainkey.{}", dkim.selector, dkim.domain);
    match settings.format {
        Format::Human => {
            // Base64 and our own words: nothing in it needs an escape.
            let strings: Vec<String> = text
                .as_bytes()
                .chunks(STRING)
                .map(|chunk| format!("\"{}\"", String::from_utf8_lossy(chunk)))
                .collect();
            output::print(&format!("{name}. IN TXT {}\n", strings.join(" ")))?;
        }
        Format::Json | Format::Jsonl => {
            let record = json!({
                "schema_version": SCHEMA_VERSION,
                "name": name,
                "type": "TXT",
                "text": text,
            });
            output::print_json(&record, JsonLayout::OneLine)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
