//! What stands between us and a broker: a TCP proxy that can break all connections, refuse new ones, slow them down, or let
//! what is sent vanish.
//!
//! ```text
//! tidegate ─> listener ─┬─ two threads a connection, one each way ─> broker
//!                       └─ cut: what is open is shut, what comes is shut at once
//! ```

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;

const PIECE: usize = 16 * 1024;

/// A proxy; its connections end with it.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    upstream: SocketAddr,
    stop: AtomicBool,
    cut: AtomicBool,
    /// What comes is read and goes nowhere.
    frozen: AtomicBool,
    /// Wait before each piece, ms.
    delay_ms: AtomicU64,
    /// Both ends of what is open, by a number.
    open: Mutex<Vec<(u64, TcpStream, TcpStream)>>,
    /// Connections that were broken or refused by a cut.
    broken: AtomicU64,
    /// Pieces that had to wait.
    delayed: AtomicU64,
    /// Pieces that vanished.
    vanished: AtomicU64,
}

impl Proxy {
    /// A proxy in front of a port of the loopback.
    ///
    /// # Errors
    /// Where no port can be had.
    pub fn before(port: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("listening for a proxy")?;
        listener.set_nonblocking(true)?;
        let own = listener.local_addr()?.port();
        let state = Arc::new(State {
            upstream: SocketAddr::from(([127, 0, 0, 1], port)),
            stop: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            frozen: AtomicBool::new(false),
            delay_ms: AtomicU64::new(0),
            open: Mutex::default(),
            broken: AtomicU64::new(0),
            delayed: AtomicU64::new(0),
            vanished: AtomicU64::new(0),
        });
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || accept(&listener, &shared));
        Ok(Self { port: own, state, thread: Some(thread) })
    }

    /// Port for clients.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Breaks all connections and lets none come about; gives how many were open.
    pub fn cut(&self) -> usize {
        self.state.cut.store(true, Ordering::SeqCst);
        self.state.break_all()
    }

    /// Lets all that is sent vanish, and leaves the connections open: so it is where a peer is gone without a word.
    pub fn freeze(&self) {
        self.state.frozen.store(true, Ordering::SeqCst);
    }

    /// Waits before each piece that passes.
    pub fn slow(&self, delay: Duration) {
        self.state.delay_ms.store(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// Lets everything pass again; connections of which something vanished are broken.
    pub fn mend(&self) {
        if self.state.frozen.swap(false, Ordering::SeqCst) {
            self.state.break_all();
        }
        self.state.cut.store(false, Ordering::SeqCst);
        self.state.delay_ms.store(0, Ordering::SeqCst);
    }

    /// Connections that a cut broke or refused so far.
    #[must_use]
    pub fn broken(&self) -> u64 {
        self.state.broken.load(Ordering::SeqCst)
    }

    /// Pieces that vanished so far.
    #[must_use]
    pub fn vanished(&self) -> u64 {
        self.state.vanished.load(Ordering::SeqCst)
    }

    /// Pieces that had to wait so far.
    #[must_use]
    pub fn delayed(&self) -> u64 {
        self.state.delayed.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::SeqCst);
        self.state.break_all();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed.
            thread.join().ok();
        }
    }
}

impl State {
    fn break_all(&self) -> usize {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        self.broken.fetch_add(open.len() as u64, Ordering::SeqCst);
        for (_, one, other) in open.iter() {
            // Both fail only where the other end was faster.
            one.shutdown(Shutdown::Both).ok();
            other.shutdown(Shutdown::Both).ok();
        }
        let count = open.len();
        open.clear();
        count
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    let mut number = 0;
    while !state.stop.load(Ordering::SeqCst) {
        match listener.accept() {
            Ok((client, _)) if state.cut.load(Ordering::SeqCst) => {
                // Counted first: who sees the end of the connection finds it counted.
                state.broken.fetch_add(1, Ordering::SeqCst);
                client.shutdown(Shutdown::Both).ok();
            }
            // A broker that is away refuses: so does its proxy, by hanging up.
            Ok((client, _)) => drop(connect(client, number, state)),
            Err(_) => std::thread::sleep(Duration::from_millis(2)),
        }
        number += 1;
    }
}

fn connect(client: TcpStream, number: u64, state: &Arc<State>) -> anyhow::Result<()> {
    client.set_nonblocking(false)?;
    client.set_nodelay(true)?;
    let broker = TcpStream::connect_timeout(&state.upstream, Duration::from_secs(2))?;
    broker.set_nodelay(true)?;
    let pair = (number, client.try_clone()?, broker.try_clone()?);
    state.open.lock().unwrap_or_else(PoisonError::into_inner).push(pair);
    if state.cut.load(Ordering::SeqCst) {
        // The cut came while this one was on its way.
        state.break_all();
    }
    for (from, to) in [(client.try_clone()?, broker.try_clone()?), (broker, client)] {
        let state = Arc::clone(state);
        std::thread::spawn(move || {
            pass(&from, &to, &state);
            from.shutdown(Shutdown::Both).ok();
            to.shutdown(Shutdown::Both).ok();
            state.open.lock().unwrap_or_else(PoisonError::into_inner).retain(|(n, ..)| *n != number);
        });
    }
    Ok(())
}

fn pass(mut from: &TcpStream, mut to: &TcpStream, state: &State) {
    let mut piece = vec![0; PIECE];
    while let Ok(read @ 1..) = from.read(&mut piece) {
        if state.frozen.load(Ordering::SeqCst) {
            state.vanished.fetch_add(1, Ordering::SeqCst);
            continue;
        }
        let delay = state.delay_ms.load(Ordering::SeqCst);
        if delay > 0 {
            state.delayed.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(delay));
        }
        if to.write_all(&piece[..read]).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that gives back what it gets.
    fn echo() -> anyhow::Result<u16> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                std::thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
            }
        });
        Ok(port)
    }

    fn ask(stream: &mut TcpStream) -> std::io::Result<[u8; 4]> {
        stream.write_all(b"ping")?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    }

    #[test]
    fn it_passes_breaks_refuses_slows_and_mends() -> anyhow::Result<()> {
        let proxy = Proxy::before(echo()?)?;
        let mut stream = TcpStream::connect(("127.0.0.1", proxy.port()))?;
        assert_eq!(ask(&mut stream)?, *b"ping");
        assert_eq!(proxy.cut(), 1);
        assert!(ask(&mut stream).is_err());
        assert!(TcpStream::connect(("127.0.0.1", proxy.port())).and_then(|mut s| ask(&mut s)).is_err());
        assert!(proxy.broken() >= 2);
        proxy.mend();
        proxy.slow(Duration::from_millis(5));
        let mut stream = TcpStream::connect(("127.0.0.1", proxy.port()))?;
        assert_eq!(ask(&mut stream)?, *b"ping");
        assert!(proxy.delayed() >= 2);
        Ok(())
    }
}
