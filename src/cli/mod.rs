//! The command-line tool `headlamp`: one module for each command. `docs/CLI.md` describes the commands and the
//! schema of each answer.
//!
//! A command reads its arguments, asks the [`Session`](crate::session::Session), and prints. Exit status 2 means
//! wrong arguments, 1 a failure. In both cases stderr gets one line that begins with `headlamp:`.

mod align;
mod commands;
mod decompose;
mod error;
mod eval;
mod explain;
mod frames;
mod heads;
mod inputs;
mod inspect;
mod options;
mod output;
mod pack;
mod parallel;
mod pictures;
mod propagate;
mod segment;
mod stats;
mod table;
mod terminal_progress;
mod track;

pub use commands::main;
pub use error::CliError;
