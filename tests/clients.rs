//! Clients: who talks to a program, under the same control.

mod supervised;

use sigrace::client::{Client, Line};
use sigrace::compile::{self, CompileError};
use sigrace::copies;
use sigrace::program::Launch;
use sigrace::resolve;
use sigrace::schedule::{Schedule, ThreadName};
use sigrace::store;
use sigrace::supervise::{RunError, Settings, Supervise};
use sigrace::trace::{ClientEnd, End, Output, Run, Status, What};
use sigrace::world::World;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn command(words: &[&str]) -> Client {
    Client::Command(words.iter().map(|&word| word.to_owned()).collect())
}

fn try_with(launch: Launch, clients: Vec<Client>, schedule: &str) -> Result<Run, RunError> {
    let settings = Settings {
        clients: resolve::clients(&clients, &launch).unwrap(),
        world: World { clients, ..World::default() },
        ..Settings::of(launch)
    };
    let schedule: Schedule = ron::from_str(schedule).unwrap();
    supervised::with_settings(settings, |supervisor| supervisor.run(&schedule))
}

/// A run of a program with these clients.
fn with(argv: &[&str], clients: Vec<Client>, schedule: &str) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let run = try_with(supervised::launch(argv, folder.path()), clients, schedule).unwrap();
    assert_eq!(run.taint, None);
    run
}

/// A run of a scenario's program with its clients.
fn scenario(name: &str, schedule: &str) -> Run {
    let path = root().join(format!("scenarios/shutdown/{name}.ron"));
    let scenario = store::read_scenario(&path).unwrap();
    let launch = resolve::scenario(&scenario, None, path.parent().unwrap()).unwrap();
    try_with(launch, scenario.world().clients, schedule).unwrap()
}

fn text(text: &str) -> Output {
    Output::Text(text.to_owned())
}

/// How each client ended.
fn ends(run: &Run) -> Vec<(String, Option<Status>)> {
    let one = |client: &ClientEnd| (client.client.to_string(), client.status);
    run.outcome.clients.iter().map(one).collect()
}

fn exited(clients: &[(&str, i32)]) -> Vec<(String, Option<Status>)> {
    clients.iter().map(|(name, code)| ((*name).to_owned(), Some(Status::Exited(*code)))).collect()
}

/// Where in the events this is.
fn at(run: &Run, thread: &ThreadName, what: impl Fn(&What) -> bool) -> usize {
    let found = run.events.iter().position(|event| event.thread == *thread && what(&event.what));
    found.unwrap_or_else(|| panic!("{thread}: {:?}", run.events))
}

#[test]
fn a_client_is_started_when_everything_sleeps_and_once_more_after_a_signal() {
    let (p0, c1) = (ThreadName::root(), ThreadName::client(1));
    let run = scenario("in_flight_sound", "[]");
    assert!(matches!(run.outcome.end, End::Idle(_)), "{:?}", run.outcome.end);
    assert_eq!(ends(&run), exited(&[("c1", 0)]));
    assert_eq!(run.outcome.clients[0].stdout, text("one\ntwo\n"));
    let slept = at(&run, &p0, |what| matches!(what, What::Sleep(..)));
    let started = at(&run, &c1, |what| *what == What::Exec("script".to_owned()));
    assert!(slept < started);
    assert!(run.first_quiet.iter().all(|point| point.thread == p0), "{:?}", run.first_quiet);

    let sent = r#"[(at:Quiet,in:"p0",action:Send(SIGTERM))]"#;
    let run = scenario("in_flight_sound", sent);
    assert_eq!((&run.outcome.end, run.unreached.len()), (&End::Ended(Status::Exited(0)), 0));
    assert_eq!(ends(&run), exited(&[("c1", 0), ("c2", 7)]));
    let sent = at(&run, &p0, |what| matches!(what, What::Step(_)));
    assert!(at(&run, &c1, |what| matches!(what, What::End(_))) < sent);
    assert!(sent < at(&run, &ThreadName::client(2), |_| true));
}

#[test]
fn a_client_has_outputs_of_its_own_and_may_have_children() {
    let words = ["sh", "-c", "echo out; (exit 5); echo err $? >&2; exit 3"];
    let run = with(&["sh", "-c", "echo mine; sleep 100"], vec![command(&words)], "[]");
    assert_eq!(run.outcome.end, End::Ended(Status::Exited(0)));
    assert_eq!((&run.outcome.stdout, &run.outcome.stderr), (&text("mine\n"), &text("")));
    let client = &run.outcome.clients[0];
    assert_eq!(ends(&run), exited(&[("c1", 3)]));
    assert_eq!((&client.stdout, &client.stderr), (&text("out\n"), &text("err 5\n")));
    assert_eq!(client.command, "sh -c 'echo out; (exit 5); echo err $? >&2; exit 3'");
    at(&run, &ThreadName::client(1).child(1), |what| *what == What::End(Status::Exited(5)));
}

