//! What signal(7) says of each standard signal besides its default action: the standard that it comes from, and its number where
//! that is another. (Linux man-pages 6.03; the numbers are those of the kernel's `asm/signal.h`.)

use super::Signal;

/// Where a signal was defined first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standard {
    /// POSIX.1-1990.
    Posix1990,
    /// SUSv2 and POSIX.1-2001; real-time signals came with the extensions of POSIX.1b before.
    Posix2001,
    /// No standard: Linux has it, and perhaps others.
    Linux,
}

/// The architectures of Linux whose numbers differ from those of x86, ARM and most others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// On Alpha and SPARC; none where there is no such signal.
    pub alpha: Option<u8>,
    /// On MIPS.
    pub mips: Option<u8>,
    /// On PA-RISC.
    pub parisc: Option<u8>,
}

use Standard::{Linux, Posix1990, Posix2001};

/// Standard signals in numeric order, from 1; 0 for none.
const ROWS: [(Standard, [u8; 3]); 31] = [
    (Posix1990, [1, 1, 1]),
    (Posix1990, [2, 2, 2]),
    (Posix1990, [3, 3, 3]),
    (Posix1990, [4, 4, 4]),
    (Posix2001, [5, 5, 5]),
    (Posix1990, [6, 6, 6]),
    (Posix2001, [10, 10, 10]),
    (Posix1990, [8, 8, 8]),
    (Posix1990, [9, 9, 9]),
    (Posix1990, [30, 16, 16]),
    (Posix1990, [11, 11, 11]),
    (Posix1990, [31, 17, 17]),
    (Posix1990, [13, 13, 13]),
    (Posix1990, [14, 14, 14]),
    (Posix1990, [15, 15, 15]),
    (Linux, [0, 0, 7]),
    (Posix1990, [20, 18, 18]),
    (Posix1990, [19, 25, 26]),
    (Posix1990, [17, 23, 24]),
    (Posix1990, [18, 24, 25]),
    (Posix1990, [21, 26, 27]),
    (Posix1990, [22, 27, 28]),
    (Posix2001, [16, 21, 29]),
    (Posix2001, [24, 30, 12]),
    (Posix2001, [25, 31, 30]),
    (Posix2001, [26, 28, 20]),
    (Posix2001, [27, 29, 21]),
    (Linux, [28, 20, 23]),
    (Linux, [23, 22, 22]),
    (Linux, [29, 19, 19]),
    (Posix2001, [12, 12, 31]),
];

impl Signal {
    /// Where it was defined first.
    pub fn standard(self) -> Standard {
        ROWS.get(usize::from(self.0) - 1).map_or(Posix2001, |&(standard, _)| standard)
    }

    /// Its numbers where they differ; none for a real-time signal, which programs count from SIGRTMIN.
    pub fn elsewhere(self) -> Option<Elsewhere> {
        let &(_, [alpha, mips, parisc]) = ROWS.get(usize::from(self.0) - 1)?;
        let there = |number: u8| Some(number).filter(|number| *number > 0);
        Some(Elsewhere { alpha: there(alpha), mips: there(mips), parisc: there(parisc) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::DefaultAction;
    use std::collections::HashMap;

    /// The rows of the page's two tables that begin with a signal's name, by name and how many fields they have.
    fn page() -> Option<Vec<Vec<String>>> {
        let page = "/usr/share/man/man7/signal.7.gz";
        let unpacked = std::process::Command::new("gzip").args(["-dc", page]).output().ok()?;
        let text = String::from_utf8(unpacked.stdout).ok().filter(|_| unpacked.status.success())?;
        let rows = text.lines().filter(|line| line.starts_with("SIG"));
        let plain = |field: &str| field.replace("\\-", "-").replace("\\0", "");
        Some(rows.map(|line| line.split('\t').map(plain).collect()).collect())
    }

    #[test]
    fn the_tables_are_those_of_the_manual_page() {
        let Some(rows) = page() else { return println!("signal(7) is not installed") };
        let (mut numbers, mut actions) = (HashMap::new(), HashMap::new());
        for row in rows {
            match &row[..] {
                [name, here, alpha, mips, parisc, ..] => {
                    numbers.insert(
                        name.clone(),
                        [here, alpha, mips, parisc].map(|text| text.trim().parse::<u8>().ok()),
                    );
                }
                [name, standard, action, _] => {
                    actions.insert(name.clone(), (standard.clone(), action.clone()));
                }
                _ => {}
            }
        }
        for number in 1..=31 {
            let signal = Signal::from_number(number).unwrap();
            let name = signal.to_string();
            let Elsewhere { alpha, mips, parisc } = signal.elsewhere().unwrap();
            let mut said = numbers[&name];
            if name == "SIGPWR" {
                // The page has "29/-": SPARC calls it SIGLOST as well.
                said[1] = Some(29);
            }
            assert_eq!(said, [Some(number as u8), alpha, mips, parisc], "{name}");
            let (standard, action) = &actions[&name];
            let (of, does) = (signal.standard(), signal.default_action());
            let standards = [("P1990", Posix1990), ("P2001", Posix2001), ("-", Linux)];
            assert!(standards.contains(&(standard.as_str(), of)), "{name}: {standard}, {of:?}");
            let actions = [
                ("Term", DefaultAction::Terminate),
                ("Core", DefaultAction::Core),
                ("Ign", DefaultAction::Ignore),
                ("Stop", DefaultAction::Stop),
                ("Cont", DefaultAction::Continue),
            ];
            assert!(actions.contains(&(action.as_str(), does)), "{name}: {action}, {does:?}");
        }
    }
}
