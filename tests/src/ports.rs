//! Ports for programs that are told on which to listen, and for those that come later.
//!
//! They lie below the range from which systems give ports to whoever does not ask for one (32768 on Linux, 49152 by
//! RFC 6335), so that nobody is given one between our look and its use.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::TcpListener;
use std::ops::Range;

use anyhow::ensure;

const RANGE: Range<u64> = 10_000..32_000;
const TRIES: usize = 1_000;

/// Loopback ports that nobody listens on, each another one.
///
/// # Errors
/// Where there are none.
pub fn free<const N: usize>() -> anyhow::Result<[u16; N]> {
    let mut held = Vec::with_capacity(N);
    for _ in 0..TRIES {
        if held.len() == N {
            break;
        }
        // Other processes look as well, and start elsewhere.
        let any = RandomState::new().build_hasher().finish();
        let port = u16::try_from(RANGE.start + any % (RANGE.end - RANGE.start))?;
        // Held until all are found, so that none is found twice.
        held.extend(TcpListener::bind(("127.0.0.1", port)).map(|listener| (port, listener)));
    }
    ensure!(held.len() == N, "no port is free");
    let mut ports = [0; N];
    for (port, (found, _)) in ports.iter_mut().zip(&held) {
        *port = *found;
    }
    Ok(ports)
}

/// As [`free`], one.
///
/// # Errors
/// As [`free`].
pub fn free_port() -> anyhow::Result<u16> {
    let [port] = free()?;
    Ok(port)
}
