//! The bytes of a checkpoint: numbers of varying length, and loads, which most often are four decimals of a base quota.
//!
//! ```text
//! unsigned   7 bits a byte, lowest first, the top bit says that more come
//! signed     zigzag, then as unsigned
//! float      4 bytes, little-endian
//! bar        a tag; then what it says
//! ```

use integer_encoding::VarInt;

use crate::error::ForecastError;

/// Mean and maximum of a minute, in points.
pub(crate) type Bar = (f32, f32);

/// Bytes of a number at most.
const LONGEST: usize = 10;
/// The same as the minute before.
const SAME: u8 = 1;
/// The maximum is a load of four decimals, written as what it has more of them than the last one such.
const DECIMAL: u8 = 2;
/// The mean is the maximum.
const FLAT: u8 = 4;

/// Writes a checkpoint.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    pub(crate) bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    pub(crate) fn unsigned(&mut self, number: u64) {
        self.number(number);
    }

    pub(crate) fn signed(&mut self, number: i64) {
        self.number(number);
    }

    fn number(&mut self, number: impl VarInt) {
        let mut written = [0; LONGEST];
        let length = number.encode_var(&mut written);
        self.bytes.extend_from_slice(&written[..length]);
    }

    pub(crate) fn float(&mut self, number: f32) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    pub(crate) fn floats(&mut self, numbers: &[f32]) {
        numbers.iter().for_each(|number| self.float(*number));
    }

    pub(crate) fn bars(&mut self, bars: impl Iterator<Item = Bar>) {
        let (mut last, mut decimals) = (None, 0);
        for (mean, max) in bars {
            let bits = (mean.to_bits(), max.to_bits());
            if last.replace(bits) == Some(bits) {
                self.byte(SAME);
                continue;
            }
            let (decimal, flat) = (decimals_of(max), bits.0 == bits.1);
            self.byte(if decimal.is_some() { DECIMAL } else { 0 } | if flat { FLAT } else { 0 });
            match decimal {
                Some(count) => {
                    self.signed(count - decimals);
                    decimals = count;
                }
                None => self.float(max),
            }
            if !flat {
                self.float(mean);
            }
        }
    }
}

/// Reads one.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Holds that nothing is left.
    pub(crate) fn end(self) -> Result<(), ForecastError> {
        if self.rest.is_empty() { Ok(()) } else { Err(damaged("it is longer than what it holds")) }
    }

    pub(crate) fn byte(&mut self) -> Result<u8, ForecastError> {
        let (first, rest) = self.rest.split_first().ok_or_else(|| damaged("it ends early"))?;
        self.rest = rest;
        Ok(*first)
    }

    pub(crate) fn unsigned(&mut self) -> Result<u64, ForecastError> {
        self.number()
    }

    fn number<T: VarInt>(&mut self) -> Result<T, ForecastError> {
        let why = if self.rest.len() < LONGEST { "it ends early" } else { "a number of it is too long" };
        let (number, length) = T::decode_var(self.rest).ok_or_else(|| damaged(why))?;
        self.rest = &self.rest[length..];
        Ok(number)
    }

    /// A number up to a limit.
    pub(crate) fn up_to(&mut self, most: i64) -> Result<i64, ForecastError> {
        let number = i64::try_from(self.unsigned()?).ok().filter(|number| *number <= most);
        number.ok_or_else(|| damaged("a number of it is out of range"))
    }

    pub(crate) fn signed(&mut self) -> Result<i64, ForecastError> {
        self.number()
    }

    pub(crate) fn float(&mut self) -> Result<f32, ForecastError> {
        let (first, rest) = self.rest.split_first_chunk().ok_or_else(|| damaged("it ends early"))?;
        self.rest = rest;
        let number = f32::from_le_bytes(*first);
        if number.is_finite() { Ok(number) } else { Err(damaged("a value of it is not finite")) }
    }

    pub(crate) fn floats(&mut self, into: &mut [f32]) -> Result<(), ForecastError> {
        into.iter_mut().try_for_each(|number| {
            *number = self.float()?;
            Ok(())
        })
    }

    /// Calls `put` with so many bars and their numbers, in order.
    pub(crate) fn bars(&mut self, count: usize, mut put: impl FnMut(usize, Bar)) -> Result<(), ForecastError> {
        let (mut bar, mut decimals) = ((0.0, 0.0), 0_i64);
        for index in 0..count {
            let tag = self.byte()?;
            if tag & SAME == 0 {
                let max = if tag & DECIMAL == 0 {
                    self.float()?
                } else {
                    decimals = decimals.wrapping_add(self.signed()?);
                    of_decimals(decimals)
                };
                bar = (if tag & FLAT == 0 { self.float()? } else { max }, max);
            }
            put(index, bar);
        }
        Ok(())
    }
}

/// Points of a load of so many ten-thousandths, as they come out of a report.
fn of_decimals(count: i64) -> f32 {
    (count as f64 / 1e4) as f32 * 100.0
}

fn decimals_of(points: f32) -> Option<i64> {
    let count = (f64::from(points) * 100.0).round() as i64;
    (of_decimals(count).to_bits() == points.to_bits()).then_some(count)
}

pub(crate) fn damaged(reason: &str) -> ForecastError {
    ForecastError::damaged(reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(unsigned in any::<u64>(), signed in any::<i64>()) {
            let mut writer = Writer::default();
            writer.unsigned(unsigned);
            writer.signed(signed);
            let mut reader = Reader::new(&writer.bytes);
            prop_assert_eq!(reader.unsigned().unwrap(), unsigned);
            prop_assert_eq!(reader.signed().unwrap(), signed);
            prop_assert!(reader.end().is_ok());
        }

        #[test]
        fn bars_come_back_bit_by_bit(
            bars in prop::collection::vec(
                prop_oneof![
                    (0f32..200_000.0, 0f32..200_000.0),
                    (0u32..20_000, 0f32..200.0).prop_map(|(load, mean)| (mean, of_decimals(load.into()))),
                    (0u32..20_000).prop_map(|load| (of_decimals(load.into()), of_decimals(load.into()))),
                    Just((1.0, 1.0)),
                ],
                0..50,
            ),
        ) {
            let mut writer = Writer::default();
            writer.bars(bars.iter().copied());
            let (mut reader, mut read) = (Reader::new(&writer.bytes), Vec::new());
            reader.bars(bars.len(), |_, bar| read.push(bar)).unwrap();
            prop_assert!(reader.end().is_ok());
            prop_assert_eq!(read, bars);
        }
    }

    #[test]
    fn a_load_of_four_decimals_is_short() {
        let loads = (0..=10_000).map(|load| (f64::from(load) / 1e4) as f32 * 100.0);
        assert!(loads.enumerate().all(|(count, points)| decimals_of(points) == Some(count as i64)));
    }
}
