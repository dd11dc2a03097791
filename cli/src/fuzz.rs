//! Fuzz targets of what only the binary decodes: settings, controls file, policies, times. The others, and how a run is
//! made, stand in `fuzz/`.

use std::str::from_utf8;

use tidegate_fuzz::fuzz;

use crate::commands::control::file;
use crate::config::{Settings, Share};
use crate::event_time;
use crate::policy_spec::PolicySpec;

fn texts<const N: usize>(texts: [&str; N]) -> Vec<Vec<u8>> {
    texts.map(|text| text.as_bytes().to_vec()).into()
}

/// A target of a decoder of texts; what is no UTF-8 never reaches it.
fn fuzz_text(target: &str, usual: u64, corpus: &[Vec<u8>], decode: impl Fn(&str) -> bool) {
    fuzz(target, usual, corpus, |bytes| from_utf8(bytes).is_ok_and(&decode));
}

#[test]
fn settings() {
    let corpus = texts([
        "brokers = \"kafka-1:9092,kafka-2:9092\"\nprefix = \"tidegate.\"\nschema.registry.url = \"http://registry:8081\"\n\
         compression = \"zstd\"\nlinger_ms = 3\n\n[kafka]\n\"security.protocol\" = \"SSL\"\n\"a.number\" = 1.5\n\n[forecast]\n\
         model = \"fleet.tidemodel\"\nmax_batch = 100\n",
        "[quota]\npolicy = \"headroom\"\ntarget = \"1%\"\nresource = \"cpu\"\nmode = \"recommend\"\nmin_scale = 0.5\n\
         max_scale = 2.0\nlease_s = 300\nlargest_step_up = 0.5\nlargest_step_down = 0.5\ndead_band = 0.01\nhold_down_s = 60\n\
         stale_after_s = 120\n",
    ]);
    fuzz_text("settings", 20_000, &corpus, |text| {
        Settings::parse(text).is_ok_and(|settings| settings.kafka().is_ok() & settings.quota().is_ok())
    });
}

#[test]
fn controls_file() {
    let corpus = texts([
        include_str!("../../docs/controls.toml"),
        "by = 'alice'\nwhy = 'release'\n[[control]]\ntarget = 'n'\nmin = 1\nfrom = 1767571200000\nuntil = '90m'\n",
    ]);
    fuzz_text("controls_file", 20_000, &corpus, |text| {
        file::parse(text, None, None).is_ok_and(|wanted| {
            let controls = wanted.entries.iter().map(|entry| entry.control(1_767_571_200_000));
            controls.fold(true, |all, control| all & !control.words().is_empty())
        })
    });
}

#[test]
fn policies() {
    let corpus = texts([
        "policy=headroom,target=0.5%",
        "policy=threshold,max_scale=2,min_scale = 0.1,lease_s=60,mode=recommend",
        "policy=\"headroom\",target=0.01,dead_band=1e-2,hold_down_s=60,resource=memory",
    ]);
    let common = crate::args::Common::default();
    fuzz_text("policies", 50_000, &corpus, |text| {
        text.parse::<PolicySpec>().is_ok_and(|spec| spec.trial(&common).is_ok())
    });
}

#[test]
fn shares() {
    fuzz_text("shares", 200_000, &texts(["0.5%", "0.01", " 1 %"]), |text| text.parse::<Share>().is_ok());
}

#[test]
fn times() {
    let corpus = texts(["2026-01-05T00:00:00Z", "2026-01-05 00:00:00.250", "1767571200000", "2h 30m", "1day 3ms"]);
    fuzz_text("times", 200_000, &corpus, |text| {
        let (at, end) = (event_time::parse(text), event_time::parse_end(text));
        if let Ok(ms) = at {
            let _shown = event_time::show(ms);
        }
        let ends = end.map(|end| [0, i64::MAX, 1_767_571_200_000].map(|from| event_time::show(end.of(from))));
        at.is_ok() || ends.is_ok()
    });
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
