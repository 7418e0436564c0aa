//! Stacks of real processes that are held in a system call.

use super::*;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::{Child, Stdio};
use std::sync::Arc;

const DEEP: &str = include_str!("deep.c");

/// A process that sleeps in a handler's read.
struct Asleep {
    child: Child,
    maps: String,
    memory: File,
    registers: Registers,
}

impl Asleep {
    /// Starts the program and waits until it is in read(2): `/proc/PID/syscall` then begins with its number.
    fn start(path: &Path) -> Asleep {
        let mut child = Command::new(path).stdin(Stdio::piped()).spawn().unwrap();
        let proc = format!("/proc/{}", child.id());
        let call = loop {
            let call = fs::read_to_string(format!("{proc}/syscall")).unwrap();
            if call.starts_with("0 0x0 ") {
                break call;
            }
            assert!(child.try_wait().unwrap().is_none(), "it ended before it read");
            std::thread::yield_now();
        };
        let mut fields = call.split_whitespace().rev();
        let mut number = || u64::from_str_radix(&fields.next().unwrap()[2..], 16).unwrap();
        let (rip, rsp) = (number(), number());
        let maps = fs::read_to_string(format!("{proc}/maps")).unwrap();
        let memory = File::open(format!("{proc}/mem")).unwrap();
        Asleep { child, maps, memory, registers: Registers::at(rip, rsp) }
    }

    fn read(&self, address: u64, buffer: &mut [u8]) -> bool {
        self.memory.read_exact_at(buffer, address).is_ok()
    }

    fn stack(&self, registers: &Registers, modules: &Modules) -> Stack {
        unwind(registers, modules, &mut |address, buffer| self.read(address, buffer))
    }

    /// The registers together with those that the handler kept for this test.
    fn all_registers(&self, modules: &Modules) -> Registers {
        let executable = modules.executable().unwrap();
        let objects = executable.image().unwrap().data_objects();
        let kept = objects.iter().find(|object| object.name == "kept").unwrap();
        let address = executable.runtime_address(kept.address).unwrap();
        let mut registers = self.registers;
        for (index, number) in [3, 6, 12, 13, 14, 15].into_iter().enumerate() {
            let mut bytes = [0; 8];
            assert!(self.read(address + 8 * index as u64, &mut bytes));
            registers.set(number, Some(u64::from_le_bytes(bytes)));
        }
        registers
    }
}

