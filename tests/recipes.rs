//! The recipes in `ci/`: they can be read, they name what the command has, and what they would run does run.

use quick_junit::Report;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text(recipe: &str) -> String {
    fs::read_to_string(root().join("ci").join(recipe)).unwrap_or_else(|error| panic!("{recipe}: {error}"))
}

fn yaml(recipe: &str) -> Value {
    serde_saphyr::from_str(&text(recipe)).unwrap_or_else(|error| panic!("{recipe}: {error}"))
}

/// The value at this JSON pointer, which must be a text.
fn string(value: &Value, pointer: &str) -> String {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no text at {pointer} in {value:#}")).to_owned()
}

/// All texts under a key of this name, or in a list under it, wherever that is.
fn under(value: &Value, key: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == key => found.push(text.clone()),
                    Value::Array(list) if name == key => {
                        found.extend(list.iter().filter_map(Value::as_str).map(str::to_owned));
                    }
                    _ => under(value, key, found),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| under(value, key, found)),
        _ => {}
    }
}

/// The texts of a YAML recipe that a shell gets, and there are some.
fn shell_texts(recipe: &str, keys: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let value = yaml(recipe);
    keys.iter().for_each(|key| under(&value, key, &mut found));
    assert!(found.iter().any(|text| text.contains("sigrace run")), "{recipe} runs nothing: {found:?}");
    found
}

/// Everything that the recipes hand to a shell: which shell, where from, the text.
fn all_shell_texts() -> Vec<(&'static str, &'static str, String)> {
    let mut all = Vec::new();
    for recipe in ["gnu-parallel.sh", "slurm-array.sh"] {
        all.push(("bash", recipe, text(recipe)));
    }
    let yaml = [
        ("bash", "github-actions.yml", &["run"][..]),
        ("sh", "gitlab-ci.yml", &["before_script", "script"]),
        ("sh", "kubernetes-job.yaml", &["args"]),
    ];
    for (shell, recipe, keys) in yaml {
        all.extend(shell_texts(recipe, keys).into_iter().map(|text| (shell, recipe, text)));
    }
    all
}

/// A shell that finds the built `sigrace`, in the project's folder, with the results in a folder of the test. Few runs.
fn shell(shell: &str, results: &Path) -> Command {
    let built = Path::new(env!("CARGO_BIN_EXE_sigrace")).parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(built).chain(std::env::split_paths(&path))).unwrap();
    let mut command = Command::new(shell);
    // What the host of these tests has set is not what the recipe finds.
    let foreign = ["SIGRACE", "SLURM_", "GITHUB_", "CI_", "SPLIT", "JOBS"];
    for (name, _) in std::env::vars_os() {
        if foreign.iter().any(|foreign| name.to_string_lossy().starts_with(foreign)) {
            command.env_remove(name);
        }
    }
    command.current_dir(root()).env("PATH", path).env("RESULTS", results).env("SIGRACE_RUNS", "20");
    command.stdin(Stdio::null());
    command
}

fn ends_with(code: i32, command: &mut Command) -> Output {
    let output = command.output().expect("the shell starts");
    assert_eq!(output.status.code(), Some(code), "{command:?}: {output:?}");
    output
}

/// The names of the test cases in a JUnit report, none of which went wrong.
fn passed(report: &Path) -> Vec<String> {
    let text = fs::read_to_string(report).unwrap_or_else(|error| panic!("{}: {error}", report.display()));
    let report = Report::deserialize_from_str(&text).expect("it is JUnit's form");
    assert_eq!((report.failures, report.errors), (0, 0), "{text}");
    let cases = report.test_suites.iter().flat_map(|suite| &suite.test_cases);
    cases.map(|case| case.name.to_string()).collect()
}

const WAKEUP: [&str; 2] = ["waiting/lost_wakeup_broken", "waiting/lost_wakeup_sound"];

/// What leaves out every other scenario: the other families, and the others of this one.
fn skip_all_but_wakeup() -> Vec<String> {
    let there = |folder: PathBuf| {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
            .filter(|name| name != "README")
    };
    let families = there(root().join("scenarios")).filter(|family| family != "waiting");
    let others = there(root().join("scenarios/waiting")).map(|name| format!("waiting/{name}"));
    let others = others.filter(|name| !WAKEUP.contains(&name.as_str()));
    families
        .map(|family| format!("{family}/"))
        .chain(others)
        .flat_map(|name| ["--skip".to_owned(), name])
        .collect()
}

