//! The commands of `headlamp`, one a file. `docs/CLI.md` lists them with the schema of each answer.
//!
//! A command reads its arguments, asks the [`Session`](crate::session::Session), and prints. Exit status 2 says
//! that the command was mistyped, 1 that it failed; either way stderr has one line that begins `headlamp:`.

mod align;
mod decompose;
mod download;
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
mod pack_from;
mod pictures;
mod progress;
mod propagate;
mod segment;
mod stats;
mod track;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

pub use error::CliError;

/// Opens up vision transformers: what each attention head looks at, and what it stands for in words.
#[derive(Parser, Debug)]
#[command(name = "headlamp", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Explain(explain::Explain),
    Segment(segment::Segment),
    Heads(heads::Heads),
    Stats(stats::Stats),
    Decompose(decompose::Decompose),
    Align(Box<align::Align>),
    Track(track::Track),
    Propagate(propagate::Propagate),
    Inspect(inspect::Inspect),
    #[command(subcommand)]
    Eval(eval::Eval),
    #[command(subcommand)]
    Pack(pack::Recipe),
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    // The last resort: a fault is one line too.
    std::panic::set_hook(Box::new(|panic| {
        output::complain(&format!("a fault in headlamp itself, please report it: {panic}"));
    }));
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(refusal) => return refuse(&refusal),
    };
    match std::panic::catch_unwind(AssertUnwindSafe(|| arguments.command.run())) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            if error.is_news() {
                output::complain(&error);
            }
            error.status()
        }
        Err(_told_by_the_hook) => ExitCode::FAILURE,
    }
}

impl Command {
    fn run(&self) -> Result<(), CliError> {
        match self {
            Self::Explain(explain) => explain.run(),
            Self::Segment(segment) => segment.run(),
            Self::Heads(heads) => heads.run(),
            Self::Stats(stats) => stats.run(),
            Self::Decompose(decompose) => decompose.run(),
            Self::Align(align) => align.run(),
            Self::Track(track) => track.run(),
            Self::Propagate(propagate) => propagate.run(),
            Self::Inspect(inspect) => inspect.run(),
            Self::Eval(eval) => eval.run(),
            Self::Pack(recipe) => recipe.run(),
        }
    }
}

/// Shows the help that was asked for, or says in one line what is wrong with the arguments.
fn refuse(refusal: &clap::Error) -> ExitCode {
    let said = refusal.render().to_string();
    match refusal.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            return output::print(said.trim_end()).map_or_else(|err| err.status(), |()| ExitCode::SUCCESS);
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            output::complain(&"what is to be done? `headlamp --help` lists the commands");
        }
        _ => {
            // clap's own paragraphs: what is wrong, perhaps a tip, then usage.
            let wrong = said.split("\n\n").take_while(|paragraph| !paragraph.starts_with("Usage:"));
            let wrong = wrong.filter(|paragraph| !paragraph.starts_with("For more information"));
            let wrong = wrong.map(|paragraph| paragraph.trim().trim_start_matches("error: ")).collect::<Vec<_>>();
            output::complain(&format!("{}; --help says more", wrong.join("; ")));
        }
    }
    ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_are_consistent() {
        super::Arguments::command().debug_assert();
    }
}
