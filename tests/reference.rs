//! The reference run meets a program as a person does who types `kill`: when everything in it sleeps.

mod supervised;

use sigrace::explore::{self, Plan, Reference};
use sigrace::program::Limits;
use sigrace::schedule::{Schedule, Site};
use sigrace::supervise::{Settings, Supervise, Supervisor};
use sigrace::trace::{End, Run, Status};

/// What `work` makes of a supervisor of `forwards.c` that watches these signals.
fn forwards<T: Send>(signals: &[&str], work: impl FnOnce(&Plan, &mut Supervisor) -> T + Send) -> T {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("forwards.c", &[], folder.path());
    let launch = supervised::launch(&[program.to_str().unwrap()], folder.path());
    let send: Vec<_> = signals.iter().map(|name| name.parse().unwrap()).collect();
    let settings = Settings { watch: send.clone(), limits: Limits::default(), ..Settings::of(launch) };
    let plan = Plan { send, ..Plan::default() };
    supervised::with_settings(settings, |supervisor| work(&plan, supervisor))
}

fn exited(run: &Run, code: i32) {
    assert_eq!(
        (&run.taint, &run.outcome.end),
        (&None, &End::Ended(Status::Exited(code))),
        "{}",
        run.schedule
    );
    assert_eq!(run.unreached, []);
}

#[test]
fn signals_are_sent_when_every_process_sleeps() {
    let Reference { schedule, run, .. } =
        forwards(&["TERM"], |plan, supervisor| explore::reference(plan, supervisor).unwrap());
    assert_eq!(schedule.to_string(), "p0 when everything sleeps: send SIGTERM");
    exited(&run, 7);
    // The child was ready before, which it is not yet when its parent falls asleep.
    let asleep: Schedule = ron::from_str(r#"[(at:In(wait4),in:"p0",action:Send(SIGTERM))]"#).unwrap();
    exited(&forwards(&["TERM"], |_, supervisor| supervisor.run(&asleep).unwrap()), 100);
}

#[test]
fn everything_sleeps_again_after_what_woke_it() {
    let text = r#"[(at:Quiet,in:"p0",action:Send(SIGUSR1)),(at:Quiet,in:"p0",nth:2,action:Send(SIGTERM))]"#;
    let schedule: Schedule = ron::from_str(text).unwrap();
    let run = forwards(&["USR1", "TERM"], |_, supervisor| supervisor.run(&schedule).unwrap());
    exited(&run, 8);
    let moments = run.reached.iter().filter(|reached| reached.point.site == Site::Quiet);
    assert_eq!(moments.map(|reached| reached.point.nth).collect::<Vec<_>>(), [1, 1, 2]);
}
