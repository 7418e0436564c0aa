//! What a sweep costs: `cargo bench --bench sweep` sweeps a function of about 150 instructions, and prints the time of the
//! whole search (finding out what is executed, and a run for every instruction) as a multiple of as many plain runs of the
//! program: fork, exec and wait on the same CPU, in turn with the sweeps.

use sigrace::explore::{self, Plan};
use sigrace::scenario::Strategy;
use sigrace::suite;
use sigrace::supervise::Supervisor;
use std::error::Error;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PAIRS: usize = 21;

fn main() -> Result<(), Box<dyn Error>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/programs/long.c");
    let program = sigrace::compile::compile(&source, None)?;
    let cancel = Default::default();
    let slot = sigrace::slots::Slots::new()?.take(Duration::from_secs(600), &cancel)?;
    let argv = vec![program.display().to_string()];
    let launch = sigrace::resolve::command(argv, Default::default(), Path::new("/"), None)?;
    let plan = Plan {
        send: vec!["SIGUSR1".parse()?],
        code: suite::code(&program, &["mix".to_owned()], false, &[])?,
        strategies: vec![Strategy::Exhaustive { bound: 1, runs: None }],
        ..Plan::default()
    };
    let settings = suite::settings(launch, Default::default(), &plan, &Default::default());
    // Pins this thread, and with it the plain runs.
    let mut first = Supervisor::new(settings.clone(), slot.cpu)?;
    let factory = |_| Supervisor::new(settings.clone(), slot.cpu);
    let (mut ratios, mut runs, mut instructions) = (Vec::new(), 0, 0);
    for _ in 0..PAIRS {
        let start = Instant::now();
        let reference = explore::reference(&plan, &mut first)?;
        instructions = reference.executed.executed;
        let report = explore::search(&plan, reference, &factory, &|_| Vec::new(), &(), &Default::default())?;
        let sweep = start.elapsed();
        runs = report.runs;
        let start = Instant::now();
        for _ in 0..runs {
            let mut command = Command::new(&program);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            // Asking for the user that it is anyway makes the standard library fork instead of posix_spawn.
            command.uid(nix::unistd::geteuid().as_raw());
            command.status()?;
        }
        ratios.push(sweep.as_secs_f64() / start.elapsed().as_secs_f64());
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "sweep: {instructions} instructions, {runs} runs: {:.2} times as many runs of fork+exec+wait (median, n {PAIRS})",
        ratios[ratios.len() / 2]
    );
    Ok(())
}
