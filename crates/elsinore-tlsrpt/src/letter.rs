//! A report as a message (RFC 8460 §5.3): `multipart/report`, the report compressed and attached,
//! signed with DKIM. Pure: everything comes as an argument.

use crate::build::Built;
use crate::dkim::{DkimError, Signer};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use openssl::base64::encode_block;
use openssl::sha::sha256;

/// Characters of base64 on one line (RFC 2045 §6.8).
const WIDTH: usize = 76;

/// The message that carries `built` from the address `from` to the address `to`, with CRLF line
/// ends. `now` is in seconds since 1970-01-01T00:00:00Z.
///
/// It says `TLS-Required: No` (RFC 8689 §3), so that relays on its way honour what RFC 8460 §3
/// demands: a report about failures of TLS is not to be stopped by them.
///
/// # Errors
/// [`DkimError`].
pub fn letter(
    built: &Built,
    (from, to): (&str, &str),
    signer: &Signer,
    now: i64,
) -> Result<Vec<u8>, DkimError> {
    let Built {
        domain,
        submitter,
        day,
        unique,
        ..
    } = built;
    let report_id = &built.report.report_id;
    let boundary = format!("=_{unique}");
    // One report may go to several addresses, and each letter has a name of its own.
    let digest = sha256(to.as_bytes());
    let one: String = digest.iter().take(4).map(|o| format!("{o:02x}")).collect();
    let date = rfc2822_date(now);
    let organisation = &built.report.organization_name;
    let file = built.file_name();
    let contact = &built.report.contact_info;
    let header = [
        format!("From: {from}"),
        format!("To: {to}"),
        format!("Date: {date}"),
        format!(
            "Subject: Report Domain: {domain}\r\n\tSubmitter: {submitter}\r\n\tReport-ID: <{report_id}>"
        ),
        format!("Message-ID: <{day}.{unique}.{one}@{submitter}>"),
        format!("TLS-Report-Domain: {domain}"),
        format!("TLS-Report-Submitter: {submitter}"),
        "TLS-Required: No".to_owned(),
        "Auto-Submitted: auto-generated".to_owned(),
        "MIME-Version: 1.0".to_owned(),
        format!(
            "Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n\tboundary=\"{boundary}\""
        ),
        String::new(),
        "This is a multipart message in MIME format.".to_owned(),
        format!("--{boundary}"),
        "Content-Type: text/plain; charset=\"utf-8\"".to_owned(),
        "Content-Transfer-Encoding: base64".to_owned(),
        String::new(),
    ];
    let words = format!(
        "This is an aggregate report about TLS (RFC 8460) from {submitter}.\r\n\r\n\
         Domain:  {domain}\r\n\
         Day:     {day} (UTC)\r\n\
         Sender:  {organisation}\r\n\
         Contact: {contact}\r\n\r\n\
         The attachment holds the report; \"elsinore tlsrpt read\" prints it in plain words.\r\n"
    );
    let attachment = [
        format!("--{boundary}"),
        "Content-Type: application/tlsrpt+gzip".to_owned(),
        "Content-Transfer-Encoding: base64".to_owned(),
        format!("Content-Disposition: attachment;\r\n\tfilename=\"{file}\""),
        String::new(),
    ];
    let mut message = String::new();
    push_lines(&mut message, &header);
    push_base64(&mut message, words.as_bytes());
    push_lines(&mut message, &attachment);
    push_base64(&mut message, &built.compressed);
    push_lines(&mut message, &[format!("--{boundary}--")]);
    let mut signed = signer.sign(message.as_bytes(), now)?.into_bytes();
    signed.extend_from_slice(message.as_bytes());
    Ok(signed)
}

fn push_lines(message: &mut String, lines: &[String]) {
    for line in lines {
        message.push_str(line);
        message.push_str("\r\n");
    }
}

fn push_base64(message: &mut String, octets: &[u8]) {
    let encoded = encode_block(octets);
    for chunk in encoded.as_bytes().chunks(WIDTH) {
        message.push_str(&String::from_utf8_lossy(chunk));
        message.push_str("\r\n");
    }
}

/// RFC 5322 §3.3.
fn rfc2822_date(seconds: i64) -> String {
    let stamp = Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH);
    rfc2822::to_string(&stamp.to_zoned(jiff::tz::TimeZone::UTC)).unwrap_or_default()
}
