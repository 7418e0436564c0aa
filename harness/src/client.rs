//! Clients of a program: what is started beside it, under the same control, once it waits. They are none of the program's.

mod typed;

use serde::{Deserialize, Serialize};
use std::fmt;

/// Something that talks to the program.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Client {
    /// A program and its arguments; a name without a slash is looked up in `PATH`. It gets the program's environment and
    /// working directory.
    Command(Vec<String>),
    /// These lines, one after the other: see [`Line`] and [`SOURCE`].
    Script(Vec<Line>),
}

/// A line of a script. What cannot be done ends the script, with an exit code that says why: see [`SOURCE`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Line {
    /// Connects to `tcp:8080`, a port of this machine (127.0.0.1), `unix:/tmp/socket`, a Unix socket (stream), or
    /// `unix:@name`, one without a file (unix(7), "abstract").
    Connect(String),
    /// Sends this text.
    Send(String),
    /// Reads until this text has come, after what earlier lines have waited for.
    Expect(String),
    /// Reads until the other side has closed the connection.
    WaitEof,
    /// Reads what comes first, if it does within a second.
    Receive,
    /// Reads until the other side has closed the connection, or nothing has come for a second.
    Drain,
    /// Closes it.
    Close,
}

/// The program that carries out a script, in C: it is built when one is to run, and given the lines as its arguments.
pub const SOURCE: &str = include_str!("client/script.c");

impl Line {
    /// The line as the script's program takes it.
    fn words(&self) -> [&str; 2] {
        match self {
            Line::Connect(address) => ["connect", address],
            Line::Send(text) => ["send", text],
            Line::Expect(text) => ["expect", text],
            Line::WaitEof => ["wait-eof", ""],
            Line::Receive => ["receive", ""],
            Line::Drain => ["drain", ""],
            Line::Close => ["close", ""],
        }
    }
}

impl Client {
    /// Who comes to this address by chance and says something: one leaves when it hears no more, the other, less patient, at the
    /// first answer.
    pub fn visitors(address: &str) -> [Client; 2] {
        [Line::Drain, Line::Receive].map(|listens| {
            let connect = Line::Connect(address.to_owned());
            Client::Script(vec![connect, Line::Send("hello\n".to_owned()), listens, Line::Close])
        })
    }

    /// False for a script that closes a connection, or ends, before the other side has closed it or has sent nothing for a while:
    /// how much of what it was sent it has read by then is chance.
    pub fn reads_all(&self) -> bool {
        let lines = match self {
            Client::Command(_) => return true,
            Client::Script(lines) => lines,
        };
        lines
            .split(|line| matches!(line, Line::Connect(_)))
            .skip(1)
            .all(|of_one| of_one.iter().any(|line| matches!(line, Line::WaitEof | Line::Drain)))
    }

    /// Its arguments: of a script those of the program that carries it out.
    pub fn argv(&self) -> Vec<String> {
        match self {
            Client::Command(words) => words.clone(),
            Client::Script(lines) => {
                let words = lines.iter().flat_map(Line::words);
                ["script"].into_iter().chain(words).map(str::to_owned).collect()
            }
        }
    }

    /// What is wrong with it, if anything is: it is known before anything is run.
    pub fn wrong(&self) -> Option<String> {
        let lines = match self {
            Client::Command(words) if words.first().is_none_or(String::is_empty) => {
                return Some(
                    "expected a program's name as the first word of the client's command".to_owned(),
                );
            }
            Client::Command(_) => &[][..],
            Client::Script(lines) if lines.is_empty() => {
                return Some("expected at least 1 line, such as Connect(\"tcp:8080\")".to_owned());
            }
            Client::Script(lines) => lines,
        };
        if self.argv().iter().any(|word| word.contains('\0')) {
            return Some("no argument and no text of a script can hold a NUL character".to_owned());
        }
        let mut connected = false;
        lines.iter().find_map(|line| {
            let needs = !matches!(line, Line::Connect(_));
            let wrong = match line {
                _ if needs != connected => {
                    Some(format!("{line:?}: expected Connect first, and Close before the next"))
                }
                Line::Connect(address) if !is_address(address) => {
                    Some(format!("{address:?} is no address: expected \"tcp:8080\" or \"unix:/tmp/socket\""))
                }
                Line::Expect(text) if text.is_empty() => Some("expected a text to wait for".to_owned()),
                Line::Connect(_)
                | Line::Send(_)
                | Line::Expect(_)
                | Line::WaitEof
                | Line::Receive
                | Line::Drain
                | Line::Close => None,
            };
            connected = !matches!(line, Line::Close);
            wrong
        })
    }
}

fn is_address(text: &str) -> bool {
    match text.split_once(':') {
        Some(("tcp", port)) => port.parse::<u16>().is_ok_and(|port| port > 0) && !port.starts_with('+'),
        // So much fits into sockaddr_un (unix(7)).
        Some(("unix", path)) => (1..108).contains(&path.len()),
        _ => false,
    }
}

impl fmt::Display for Client {
    /// As a person would write it in a shell, or line by line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Client::Command(words) => f.write_str(&shell_words::join(words)),
            Client::Script(lines) => {
                f.write_str("script")?;
                lines.iter().try_for_each(|line| write!(f, " {line:?}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(lines: &[Line]) -> Client {
        Client::Script(lines.to_vec())
    }

    #[test]
    fn a_script_that_could_not_be_followed_is_refused() {
        let connect = || Line::Connect("tcp:8080".to_owned());
        let send = || Line::Send("x".to_owned());
        assert_eq!(script(&[connect(), send(), Line::Close, connect(), Line::WaitEof]).wrong(), None);
        for lines in [
            vec![],
            vec![send()],
            vec![connect(), connect()],
            vec![connect(), Line::Close, Line::WaitEof],
            vec![connect(), Line::Expect(String::new())],
            vec![connect(), Line::Send("\0".to_owned())],
        ] {
            assert!(script(&lines).wrong().is_some(), "{lines:?}");
        }
        for address in ["", "8080", "tcp:", "tcp:0", "tcp:65536", "tcp:+1", "tcp:localhost", "unix:", "udp:1"]
        {
            assert!(script(&[Line::Connect(address.to_owned())]).wrong().is_some(), "{address}");
        }
        assert_eq!(script(&[Line::Connect("unix:/run/s".to_owned())]).wrong(), None);
        assert!(Client::Command(Vec::new()).wrong().is_some());
    }

    #[test]
    fn a_script_reads_all_that_it_is_sent_if_it_waits_for_the_end() {
        let connect = || Line::Connect("tcp:8080".to_owned());
        assert!(script(&[connect(), Line::WaitEof, Line::Close, connect(), Line::WaitEof]).reads_all());
        assert!(!script(&[connect(), Line::WaitEof, Line::Close, connect()]).reads_all());
        assert!(!script(&[connect(), Line::Expect("x".to_owned()), Line::Close]).reads_all());
        let visitors = Client::visitors("tcp:8080");
        assert!(visitors.iter().all(|one| one.wrong().is_none()));
        assert_eq!(visitors.map(|one| one.reads_all()), [true, false]);
        assert!(Client::Command(vec!["curl".to_owned()]).reads_all());
    }

    #[test]
    fn a_client_is_told_as_it_would_be_typed() {
        let client = Client::Command(["curl", "-s", "a b"].map(str::to_owned).to_vec());
        assert_eq!(client.to_string(), "curl -s 'a b'");
        assert_eq!(script(&[Line::Send("GET\r\n".to_owned())]).to_string(), r#"script Send("GET\r\n")"#);
    }
}
