//! Ending a run, and telling how it ended.

use super::RunError;
use super::tree::{Process, ProcessId};
use super::turn::Turns;
use crate::sys::cell::Message;
use crate::sys::procfs::Status as ProcStatus;
use crate::trace::{End, ExecBlocked, LeftHow, Leftover, Outcome, Row};
use std::time::{Duration, Instant};

/// Ending what is left takes no longer than this, unless something is wrong with the machine.
const CLEANING: Duration = Duration::from_secs(20);

impl Turns<'_> {
    /// Notes what there is, ends all of it, and tells.
    pub(super) fn finish(&mut self, end: End) -> Result<Outcome, RunError> {
        let all = (0..self.tree.processes.len()).map(ProcessId);
        let statuses = all.map(|process| match self.tree.threads_of(process).next() {
            Some(leader) => self.proc_status(leader),
            None => Ok(None),
        });
        let statuses = statuses.collect::<Result<Vec<_>, _>>()?;
        let table = statuses.iter().zip(&self.tree.processes);
        let table = table.filter_map(|(status, process)| self.row(process, status.as_ref()?)).collect();
        let exec_blocked = self.exec_blocked(&statuses);
        self.note_end(&end);
        self.end_everything()?;
        self.drain()?;
        let processes = self.tree.processes.iter();
        let leftover = processes.filter_map(|process| {
            Some(Leftover { process: process.name.clone(), how: self.how_left(process)? })
        });
        Ok(Outcome {
            end,
            leftover: leftover.collect(),
            exec_blocked,
            table,
            stdout: self.stdout.told(),
            stderr: self.stderr.told(),
        })
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

    /// In which way nobody waited for this process; none if somebody did, or nobody had to.
    fn how_left(&self, process: &Process) -> Option<LeftHow> {
        let parent_ended = self.tree.process(process.parent?).ended();
        match (process.ended(), parent_ended) {
            (false, true) => Some(LeftHow::Orphan),
            (true, true) => process.reaped_by_init.then_some(LeftHow::Orphan),
            // Reaped by the init only when its parent was ended just now: until then it was a zombie.
            (true, false) => process.reaped_by_init.then_some(LeftHow::Zombie),
            (false, false) => None,
        }
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
            if !left.is_empty() {
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

    /// Ends every process of the run, and waits until nothing is left.
    fn end_everything(&mut self) -> Result<(), RunError> {
        let fault = |errno| RunError::Fault(format!("telling the run's init to end everything: {errno}"));
        let living = self.tree.processes.iter().filter(|process| !process.ended());
        let living: Vec<i32> = living.map(|process| process.own_pid).collect();
        self.cell.end_all(&living).map_err(fault)?;
        let begun = Instant::now();
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
            if begun.elapsed() > CLEANING {
                return Err(RunError::Fault("some process of the run cannot be ended".to_owned()));
            }
            self.wait_for_init()?;
        }
    }
}
