//! Signals as values: name, number, default action. Real-time signals are included, which nix's `Signal` cannot hold.
//!
//! Numbers are those of Linux on x86-64 (signal(7)); real-time signals are written relative to the C library's
//! `SIGRTMIN`, which is 34 for glibc and 35 for musl: sigrace counts from 34.

mod table;

pub use table::{Elsewhere, Standard};

use serde::de::{self, Deserialize, Deserializer, EnumAccess, VariantAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A signal number, 1 to 64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(u8);

/// What the kernel does with a signal whose disposition is `SIG_DFL` (signal(7), "Standard signals").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultAction {
    /// The process ends.
    Terminate,
    /// The process ends with a core dump where limits allow one.
    Core,
    /// Nothing happens.
    Ignore,
    /// The process stops.
    Stop,
    /// A stopped process goes on; otherwise nothing happens.
    Continue,
}

use DefaultAction::{Continue, Core, Ignore, Stop, Terminate};

/// Standard signals in numeric order, from 1.
const STANDARD: [(&str, DefaultAction); 31] = [
    ("SIGHUP", Terminate),
    ("SIGINT", Terminate),
    ("SIGQUIT", Core),
    ("SIGILL", Core),
    ("SIGTRAP", Core),
    ("SIGABRT", Core),
    ("SIGBUS", Core),
    ("SIGFPE", Core),
    ("SIGKILL", Terminate),
    ("SIGUSR1", Terminate),
    ("SIGSEGV", Core),
    ("SIGUSR2", Terminate),
    ("SIGPIPE", Terminate),
    ("SIGALRM", Terminate),
    ("SIGTERM", Terminate),
    ("SIGSTKFLT", Terminate),
    ("SIGCHLD", Ignore),
    ("SIGCONT", Continue),
    ("SIGSTOP", Stop),
    ("SIGTSTP", Stop),
    ("SIGTTIN", Stop),
    ("SIGTTOU", Stop),
    ("SIGURG", Ignore),
    ("SIGXCPU", Core),
    ("SIGXFSZ", Core),
    ("SIGVTALRM", Terminate),
    ("SIGPROF", Terminate),
    ("SIGWINCH", Ignore),
    ("SIGIO", Terminate),
    ("SIGPWR", Terminate),
    ("SIGSYS", Core),
];

/// The first real-time signal as programs see it (glibc keeps 32 and 33 for itself).
const RTMIN: u8 = 34;
const MAX: u8 = 64;

impl Signal {
    /// SIGHUP
    pub const HUP: Signal = Signal(1);
    /// SIGINT
    pub const INT: Signal = Signal(2);
    /// SIGQUIT
    pub const QUIT: Signal = Signal(3);
    /// SIGWINCH
    pub const WINCH: Signal = Signal(28);
    /// SIGKILL
    pub const KILL: Signal = Signal(9);
    /// SIGALRM
    pub const ALRM: Signal = Signal(14);
    /// SIGCHLD
    pub const CHLD: Signal = Signal(17);
    /// SIGCONT
    pub const CONT: Signal = Signal(18);
    /// SIGSTOP
    pub const STOP: Signal = Signal(19);
    /// SIGTERM
    pub const TERM: Signal = Signal(15);
    /// SIGTSTP
    pub const TSTP: Signal = Signal(20);
    /// SIGURG
    pub const URG: Signal = Signal(23);
    /// SIGIO
    pub const IO: Signal = Signal(29);

    /// The signal with this number, if there is one.
    pub fn from_number(number: i32) -> Option<Signal> {
        u8::try_from(number).ok().filter(|n| (1..=MAX).contains(n)).map(Signal)
    }

    /// The number that the kernel knows it by.
    pub fn number(self) -> i32 {
        i32::from(self.0)
    }

    /// What happens to a process that has not asked for anything else.
    pub fn default_action(self) -> DefaultAction {
        STANDARD.get(usize::from(self.0) - 1).map_or(Terminate, |&(_, action)| action)
    }

    /// True if it is not queued again while it is pending (signal(7)), as real-time signals are.
    pub fn is_standard(self) -> bool {
        self.0 < 32
    }

    /// True for those that the C library keeps for itself (nptl(7)).
    pub fn is_of_the_c_library(self) -> bool {
        self.0 > 31 && self.0 < RTMIN
    }

    /// True if a process that does nothing about it ends by it.
    pub fn ends(self) -> bool {
        matches!(self.default_action(), Terminate | Core)
    }

    /// True for the signals that a process gets when it goes wrong: SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT.
    pub fn is_crash(self) -> bool {
        matches!(self.0, 4 | 6 | 7 | 8 | 11)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (STANDARD.get(usize::from(self.0) - 1), self.0) {
            (Some((name, _)), _) => f.write_str(name),
            (None, RTMIN) => f.write_str("SIGRTMIN"),
            (None, n) if n > RTMIN => write!(f, "SIGRTMIN+{}", n - RTMIN),
            (None, n) => write!(f, "{n}"),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text names no signal.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is no signal: expected a name (SIGTERM or TERM), SIGRTMIN+N, SIGRTMAX-N, or a number from 1 to 64"
)]
pub struct UnknownSignal(String);

impl FromStr for Signal {
    type Err = UnknownSignal;

