//! Octets of a message, read front to back; compression pointers only ever lead backwards.

use super::Name;
use super::name::NameBuilder;

/// A position in a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    message: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(message: &'a [u8]) -> Self {
        Self {
            message,
            position: 0,
        }
    }

    /// A reader over the next `length` octets that can still follow pointers to what is before;
    /// this reader moves past them.
    pub(super) fn window(&mut self, length: usize) -> Option<Self> {
        let end = self.position.checked_add(length)?;
        let window = Self {
            message: self.message.get(..end)?,
            position: self.position,
        };
        self.position = end;
        Some(window)
    }

    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.position.checked_add(length)?;
        let octets = self.message.get(self.position..end)?;
        self.position = end;
        Some(octets)
    }

    pub(super) fn rest(&mut self) -> &'a [u8] {
        let octets = self.message.get(self.position..).unwrap_or_default();
        self.position = self.message.len();
        octets
    }

    /// What has been read so far, from the beginning of the message.
    pub(super) fn read(&self) -> &'a [u8] {
        &self.message[..self.position]
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.position >= self.message.len()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|octets| octets[0])
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.take(2)
            .map(|octets| u16::from_be_bytes([octets[0], octets[1]]))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        let octets = self.take(4)?;
        Some(u32::from_be_bytes([
            octets[0], octets[1], octets[2], octets[3],
        ]))
    }

    /// Gives `take` the labels of a name one by one (RFC 1035 §4.1.4); `None` when the name is
    /// malformed or `take` does not want a label. A pointer must lead to before the place where
    /// the part it ends began, so this always terminates.
    fn labels(&mut self, mut take: impl FnMut(&'a [u8]) -> Option<()>) -> Option<()> {
        let mut position = self.position;
        let mut before = self.position;
        let mut resume = None;
        loop {
            let length = usize::from(*self.message.get(position)?);
            match length {
                0 => {
                    self.position = resume.unwrap_or(position + 1);
                    return Some(());
                }
                1..64 => {
                    let end = position + 1 + length;
                    take(self.message.get(position + 1..end)?)?;
                    position = end;
                }
                0xc0.. => {
                    let low = usize::from(*self.message.get(position + 1)?);
                    resume.get_or_insert(position + 2);
                    position = (length & 0x3f) << 8 | low;
                    if position >= before {
                        return None;
                    }
                    before = position;
                }
                _ => return None,
            }
        }
    }

    pub(super) fn name(&mut self) -> Option<Name> {
        let mut name = NameBuilder::new();
        self.labels(|label| name.push(label))?;
        Some(name.finish())
    }

    /// Moves past a name.
    pub(super) fn skip_name(&mut self) -> Option<()> {
        let mut octets = 1;
        self.labels(|label| {
            octets += label.len() + 1;
            (octets <= 255).then_some(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressed_names() {
        // "org" at 0, "example.org" at 5 pointing to 0.
        let message = b"\x03org\x00\x07ExAmple\xc0\x00tail";
        let mut reader = Reader::new(message);
        assert_eq!(reader.name().unwrap().to_string(), "org");
        assert_eq!(reader.name().unwrap().to_string(), "example.org");
        assert_eq!(reader.rest(), b"tail");
    }

    #[test]
    fn refused() {
        for message in [
            b"\xc0\x00".as_slice(),
            b"\xc0\x05",
            b"\x03org",
            b"\x40abc\x00",
            b"\x80",
            b"",
            b"\x01a\xc0\x00",
        ] {
            assert!(Reader::new(message).name().is_none(), "{message:?}");
        }
        let long = [b"\x3f".as_slice(), &[b'a'; 63]].concat().repeat(4);
        assert!(
            Reader::new(&[long.as_slice(), b"\x00"].concat())
                .name()
                .is_none()
        );
    }
}
