//! The `sigrace` command: everything is in [`sigrace::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    sigrace::cli::main(std::env::args_os())
}
