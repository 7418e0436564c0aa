//! Ending a run, and telling how it ended.

use super::RunError;
use crate::signal::Signal;
use crate::supervise::books::ids::ProcessId;
use crate::supervise::books::tree::Process;
use crate::supervise::patience::UnderWay;
use crate::supervise::state::Turns;
use crate::sys::cell::Message;
use crate::sys::pidfd;
use crate::sys::procfs::Status as ProcStatus;
use crate::trace::{End, ExecBlocked, Outcome, Row, Took};
use std::time::Duration;

impl Turns<'_> {
    /// Notes what there is, ends all of it, and tells.
    pub(super) fn finish(&mut self, end: End) -> Result<Outcome, RunError> {
        let all = (0..self.tree.processes.len()).map(ProcessId);
        let statuses = all.map(|process| self.proc_status(self.tree.leader(process)));
        let statuses = statuses.collect::<Result<Vec<_>, _>>()?;
        let table = statuses.iter().zip(&self.tree.processes);
        let table = table.filter_map(|(status, process)| self.row(process, status.as_ref()?)).collect();
        let exec_blocked = self.exec_blocked(&statuses);
        let lasting = self.lasting();
        let took = self.took();
        let terminal = self.terminal_left()?;
        self.note_held(&end)?;
        self.note_end(&end);
        self.end_everything()?;
        self.drain()?;
        Ok(Outcome {
            roused: self.roused(&end),
            end,
            leftover: self.leftover(&lasting),
            unwaited: self.unwaited(),
            exec_blocked,
            table,
            stdout: self.stdout.told(),
            stderr: self.stderr.told(),
            clients: self.client_ends(),
            took,
            terminal,
            remains: self.remains()?,
        })
    }

    /// How long it took on the run's clock.
    fn took(&self) -> Took {
        let end = self.course.first_ended.unwrap_or(self.clock.now);
        let since = |start: u64| Duration::from_nanos(end.saturating_sub(start));
        let sent = self.course.last_sent.map_or(0, |(at, _)| at);
        let expired = self.course.first_expiry.map_or(0, |at| at.saturating_sub(sent));
        Took { whole: since(0), after: since(sent), expired: Duration::from_nanos(expired) }
    }

    /// None for an ended process that is the init's to reap: whether that has happened by now is chance.
    fn row(&self, process: &Process, status: &ProcStatus) -> Option<Row> {
        let parent = self.tree.processes.iter().find(|other| other.pid == status.parent);
        if parent.is_none() && matches!(status.state, 'Z' | 'X') {
            return None;
        }
        Some(Row {
            process: process.name.clone(),
            parent: parent.map(|parent| parent.name.clone()),
            stat: status.state,
            command: status.command.clone(),
            pending: status.pending(),
            blocked: status.blocked,
            caught: status.caught,
        })
    }

    fn exec_blocked(&self, statuses: &[Option<ProcStatus>]) -> Vec<ExecBlocked> {
        let mut found = Vec::new();
        for process in &self.tree.processes {
            let Some(ProcessId(parent)) = process.parent else { continue };
            let now = match &statuses[parent] {
                Some(status) if status.state != 'Z' => status.blocked,
                _ => self.tree.processes[parent].last_blocked,
            };
            let left = process.exec_blocked.without(now);
            if !left.is_empty() && process.name.client_of().is_none() {
                let signals = left.iter().collect();
                found.push(ExecBlocked {
                    process: process.name.clone(),
                    file: process.program.clone(),
                    signals,
                });
            }
        }
        found
    }

    /// Who computes would have the CPU for a slice before the init has it.
    fn end_who_runs(&self) {
        for id in self.tree.running() {
            // Whom this does not end, the init does.
            let _ = pidfd::kill(self.tree.process_of(id).pid, Signal::KILL.number());
        }
    }

    /// Ends every process of the run, and waits until nothing is left.
    fn end_everything(&mut self) -> Result<(), RunError> {
        if self.cell.is_empty() {
            return Ok(());
        }
        let fault = |errno| RunError::Fault(format!("telling the run's init to end everything: {errno}"));
        self.end_who_runs();
        let living = self.tree.processes.iter().filter(|process| !process.ended());
        let living: Vec<i32> = living.map(|process| process.own_pid).collect();
        self.cell.end_all(&living).map_err(fault)?;
        let mut wait = UnderWay::new();
        loop {
            while let Some(message) = self.cell.message().map_err(fault)? {
                match message {
                    Message::Clean => return Ok(()),
                    Message::Gone => return Err(RunError::Fault("the run's init has ended".to_owned())),
                    Message::Reaped(pid, _) => {
                        if let Some(process) = self.tree.with_own_pid(pid) {
                            self.tree.process_mut(process).reaped_by_init = true;
                        }
                    }
                    Message::Failed(..) => {}
                }
            }
            if self.is_overdue(&mut wait)? {
                return Err(RunError::Fault("some process of the run cannot be ended".to_owned()));
            }
            self.wait_for_init()?;
        }
    }
}
