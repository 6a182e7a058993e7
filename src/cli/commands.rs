//! The list of commands, and the entry point of the program.

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use super::error::CliError;
use super::{align, decompose, eval, explain, heads, inspect, output, pack, propagate, segment, stats, track};

/// Opens up vision transformers: where each attention head looks, and which texts describe the head.
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
    Pack(pack::MakePack),
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    // A panic is also reported in one line.
    std::panic::set_hook(Box::new(|panic| {
        output::complain(&format!("a fault in headlamp itself, please report it: {panic}"));
    }));
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return help_or_complaint(&error),
    };
    match std::panic::catch_unwind(AssertUnwindSafe(|| arguments.command.run())) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            if error.is_unreported() {
                output::complain(&error);
            }
            error.status()
        }
        Err(_reported_by_the_hook) => ExitCode::FAILURE,
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
            Self::Pack(pack) => pack.run(),
        }
    }
}

/// Prints the help that was requested, or reports in one line the mistake in the arguments.
fn help_or_complaint(error: &clap::Error) -> ExitCode {
    let message = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            return output::print(message.trim_end()).map_or_else(|err| err.status(), |()| ExitCode::SUCCESS);
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            output::complain(&"no command was given: `headlamp --help` lists the commands");
        }
        _ => {
            // clap writes paragraphs: the mistake, sometimes a tip, then the usage.
            let paragraphs = message.split("\n\n").take_while(|paragraph| !paragraph.starts_with("Usage:"));
            let paragraphs = paragraphs.filter(|paragraph| !paragraph.starts_with("For more information"));
            let mistakes: Vec<_> =
                paragraphs.map(|paragraph| paragraph.trim().trim_start_matches("error: ")).collect();
            output::complain(&format!("{}; --help says more", mistakes.join("; ")));
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
