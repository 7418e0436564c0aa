//! A trace as a page: what the command writes, what a browser makes of it, how large and how long it may be, and that the
//! page of the manual about it is true.

mod script;
mod supervised;

use regex::Regex;
use script::{ends, sigrace, stderr, stdout};
use sigrace::copies;
use sigrace::trace::Trace;
use sigrace::{show, store};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const BROWSER: &str = "chromium";
/// How timeout(1) ends where what it is to start is not there.
const NOT_FOUND: i32 = 127;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Explores `broken/coalesced.c` there, which writes a page.
fn coalesced(folder: &Path) -> (Trace, PathBuf) {
    let source = root().join("fixtures/broken/coalesced.c");
    let built = Command::new("gcc").args(["-g", "-o", "coalesced"]).arg(source).current_dir(folder).status();
    assert!(built.unwrap().success());
    let words = [
        "explore",
        "--seed",
        "1",
        "--first",
        "--html",
        "pages",
        "--trace-dir",
        "traces",
        "--",
        "./coalesced",
    ];
    let output = sigrace(folder, &words);
    ends(&output, 100);
    let text = stdout(&output);
    let named: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("page: ")).collect();
    assert_eq!(named.len(), 1, "{text}");
    let trace = store::read_trace(&folder.join("traces/latest")).unwrap();
    assert_eq!(
        Path::new(named[0]),
        Path::new("pages").join(store::trace_file_name(&trace)).with_extension("html")
    );
    (trace, folder.join(named[0]))
}

#[test]
fn a_finding_gets_a_page_that_show_writes_again() {
    let folder = tempfile::tempdir().unwrap();
    let (trace, page) = coalesced(folder.path());
    let reference = trace.reference.as_ref().expect("a trace of a search holds its reference run");
    assert!(!reference.places.is_empty() && !reference.seen.is_nothing());
    let page = fs::read_to_string(page).unwrap();
    assert_eq!(page, show::html(&trace));

    let output = sigrace(folder.path(), &["show", "traces/latest", "--html", "again.html"]);
    ends(&output, 0);
    assert_eq!(stdout(&output), "page: again.html\n");
    assert_eq!(fs::read_to_string(folder.path().join("again.html")).unwrap(), page);

    // Both children's ends are one signal, and the one handler's stretch is drawn behind them.
    let (_, own) = page.split_once("<section class=\"run\" id=\"events\"").unwrap();
    let own = own.split_once("</section>").unwrap().0;
    for child in ["p0.1", "p0.2"] {
        assert_eq!(own.matches(&format!("<title>SIGCHLD from {child} to p0</title>")).count(), 1);
    }
    assert_eq!(
        Regex::new(r#"<path class="handler d0" d="(M\d+,\d+V\d+)">"#).unwrap().find_iter(own).count(),
        1
    );
    let source = fs::read_to_string(root().join("fixtures/broken/coalesced.c")).unwrap();
    let line = source.lines().position(|line| line.contains("pid = fork()")).unwrap() + 1;
    assert!(page.contains(&format!("-{line}\">{line}  ")), "line {line} of the source is beside it");
    assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("@import"));
}

#[test]
fn a_trace_from_before_there_were_reference_runs_is_shown_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (trace, _) = coalesced(folder.path());
    let alone = Trace { reference: None, ..trace.clone() };
    let path = store::write_trace(&folder.path().join("old"), &alone).unwrap();
    assert!(!fs::read_to_string(&path).unwrap().contains("reference:"));
    let output = sigrace(folder.path(), &["show", path.to_str().unwrap(), "--html", "old.html"]);
    ends(&output, 0);
    let page = fs::read_to_string(folder.path().join("old.html")).unwrap();
    assert!(page.contains("This trace holds no reference run") && !page.contains("id=\"reference-1\""));
    assert_eq!(page.matches("<li id=\"event-").count(), trace.events.len());
}

