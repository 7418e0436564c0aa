//! Where a crash was: the instruction if it is known, and the last call before it.

use super::place::{MOST, Places, Told, of_event};
use super::words::site_words;
use crate::schedule::Site;
use crate::trace::{Crash, crashes};
use syscalls::Sysno;

impl<'a> Places<'a> {
    /// Where each process was that a signal ended for a fault of its own; empty if there is none.
    pub(super) fn crashes(&mut self) -> String {
        let trace = self.trace;
        crashes(&trace.events, &trace.places).into_iter().take(MOST).map(|crash| self.crash(&crash)).collect()
    }

    fn crash(&mut self, crash: &Crash<'a>) -> String {
        let trace = self.trace;
        let last = crash.last.and_then(|(event, _)| of_event(&trace.events, &trace.places, event));
        let (fault, last) = (crash.place.map(Told::new), last.map(Told::new));
        let mut line = match &fault {
            Some(told) => {
                let words = told.words().unwrap_or_default();
                let inside = told.inside().map_or_else(String::new, |words| format!(", inside {words}"));
                let at = told.instruction().map_or_else(String::new, |text| format!(", at `{text}`"));
                match (told.is_nowhere(), inside.is_empty()) {
                    (true, true) => format!("{} jumped to where no code is", crash.thread),
                    (true, false) => format!("{} jumped from {words} to where no code is", crash.thread),
                    (false, _) => format!("{} crashed in {words}{inside}{at}", crash.thread),
                }
            }
            None => format!("{} was ended by {}", crash.thread, crash.signal),
        };
        if let Some((_, site)) = crash.last {
            let before = match site {
                Site::Before(call) | Site::Entering(call) => format!("after {call}"),
                Site::After(_) | Site::In(_) | Site::At(_) | Site::Probe(_) | Site::Quiet => site_words(site),
            };
            line += &format!(", {before}");
            if let Some((told, words)) = last.as_ref().and_then(|told| Some((told, told.words()?))) {
                line += if told.on_signal() { ", on a signal in " } else { ", called from " };
                line += &words;
            }
        }
        let mut text = format!("{}\n", self.page.strong(line));
        match (&fault, &last) {
            (Some(told), _) | (None, Some(told)) => text += &self.details(told),
            (None, None) => {}
        }
        if fault.is_none() && !crash.last.is_some_and(|(_, site)| is_signalling(site)) {
            text += "  what it executed after that is not known\n";
        }
        text
    }
}

/// The thread may have sent the signal itself, as abort(3) does: then nothing came after the call.
fn is_signalling(site: Site) -> bool {
    let Site::Before(call) = site else { return false };
    matches!(
        call.sysno(),
        Some(Sysno::kill | Sysno::tkill | Sysno::tgkill | Sysno::rt_sigqueueinfo | Sysno::rt_tgsigqueueinfo)
    )
}
