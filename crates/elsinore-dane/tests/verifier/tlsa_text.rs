//! Presentation format of TLSA records, both ways.

use elsinore_dane::tlsa::{TlsaRecord, TlsaTextError};

#[test]
fn texts_and_records() {
    use TlsaTextError::{Fields, GenericLength, Hex, Number};
    let number = |text: &str| Err(Number(text.to_owned()));
    for (text, expected) in [
        ("3 1 1 0aFF", Ok(vec![3, 1, 1, 0x0a, 0xff])),
        ("  3\t1 1 ( 0a\n ff ) ", Ok(vec![3, 1, 1, 0x0a, 0xff])),
        ("DANE-EE SPKI SHA2-256 00", Ok(vec![3, 1, 1, 0])),
        ("dane-ta cert full 30", Ok(vec![2, 0, 0, 0x30])),
        ("255 255 255 00", Ok(vec![255, 255, 255, 0])),
        ("\\# 2 0301", Ok(vec![3, 1])),
        ("\\# 0", Ok(vec![])),
        ("\\# 3 0301", Err(GenericLength)),
        ("\\# x 0301", number("x")),
        ("", Err(Fields)),
        ("3 1 1", Ok(vec![3, 1, 1])),
        ("3 1", Err(Fields)),
        ("256 1 1 00", number("256")),
        ("+3 1 1 00", number("+3")),
        ("3 SPKI SHA3 00", number("SHA3")),
        ("3 1 1 0", Err(Hex)),
        ("3 1 1 0g", Err(Hex)),
        ("3 1 1 \u{e9}\u{e9}", Err(Hex)),
    ] {
        let expected = expected.map(TlsaRecord::from_rdata);
        assert_eq!(text.parse::<TlsaRecord>(), expected, "{text:?}");
    }
}

#[test]
fn what_is_written_is_read() {
    for length in 0..8_u8 {
        let record = TlsaRecord::from_rdata((0..length).map(|n| n * 37).collect());
        assert_eq!(record.to_string().parse(), Ok(record));
    }
}
