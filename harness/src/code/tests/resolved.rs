//! Names, lines, instructions and data of programs built in all ways.

use super::*;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

#[test]
fn functions_lines_and_offsets_are_found_in_every_kind_of_executable() {
    for way in WAYS {
        let built = build(&with(way, &["-g"]));
        let image = built.image();
        let insert = image.resolve(&place("insert")).unwrap();
        assert_eq!(insert.len(), 1, "{way:?}");
        let function = image.function_at(insert[0]).unwrap();
        assert_eq!((function.name.as_str(), function.start), ("insert", insert[0]));
        assert_eq!(image.function_at(function.end() - 1).unwrap(), function);

        let call = format!("list.c:{}", line_of("link_in(node);"));
        let at_call = image.resolve(&place(&call)).unwrap();
        assert!(!at_call.is_empty() && at_call.iter().all(|address| function.contains(*address)), "{way:?}");
        for address in at_call {
            assert_eq!(image.describe(address).function.as_deref(), Some("insert"));
        }

        let instructions = image.instructions(&function);
        assert!(instructions.len() > 5);
        let mut next = function.start;
        for instruction in &instructions {
            assert_eq!(instruction.address, next);
            next += u64::from(instruction.length);
            let offset = instruction.address - function.start;
            let resolved = image.resolve(&place(&format!("insert+{offset}"))).unwrap();
            assert_eq!(resolved, [instruction.address]);
        }
        assert_eq!(next, function.end());
        let longest = instructions.iter().find(|instruction| instruction.length > 1).unwrap();
        let inside = longest.address - function.start + 1;
        let error = image.resolve(&place(&format!("insert+{inside}"))).unwrap_err().to_string();
        let before = format!("insert+{:#x}", inside - 1);
        let after = format!("insert+{:#x}", inside - 1 + u64::from(longest.length));
        assert!(error.contains(&before) && error.contains(&after), "{error}");
        let error = image.resolve(&place("insert+0x10000")).unwrap_err().to_string();
        assert!(error.contains("bytes; the nearest"), "{error}");
    }
}

#[test]
fn calls_say_what_they_call() {
    for way in WAYS {
        let built = build(&with(way, &["-g"]));
        let image = built.image();
        let insert = image.functions_named("insert").remove(0);
        let link_in = image.functions_named("link_in").remove(0);
        let callees = image.own_callees(&insert);
        assert_eq!(callees, std::slice::from_ref(&link_in), "{way:?}");
        let main = image.functions_named("main").remove(0);
        let mut all = vec![insert.clone(), link_in.clone()];
        all.sort_by_key(|function| function.start);
        let mut callees = image.own_callees(&main);
        callees.retain(|function| function.name != "main.cold");
        assert_eq!(callees, all, "{way:?}");

        let instructions = image.instructions(&insert);
        let malloc = instructions.iter().find(|instruction| match &instruction.flow {
            Flow::Call(Target::Import(name)) => name == "malloc",
            Flow::Call(Target::Address(address)) => {
                image.function_at(*address).unwrap().symbol.ends_with("malloc")
            }
            _ => false,
        });
        let malloc = malloc.unwrap_or_else(|| panic!("{way:?}: {instructions:#?}"));
        let text = image.text_of(&insert, malloc.address).unwrap();
        assert!(text.contains("malloc"), "{text}");
        assert_eq!(malloc.line.as_ref().unwrap().line, line_of("malloc(sizeof"));
        if !way.contains(&"-static") && !way.contains(&"-fno-plt") {
            let import = image.imports().iter().find(|import| import.name == "malloc").unwrap();
            assert_eq!(image.import_at(import.stub + 1), Some(import));
            assert_eq!(image.describe(import.stub).to_string(), "malloc@plt");
            assert!((6..=16).contains(&import.size), "{import:?}");
            let ends = image.imports().windows(2).all(|two| two[0].stub + two[0].size <= two[1].stub);
            assert!(ends, "{:?}", image.imports());
        }
    }
}

