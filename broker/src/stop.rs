//! The word to finish, and who still listens for it.
//!
//! ```text
//! signal ─> stop ─> every loop asks is_set ─> finishes
//!                              └─> the thread has moved: silent_for tells of one that has not
//! ```
//!
//! A loop that turns asks again and again whether to finish. One that hangs in a call which never returns asks no more: that is
//! how a watchdog knows it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

/// Tells threads to finish.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    set: Arc<AtomicBool>,
    workers: Arc<Mutex<Vec<Worker>>>,
}

/// A thread that must not stand still.
#[derive(Debug)]
struct Worker {
    thread: ThreadId,
    name: String,
    moved: Instant,
}

/// Ends the watch over a thread.
#[derive(Debug)]
pub struct Watched {
    workers: Arc<Mutex<Vec<Worker>>>,
    thread: ThreadId,
}

impl Stop {
    /// Asks everybody who holds a clone to finish.
    pub fn stop(&self) {
        self.set.store(true, Ordering::SeqCst);
    }

    /// The flag itself, for loops that know nothing else of us.
    #[must_use]
    pub fn flag(&self) -> &AtomicBool {
        &self.set
    }

    /// Whether to finish. Who asks has moved.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.moved();
        self.set.load(Ordering::SeqCst)
    }

    /// From now on this thread must move: it does so by [`Stop::is_set`] and [`Stop::moved`], as long as the guard lives.
    #[must_use]
    pub fn watch(&self, name: &str) -> Watched {
        let thread = std::thread::current().id();
        workers(&self.workers).push(Worker { thread, name: name.to_owned(), moved: Instant::now() });
        Watched { workers: Arc::clone(&self.workers), thread }
    }

    /// This thread waits for something, and has not come to a standstill.
    pub fn moved(&self) {
        let thread = std::thread::current().id();
        if let Some(worker) = workers(&self.workers).iter_mut().find(|worker| worker.thread == thread) {
            worker.moved = Instant::now();
        }
    }

    /// The watched thread that has not moved for the longest, where that is longer than `limit`.
    #[must_use]
    pub fn silent_for(&self, limit: Duration) -> Option<(String, Duration)> {
        let workers = workers(&self.workers);
        let silent = workers.iter().map(|worker| (worker.name.clone(), worker.moved.elapsed()));
        silent.max_by_key(|(_, silent)| *silent).filter(|(_, silent)| *silent > limit)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        workers(&self.workers).retain(|worker| worker.thread != self.thread);
    }
}

fn workers(of: &Mutex<Vec<Worker>>) -> MutexGuard<'_, Vec<Worker>> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(200);

    #[test]
    fn a_thread_that_asks_moves_and_one_that_hangs_does_not() {
        let stop = Stop::default();
        assert_eq!(stop.silent_for(Duration::ZERO), None, "nobody is watched");
        let (told, (hang, hangs)) = (stop.clone(), std::sync::mpsc::channel::<()>());
        let worker = std::thread::spawn(move || {
            let _watched = told.watch("forecast");
            while !told.is_set() {
                std::thread::sleep(Duration::from_millis(1));
            }
            assert!(hangs.recv().is_err(), "nothing is ever sent");
        });
        std::thread::sleep(2 * LIMIT);
        assert_eq!(stop.silent_for(Duration::from_secs(60)), None);
        stop.stop();
        let began = Instant::now();
        while stop.silent_for(LIMIT).is_none() {
            assert!(began.elapsed() < Duration::from_secs(60), "nobody noticed");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(stop.silent_for(LIMIT).unwrap().0, "forecast");
        drop(hang);
        worker.join().unwrap();
        assert_eq!(stop.silent_for(Duration::ZERO), None, "it has ended");
    }
}