#[test]
fn where_no_page_can_be_written_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (trace, _) = coalesced(folder.path());
    let before = script::listing(folder.path());
    let output = sigrace(folder.path(), &["show", "traces/latest", "--html", "missing/page.html"]);
    ends(&output, 102);
    assert!(stderr(&output).contains("cannot write missing/page.html"), "{}", stderr(&output));
    // A FIFO stays one, and so does the trace; a link is followed.
    nix::unistd::mkfifo(&folder.path().join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let trace_itself = fs::read(folder.path().join("traces/latest")).unwrap();
    for (file, code) in [("fifo", 102), ("traces/latest", 2)] {
        ends(&sigrace(folder.path(), &["show", "traces/latest", "--html", file]), code);
    }
    let kind = fs::symlink_metadata(folder.path().join("fifo")).unwrap().file_type();
    assert!(std::os::unix::fs::FileTypeExt::is_fifo(&kind));
    assert_eq!(fs::read(folder.path().join("traces/latest")).unwrap(), trace_itself);
    fs::remove_file(folder.path().join("fifo")).unwrap();
    std::os::unix::fs::symlink("real.html", folder.path().join("link.html")).unwrap();
    fs::write(folder.path().join("real.html"), "").unwrap();
    ends(&sigrace(folder.path(), &["show", "traces/latest", "--html", "link.html"]), 0);
    assert!(fs::read_to_string(folder.path().join("real.html")).unwrap().contains("<html"));
    fs::remove_file(folder.path().join("real.html")).unwrap();
    fs::remove_file(folder.path().join("link.html")).unwrap();
    // Nothing is searched for that would be lost.
    let output = sigrace(folder.path(), &["explore", "--html", "coalesced/pages", "--", "./coalesced"]);
    ends(&output, 102);
    assert!(stdout(&output).is_empty(), "{}", stdout(&output));
    assert_eq!(script::listing(folder.path()), before);
    assert!(!trace.events.is_empty());
}

#[test]
fn a_page_of_five_thousand_events_is_small() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("volley.c", &["-g"], folder.path());
    let program = program.to_str().unwrap();
    let search = ["explore", "--exit", "3", "--first", "--no-shrink", "--confirm", "2", "--seed", "1"];
    let words = [&search[..], &["--html", "pages", "--trace-dir", "traces", "--", program, "840"]].concat();
    ends(&sigrace(folder.path(), &words), 100);
    let trace = store::read_trace(&folder.path().join("traces/latest")).unwrap();
    let reference = trace.reference.as_ref().map_or(0, |reference| reference.events.len());
    assert!(trace.events.len() >= 5000 && reference >= 5000, "{} {reference}", trace.events.len());
    let page = fs::read_to_string(
        folder.path().join("pages").join(store::trace_file_name(&trace)).with_extension("html"),
    )
    .unwrap();
    assert_eq!(page.matches("<li id=\"event-").count(), trace.events.len());
    assert_eq!(page.matches("<li id=\"reference-").count(), reference);
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
}

/// The page as the browser has it when its script has run, with this behind `#`, and after these keys.
fn opened(page: &str, fragment: &str, keys: &[&str]) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    let press =
        |key: &&str| format!("document.dispatchEvent(new KeyboardEvent(\"keydown\",{{key:{key:?}}}));");
    let presses: String = keys.iter().map(press).collect();
    fs::write(&file, page.replace("</body>", &format!("<script>{presses}</script></body>"))).unwrap();
    // One that never comes to an end is ended.
    let mut browser = Command::new("timeout");
    browser
        .args(["120", BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("file://{}{fragment}", file.display()))
        .env("HOME", folder.path())
        .stdin(Stdio::null());
    let output = copies::output(&mut browser).unwrap();
    if output.status.code() == Some(NOT_FOUND) {
        println!("skipped: {BROWSER} is not there");
        return None;
    }
    let text = stdout(&output);
    assert!(text.contains("</html>"), "{BROWSER}: {}", stderr(&output));
    Some(text)
}

/// The event that is chosen.
fn chosen(page: &str) -> String {
    let tag = Regex::new(r#"<li ([^>]*)aria-current="true""#).unwrap();
    let found: Vec<_> = tag.captures_iter(page).map(|found| found[1].to_owned()).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].split('"').nth(1).unwrap().to_owned()
}

/// What is told of it, without markup.
fn told(page: &str) -> String {
    let (_, now) = page.split_once("id=\"now\"").unwrap();
    let now = now.split_once("</section>").unwrap().0;
    Regex::new("<[^>]*>").unwrap().replace_all(now, " ").into_owned()
}

