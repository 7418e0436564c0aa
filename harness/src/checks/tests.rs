//! The lists, and what is read from programs.

use super::program::{Call, Program};
use super::*;
use std::path::PathBuf;

#[test]
fn the_lists_are_in_order_and_say_nothing_twice() {
    for list in safe::LISTS {
        assert!(list.is_sorted_by(|one, other| one < other), "{list:?}");
    }
    let [safe, harmless] = safe::LISTS;
    assert!(harmless.iter().all(|name| safe.binary_search(name).is_err()));
}

/// The names in the table of a manual page's source: `\fBname\fP(2)`, `\f[B]name\f[](2)` or `.BR name (2)`.
fn table(page: &str) -> Vec<&str> {
    let table = page.split("\n.TE").next().and_then(|page| page.split("\n.TS").nth(1)).unwrap();
    let name = |line: &'_ str| {
        ["\\fB", "\\f[B]", ".BR "].iter().find_map(|mark| line.strip_prefix(mark).map(str::len))
    };
    let lines = table.lines().filter_map(|line| Some(&line[line.len() - name(line)?..]));
    lines
        .filter_map(|line| line.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next())
        .collect()
}

#[test]
fn the_safe_functions_are_those_of_the_manual_page() {
    let page = "/usr/share/man/man7/signal-safety.7.gz";
    let unpacked = std::process::Command::new("gzip").args(["-dc", page]).output();
    let Some(unpacked) = unpacked.ok().filter(|unpacked| unpacked.status.success()) else {
        println!("skipped: {page} cannot be read here");
        return;
    };
    let page = String::from_utf8_lossy(&unpacked.stdout).into_owned();
    let (named, [safe, _]) = (table(&page), safe::LISTS);
    assert!(named.len() > 180, "{named:?}");
    // Later pages have _Fork in the place of fork.
    let differs = |name: &&&str| !["fork", "_Fork"].contains(*name);
    let missing: Vec<_> =
        named.iter().filter(|name| safe.binary_search(name).is_err()).filter(differs).collect();
    let more: Vec<_> = safe.iter().filter(|name| !named.contains(name)).filter(differs).collect();
    assert_eq!((missing, more), (vec![], vec![]));
}

#[test]
fn a_function_is_known_by_all_its_names() {
    for name in [
        "write",
        "_exit",
        "__read_chk",
        "read@GLIBC_2.2.5",
        "open64",
        "__open64_2",
        "__libc_fork",
        "__memcpy_chk",
        "__fxstat64",
        "__errno_location",
        "__stack_chk_fail",
        "siglongjmp",
        "__longjmp_chk",
        "__sigsetjmp",
        "__sysv_signal",
        "__poll_chk",
    ] {
        assert!(safe::is_safe(name), "{name}");
    }
    for name in [
        "printf",
        "__printf_chk",
        "malloc",
        "free",
        "__libc_malloc",
        "localtime",
        "exit",
        "syslog",
        "fopen64",
        "pthread_mutex_lock",
        "__isoc99_sscanf",
        "__snprintf_chk",
        "_Znwm",
        "strtol",
        "__isoc23_strtol",
        "",
    ] {
        assert!(!safe::is_safe(name), "{name}");
    }
    assert_eq!(safe::plain("__printf_chk"), "printf");
    assert!(safe::jumps("__longjmp_chk") && safe::sets_jump("__sigsetjmp") && !safe::jumps("setjmp"));
}

fn program(fixture: &str, build: &str) -> Program {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(fixture);
    let path: PathBuf = crate::compile::compile(&source, Some(&build.parse().unwrap())).unwrap();
    Program::open(&path).unwrap()
}

fn handler(program: &Program, name: &str) -> Handler {
    let body = program.bodies().find(|body| body.function.name == name).unwrap();
    program.handler("SIGUSR1".parse().unwrap(), body.function.start).unwrap()
}

#[test]
fn the_calls_of_a_handler_are_named_in_every_build() {
    for build in ["-O0", "-O2", "-O0 -static", "-O2 -static"] {
        let broken = program("broken/unsafe_calls.c", build);
        let calls = broken.calls_of(&handler(&broken, "on_sigusr1"));
        let names: Vec<&str> = calls.iter().map(Call::name).collect();
        assert_eq!(names, ["malloc", "localtime", "free"], "{build}");
        assert!(calls.iter().all(Call::is_unsafe), "{build}");
        let sound = program("sound/unsafe_calls.c", build);
        assert!(sound.calls_of(&handler(&sound, "on_sigusr1")).is_empty(), "{build}");
        let closes = program("broken/errno.c", build);
        let calls = closes.calls_of(&handler(&closes, "on_sigusr1"));
        assert!(calls.len() == 1 && !calls[0].is_unsafe(), "{build}: {calls:?}");
    }
}

#[test]
fn each_rule_proposes_places_for_what_it_is_about_alone() {
    let proposed = |fixture: &str| -> Vec<Rule> {
        let program = program(fixture, "-O2");
        let handler = handler(&program, "on_sigusr1");
        let has_places = |rule: &&Rule| !rule.places(&program, &handler).is_empty();
        Rule::ALL.iter().filter(has_places).copied().collect()
    };
    // The handler's own updates and loops after loads are proposed as well: only a run shows whether they matter.
    let likely = [Rule::SharedData, Rule::CachedFlags];
    let but_likely = |fixture: &str| -> Vec<Rule> {
        proposed(fixture).into_iter().filter(|rule| !likely.contains(rule)).collect()
    };
    assert!(proposed("broken/count.c").contains(&Rule::SharedData));
    assert!(proposed("broken/flag.c").contains(&Rule::CachedFlags));
    assert_eq!(but_likely("sound/count.c"), []);
    assert_eq!(but_likely("broken/errno.c"), [Rule::Errno]);
    assert_eq!(but_likely("broken/unsafe_calls.c"), [Rule::UnsafeCalls]);
    assert_eq!(but_likely("broken/early_jump.c"), [Rule::LongJumps]);
}

#[test]
fn handlers_that_are_not_checked_are_told_in_one_line() {
    let told = |names: &[&str]| {
        let set: SignalSet = names.iter().map(|name| name.parse::<Signal>().unwrap()).collect();
        not_checked(set, |_| "").map(|note| note.split(" checked").next().unwrap().to_owned())
    };
    assert_eq!(told(&[]), None);
    assert_eq!(told(&["HUP"]).unwrap(), "the handler of SIGHUP was not");
    assert_eq!(told(&["HUP", "INT"]).unwrap(), "the handlers of SIGHUP and SIGINT were not");
    let five = ["HUP", "INT", "QUIT", "USR1", "TERM"];
    assert_eq!(told(&five).unwrap(), "the handlers of SIGHUP, SIGINT, SIGQUIT, SIGUSR1 and SIGTERM were not");
    let six = ["HUP", "INT", "QUIT", "USR1", "TERM", "USR2"];
    assert_eq!(told(&six).unwrap(), "the handlers of SIGHUP, SIGINT, SIGQUIT, SIGUSR1 and 2 more were not");
}
