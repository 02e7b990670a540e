//! The bits of a scan, the highest of a byte first (T.81 C.3, F.2.2.5).

/// Reads entropy-coded data up to the next marker. Behind it come zeros without end: that they were needed is seen by
/// [`is_overrun`](Bits::is_overrun), so that nobody has to ask before each bit.
#[derive(Clone, Copy)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// Where the first byte stands that is not in `buffer`.
    at: usize,
    /// The next bits, from the top. What is below `count` is zero, or what follows.
    buffer: u64,
    count: u32,
    /// How many of the bits were made up.
    padding: u32,
}

impl<'a> Bits<'a> {
    /// Reads from a place in a file.
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Bits<'a> {
        Bits { bytes, at, buffer: 0, count: 0, padding: 0 }
    }

    /// Reads these bits, and no more.
    pub(super) fn of(buffer: u64) -> Bits<'static> {
        Bits { bytes: &[], at: 0, buffer, count: 64, padding: 0 }
    }

    /// Makes 32 bits ready at the least: a code, and what belongs to it.
    #[inline(always)]
    pub(super) fn fill(&mut self) {
        if self.count < 32 {
            self.fill_up();
        }
    }

    /// Makes 56 bits ready at the least.
    #[inline(always)]
    fn fill_up(&mut self) {
        let next = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<8>());
        let next = next.map(|bytes| u64::from_be_bytes(*bytes)).filter(|next| !has_marker(*next));
        match next {
            Some(next) => {
                self.buffer |= next >> self.count;
                let bytes = (63 - self.count) >> 3;
                self.at += bytes as usize;
                self.count += bytes * 8;
            }
            // By value: the fields stay in registers where it is fast.
            None => *self = self.filled_by_bytes(),
        }
    }

    #[cold]
    #[inline(never)]
    fn filled_by_bytes(mut self) -> Bits<'a> {
        while self.count <= 56 {
            let (byte, length) = match self.bytes.get(self.at..).unwrap_or_default() {
                [0xff, 0x00, ..] => (0xff, 2),
                [0xff, ..] | [] => {
                    self.padding = self.padding.saturating_add(8);
                    (0, 0)
                }
                [byte, ..] => (*byte, 1),
            };
            self.buffer |= u64::from(byte) << (56 - self.count);
            self.at += length;
            self.count += 8;
        }
        self
    }

    /// The next bits, at the top of 32.
    #[inline(always)]
    pub(super) fn peek(&self) -> u32 {
        (self.buffer >> 32) as u32
    }

    /// Passes over as many bits, 32 at most; [`fill`](Bits::fill) has made them ready.
    #[inline(always)]
    pub(super) fn skip(&mut self, count: u32) {
        self.buffer <<= count & 63;
        self.count = self.count.wrapping_sub(count);
    }

    /// Takes the next bits, 16 at most.
    #[inline(always)]
    pub(super) fn take(&mut self, count: u32) -> u32 {
        let bits = (self.peek() >> 1) >> (31 - (count & 31));
        self.skip(count);
        bits
    }

    /// Takes a number of so many bits, as T.81 stores differences and coefficients (F.2.2.1, EXTEND).
    #[inline(always)]
    pub(super) fn take_signed(&mut self, count: u32) -> i32 {
        let bits = self.take(count) as i32;
        let half = (1 << (count & 31)) >> 1;
        if bits < half { bits - 2 * half + 1 } else { bits }
    }

    /// Says whether bits were used that the scan does not have.
    pub(super) fn is_overrun(&self) -> bool {
        self.padding > self.count
    }

    /// Passes over a restart marker, which must be next and have this number.
    pub(super) fn restart(&mut self, number: u8) -> Option<()> {
        let at = self.end()?;
        let is_due = self.bytes.get(at..)?.starts_with(&[0xff, 0xd0 | (number & 7)]);
        *self = is_due.then(|| Bits::new(self.bytes, at + 2))?;
        Some(())
    }

    /// Returns where the marker stands that must be next, but for less than a byte.
    pub(super) fn end(&self) -> Option<usize> {
        let bits = self.filled_by_bytes();
        let left = bits.count.checked_sub(bits.padding)?;
        (left < 8 && bits.at < bits.bytes.len()).then_some(bits.at)
    }
}

/// Says whether one of eight bytes is 255, which begins a marker or stands for itself with a zero behind it.
#[inline(always)]
fn has_marker(bytes: u64) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    (!bytes).wrapping_sub(ONES) & bytes & (ONES << 7) != 0
}

/// Returns where the next marker stands that is no restart, from a place in a scan.
pub(super) fn next_marker(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += first_255(bytes.get(at..)?)?;
        match bytes.get(at + 1)? {
            0x00 | 0xd0..=0xd7 => at += 2,
            0xff => at += 1,
            _ => return Some(at),
        }
    }
}

/// Returns where the first byte of 255 stands. By blocks: the compiler looks at one of them at once.
fn first_255(bytes: &[u8]) -> Option<usize> {
    let blocks = bytes.chunks_exact(32);
    let passed = blocks.take_while(|block| !block.iter().fold(false, |found, byte| found | (*byte == 255)));
    let start = passed.count() * 32;
    bytes.get(start..)?.iter().position(|byte| *byte == 255).map(|index| start + index)
}
