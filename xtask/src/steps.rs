//! Prints the steps of a command, and the time that each step took.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// Does one step. Prints a line before it, and a line with its time after it.
pub fn step<T>(what: &str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    println!("› {what} …");
    let start = Instant::now();
    let done = work().with_context(|| format!("{what} failed after {}", duration(start.elapsed())))?;
    println!("  {what}: {}", duration(start.elapsed()));
    Ok(done)
}

/// Prints that a step is not needed, and why.
pub fn skip(what: &str, why: &str) {
    println!("· {what}: {why}");
}

/// Runs `command` and shows its output.
///
/// # Errors If the program cannot be started, or reports a failure.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", words(command)))?;
    if !status.success() {
        bail!("`{}` ended with {status}", words(command));
    }
    Ok(())
}

/// Returns the output of `command`, without white space around it. Returns `None` if the command cannot be started or
/// fails.
pub fn answer(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Returns the command as a line for a shell.
fn words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Returns a time as text: "0.4 s", "42 s", "3 min 5 s".
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 9.95 {
        format!("{seconds:.1} s")
    } else if seconds < 59.5 {
        format!("{seconds:.0} s")
    } else {
        let seconds = seconds.round() as u64;
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_well_at_every_size() {
        let said = [0.04, 9.96, 59.6, 185.0].map(|seconds| duration(Duration::from_secs_f64(seconds)));
        assert_eq!(said, ["0.0 s", "10 s", "1 min 0 s", "3 min 5 s"]);
    }

    #[test]
    fn a_failed_command_is_named() {
        let error = run(Command::new("false").arg("--really")).unwrap_err();
        assert!(format!("{error:#}").contains("false --really"), "{error:#}");
    }
}