#[test]
fn clients_run_side_by_side_and_can_be_held_like_threads_of_the_program() {
    let clients = || vec![command(&["sh", "-c", "echo one"]), command(&["sh", "-c", "echo two; kill -9 $$"])];
    let run = with(&["sleep", "100"], clients(), "[]");
    assert_eq!(ends(&run)[0], exited(&[("c1", 0)])[0]);
    let killed = Status::Killed("SIGKILL".parse().unwrap());
    assert_eq!(ends(&run)[1], ("c2".to_owned(), Some(killed)));
    let wrote: Vec<_> = run.outcome.clients.iter().map(|client| client.stdout.clone()).collect();
    assert_eq!(wrote, [text("one\n"), text("two\n")]);
    let ended = |run: &Run, nth| at(run, &ThreadName::client(nth), |what| matches!(what, What::End(_)));
    assert!(ended(&run, 1) < ended(&run, 2));
    let held = with(&["sleep", "100"], clients(), r#"[(at:Before(write),in:"c1",action:Switch(To("c2")))]"#);
    assert_eq!(held.unreached, []);
    assert!(ended(&held, 2) < ended(&held, 1));
}

#[test]
fn one_that_waits_for_ever_is_told_as_waiting() {
    let connects = Client::Script(vec![Line::Connect("unix:@in flight".to_owned()), Line::WaitEof]);
    let path = root().join("fixtures/sound/in_flight.c");
    let program = sigrace::compile::compile(&path, None).unwrap();
    let run = with(&[program.to_str().unwrap()], vec![connects], "[]");
    assert_eq!(ends(&run), [("c1".to_owned(), None)]);
}

/// A client that looks from time to time whether it is answered does not make time pass for ever.
#[test]
fn one_that_looks_again_and_again_in_vain_is_told_as_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let [mute, asks] = ["mute.c", "asks_on.c"].map(|name| supervised::build(name, &[], folder.path()));
    let (mute, asks) = (mute.to_str().unwrap(), asks.to_str().unwrap());
    let run = with(&[mute], vec![command(&[asks])], "[]");
    assert!(matches!(run.outcome.end, End::Idle(_)), "{:?}", run.outcome.end);
    assert_eq!(ends(&run), [("c1".to_owned(), None)]);
    // It is waited for no longer than that before a signal is sent, either.
    let run = with(&[mute], vec![command(&[asks])], r#"[(at:Quiet,in:"p0",action:Send(SIGTERM))]"#);
    assert_eq!((&run.outcome.end, run.unreached.len()), (&End::Ended(Status::Exited(0)), 0));
    assert_eq!(ends(&run), exited(&[("c1", 0), ("c2", 7)]));
}

/// Whatever the client waits for besides the answer: a server that will never give one has hung.
#[test]
fn a_server_that_does_not_answer_has_hung() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("stuck.c", &[], folder.path());
    let program = program.to_str().unwrap();
    let script =
        Client::Script(vec![Line::Connect("tcp:8080".to_owned()), Line::Send("x".to_owned()), Line::WaitEof]);
    for client in [command(&[program, "ask"]), command(&[program, "ask", "on"]), script] {
        let run = with(&[program, "stuck"], vec![client.clone()], "[]");
        assert_eq!(ends(&run), [("c1".to_owned(), None)], "{client:?}");
        let End::Hang(sleepers) = &run.outcome.end else { panic!("{client:?}: {:?}", run.outcome.end) };
        assert!(sleepers[0].why.contains("a pipe of the run's own"), "{client:?}: {}", sleepers[0].why);
        let run = with(&[program], vec![client.clone()], "[]");
        assert_eq!(ends(&run), exited(&[("c1", 0)]), "{client:?}");
        assert!(matches!(run.outcome.end, End::Idle(_)), "{client:?}: {:?}", run.outcome.end);
    }
    let client = format!("{program} ask");
    let words = ["explore", "--send", "none", "--client", &client, "--", program, "stuck"];
    let (report, code) = sigrace(folder.path(), &words);
    assert_eq!(code, Some(100), "{report}");
    assert!(report.contains(": it hangs\n") && report.contains("c1 still waits"), "{report}");
}

#[test]
fn a_client_that_cannot_be_started_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("talks");
    fs::write(&file, "no program\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    let launch = supervised::launch(&["sleep", "1"], folder.path());
    let error = try_with(launch, vec![command(&["./talks"])], "[]").unwrap_err();
    assert!(matches!(&error, RunError::Start { file, .. } if file.ends_with("/talks")), "{error}");
}

/// What the command says, and its exit code.
fn sigrace(folder: &Path, words: &[&str]) -> (String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sigrace"));
    command.args(words).current_dir(folder).env("SIGRACE_TRACE_DIR", folder);
    let output = copies::output(&mut command).unwrap();
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code())
}

/// A shell that asks the server of `reload.c`.
const ASKS: &str = "bash -c 'exec 3<>/dev/tcp/127.0.0.1/8080 && echo hello? >&3 && cat <&3'";