    fn from_str(text: &str) -> Result<Signal, UnknownSignal> {
        let unknown = || UnknownSignal(text.to_owned());
        if let Ok(number) = text.parse::<i32>() {
            return Signal::from_number(number).ok_or_else(unknown);
        }
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        let position = STANDARD.iter().position(|(full, _)| &full[3..] == name);
        if let Some(index) = position {
            return Signal::from_number(index as i32 + 1).ok_or_else(unknown);
        }
        let number = match name {
            "CLD" => 17,
            "POLL" => 29,
            "IOT" => 6,
            "RTMIN" => RTMIN,
            "RTMAX" => MAX,
            _ => {
                let offset = |prefix: &str| name.strip_prefix(prefix).and_then(|n| n.parse::<u8>().ok());
                let up = offset("RTMIN+").and_then(|n| RTMIN.checked_add(n));
                up.or_else(|| offset("RTMAX-").and_then(|n| MAX.checked_sub(n)).filter(|n| *n >= RTMIN))
                    .ok_or_else(unknown)?
            }
        };
        Signal::from_number(i32::from(number)).ok_or_else(unknown)
    }
}

/// In RON a signal is a bare word, `SIGTERM`; a real-time one is `SIGRTMIN(3)`.
impl Serialize for Signal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match STANDARD.get(usize::from(self.0) - 1) {
            Some((name, _)) => serializer.serialize_unit_variant("Signal", u32::from(self.0), name),
            None => serializer.serialize_newtype_variant(
                "Signal",
                u32::from(self.0),
                "SIGRTMIN",
                &(i16::from(self.0) - i16::from(RTMIN)),
            ),
        }
    }
}

impl<'de> Deserialize<'de> for Signal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Signal, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Signal;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a signal such as SIGTERM or SIGRTMIN(3)")
            }

            fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<Signal, A::Error> {
                let (Word(name), rest) = access.variant::<Word>()?;
                if name == "SIGRTMIN" {
                    let offset: i16 = rest.newtype_variant()?;
                    return Signal::from_number(i32::from(RTMIN) + i32::from(offset)).ok_or_else(|| {
                        de::Error::custom(format!("SIGRTMIN({offset}) is no signal: at most SIGRTMIN(30)"))
                    });
                }
                rest.unit_variant()?;
                name.parse().map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_enum("Signal", &[], Names)
    }
}

/// A bare word of a RON file, whatever it is.
pub(crate) struct Word(pub(crate) String);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Word, D::Error> {
        struct AnyWord;
        impl Visitor<'_> for AnyWord {
            type Value = Word;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Word, E> {
                Ok(Word(word.to_owned()))
            }
        }
        deserializer.deserialize_identifier(AnyWord)
    }
}

/// A set of signals, as the kernel's masks are: bit `n - 1` is signal `n` (proc_pid_status(5), `SigBlk`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SignalSet(pub u64);

impl SignalSet {
    /// No signal.
    pub const EMPTY: SignalSet = SignalSet(0);

    /// The set that holds only `signal`.
    pub fn only(signal: Signal) -> SignalSet {
        SignalSet(1 << (signal.0 - 1))
    }

    /// True if `signal` is in the set.
    pub fn contains(self, signal: Signal) -> bool {
        self.0 & SignalSet::only(signal).0 != 0
    }

    /// True if no signal is in the set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Signals of either set.
    pub fn union(self, other: SignalSet) -> SignalSet {
        SignalSet(self.0 | other.0)
    }

    /// Signals of this set that are not in `other`.
    pub fn without(self, other: SignalSet) -> SignalSet {
        SignalSet(self.0 & !other.0)
    }

    /// Signals that are in both.
    pub fn intersection(self, other: SignalSet) -> SignalSet {
        SignalSet(self.0 & other.0)
    }

    /// Its signals, lowest number first.
    pub fn iter(self) -> impl Iterator<Item = Signal> {
        (1..=MAX).map(Signal).filter(move |signal| self.contains(*signal))
    }
}

impl FromIterator<Signal> for SignalSet {
    fn from_iter<I: IntoIterator<Item = Signal>>(signals: I) -> SignalSet {
        signals.into_iter().fold(SignalSet::EMPTY, |set, signal| set.union(SignalSet::only(signal)))
    }
}

impl Serialize for SignalSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for SignalSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SignalSet, D::Error> {
        Ok(Vec::<Signal>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_survives_its_name_and_its_ron() {
        for number in 1..=64 {
            let signal = Signal::from_number(number).unwrap();
            assert_eq!(signal.to_string().parse(), Ok(signal), "{signal}");
            let ron = ron::to_string(&signal).unwrap();
            assert_eq!(ron::from_str::<Signal>(&ron).unwrap(), signal, "{ron}");
        }
    }

    #[test]
    fn short_names_numbers_and_real_time_names_are_understood() {
        let number = |text: &str| text.parse::<Signal>().map(Signal::number);
        assert_eq!(number("TERM"), Ok(15));
        assert_eq!(number("sigchld"), Ok(17));
        assert_eq!(number("64"), Ok(64));
        assert_eq!(number("SIGRTMAX-1"), Ok(63));
        for bad in ["", "0", "65", "SIGRTMIN+31", "SIGRTMAX-31", "SIGRTMIN+300", "SIGFOO"] {
            assert!(number(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_misspelt_signal_in_ron_is_an_error_at_its_place() {
        let error = ron::from_str::<Vec<Signal>>("[SIGTERM,\n SIGTREM]").unwrap_err();
        assert_eq!(error.span.start.line, 2);
        assert!(error.to_string().contains("SIGTREM"), "{error}");
    }
}
