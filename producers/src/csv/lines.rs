//! Lines of a reader, one at a time and never more of one than a bound: a file without line ends costs no memory.

use std::io::{self, BufRead};

/// Longest line that is read, in bytes.
pub(crate) const LONGEST_LINE: usize = 64 * 1024;

/// What the next line is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// It is in the buffer, without its end.
    Whole,
    /// It is longer than [`LONGEST_LINE`]; its beginning is in the buffer, the rest was skipped.
    TooLong,
    /// There is none.
    End,
}

/// Reads the next line into `line`, without `\n` or `\r\n`.
pub(crate) fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    line.clear();
    let (mut any, mut too_long) = (false, false);
    loop {
        let ready = match reader.fill_buf() {
            Ok(ready) => ready,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        if ready.is_empty() && !any {
            return Ok(Line::End);
        }
        any = true;
        let end = ready.iter().position(|&b| b == b'\n');
        let part = &ready[..end.unwrap_or(ready.len())];
        // One byte more than the bound may stay: the \r of a line end.
        let room = LONGEST_LINE + 1 - line.len();
        too_long |= part.len() > room;
        line.extend_from_slice(&part[..part.len().min(room)]);
        let (taken, last) = (part.len() + usize::from(end.is_some()), end.is_some() || ready.is_empty());
        reader.consume(taken);
        if last {
            break;
        }
    }
    if !too_long && line.last() == Some(&b'\r') {
        line.pop();
    }
    if too_long || line.len() > LONGEST_LINE {
        line.truncate(LONGEST_LINE);
        return Ok(Line::TooLong);
    }
    Ok(Line::Whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::BufReader;

    fn all(bytes: &[u8], buffer: usize) -> Vec<(Line, Vec<u8>)> {
        let (mut reader, mut line, mut found) = (BufReader::with_capacity(buffer, bytes), Vec::new(), Vec::new());
        loop {
            match next_line(&mut reader, &mut line).unwrap() {
                Line::End => return found,
                what => found.push((what, line.clone())),
            }
        }
    }

    #[test]
    fn a_line_at_the_bound_is_whole_and_one_byte_more_is_not() {
        for (extra, end, want) in [(0, "\n", Line::Whole), (0, "\r\n", Line::Whole), (1, "\n", Line::TooLong)] {
            let mut bytes = vec![b'x'; LONGEST_LINE + extra];
            bytes.extend_from_slice(end.as_bytes());
            bytes.extend_from_slice(b"next\n");
            let found = all(&bytes, 8192);
            assert_eq!(found[0].0, want);
            assert_eq!(found[0].1.len(), LONGEST_LINE);
            assert_eq!(found[1], (Line::Whole, b"next".to_vec()));
        }
    }

    #[test]
    fn a_gigabyte_without_a_line_end_costs_only_the_bound() {
        let endless = io::Read::take(io::repeat(b'x'), 1 << 30);
        let (mut reader, mut line) = (BufReader::with_capacity(1 << 20, endless), Vec::new());
        assert_eq!(next_line(&mut reader, &mut line).unwrap(), Line::TooLong);
        assert!(line.capacity() <= 4 * LONGEST_LINE);
        assert_eq!(next_line(&mut reader, &mut line).unwrap(), Line::End);
    }

    proptest! {
        #[test]
        fn lines_are_those_of_the_standard_library(text in "[a\r\n,]{0,40}", buffer in 1usize..16) {
            let want: Vec<_> = text.split_inclusive('\n')
                .map(|l| l.strip_suffix('\n').unwrap_or(l))
                .map(|l| (Line::Whole, l.strip_suffix('\r').unwrap_or(l).as_bytes().to_vec()))
                .collect();
            prop_assert_eq!(all(text.as_bytes(), buffer), want);
        }
    }
}