#[test]
fn explore_finds_a_client_that_is_told_otherwise_than_in_the_reference_run() {
    let folder = tempfile::tempdir().unwrap();
    let program = |kind: &str| {
        let source = root().join(format!("fixtures/{kind}/reload.c"));
        sigrace::compile::compile(&source, None).unwrap().to_str().unwrap().to_owned()
    };
    let explore = |kind: &str| {
        let words = ["explore", "--send", "SIGHUP", "--client", ASKS, "--seed", "1", "--runs", "60"];
        let program = program(kind);
        sigrace(folder.path(), &[&words[..], &["--save", "saved.ron", "--", &program]].concat())
    };
    let (said, code) = explore("broken");
    assert_eq!(code, Some(100), "{said}");
    let sentence =
        format!("  expected exit code 0 of c1 ({ASKS}) as in the reference run, got exit code 1\n");
    assert!(said.contains("a client ends otherwise than expected\n") && said.contains(&sentence), "{said}");
    let replay = said.lines().last().unwrap().strip_prefix("replay: sigrace replay ").unwrap();
    let (again, code) = sigrace(folder.path(), &["replay", replay, "--times", "5"]);
    assert_eq!(code, Some(0), "{again}");
    let (said, code) = sigrace(folder.path(), &["run", "saved.ron", "--runs", "60"]);
    assert_eq!(code, Some(0), "{said}");

    let (said, code) = explore("sound");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("; c1 exit code 0; c2 exit code 0"), "{said}");
}

#[test]
fn a_command_that_is_none_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    for client in ["", "'", "'' x"] {
        assert_eq!(
            sigrace(folder.path(), &["explore", "--client", client, "--", "true"]).1,
            Some(2),
            "{client}"
        );
    }
    assert_eq!(sigrace(folder.path(), &["explore", "--client", "no-such-client", "--", "true"]).1, Some(102));
}

/// Where clients are waited for and served: the rest is how a server starts.
const SERVING: [&str; 7] = [
    "before:accept4",
    "before:sendto",
    "before:writev",
    "before:write",
    "before:close",
    "before:epoll_wait",
    "before:poll",
];

/// Searches with a client and a few runs; none if this machine has no such server, or no curl.
fn silent(server: &[&str], folder: &Path, points: &[&str], (signal, page): (&str, &str)) -> Option<String> {
    for program in [server[0], "curl"] {
        let found = copies::output(Command::new("sh").args(["-c", "command -v \"$0\"", program])).unwrap();
        if !found.status.success() {
            println!("skipped: no {program} here");
            return None;
        }
    }
    let client = format!("curl -s http://127.0.0.1:8080/{page}");
    let words = [
        "explore",
        "--send",
        signal,
        "--client",
        &client,
        "--seed",
        "1",
        "--runs",
        "12",
        "--no-handler-checks",
    ];
    let points = &format!("--points={}", points.join(","));
    let (said, code) = sigrace(folder, &[&words[..], &[points, "--"], server].concat());
    assert!(matches!(code, Some(0)), "{code:?} {said}");
    assert!(said.contains("; c1 exit code 0; c2 exit code "), "{said}");
    Some(said)
}

#[test]
fn nginx_serves_everybody_while_it_reads_its_configuration_again() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(folder.path().join("index.html"), "hello\n").unwrap();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary: String =
        temporary.iter().map(|name| format!("{name}_temp_path {place}/{name};\n")).collect();
    let conf = format!(
        "daemon off;\nworker_processes 1;\npid {place}/pid;\nerror_log stderr error;\nevents {{}}\nhttp {{\naccess_log off;\n\
         {temporary}server {{ listen 127.0.0.1:8080; root {place}; }}\n}}\n"
    );
    fs::write(folder.path().join("conf"), conf).unwrap();
    let server = ["nginx", "-c", &format!("{place}/conf"), "-e", "stderr"];
    let Some(said) = silent(&server, folder.path(), &SERVING, ("SIGHUP", "index.html")) else { return };
    assert!(said.contains("; c1 exit code 0; c2 exit code 0"), "{said}");
}

#[test]
fn a_server_of_pythons_ends_its_request_when_it_is_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("page"), "hello\n").unwrap();
    let server = ["/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", "8080"];
    // Who has been connected by the kernel when it is told to stop, and not been accepted, is cut off.
    let serving: Vec<&str> =
        SERVING.into_iter().filter(|point| !["before:poll", "before:accept4"].contains(point)).collect();
    let Some(said) = silent(&server, folder.path(), &serving, ("SIGINT", "page")) else { return };
    assert!(said.contains("; c1 exit code 0; c2 exit code 7"), "{said}");
}

#[test]
fn a_server_in_go_that_waits_for_its_shutdown_drops_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let program = match compile::compile(&root().join("fixtures/sound/http_shutdown.go"), None) {
        Err(error @ CompileError::NoGo(_)) => return println!("skipped: {error}"),
        built => built.unwrap(),
    };
    silent(&[program.to_str().unwrap()], folder.path(), &SERVING, ("SIGTERM", ""));
}