impl Drop for Asleep {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn line_of_deep(text: &str) -> u32 {
    DEEP.lines().position(|line| line.contains(text)).unwrap() as u32 + 1
}

/// The frames of the program's own functions, as a report has them.
fn names(stack: &Stack, modules: &Modules) -> Vec<String> {
    let name = |frame: &Frame| {
        if frame.signal { "signal".to_owned() } else { modules.describe(frame).to_string() }
    };
    stack.frames.iter().map(name).collect()
}

/// What the handler's frame and those after it are called, up to main.
fn expected() -> Vec<String> {
    let at = |function: &str, text: &str| format!("{function} (deep.c:{})", line_of_deep(text));
    let mut inlined = at("inlined", "return innermost");
    inlined += &format!(" inlined into middle (deep.c:{})", line_of_deep("return inlined"));
    vec![
        at("on_signal", "read(0"),
        "signal".to_owned(),
        at("innermost", "ud2"),
        inlined,
        at("outer", "return middle"),
        at("main", "return outer"),
    ]
}

#[test]
fn a_held_system_call_in_a_handler_shows_what_the_signal_interrupted() {
    let images = Arc::new(Images::default());
    for way in [
        &["-O2"][..],
        &["-O2", "-static"],
        &["-O0", "-fomit-frame-pointer"],
        &["-O2", "-no-pie", "-gz"],
        &["-O2", "-fno-asynchronous-unwind-tables"],
        &["-O0"],
        &["-O0", "-static"],
        &["-O2", "-fno-omit-frame-pointer"],
    ] {
        let built = build_with("cc", "deep.c", DEEP, &with(way, &["-g"]));
        let asleep = Asleep::start(&built.path);
        let modules = Modules::parse(&asleep.maps, &images);
        let wanted = expected();

        let stack = asleep.stack(&asleep.all_registers(&modules), &modules);
        let found = names(&stack, &modules);
        assert!(found[0].contains("read"), "{way:?}: {found:#?}");
        assert_eq!(found[1..7], wanted, "{way:?}");
        assert_eq!(stack.end, StackEnd::Outermost, "{way:?}: {found:#?}");
        assert!(found.last().unwrap().starts_with("_start"), "{way:?}: {found:#?}");

        // The interrupted instruction itself, not the one before it.
        let image = modules.executable().unwrap().image().unwrap();
        let innermost = image.functions_named("innermost").remove(0);
        let trap = image.instructions(&innermost).into_iter().find(|one| one.flow == Flow::Trap).unwrap();
        assert_eq!(stack.frames[3].link_address, Some(trap.address));

        // The two registers that are known at any held call are enough.
        assert_eq!(asleep.stack(&asleep.registers, &modules), stack, "{way:?}");
    }
}

#[test]
fn a_frame_of_changing_size_ends_the_stack_where_its_register_is_not_known() {
    let text =
        DEEP.replace("char byte;", "char byte, *more = __builtin_alloca(kept[0] + 100); kept[0] = more[5];");
    let built = build_with("cc", "deep.c", &text, &["-O0", "-g"]);
    let asleep = Asleep::start(&built.path);
    let modules = Modules::parse(&asleep.maps, &Arc::new(Images::default()));
    let stack = asleep.stack(&asleep.registers, &modules);
    let found = names(&stack, &modules);
    assert_eq!(found[1..], [format!("on_signal (deep.c:{})", line_of_deep("read(0"))]);
    let StackEnd::Incomplete(reason) = &stack.end else { panic!("{stack:?}") };
    assert!(reason.contains("depends on rbp"), "{reason}");
    let all = asleep.stack(&asleep.all_registers(&modules), &modules);
    assert_eq!(names(&all, &modules)[1..7], expected());
    assert_eq!(all.end, StackEnd::Outermost);
}

#[test]
fn what_cannot_be_known_ends_the_stack_and_says_why() {
    let built = build_with("cc", "deep.c", DEEP, &["-O2", "-g"]);
    let asleep = Asleep::start(&built.path);
    let images = Arc::new(Images::default());
    let modules = Modules::parse(&asleep.maps, &images);
    let incomplete = |stack: &Stack| match &stack.end {
        StackEnd::Incomplete(reason) => reason.clone(),
        StackEnd::Outermost => panic!("{stack:?}"),
    };

    let stack = unwind(&asleep.registers, &modules, &mut |_, _| false);
    assert_eq!(stack.frames.len(), 1);
    assert!(incomplete(&stack).contains("return address cannot be read"), "{stack:?}");

    let stack = unwind(&Registers::default(), &modules, &mut |_, _| false);
    assert!(stack.frames.is_empty() && incomplete(&stack).contains("instruction is not known"));

    let nowhere = asleep.stack(&Registers::at(0x1000, 0x1000), &modules);
    assert!(incomplete(&nowhere).contains("belongs to no file"));
    assert_eq!(modules.describe(&nowhere.frames[0]).to_string(), "?+0x1000");

    let nothing = Modules::parse("", &images);
    assert!(incomplete(&asleep.stack(&asleep.registers, &nothing)).contains("belongs to no file"));

    // A stack on which every return address leads to the same function does not go on for ever.
    let rip = modules.resolve(&place("outer")).unwrap().unwrap()[0];
    let same = unwind(&Registers::at(rip, 0x7000), &modules, &mut |address, buffer| {
        let Some(code) = modules.at(address).map(|_| asleep.read(address, buffer)) else {
            buffer
                .chunks_mut(8)
                .for_each(|word| word.copy_from_slice(&(rip + 1).to_le_bytes()[..word.len()]));
            return true;
        };
        code
    });
    assert_eq!(same.frames.len(), MOST_FRAMES);
    assert!(incomplete(&same).contains("more than"));
}

#[test]
fn the_kernels_own_code_is_read_from_the_process() {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let memory = File::open("/proc/self/mem").unwrap();
    let modules = Modules::parse(&maps, &Arc::new(Images::default()));
    let Some(vdso) = modules.named(Some("[vdso]")) else {
        eprintln!("left out: this kernel has no vDSO");
        return;
    };
    let mut read = |address: u64, buffer: &mut [u8]| memory.read_exact_at(buffer, address).is_ok();
    let image = vdso.image_in_memory(&mut read).unwrap();
    let function = image.functions_named("__vdso_clock_gettime").remove(0);
    let rip = vdso.runtime_address(function.start).unwrap();
    // At its first instruction the return address is at the top of the stack; here it is that of this test's own file.
    let back = modules.executable().unwrap().runtime_address(0).unwrap();
    let stack = unwind(&Registers::at(rip, 0x7000), &modules, &mut |address, buffer| {
        if (0x7000..0x7008).contains(&address) && buffer.len() == 8 {
            buffer.copy_from_slice(&back.to_le_bytes());
            return true;
        }
        memory.read_exact_at(buffer, address).is_ok()
    });
    assert_eq!(stack.frames.len(), 2, "{stack:?}");
    let name = modules.describe(&stack.frames[0]).to_string();
    assert!(name.starts_with("[vdso]!"), "{name}");
    assert_eq!(stack.frames[1].address, back);
}

#[test]
fn addresses_of_a_process_and_of_its_files_are_translated() {
    let built = build_with("cc", "deep.c", DEEP, &["-O0", "-g"]);
    let asleep = Asleep::start(&built.path);
    let images = Arc::new(Images::default());
    let modules = Modules::parse(&asleep.maps, &images);
    let executable = modules.executable().unwrap();
    assert_eq!(executable.path(), fs::canonicalize(&built.path).unwrap());
    let image = executable.image().unwrap();
    let link = image.resolve(&place("outer")).unwrap()[0];
    let runtime = executable.runtime_address(link).unwrap();
    assert_eq!(modules.resolve(&place("outer")).unwrap().unwrap(), [runtime]);
    assert_eq!(executable.link_address(runtime), Some(link));
    let mut code = [0; 16];
    assert!(asleep.read(runtime, &mut code));
    assert_eq!(image.bytes(link, 16).unwrap(), code);

    let libc = modules.resolve(&place("libc.so.6!read")).unwrap().unwrap();
    assert!(modules.describe_at(libc[0]).to_string().starts_with("libc.so.6!"));
    let libc_module = modules.named(Some("libc.so.6")).unwrap();
    let by_file = format!("libc.so.6+{:#x}", libc_module.link_address(libc[0]).unwrap());
    assert_eq!(modules.resolve(&place(&by_file)).unwrap().unwrap(), libc);
    assert_eq!(modules.resolve(&place("none.so!read")).unwrap(), None);
    assert!(modules.resolve(&place("nothing")).is_err());

    // Opened once for all who ask, until it changes.
    let again = Modules::parse(&asleep.maps, &images);
    assert!(Arc::ptr_eq(image, again.executable().unwrap().image().unwrap()));
    drop(asleep);
    let other = build_with("cc", "deep.c", DEEP, &["-O2", "-g"]);
    fs::rename(&other.path, &built.path).unwrap();
    assert!(!Arc::ptr_eq(image, &images.open(executable.path()).unwrap()));
}

#[test]
fn what_was_read_is_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Image>();
    shared::<Images>();
    shared::<Modules>();
}

#[test]
fn lists_of_mappings_of_any_form_are_read() {
    let images = Arc::new(Images::default());
    let text = "00400000-00401000 r--p 00000000 08:01 1    /x/a b\\012c\n\
                00401000-00402000 r-xp 00001000 08:01 1    /x/a b\\012c\n\
                zz\n7-8\n00402000-00401000 r-xp 0 08:01 1 /backwards\n\
                00500000-00501000 r--p 00000000 08:01 2    /x/data\n\
                7fff0000-7fff2000 r-xp 00000000 00:00 0    [vdso]\n\
                7fff3000-7fff4000 rwxp 00000000 00:00 0 \n";
    let modules = Modules::parse(text, &images);
    let names: Vec<&str> = modules.all().iter().map(Module::name).collect();
    assert_eq!(names, ["a b\nc", "[vdso]"]);
    assert_eq!(modules.at(0x401fff).unwrap().name(), "a b\nc");
    assert!(modules.at(0x402000).is_none());
    assert_eq!(modules.executable().unwrap().runtime_address(0), None);
    assert_eq!(modules.describe_at(0x401234).to_string(), "a b\nc+0x401234");
}
