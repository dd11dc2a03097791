//! `tidegate dead-letters`: what was set aside, and back to where it came from.
//!
//! ```text
//! dead-letters ─ topic (two readings: marks, then letters) ─┬─> matching ─> list
//!                                                           └─> matching ─> select ─> replay ─> source topic
//!                                                                                       └─> mark ─> dead-letters
//! dead-letters/PARTITION/OFFSET ─> show
//! ```

mod list;
mod matching;
mod replay;
mod select;
mod show;
mod text;
mod topic;

use self::list::List;
use self::replay::Replay;
use self::show::Show;
use crate::args::Common;

/// List and show what was set aside, and send it back.
///
/// A record that cannot be processed becomes a dead letter: its bytes, key and headers, with why and where it stood. Once the
/// reason is gone (a schema is known, a clock is set), `replay` sends letters back to the topic and partition that they
/// came from, each once and marked.
#[derive(Debug, clap::Args)]
pub(crate) struct DeadLetters {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    List(List),
    Show(Show),
    Replay(Replay),
}

impl DeadLetters {
    pub(crate) fn run(self, common: &Common) -> anyhow::Result<()> {
        match self.action {
            Action::List(list) => list.run(common),
            Action::Show(show) => show.run(common),
            Action::Replay(replay) => replay.run(common),
        }
    }
}
