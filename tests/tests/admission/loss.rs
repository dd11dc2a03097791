//! Requests are admitted all the time, whoever is away.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use tidegate_tests::brokers::TestBroker;
use tidegate_tests::pipeline::PATIENCE;

use crate::site::{Agent, BASE, Site};

/// Ends what goes on beside a test, however the test ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Goes on asking beside `what`; gives how many were admitted. An answer that is none panics, and so does an agent that is gone.
fn admitted_during(agent: &Agent, what: impl FnOnce()) -> u32 {
    let (is_over, admitted) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        let over = Over(&is_over);
        let asking = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                admitted.fetch_add(agent.drive(Duration::from_millis(200)).admitted, Ordering::Relaxed);
            }
        });
        what();
        drop(over);
        asking.join().unwrap();
    });
    admitted.into_inner()
}

#[test]
fn requests_are_admitted_all_the_time_while_the_gateway_is_killed_and_brought_back() {
    let broker = TestBroker::embedded();
    let mut site = Site::new(&broker, "admit-loss");
    let mut agent = site.admitting();
    site.send(BASE / 2.0);
    agent.wait_for_rate(20);
    let admitted = admitted_during(&agent, || {
        site.kill_gateway();
        std::thread::sleep(Duration::from_secs(3));
    });
    assert!(admitted > 0);
    agent.running.wait_for("the way to the centre: closed -> open", PATIENCE).unwrap();
    agent.wait_for_rate(20);
    agent.assert_follows(BASE / 2.0, Duration::from_secs(1));

    let admitted = admitted_during(&agent, || {
        site.start_gateway();
        site.send(BASE);
        agent.wait_for_rate(40);
    });
    assert!(admitted > 0);
    agent.assert_follows(BASE, Duration::from_secs(1));
    agent.stop();
}

#[test]
fn an_agent_that_is_killed_while_the_gateway_is_away_admits_by_the_same_quota_again() {
    let broker = TestBroker::embedded();
    let mut site = Site::new(&broker, "admit-restart");
    let agent = site.admitting();
    site.send(BASE / 2.0);
    agent.wait_for_rate(20);
    site.kill_gateway();
    agent.kill();
    let agent = site.admitting();
    assert!(agent.running.stderr().contains("from the cache: quota 20"), "{}", agent.running.stderr());
    assert_eq!(agent.ask("", "").header("ratelimit-policy"), "\"quota\";q=20;w=1;tidegate-burst=20");
    agent.assert_follows(BASE / 2.0, Duration::from_secs(1));
    site.start_gateway();
    site.send(BASE);
    agent.wait_for_rate(40);
    agent.stop();
}
