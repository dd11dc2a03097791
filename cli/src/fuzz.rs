//! Fuzz targets of what only the binary decodes, or crates that nothing but the binary knows: settings, controls file, policies,
//! times, the batches of edges, requests of Envoy's rate limit service, details of a gRPC status. The others, and how a run is
//! made, stand in `fuzz/`.

mod otlp;
mod rls;

use std::str::from_utf8;

use tidegate_fuzz::{Decode, Target};
use tidegate_gateway::Judge;
use tidegate_gateway::batch::{BatchLimits, pack, unpack};
use tidegate_gateway::proto::{Record, ReportBatch};
use tidegate_schemas::records::LoadReport;
use tidegate_schemas::trace::HeadSampler;
use tidegate_schemas::{CatalogueIds, Encoder, RecordKind, Topic};

use crate::commands::control::file;
use crate::config::{Settings, Share};
use crate::event_time;
use crate::policy_spec::PolicySpec;

/// All of them.
pub const TARGETS: &[Target] =
    &[BATCHES, CONTROLS_FILE, otlp::STATUSES, POLICIES, rls::REQUESTS, SETTINGS, SHARES, TIMES];

const SETTINGS: Target = Target {
    name: "settings",
    usual: 20_000,
    corpus: || {
        texts([
            "brokers = \"kafka-1:9092,kafka-2:9092\"\nprefix = \"tidegate.\"\nschema.registry.url = \"http://registry:8081\"\n\
             compression = \"zstd\"\nlinger_ms = 3\n\n[kafka]\n\"security.protocol\" = \"SSL\"\n\"a.number\" = 1.5\n\n[forecast]\n\
             model = \"fleet.tidemodel\"\nmax_batch = 100\n",
            "[quota]\npolicy = \"headroom\"\ntarget = \"1%\"\nresource = \"cpu\"\nmode = \"recommend\"\nmin_scale = 0.5\n\
             max_scale = 2.0\nlease_s = 300\nlargest_step_up = 0.5\nlargest_step_down = 0.5\ndead_band = 0.01\nhold_down_s = 60\n\
             stale_after_s = 120\n",
        ])
    },
    decoder: || {
        of_text(|text| Settings::parse(text).is_ok_and(|settings| settings.kafka().is_ok() & settings.quota().is_ok()))
    },
};

const CONTROLS_FILE: Target = Target {
    name: "controls_file",
    usual: 20_000,
    corpus: || {
        texts([
            include_str!("../../docs/controls.toml"),
            "by = 'alice'\nwhy = 'release'\n[[control]]\ntarget = 'n'\nmin = 1\nfrom = 1767571200000\nuntil = '90m'\n",
        ])
    },
    decoder: || {
        of_text(|text| {
            file::parse(text, None, None).is_ok_and(|wanted| {
                let controls = wanted.entries.iter().map(|entry| entry.control(1_767_571_200_000));
                controls.fold(true, |all, control| all & !control.words().is_empty())
            })
        })
    },
};

const POLICIES: Target = Target {
    name: "policies",
    usual: 50_000,
    corpus: || {
        texts([
            "policy=headroom,target=0.5%",
            "policy=threshold,max_scale=2,min_scale = 0.1,lease_s=60,mode=recommend",
            "policy=\"headroom\",target=0.01,dead_band=1e-2,hold_down_s=60,resource=memory",
        ])
    },
    decoder: || {
        let common = crate::args::Common::default();
        of_text(move |text| text.parse::<PolicySpec>().is_ok_and(|spec| spec.trial(&common).is_ok()))
    },
};

const SHARES: Target = Target {
    name: "shares",
    usual: 200_000,
    corpus: || texts(["0.5%", "0.01", " 1 %"]),
    decoder: || of_text(|text| text.parse::<Share>().is_ok()),
};

const TIMES: Target = Target {
    name: "times",
    usual: 200_000,
    corpus: || texts(["2026-01-05T00:00:00Z", "2026-01-05 00:00:00.250", "1767571200000", "2h 30m", "1day 3ms"]),
    decoder: || of_text(times),
};

