//! A model of a program under supervision, for tests: a list of points, and a rule which steps make it fail.

use crate::schedule::{Action, Point, Schedule, Site, Step, Syscall, Target, ThreadName};
use crate::signal::{Signal, SignalSet};
use crate::supervise::{Called, Observe, Observed, RunError, Supervise};
use crate::trace::{Acts, Broken, End, Event, Outcome, Output, Reached, Run, Status, What};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A point of the program, and the action without which it does not get there.
#[derive(Clone)]
pub(super) struct Place {
    reached: Reached,
    needs: Option<Action>,
    /// Whoever goes first causes a signal, which is there when the thread goes on.
    signalled: bool,
    /// Whoever goes first falls asleep before the thread goes on.
    awaited: bool,
}

type Rule = dyn Fn(&[Step]) -> End + Send + Sync;

/// A program that is the same in every run.
#[derive(Clone)]
pub(super) struct Model {
    places: Vec<Place>,
    quiet: Vec<Point>,
    end: Arc<Rule>,
    /// Every nth run is tainted; 0 for none.
    pub(super) taint_every: u64,
    /// Every nth run shows other events; 0 for none.
    pub(super) stray_every: u64,
    /// The run that ends with this error.
    pub(super) error_at: Option<(u64, RunError)>,
    /// It can be seen where its calls are made.
    has_code: bool,
    /// Runs made by all clones.
    pub(super) runs: Arc<AtomicU64>,
}

/// A point as `p0.1 Before(pause) 2` would be in RON, with the others that could run and the signals it can get.
pub(super) fn place(thread: &str, site: &str, nth: u32, others: &[&str], signals: &[&str]) -> Place {
    let point = point(thread, site, nth);
    let others = others.iter().map(|name| name.parse().unwrap()).collect();
    let receivable: SignalSet = signals.iter().map(|name| name.parse::<Signal>().unwrap()).collect();
    Place {
        reached: Reached { point, others, receivable, fires: false, acts: Acts::NOTHING, looks: false },
        needs: None,
        signalled: false,
        awaited: false,
    }
}

impl Place {
    /// A timer could run out there.
    pub(super) fn with_timer(mut self) -> Place {
        self.reached.fires = true;
        self
    }

    /// A person could do this there.
    pub(super) fn with_acts(mut self, acts: Acts) -> Place {
        self.reached.acts.add(acts);
        self
    }

    /// Others who go first there cause a signal.
    pub(super) fn signalled(mut self) -> Place {
        self.signalled = true;
        self
    }

    /// Others who go first there fall asleep.
    pub(super) fn awaited(mut self) -> Place {
        self.awaited = true;
        self
    }

    pub(super) fn after(mut self, action: Action) -> Place {
        self.needs = Some(action);
        self
    }
}

pub(super) fn point(thread: &str, site: &str, nth: u32) -> Point {
    Point { thread: thread.parse().unwrap(), site: ron::from_str(site).unwrap(), nth }
}

pub(super) fn switch(thread: &str, site: &str, nth: u32) -> Step {
    Step::new(point(thread, site, nth), Action::Switch(Target::All))
}

pub(super) fn send(thread: &str, site: &str, nth: u32, signal: &str) -> Step {
    Step::new(point(thread, site, nth), Action::Send(signal.parse().unwrap()))
}

pub(super) fn schedule(steps: impl IntoIterator<Item = Step>) -> Schedule {
    Schedule { steps: steps.into_iter().collect() }
}

pub(super) fn exited(code: i32) -> End {
    End::Ended(Status::Exited(code))
}

impl Model {
    pub(super) fn new(places: Vec<Place>, end: impl Fn(&[Step]) -> End + Send + Sync + 'static) -> Model {
        Model {
            places,
            quiet: Vec::new(),
            end: Arc::new(end),
            taint_every: 0,
            stray_every: 0,
            error_at: None,
            has_code: false,
            runs: Arc::new(AtomicU64::new(0)),
        }
    }

    /// Everything first sleeps here.
    pub(super) fn quiet_at(mut self, point: Point) -> Model {
        self.quiet = vec![point];
        self
    }

    /// It can be seen where its calls are made.
    pub(super) fn with_code(mut self) -> Model {
        self.has_code = true;
        self
    }

    /// It never sleeps.
    pub(super) fn quiet_nowhere(mut self) -> Model {
        self.quiet = Vec::new();
        self
    }

    /// Only these of its points.
    pub(super) fn keep(&mut self, wanted: impl Fn(&Point) -> bool) {
        self.places.retain(|place| wanted(&place.reached.point));
    }

    /// There is no other thread.
    pub(super) fn run_alone(&mut self) {
        self.places.iter_mut().for_each(|place| place.reached.others = Default::default());
    }

