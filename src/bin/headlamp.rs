//! The command-line tool.

fn main() -> std::process::ExitCode {
    headlamp::cli::main()
}