#[test]
fn accesses_to_static_data_are_known() {
    for way in WAYS {
        let built = build(&with(way, &["-g"]));
        let image = built.image();
        let objects = image.data_objects();
        let object = |name: &str| objects.iter().find(|object| object.name == name).unwrap().clone();
        let count = object("count");
        let link_in = image.functions_named("link_in").remove(0);
        let instructions = image.instructions(&link_in);
        let accesses: Vec<StaticAccess> = instructions.iter().flat_map(|one| one.data.clone()).collect();
        let of_count = |access: &&StaticAccess| access.address == count.address;
        assert!(accesses.iter().filter(of_count).all(|access| access.size == 4));
        let modified = accesses.iter().filter(of_count).any(StaticAccess::is_read_modify_write);
        let apart = accesses.iter().filter(of_count).any(|access| !access.is_read_modify_write());
        assert_eq!(
            (modified, apart),
            if way.contains(&"-O2") { (true, false) } else { (false, true) },
            "{way:?}"
        );
        let list = object("list");
        assert!(accesses.iter().any(|access| (access.address, access.size) == (list.address, 8)));
    }
}

#[test]
fn data_is_described_by_its_type_and_declaration() {
    let built = build(&["-g", "-O0"]);
    let objects = built.image().data_objects();
    let object = |name: &str| objects.iter().find(|object| object.name == name).unwrap().clone();
    let flag = object("flag");
    let facts = flag.facts.unwrap();
    assert_eq!((flag.size, facts.volatile, facts.size, facts.name.as_deref()), (4, true, 4, Some("int")));
    let declared = facts.declared.unwrap();
    assert_eq!((&*declared.file, declared.line), ("list.c", line_of("volatile int flag")));
    assert!(!object("count").facts.unwrap().volatile);
    let name = object("name");
    assert_eq!((name.size, name.facts.unwrap().size), (24, 1));
    let calls = object("calls");
    assert!(calls.symbol.unwrap().starts_with("calls."));
    assert_eq!(calls.facts.unwrap().declared.unwrap().line, line_of("static int calls"));
    assert_eq!(object("list").facts.unwrap().size, 8);
}

#[test]
fn inlined_code_is_found_by_its_function_and_its_line() {
    for level in ["-O0", "-O2"] {
        let built = build(&["-g", level]);
        let image = built.image();
        let copies = image.resolve(&place("raise_flag")).unwrap();
        assert_eq!(copies.len(), 2, "{level}");
        let main = image.functions_named("main").remove(0);
        assert!(copies.iter().all(|address| main.contains(*address)));
        let line = line_of("flag = flag + by");
        let starts = image.resolve(&place(&format!("./list.c:{line}"))).unwrap();
        assert!(starts.len() >= 2, "{level}: {starts:x?}");
        let inside: Vec<Location> = starts.iter().map(|start| image.describe(*start)).collect();
        let called = |location: &Location| location.inlined.first()?.called_at.as_ref().map(|line| line.line);
        let mut calls: Vec<u32> = inside.iter().filter_map(called).collect();
        calls.dedup();
        // With optimisation the first copy begins at the same instruction as main.
        let both = [line_of("raise_flag(argc)"), line_of("raise_flag(2)")];
        assert_eq!(calls, both[usize::from(level == "-O2")..], "{level}");
        let first = inside.iter().find(|location| !location.inlined.is_empty()).unwrap();
        let text = format!("raise_flag (list.c:{line}) inlined into main (list.c:{})", calls[0]);
        assert_eq!(first.to_string(), text);
    }
}

#[test]
fn less_information_gives_shorter_names() {
    let built = build(&["-O0", "-g"]);
    let image = built.image();
    let insert = image.functions_named("insert").remove(0);
    let instructions = image.instructions(&insert);
    let address = instructions[3].address;
    let line = instructions[3].line.as_ref().unwrap().line;
    assert_eq!(image.describe(address).to_string(), format!("insert (list.c:{line})"));

    let strip = |option: &str| {
        assert!(
            crate::copies::output(Command::new("strip").arg(option).arg(&built.path))
                .unwrap()
                .status
                .success()
        );
        built.image()
    };
    let image = strip("-g");
    assert_eq!(image.describe(address).to_string(), format!("insert+{:#x}", address - insert.start));
    assert_eq!(image.describe(insert.start).to_string(), "insert");
    let error = image.resolve(&place("list.c:5")).unwrap_err().to_string();
    assert!(error.contains("no line information"), "{error}");
    let error = image.resolve(&place("insrt")).unwrap_err().to_string();
    assert!(error.contains("list has no function insrt"), "{error}");

    let image = strip("-s");
    let text = image.describe(address).to_string();
    assert_eq!(text, format!("list+{address:#x}"));
    assert_eq!(image.resolve(&place(&text)).unwrap(), [address]);
    assert!(image.imports().iter().any(|import| import.name == "malloc"));
    let error = image.resolve(&place("insert")).unwrap_err().to_string();
    assert!(error.contains("no function insert"), "{error}");
}

