//! Presentation format (RFC 6698 §2.2, the mnemonics of RFC 7218, the form of RFC 3597 §5).

use super::TlsaRecord;
use std::str::FromStr;

/// Why a text is not the RDATA of a TLSA record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsaTextError {
    /// Not the fields usage, selector, matching type and data.
    #[error("a TLSA record has four fields: usage selector matching-type data")]
    Fields,
    /// A field that is neither a number below 256 nor a mnemonic of RFC 7218.
    #[error("{0:?} is neither a number below 256 nor a known mnemonic")]
    Number(String),
    /// Data that is not an even number of hexadecimal digits.
    #[error("the association data is not an even number of hexadecimal digits")]
    Hex,
    /// `\# LENGTH DATA` with another length than the data has.
    #[error("the length after \\# is not that of the data")]
    GenericLength,
}

impl FromStr for TlsaRecord {
    type Err = TlsaTextError;

    /// Parses the RDATA as a zone file writes it; white space inside the data is allowed, and so
    /// are the parentheses of a record that spans lines. Missing data makes an unusable record, as
    /// it does on the wire.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut words = text
            .split(|c: char| c.is_ascii_whitespace() || c == '(' || c == ')')
            .filter(|word| !word.is_empty());
        let first = words.next().ok_or(TlsaTextError::Fields)?;
        if first == "\\#" {
            let length = words.next().ok_or(TlsaTextError::Fields)?;
            let length: usize = length
                .parse()
                .map_err(|_| TlsaTextError::Number(shortened(length)))?;
            let rdata = hex(words)?;
            if rdata.len() != length {
                return Err(TlsaTextError::GenericLength);
            }
            return Ok(Self::from_rdata(rdata));
        }
        let usage = number(first, &["PKIX-TA", "PKIX-EE", "DANE-TA", "DANE-EE"])?;
        let selector = words.next().ok_or(TlsaTextError::Fields)?;
        let selector = number(selector, &["Cert", "SPKI"])?;
        let matching_type = words.next().ok_or(TlsaTextError::Fields)?;
        let matching_type = number(matching_type, &["Full", "SHA2-256", "SHA2-512"])?;
        let association = hex(words)?;
        Ok(Self::new(usage, selector, matching_type, &association))
    }
}

fn number(word: &str, mnemonics: &[&str]) -> Result<u8, TlsaTextError> {
    // The tables have four entries at most: the position fits an octet.
    let named = (0_u8..)
        .zip(mnemonics)
        .find(|(_, mnemonic)| word.eq_ignore_ascii_case(mnemonic));
    if let Some((value, _)) = named {
        return Ok(value);
    }
    if !word.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(TlsaTextError::Number(shortened(word)));
    }
    word.parse()
        .map_err(|_| TlsaTextError::Number(shortened(word)))
}

fn shortened(word: &str) -> String {
    word.chars().take(24).collect()
}

fn hex<'a>(words: impl Iterator<Item = &'a str>) -> Result<Vec<u8>, TlsaTextError> {
    let digits: Vec<u32> = words
        .flat_map(str::chars)
        .map(|c| c.to_digit(16).ok_or(TlsaTextError::Hex))
        .collect::<Result<_, _>>()?;
    digits
        .chunks(2)
        .map(|pair| match pair {
            // Two digits below 16 each make an octet.
            [high, low] => u8::try_from(high << 4 | low).map_err(|_| TlsaTextError::Hex),
            _ => Err(TlsaTextError::Hex),
        })
        .collect()
}