#[test]
fn a_browser_follows_keys_and_searches() {
    let folder = tempfile::tempdir().unwrap();
    let (trace, page) = coalesced(folder.path());
    let page = fs::read_to_string(page).unwrap();
    let (_, listed) = page.split_once("id=\"events\"").unwrap();
    let first = Regex::new(r#"<li id="(event-(\d+))" class="x first""#).unwrap().captures(listed).unwrap();
    let number: usize = first[2].parse().unwrap();

    // At first the step that makes the difference is chosen, and the processes that are there are told.
    let Some(fresh) = opened(&page, "", &[]) else { return };
    assert_eq!(chosen(&fresh), first[1]);
    let text = told(&fresh);
    assert!(
        text.contains(&format!("this run, event {number}")) && text.contains("held back after fork"),
        "{text}"
    );
    assert!(text.contains("p0.1") && text.contains("pid = fork()"), "{text}");

    // An event by its name, the last one, one back, and the other run.
    let last = format!("event-{}", trace.events.len());
    assert_eq!(chosen(&opened(&page, "#event-1", &["j"]).unwrap()), "event-2");
    assert_eq!(chosen(&opened(&page, "#event-1", &["G"]).unwrap()), last);
    assert_eq!(chosen(&opened(&page, &format!("#{last}"), &["g"]).unwrap()), "event-1");
    assert_eq!(chosen(&opened(&page, "#event-2", &["k"]).unwrap()), "event-1");
    assert_eq!(chosen(&opened(&page, "#event-1", &["l"]).unwrap()), "reference-1");
    assert_eq!(chosen(&opened(&page, "#event-1", &["d"]).unwrap()), first[1]);
    assert_eq!(chosen(&opened(&page, "#event-1", &["s"]).unwrap()), first[1]);
    assert!(
        opened(&page, "", &["?"])
            .unwrap()
            .contains("<dialog id=\"help\" aria-labelledby=\"help-title\" open")
    );

    // Calls are folded until somebody asks for them.
    assert!(fresh.contains("class=\"run folded\"") && fresh.contains("… 3 calls"));
    assert!(!opened(&page, "", &["f"]).unwrap().contains("class=\"run folded\""));

    // The first hit, the next one, and back.
    let hits: Vec<usize> = (0..trace.events.len())
        .filter(|index| {
            let row = Regex::new(&format!(r#"(?s)<li id="event-{}" .*?</li>"#, index + 1)).unwrap();
            row.find(listed).unwrap().as_str().contains("makes p0.")
        })
        .collect();
    assert_eq!(hits.len(), 2);
    let name = |hit: usize| format!("event-{}", hits[hit] + 1);
    let found = opened(&page, "#find=makes%20P0.", &[]).unwrap();
    assert_eq!(chosen(&found), name(0));
    assert!(found.contains("1 of 4</output>"), "both runs are searched");
    assert_eq!(chosen(&opened(&page, "#find=makes%20p0.", &["n"]).unwrap()), name(1));
    assert_eq!(chosen(&opened(&page, "#find=makes%20p0.", &["n", "N"]).unwrap()), name(0));
}

#[test]
fn the_guide_tells_the_keys_that_the_page_tells() {
    let manual = fs::read_to_string(root().join("docs/page.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (_, page) = coalesced(folder.path());
    let page = fs::read_to_string(page).unwrap();
    let row = Regex::new(r"(?m)^\| (`.*`) \| (.*) \|$").unwrap();
    let rows: Vec<(String, String)> = row
        .captures_iter(&manual)
        .map(|found| (found[1].replace("`, `", " "), found[2].to_owned()))
        .collect();
    let dialog = Regex::new("<div><dt>(.*?)</dt><dd>(.*?)</dd>").unwrap();
    let keys = Regex::new("</?kbd>").unwrap();
    let told: Vec<(String, String)> = dialog
        .captures_iter(&page)
        .map(|found| (format!("`{}`", keys.replace_all(&found[1], "").trim()), found[2].to_owned()))
        .collect();
    assert_eq!(
        rows.iter().map(|(keys, _)| keys).collect::<Vec<_>>(),
        told.iter().map(|(keys, _)| keys).collect::<Vec<_>>()
    );
    assert!(rows.len() == 9);
}
