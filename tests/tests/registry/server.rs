//! A small schema registry: gives ids from 1000 on, remembers what was registered, counts what it is asked, and can be
//! away. It answers the two requests that clients of ids need (Confluent Schema Registry API reference).

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

/// The first id it gives.
pub(crate) const FIRST_ID: u32 = 1000;

/// What it does with requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    #[default]
    Answers,
    /// Closes connections without a word.
    HangsUp,
    /// Says that it is not ready.
    Unavailable,
    /// Ends.
    Stops,
}

#[derive(Debug, Default)]
struct State {
    mode: Mode,
    /// Schemas in the order of their ids.
    schemas: Vec<String>,
    answered: BTreeMap<String, usize>,
    turned_away: usize,
}

/// A running registry; it goes away when dropped.
#[derive(Debug)]
pub(crate) struct SmallRegistry {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
    thread: Option<JoinHandle<()>>,
}

impl SmallRegistry {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        listener.set_nonblocking(true).unwrap();
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            while shared.lock().unwrap().mode != Mode::Stops {
                match listener.accept() {
                    // A client that hangs up in the middle is its own business.
                    Ok((stream, _)) => drop(serve(&stream, &shared)),
                    Err(_) => std::thread::sleep(Duration::from_millis(2)),
                }
            }
        });
        Self { url, state, thread: Some(thread) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn switch(&self, mode: Mode) {
        self.state().mode = mode;
    }

    /// Requests that were answered, e.g. `GET /schemas/ids/1000`, and how often.
    pub(crate) fn answered(&self) -> BTreeMap<String, usize> {
        self.state().answered.clone()
    }

    /// Requests that came while it was away.
    pub(crate) fn turned_away(&self) -> usize {
        self.state().turned_away
    }

    /// Id of a schema, which is registered where it is not yet.
    pub(crate) fn id_of(&self, schema: &str) -> u32 {
        id_of(&mut self.state().schemas, schema)
    }
}

impl Drop for SmallRegistry {
    fn drop(&mut self) {
        self.switch(Mode::Stops);
        self.thread.take().map(JoinHandle::join);
    }
}

fn id_of(schemas: &mut Vec<String>, schema: &str) -> u32 {
    let found = schemas.iter().position(|known| known == schema).unwrap_or_else(|| {
        schemas.push(schema.to_owned());
        schemas.len() - 1
    });
    FIRST_ID + u32::try_from(found).unwrap()
}

fn serve(stream: &TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let (request, body) = read_request(&mut BufReader::new(stream))?;
    let mut state = state.lock().unwrap();
    let (status, answer) = match state.mode {
        Mode::Answers => answer(&mut state, &request, &body),
        Mode::Unavailable => {
            state.turned_away += 1;
            (503, json!({ "error_code": 50301, "message": "not now" }))
        }
        Mode::HangsUp | Mode::Stops => {
            state.turned_away += 1;
            return Ok(());
        }
    };
    drop(state);
    let (mut out, text) = (stream, answer.to_string());
    let length = text.len();
    write!(out, "HTTP/1.1 {status} Answer\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}")?;
    out.flush()
}

/// Method with path, and body.
fn read_request(source: &mut impl BufRead) -> std::io::Result<(String, Vec<u8>)> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if source.read_line(&mut line)? == 0 || line.trim_end().is_empty() {
            break;
        }
        head.push(line.trim_end().to_ascii_lowercase());
    }
    let request = head.first().and_then(|line| line.rsplit_once(' ')).map_or("", |(request, _)| request);
    let length = head.iter().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = Vec::new();
    source.take(length.unwrap_or(0)).read_to_end(&mut body)?;
    Ok((request.to_owned(), body))
}

fn answer(state: &mut State, request: &str, body: &[u8]) -> (u16, Value) {
    *state.answered.entry(request.to_owned()).or_default() += 1;
    if let Some(id) = request.strip_prefix("get /schemas/ids/") {
        let index = id.parse::<u32>().ok().and_then(|id| usize::try_from(id.checked_sub(FIRST_ID)?).ok());
        return match index.and_then(|index| state.schemas.get(index)) {
            Some(schema) => (200, json!({ "schema": schema })),
            None => (404, json!({ "error_code": 40403, "message": "Schema not found" })),
        };
    }
    let schema = serde_json::from_slice::<Value>(body).unwrap_or_default()["schema"].as_str().map(ToOwned::to_owned);
    match schema.filter(|_| request.starts_with("post /subjects/") && request.ends_with("/versions")) {
        Some(schema) => (200, json!({ "id": id_of(&mut state.schemas, &schema) })),
        None => (404, json!({ "error_code": 404, "message": "HTTP 404 Not Found" })),
    }
}