/// An input is a batch: a byte for its compression, four for the size that it claims, its payload.
const BATCHES: Target = Target {
    name: "batches",
    usual: 20_000,
    corpus: || {
        let encoder = Encoder::new(Topic::Load, RecordKind::LoadReport, &CatalogueIds);
        let encoder = encoder.unwrap_or_else(|e| unreachable!("{e}"));
        let record = |sequence: i64| {
            let mut value = Vec::new();
            let encoded = encoder.encode(&LoadReport::new("a", sequence, 10_000, 1000.0), &mut value);
            encoded.unwrap_or_else(|e| unreachable!("{e}"));
            Record {
                key: "a".into(),
                value: value.into(),
                traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into(),
            }
        };
        let batch = pack(1, (1..=20).map(record).collect()).unwrap_or_else(|e| unreachable!("{e}"));
        let plain = snap::raw::Decoder::new().decompress_vec(&batch.payload).unwrap_or_default();
        let input = |compression: u8, payload: &[u8]| {
            let claim = u32::try_from(batch.uncompressed_bytes).unwrap_or(u32::MAX);
            [&[compression][..], &claim.to_le_bytes(), payload].concat()
        };
        vec![input(2, &batch.payload), input(1, &plain)]
    },
    decoder: || {
        let judge = Judge::new(&CatalogueIds, HeadSampler::new(1, 0.01)).unwrap_or_else(|e| unreachable!("{e}"));
        Box::new(move |bytes| {
            let [compression, a, b, c, d, payload @ ..] = bytes else { return false };
            let batch = ReportBatch {
                id: 1,
                compression: (*compression).into(),
                uncompressed_bytes: u32::from_le_bytes([*a, *b, *c, *d]).into(),
                payload: payload.to_vec().into(),
            };
            let mut judge = judge.clone();
            let limits = BatchLimits { bytes: 4 << 20, records: 5_000 };
            let judged = |record: &Record| judge.judge(record, 1_767_571_200_000).is_ok();
            unpack(&batch, limits).is_ok_and(|records| records.iter().map(judged).fold(true, |all, good| all & good))
        })
    },
};

fn times(text: &str) -> bool {
    let (at, end) = (event_time::parse(text), event_time::parse_end(text));
    if let Ok(ms) = at {
        let _shown = event_time::show(ms);
    }
    let ends = end.map(|end| [0, i64::MAX, 1_767_571_200_000].map(|from| event_time::show(end.of(from))));
    at.is_ok() || ends.is_ok()
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<Vec<u8>> {
    texts.map(|text| text.as_bytes().to_vec()).into()
}

/// A decoder of texts; what is no UTF-8 never reaches it.
fn of_text(decode: impl Fn(&str) -> bool + 'static) -> Decode {
    Box::new(move |bytes| from_utf8(bytes).is_ok_and(&decode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzz_batches() {
        BATCHES.run();
    }

    #[test]
    fn fuzz_settings() {
        SETTINGS.run();
    }

    #[test]
    fn fuzz_controls_file() {
        CONTROLS_FILE.run();
    }

    #[test]
    fn fuzz_policies() {
        POLICIES.run();
    }

    #[test]
    fn fuzz_shares() {
        SHARES.run();
    }

    #[test]
    fn fuzz_times() {
        TIMES.run();
    }

    #[test]
    fn values_that_are_nested_deep_are_refused() {
        for open in ["[", "{a=", "{a.a.a="] {
            let deep = open.repeat(100_000);
            assert!(Settings::parse(&format!("kafka = {deep}")).is_err());
            assert!(file::parse(&format!("control = {deep}"), None, None).is_err());
            let spec = format!("policy={deep}").parse::<PolicySpec>();
            assert!(spec.is_ok_and(|spec| spec.trial(&crate::args::Common::default()).is_err()));
        }
    }
}
