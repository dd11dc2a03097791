//! CSV rows: what is read, what is refused and how the refusal reads.

use super::*;
use proptest::prelude::*;

fn rows(text: &str) -> Vec<Result<LoadReport, RowError>> {
    Rows::new(text.as_bytes(), "f.csv", CsvOptions::default()).unwrap().collect()
}

fn only_error(text: &str) -> String {
    let errors: Vec<_> = rows(text).into_iter().filter_map(Result::err).collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors[0].to_string()
}

#[test]
fn the_shared_format_is_read_and_an_empty_field_is_not_measured() {
    let got = rows("node_id,timestamp_ms,cpu,memory\na,1000,0.5,\n\nb,1000,,0.25\r\na,61000,1.5,0\n");
    let got: Vec<_> = got.into_iter().map(Result::unwrap).collect();
    let mut first = LoadReport::new("a", 1000, 60_000, 1000.0);
    first.cpu = Some(0.5);
    assert_eq!(got[0], first);
    assert_eq!((got[1].cpu, got[1].memory, got[1].interval_ms), (None, Some(0.25), 60_000));
    assert_eq!((got[2].cpu, got[2].memory, got[2].sequence), (Some(1.5), Some(0.0), 61_000));
}

#[test]
fn every_column_is_read_in_any_order_quoted_or_not() {
    let text = "\u{feff}\"memory\",cpu,quota_sequence,quota_in_force,base_quota,requests_failed_total,requests_total,disk_io,\
                net_out,net_in,sequence,interval_ms,pool,timestamp_ms,node_id\n\
                0.1,0.2,3,1200.5,2000,4,5,6,7,8,9,30000,\"p,1\",11,\"a \"\"b\"\"\"\n";
    let want = LoadReport {
        node_id: "a \"b\"".into(),
        pool: "p,1".into(),
        timestamp: 11,
        sequence: 9,
        interval_ms: 30_000,
        cpu: Some(0.2),
        memory: Some(0.1),
        net_in: Some(8.0),
        net_out: Some(7.0),
        disk_io: Some(6.0),
        requests_total: Some(5),
        requests_failed_total: Some(4),
        base_quota: 2000.0,
        quota_in_force: Some(1200.5),
        quota_sequence: Some(3),
    };
    assert_eq!(rows(text), [Ok(want)]);
}

#[test]
fn errors_name_file_line_column_and_text_and_reading_goes_on() {
    let head = "node_id,timestamp_ms,cpu\n";
    for (line, want) in [
        ("a,1,NaN", "f.csv: line 3, column 3 (cpu): \"NaN\" is not a finite number of at least 0"),
        ("a,1,-0.1", "f.csv: line 3, column 3 (cpu): \"-0.1\" is not a finite number of at least 0"),
        ("a,1,inf", "f.csv: line 3, column 3 (cpu): \"inf\" is not a finite number of at least 0"),
        ("a,1,12%", "f.csv: line 3, column 3 (cpu): \"12%\" is not a finite number of at least 0"),
        ("a,1.5,0", "f.csv: line 3, column 2 (timestamp_ms): \"1.5\" is not a whole number of at least 0"),
        ("a,-1,0", "f.csv: line 3, column 2 (timestamp_ms): \"-1\" is not a whole number of at least 0"),
        ("a,,0", "f.csv: line 3, column 2 (timestamp_ms): the time is missing"),
        (",1,0", "f.csv: line 3, column 1 (node_id): the node id is empty"),
        ("a,1", "f.csv: line 3: it has 2 fields, the header has 3"),
        ("a,1,0,0", "f.csv: line 3: it has 4 fields, the header has 3"),
        ("\"a,1,0", "f.csv: line 3: it has 1 field, the header has 3"),
    ] {
        let text = format!("{head}ok,1,0.5\n{line}\nok,2,0.5\n");
        assert_eq!(only_error(&text), want);
        assert_eq!(rows(&text).into_iter().filter(Result::is_ok).count(), 2);
    }
}

#[test]
fn an_overlong_line_is_an_error_and_reading_goes_on() {
    let text = format!("node_id,timestamp_ms,cpu\n{},1,0\nb,1,0\n", "a".repeat(LONGEST_LINE));
    assert_eq!(only_error(&text), "f.csv: line 2: it is longer than 65536 bytes");
    assert_eq!(rows(&text)[1].as_ref().unwrap().node_id, "b");
}

#[test]
fn bytes_that_are_no_text_are_an_error_of_their_column() {
    let text = b"node_id,timestamp_ms,cpu\n\xff\xfe,1,0\nb,1,0\n";
    let got: Vec<_> = Rows::new(&text[..], "f.csv", CsvOptions::default()).unwrap().collect();
    assert!(got[0].as_ref().unwrap_err().to_string().starts_with("f.csv: line 2, column 1 (node_id): "));
    assert!(got[1].is_ok());
}

#[test]
fn a_file_that_ends_in_the_middle_of_its_compression_says_so_and_ends() {
    use std::io::Write;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writeln!(gzip, "node_id,timestamp_ms,cpu").unwrap();
    for i in 0..20_000 {
        writeln!(gzip, "a,{i},0.{}", i * 7919 % 1000).unwrap();
    }
    let mut bytes = gzip.finish().unwrap();
    bytes.truncate(bytes.len() / 2);
    let content = std::io::BufReader::new(flate2::read::MultiGzDecoder::new(&bytes[..]));
    let got: Vec<_> = Rows::new(content, "f.csv.gz", CsvOptions::default()).unwrap().collect();
    let (last, before) = got.split_last().unwrap();
    assert!(last.as_ref().unwrap_err().ends_reading);
    assert!(before.len() > 1000 && before.iter().all(Result::is_ok));
}

proptest! {
    #[test]
    fn a_line_without_quotes_is_split_as_the_parser_splits_it(line in "[a1., \\t-]{1,40}") {
        let (mut fast, mut parsed) = (ByteRecord::new(), ByteRecord::new());
        split(line.as_bytes(), &mut fast);
        split_quoted(line.as_bytes(), &mut parsed);
        prop_assert_eq!(fast, parsed);
    }

    #[test]
    fn any_bytes_are_rows_or_errors_and_every_row_is_valid(body: Vec<u8>, fields in "[a0-9.,\"\nN-]{0,60}") {
        for body in [&body[..], fields.as_bytes()] {
            let text = [b"node_id,timestamp_ms,cpu,interval_ms,base_quota\n", body].concat();
            for row in Rows::new(&text[..], "f.csv", CsvOptions::default()).unwrap().flatten() {
                prop_assert!(row.validate().is_ok() && row.interval_ms > 0);
            }
        }
    }

    #[test]
    fn written_reports_are_read_again(
        loads in proptest::collection::vec((0u8..5, 0i64..1 << 40, proptest::option::of(0.0f64..10.0)), 1..40),
    ) {
        let mut text = String::from("cpu,node_id,timestamp_ms,memory\n");
        for (node, at, cpu) in &loads {
            text += &format!("{},n{node},{at},\n", cpu.map_or(String::new(), |c| c.to_string()));
        }
        let got: Vec<_> = rows(&text).into_iter().map(|r| r.map(|r| (r.node_id, r.timestamp, r.cpu)).unwrap()).collect();
        let want: Vec<_> = loads.into_iter().map(|(node, at, cpu)| (format!("n{node}"), at, cpu)).collect();
        prop_assert_eq!(got, want);
    }
}
