//! Why a run proves nothing. The first reason is the one that is told.

/// What speaks against a run.
#[derive(Debug, Default)]
pub(in crate::supervise) struct Doubts {
    /// Something reached a running thread that nobody controlled: another run of the schedule may be without it.
    taint: Option<String>,
    /// Nothing that this run shows is to be believed, of the program or of the host, and no other will be better.
    unsupported: Option<String>,
}

impl Doubts {
    pub(in crate::supervise) fn taint(&mut self, why: String) {
        self.taint.get_or_insert(why);
    }

    pub(in crate::supervise) fn unsupported(&mut self, why: String) {
        self.unsupported.get_or_insert(why);
    }

    pub(in crate::supervise) fn is_unsupported(&self) -> bool {
        self.unsupported.is_some()
    }

    pub(in crate::supervise) fn take_taint(&mut self) -> Option<String> {
        self.taint.take()
    }

    pub(in crate::supervise) fn take_unsupported(&mut self) -> Option<String> {
        self.unsupported.take()
    }
}