    /// What a supervisor would report of a step here.
    fn allows(reached: &Reached, step: &Step) -> bool {
        step.point() == reached.point
            && match &step.action {
                Action::Switch(Target::All) => !reached.others.is_empty(),
                Action::Switch(Target::Children) => {
                    reached.others.iter().any(|other| other.descends_from(&reached.point.thread))
                }
                Action::Switch(Target::To(thread)) => reached.others.contains(thread),
                Action::Send(signal) | Action::SendGroup(signal) => reached.receivable.contains(*signal),
                Action::Type(_) => reached.acts.contains(Acts::INTERRUPT),
                Action::Resize(..) => reached.acts.contains(Acts::RESIZE),
                Action::HangUp => reached.acts.contains(Acts::HANG_UP),
                Action::Fire => reached.fires,
            }
    }
}

impl Supervise for Model {
    fn run(&mut self, schedule: &Schedule) -> Result<Run, RunError> {
        let number = self.runs.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some((at, error)) = &self.error_at
            && *at == number
        {
            return Err(error.clone());
        }
        let every = |count: u64| count > 0 && number.is_multiple_of(count);
        let (mut events, mut reached, mut taken) = (Vec::new(), Vec::new(), Vec::<Step>::new());
        for place in &self.places {
            if place.needs.as_ref().is_some_and(|needs| !taken.iter().any(|step| step.action == *needs)) {
                continue;
            }
            let here = &place.reached;
            let event = |what| Event { thread: here.point.thread.clone(), what, others: here.others.clone() };
            for step in schedule.steps.iter().filter(|step| Model::allows(here, step)) {
                events.push(event(What::Step(step.action.clone())));
                if place.awaited && matches!(step.action, Action::Switch(_)) {
                    let pause = Syscall::from(syscalls::Sysno::pause);
                    for what in [What::Go(Site::Before(pause), 1), What::Sleep(pause, 1)] {
                        let slept =
                            |other: &ThreadName| Event { thread: other.clone(), ..event(what.clone()) };
                        events.extend(here.others.iter().map(slept));
                    }
                }
                if place.signalled && matches!(step.action, Action::Switch(_)) {
                    events.push(event(What::Signal(Signal::CHLD)));
                }
                taken.push(step.clone());
            }
            events.push(event(What::Go(here.point.site, here.point.nth)));
            reached.push(here.clone());
        }
        if every(self.stray_every) {
            events.pop();
        }
        let unreached = schedule.steps.iter().filter(|step| !taken.contains(step)).cloned().collect();
        let outcome = Outcome {
            end: (self.end)(&taken),
            stdout: Output::Text(String::new()),
            stderr: Output::Text(String::new()),
            clients: Vec::new(),
            roused: Vec::new(),
            leftover: Vec::new(),
            unwaited: Vec::new(),
            exec_blocked: Vec::new(),
            remains: Default::default(),
            table: Vec::new(),
            took: Default::default(),
            terminal: None,
        };
        Ok(Run {
            shares_memory: false,
            verdict_after: Default::default(),
            schedule: schedule.clone(),
            events: events.into(),
            outcome,
            reached,
            first_quiet: self.quiet.clone(),
            unreached,
            lapses: Vec::new(),
            merged: Vec::new(),
            taint: every(self.taint_every).then(|| "a signal reached a running thread".to_owned()),
        })
    }

    /// Each call is always made at the same place, and returns the same.
    fn observe(&mut self, schedule: &Schedule, observe: &Observe) -> Result<(Run, Observed), RunError> {
        let (Observe::Calls(wanted), true) = (observe, self.has_code) else {
            return Err(RunError::Unsupported("a model has no code".to_owned()));
        };
        let run = self.run(schedule)?;
        let called = |reached: &Reached| {
            let Site::Before(call) = reached.point.site else { return None };
            let called = Called { point: reached.point.clone(), place: call.0 as usize, result: Some(0) };
            wanted.contains(&(reached.point.thread.clone(), call)).then_some(called)
        };
        let calls = run.reached.iter().filter_map(called).collect();
        Ok((run, Observed { calls, ..Observed::default() }))
    }
}

/// What the model's outcome breaks: anything but exit code 0.
pub(super) fn judge(run: &Run) -> Vec<Broken> {
    match &run.outcome.end {
        End::Ended(Status::Exited(0)) => vec![],
        End::Ended(_) => vec![Broken::Exit],
        End::Hang(_) => vec![Broken::Zombies, Broken::Hang],
        End::Idle(_) => vec![Broken::Idle],
        End::Stopped => vec![Broken::Stopped],
        End::Spinning(_) => vec![Broken::Spinning],
        End::Stalled(_) => vec![Broken::Stalled],
        End::TimedOut => vec![Broken::TimedOut],
    }
}
