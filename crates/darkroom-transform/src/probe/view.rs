//! Bytes that are read at a place: `None` wherever they end too early.

/// Some bytes of a file, with places counted in `u64` from their start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    bytes: &'a [u8],
}

impl<'a> View<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> View<'a> {
        View { bytes }
    }

    pub(crate) fn len(self) -> u64 {
        self.bytes.len() as u64
    }

    pub(crate) fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Returns `length` bytes from `at`.
    pub(crate) fn part(self, at: u64, length: u64) -> Option<View<'a>> {
        let start = usize::try_from(at).ok()?;
        let end = usize::try_from(at.checked_add(length)?).ok()?;
        self.bytes.get(start..end).map(View::new)
    }

    /// Returns what lies from `at` on.
    pub(crate) fn from(self, at: u64) -> Option<View<'a>> {
        self.bytes.get(usize::try_from(at).ok()?..).map(View::new)
    }

    pub(crate) fn array<const N: usize>(self, at: u64) -> Option<[u8; N]> {
        self.part(at, N as u64)?.bytes.try_into().ok()
    }

    pub(crate) fn u8(self, at: u64) -> Option<u8> {
        self.array(at).map(u8::from_be_bytes)
    }

    pub(crate) fn u16_be(self, at: u64) -> Option<u16> {
        self.array(at).map(u16::from_be_bytes)
    }

    pub(crate) fn u16_le(self, at: u64) -> Option<u16> {
        self.array(at).map(u16::from_le_bytes)
    }

    pub(crate) fn u24_le(self, at: u64) -> Option<u32> {
        self.array(at).map(|[low, middle, high]| u32::from_le_bytes([low, middle, high, 0]))
    }

    pub(crate) fn u32_be(self, at: u64) -> Option<u32> {
        self.array(at).map(u32::from_be_bytes)
    }

    pub(crate) fn u32_le(self, at: u64) -> Option<u32> {
        self.array(at).map(u32::from_le_bytes)
    }

    pub(crate) fn u64_be(self, at: u64) -> Option<u64> {
        self.array(at).map(u64::from_be_bytes)
    }

    /// Returns the big-endian number of `length` bytes, 0 to 8; no bytes are 0.
    pub(crate) fn number_be(self, at: u64, length: u64) -> Option<u64> {
        let bytes = self.part(at, length)?.bytes;
        (length <= 8).then(|| bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_read_past_the_end() {
        let view = View::new(&[1, 2, 3]);
        assert_eq!(view.u16_be(0), Some(0x0102));
        assert_eq!(view.u16_le(1), Some(0x0302));
        assert_eq!(view.u24_le(0), Some(0x0003_0201));
        assert_eq!(view.u16_be(2), None);
        assert_eq!(view.u8(3), None);
        assert_eq!(view.u8(u64::MAX), None);
        assert!(view.part(u64::MAX, 2).is_none());
        assert!(view.part(3, 0).is_some());
        assert!(view.from(4).is_none());
        assert_eq!(view.number_be(0, 3), Some(0x0001_0203));
        assert_eq!(view.number_be(1, 0), Some(0));
    }
}
