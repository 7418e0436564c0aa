//! A script on a command line: its lines between semicolons.

use super::{Client, Line};

impl Client {
    /// A script of lines like `connect tcp:8080; send hello\n; expect hello; wait-eof; close`. In texts `\n`, `\r`, `\t`, `\\` and `\;`
    /// are what they are elsewhere, and `\s` is a space where it would else be left out.
    pub fn script(text: &str) -> Result<Client, String> {
        let lines: Vec<String> = split(text)?;
        let known = "expected connect ADDRESS, send TEXT, expect TEXT, wait-eof, receive, drain or close";
        let line = |words: &String| {
            let (word, rest) = words.split_once(' ').unwrap_or((words, ""));
            let text = || unescaped(rest.trim());
            match (word, rest.is_empty()) {
                ("connect", false) => text().map(Line::Connect),
                ("send", false) => text().map(Line::Send),
                ("expect", false) => text().map(Line::Expect),
                ("wait-eof", true) => Ok(Line::WaitEof),
                ("receive", true) => Ok(Line::Receive),
                ("drain", true) => Ok(Line::Drain),
                ("close", true) => Ok(Line::Close),
                _ => Err(format!("`{words}` is no line of a script: {known}")),
            }
        };
        lines.iter().map(line).collect::<Result<_, _>>().map(Client::Script)
    }
}

/// The lines, still escaped; those that are empty are left out.
fn split(text: &str) -> Result<Vec<String>, String> {
    let mut lines = vec![String::new()];
    let mut rest = text.chars();
    while let Some(one) = rest.next() {
        match (one, lines.last_mut()) {
            (';', _) => lines.push(String::new()),
            (_, None) => {}
            ('\\', Some(line)) => {
                let next = rest.next().ok_or("a text of a script ends in the middle of an escape")?;
                line.extend([one, next]);
            }
            (_, Some(line)) => line.push(one),
        }
    }
    Ok(lines.iter().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect())
}

fn unescaped(text: &str) -> Result<String, String> {
    let mut plain = String::new();
    let mut rest = text.chars();
    while let Some(one) = rest.next() {
        if one != '\\' {
            plain.push(one);
            continue;
        }
        plain.push(match rest.next() {
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('s') => ' ',
            Some(same @ ('\\' | ';')) => same,
            other => {
                let what = other.map(String::from).unwrap_or_default();
                return Err(format!("`\\{what}` is no escape: expected \\n, \\r, \\t, \\s, \\\\ or \\;"));
            }
        });
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_read_as_it_is_typed() {
        let text = r"connect tcp:8080; send GET /\;a\\b\r\n\s ;expect  200 OK;; wait-eof;close;connect tcp:9;receive;drain ";
        let lines = vec![
            Line::Connect("tcp:8080".to_owned()),
            Line::Send("GET /;a\\b\r\n ".to_owned()),
            Line::Expect("200 OK".to_owned()),
            Line::WaitEof,
            Line::Close,
            Line::Connect("tcp:9".to_owned()),
            Line::Receive,
            Line::Drain,
        ];
        assert_eq!(Client::script(text), Ok(Client::Script(lines)));
        for wrong in ["connect", "close now", "say hello", r"send \q", r"send a\", "connect tcp:1; wait"] {
            assert!(Client::script(wrong).is_err(), "{wrong}");
        }
    }
}
