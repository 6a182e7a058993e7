//! `cargo xtask`: sets up, builds, serves and tests headlamp.
//!
//! Every command can be repeated. A command skips the steps that are already done, and prints each step and the time
//! that it takes. If a command may not install a program, it names the command that does.

mod assets;
mod hosted;
mod page;
mod peer_engine;
mod samples;
mod suites;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    /// Build the page and serve it on this machine
    Serve {
        #[arg(long, default_value_t = 8080)]
        port: u16,
        /// The default model of the page: hf:ORGANISATION/NAME, a pack (folder or NAME.headlamp.tar), or weights
        #[arg(long, value_name = "MODEL")]
        model: Option<String>,
        /// Gather the model's head statistics over the pictures in this folder, once
        #[arg(long, value_name = "FOLDER", requires = "model")]
        gallery: Option<std::path::PathBuf>,
    },
    /// Run tests: all suites, or the named ones
    Test { suites: Vec<Suite> },
    /// Make dist/, a folder that any web server can serve
    Build {
        /// Let the page fetch models from this host ("https://models.example") instead of the usual hub; may repeat
        #[arg(long, value_name = "HOST")]
        allow_host: Vec<String>,
        /// Make dist-npm/ too, the package for other people's pages
        #[arg(long)]
        npm: bool,
    },
    /// Download the models and make packs of them
    Assets,
    /// Compute again the results that the page shows of its sample photos while the model loads
    Samples,
    /// Measure speed: all benchmarks, or those whose names begin with a given name ("growth")
    Bench { names: Vec<String> },
    /// Take pictures of every view at three widths in both themes, into docs/screens/
    Screens,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Serve { port, model, gallery } => page::serve(port, model, gallery),
        Task::Test { suites } => suites::test(&suites),
        Task::Build { allow_host, npm } => page::build_for_hosting(&allow_host, npm),
        Task::Assets => assets::all(assets::Tool::Alone),
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
