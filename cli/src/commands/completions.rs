//! `tidegate completions`: shell completions on stdout.

use clap_complete::Shell;

use crate::args;

/// Print completions for a shell.
///
/// For bash: tidegate completions bash > /etc/bash_completion.d/tidegate
#[derive(Debug, clap::Args)]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        clap_complete::generate(self.shell, &mut args::description(), "tidegate", &mut std::io::stdout());
        Ok(())
    }
}