#[test]
fn a_line_without_code_names_its_neighbours() {
    let built = build(&["-O0", "-g"]);
    let image = built.image();
    let line = line_of("static int calls;");
    let error = image.resolve(&place(&format!("list.c:{line}"))).unwrap_err().to_string();
    let text = format!("{} and {}", line_of("int insert(") + 1, line_of("malloc(sizeof"));
    assert!(error.contains(&text), "{error}");
    let error = image.resolve(&place("other.c:3")).unwrap_err().to_string();
    assert!(error.contains("no code of list comes from a file other.c; there is list.c"), "{error}");
    let error = image.resolve(&place("ist.c:3")).unwrap_err().to_string();
    assert!(error.contains("comes from a file ist.c"), "{error}");
}

#[test]
fn debug_information_is_read_where_it_is_compressed() {
    let line = line_of("link_in(node);");
    for kind in ["-gz=zlib", "-gdwarf-4", "-gdwarf-5"] {
        let built = build(&["-O0", "-g", kind]);
        let found = built.image().resolve(&place(&format!("list.c:{line}"))).unwrap();
        assert_eq!(found.len(), 1, "{kind}");
        assert_eq!(built.image().describe(found[0]).to_string(), format!("insert (list.c:{line})"), "{kind}");
    }
}

/// Takes the debug information of what was built out of it, into a file beside it.
fn take_apart(built: &Built) {
    let run = |arguments: &[&str]| {
        let mut command = Command::new("objcopy");
        assert!(
            crate::copies::output(command.current_dir(built.folder.path()).args(arguments))
                .unwrap()
                .status
                .success()
        );
    };
    run(&["--only-keep-debug", "list", "list.debug"]);
    run(&["--strip-all", "--add-gnu-debuglink=list.debug", "list"]);
}

/// A memory of this process alone.
#[derive(Debug, Default)]
struct Kept(Mutex<HashMap<String, Vec<u8>>>);

impl Memory for Kept {
    fn read(&self, name: &str) -> Option<Vec<u8>> {
        self.0.lock().unwrap().get(name).cloned()
    }

    fn write(&self, name: &str, content: &[u8]) {
        self.0.lock().unwrap().insert(name.to_owned(), content.to_vec());
    }
}

/// What is remembered is that of one build: not of another that lies in its place, nor what nobody has asked for.
#[test]
fn what_debug_information_apart_said_is_remembered() {
    let memory = Arc::new(Kept::default());
    let images = || Images::remembered_by(Arc::clone(&memory) as Arc<dyn Memory>);
    let built = build(&["-O0", "-g", "-Wl,--build-id"]);
    let insert = built.image().resolve(&place("insert")).unwrap()[0];
    let main = built.image().resolve(&place("main")).unwrap()[0];
    take_apart(&built);
    let first = images();
    let said = first.open(&built.path).unwrap().describe(insert);
    assert!(said.line.is_some() && said.function.as_deref() == Some("insert"));
    first.remember();
    std::fs::remove_file(built.folder.path().join("list.debug")).unwrap();
    let again = images().open(&built.path).unwrap();
    assert_eq!(again.describe(insert), said);
    assert_eq!((again.describe(main).function, again.describe(main).line), (None, None));

    let other = build(&["-O0", "-g", "-Wl,--build-id=0x1234"]);
    take_apart(&other);
    std::fs::remove_file(other.folder.path().join("list.debug")).unwrap();
    assert_eq!(images().open(&other.path).unwrap().describe(insert).function, None);

    memory.0.lock().unwrap().values_mut().for_each(|kept| kept.truncate(5));
    assert_eq!(images().open(&built.path).unwrap().describe(insert).function, None);
}

