//! What a program writes, without the dates, times and process numbers in it: outcomes that differ in nothing else are one.
//!
//! Only what can be nothing else is left out: a time of day with its seconds, a date, seconds since 1970 or parts of them of these
//! years, and a number that is called `pid`, or stands as syslog(3) has it, `name[123]:`. Any other number may be a result.

use super::{Outcome, Output};
use regex::bytes::Regex;
use std::borrow::Cow;
use std::sync::LazyLock;

const PATTERN: &str = r"(?i-u)(?P<pid>\bpid[ =:#]{0,2})\d+\b|(?P<name>\w\[)\d+(?P<end>\]:)|\d{1,2}:\d{2}:\d{2}(?:[.,]\d+)?|\d{4}-\d{2}-\d{2}|\b1[6-9]\d{8}(?:\d{3}|\d{6}|\d{9})?\b(?:\.\d+)?";

/// Output that is longer is taken as it is.
const LONGEST: usize = 1 << 16;

static MOMENTS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(PATTERN).ok());

fn without(output: &Output) -> Output {
    let bytes = output.bytes();
    match (MOMENTS.as_ref(), output) {
        (Some(moments), Output::Text(_) | Output::Bytes(_)) if bytes.len() <= LONGEST => {
            match moments.replace_all(bytes, &b"${pid}${name}#${end}"[..]) {
                Cow::Owned(bytes) => Output::from(bytes),
                Cow::Borrowed(_) => output.clone(),
            }
        }
        _ => output.clone(),
    }
}

impl Outcome {
    /// The same without what only says when it was, or which number a process had.
    #[must_use]
    pub fn without_moments(&self) -> Outcome {
        let mut outcome = self.clone();
        outcome.stdout = without(&self.stdout);
        outcome.stderr = without(&self.stderr);
        for client in &mut outcome.clients {
            client.stdout = without(&client.stdout);
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dates_times_and_process_numbers_are_left_out() {
        let plain = |text: &str| without(&Output::Text(text.to_owned()));
        for (one, other) in [
            ("at 17:42:18.000111000\n", "at 17:42:18.000113\n"),
            ("2026-11-29T17:42:18Z", "2026-11-30T00:00:01Z"),
            ("1795974138000223000", "1795974138000225000"),
            ("t=1795974138.25 up", "t=1795974139.5 up"),
            ("worker pid 1002 is up", "worker pid 999 is up"),
            ("Nov 29 17:42:18 host sshd[1002]: hello", "Nov 29 17:42:19 host sshd[1003]: hello"),
        ] {
            assert_eq!(plain(one), plain(other), "{one} {other}");
        }
        for (one, other) in [
            ("1000", "998"),
            ("[3]", "[4]"),
            ("a[1] = 2", "a[2] = 2"),
            ("5000000000", "4999999999"),
            ("0.333333", "0.666667"),
            ("3:1", "3:2"),
            ("stupid 1", "stupid 2"),
            ("1 of 2", "2 of 2"),
        ] {
            assert_ne!(plain(one), plain(other), "{one} {other}");
        }
    }
}
