//! CSV of load reports: plain from memory, compressed through files.

use std::io::Write;

use tidegate_producers::csv::{CsvOptions, Rows, open};

use crate::Target;

const PLAIN: &str = "node_id,timestamp_ms,cpu,memory,pool,interval_ms,sequence,net_in,net_out,disk_io,requests_total,\
requests_failed_total,base_quota,quota_in_force,quota_sequence,comment\n\
node-0001,1767571200000,0.5,0.25,web,10000,1,1e6,0,,12,3,1000,900.5,7,\"a \"\"quoted\"\", one\"\n\
node-0002,1767571210000,,0.25,,,,,,,,,,,,\r\n\
\"node-0001\",1767571210000,1.5,,web,10000,2,,,,,,,,,\n";

const SHORT: &str = "\u{feff}timestamp_ms,node_id,cpu\n1,a,0\n2,a,0.5\n3,a,1\n";

/// Whether every row of a reader is a report.
fn all<R: std::io::BufRead>(rows: Rows<R>) -> bool {
    rows.fold(true, |good, row| good & row.inspect_err(|e| drop(e.to_string())).is_ok())
}

pub(super) const CSV: Target = Target {
    name: "csv",
    usual: 50_000,
    corpus: || [PLAIN, SHORT].map(|text| text.as_bytes().to_vec()).into(),
    decoder: || Box::new(|bytes| Rows::new(bytes, "file", CsvOptions::default()).is_ok_and(all)),
};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn snappy(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = snap::write::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.into_inner().unwrap()
}

pub(super) const COMPRESSED_CSV: Target = Target {
    name: "compressed_csv",
    usual: 2_000,
    corpus: || vec![gzip(PLAIN.as_bytes()), snappy(PLAIN.as_bytes()), gzip(SHORT.as_bytes())],
    decoder: || {
        let folder = tempfile::tempdir().unwrap();
        Box::new(move |bytes| {
            let path = folder.path().join("load.csv");
            std::fs::write(&path, bytes).unwrap();
            open(&path, CsvOptions::default()).is_ok_and(|(rows, _)| all(rows))
        })
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_producers::csv::Format;

    #[test]
    fn fuzz_csv() {
        CSV.run();
    }

    #[test]
    fn fuzz_compressed_csv() {
        let corpus = (COMPRESSED_CSV.corpus)();
        let formats: Vec<_> = corpus.iter().map(|bytes| Format::of(bytes)).collect();
        assert_eq!(formats, [Format::Gzip, Format::Snappy, Format::Gzip]);
        COMPRESSED_CSV.run();
    }

    #[test]
    fn lines_that_are_long_and_many_once_unpacked_cost_little() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bomb.csv.gz");
        let row = format!("n,1,0.5,{}\n", "x".repeat(60_000));
        let bomb = gzip(format!("node_id,timestamp_ms,cpu,note\n{}", row.repeat(10_000)).as_bytes());
        std::fs::write(&path, &bomb).unwrap();
        let mut read = 0;
        let held = crate::held(|| {
            read = open(&path, CsvOptions::default()).unwrap().0.filter(Result::is_ok).count();
        });
        assert_eq!(read, 10_000);
        assert!(held < 64 << 20, "{held} bytes were held for a file of {}", bomb.len());
    }
}
