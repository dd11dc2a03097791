//! A link that takes its time and counts bytes: a TCP proxy.
//!
//! ```text
//! client ─> read, stamped ─ queue ─> written a delay later ─> server        and the same back
//! ```
//!
//! A connection over a real link takes a round trip until its first byte may leave; here the kernel makes it at once, so the
//! client's first bytes wait for as long.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;

const PIECE: usize = 64 * 1024;

/// The link; ended with its connections when dropped.
#[derive(Debug)]
pub(super) struct SlowLink {
    port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    delay: Duration,
    stop: AtomicBool,
    /// Of TCP's payload, both ways.
    bytes: AtomicU64,
}

impl SlowLink {
    /// A link to a port of the loopback.
    pub(super) fn before(port: u16, delay: Duration) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("listening for the slow link")?;
        let own = listener.local_addr()?.port();
        let upstream = SocketAddr::from(([127, 0, 0, 1], port));
        let shared = Arc::new(Shared { upstream, delay, stop: AtomicBool::new(false), bytes: AtomicU64::new(0) });
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            for client in listener.incoming() {
                if of_thread.stop.load(Ordering::SeqCst) {
                    break;
                }
                // Who could not be connected finds the connection closed.
                client.map_err(anyhow::Error::from).and_then(|client| connect(client, &of_thread)).ok();
            }
        });
        Ok(Self { port: own, shared, thread: Some(thread) })
    }

    /// Port for clients.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Bytes so far, both ways, without the headers of TCP and IP.
    pub(super) fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::SeqCst)
    }
}

impl Drop for SlowLink {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        TcpStream::connect(("127.0.0.1", self.port)).ok();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed.
            thread.join().ok();
        }
    }
}

fn connect(client: TcpStream, shared: &Arc<Shared>) -> anyhow::Result<()> {
    let opened = Instant::now() + shared.delay * 2;
    let server = TcpStream::connect(shared.upstream)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    pass(client.try_clone()?, server.try_clone()?, opened, shared);
    pass(server, client, opened, shared);
    Ok(())
}

/// One way, on two threads: so a piece does not wait for the one before it.
fn pass(mut from: TcpStream, mut to: TcpStream, opened: Instant, shared: &Arc<Shared>) {
    let (sender, queue) = mpsc::channel::<(Instant, Vec<u8>)>();
    let shared = Arc::clone(shared);
    std::thread::spawn(move || {
        let mut piece = vec![0; PIECE];
        while let Ok(read @ 1..) = from.read(&mut piece) {
            shared.bytes.fetch_add(read as u64, Ordering::SeqCst);
            let due = Instant::now().max(opened) + shared.delay;
            if sender.send((due, piece[..read].to_vec())).is_err() {
                break;
            }
        }
    });
    std::thread::spawn(move || {
        for (due, piece) in queue {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&piece).is_err() {
                break;
            }
        }
        // The end of one way is told after what was on its way; both fail only where the other end was faster.
        to.shutdown(Shutdown::Write).ok();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_its_time_each_way_and_counts_both() -> anyhow::Result<()> {
        let server = TcpListener::bind(("127.0.0.1", 0))?;
        let delay = Duration::from_millis(30);
        let link = SlowLink::before(server.local_addr()?.port(), delay)?;
        std::thread::spawn(move || {
            let (stream, _) = server.accept()?;
            std::io::copy(&mut &stream, &mut &stream)
        });
        // The connection may stand before the call returns, so the first time begins before it.
        let mut began = Instant::now();
        let mut client = TcpStream::connect(("127.0.0.1", link.port()))?;
        let mut answer = [0; 4];
        for round_trips in [4, 2] {
            client.write_all(b"ping")?;
            client.read_exact(&mut answer)?;
            assert!(began.elapsed() >= delay * round_trips, "{:?}", began.elapsed());
            began = Instant::now();
        }
        assert_eq!(link.bytes(), 16);
        Ok(())
    }
}
