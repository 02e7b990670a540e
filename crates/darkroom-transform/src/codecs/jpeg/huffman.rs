//! Huffman tables (T.81 C and F.2.2.3), and tables that read a coefficient at one look, or pass over several.

use super::bits::Bits;

/// Codes of so many bits are found by one look.
const QUICK_BITS: u32 = 9;
/// How far ahead [`Values`] looks.
const VALUE_BITS: u32 = 11;
/// How far ahead [`Skips`] looks.
const SKIP_BITS: u32 = 12;

/// The codes of one table.
pub(super) struct Codes {
    /// By the next bits: the code that they begin with.
    quick: [Code; 1 << QUICK_BITS],
    /// By length: the end of its codes, at the top of 16 bits.
    ends: [u32; 17],
    /// By length: which symbol its first code would have if that were 0.
    offsets: [u32; 17],
    symbols: [u8; 256],
}

/// A code's length in bits and what it stands for. A length of 0: there is none, or it is longer.
#[derive(Clone, Copy, Default)]
pub(super) struct Code {
    pub(super) length: u8,
    pub(super) symbol: u8,
}

impl Codes {
    /// Reads the lengths and symbols of a DHT segment; `None` if there are more codes than can be. Returns what
    /// follows, too.
    pub(super) fn read(segment: &[u8]) -> Option<(Codes, &[u8])> {
        let (counts, rest) = segment.split_first_chunk::<16>()?;
        let total: usize = counts.iter().map(|count| usize::from(*count)).sum();
        let mut symbols = [0; 256];
        symbols.get_mut(..total)?.copy_from_slice(rest.get(..total)?);
        let mut codes =
            Codes { quick: [Code::default(); 1 << QUICK_BITS], ends: [0; 17], offsets: [0; 17], symbols };
        let (mut code, mut index) = (0_u32, 0_u32);
        for (length, count) in (1..).zip(counts) {
            codes.offsets[length] = index.wrapping_sub(code);
            code += u32::from(*count);
            index += u32::from(*count);
            if code > 1 << length {
                return None;
            }
            codes.ends[length] = code << (16 - length);
            code <<= 1;
        }
        for bits in 0..1 << QUICK_BITS {
            codes.quick[bits as usize] = codes.search(bits << (16 - QUICK_BITS), QUICK_BITS);
        }
        Some((codes, rest.get(total..)?))
    }

    /// Returns the code that 16 bits begin with, if it is not longer than `length_max`.
    fn search(&self, bits: u32, length_max: u32) -> Code {
        let found = (1..=length_max).find(|length| bits < self.ends[*length as usize]);
        let Some(length) = found else { return Code::default() };
        let index = self.offsets[length as usize].wrapping_add(bits >> (16 - length));
        Code { length: length as u8, symbol: self.symbols[(index & 255) as usize] }
    }

    /// Takes the next code; `None` if it is no code. Of 32 bits that are ready, 16 are left.
    #[inline(always)]
    pub(super) fn take(&self, bits: &mut Bits<'_>) -> Option<u8> {
        let mut code = self.quick[(bits.peek() >> (32 - QUICK_BITS)) as usize];
        if code.length == 0 {
            code = self.search_long(bits.peek() >> 16)?;
        }
        bits.skip(code.length.into());
        Some(code.symbol)
    }

    #[cold]
    #[inline(never)]
    fn search_long(&self, bits: u32) -> Option<Code> {
        Some(self.search(bits, 16)).filter(|code| code.length > 0)
    }
}

/// The DC coefficients of a component, each of which is stored as its difference to the last (T.81 F.2.2.1).
pub(super) struct Means<'t> {
    codes: &'t Codes,
    last: i32,
}

impl<'t> Means<'t> {
    pub(super) fn new(codes: &'t Codes) -> Means<'t> {
        Means { codes, last: 0 }
    }

    /// Begins anew, as behind a restart.
    pub(super) fn restart(&mut self) {
        self.last = 0;
    }

    /// Takes the next; `None` if it is larger than samples of eight bits make it.
    #[inline(always)]
    pub(super) fn next(&mut self, bits: &mut Bits<'_>) -> Option<i32> {
        bits.fill();
        let size = self.codes.take(bits).filter(|size| *size <= 11)?;
        self.last = self.last.wrapping_add(bits.take_signed(size.into()));
        Some(self.last)
    }
}

/// The coefficients of a block but for the first (T.81 F.2.2.2).
pub(super) struct Values<'t> {
    codes: &'t Codes,
    /// By the next bits: the coefficient that they begin with, if all of it is in sight.
    quick: [Value; 1 << VALUE_BITS],
}

