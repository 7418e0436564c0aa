//! `sigrace watch`: explore again whenever the program has changed.
//!
//! NOTE \[Complete\] A build removes a program and makes it again, or writes it piece by piece. Folders are watched, not files, so that
//! nothing is missed; the program is explored again when its files are all there, can be executed, have another content than the
//! one that was explored, and nothing has happened to them for a moment. Should it still be written to then, it cannot be
//! started (ETXTBSY): that is told, and the next event is waited for.

use super::exit::{Exit, Stop};
use super::say::{complain, warn};
use super::{diff, explore, interrupt};
use crate::compile;
use crate::suite;
use crate::suite::report::Report;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::unistd::{AccessFlags, access};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// Explore a program, and again whenever it has changed
///
/// Takes what `sigrace explore` takes. What was found before, in this folder of traces, is tried first each time, and what is new, gone
/// and the same as the time before is told at the end. A script is watched as well, if its first line names the program that is run. Ctrl-C ends it.
#[derive(clap::Args, Debug)]
#[group(skip)]
pub(super) struct Args {
    #[command(flatten)]
    explore: explore::Args,
}

/// Nothing has to happen for so many milliseconds before a program counts as complete.
const QUIET: u16 = 150;

pub(super) fn main(args: &Args) -> Result<Exit, Stop> {
    let cancel = interrupt::flag()?;
    let mut watched = Watched::new()?;
    let args = &args.explore;
    let mut launch = args.launch()?;
    let mut before: Option<Report> = None;
    loop {
        let files = [Some(launch.file.clone()), suite::script(&launch)];
        watched.look(files.into_iter().flatten().collect());
        let kept = explore::kept(&args.traces(), &launch.argv);
        let result = explore::search(args, args.reader(), &cancel, &kept);
        if cancel.load(Ordering::Relaxed) {
            // What was found so far has been told.
            return result.map(|_| Exit::Interrupted);
        }
        match result {
            Ok((_, now)) => {
                if let Some(before) = before.replace(now.clone()) {
                    let (old, new) = (Path::new("before"), Path::new("now"));
                    let told = suite::diff((old, before), (new, now)).map_err(Stop::refused)?;
                    args.reader().tell(format_args!("\n{}", diff::text(&told).trim_end()))?;
                }
            }
            Err(stop) if before.is_none() => return Err(stop),
            Err(Stop { message, .. }) => {
                complain(format_args!("sigrace: {message}"));
                watched.forget();
            }
        }
        let name = launch.argv.first().cloned().unwrap_or_default();
        let watches =
            || complain(format_args!("watching {name}: it is explored again when it changes (Ctrl-C ends)"));
        let has_changed = || warn(format_args!("\n{name} has changed"));
        watches();
        loop {
            if !watched.wait()? {
                return Ok(Exit::Interrupted);
            }
            // A script's interpreter may be another one now.
            match args.launch() {
                Ok(again) => {
                    launch = again;
                    break;
                }
                // It is being built.
                Err(_) if access(&launch.file, AccessFlags::X_OK).is_err() => {}
                Err(Stop { message, .. }) => {
                    has_changed();
                    complain(format_args!("sigrace: {message}"));
                    watched.look(vec![launch.file.clone()]);
                    watches();
                }
            }
        }
        has_changed();
    }
}

/// The files that are watched, and what they were when they were last explored.
struct Watched {
    events: Inotify,
    /// Something is written to it when the user asks to stop.
    stop: UnixStream,
    files: Vec<PathBuf>,
    /// Their digests; none where the next event is enough.
    explored: Option<Vec<String>>,
}

