//! A webhook receiver: an HTTP server that can be away, refuse, and keeps what it accepted.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, ensure};

/// A listening receiver; it goes away when dropped.
#[derive(Debug)]
pub struct Receiver {
    port: u16,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    stop: AtomicBool,
    status: AtomicU16,
    refused: AtomicUsize,
    accepted: Mutex<Vec<String>>,
}

impl Receiver {
    /// Listens on `port` (0: any free one) of the loopback address and answers every POST with `status`.
    ///
    /// # Errors
    /// Where the port can not be had.
    pub fn start(port: u16, status: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).with_context(|| format!("listening on {port}"))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(State { status: AtomicU16::new(status), ..State::default() });
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            while !shared.stop.load(Ordering::Relaxed) {
                match listener.accept() {
                    // A client that hangs up in the middle is its own business.
                    Ok((stream, _)) => drop(answer(&stream, &shared)),
                    Err(_) => std::thread::sleep(Duration::from_millis(2)),
                }
            }
        });
        Ok(Self { port, state, thread: Some(thread) })
    }

    /// Where to send to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/quotas", self.port)
    }

    /// Answers with another status from now on.
    pub fn answer_with(&self, status: u16) {
        self.state.status.store(status, Ordering::Relaxed);
    }

    /// Requests that were answered with another status than 2xx.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.state.refused.load(Ordering::Relaxed)
    }

    /// Bodies that were answered with 2xx, in order.
    #[must_use]
    pub fn accepted(&self) -> Vec<String> {
        self.state.accepted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// As [`Receiver::accepted`], and forgets them.
    #[must_use]
    pub fn take_accepted(&self) -> Vec<String> {
        std::mem::take(&mut self.state.accepted.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed.
            thread.join().ok();
        }
    }
}

fn answer(stream: &TcpStream, state: &State) -> anyhow::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let body = read_body(&mut BufReader::new(stream))?;
    let status = state.status.load(Ordering::Relaxed);
    if (200..300).contains(&status) {
        state.accepted.lock().unwrap_or_else(PoisonError::into_inner).push(body);
    } else {
        state.refused.fetch_add(1, Ordering::Relaxed);
    }
    let mut out = stream;
    write!(out, "HTTP/1.1 {status} Answer\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")?;
    Ok(out.flush()?)
}

fn read_body(source: &mut impl BufRead) -> anyhow::Result<String> {
    let mut length = None;
    loop {
        let mut line = String::new();
        ensure!(source.read_line(&mut line)? > 0, "the request ended in its head");
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = Some(value.trim().parse::<u64>()?);
        }
    }
    let mut body = String::new();
    let read = source.take(length.context("a request without content-length")?).read_to_string(&mut body)?;
    ensure!(Some(read as u64) == length, "the body is short");
    Ok(body)
}
