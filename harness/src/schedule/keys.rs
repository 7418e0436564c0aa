//! What a person types at a terminal.

use crate::signal::Signal;
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Keys that are typed one after the other, as `stty` and other programs show them: `^C` is Control and C, `^?` is Backspace,
/// a line break is the Enter key, and everything else is itself. A `^` before any other character is itself too.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Keys(String);

/// Why a text is nothing to type.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected 1 to {most} characters to type, got {got}", most = Keys::MOST)]
pub struct BadKeys {
    got: usize,
}

impl Keys {
    /// The most characters that are typed at once. A terminal takes in some thousands that nobody reads (termios(3)).
    pub const MOST: usize = 1024;

    /// The characters that come from these keys.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = self.0.chars().peekable();
        while let Some(key) = rest.next() {
            let control = rest.peek().copied().filter(|next| key == '^' && matches!(next, '@'..='_' | '?'));
            match control {
                Some(key) => {
                    rest.next();
                    // As the keyboard does: the character without its bits 5 and 6.
                    bytes.push(if key == '?' { 0x7f } else { key as u8 & 0x1f });
                }
                None if key == '\n' => bytes.push(b'\r'),
                None => bytes.extend(key.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        bytes
    }

    /// The signal that a terminal sends by them, if they are one key, unless a program has it otherwise (termios(3), ISIG).
    pub fn signal(&self) -> Option<Signal> {
        match self.single()? {
            0x03 => Some(Signal::INT),
            0x1c => Some(Signal::QUIT),
            0x1a => Some(Signal::TSTP),
            _ => None,
        }
    }

    /// The one character that comes from them, if it is one.
    pub fn single(&self) -> Option<u8> {
        match self.bytes()[..] {
            [byte] => Some(byte),
            _ => None,
        }
    }
}

impl FromStr for Keys {
    type Err = BadKeys;

    fn from_str(text: &str) -> Result<Keys, BadKeys> {
        let length = text.chars().count();
        if (1..=Keys::MOST).contains(&length) {
            Ok(Keys(text.to_owned()))
        } else {
            Err(BadKeys { got: length })
        }
    }
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Keys, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_what_a_terminal_gets() {
        let bytes = |text: &str| text.parse::<Keys>().unwrap().bytes();
        assert_eq!(bytes("^C"), [3]);
        assert_eq!(bytes("^\\^Z^?^@"), [28, 26, 127, 0]);
        assert_eq!(bytes("ls é\n"), "ls é\r".as_bytes());
        assert_eq!(bytes("2^3 ^c ^"), b"2^3 ^c ^");
        assert!("".parse::<Keys>().is_err() && "x".repeat(Keys::MOST + 1).parse::<Keys>().is_err());
        assert_eq!("^C".parse::<Keys>().unwrap().single(), Some(3));
    }
}