impl Watched {
    fn new() -> Result<Watched, Stop> {
        let fail = |error: &dyn std::fmt::Display| {
            Stop::new(Exit::HostCannot, format!("cannot watch files: {error}"))
        };
        let flags = InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC;
        let events = Inotify::init(flags).map_err(|error| fail(&error))?;
        let (stop, write) = UnixStream::pair().map_err(|error| fail(&error))?;
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            let end = write.try_clone().map_err(|error| fail(&error))?;
            pipe::register(signal, end).map_err(|error| fail(&error))?;
        }
        Ok(Watched { events, stop, files: Vec::new(), explored: None })
    }

    /// Remembers what these files are now. What changes them from now on is an event.
    fn look(&mut self, files: Vec<PathBuf>) {
        self.files = files;
        self.watch();
        self.explored = self.digests();
    }

    /// Takes whatever comes next for a change.
    fn forget(&mut self) {
        self.explored = None;
    }

    /// Watches the folders of the files, and of what links to them; of one that is not there the nearest above it.
    fn watch(&self) {
        let targets = self.files.iter().filter_map(|file| file.canonicalize().ok());
        for file in self.files.iter().cloned().chain(targets) {
            let folders = file.ancestors().skip(1);
            let folders =
                folders.map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
            let flags = AddWatchFlags::IN_CLOSE_WRITE
                | AddWatchFlags::IN_MODIFY
                | AddWatchFlags::IN_ATTRIB
                | AddWatchFlags::IN_CREATE
                | AddWatchFlags::IN_DELETE
                | AddWatchFlags::IN_MOVE
                | AddWatchFlags::IN_ONLYDIR;
            // The same folder again is the same watch.
            let _ = folders.map(|folder| self.events.add_watch(folder, flags)).find(Result::is_ok);
        }
    }

    /// The digests of the files; none if one is not there, is empty, or, of the program, cannot be executed.
    fn digests(&self) -> Option<Vec<String>> {
        let program = self.files.first()?;
        access(program, AccessFlags::X_OK).ok()?;
        let digest = |file: &PathBuf| {
            file.metadata().ok().filter(|found| found.is_file() && found.len() > 0)?;
            compile::digest(file).ok()
        };
        self.files.iter().map(digest).collect()
    }

    /// Waits until the files have changed and are complete (NOTE \[Complete\]); false if the user asks to stop.
    fn wait(&mut self) -> Result<bool, Stop> {
        let mut something = self.explored.is_some();
        loop {
            self.watch();
            let digests = self.digests().filter(|_| something);
            if digests.is_some() && digests != self.explored {
                match self.happens(PollTimeout::from(QUIET))? {
                    Happened::Stop => return Ok(false),
                    Happened::Nothing | Happened::Other if self.digests() == digests => {
                        self.explored = digests;
                        return Ok(true);
                    }
                    Happened::Nothing | Happened::Event | Happened::Other => continue,
                }
            }
            match self.happens(PollTimeout::NONE)? {
                Happened::Stop => return Ok(false),
                Happened::Event => something = true,
                Happened::Nothing | Happened::Other => {}
            }
        }
    }

    /// True if something of this name is one of the files, or on the way to one. What has no name is a folder itself.
    fn is_ours(&self, name: Option<&OsStr>) -> bool {
        let Some(name) = name else { return true };
        let targets = self.files.iter().filter_map(|file| file.canonicalize().ok());
        self.files.iter().cloned().chain(targets).any(|file| file.iter().any(|part| part == name))
    }

    /// Waits for an event, or for so long.
    fn happens(&self, timeout: PollTimeout) -> Result<Happened, Stop> {
        let fail =
            |error: Errno| Stop::new(Exit::Harness, format!("cannot wait for files to change: {error}"));
        let mut fds = [
            PollFd::new(self.stop.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.events.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut fds, timeout) {
            // Whoever has interrupted it has written to the pipe, if it was one of those signals.
            Err(Errno::EINTR) => return Ok(Happened::Other),
            Err(error) => return Err(fail(error)),
            Ok(_) => {}
        }
        let [stop, events] = fds.map(|fd| fd.any().unwrap_or(false));
        if stop {
            return Ok(Happened::Stop);
        }
        if !events {
            return Ok(Happened::Nothing);
        }
        let mut ours = false;
        loop {
            match self.events.read_events() {
                Ok(events) => ours |= events.iter().any(|event| self.is_ours(event.name.as_deref())),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) if ours => return Ok(Happened::Event),
                Err(Errno::EAGAIN) => return Ok(Happened::Other),
                Err(error) => return Err(fail(error)),
            }
        }
    }
}

/// What a wait has come to.
enum Happened {
    /// The user asks to stop.
    Stop,
    /// One of the files has changed, or what leads to it.
    Event,
    /// Something else in their folders, such as what this command writes itself.
    Other,
    /// The time is over.
    Nothing,
}
