//! What is seen of a program before it is searched, and what of the world its runs are given for that.

use super::Args;
use crate::cli::exit::Stop;
use crate::client::Client;
use crate::explore::{LOOK_POINTS, Look};
use crate::program::Limits;
use crate::resolve;
use crate::show::listed;
use crate::slots::Slots;
use crate::suite::{self, SearchError};
use crate::supervise::Settings;
use crate::world::{Clock, Network, World};
use std::time::Duration;

/// Of the time that was given, the undisturbed run that is looked at first takes this part at most.
const LOOKS_FOR: u32 = 4;

/// What the runs of a program are given, or denied, that nobody has asked for.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// A terminal, since it asks for one.
    pub(super) terminal: bool,
    /// Where it waits to be connected to.
    listens: Vec<String>,
    /// It has clients.
    visited: bool,
    /// So many of them are sigrace's own.
    pub(super) visitors: usize,
    /// How far it is followed on its clock, where it only lets time pass and nobody has said that.
    pub(super) followed: Option<Duration>,
}

impl Given {
    /// What to type next where the program waits to be connected to, and nobody does; of a program that has no clients.
    fn unvisited(&self) -> Option<String> {
        let first = self.listens.first().filter(|_| !self.visited)?;
        Some(format!(
            "nobody connects to {}; next: --client 'connect {first}; send hello\\n; wait-eof', or a command that talks to it",
            listed(&self.listens)
        ))
    }

    /// Who connects to where the program waits for it, if they are sigrace's own.
    fn of_clients(&self) -> Option<String> {
        let first = self.listens.first().filter(|_| self.visitors > 0)?;
        let who = match self.visitors {
            1 => "a client of sigrace's own does: it says hello, and leaves when it hears no more",
            _ => {
                "two clients of sigrace's own do: they say hello, and one leaves at the first answer, one when it hears no more"
            }
        };
        Some(format!("nobody connects to {first}, so {who} (--client for others, --no-client for none)"))
    }

    /// What is to be said of it, and of what the program lacks.
    pub(super) fn told(&self) -> impl Iterator<Item = String> {
        let terminal = self.of_terminal().map(str::to_owned);
        [terminal, self.of_clock(), self.of_clients(), self.unvisited()].into_iter().flatten()
    }

    /// What is to be said of a terminal that nobody has asked for or refused.
    fn of_terminal(&self) -> Option<&'static str> {
        self.terminal.then_some("it asks for a terminal, so each run has one (--no-tty for none)")
    }

    /// How far each run is followed, if that is not what one would expect.
    fn of_clock(&self) -> Option<String> {
        let far = humantime::format_duration(self.followed?);
        Some(format!(
            "undisturbed it goes on for long, so each run goes on for {far} of its clock (--limit-clock for longer)"
        ))
    }
}

impl Args {
    /// What an undisturbed run shows, in a part of the time that there is, and what each run is given that nobody has asked for, or
    /// denied: a terminal, clients. Where it only lets time pass, the runs that follow go on for less.
    pub(super) fn look(&self, settings: &mut Settings, slots: &Slots) -> Result<(Look, Given), Stop> {
        let mut looking = settings.clone();
        if let Some(time) = self.search.time {
            looking.limits.time = looking.limits.time.min(time / LOOKS_FOR);
        }
        let mut look = self.looked_at(&looking, slots)?;
        let free = self.target.may_have_tty();
        if free && look.lacks_terminal() {
            let on_terminal =
                Settings { world: World { tty: true, ..looking.world.clone() }, ..looking.clone() };
            // Where none can be made, it has none.
            if let Ok(with) = suite::look(&on_terminal, slots)
                && look.is_helped_by(&with)
            {
                (look, looking, settings.world.tty) = (with, on_terminal, true);
            }
        }
        let followed = look.followed().filter(|_| !self.target.has_limit_of_clock());
        if let Some(far) = followed {
            (looking.limits.clock, settings.limits.clock) = (far, far);
        }
        let listens = look.listens().to_vec();
        let mut visitors = 0;
        if let Some((with, served)) = self.visited(&looking, &listens, slots) {
            (look, visitors) = (with, served.clients.len());
            (settings.world.clients, settings.clients) = (served.world.clients, served.clients);
        }
        let given = Given {
            terminal: free && settings.world.tty,
            listens,
            visited: !settings.clients.is_empty(),
            visitors,
            followed,
        };
        Ok((look, given))
    }

    /// What the undisturbed run shows. Of one that only lets time pass not all that it does in an hour.
    fn looked_at(&self, looking: &Settings, slots: &Slots) -> Result<Look, SearchError> {
        if looking.limits.points > LOOK_POINTS && !self.target.has_limit_of_clock() {
            let limits = Limits { points: LOOK_POINTS, ..looking.limits.clone() };
            let look = suite::look(&Settings { limits, ..looking.clone() }, slots)?;
            let is_whole = (look.points() as u64) < LOOK_POINTS;
            if is_whole || look.followed().is_some() {
                return Ok(look);
            }
        }
        suite::look(looking, slots)
    }

    /// How the program is seen and run where clients of sigrace's own come to the first of these addresses, at which it waits for
    /// some; none if somebody has said who its clients are, or these are not served.
    fn visited(&self, looking: &Settings, listens: &[String], slots: &Slots) -> Option<(Look, Settings)> {
        let World { network, clock, .. } = looking.world;
        // On the machine's network they would come to others, and by its time they would be waited for.
        let own = network == Network::Own && clock == Clock::Virtual;
        let address = listens.first().filter(|_| own && self.target.may_have_visitors())?;
        let visited_by = |clients: &[Client]| {
            let world = World { clients: clients.to_vec(), ..looking.world.clone() };
            // Without a compiler there are none.
            let clients = resolve::clients(&world.clients, &looking.launch).ok()?;
            let with = Settings { world, clients, ..looking.clone() };
            Some((suite::look(&with, slots).ok()?, with))
        };
        let visitors = Client::visitors(address);
        let seen = match visited_by(&visitors)? {
            // Who serves one and ends does not serve another.
            (look, _) if !look.serves() && look.serves_the_first() => visited_by(&visitors[..1])?,
            seen => seen,
        };
        Some(seen).filter(|(look, _)| look.serves())
    }
}
