//! `cargo xtask`: sets up, builds, serves and tests headlamp.
//!
//! Every command can be repeated: it does what is missing, says what it does and how long that takes, and
//! where it may not install something, names the one command that does.

mod assets;
mod hosted;
mod page;
mod prune;
mod samples;
mod steps;
mod suites;
mod tools;
mod unused;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::page::Finish;
use crate::suites::Suite;

/// Sets up, builds, serves and tests headlamp.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build what is missing and serve the page on this machine
    Serve {
        #[arg(long, default_value_t = 8080)]
        port: u16,
        /// Serve what `build` makes: smaller and faster, but minutes to make
        #[arg(long)]
        release: bool,
    },
    /// Run tests; native, wasm and browser unless some are named
    Test { suites: Vec<Suite> },
    /// Make dist/, a folder that any web server can serve
    Build {
        /// Let the page fetch models from this host too ("https://models.example"), instead of the usual hub; may
        /// repeat
        #[arg(long, value_name = "HOST")]
        allow_host: Vec<String>,
        /// Make dist-npm/ too, the package for other people's pages
        #[arg(long)]
        npm: bool,
    },
    /// Download the models and make packs of them
    Assets,
    /// Compute anew what the page shows of its sample photos while the model loads
    Samples,
    /// Measure speed; everything unless some are named ("growth" names all that begin so)
    Bench { names: Vec<String> },
    /// Take pictures of every view at three widths in both themes, into docs/screens/
    Screens,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Serve { port, release } => {
            page::serve(port, if release { Finish::Deployable } else { Finish::Quick })
        }
        Task::Test { suites } => suites::test(&suites),
        Task::Build { allow_host, npm } => page::build_deployable(&allow_host, npm),
        Task::Assets => assets::all(),
        Task::Samples => samples::compute(),
        Task::Bench { names } => suites::bench(&names),
        Task::Screens => suites::screens(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
