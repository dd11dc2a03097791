//! The page as its users meet it: bounded state, the shape of its JSON, and the stream of a real server.

use std::io::{BufRead, BufReader};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tidegate_schemas::records::{
    Cause, Control, Forecast, ForecastState, Load, LoadReport, MeasuredAt, Quantiles, QuotaCommand, QuotaMode,
};

use super::*;

/// 2026-03-02 08:00 UTC.
pub(super) const T: i64 = 1_772_438_400_000;

pub(super) fn report(node: &str, t: i64, cpu: f64) -> LoadReport {
    let mut report = LoadReport::new(node, t, 10_000, 1000.0);
    report.pool = "web".to_owned();
    report.cpu = Some(cpu);
    report.memory = Some(0.25);
    report
}

fn forecast(node: &str, t: i64, peak: f64) -> Forecast {
    Forecast {
        node_id: node.to_owned(),
        pool: "web".to_owned(),
        timestamp: t,
        sequence: t,
        base_quota: 1000.0,
        quota_in_force: None,
        quota_sequence: None,
        requests_total: None,
        requests_failed_total: None,
        current: Load { cpu: 0.5, memory: 0.25 },
        measured_at: MeasuredAt { cpu: t, memory: t },
        path_cpu: vec![0.55, 0.65, 0.75, 0.85, peak],
        path_memory: vec![0.25; 5],
        peak_cpu: Quantiles { p50: peak, p90: peak + 0.1 },
        peak_memory: Quantiles { p50: 0.25, p90: 0.3 },
        state: ForecastState::Ready,
        model: "lstm".to_owned(),
        cause: Cause::default(),
    }
}

pub(super) fn command(node: &str, t: i64, scale: f64, predicted: f64, current: f64) -> QuotaCommand {
    QuotaCommand {
        node_id: node.to_owned(),
        pool: "web".to_owned(),
        timestamp: t,
        sequence: t,
        base_quota: 1000.0,
        quota: 1000.0 * scale,
        scale_factor: scale,
        reason: "a reason".to_owned(),
        limits_hit: if scale > 1.4 { vec!["max".to_owned()] } else { Vec::new() },
        predicted_load: predicted,
        current_load: current,
        forecast_p90: 0.0,
        margin: 0.0,
        hold_until: None,
        model: "lstm".to_owned(),
        policy: "threshold".to_owned(),
        mode: QuotaMode::Enforce,
        steering: Vec::new(),
        valid_until: t + 60_000,
        cause: Cause::default(),
    }
}

fn took(ms: f64) -> Beside {
    Beside { latency_ms: Some(ms), trace: None }
}

/// Node a was raised 40 s before its load passed 0.8; node b only warms; node c was heard of once, long ago.
fn small_fleet() -> PageState {
    let mut page = PageState::new(Limits::default());
    page.apply_report(&report("c", T - 600_000, 0.1));
    page.apply_report(&report("a", T, 0.5));
    page.apply_command(&command("a", T, 1.0, 0.7, 0.5), took(3.5));
    page.apply_report(&report("a", T + 10_000, 0.55));
    page.apply_forecast(&forecast("a", T + 10_000, 0.95));
    page.apply_command(&command("a", T + 10_000, 1.425, 0.95, 0.55), took(4.0));
    let mut raised = report("a", T + 50_000, 0.85);
    raised.quota_in_force = Some(1425.0);
    page.apply_report(&raised);
    page.apply_report(&report("b", T + 50_000, 0.3));
    let mut warming = forecast("b", T + 50_000, 0.3);
    warming.state = ForecastState::Warming;
    page.apply_forecast(&warming);
    page.apply_control("a", Some(control("a", T + 50_000)));
    page
}

fn control(target: &str, t: i64) -> Control {
    Control {
        target: target.to_owned(),
        timestamp: t,
        override_quota: Some(1500.0),
        until: Some(t + 60_000),
        by: "alice".to_owned(),
        why: "load test".to_owned(),
        ..Control::default()
    }
}

#[test]
fn a_control_marks_its_nodes_while_it_is_in_force_by_their_own_time() {
    let mut page = PageState::new(Limits::default());
    page.apply_report(&report("a", T, 0.5));
    page.apply_report(&report("b", T + 10_000, 0.5));
    let marks = |page: &PageState| pretty(page.fleet()).contains("\"control\": \"-c\"");
    page.apply_control("pool:web", Some(control("pool:web", T + 10_000)));
    assert!(marks(&page), "b has come to it, a has not");
    page.apply_control("pool:web", Some(Control { by: String::new(), ..control("pool:web", T) }));
    page.apply_control("elsewhere", Some(control("pool:web", T)));
    assert!(marks(&page), "what is invalid counts for nothing");
    page.apply_control("pool:web", None);
    assert!(!marks(&page));
}