#[test]
fn where_copies_are_is_remembered_if_it_was_known() {
    let memory = Arc::new(Kept::default());
    let images = || Images::remembered_by(Arc::clone(&memory) as Arc<dyn Memory>);
    let text = "static inline __attribute__((always_inline)) int twice(volatile int *n) { return *n * 2; }
        int main(int n, char **words) { volatile int m = n; return twice(&m) + (words[0] ? twice(&m) : 1); }";
    let built = build_with("cc", "list.c", text, &["-O1", "-g", "-Wl,--build-id"]);
    take_apart(&built);
    let debug = built.folder.path().join("list.debug");
    let aside = debug.with_extension("aside");
    let copies = || images().open(&built.path).unwrap().resolve(&place("twice")).ok();
    // Nothing is remembered of what nobody could tell.
    std::fs::rename(&debug, &aside).unwrap();
    let without = images();
    assert!(without.open(&built.path).unwrap().resolve(&place("twice")).is_err());
    without.remember();
    std::fs::rename(&aside, &debug).unwrap();
    let with = images();
    let found = with.open(&built.path).unwrap().resolve(&place("twice")).unwrap();
    assert_eq!((found.len(), copies().as_ref()), (2, Some(&found)));
    with.remember();
    std::fs::remove_file(&debug).unwrap();
    assert_eq!(copies(), Some(found));
}

#[test]
fn debug_information_is_read_where_it_is_in_a_file_of_its_own() {
    let built = build(&["-O0", "-g", "-Wl,--build-id"]);
    let address = built.image().resolve(&place("insert")).unwrap()[0];
    take_apart(&built);
    let image = built.image();
    assert_eq!(image.resolve(&place("insert")).unwrap(), [address]);
    assert_eq!(
        image.describe(address).to_string(),
        format!("insert (list.c:{})", line_of("int insert(") + 1)
    );
}

#[test]
fn every_line_comes_once_before_any_comes_twice() {
    let built = build(&["-O0", "-g"]);
    let image = built.image();
    let insert = image.functions_named("insert").remove(0);
    let instructions = image.instructions(&insert);
    let mut lines: Vec<u32> = instructions.iter().map(|one| one.line.as_ref().unwrap().line).collect();
    lines.sort_unstable();
    lines.dedup();
    let ordered = order_by_line(instructions.clone());
    let mut first: Vec<u32> =
        ordered.iter().take(lines.len()).map(|one| one.line.as_ref().unwrap().line).collect();
    first.sort_unstable();
    assert_eq!(first, lines);
    let mut again = ordered;
    again.sort_by_key(|instruction| instruction.address);
    assert_eq!(again, instructions);
}

#[test]
fn system_calls_returns_and_traps_are_told_apart() {
    let text = "void f(void) { __asm__ volatile(\"syscall\"); } int main(void) { f(); __builtin_trap(); }";
    let built = build_with("cc", "list.c", text, &["-O0"]);
    let image = built.image();
    let flows = |name: &str| -> Vec<Flow> {
        let function = image.functions_named(name).remove(0);
        image.instructions(&function).into_iter().map(|instruction| instruction.flow).collect()
    };
    let f = flows("f");
    assert!(f.contains(&Flow::SystemCall) && f.last() == Some(&Flow::Return), "{f:?}");
    assert!(flows("main").contains(&Flow::Trap));
}