/// A coefficient, and how many zeros are before it; or the end of the block.
#[derive(Clone, Copy, Default)]
pub(super) struct Value {
    /// What it takes. 0: it is not known.
    bits: u8,
    /// At the end of a block [`END`](Value::END).
    pub(super) zeros: u8,
    pub(super) value: i16,
}

impl Value {
    pub(super) const END: u8 = 64;

    /// What a code and the bits behind it stand for.
    #[inline(always)]
    fn of(symbol: u8, bits: &mut Bits<'_>) -> Value {
        let (zeros, size) = (symbol >> 4, symbol & 15);
        if size == 0 && zeros < 15 {
            return Value { zeros: Value::END, ..Value::default() };
        }
        Value { bits: 0, zeros, value: bits.take_signed(size.into()) as i16 }
    }
}

impl<'t> Values<'t> {
    pub(super) fn new(codes: &'t Codes) -> Values<'t> {
        let mut quick = [Value::default(); 1 << VALUE_BITS];
        for (window, value) in (0_u32..).zip(&mut quick) {
            let code = codes.search(window << (16 - VALUE_BITS), VALUE_BITS);
            let size = code.symbol & 15;
            if code.length > 0 && u32::from(code.length + size) <= VALUE_BITS {
                let window = u64::from(window) << (64 - VALUE_BITS);
                let mut bits = Bits::of(window << code.length);
                *value = Value { bits: code.length + size, ..Value::of(code.symbol, &mut bits) };
            }
        }
        Values { codes, quick }
    }

    /// Takes the next; `None` if there is no such code.
    #[inline(always)]
    pub(super) fn next(&self, bits: &mut Bits<'_>) -> Option<Value> {
        bits.fill();
        let value = self.quick[(bits.peek() >> (32 - VALUE_BITS)) as usize];
        if value.bits == 0 {
            let symbol = self.codes.take(bits)?;
            return Some(Value::of(symbol, bits));
        }
        bits.skip(value.bits.into());
        Some(value)
    }
}

/// What the next bits pass over: the coefficients of a block whose values nobody wants (T.81 F.2.2.2), as many as are
/// certain. The values themselves need not be in sight, so that the last of them may end far behind.
pub(super) struct Skips {
    several: [Skip; 1 << SKIP_BITS],
}

#[derive(Clone, Copy)]
struct Skip {
    /// Bits passed over: 12 of codes and 15 of a last value at most.
    bits: u8,
    /// Coefficients passed over, 63 at most; 64 more if it ends with an end of block; [`UNKNOWN`](Skip::UNKNOWN).
    coefficients: u8,
}

impl Skip {
    const END_OF_BLOCK: u8 = 64;
    const UNKNOWN: Skip = Skip { bits: 0, coefficients: u8::MAX };

    /// What one symbol passes over.
    fn of(code: Code) -> Skip {
        let (run, size) = (code.symbol >> 4, code.symbol & 15);
        let coefficients = if size == 0 && run < 15 { Skip::END_OF_BLOCK } else { run + 1 };
        Skip { bits: code.length + size, coefficients }
    }
}

impl Skips {
    pub(super) fn new(codes: &Codes) -> Skips {
        let mut several = [Skip::UNKNOWN; 1 << SKIP_BITS];
        for (window, skip) in (0..).zip(&mut several) {
            *skip = Skips::look(codes, window);
        }
        Skips { several }
    }