fn pretty<S: serde::Serialize>(view: S) -> String {
    let text = serde_json::to_string(&view).unwrap();
    serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(&text).unwrap()).unwrap()
}

#[test]
fn the_fleet_view() {
    insta::assert_snapshot!("fleet", pretty(small_fleet().fleet()));
}

#[test]
fn the_node_view() {
    insta::assert_snapshot!("node", pretty(small_fleet().node("a").unwrap()));
    assert!(small_fleet().node("nobody").is_none());
}

#[test]
fn the_decisions_view() {
    insta::assert_snapshot!("decisions", pretty(small_fleet().decisions(9)));
}

#[test]
fn the_stats_view() {
    let mut page = PageState::new(Limits::default());
    page.apply_stats(PageStats {
        reports_per_s: 20.0,
        broker: "127.0.0.1:9092".into(),
        speed: Some(60.0),
        ..Default::default()
    });
    insta::assert_snapshot!("stats", pretty(page.stats()));
}

#[test]
fn repeated_records_change_nothing() {
    let (mut once, mut twice) = (small_fleet(), small_fleet());
    once.apply_report(&report("a", T + 50_000, 0.1));
    twice.apply_report(&report("a", T, 0.99));
    twice.apply_forecast(&forecast("a", T, 0.99));
    twice.apply_command(&command("a", T, 1.6, 0.99, 0.5), Beside::default());
    for page in [&once, &twice] {
        assert_eq!(pretty(page.fleet()), pretty(small_fleet().fleet()));
        assert_eq!(pretty(page.node("a")), pretty(small_fleet().node("a")));
    }
}

#[test]
fn invalid_reports_and_unknown_nodes_are_passed_over() {
    let mut page = PageState::new(Limits::default());
    page.apply_report(&report("a", T, f64::NAN));
    page.apply_report(&report("", T, 0.5));
    page.apply_report(&report(&"x".repeat(1000), T, 0.5));
    page.apply_forecast(&forecast("a", T, 0.9));
    page.apply_command(&command("a", T, 1.4, 0.9, 0.5), Beside::default());
    assert!(page.nodes.is_empty());
    assert_eq!(page.decisions.newest_first().count(), 0);
}

#[test]
fn silent_nodes_make_room_and_others_do_not() {
    let mut page = PageState::new(Limits { nodes: 2, decisions: 10 });
    page.apply_report(&report("old", T, 0.5));
    page.apply_report(&report("young", T + SPAN_MS, 0.5));
    page.make_room();
    assert_eq!(page.nodes.len(), 2, "nobody asked for room");
    page.apply_report(&report("new", T + SPAN_MS, 0.5));
    assert!(!page.nodes.contains_key("new"));
    page.make_room();
    assert!(page.crowded);
    page.apply_report(&report("new", T + SPAN_MS, 0.5));
    page.make_room();
    assert_eq!(page.nodes.keys().collect::<Vec<_>>(), ["new", "young"]);
    assert!(!page.crowded);
}

proptest! {
    #[test]
    fn the_state_is_bounded(
        records in proptest::collection::vec((0_u8..12, 0_i64..20_000_000, 0.0_f64..3.0, 0_u8..3), 1..600)
    ) {
        let limits = Limits { nodes: 5, decisions: 7 };
        let mut page = PageState::new(limits);
        for (i, (node, t, value, kind)) in (0..).zip(records) {
            let node = format!("n{node}");
            match kind {
                0 => page.apply_report(&LoadReport { sequence: i, ..report(&node, t, value) }),
                1 => page.apply_forecast(&Forecast { sequence: i, ..forecast(&node, t, value) }),
                _ => page.apply_command(&QuotaCommand { sequence: i, ..command(&node, t, value, value, value) }, Beside::default()),
            }
            page.make_room();
            prop_assert!(page.nodes.len() <= limits.nodes);
            prop_assert!(page.decisions.newest_first().count() <= limits.decisions);
            for known in page.nodes.values() {
                prop_assert!(known.history.points().count() <= POINTS);
                prop_assert!(known.listed.newest_first().count() <= 12);
            }
        }
    }
}

/// A served page on a free loopback port; dropping `stop` ends it.
struct Served {
    page: Arc<Page>,
    url: String,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    server: tokio::task::JoinHandle<std::io::Result<()>>,
}

async fn served() -> Served {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let page = Arc::new(Page::new(Limits::default()));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, Arc::clone(&page), async { drop(stopped.await) }));
    Served { page, url, stop: Some(stop), server }
}