/// A scenario of which nobody has said that the program is broken.
fn surprise(folder: &Path) -> PathBuf {
    let scenarios = folder.join("surprises");
    fs::create_dir(&scenarios).unwrap();
    fs::copy(root().join("fixtures/broken/lost_wakeup.c"), scenarios.join("lost_wakeup.c")).unwrap();
    fs::write(
        scenarios.join("hangs.ron"),
        "(format: 1, program: Source(\"lost_wakeup.c\"), explore: (send: [SIGUSR1]), expect: (exit: Code(0)))",
    )
    .unwrap();
    scenarios
}

/// A scenario of two builds, whose names hold blanks and brackets.
fn two_builds(folder: &Path) -> (PathBuf, [&'static str; 2]) {
    let scenarios = folder.join("builds");
    fs::create_dir(&scenarios).unwrap();
    fs::copy(root().join("fixtures/sound/lost_wakeup.c"), scenarios.join("lost_wakeup.c")).unwrap();
    fs::write(
        scenarios.join("wakes.ron"),
        "(format: 1, program: Source(\"lost_wakeup.c\"), builds: [\"-O0\", \"-O2 -static\"], explore: (send: [SIGUSR1]))",
    )
    .unwrap();
    (scenarios, ["builds/wakes [-O0]", "builds/wakes [-O2 -static]"])
}

#[test]
fn shells_can_read_what_they_get() {
    for (shell, recipe, text) in all_shell_texts() {
        let mut command = Command::new(shell);
        let output = command.args(["-n", "-c", &text]).output().expect("the shell starts");
        assert!(output.status.success() && output.stderr.is_empty(), "{recipe}: {output:?}");
    }
}

#[test]
fn every_option_is_one_of_the_command() {
    let help = Command::new(env!("CARGO_BIN_EXE_sigrace")).args(["run", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let mut checked = BTreeSet::new();
    for (_, recipe, text) in all_shell_texts() {
        let text = text.replace("\\\n", " ");
        let runs = |line: &&str| !line.trim_start().starts_with('#') && line.contains("run ");
        for line in text.lines().filter(runs).filter(|line| line.contains("sigrace")) {
            let of_run = line.rsplit_once("sigrace").unwrap().1;
            for word in of_run.split_whitespace().filter(|word| word.starts_with("--")) {
                assert!(
                    help.contains(&format!("{word} ")) || help.contains(&format!("{word}\n")),
                    "{recipe}: {word}"
                );
                checked.insert(word.to_owned());
            }
        }
    }
    for expected in ["--list", "--exact", "--seed", "--jobs", "--trace-dir", "--format"] {
        assert!(checked.contains(expected), "the recipes were not read: {checked:?}");
    }
}

#[test]
fn the_readme_names_every_recipe() {
    let readme = text("README.md");
    for entry in fs::read_dir(root().join("ci")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "README.md" || readme.contains(&format!("| `{name}` |")), "{name}");
    }
}

#[test]
fn artifacts_are_what_the_steps_write() {
    let gitlab = yaml("gitlab-ci.yml");
    let results = string(&gitlab, "/signal-races/variables/RESULTS");
    assert_eq!(string(&gitlab, "/signal-races/artifacts/paths/0"), results);
    assert_eq!(string(&gitlab, "/signal-races/artifacts/reports/junit"), format!("{results}/report.xml"));
    let github = yaml("github-actions.yml");
    for job in ["scenarios", "suite"] {
        let steps = github.pointer(&format!("/jobs/{job}/steps")).and_then(Value::as_array).unwrap();
        let last = steps.last().unwrap();
        assert_eq!(
            (string(last, "/if"), string(last, "/with/path")),
            ("failure()".to_owned(), results.clone())
        );
        let run = &steps[steps.len() - 2];
        let environment = run.pointer("/env").unwrap().to_string();
        assert!(environment.contains(&results) && run.to_string().contains(" run "), "{run:#}");
    }
}

#[test]
fn the_step_of_github_runs_and_a_finding_fails_it() {
    let github = yaml("github-actions.yml");
    let steps = github.pointer("/jobs/scenarios/steps").and_then(Value::as_array).unwrap();
    let step = steps.iter().find(|step| step.to_string().contains("sigrace run")).unwrap();
    let step = string(step, "/run");
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().join("results");
    let github_shell = |seed: &str| {
        let mut command = shell("bash", &results);
        command.args(["-e", "-c", &step]).env("SEED", seed);
        command
    };
    // The step takes the folder `scenarios` of where it is.
    let surprises = surprise(folder.path());
    fs::rename(&surprises, folder.path().join("scenarios")).unwrap();
    let output = ends_with(100, github_shell("3").current_dir(folder.path()).env("GITHUB_ACTIONS", "true"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("::error file="), "{output:?}");
    let report = fs::read_to_string(results.join("report.xml")).unwrap();
    assert!(report.contains("seed 3") && report.contains("sigrace replay "), "{report}");
    let names = fs::read_dir(results.join("traces")).unwrap().map(|entry| entry.unwrap().file_name());
    let traces: Vec<_> = names.filter(|name| name.to_string_lossy().ends_with(".ron")).collect();
    assert_eq!(traces.len(), 1, "{traces:?}");
}

#[test]
fn the_job_of_gitlab_runs() {
    let script = &shell_texts("gitlab-ci.yml", &["script"]).join("\n");
    let folder = tempfile::tempdir().unwrap();
    let surprises = surprise(folder.path());
    fs::rename(&surprises, folder.path().join("scenarios")).unwrap();
    let mut command = shell("sh", &folder.path().join("results"));
    command.args(["-e", "-c", script]).env("CI_NODE_INDEX", "2").current_dir(folder.path());
    ends_with(100, &mut command);
    assert!(fs::read_to_string(folder.path().join("results/report.xml")).unwrap().contains("seed 2"));
}

#[test]
fn the_pod_of_kubernetes_runs() {
    let job = yaml("kubernetes-job.yaml");
    assert_eq!(
        (string(&job, "/apiVersion"), string(&job, "/kind"), string(&job, "/spec/completionMode")),
        ("batch/v1".to_owned(), "Job".to_owned(), "Indexed".to_owned())
    );
    let pod = job.pointer("/spec/template/spec").unwrap();
    let container = pod.pointer("/containers/0").unwrap();
    // The results are on the volume.
    assert_eq!(string(container, "/env/0/value"), string(container, "/volumeMounts/0/mountPath"));
    assert_eq!(string(container, "/volumeMounts/0/name"), string(pod, "/volumes/0/name"));
    let folder = tempfile::tempdir().unwrap();
    let surprises = surprise(folder.path());
    fs::rename(&surprises, folder.path().join("scenarios")).unwrap();
    let mut command = shell(&string(container, "/command/0"), folder.path());
    command.args([string(container, "/command/1"), string(container, "/args/0")]);
    ends_with(100, command.env("JOB_COMPLETION_INDEX", "4").current_dir(folder.path()));
    assert!(fs::read_to_string(folder.path().join("4/report.xml")).unwrap().contains("seed 5"));
}

#[test]
fn the_tasks_of_a_slurm_array_run() {
    let folder = tempfile::tempdir().unwrap();
    let task = |number: &str| {
        let mut command = shell("bash", folder.path());
        command.args(["ci/slurm-array.sh", "scenarios"]).args(skip_all_but_wakeup());
        command.env("SLURM_ARRAY_TASK_ID", number).env("SLURM_ARRAY_JOB_ID", "77");
        command.env("SLURM_ARRAY_TASK_MIN", "1").env("SLURM_ARRAY_TASK_COUNT", "2");
        command
    };
    ends_with(0, &mut task("2"));
    assert_eq!(passed(&folder.path().join("77/2/report.xml")), WAKEUP);
    assert!(fs::read_to_string(folder.path().join("77/2/report.xml")).unwrap().contains("seed 2"));
    // Every scenario is in one task's share.
    for (number, name) in ["1", "2"].into_iter().zip(WAKEUP) {
        ends_with(0, task(number).env("SPLIT", "scenarios"));
        assert_eq!(passed(&folder.path().join(format!("77/{number}/report.xml"))), [name]);
    }
    // So is every build of one.
    let (builds, names) = two_builds(folder.path());
    for (number, name) in ["1", "2"].into_iter().zip(names) {
        let mut command = shell("bash", folder.path());
        command
            .arg("ci/slurm-array.sh")
            .arg(&builds)
            .env("SPLIT", "scenarios")
            .env("SLURM_ARRAY_JOB_ID", "78");
        command.env("SLURM_ARRAY_TASK_ID", number).env("SLURM_ARRAY_TASK_COUNT", "2");
        ends_with(0, &mut command);
        assert_eq!(passed(&folder.path().join(format!("78/{number}/report.xml"))), [name]);
    }
    // A task too many has nothing to do, which is no failure.
    let idle = ends_with(0, task("3").env("SPLIT", "scenarios").env("SLURM_ARRAY_TASK_COUNT", "3"));
    assert!(String::from_utf8_lossy(&idle.stdout).contains("no scenario is left"), "{idle:?}");
    // Outside an array there is no seed to take, and a split that is none is refused.
    ends_with(1, task("1").env_remove("SLURM_ARRAY_TASK_ID"));
    ends_with(2, task("1").env("SPLIT", "hash"));
}

/// True if GNU parallel is installed (another program has the same name); where everything is installed it must be.
fn have_parallel() -> bool {
    let version = Command::new("parallel").arg("--version").stdin(Stdio::null()).output();
    let have = version.is_ok_and(|output| output.stdout.starts_with(b"GNU parallel"));
    assert!(have || std::env::var_os("CI").is_none(), "GNU parallel is not installed");
    have
}

#[test]
fn gnu_parallel_runs_each_scenario_as_a_job() {
    if !have_parallel() {
        eprintln!("not tested: GNU parallel is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = |results: &str| {
        let mut command = shell("bash", &folder.path().join(results));
        command.arg("ci/gnu-parallel.sh");
        command
    };
    ends_with(0, script("results").arg("scenarios").args(skip_all_but_wakeup()));
    let results = folder.path().join("results");
    let both = [passed(&results.join("1.xml")), passed(&results.join("2.xml"))].concat();
    assert_eq!(both, WAKEUP);
    assert_eq!(fs::read_to_string(results.join("joblog")).unwrap().lines().count(), 3);

    let (builds, names) = two_builds(folder.path());
    ends_with(0, script("builds-results").arg(builds));
    let results = folder.path().join("builds-results");
    assert_eq!([passed(&results.join("1.xml")), passed(&results.join("2.xml"))].concat(), names);

    // A finding, and nothing selected, end the script as they end the command.
    ends_with(100, script("surprises-results").arg(surprise(folder.path())));
    assert!(fs::read_to_string(folder.path().join("surprises-results/1.xml")).unwrap().contains("replay"));
    ends_with(4, script("nothing").args(["scenarios", "--skip", "/"]));
}

/// True if cargo-nextest is installed.
fn have_nextest() -> bool {
    let version = Command::new("cargo").args(["nextest", "--version"]).stdin(Stdio::null()).output();
    version.is_ok_and(|output| output.status.success())
}

#[test]
fn the_parts_of_a_suite_that_cargo_runs_are_the_whole_suite() {
    if !have_nextest() {
        eprintln!("not tested: cargo-nextest is not installed");
        return;
    }
    let github = yaml("github-actions.yml");
    let steps = github.pointer("/jobs/suite/steps").and_then(Value::as_array).unwrap();
    let step = steps.iter().find(|step| step.to_string().contains("nextest run")).unwrap();
    let step = string(step, "/run");
    let folder = tempfile::tempdir().unwrap();
    let nextest = |part: &str, step: &str| {
        let mut command = shell("bash", folder.path());
        // The runner of this very test tells it about itself; the command is to be one of its own.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("NEXTEST") {
                command.env_remove(name);
            }
        }
        command.args(["-e", "-c", step]).env("PART", part);
        command
    };
    // The program is there, built as this test was; without a network nothing else can be got.
    let profile = if cfg!(debug_assertions) { "--offline" } else { "--offline --release" };
    let listing = step.replace("nextest run", &format!("nextest list --message-format json {profile}"));
    let selected = |part: &str| -> BTreeSet<String> {
        let output = ends_with(0, &mut nextest(part, &listing));
        let list: Value = serde_json::from_slice(&output.stdout).expect("it is a list in JSON");
        let suites = list.pointer("/rust-suites").and_then(Value::as_object).unwrap();
        let cases = suites.values().flat_map(|suite| suite.pointer("/testcases").and_then(Value::as_object));
        let ours = cases.flatten().filter(|(_, case)| {
            case.pointer("/filter-match/status").and_then(Value::as_str) == Some("matches")
        });
        ours.map(|(name, _)| name.clone()).collect()
    };
    let (one, two) = (selected("1"), selected("2"));
    assert!(one.is_disjoint(&two) && !one.is_empty() && !two.is_empty(), "{one:?} {two:?}");
    let names =
        Command::new(env!("CARGO_BIN_EXE_sigrace")).args(["run", "--list"]).current_dir(root()).output();
    let names = String::from_utf8(names.unwrap().stdout).unwrap();
    let all: BTreeSet<String> = names.lines().map(str::to_owned).collect();
    assert_eq!(one.union(&two).cloned().collect::<BTreeSet<_>>(), all);

    let running = step.replace("nextest run", &format!("nextest run {profile} wakeup"));
    let run = |part: &str| String::from_utf8(nextest(part, &running).output().unwrap().stderr).unwrap();
    let told = [run("1"), run("2")].concat();
    for name in WAKEUP {
        let passed = told.lines().filter(|line| line.contains("PASS") && line.contains(name));
        assert_eq!(passed.count(), 1, "{name}: {told}");
    }
}