    /// Adds up what is certain of a window of bits.
    fn look(codes: &Codes, window: u32) -> Skip {
        let mut sum = Skip { bits: 0, coefficients: 0 };
        while u32::from(sum.bits) < SKIP_BITS {
            let left = SKIP_BITS - u32::from(sum.bits);
            let bits = (window << (16 - left)) & 0xffff;
            let code = codes.search(bits, left);
            let skip = Skip::of(code);
            let is_too_far =
                skip.coefficients < Skip::END_OF_BLOCK && sum.coefficients + skip.coefficients > 63;
            if code.length == 0 || is_too_far {
                break;
            }
            sum = Skip { bits: sum.bits + skip.bits, coefficients: sum.coefficients + skip.coefficients };
            if skip.coefficients == Skip::END_OF_BLOCK {
                break;
            }
        }
        if sum.bits == 0 { Skip::UNKNOWN } else { sum }
    }

    /// Passes over the coefficients of a block from `next`, the first that is not read; `None` if there are more
    /// than 64.
    #[inline(always)]
    pub(super) fn pass(&self, codes: &Codes, bits: &mut Bits<'_>, mut next: u32) -> Option<()> {
        while next < 64 {
            bits.fill();
            let skip = self.several[(bits.peek() >> (32 - SKIP_BITS)) as usize];
            let after = next + u32::from(skip.coefficients);
            if after < 64 {
                bits.skip(skip.bits.into());
                next = after;
            } else if skip.coefficients >= Skip::END_OF_BLOCK && after < 128 {
                // The end, and all that was before it in the window is of this block.
                bits.skip(skip.bits.into());
                return Some(());
            } else {
                (*bits, next) = pass_one(codes, *bits, next)?;
            }
        }
        (next == 64).then_some(())
    }
}

/// Passes over one symbol: where the window holds the start of another block, or less than a code.
#[inline(never)]
fn pass_one<'a>(codes: &Codes, mut bits: Bits<'a>, next: u32) -> Option<(Bits<'a>, u32)> {
    let symbol = codes.take(&mut bits)?;
    let skip = Skip::of(Code { length: 0, symbol });
    bits.skip(skip.bits.into());
    let is_end = skip.coefficients == Skip::END_OF_BLOCK;
    Some((bits, if is_end { 64 } else { next + u32::from(skip.coefficients) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Passes over a block, whatever follows; says each time whether it ends where these bits do. In its table, 0 is
    /// sixteen zeros, 10 two zeros and a value of one bit, and 11 the end.
    fn pass(bits: &str) -> [Option<bool>; 4] {
        let table = [[1, 2].as_slice(), &[0; 14], &[0xf0, 0x21, 0x00]].concat();
        let (codes, _) = Codes::read(&table).unwrap();
        let skips = Skips::new(&codes);
        [0x0000, 0xfefe, 0xd5b7, 0x2a48].map(|next| {
            let next = format!("{bits}{next:016b}");
            let bytes = u128::from_str_radix(&next, 2).unwrap() << (128 - next.len());
            // A byte of 255 has a zero behind it.
            let stuffed =
                bytes.to_be_bytes().map(|byte| if byte == 255 { vec![byte, 0] } else { vec![byte] });
            let stuffed = stuffed.concat();
            let mut reader = Bits::new(&stuffed, 0);
            skips.pass(&codes, &mut reader, 1)?;
            reader.fill();
            Some(next.ends_with(&format!("{:016b}", reader.take(16))))
        })
    }

    #[test]
    fn a_block_ends_with_its_last_coefficient_or_where_that_is_said() {
        let value = "101";
        for block in
            ["11", "011", "00011", "10111", &("000".to_owned() + &value.repeat(5)), &value.repeat(21)]
        {
            assert_eq!(pass(block), [Some(true); 4], "{block}");
        }
        for bits in ["0000", &("000".to_owned() + &value.repeat(4) + "0"), &(value.repeat(20) + "0")] {
            assert_eq!(pass(bits), [None; 4], "{bits}");
        }
    }

    #[test]
    fn a_table_with_more_codes_than_can_be_is_none() {
        let table = |counts: [u8; 3]| [counts.as_slice(), &[0; 13], &[0; 8]].concat();
        for (counts, is_read) in
            [([2, 0, 0], true), ([1, 2, 0], true), ([1, 1, 2], true), ([3, 0, 0], false), ([1, 2, 1], false)]
        {
            assert_eq!(Codes::read(&table(counts)).is_some(), is_read, "{counts:?}");
        }
        assert!(Codes::read(&[0; 15]).is_none());
        assert!(Codes::read(&[1; 16]).is_none(), "no symbols");
    }
}
