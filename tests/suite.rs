//! Every scenario under `scenarios/` as a test of its own, through libtest-mimic: `cargo test`, `cargo nextest run`, filters, `--list`.

use sigrace::suite;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = libtest_mimic::Arguments::from_args();
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    match suite::trials(&top.join("scenarios")) {
        Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
        Err(refused) => {
            eprintln!("{refused}");
            ExitCode::from(102)
        }
    }
}