#[test]
fn functions_of_cpp_are_found_by_the_names_of_their_source() {
    let text = "namespace list { template<class T> struct Node { T v; __attribute__((noinline)) int insert(T x) { v = x; return 1; } };
        __attribute__((noinline)) int get(int x) { return x; } __attribute__((noinline)) int get(long x) { return x; } }
        int main(int c, char **) { list::Node<int> n; return n.insert(c) + list::get(c) + list::get(long(c)); }";
    let Ok(_) = Command::new("g++").arg("--version").output() else {
        eprintln!("left out: g++ is not installed");
        return;
    };
    let built = build_with("g++", "list.cc", text, &["-g", "-O0"]);
    let image = built.image();
    for (name, count) in [
        ("list::Node<int>::insert(int)", 1),
        ("list::Node<int>::insert", 1),
        ("Node<int>::insert", 1),
        ("insert", 1),
        ("list::get", 2),
        ("list::get(long)", 1),
        ("_ZN4list3getEi", 1),
    ] {
        let found = image.resolve(&place(name)).unwrap();
        assert_eq!(found.len(), count, "{name}");
    }
    let found = image.resolve(&place("list::get(long)")).unwrap();
    assert_eq!(image.describe(found[0]).to_string(), "list::get(long) (list.cc:2)");
}

#[test]
fn functions_of_rust_are_found_by_the_names_of_their_source() {
    let text = "struct Node(i32); trait Insert { fn insert(&mut self, x: i32) -> i32; }
        impl Insert for Node { #[inline(never)] fn insert(&mut self, x: i32) -> i32 { self.0 += x; self.0 } }
        fn main() { std::process::exit(Node(1).insert(2)) }";
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("list.rs"), text).unwrap();
    let mut rustc = Command::new("rustc");
    let output = match rustc.current_dir(folder.path()).args(["-g", "list.rs"]).output() {
        Ok(output) => output,
        Err(reason) => {
            eprintln!("left out: rustc cannot be started: {reason}");
            return;
        }
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let image = Image::open(&folder.path().join("list")).unwrap();
    let found = image.resolve(&place("<list::Node as list::Insert>::insert")).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(image.describe(found[0]).to_string(), "<list::Node as list::Insert>::insert (list.rs:2)");
    assert_eq!(image.resolve(&place("list.rs:3")).unwrap(), image.resolve(&place("list::main")).unwrap());
}

#[test]
fn what_is_no_program_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text");
    fs::write(&path, "no program").unwrap();
    let error = Image::open(&path).unwrap_err();
    assert!(matches!(error, CodeError::NotCode { .. }), "{error}");
    assert!(matches!(Image::open(folder.path()).unwrap_err(), CodeError::Read { .. }));
    assert!(matches!(Image::open(Path::new("/nowhere")).unwrap_err(), CodeError::Read { .. }));
}

/// Asks everything of a file.
fn ask_all(path: &Path, data: Vec<u8>) -> usize {
    let Ok(image) = Image::from_bytes(path, data) else { return 0 };
    let mut found = image.data_objects().len() + image.imports().len();
    for function in image.functions().iter().take(40) {
        found += image.instructions(function).len() + image.own_callees(function).len();
        found += image.describe(function.start).inlined.len();
        let mut read = |_: u64, buffer: &mut [u8]| {
            buffer.fill(1);
            true
        };
        let mut context = gimli::UnwindContext::new();
        for registers in
            [Registers::from_ucontext(&[0x7000; Registers::COUNT]), Registers::at(0x7000, 0x7000)]
        {
            let caller =
                image.frames().caller(&image, function.start, 0, &registers, &mut read, &mut context);
            found += usize::from(caller.is_some());
        }
    }
    for text in ["main", "insert+3", "list.c:14", "nothing"] {
        found += image.resolve(&place(text)).map_or(0, |addresses| addresses.len());
    }
    found
}

#[test]
fn corrupt_files_do_no_harm() {
    let built = build(&["-g", "-O2"]);
    let whole = fs::read(&built.path).unwrap();
    let full = ask_all(&built.path, whole.clone());
    assert!(full > 100);
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below as u64) as usize
    };
    let mut understood = 0;
    for round in 0..300 {
        let mut data = whole.clone();
        match round % 3 {
            0 => data.truncate(next(whole.len())),
            // The tables that say where everything is.
            1 => (0..4).for_each(|_| data[24 + next(40 + 56 * 13)] = next(256) as u8),
            _ => (0..64).for_each(|_| data[64 + next(whole.len() - 64)] = next(256) as u8),
        }
        understood += usize::from(ask_all(&built.path, data) > 0);
    }
    assert!(understood > 0, "most corruption leaves something to read");
}
