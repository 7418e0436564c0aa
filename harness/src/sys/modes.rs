//! The modes of a terminal in the words of stty(1).

use libc::tcflag_t;

/// What termios(3) calls the attributes of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modes(pub(super) libc::termios);

/// A flag, or one value of several bits.
type Named = (&'static str, tcflag_t);

const INPUT: &[Named] = &[
    ("ignbrk", libc::IGNBRK),
    ("brkint", libc::BRKINT),
    ("ignpar", libc::IGNPAR),
    ("parmrk", libc::PARMRK),
    ("inpck", libc::INPCK),
    ("istrip", libc::ISTRIP),
    ("inlcr", libc::INLCR),
    ("igncr", libc::IGNCR),
    ("icrnl", libc::ICRNL),
    ("iuclc", libc::IUCLC),
    ("ixon", libc::IXON),
    ("ixany", libc::IXANY),
    ("ixoff", libc::IXOFF),
    ("imaxbel", libc::IMAXBEL),
    ("iutf8", libc::IUTF8),
];
const OUTPUT: &[Named] = &[
    ("opost", libc::OPOST),
    ("olcuc", libc::OLCUC),
    ("onlcr", libc::ONLCR),
    ("ocrnl", libc::OCRNL),
    ("onocr", libc::ONOCR),
    ("onlret", libc::ONLRET),
    ("ofill", libc::OFILL),
    ("ofdel", libc::OFDEL),
];
const CONTROL: &[Named] = &[
    ("cstopb", libc::CSTOPB),
    ("cread", libc::CREAD),
    ("parenb", libc::PARENB),
    ("parodd", libc::PARODD),
    ("hupcl", libc::HUPCL),
    ("clocal", libc::CLOCAL),
];
const LOCAL: &[Named] = &[
    ("isig", libc::ISIG),
    ("icanon", libc::ICANON),
    ("echo", libc::ECHO),
    ("echoe", libc::ECHOE),
    ("echok", libc::ECHOK),
    ("echonl", libc::ECHONL),
    ("noflsh", libc::NOFLSH),
    ("tostop", libc::TOSTOP),
    ("echoctl", libc::ECHOCTL),
    ("echoprt", libc::ECHOPRT),
    ("echoke", libc::ECHOKE),
    ("iexten", libc::IEXTEN),
    ("extproc", libc::EXTPROC),
];
const CHARACTERS: &[(&str, usize)] = &[
    ("intr", libc::VINTR),
    ("quit", libc::VQUIT),
    ("erase", libc::VERASE),
    ("kill", libc::VKILL),
    ("eof", libc::VEOF),
    ("start", libc::VSTART),
    ("stop", libc::VSTOP),
    ("susp", libc::VSUSP),
    ("eol", libc::VEOL),
    ("rprnt", libc::VREPRINT),
    ("discard", libc::VDISCARD),
    ("werase", libc::VWERASE),
    ("lnext", libc::VLNEXT),
    ("eol2", libc::VEOL2),
];

impl Modes {
    /// True if lines are edited before they can be read.
    pub fn canonical(&self) -> bool {
        self.0.c_lflag & libc::ICANON != 0
    }

    /// True if characters that cause a signal throw away what was typed before them.
    pub fn signals_flush(&self) -> bool {
        self.0.c_lflag & libc::NOFLSH == 0
    }

    /// The signal that this character causes when it is typed, if it does.
    pub fn signal_of(&self, typed: u8) -> Option<i32> {
        let by = [(libc::VINTR, libc::SIGINT), (libc::VQUIT, libc::SIGQUIT), (libc::VSUSP, libc::SIGTSTP)];
        let is = |(index, _): &(usize, i32)| self.0.c_cc[*index] == typed;
        // A zero switches the character off (_POSIX_VDISABLE).
        let acts = typed != 0 && self.0.c_lflag & libc::ISIG != 0;
        by.into_iter().find(|one| acts && is(one)).map(|(_, signal)| signal)
    }

    /// What is shown of a character that causes a signal when it is typed.
    pub fn echo_of(&self, typed: u8) -> Vec<u8> {
        let has = |flag| self.0.c_lflag & flag != 0;
        match typed {
            _ if !has(libc::ECHO) => Vec::new(),
            0..=0x1f | 0x7f if has(libc::ECHOCTL) => vec![b'^', typed ^ 0x40],
            _ => vec![typed],
        }
    }

    /// What this character does to output when it is typed: stops it, or lets it go on.
    pub fn stops_output(&self, typed: u8) -> Option<bool> {
        let acts = typed != 0 && self.0.c_iflag & libc::IXON != 0;
        let is = |index: usize| acts && self.0.c_cc[index] == typed;
        if is(libc::VSTART) { Some(false) } else { is(libc::VSTOP).then_some(true) }
    }

    /// How they differ from `other`, as stty(1) would have it: `-echo`, `intr=^X`, `min=1`. How many characters a read waits for, and
    /// how long, means nothing where lines are edited.
    pub fn beside(&self, other: &Modes) -> Vec<String> {
        let (now, then) = (&self.0, &other.0);
        let fields = [
            (now.c_iflag, then.c_iflag, INPUT, "iflag"),
            (now.c_oflag, then.c_oflag, OUTPUT, "oflag"),
            (now.c_cflag, then.c_cflag, CONTROL, "cflag"),
            // The kernel's own notes on what it is about to do again.
            (
                now.c_lflag & !(libc::PENDIN | libc::FLUSHO),
                then.c_lflag & !(libc::PENDIN | libc::FLUSHO),
                LOCAL,
                "lflag",
            ),
        ];
        let mut words = Vec::new();
        for (now, then, names, field) in fields {
            let named = |(name, bit): &Named| match (now & bit != 0, then & bit != 0) {
                (true, false) => Some((*name).to_owned()),
                (false, true) => Some(format!("-{name}")),
                _ => None,
            };
            words.extend(names.iter().filter_map(named));
            let known = names.iter().fold(0, |all, (_, bit)| all | bit);
            if (now ^ then) & !known != 0 {
                words.push(format!("{field}={now:#o}"));
            }
        }
        let character = |(name, index): &(&str, usize)| {
            let differs = now.c_cc[*index] != then.c_cc[*index];
            differs.then(|| format!("{name}={}", caret(now.c_cc[*index])))
        };
        words.extend(CHARACTERS.iter().filter_map(character));
        if !self.canonical() {
            for (name, index) in [("min", libc::VMIN), ("time", libc::VTIME)] {
                words.push(format!("{name}={}", now.c_cc[index]));
            }
        }
        words
    }
}

/// A character as people write those that cannot be seen.
fn caret(byte: u8) -> String {
    match byte {
        0 => "undef".to_owned(),
        0x7f => "^?".to_owned(),
        1..=0x1f => format!("^{}", char::from(byte ^ 0x40)),
        0x20..=0x7e => char::from(byte).to_string(),
        _ => format!("{byte:#x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usual() -> Modes {
        // SAFETY: every byte of a termios is a plain number.
        let mut modes: libc::termios = unsafe { std::mem::zeroed() };
        modes.c_iflag = libc::ICRNL | libc::IXON;
        modes.c_oflag = libc::OPOST | libc::ONLCR;
        modes.c_lflag = libc::ISIG | libc::ICANON | libc::ECHO;
        for (index, byte) in [(libc::VINTR, 3), (libc::VQUIT, 28), (libc::VSUSP, 26), (libc::VSTOP, 19)] {
            modes.c_cc[index] = byte;
        }
        modes.c_cc[libc::VMIN] = 1;
        Modes(modes)
    }

    #[test]
    fn modes_are_told_by_what_differs() {
        let mut modes = usual();
        assert_eq!(modes.beside(&usual()), [""; 0]);
        modes.0.c_cc[libc::VMIN] = 7;
        assert_eq!(modes.beside(&usual()), [""; 0]);
        modes.0.c_lflag &= !(libc::ICANON | libc::ECHO);
        modes.0.c_lflag |= libc::TOSTOP | libc::PENDIN;
        modes.0.c_cc[libc::VINTR] = 24;
        modes.0.c_oflag |= 1 << 31;
        let words = ["oflag=0o20000000005", "-icanon", "-echo", "tostop", "intr=^X", "min=7", "time=0"];
        assert_eq!(modes.beside(&usual()), words);
        assert_eq!(usual().beside(&modes).len(), 5);
    }

    #[test]
    fn characters_act_where_the_modes_say_so() {
        let mut modes = usual();
        assert_eq!((modes.signal_of(3), modes.signal_of(26)), (Some(libc::SIGINT), Some(libc::SIGTSTP)));
        assert_eq!((modes.signal_of(b'a'), modes.signal_of(0)), (None, None));
        assert_eq!((modes.stops_output(19), modes.stops_output(17)), (Some(true), None));
        modes.0.c_lflag = 0;
        assert_eq!(modes.signal_of(3), None);
    }
}