fn get(url: &str) -> (u16, ureq::http::HeaderMap, String) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into();
    let mut answer = agent.get(url).call().unwrap();
    (answer.status().as_u16(), answer.headers().clone(), answer.body_mut().read_to_string().unwrap())
}

/// Opens the stream and hands each event (name, data) to `take` until the server ends the stream.
fn listen(url: &str, mut take: impl FnMut(&str, serde_json::Value)) {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().proxy(None).timeout_global(Some(Duration::from_secs(90))).build().into();
    let answer = agent.get(url).call().unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut name = String::new();
    for line in BufReader::new(answer.into_body().into_reader()).lines() {
        let line = line.unwrap();
        if let Some(event) = line.strip_prefix("event: ") {
            name = event.to_owned();
        } else if let Some(data) = line.strip_prefix("data: ") {
            take(&name, serde_json::from_str(data).unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stream_follows_the_fleet_and_ends_with_the_server() {
    let mut served = served().await;
    served.page.report(&report("a", T, 0.5));
    let (url, page) = (format!("{}/events", served.url), Arc::clone(&served.page));
    let stop = served.stop.take();
    let listener = tokio::task::spawn_blocking(move || {
        let (mut stop, mut loads, mut names) = (stop, Vec::new(), std::collections::BTreeSet::new());
        listen(&url, |name, data| {
            names.insert(name.to_owned());
            if name == "fleet" {
                loads.push(data["load"][0].as_f64().unwrap());
                page.report(&report("a", T + 10_000, 0.9));
            }
            if loads.last() == Some(&0.9) {
                stop.take();
            }
        });
        (loads, names)
    });
    let (loads, names) = listener.await.expect("the stream ends when the server shall end");
    assert_eq!((loads[0], *loads.last().unwrap()), (0.5, 0.9), "a frame at once, then the changes");
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["decisions", "fleet", "stats"]);
    let end = tokio::time::timeout(Duration::from_secs(60), served.server).await;
    end.expect("the server ends with its last viewer").unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_viewer_gets_the_same_bytes() {
    let page = Page::new(Limits::default());
    page.report(&report("a", T, 0.5));
    let (first, second) = (page.subscribe(), page.subscribe());
    page.tick();
    let (first, second) = (first.borrow().clone().unwrap(), second.borrow().clone().unwrap());
    assert_eq!(first.as_ptr(), second.as_ptr(), "one frame, shared");
    page.close();
    page.tick();
    assert!(page.subscribe().borrow().is_none(), "closed for good");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_and_json_carry_strict_headers() {
    let served = served().await;
    served.page.report(&report("a/ü", T, 0.5));
    let url = served.url.clone();
    tokio::task::spawn_blocking(move || {
        for (path, kind) in [
            ("/", "text/html; charset=utf-8"),
            ("/app.js", "text/javascript; charset=utf-8"),
            ("/style.css", "text/css; charset=utf-8"),
            ("/favicon.svg", "image/svg+xml"),
            ("/api/nodes", "application/json"),
            ("/api/nodes/a%2F%C3%BC", "application/json"),
            ("/trace.js", "text/javascript; charset=utf-8"),
            ("/api/decisions", "application/json"),
            ("/healthz", "text/plain; charset=utf-8"),
        ] {
            let (status, headers, body) = get(&format!("{url}{path}"));
            assert_eq!((status, headers["content-type"].to_str().unwrap()), (200, kind), "{path}");
            assert_eq!(headers["cache-control"], "no-store", "{path}");
            assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"), "{path}");
            assert!(!body.is_empty(), "{path}");
        }
        let (status, headers, body) = get(&format!("{url}/api/nodes/nobody"));
        assert_eq!((status, body.as_str()), (404, r#"{"error":"no reports of node \"nobody\" yet"}"#));
        assert!(headers.contains_key("content-security-policy"));
        let (status, _, body) = get(&format!("{url}/api/traces/4bf9"));
        assert_eq!((status, body.as_str()), (404, r#"{"error":"no span of trace \"4bf9\" here"}"#));
        assert_eq!(get(&format!("{url}/elsewhere")).0, 404);
    })
    .await
    .unwrap();
}

#[test]
fn the_files_name_no_other_host() {
    for (path, text) in super::server::texts() {
        for (at, _) in text.match_indices("//") {
            let line = text[..at].rsplit('\n').next().unwrap_or_default();
            let rest = text[at..].split_whitespace().next().unwrap_or_default();
            let comment = line.trim().is_empty() || rest == "//";
            let namespace = rest.starts_with("//www.w3.org/2000/svg");
            assert!(comment || namespace, "{path} names {rest}");
        }
    }
}
